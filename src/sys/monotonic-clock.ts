/**
 * performance.now() for the packet path: the same clock, read into memory instead of returned as a number on the heap.
 *
 * clock_gettime(2) is answered by the vDSO, without a system call.
 */

import { type CallMemory, callMemory } from './call-memory.ts';
import { clockGettime } from './libc.ts';

const CLOCK_MONOTONIC = 1;
/** struct timespec: seconds @0, nanoseconds @8, 8 bytes each. */
const TIMESPEC_BYTES = 16;
const NANOSECONDS_AT = 8;

export class MonotonicClock {
  private readonly memory: CallMemory = callMemory(TIMESPEC_BYTES);
  /** What the seconds were at the start: differences are small. */
  private readonly firstSecond: number;
  private readonly originMs: number;

  constructor() {
    clockGettime(CLOCK_MONOTONIC, this.memory.address);
    this.firstSecond = this.memory.view.getUint32(0, true);
    this.originMs = 0;
    this.originMs = performance.now() - this.now();
  }

  close(): void {
    this.memory.free();
  }

  /** Milliseconds with fractions, as performance.now() of this thread. */
  now(): number {
    const { view, address } = this.memory;
    clockGettime(CLOCK_MONOTONIC, address);
    const seconds = view.getUint32(0, true) - this.firstSecond;
    return seconds * 1000 + view.getUint32(NANOSECONDS_AT, true) / 1e6 + this.originMs;
  }
}
