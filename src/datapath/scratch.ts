/**
 * Frame memory of the datapath itself, inside the region: copies of frames that must not be rewritten in place,
 * frames given to execute(), and segments. A bump allocator: one add per frame, everything is given back at once when
 * the transmissions are flushed.
 */
import type { Region } from '../sys/region.ts';

export class Scratch {
  private readonly from: number;
  private readonly end: number;
  private next: number;

  constructor(region: Region, bytes: number) {
    this.from = region.allocate(bytes);
    this.end = this.from + bytes;
    this.next = this.from;
  }

  /** Offset in the region of `bytes` free bytes, aligned to 64, or -1 when there is no room. */
  take(bytes: number): number {
    const at = this.next;
    const next = at + ((bytes + 63) & ~63);
    if (next > this.end) return -1;
    this.next = next;
    return at;
  }

  /** Gives the memory back for good. */
  free(region: Region): void {
    region.free(this.from);
  }

  reset(): void {
    this.next = this.from;
  }
}
