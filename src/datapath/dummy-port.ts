/**
 * A port in memory: frames come from inject() and leave to a callback. Dummy bridges, tests and the inline datapath
 * use it; it takes no offload metadata, so what leaves is what a wire would carry.
 *
 * Injected frames wait on the heap and are copied into the region when they are received. The queue has a limit;
 * a frame that finds it full is counted as rx_dropped.
 */
import type { Region } from '../sys/region.ts';
import type { Batch } from './batch.ts';
import { BATCH_FRAMES } from './batch.ts';
import type { FrameOffload, PortNo } from './datapath.ts';
import { MAX_FRAME_BYTES, NO_OFFLOAD } from './datapath.ts';
import type { Port } from './port.ts';
import type { Shared } from './shared.ts';
import { RX_BYTES, RX_DROPPED, RX_MULTICAST, RX_PACKETS, TX_BYTES, TX_PACKETS } from './shared.ts';

/** Frames that may wait, as netdev-dummy's NETDEV_DUMMY_MAX_QUEUE. */
export const DUMMY_QUEUE_FRAMES = 100;
const HEADROOM = 64;
/** Frame memory that one received batch needs. All dummy ports of a core can share it: one is polled at a time. */
export const DUMMY_MEMORY_BYTES = 1 << 18;

export class DummyPort implements Port {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd = -1;
  mtu: number;
  readonly takesOffload: boolean;
  /** Sees each frame that leaves (a copy) and its offload metadata (always NO_OFFLOAD unless takesOffload). */
  onTransmit: (frame: Uint8Array, offload: FrameOffload) => void = () => {};
  private readonly region: Region;
  private readonly shared: Shared;
  private readonly memory: number;
  private readonly queue: { frame: Uint8Array; offload: FrameOffload }[] = [];
  private readonly sent: { frame: Uint8Array; offload: FrameOffload }[] = [];

  /** `memory`: offset in the region of DUMMY_MEMORY_BYTES. */
  constructor(
    region: Region,
    shared: Shared,
    memory: number,
    portNo: PortNo,
    name: string,
    mtu: number,
    takesOffload = false,
  ) {
    this.region = region;
    this.shared = shared;
    this.portNo = portNo;
    this.name = name;
    this.mtu = mtu;
    this.takesOffload = takesOffload;
    this.memory = memory;
  }

  /** Frames waiting to be received. */
  get waiting(): number {
    return this.queue.length;
  }

  /** Puts a frame into the receive queue. False (and rx_dropped) when the queue is full or the frame too long. */
  inject(frame: Uint8Array, offload: FrameOffload = NO_OFFLOAD): boolean {
    if (this.queue.length >= DUMMY_QUEUE_FRAMES || frame.length > MAX_FRAME_BYTES) {
      this.shared.ports[this.shared.portBase(this.portNo) + RX_DROPPED]++;
      return false;
    }
    this.queue.push({ frame: frame.slice(), offload });
    return true;
  }

  receive(batch: Batch): number {
    const cells = this.shared.ports;
    const base = this.shared.portBase(this.portNo);
    let at = this.memory;
    let count = 0;
    while (this.queue.length > 0 && batch.count < BATCH_FRAMES) {
      const { frame, offload } = this.queue[0];
      const next = at + ((HEADROOM + frame.length + 63) & ~63);
      if (next > this.memory + DUMMY_MEMORY_BYTES) break;
      this.queue.shift();
      this.region.bytes.set(frame, at + HEADROOM);
      const p = batch.append(this.portNo, at + HEADROOM, frame.length, HEADROOM);
      batch.offloadFlags[p] = offload.flags;
      batch.gsoType[p] = offload.gsoType;
      batch.gsoSize[p] = offload.gsoSize;
      batch.headerBytes[p] = offload.headerBytes;
      batch.csumStart[p] = offload.csumStart;
      batch.csumOffset[p] = offload.csumOffset;
      at = next;
      count++;
      cells[base + RX_PACKETS]++;
      cells[base + RX_BYTES] += frame.length;
      if (frame.length > 0 && (frame[0] & 1) !== 0) cells[base + RX_MULTICAST]++;
    }
    return count;
  }

  send(batch: Batch, p: number): void {
    const start = batch.start[p];
    const length = batch.length[p];
    const base = this.shared.portBase(this.portNo);
    this.shared.ports[base + TX_PACKETS]++;
    this.shared.ports[base + TX_BYTES] += length;
    this.sent.push({
      frame: this.region.bytes.slice(start, start + length),
      offload: {
        flags: batch.offloadFlags[p],
        gsoType: batch.gsoType[p],
        gsoSize: batch.gsoSize[p],
        headerBytes: batch.headerBytes[p],
        csumStart: batch.csumStart[p],
        csumOffset: batch.csumOffset[p],
      },
    });
  }

  flush(): void {
    for (const { frame, offload } of this.sent.splice(0)) this.onTransmit(frame, offload);
  }

  release(): void {}

  close(): void {
    this.queue.length = 0;
    this.sent.length = 0;
  }
}
