/** A port in memory that gives the same frames again and again, and counts what is sent by it. */
import { BATCH_FRAMES, type Batch } from '../src/datapath/batch.ts';
import type { PortNo } from '../src/datapath/datapath.ts';
import type { Port } from '../src/datapath/port.ts';
import type { Region } from '../src/sys/region.ts';

/** As a packet socket's ring has it in front of a frame. */
const ROOM = 114;
const ALIGN = 64;
/** The two addresses. */
const HEAD_WORDS = 3;

export const replayBytes = (frames: readonly Uint8Array[]): number =>
  frames.reduce((sum, frame) => sum + slotBytes(frame), 0);

const slotBytes = (frame: Uint8Array): number => (ROOM + frame.length + ALIGN - 1) & ~(ALIGN - 1);

export class ReplayPort implements Port {
  readonly portNo: PortNo;
  readonly name = 'replay';
  readonly fd = -1;
  mtu = 1500;
  readonly takesOffload = true;
  sent = 0;
  /** Flows push a VLAN tag: the frames' first bytes, moved by that, are put back before they come again. */
  restores = false;
  private next = 0;
  private readonly view: DataView;
  private readonly heads: Uint32Array;
  private readonly starts: Int32Array;
  private readonly lengths: Int32Array;

  constructor(portNo: number, region: Region, frames: readonly Uint8Array[]) {
    this.portNo = portNo as PortNo;
    this.starts = new Int32Array(frames.length);
    this.lengths = new Int32Array(frames.length);
    this.heads = new Uint32Array(frames.length * HEAD_WORDS);
    this.view = region.view;
    let at = region.allocate(replayBytes(frames));
    frames.forEach((frame, i) => {
      region.bytes.set(frame, at + ROOM);
      this.starts[i] = at + ROOM;
      this.lengths[i] = frame.length;
      for (let w = 0; w < HEAD_WORDS; w++) {
        this.heads[i * HEAD_WORDS + w] = region.view.getUint32(at + ROOM + 4 * w);
      }
      at += slotBytes(frame);
    });
  }

  receive(batch: Batch): number {
    const count = this.lengths.length;
    let i = this.next;
    for (let n = 0; n < BATCH_FRAMES; n++) {
      if (this.restores) this.restore(i);
      batch.append(this.portNo, this.starts[i], this.lengths[i], ROOM);
      if (++i === count) i = 0;
    }
    this.next = i;
    return BATCH_FRAMES;
  }
  private restore(i: number): void {
    const head = i * HEAD_WORDS;
    const start = this.starts[i];
    this.view.setUint32(start, this.heads[head]);
    this.view.setUint32(start + 4, this.heads[head + 1]);
    this.view.setUint32(start + 8, this.heads[head + 2]);
  }
  send(): void {
    this.sent++;
  }
  flush(): void {}
  release(): void {}
  close(): void {}
}
