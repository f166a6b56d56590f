/**
 * Small memory for the arguments of system calls, below 2 GiB where there is room.
 *
 * An address further up is a number that V8 keeps in a box on the heap, and each call that is given one makes a new box: under
 * load that was the garbage of the packet path, and the only reason to collect any. An address below 2^31 is a small
 * integer, which needs no box. Where the system has no such memory all works the same, but for that.
 */
import { isMapFailed, mmap, munmap, viewOf } from './libc.ts';
import { SystemError } from './system-error.ts';

const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
/** x86 only: an address below 2 GiB. */
const MAP_32BIT = process.arch === 'x64' ? 0x40 : 0;
const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS;

export interface CallMemory {
  /** Zeros at first. Not to be used after free(). */
  readonly view: DataView;
  readonly address: number;
  free(): void;
}

/** Takes whole pages of its own. Throws SystemError when there is no memory. */
export function callMemory(bytes: number): CallMemory {
  let address = mmap(0, bytes, PROT_READ_WRITE, PRIVATE | MAP_32BIT, -1, 0);
  if (isMapFailed(address)) address = mmap(0, bytes, PROT_READ_WRITE, PRIVATE, -1, 0);
  if (isMapFailed(address)) throw new SystemError('mmap', `${bytes} bytes for system calls`);
  const at = Number(address);
  return { view: new DataView(viewOf(at, bytes)), address: at, free: () => void munmap(at, bytes) };
}
