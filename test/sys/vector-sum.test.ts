/** The vector sum against the plain one, over every alignment, length and pattern that has an end of its own. */
import { expect, test } from 'vitest';
import { mappedRegion } from '../../src/sys/mapped-region.ts';
import { plainSum } from '../../src/sys/region.ts';
import { vectorSum } from '../../src/sys/vector-sum.ts';
import { random32 } from '../ofproto/lab.ts';

const PAGES = 2;

test('it is the plain sum for every length and alignment, whatever the bytes', () => {
  const words = random32(5);
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const sum = vectorSum(memory);
  const bytes = new Uint8Array(memory.buffer);
  const plain = plainSum(new DataView(memory.buffer));
  for (let round = 0; round < 600; round++) {
    const fill = round % 3 === 0 ? 0xff : -1;
    for (let i = 0; i < 2100; i++) bytes[i] = fill < 0 ? words() : fill;
    const at = words() % 67;
    const length = round < 140 ? round : words() % 1900;
    // 0 and 0xffff are the same sum.
    expect(sum(at, length) % 0xffff, `${length} bytes at ${at}`).toBe(plain(at, length) % 0xffff);
  }
});

test('the longest frame of ones does not overflow, zeros are zero, the last byte of memory is reached', () => {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const sum = vectorSum(memory);
  const bytes = new Uint8Array(memory.buffer);
  const plain = plainSum(new DataView(memory.buffer));
  expect(sum(1, 65_535)).toBe(0);
  bytes.fill(0xff);
  expect(sum(0, 65_535) % 0xffff).toBe(plain(0, 65_535) % 0xffff);
  expect(sum(bytes.length - 33, 33) % 0xffff).toBe(plain(bytes.length - 33, 33) % 0xffff);
  expect(() => sum(bytes.length - 32, 33)).toThrow();
});

test("frame memory's own sum is of its own bytes", () => {
  const region = mappedRegion(2 ** 26);
  const at = region.allocate(100);
  region.bytes.set([1, 2, 3], at);
  expect(region.sum(at, 3)).toBe(0x0102 + 0x0300);
  region.close();
});
