/**
 * The region that the datapath really uses: address space reserved once, with receive rings inside it.
 *
 * One big stretch of anonymous memory, never committed as a whole (a page costs memory when it is first touched), seen from
 * JavaScript through one view. It is the memory of a WebAssembly instance, whose only function sums frames up (vector-sum.ts). A kernel receive ring is mapped over a piece
 * of it with MAP_FIXED, so frames in rings and frames in private memory are offsets into the same
 * DataView. When a ring goes away its piece becomes anonymous memory again in the same system call: at no
 * moment is there a hole, so a stray read returns old bytes or zeros but never faults.
 */

import { addressOf, isMapFailed, mmap, munmap, viewOf } from './libc.ts';
import { plainSum, type Region, RegionAllocator } from './region.ts';
import { SystemError } from './system-error.ts';
import { type RegionSum, vectorSum } from './vector-sum.ts';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const PAGE_BYTES = 4096;
const WASM_PAGE_BYTES = 65_536;

const DEFAULT_BYTES = 2 ** 30;
const SMALLEST_BYTES = 2 ** 25;

export interface MappedRegion extends Region {
  readonly address: number;
  /**
   * Maps the packet ring of socket `fd` (`bytes`, a multiple of the page size) and returns its offset.
   * Throws RangeError when the region is full and SystemError when the kernel refuses.
   */
  mapRing(fd: number, bytes: number): number;
  /** Takes the ring out again; the kernel may free it once its socket is closed too. */
  unmapRing(offset: number, bytes: number): void;
  /** Gives the address space back. Nothing may touch `bytes` or `view` afterwards. */
  close(): void;
}

/** Reserves `bytes` of address space, or the largest half, quarter, ... that the system allows. */
export function mappedRegion(bytes = DEFAULT_BYTES): MappedRegion {
  const { buffer, address: base, sum, free } = summed(bytes) ?? reserved(bytes);
  const size = buffer.byteLength;
  const allocator = new RegionAllocator(size);
  return {
    sum,
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    address: base,
    allocate: (wanted, align) => allocator.allocate(wanted, align),
    free: (offset) => allocator.free(offset),
    mapRing(fd, ringBytes) {
      const offset = allocator.allocate(ringBytes, PAGE_BYTES);
      const flags = MAP_SHARED | MAP_FIXED;
      if (isMapFailed(mmap(base + offset, ringBytes, PROT_READ_WRITE, flags, fd, 0))) {
        const failure = new SystemError('mmap', `receive ring of ${ringBytes} bytes`);
        // A refused MAP_FIXED may already have removed what was there.
        makeAnonymous(base + offset, ringBytes);
        allocator.free(offset);
        throw failure;
      }
      return offset;
    },
    unmapRing(offset, ringBytes) {
      makeAnonymous(base + offset, ringBytes);
      allocator.free(offset);
    },
    close: free,
  };
}

interface Memory {
  readonly buffer: ArrayBuffer;
  readonly address: number;
  readonly sum: RegionSum;
  free(): void;
}

/** Memory of a WebAssembly instance, which sums it up fast; null where there is none. */
function summed(bytes: number): Memory | null {
  try {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = memory;
    const address = addressOf(new Uint8Array(buffer));
    // Pages that were touched are given back at once; the address space when nothing refers to the memory any more.
    const free = () => makeAnonymous(address, buffer.byteLength);
    return { buffer, address, sum: vectorSum(memory), free };
  } catch {
    // Run without WebAssembly (--jitless), or short of address space, which guard pages need a lot of.
    return null;
  }
}

function reserved(bytes: number): Memory {
  let size = bytes;
  let address = reserve(size);
  while (isMapFailed(address) && size / 2 >= SMALLEST_BYTES) {
    size /= 2;
    address = reserve(size);
  }
  if (isMapFailed(address)) throw new SystemError('mmap', `${size} bytes of frame memory`);
  const base = Number(address);
  const buffer = viewOf(base, size);
  const free = () => void munmap(base, size);
  return { buffer, address: base, sum: plainSum(new DataView(buffer)), free };
}

function reserve(size: number): number | bigint {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return mmap(0, size, PROT_READ_WRITE, flags, -1, 0);
}

function makeAnonymous(address: number, size: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (isMapFailed(mmap(address, size, PROT_READ_WRITE, flags, -1, 0))) {
    throw new SystemError('mmap', 'frame memory after a ring');
  }
}
