/**
 * A port on a TAP device of ours: one read or write per frame, each with a virtio-net header, so that partial checksums
 * and super-frames pass whole (tuntap.rst).
 *
 * A frame is written at once, not queued: there is no call that writes several.
 */
import { errno, read, write, writev } from '../sys/libc.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo, PortSpec } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import { type FrameBuffers, IOVEC_BYTES, setAddress } from './frame-buffers.ts';
import {
  counterIndex,
  RX_BYTES,
  RX_ERRORS,
  RX_MULTICAST,
  RX_PACKETS,
  type Shared,
  TX_BYTES,
  TX_DROPPED,
  TX_ERRORS,
  TX_PACKETS,
} from './shared.ts';
import { headerFitsInPlace, readVnetHeader, VNET_BYTES, writeVnetHeader } from './vnet-header.ts';

const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;
const ENOBUFS = 105;

const DROP_QUEUE_FULL = counterIndex('drop_tx_queue_full');
const DROP_ERROR = counterIndex('drop_tx_error');

export class TapPort implements DevicePort {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  mtu: number;
  readonly takesOffload = true;

  private readonly region: Region;
  private readonly address: number;
  private readonly view: DataView;
  private readonly buffers: FrameBuffers;
  private readonly headerBytes: number;
  private readonly counters: Float64Array;
  private readonly stats: Float64Array;
  private readonly base: number;
  /** Two iovecs, then a header (with num_buffers, which the kernel ignores on input, left 0). */
  private readonly iovecs: number;

  constructor(
    portNo: PortNo,
    name: string,
    spec: Extract<PortSpec, { kind: 'tap' }>,
    region: Region,
    buffers: FrameBuffers,
    shared: Shared,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.fd = spec.fd;
    this.mtu = spec.mtu;
    this.region = region;
    this.address = region.address;
    this.view = region.view;
    this.buffers = buffers;
    this.headerBytes = spec.vnetHeaderBytes;
    this.counters = shared.counters;
    this.stats = shared.ports;
    this.base = shared.portBase(portNo);
    this.iovecs = region.allocate(3 * IOVEC_BYTES);
    region.bytes.fill(0, this.iovecs, this.iovecs + 3 * IOVEC_BYTES);
  }

  receive(batch: Batch): number {
    const view = this.view;
    const before = batch.count;
    const header = this.headerBytes;
    const most = header + this.buffers.frameBytes;
    let bytes = 0;
    let multicast = 0;
    for (let i = 0; batch.count < BATCH_FRAMES; i++) {
      const start = this.buffers.frameAt(i);
      const got = read(this.fd, this.address + start - header, most);
      if (got < header) {
        if (got < 0) {
          const code = errno();
          if (code !== EAGAIN && code !== EINTR) this.stats[this.base + RX_ERRORS]++;
        }
        break;
      }
      const p = batch.append(this.portNo, start, got - header, this.buffers.room);
      readVnetHeader(view, start - header, batch, p);
      bytes += got - header;
      multicast += view.getUint8(batch.start[p]) & 1;
    }
    const count = batch.count - before;
    this.stats[this.base + RX_PACKETS] += count;
    this.stats[this.base + RX_BYTES] += bytes;
    this.stats[this.base + RX_MULTICAST] += multicast;
    return count;
  }

  send(batch: Batch, p: number): void {
    const length = batch.length[p];
    if (this.write(batch, p, batch.start[p], length) >= 0) {
      this.stats[this.base + TX_PACKETS]++;
      this.stats[this.base + TX_BYTES] += length;
      return;
    }
    const code = errno();
    if (code === EAGAIN || code === ENOBUFS) {
      this.counters[DROP_QUEUE_FULL]++;
      this.stats[this.base + TX_DROPPED]++;
    } else {
      this.counters[DROP_ERROR]++;
      // EIO: the interface is not up. Open vSwitch counts that as a drop, not as an error.
      this.stats[this.base + (code === EIO ? TX_DROPPED : TX_ERRORS)]++;
    }
  }

  flush(): void {}

  release(): void {}

  close(): void {
    this.region.free(this.iovecs);
  }

  hasFrame(): boolean {
    return false;
  }

  /** The device was deleted under its descriptor (EBADFD from then on): nothing will come any more. */
  onDeviceError(): boolean {
    return false;
  }

  collectDrops(): void {}

  private write(batch: Batch, p: number, start: number, length: number): number {
    const view = this.view;
    const header = this.headerBytes;
    if (header === VNET_BYTES && headerFitsInPlace(batch, p)) {
      writeVnetHeader(view, start - header, batch, p);
      return write(this.fd, this.address + start - header, header + length);
    }
    const own = this.iovecs + 2 * IOVEC_BYTES;
    writeVnetHeader(view, own, batch, p);
    setAddress(view, this.iovecs, this.address + own);
    view.setUint32(this.iovecs + 8, header, true);
    setAddress(view, this.iovecs + IOVEC_BYTES, this.address + start);
    view.setUint32(this.iovecs + IOVEC_BYTES + 8, length, true);
    return writev(this.fd, this.address + this.iovecs, 2);
  }
}
