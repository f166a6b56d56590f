/**
 * A port whose other end is a guest's virtio-net device (vhost-user): its queues are read and written where they lie, in memory shared
 * with qemu. No system call a frame: one to wake a sleeping guest for a batch, one when the port goes to rest.
 *
 * `fd` is an epoll descriptor in which the main thread puts the guest's doorbell while there is one. A frame is copied once each
 * way: the guest may change its memory at any time, so what was looked at must be ours.
 */
import { GSO_ECN, GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM } from '../packet/frames.ts';
import { read, write } from '../sys/libc.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo, PortSpec } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import type { FrameBuffers } from './frame-buffers.ts';
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
import {
  CALL_FD,
  ENABLED,
  GENERATION,
  GUEST_RECEIVES,
  GUEST_TRANSMITS,
  HEADER_BYTES,
  IS_MERGEABLE,
  KICK_FD,
  ringWord,
  SEND_LOCK,
  TAKES_OFFLOAD,
  type VhostControl,
  vhostControl,
} from './vhost-control.ts';
import { Virtqueue } from './virtqueue.ts';
import { headerFitsInPlace, readVnetHeader, VNET_BYTES, writeVnetHeader } from './vnet-header.ts';

const MIN_FRAME_BYTES = 14;

const DROP_QUEUE_FULL = counterIndex('drop_tx_queue_full');
const DROP_ERROR = counterIndex('drop_tx_error');

export class VhostPort implements DevicePort {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  mtu: number;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly buffers: FrameBuffers;
  private readonly counters: Float64Array;
  private readonly stats: Float64Array;
  private readonly base: number;
  private readonly control: VhostControl;
  private generation = -1;
  private fromGuest: Virtqueue | null = null;
  private toGuest: Virtqueue | null = null;
  private headerBytes = 0;
  private kickFd = -1;
  private callFds: readonly number[] = [-1, -1];
  private mustCall = false;
  /** A virtio-net header (12 bytes), then the 8 bytes of a doorbell. */
  private readonly own: number;

  constructor(
    portNo: PortNo,
    name: string,
    spec: Extract<PortSpec, { kind: 'vhost-user' }>,
    region: Region,
    buffers: FrameBuffers,
    shared: Shared,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.fd = spec.fd;
    this.mtu = spec.mtu;
    this.region = region;
    this.view = region.view;
    this.buffers = buffers;
    this.counters = shared.counters;
    this.stats = shared.ports;
    this.base = shared.portBase(portNo);
    this.control = vhostControl(spec.control);
    this.own = region.allocate(32);
    region.bytes.fill(0, this.own, this.own + 32);
    region.view.setUint32(this.own + 16, 1, true);
  }

  get takesOffload(): boolean {
    return this.control.words[TAKES_OFFLOAD] === 1;
  }

  /** The guest was promised TCP only. */
  wantsSegments(batch: Batch, p: number): boolean {
    return !isTcpOrSingle(batch, p);
  }

  receive(batch: Batch): number {
    this.refresh();
    const queue = this.fromGuest;
    if (queue === null) return 0;
    let waiting = queue.waiting;
    if (waiting === 0) waiting = this.rest(queue);
    else queue.setNotify(false);
    const before = batch.count;
    const { view, headerBytes } = this;
    const base = this.region.address;
    let bytes = 0;
    let multicast = 0;
    let taken = 0;
    for (; waiting > 0 && batch.count < BATCH_FRAMES; waiting--) {
      const start = this.buffers.frameAt(batch.count - before);
      const length = queue.chainBytes(0, false, Number.POSITIVE_INFINITY) - headerBytes;
      if (length < -headerBytes) break;
      const fits = length >= MIN_FRAME_BYTES && length <= this.buffers.frameBytes;
      if (fits) {
        queue.begin();
        if (!queue.read(base + start - headerBytes, headerBytes + length)) break;
        const p = batch.append(this.portNo, start, length, this.buffers.room);
        readVnetHeader(view, start - headerBytes, batch, p);
        bytes += length;
        multicast += view.getUint8(start) & 1;
      } else this.stats[this.base + RX_ERRORS]++;
      queue.giveBack(0);
      taken++;
    }
    if (taken > 0 && queue.publish()) this.call(GUEST_TRANSMITS);
    if (queue.isBroken && waiting > 0) this.stats[this.base + RX_ERRORS]++;
    const count = batch.count - before;
    this.stats[this.base + RX_PACKETS] += count;
    this.stats[this.base + RX_BYTES] += bytes;
    this.stats[this.base + RX_MULTICAST] += multicast;
    return count;
  }

