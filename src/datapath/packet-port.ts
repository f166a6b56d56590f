/**
 * A port on an interface that somebody else owns: TPACKET_V2 ring in, sendmmsg out (packet_mmap.rst).
 *
 * Each slot of the ring is a struct tpacket2_hdr (status u32 @0, len u32 @4, snaplen u32 @8, mac u16 @12, vlan_tci u16
 * @24, vlan_tpid u16 @26), then headroom, the vnet header and the frame at `mac`. The kernel fills slots in order and
 * sets TP_STATUS_USER last; we give a slot back by writing 0, after everything that was queued from it has left.
 *
 * A frame longer than its slot (a super-frame) is also put in the socket's queue, and its slot says COPY. Queue and
 * COPY slots have the same order, and a frame is queued before its slot becomes ours: so exactly as many messages
 * are fetched as ready COPY slots were counted, and their lengths compared.
 */
import { errno, recvmmsg } from '../sys/libc.ts';
import type { MappedRegion } from '../sys/mapped-region.ts';
import { takePacketDrops, takeSocketError } from '../sys/packet-socket.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo, PortSpec } from './datapath.ts';
import type { DevicePort, RingPlace } from './device-port.ts';
import {
  type FrameBuffers,
  MMSGHDR_BYTES,
  MSG_CONTROLLEN_AT,
  MSG_LEN_AT,
} from './frame-buffers.ts';
import { SendQueue } from './send-queue.ts';
import {
  counterIndex,
  RX_BYTES,
  RX_DROPPED,
  RX_MULTICAST,
  RX_PACKETS,
  type Shared,
} from './shared.ts';
import { readVnetHeader, restoreVlan, VNET_BYTES } from './vnet-header.ts';

const STATUS_USER = 0x01;
const STATUS_COPY = 0x02;
const STATUS_VLAN_VALID = 0x10;
const STATUS_VLAN_TPID_VALID = 0x40;
/** sizeof(struct tpacket2_hdr): what must stay whole in front of the headroom. */
const SLOT_HEADER_BYTES = 32;
const ETH_P_8021Q = 0x8100;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

const DROP_OVERSIZED = counterIndex('drop_rx_oversized');
const VLAN_RESTORED = counterIndex('vlan_restored');

/** x86 keeps loads in order, so a plain read of the status word will do; elsewhere it takes an atomic one. */
const ORDERED_LOADS = process.arch === 'x64';

export class PacketPort implements DevicePort {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  mtu: number;
  readonly takesOffload = true;

  private readonly region: MappedRegion;
  private readonly view: DataView;
  private readonly words: Int32Array;
  private readonly buffers: FrameBuffers;
  private readonly queue: SendQueue;
  private readonly counters: Float64Array;
  private readonly stats: Float64Array;
  private readonly base: number;

  private readonly ring: number;
  private readonly slotBytes: number;
  private readonly ringBytes: number;
  /** Offset of the next slot to look at, and of the first one not given back, both from `ring`. */
  private next = 0;
  private oldest = 0;
  private held = 0;
  /** Messages fetched for COPY slots and not used yet: buffers [fetchedNext, fetched). */
  private fetched = 0;
  private fetchedNext = 0;

  /**
   * Maps the socket's ring, unless `ringAt` says where in the region memory plays its part. Throws RangeError or
   * SystemError when that fails. `startAt`: how far somebody read the ring before, see places().
   */
  constructor(
    portNo: PortNo,
    name: string,
    spec: Extract<PortSpec, { kind: 'packet' }>,
    region: MappedRegion,
    buffers: FrameBuffers,
    shared: Shared,
    ringAt = -1,
    startAt = 0,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.fd = spec.fd;
    this.mtu = spec.mtu;
    this.region = region;
    this.view = region.view;
    this.words = new Int32Array(region.bytes.buffer);
    this.buffers = buffers;
    this.counters = shared.counters;
    this.stats = shared.ports;
    this.base = shared.portBase(portNo);
    this.slotBytes = spec.slotBytes;
    this.ringBytes = spec.slotBytes * spec.slotCount;
    this.ring = ringAt >= 0 ? ringAt : region.mapRing(spec.fd, this.ringBytes);
    this.queue = new SendQueue(spec.sendFd, region, shared, this.base);
    this.next = startAt;
    this.oldest = startAt;
  }

