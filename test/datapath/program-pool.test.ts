import { expect, test } from 'vitest';
import { ProgramPool } from '../../src/datapath/program-pool.ts';

test('equal programs are one, until the last user drops it', () => {
  const pool = new ProgramPool();
  const first = pool.keep(Int32Array.of(513, 2));
  expect(pool.keep(Int32Array.of(513, 2))).toBe(first);
  expect(pool.keep(Int32Array.of(513, 3))).not.toBe(first);
  expect(pool.keep(new Int32Array(0))).toEqual(new Int32Array(0));
  expect(pool.size).toBe(3);
  pool.drop(first);
  expect(pool.size).toBe(3);
  pool.drop(first);
  expect(pool.size).toBe(2);
  expect(pool.keep(Int32Array.of(513, 2))).not.toBe(first);
});