  send(batch: Batch, p: number): void {
    const { words } = this.control;
    while (Atomics.compareExchange(words, SEND_LOCK, 0, 1) !== 0);
    this.refresh();
    const queue = this.toGuest;
    if (!isSound(batch, p)) this.refuse(true);
    else if (queue === null || !this.put(queue, batch, p)) this.refuse(queue?.isBroken ?? false);
    else {
      if (queue.publish()) this.mustCall = true;
      this.stats[this.base + TX_PACKETS]++;
      this.stats[this.base + TX_BYTES] += batch.length[p];
    }
    Atomics.store(words, SEND_LOCK, 0);
  }

  flush(): void {
    if (!this.mustCall) return;
    this.mustCall = false;
    this.call(GUEST_RECEIVES);
  }

  release(): void {}

  close(): void {
    this.region.free(this.own);
  }

  hasFrame(): boolean {
    this.refresh();
    return this.fromGuest !== null && this.fromGuest.waiting > 0;
  }

  onDeviceError(): boolean {
    return true;
  }

  collectDrops(): void {}

  /** Takes notice of what the main thread changed: first thing wherever a queue is touched, whose memory may be gone. */
  private refresh(): void {
    const { words } = this.control;
    const generation = Atomics.load(words, GENERATION);
    if (generation === this.generation) return;
    this.generation = generation;
    this.headerBytes = words[HEADER_BYTES];
    this.kickFd = words[ringWord(GUEST_TRANSMITS, KICK_FD)];
    this.callFds = [GUEST_RECEIVES, GUEST_TRANSMITS].map((ring) => words[ringWord(ring, CALL_FD)]);
    const queue = (ring: number): Virtqueue | null =>
      words[ringWord(ring, ENABLED)] === 1 ? new Virtqueue(this.control, ring) : null;
    this.fromGuest = queue(GUEST_TRANSMITS);
    this.toGuest = queue(GUEST_RECEIVES);
    // Who refills the guest's buffers need not say so: they are looked at when a frame comes.
    this.toGuest?.setNotify(false);
  }

  /** Nothing waits: asks to be told when something does, and looks once more. Returns how many wait now. */
  private rest(queue: Virtqueue): number {
    read(this.kickFd, this.region.address + this.own + 24, 8);
    queue.setNotify(true);
    return queue.waiting;
  }

  private refuse(isError: boolean): void {
    this.counters[isError ? DROP_ERROR : DROP_QUEUE_FULL]++;
    this.stats[this.base + (isError ? TX_ERRORS : TX_DROPPED)]++;
  }

  private call(ring: number): void {
    const fd = this.callFds[ring];
    if (fd >= 0) write(fd, this.region.address + this.own + 16, 8);
  }

  /** Copies frame p into the guest's buffers. False when they do not suffice. */
  private put(queue: Virtqueue, batch: Batch, p: number): boolean {
    const { headerBytes } = this;
    queue.catchUp();
    const total = headerBytes + batch.length[p];
    const most =
      this.control.words[IS_MERGEABLE] === 1 ? queue.waiting : Math.min(queue.waiting, 1);
    let count = 0;
    let room = 0;
    while (room < total) {
      if (count === most) return false;
      const some = queue.chainBytes(count, true, total - room);
      if (some < 0) return false;
      room += some;
      count++;
    }
    const base = this.region.address;
    const start = batch.start[p];
    const { view, own } = this;
    const isInPlace = headerFitsInPlace(batch, p) && batch.room[p] >= headerBytes;
    const header = isInPlace ? start - headerBytes : own;
    writeVnetHeader(view, header, batch, p);
    if (headerBytes > VNET_BYTES) view.setUint16(header + VNET_BYTES, count, true);
    /** What is still to be written of the header and of the frame. */
    let headLeft = isInPlace ? 0 : headerBytes;
    let from = base + (isInPlace ? header : start);
    let left = isInPlace ? total : total - headerBytes;
    for (; count > 0; count--) {
      const here = Math.min(queue.chainBytes(0, true, headLeft + left), headLeft + left);
      queue.begin();
      const head = Math.min(headLeft, here);
      if (head > 0 && !queue.write(base + own + headerBytes - headLeft, head)) return false;
      if (here > head && !queue.write(from, here - head)) return false;
      headLeft -= head;
      from += here - head;
      left -= here - head;
      queue.giveBack(here);
    }
    return true;
  }
}

/**
 * A super-frame of TCP or a single frame, and the checksum to complete lies within: metadata of one guest goes to another
 * here, and no kernel looks at it between.
 */
function isSound(batch: Batch, p: number): boolean {
  if (!isTcpOrSingle(batch, p)) return false;
  if ((batch.offloadFlags[p] & NEEDS_CSUM) === 0) return true;
  return batch.csumStart[p] + batch.csumOffset[p] + 2 <= batch.length[p];
}

function isTcpOrSingle(batch: Batch, p: number): boolean {
  const type = batch.gsoType[p] & ~GSO_ECN;
  return type === 0 || type === GSO_TCPV4 || type === GSO_TCPV6;
}
