/**
 * A batch: up to BATCH_FRAMES frames as a structure of arrays over one region of memory.
 *
 * No object per frame. A frame is `length[p]` bytes at `start[p]` in the region; `room[p]` bytes in front
 * of it are free, so that pushing a VLAN tag or an outer header moves `start` instead of bytes. Ports append
 * frames in receive(), extraction fills `keys`, lookup fills `flow`, execution sends.
 */
import { DP_WORDS } from '../packet/key.ts';

export const BATCH_FRAMES = 32;

/** Batch.shared: a queued, not yet flushed transmission refers to the bytes. */
export const SHARED_QUEUED = 1;
/** Batch.shared: another frame (a clone, a recirculated frame) has the same bytes. */
export const SHARED_ALIAS = 2;

export class Batch {
  count = 0;
  /** Offset in the region of the first byte of the Ethernet header. */
  readonly start = new Int32Array(BATCH_FRAMES);
  /** Bytes from the Ethernet header to the end of the frame, without FCS. */
  readonly length = new Int32Array(BATCH_FRAMES);
  /** Bytes in front of `start` that may be overwritten. */
  readonly room = new Int32Array(BATCH_FRAMES);
  /** Datapath port that the frame came in on. */
  readonly inPort = new Int32Array(BATCH_FRAMES);
  /** virtio-net header fields; csumStart and headerBytes count from `start`. */
  readonly offloadFlags = new Uint8Array(BATCH_FRAMES);
  readonly gsoType = new Uint8Array(BATCH_FRAMES);
  readonly gsoSize = new Uint16Array(BATCH_FRAMES);
  readonly headerBytes = new Uint16Array(BATCH_FRAMES);
  readonly csumStart = new Uint16Array(BATCH_FRAMES);
  readonly csumOffset = new Uint16Array(BATCH_FRAMES);
  /** Queue that the frame leaves by, where its port has queues. */
  readonly priority = new Uint32Array(BATCH_FRAMES);
  /** Offsets of the network and transport headers from `start`; 0 where there is none. */
  readonly l3 = new Uint16Array(BATCH_FRAMES);
  readonly l4 = new Uint16Array(BATCH_FRAMES);
  /** Not 0 while someone else refers to the frame's bytes (SHARED_QUEUED, SHARED_ALIAS): copy before rewriting. */
  readonly shared = new Uint8Array(BATCH_FRAMES);
  /** Megaflow slot, -1 for a miss. */
  readonly flow = new Int32Array(BATCH_FRAMES);
  /** Frame p's key is keys[p * DP_WORDS .. + DP_WORDS). */
  readonly keys = new Uint32Array(BATCH_FRAMES * DP_WORDS);
  /** What of the key extraction must clear before the next frame (packet/frames.ts); any writer of keys sets it. */
  readonly keyDirty = new Uint8Array(BATCH_FRAMES);

  clear(): void {
    this.count = 0;
  }

  /** What port and offload metadata say of frame `from` becomes frame `to`'s, whose own is lost. */
  move(from: number, to: number): void {
    this.start[to] = this.start[from];
    this.length[to] = this.length[from];
    this.room[to] = this.room[from];
    this.inPort[to] = this.inPort[from];
    this.offloadFlags[to] = this.offloadFlags[from];
    this.gsoType[to] = this.gsoType[from];
    this.gsoSize[to] = this.gsoSize[from];
    this.headerBytes[to] = this.headerBytes[from];
    this.csumStart[to] = this.csumStart[from];
    this.csumOffset[to] = this.csumOffset[from];
    this.shared[to] = this.shared[from];
  }

  /** Appends a frame without offload metadata; the caller has checked `count < BATCH_FRAMES`. Returns its index. */
  append(inPort: number, start: number, length: number, room: number): number {
    const p = this.count++;
    this.start[p] = start;
    this.length[p] = length;
    this.room[p] = room;
    this.inPort[p] = inPort;
    this.offloadFlags[p] = 0;
    this.gsoType[p] = 0;
    this.gsoSize[p] = 0;
    this.headerBytes[p] = 0;
    this.csumStart[p] = 0;
    this.csumOffset[p] = 0;
    this.priority[p] = 0;
    this.shared[p] = 0;
    return p;
  }
}
