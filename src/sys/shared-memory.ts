/** Memory that another process shares by a descriptor, and pages of our own that all threads see by their address. */
import { isMapFailed, mmap, munmap } from './libc.ts';
import { SystemError } from './system-error.ts';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

export interface Mapping {
  readonly address: number;
  readonly bytes: number;
}

/** Maps the first `bytes` behind `fd`, or fresh memory for -1. Throws SystemError. */
export function mapShared(fd: number, bytes: number, about: string): Mapping {
  const flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
  const address = mmap(0, bytes, PROT_READ_WRITE, flags, fd, 0);
  if (isMapFailed(address)) throw new SystemError('mmap', about);
  return { address: Number(address), bytes };
}

/** No thread may look there any more. */
export function unmap({ address, bytes }: Mapping): void {
  munmap(address, bytes);
}
