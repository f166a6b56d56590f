import { expect, test } from 'vitest';
import { callMemory } from '../../src/sys/call-memory.ts';
import { MonotonicClock } from '../../src/sys/monotonic-clock.ts';

test('the clock of the packet path is performance.now()', () => {
  const clock = new MonotonicClock();
  for (let n = 0; n < 1000; n++) {
    const before = performance.now();
    const now = clock.now();
    // The offset between the two was measured by two readings, one after the other.
    expect(now).toBeGreaterThanOrEqual(before - 1000);
    expect(now).toBeLessThanOrEqual(performance.now() + 0.001);
  }
  let last = clock.now();
  for (let n = 0; n < 1000; n++) {
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
  clock.close();
});

test('memory for system calls is zero, writable, and its address a small integer where the machine can', () => {
  const memory = callMemory(8192);
  expect(memory.view.getUint32(8188)).toBe(0);
  memory.view.setUint32(8188, 7);
  expect(memory.view.getUint32(8188)).toBe(7);
  if (process.arch === 'x64') expect(memory.address).toBeLessThan(2 ** 31);
  memory.free();
});