  receive(batch: Batch): number {
    const view = this.view;
    const before = batch.count;
    let bytes = 0;
    let multicast = 0;
    this.fetched = 0;
    this.fetchedNext = 0;
    while (batch.count < BATCH_FRAMES) {
      const slot = this.ring + this.next;
      const status = this.status(slot);
      if ((status & STATUS_USER) === 0) break;
      // A slot that was not given back yet still says USER when the walk has gone round the ring.
      if (this.held * this.slotBytes === this.ringBytes) break;
      this.next = this.next + this.slotBytes;
      if (this.next === this.ringBytes) this.next = 0;
      this.held++;

      const length = view.getUint32(slot + 4, true);
      let start = 0;
      let room = 0;
      if ((status & STATUS_COPY) !== 0) {
        const i = this.fetchedFor(slot, BATCH_FRAMES - batch.count, length);
        if (i < 0) {
          this.countOversized();
          continue;
        }
        start = this.buffers.frameAt(i);
        room = this.buffers.room;
      } else {
        if (length > view.getUint32(slot + 8, true)) {
          this.countOversized();
          continue;
        }
        const mac = view.getUint16(slot + 12, true);
        start = slot + mac;
        room = mac - SLOT_HEADER_BYTES;
      }
      const p = batch.append(this.portNo, start, length, room);
      readVnetHeader(view, start - VNET_BYTES, batch, p);
      if ((status & STATUS_VLAN_VALID) !== 0) {
        const tpid =
          (status & STATUS_VLAN_TPID_VALID) !== 0 ? view.getUint16(slot + 26, true) : ETH_P_8021Q;
        restoreVlan(view, batch, p, tpid, view.getUint16(slot + 24, true));
        this.counters[VLAN_RESTORED]++;
      }
      bytes += batch.length[p];
      multicast += view.getUint8(batch.start[p]) & 1;
    }
    const count = batch.count - before;
    if (count > 0) {
      this.stats[this.base + RX_PACKETS] += count;
      this.stats[this.base + RX_BYTES] += bytes;
      this.stats[this.base + RX_MULTICAST] += multicast;
    }
    return count;
  }

  send(batch: Batch, p: number): void {
    this.queue.push(batch, p);
  }

  flush(): void {
    this.queue.flush();
  }

  release(): void {
    while (this.held > 0) {
      this.setStatus(this.ring + this.oldest, 0);
      this.oldest = this.oldest + this.slotBytes;
      if (this.oldest === this.ringBytes) this.oldest = 0;
      this.held--;
    }
  }

  close(): void {
    this.queue.close();
    this.region.unmapRing(this.ring, this.ringBytes);
  }

  hasFrame(): boolean {
    return (this.status(this.ring + this.next) & STATUS_USER) !== 0;
  }

  /** ENETDOWN when the interface went down or away: nothing comes until it is up, and that needs no polling. */
  onDeviceError(): boolean {
    takeSocketError(this.fd);
    return true;
  }

  collectDrops(): void {
    this.stats[this.base + RX_DROPPED] += takePacketDrops(this.fd);
  }

  places(): readonly RingPlace[] {
    return [{ fd: this.fd, at: this.next }];
  }

  private status(slot: number): number {
    return ORDERED_LOADS ? this.view.getUint32(slot, true) : Atomics.load(this.words, slot >>> 2);
  }

  private setStatus(slot: number, value: number): void {
    if (ORDERED_LOADS) this.view.setUint32(slot, value, true);
    else Atomics.store(this.words, slot >>> 2, value);
  }

  private countOversized(): void {
    this.counters[DROP_OVERSIZED]++;
    this.stats[this.base + RX_DROPPED]++;
  }

  /** The buffer that holds the frame of the COPY slot `slot`, -1 when it was lost or did not fit. */
  private fetchedFor(slot: number, room: number, length: number): number {
    if (this.fetchedNext === this.fetched) this.fetch(this.countCopies(slot, room));
    if (this.fetchedNext === this.fetched) return -1;
    const i = this.fetchedNext++;
    const message = this.buffers.messages + i * MMSGHDR_BYTES;
    return this.view.getUint32(message + MSG_LEN_AT, true) === length + VNET_BYTES ? i : -1;
  }

  /** Ready COPY slots from `slot` (one itself) on, among the next `room` slots. */
  private countCopies(slot: number, room: number): number {
    let at = slot - this.ring;
    let copies = 0;
    for (let i = 0; i < room; i++) {
      const status = this.status(this.ring + at);
      if ((status & STATUS_USER) === 0) break;
      if ((status & STATUS_COPY) !== 0) copies++;
      at += this.slotBytes;
      if (at === this.ringBytes) at = 0;
    }
    return copies;
  }

  /** Takes `count` messages from the socket's queue into the buffers from `fetched` on. */
  private fetch(count: number): void {
    const wanted = Math.min(count, BATCH_FRAMES - this.fetched);
    let missing = wanted;
    let failures = 0;
    while (missing > 0) {
      const at = this.buffers.messages + this.fetched * MMSGHDR_BYTES;
      for (let i = 0; i < missing; i++) {
        this.view.setUint32(at + i * MMSGHDR_BYTES + MSG_CONTROLLEN_AT, 0, true);
      }
      const got = recvmmsg(this.fd, this.region.address + at, missing, MSG_DONTWAIT, 0);
      if (got > 0) {
        this.fetched += got;
        missing -= got;
      } else if (errno() === EAGAIN || ++failures > 3) {
        // A pending error of the socket (ENETDOWN) is reported once, in place of a message.
        return;
      }
    }
  }
}
