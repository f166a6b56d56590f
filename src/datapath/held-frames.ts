/**
 * Frames that wait to be sent, first in, first out: copies in one piece of frame memory, used as a ring.
 *
 * An entry: u32 length of the frame (0: the next entry is at the start of the ring), u32 offload flags | GSO type << 8 | GSO
 * size << 16, u32 header bytes | csum start << 16, u32 csum offset | packets on the wire << 16, u32 bytes on the wire, 4 bytes
 * nothing, f64 a time, then ROOM bytes for the port's own header and the frame, in whole units of 16 bytes.
 */
import type { Region } from '../sys/region.ts';
import type { Batch } from './batch.ts';
import { wirePackets } from './policer.ts';

/** Of one queue: sixteen super-frames. */
const QUEUE_BYTES = 1 << 20;
/** Queues of one datapath that can hold frames at once: 256 MiB. */
const MAX_QUEUES = 256;
const HEAD_BYTES = 32;
const ROOM = 16;

/** The memory of all queues. A queue takes its piece with its first frame. */
export class HeldMemory {
  readonly region: Region;
  private readonly free: number[] = [];
  private taken = 0;

  constructor(region: Region) {
    this.region = region;
  }

  /** Offset of QUEUE_BYTES bytes, -1 when there are too many queues. */
  take(): number {
    const again = this.free.pop();
    if (again !== undefined) return again;
    if (this.taken === MAX_QUEUES) return -1;
    this.taken++;
    try {
      return this.region.allocate(QUEUE_BYTES);
    } catch {
      this.taken = MAX_QUEUES;
      return -1;
    }
  }

  give(at: number): void {
    if (at >= 0) this.free.push(at);
  }
}

export class HeldFrames {
  count = 0;
  /** Of frames; there may be memory for less. */
  limitBytes = Number.POSITIVE_INFINITY;
  private heldBytes = 0;
  private readonly memory: HeldMemory;
  private readonly view: DataView;
  private base = -1;
  private head = 0;
  private tail = 0;

  constructor(memory: HeldMemory) {
    this.memory = memory;
    this.view = memory.region.view;
  }

  /** Copies frame p; `time` can be asked for when it is the first. False when there is no room. */
  push(batch: Batch, p: number, time = 0): boolean {
    if (this.base < 0) {
      this.base = this.memory.take();
      if (this.base < 0) return false;
    }
    const length = batch.length[p];
    if (this.heldBytes + length > this.limitBytes) return false;
    const at = this.place((HEAD_BYTES + ROOM + length + 15) & ~15);
    if (at < 0) return false;
    const { view } = this;
    const packets = wirePackets(batch, p);
    view.setUint32(at, length);
    view.setUint32(
      at + 4,
      batch.offloadFlags[p] | (batch.gsoType[p] << 8) | (batch.gsoSize[p] << 16),
    );
    view.setUint32(at + 8, batch.headerBytes[p] | (batch.csumStart[p] << 16));
    view.setUint32(at + 12, batch.csumOffset[p] | (packets << 16));
    view.setUint32(at + 16, length + (packets - 1) * batch.headerBytes[p]);
    view.setFloat64(at + 24, time);
    const start = batch.start[p];
    this.memory.region.bytes.copyWithin(at + HEAD_BYTES + ROOM, start, start + length);
    this.count++;
    this.heldBytes += length;
    return true;
  }

  // Of the first frame; there must be one.

  get packets(): number {
    return this.view.getUint16(this.base + this.head + 12);
  }
  /** A super-frame's headers counted as often as they are sent. */
  get wireBytes(): number {
    return this.view.getUint32(this.base + this.head + 16);
  }
  get time(): number {
    return this.view.getFloat64(this.base + this.head + 24);
  }

  /** Appends the first frame to a batch. Its bytes stay until the next push(). */
  shift(into: Batch): void {
    const { view } = this;
    const at = this.base + this.head;
    const length = view.getUint32(at);
    const p = into.append(0, at + HEAD_BYTES + ROOM, length, ROOM);
    const kind = view.getUint32(at + 4);
    into.offloadFlags[p] = kind & 0xff;
    into.gsoType[p] = (kind >>> 8) & 0xff;
    into.gsoSize[p] = kind >>> 16;
    const from = view.getUint32(at + 8);
    into.headerBytes[p] = from & 0xffff;
    into.csumStart[p] = from >>> 16;
    into.csumOffset[p] = view.getUint32(at + 12) & 0xffff;
    this.head += (HEAD_BYTES + ROOM + length + 15) & ~15;
    this.count--;
    this.heldBytes -= length;
    if (this.count === 0) this.head = this.tail = 0;
    else if (this.head === QUEUE_BYTES || view.getUint32(this.base + this.head) === 0) {
      this.head = 0;
    }
  }

  /** Forgets all frames and gives the memory back. */
  free(): void {
    this.memory.give(this.base);
    this.base = -1;
    this.head = this.tail = this.count = this.heldBytes = 0;
  }

  /** Where `bytes` go, -1 for nowhere. One unit stays free, so that head and tail never meet while frames are there. */
  private place(bytes: number): number {
    const { head, tail, base } = this;
    const isWrapped = tail < head;
    if (tail + bytes <= (isWrapped ? head - 16 : QUEUE_BYTES)) {
      this.tail = tail + bytes;
      return base + tail;
    }
    if (isWrapped || bytes > head - 16) return -1;
    if (tail < QUEUE_BYTES) this.view.setUint32(base + tail, 0);
    this.tail = bytes;
    return base;
  }
}
