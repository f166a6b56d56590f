/**
 * A region: one contiguous stretch of memory in which all frames lie, wherever they come from.
 *
 * A frame is an offset into it, so one DataView and one Uint8Array reach every frame (a view per packet would
 * cost 34 ns). The mapped kind (mapped-region.ts) reserves address space once and lets receive rings of the
 * kernel appear inside it; the heap kind serves tests and in-memory switches, without FFI.
 */
import { checksumOf, sumBytes } from '../packet/checksum.ts';
import type { RegionSum } from './vector-sum.ts';

export interface Region {
  /** What sumBytes (packet/checksum.ts) says of `length` bytes from `at` on, folded, by the fastest means for this memory. */
  readonly sum: RegionSum;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Address of offset 0 for system calls; 0 for a heap region. */
  readonly address: number;
  /** Reserves `size` bytes, aligned to `align` (a power of two). Throws RangeError when the region is full. */
  allocate(size: number, align?: number): number;
  /** Gives back what allocate() returned. */
  free(offset: number): void;
}

/** The plain sum over a memory: the oracle of the fast one, and what there is without it. */
export const plainSum =
  (view: DataView): RegionSum =>
  (at, length) =>
    ~checksumOf(sumBytes(view, at, length)) & 0xffff;

/** First-fit allocator over [0, size): a handful of long-lived pieces, so a sorted list is enough. */
export class RegionAllocator {
  /** Sorted by offset. */
  private used: { offset: number; size: number }[] = [];
  private readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  allocate(size: number, align = 64): number {
    let at = 0;
    for (let i = 0; i <= this.used.length; i++) {
      const next = i < this.used.length ? this.used[i].offset : this.size;
      const start = Math.ceil(at / align) * align;
      if (start + size <= next) {
        this.used.splice(i, 0, { offset: start, size });
        return start;
      }
      if (i < this.used.length) at = this.used[i].offset + this.used[i].size;
    }
    throw new RangeError(`no room for ${size} bytes of frame memory in ${this.size}`);
  }

  free(offset: number): void {
    const i = this.used.findIndex((piece) => piece.offset === offset);
    if (i < 0) throw new RangeError(`no piece of frame memory at offset ${offset}`);
    this.used.splice(i, 1);
  }
}

/** A region in the JavaScript heap. */
export function heapRegion(size = 8 << 20): Region {
  const buffer = new ArrayBuffer(size);
  const allocator = new RegionAllocator(size);
  const view = new DataView(buffer);
  return {
    sum: plainSum(view),
    bytes: new Uint8Array(buffer),
    view,
    address: 0,
    allocate: (bytes, align) => allocator.allocate(bytes, align),
    free: (offset) => allocator.free(offset),
  };
}
