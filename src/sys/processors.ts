/** Which processors a thread runs on (sched_setaffinity(2)). */
import { addressOf, errno, schedSetaffinity, strerror } from './libc.ts';

/** sizeof(cpu_set_t). */
const SET_BYTES = 128;

/** Binds the calling thread to a processor; -1: to none. Returns what is wrong with it, null when it worked. */
export function pinThread(processor: number): string | null {
  const set = new Uint8Array(new ArrayBuffer(SET_BYTES)).fill(processor < 0 ? 0xff : 0);
  if (processor >= 0) set[processor >>> 3] |= 1 << (processor & 7);
  if (schedSetaffinity(0, SET_BYTES, addressOf(set)) >= 0) return null;
  return `processor ${processor}: sched_setaffinity failed (${strerror(errno())})`;
}
