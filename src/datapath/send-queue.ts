/**
 * Frames on their way out of an AF_PACKET socket: one sendmmsg for a batch, straight from where the frames lie, be it
 * ring memory.
 *
 * Usually one iovec covers [vnet header][frame], the header being written in front of the frame. A frame that leaves
 * by several ports, or cut off, has its header in the queue's own memory from the second time on, as an iovec of
 * its own.
 */
import { type CallMemory, callMemory } from '../sys/call-memory.ts';
import { errno, sendmmsg } from '../sys/libc.ts';
import type { Region } from '../sys/region.ts';
import type { Batch } from './batch.ts';
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSG_IOV_AT,
  MSG_IOVLEN_AT,
  setAddress,
} from './frame-buffers.ts';
import {
  counterIndex,
  type Shared,
  TX_BYTES,
  TX_DROPPED,
  TX_ERRORS,
  TX_PACKETS,
} from './shared.ts';
import { headerFitsInPlace, VNET_BYTES, writeVnetHeader } from './vnet-header.ts';

/** More than a batch, since a frame may leave by one port several times; a full queue flushes itself. */
const QUEUE_FRAMES = 64;
const MSG_DONTWAIT = 0x40;
/** Own headers stand this far apart. */
const HEADER_STRIDE = 16;
/** iovecs of one message. */
const MESSAGE_IOVECS = 2;

const EINTR = 4;
const ENXIO = 6;
const EBADF = 9;
const EAGAIN = 11;
const ENODEV = 19;
const ENETDOWN = 100;
const ENOBUFS = 105;

const DROP_QUEUE_FULL = counterIndex('drop_tx_queue_full');
const DROP_ERROR = counterIndex('drop_tx_error');

export class SendQueue {
  private readonly fd: number;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly counters: Float64Array;
  private readonly stats: Float64Array;
  private readonly base: number;
  /** struct mmsghdr [QUEUE_FRAMES]. */
  private readonly messages: CallMemory;
  private readonly messageView: DataView;
  private readonly iovecs: number;
  private readonly headers: number;
  private readonly lengths = new Int32Array(QUEUE_FRAMES);
  /** Address of the region, low and high word. No plain fields: V8 would compile for the one kind of number it met first. */
  private readonly base64 = new Uint32Array(2);
  private queued = 0;

  constructor(fd: number, region: Region, shared: Shared, statsBase: number) {
    this.fd = fd;
    this.region = region;
    this.view = region.view;
    this.counters = shared.counters;
    this.stats = shared.ports;
    this.base = statsBase;
    this.messages = callMemory(QUEUE_FRAMES * MMSGHDR_BYTES);
    this.messageView = this.messages.view;
    this.iovecs = region.allocate(QUEUE_FRAMES * MESSAGE_IOVECS * IOVEC_BYTES);
    this.headers = region.allocate(QUEUE_FRAMES * HEADER_STRIDE);
    this.base64[0] = region.address % 2 ** 32;
    this.base64[1] = Math.floor(region.address / 2 ** 32);
    const { address } = region;
    const iovecBytes = MESSAGE_IOVECS * IOVEC_BYTES;
    region.bytes.fill(0, this.iovecs, this.iovecs + QUEUE_FRAMES * iovecBytes);
    for (let i = 0; i < QUEUE_FRAMES; i++) {
      const message = i * MMSGHDR_BYTES;
      setAddress(this.messageView, message + MSG_IOV_AT, address + this.iovecs + i * iovecBytes);
    }
  }

  push(batch: Batch, p: number): void {
    if (this.queued === QUEUE_FRAMES) this.flush();
    const view = this.view;
    const i = this.queued++;
    const start = batch.start[p];
    const length = batch.length[p];
    const iovec = this.iovecs + i * (MESSAGE_IOVECS * IOVEC_BYTES);
    const iovlen = i * MMSGHDR_BYTES + MSG_IOVLEN_AT;
    this.lengths[i] = length;
    if (headerFitsInPlace(batch, p)) {
      writeVnetHeader(view, start - VNET_BYTES, batch, p);
      this.setIovec(iovec, start - VNET_BYTES, VNET_BYTES + length);
      this.messageView.setUint32(iovlen, 1, true);
    } else {
      const header = this.headers + i * HEADER_STRIDE;
      writeVnetHeader(view, header, batch, p);
      this.setIovec(iovec, header, VNET_BYTES);
      this.setIovec(iovec + IOVEC_BYTES, start, length);
      this.messageView.setUint32(iovlen, 2, true);
    }
  }

  /** Sends all. A frame that the kernel refuses is counted and skipped. */
  flush(): void {
    const count = this.queued;
    if (count === 0) return;
    this.queued = 0;
    const messages = this.messages.address;
    let done = 0;
    while (done < count) {
      const sent = sendmmsg(this.fd, messages + done * MMSGHDR_BYTES, count - done, MSG_DONTWAIT);
      if (sent > 0) {
        this.countSent(done, done + sent);
        done += sent;
        continue;
      }
      const code = errno();
      if (code === EINTR) continue;
      // Without a device all the rest would fail too: no system call for each.
      const gone = code === ENETDOWN || code === ENXIO || code === ENODEV || code === EBADF;
      const refused = gone ? count - done : 1;
      if (code === EAGAIN || code === ENOBUFS) {
        this.counters[DROP_QUEUE_FULL] += refused;
        this.stats[this.base + TX_DROPPED] += refused;
      } else {
        this.counters[DROP_ERROR] += refused;
        this.stats[this.base + TX_ERRORS] += refused;
      }
      done += refused;
    }
  }

  close(): void {
    this.messages.free();
    this.region.free(this.iovecs);
    this.region.free(this.headers);
  }

  private setIovec(at: number, from: number, length: number): void {
    const low = this.base64[0] + from;
    const high = this.base64[1];
    this.view.setUint32(at, low, true);
    this.view.setUint32(at + 4, low > 0xffffffff ? high + 1 : high, true);
    this.view.setUint32(at + 8, length, true);
  }

  private countSent(from: number, to: number): void {
    let bytes = 0;
    for (let i = from; i < to; i++) {
      bytes += this.lengths[i];
    }
    this.stats[this.base + TX_PACKETS] += to - from;
    this.stats[this.base + TX_BYTES] += bytes;
  }
}
