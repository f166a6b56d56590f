/**
 * The way out: which ports exist, what stops a frame in front of one, and the repair of frames for ports that take no
 * offload metadata.
 *
 * send() only queues: flush() hands everything to the kernel. Until then the bytes of a queued frame belong to the
 * transmission (Batch.shared says so); own() gives a frame bytes that may be rewritten.
 */
import { GSO_NONE, NEEDS_CSUM } from '../packet/frames.ts';
import { DP_WORDS, ETH_TYPE_PROTO } from '../packet/key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_QINQ,
  ETH_TYPE_VLAN,
  VLAN_TAG_BYTES,
} from '../packet/protocol.ts';
import { completeChecksum, MAX_SEGMENTS, Segmenter } from '../packet/segment.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, Batch, SHARED_ALIAS, SHARED_QUEUED } from './batch.ts';
import type { Port } from './port.ts';
import { Scratch } from './scratch.ts';
import type { Shared } from './shared.ts';
import { counterIndex, TX_DROPPED } from './shared.ts';

const INVALID_PORT = counterIndex('datapath_drop_invalid_port');
const MTU_EXCEEDED = counterIndex('drop_tx_mtu_exceeded');
const BAD_OFFLOAD = counterIndex('drop_bad_checksum_offload');
const TOO_MANY_SEGMENTS = counterIndex('drop_too_many_segments');
const NO_MEMORY = counterIndex('drop_tx_queue_full');
const COMPLETED = counterIndex('offload_checksum_completed');
const SEGMENTED = counterIndex('offload_segmented_frames');
const SEGMENTS = counterIndex('offload_segments_made');

/** Room in front of a copied frame for tags and outer headers. */
export const HEADROOM = 128;
/** A longer frame is not copied to be rewritten: flushing what refers to it costs less. */
const COPY_LIMIT = 2048;
const COPY_BYTES = 4 << 20;
const SEGMENT_BYTES = 4 << 20;

export class Egress {
  /** By port number. */
  readonly ports: (Port | undefined)[] = new Array(65_536);
  private readonly region: Region;
  private readonly shared: Shared;
  /** Ports with something queued: the first touchedCount ones. A shorter array would be a new one each time. */
  private readonly touched: Port[] = [];
  private touchedCount = 0;
  private readonly isTouched = new Uint8Array(65_536);
  /** Batches whose frames may be queued. */
  private readonly batches: Batch[] = [];
  private readonly copies: Scratch;
  private readonly segments: Scratch;
  private readonly segmenter: Segmenter;
  /** Columns for frames that exist only on their way out: segments and truncated frames. */
  private readonly out = new Batch();

  constructor(region: Region, shared: Shared) {
    this.region = region;
    this.shared = shared;
    this.copies = new Scratch(region, COPY_BYTES);
    this.segments = new Scratch(region, SEGMENT_BYTES);
    this.segmenter = new Segmenter(region);
  }

  /** Frames of `batch` may be sent from now on. */
  register(batch: Batch): void {
    this.batches.push(batch);
  }

  /** Queues frame p on a port, at most `limit` bytes of it. */
  output(batch: Batch, p: number, portNo: number, limit: number): void {
    const port = this.ports[portNo];
    if (port === undefined) {
      this.shared.counters[INVALID_PORT]++;
      return;
    }
    if (limit < batch.length[p]) {
      this.truncated(batch, p, port, limit);
      return;
    }
    if (batch.gsoType[p] !== GSO_NONE) {
      // The kernel's metadata has no words for labels or I-TAGs in front of IP.
      const type = batch.keys[p * DP_WORDS + ETH_TYPE_PROTO] >>> 16;
      const isIp = type === ETH_TYPE_IPV4 || type === ETH_TYPE_IPV6;
      const isWhole = port.takesOffload || port.cutsSegments;
      if (!isWhole || !isIp || port.wantsSegments?.(batch, p)) {
        this.segment(batch, p, port);
        return;
      }
    } else {
      const longest = port.mtu + ETH_HEADER_BYTES;
      if (
        batch.length[p] > longest &&
        batch.length[p] > longest + this.tagBytes(batch.start[p], batch.length[p])
      ) {
        this.tooLong(port);
        return;
      }
      if (!port.takesOffload && (batch.offloadFlags[p] & NEEDS_CSUM) !== 0) {
        if (!this.own(batch, p)) {
          this.shared.counters[NO_MEMORY]++;
          return;
        }
        if (!completeChecksum(this.region, batch, p)) {
          this.shared.counters[BAD_OFFLOAD]++;
          return;
        }
        this.shared.counters[COMPLETED]++;
      }
    }
    this.touch(port);
    port.send(batch, p);
    batch.shared[p] |= SHARED_QUEUED;
  }

  /**
   * Makes the bytes of frame p, and HEADROOM in front of them when `needsRoom` is more than there is, the frame's own.
   * False when there is no memory for a copy.
   */
  own(batch: Batch, p: number, needsRoom = 0): boolean {
    const wantsRoom = batch.room[p] < needsRoom;
    if (!wantsRoom) {
      if (batch.shared[p] === 0) return true;
      if (batch.shared[p] === SHARED_QUEUED && batch.length[p] > COPY_LIMIT) {
        this.send();
        return true;
      }
    }
    const length = batch.length[p];
    const at = this.copies.take(HEADROOM + length);
    if (at < 0) {
      // Once all is sent, only aliases need a copy.
      if (wantsRoom || batch.shared[p] !== SHARED_QUEUED) return false;
      this.send();
      return true;
    }
    const start = batch.start[p];
    this.region.bytes.copyWithin(at + HEADROOM, start, start + length);
    batch.start[p] = at + HEADROOM;
    batch.room[p] = HEADROOM;
    batch.shared[p] = 0;
    return true;
  }

  /** Offset of memory for a frame of `bytes` with HEADROOM in front of it, until flush(); -1 when there is none. */
  take(bytes: number): number {
    const at = this.copies.take(HEADROOM + bytes);
    return at < 0 ? -1 : at + HEADROOM;
  }

  /** Sends all that is queued and takes all scratch memory back: no frame in it may be used any more. */
  flush(): void {
    this.send();
    this.copies.reset();
  }

  /** Forgets a port that goes away; what is queued on it is sent first. */
  detach(portNo: number): Port | undefined {
    this.send();
    const port = this.ports[portNo];
    this.ports[portNo] = undefined;
    return port;
  }

  private send(): void {
    const touched = this.touched;
    for (let i = 0; i < this.touchedCount; i++) {
      touched[i].flush();
      this.isTouched[touched[i].portNo] = 0;
    }
    this.touchedCount = 0;
    this.segments.reset();
    for (let b = 0; b < this.batches.length; b++) {
      const batch = this.batches[b];
      for (let p = 0; p < batch.count; p++) batch.shared[p] &= SHARED_ALIAS;
    }
  }

  private touch(port: Port): void {
    if (this.isTouched[port.portNo] !== 0) return;
    this.isTouched[port.portNo] = 1;
    this.touched[this.touchedCount++] = port;
  }

  private tooLong(port: Port): void {
    this.shared.counters[MTU_EXCEEDED]++;
    this.shared.ports[this.shared.portBase(port.portNo) + TX_DROPPED]++;
  }

  /** Bytes of the VLAN tags (two at most) in front of the frame's type. */
  private tagBytes(start: number, length: number): number {
    const view = this.region.view;
    let bytes = 0;
    for (let i = 0; i < 2 && 18 + bytes <= length; i++) {
      const tpid = view.getUint16(start + 12 + bytes);
      if (tpid !== ETH_TYPE_VLAN && tpid !== ETH_TYPE_QINQ) break;
      bytes += VLAN_TAG_BYTES;
    }
    return bytes;
  }

  private outSlot(batch: Batch, p: number, port: Port, start: number, length: number): number {
    const out = this.out;
    if (out.count === BATCH_FRAMES) out.clear();
    const q = out.append(batch.inPort[p], start, length, 0);
    out.priority[q] = batch.priority[p];
    // A tunnel's port reads where to from the key.
    if (port.cutsSegments) {
      const from = p * DP_WORDS;
      const to = q * DP_WORDS;
      for (let i = 0; i < DP_WORDS; i++) out.keys[to + i] = batch.keys[from + i];
    }
    return q;
  }

  /** A cut frame has no use for offload metadata, which speaks of bytes that are gone. */
  private truncated(batch: Batch, p: number, port: Port, limit: number): void {
    const q = this.outSlot(batch, p, port, batch.start[p], limit);
    if (limit > port.mtu + ETH_HEADER_BYTES + this.tagBytes(batch.start[p], limit)) {
      this.tooLong(port);
      return;
    }
    this.touch(port);
    port.send(this.out, q);
    batch.shared[p] |= SHARED_QUEUED;
  }

  private segment(batch: Batch, p: number, port: Port): void {
    const segmenter = this.segmenter;
    const count = segmenter.begin(batch, p);
    if (count === 0) {
      this.shared.counters[BAD_OFFLOAD]++;
      return;
    }
    if (count > MAX_SEGMENTS) {
      this.shared.counters[TOO_MANY_SEGMENTS]++;
      return;
    }
    const longest = port.mtu + ETH_HEADER_BYTES + this.tagBytes(batch.start[p], batch.length[p]);
    if (segmenter.segmentBytes > longest) {
      this.tooLong(port);
      return;
    }
    this.touch(port);
    for (let i = 0; i < count; i++) {
      let at = this.segments.take(segmenter.segmentBytes);
      if (at < 0) {
        this.send();
        this.touch(port);
        at = this.segments.take(segmenter.segmentBytes);
      }
      const bytes = segmenter.write(i, at);
      port.send(this.out, this.outSlot(batch, p, port, at, bytes));
    }
    this.shared.counters[SEGMENTED]++;
    this.shared.counters[SEGMENTS] += count;
  }
}
