/**
 * Generic receive offload of the switch itself: TCP segments that follow one another in a receive batch become one super-frame,
 * as if the sender had left the cutting to the network card. Everything behind (extraction, lookup, sending) then happens once for
 * up to 32 frames, and an egress that takes offloads passes the super-frame on whole.
 *
 * Only neighbours in the batch are joined, so that no frame ever overtakes another; and only what cutting (packet/segment.ts)
 * makes again bit by bit: equal headers but for length, identification and sequence number, consecutive in both, segments of one size
 * but for a shorter last one, ACK and nothing else but PSH in the last. Checksums are verified first: the kernel's word
 * (VIRTIO_NET_HDR_F_DATA_VALID) or the bytes themselves. Without a merge a frame stays where it is.
 */
import { checksumOf, pseudoHeader4, pseudoHeader6, sumBytes } from '../packet/checksum.ts';
import { GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM } from '../packet/frames.ts';
import { ETH_TYPE_IPV4, ETH_TYPE_IPV6, IP_PROTO_TCP } from '../packet/protocol.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';

/** VIRTIO_NET_HDR_F_DATA_VALID: whoever gave the frame has checked its transport checksum. */
const DATA_VALID = 2;
/** A merge takes two frames at least. */
const BUFFERS = BATCH_FRAMES / 2;
const ROOM = 254;
const BUFFER_BYTES = 66 * 1024;
const MAX_IP_BYTES = 0xffff;

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_SEQ = 4;
const TCP_FLAGS = 13;
const TCP_CHECKSUM = 16;
const ACK = 0x10;
const PSH = 0x08;

export class Gro {
  private readonly region: Region;
  private readonly view: DataView;
  private readonly buffers: number;
  private used = 0;

  // The frame that was looked at last.
  private isIpv6 = false;
  private l4 = 0;
  private headerBytes = 0;
  private payload = 0;
  // The group that may grow: its first frame's place in the batch (-1 for none), and what the next one must be.
  private open = -1;
  private openIsIpv6 = false;
  private openL4 = 0;
  private openHeaderBytes = 0;
  private segmentBytes = 0;
  private segments = 0;
  private nextSequence = 0;
  private nextId = 0;

  /** Takes about 1 MiB of the region. */
  constructor(region: Region) {
    this.region = region;
    this.view = region.view;
    this.buffers = region.allocate(BUFFERS * BUFFER_BYTES, 64);
  }

  /** Joins what can be joined; the batch has fewer frames then. Valid until the next call: super-frames lie in memory of this. */
  merge(batch: Batch): void {
    this.used = 0;
    this.open = -1;
    let kept = 0;
    for (let p = 0; p < batch.count; p++) {
      const isCandidate = this.read(batch, p);
      if (isCandidate && this.open >= 0 && this.fits(batch, p)) {
        this.append(batch, p);
        continue;
      }
      this.finish(batch);
      if (kept !== p) batch.move(p, kept);
      if (isCandidate) this.begin(batch, kept);
      kept++;
    }
    this.finish(batch);
    batch.count = kept;
  }

  /** True when frame p is a segment that may be joined with others; its measures are kept. */
  private read(batch: Batch, p: number): boolean {
    if ((batch.offloadFlags[p] & NEEDS_CSUM) !== 0 || batch.gsoType[p] !== 0) return false;
    const { view } = this;
    const length = batch.length[p];
    if (length < ETHERNET_BYTES + IPV4_BYTES + 20) return false;
    const start = batch.start[p];
    const ip = start + ETHERNET_BYTES;
    const type = view.getUint16(start + 12);
    if (type === ETH_TYPE_IPV4) {
      // No options, no fragment, no padding behind.
      if (view.getUint8(ip) !== 0x45 || view.getUint8(ip + 9) !== IP_PROTO_TCP) return false;
      if ((view.getUint16(ip + 6) & 0x3fff) !== 0) return false;
      if (view.getUint16(ip + 2) !== length - ETHERNET_BYTES) return false;
      this.l4 = ETHERNET_BYTES + IPV4_BYTES;
    } else if (type === ETH_TYPE_IPV6) {
      if (length < ETHERNET_BYTES + IPV6_BYTES + 20) return false;
      if (view.getUint8(ip + 6) !== IP_PROTO_TCP || view.getUint8(ip) >>> 4 !== 6) return false;
      if (view.getUint16(ip + 4) !== length - ETHERNET_BYTES - IPV6_BYTES) return false;
      this.l4 = ETHERNET_BYTES + IPV6_BYTES;
    } else return false;
    this.isIpv6 = type === ETH_TYPE_IPV6;
    const tcp = start + this.l4;
    const offset = view.getUint8(tcp + 12);
    // The low bits are reserved, and NS.
    if ((offset & 15) !== 0 || offset < 0x50) return false;
    if ((view.getUint8(tcp + TCP_FLAGS) & ~PSH) !== ACK) return false;
    this.headerBytes = this.l4 + (offset >>> 2);
    this.payload = length - this.headerBytes;
    return this.payload > 0 && this.isIntact(batch, p);
  }

  private isIntact(batch: Batch, p: number): boolean {
    const { view } = this;
    const ip = batch.start[p] + ETHERNET_BYTES;
    if (!this.isIpv6 && checksumOf(sumBytes(view, ip, IPV4_BYTES)) !== 0) return false;
    if ((batch.offloadFlags[p] & DATA_VALID) !== 0) return true;
    const bytes = batch.length[p] - this.l4;
    const pseudo = this.isIpv6
      ? pseudoHeader6(view, ip, IP_PROTO_TCP, bytes)
      : pseudoHeader4(view, ip, IP_PROTO_TCP, bytes);
    const tcp = batch.start[p] + this.l4;
    return checksumOf(pseudo + this.region.sum(tcp, bytes)) === 0;
  }

  private begin(batch: Batch, p: number): void {
    const { view } = this;
    const start = batch.start[p];
    // PSH says that nothing follows for now.
    if ((view.getUint8(start + this.l4 + TCP_FLAGS) & PSH) !== 0) return;
    this.open = p;
    this.openIsIpv6 = this.isIpv6;
    this.openL4 = this.l4;
    this.openHeaderBytes = this.headerBytes;
    this.segmentBytes = this.payload;
    this.segments = 1;
    this.nextSequence = (view.getUint32(start + this.l4 + TCP_SEQ) + this.payload) >>> 0;
    this.nextId = this.isIpv6 ? 0 : (view.getUint16(start + ETHERNET_BYTES + 4) + 1) & 0xffff;
  }

  /** True when frame p, just read, is the next segment of the open group. */
  private fits(batch: Batch, p: number): boolean {
    const { view } = this;
    if (this.isIpv6 !== this.openIsIpv6 || this.headerBytes !== this.openHeaderBytes) return false;
    if (this.payload > this.segmentBytes) return false;
    if (batch.length[this.open] - ETHERNET_BYTES + this.payload > MAX_IP_BYTES) return false;
    if (this.segments === 1 && this.used === BUFFERS) return false;
    const a = batch.start[this.open];
    const b = batch.start[p];
    const ip = ETHERNET_BYTES;
    if (!this.areEqual(a, b, 0, ETHERNET_BYTES)) return false;
    if (this.isIpv6) {
      if (!this.areEqual(a, b, ip, 4) || !this.areEqual(a, b, ip + 6, 34)) return false;
    } else {
      if (view.getUint16(b + ip + 4) !== this.nextId) return false;
      if (!this.areEqual(a, b, ip, 2) || !this.areEqual(a, b, ip + 6, 4)) return false;
      if (!this.areEqual(a, b, ip + 12, 8)) return false;
    }
    const tcp = this.l4;
    if (view.getUint32(b + tcp + TCP_SEQ) !== this.nextSequence) return false;
    // Ports; acknowledgment and offset; window; urgent pointer and options.
    return (
      this.areEqual(a, b, tcp, 4) &&
      this.areEqual(a, b, tcp + 8, 5) &&
      this.areEqual(a, b, tcp + 14, 2) &&
      this.areEqual(a, b, tcp + 18, this.headerBytes - tcp - 18)
    );
  }

  private areEqual(a: number, b: number, from: number, count: number): boolean {
    const { view } = this;
    let i = from;
    const end = from + count;
    for (; i + 4 <= end; i += 4) {
      if (view.getUint32(a + i) !== view.getUint32(b + i)) return false;
    }
    for (; i < end; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
    return true;
  }

  private append(batch: Batch, p: number): void {
    const { view, open } = this;
    const { bytes } = this.region;
    const from = batch.start[p];
    if (this.segments === 1) {
      const to = this.buffers + this.used++ * BUFFER_BYTES + ROOM;
      bytes.copyWithin(to, batch.start[open], batch.start[open] + batch.length[open]);
      batch.start[open] = to;
      batch.room[open] = ROOM;
    }
    const end = batch.start[open] + batch.length[open];
    bytes.copyWithin(end, from + this.headerBytes, from + batch.length[p]);
    batch.length[open] += this.payload;
    this.segments++;
    this.nextSequence = (this.nextSequence + this.payload) >>> 0;
    this.nextId = (this.nextId + 1) & 0xffff;
    const isPushed = (view.getUint8(from + this.l4 + TCP_FLAGS) & PSH) !== 0;
    if (isPushed) view.setUint8(batch.start[open] + this.l4 + TCP_FLAGS, ACK | PSH);
    if (isPushed || this.payload < this.segmentBytes) this.finish(batch);
  }

  /** Makes a super-frame of the open group, if it is more than one frame. */
  private finish(batch: Batch): void {
    const p = this.open;
    this.open = -1;
    if (p < 0 || this.segments === 1) return;
    const { view } = this;
    const start = batch.start[p];
    const ip = start + ETHERNET_BYTES;
    const l4 = this.openL4;
    const transportBytes = batch.length[p] - l4;
    let pseudo = 0;
    if (this.openIsIpv6) {
      view.setUint16(ip + 4, transportBytes);
      pseudo = pseudoHeader6(view, ip, IP_PROTO_TCP, transportBytes);
    } else {
      view.setUint16(ip + 2, batch.length[p] - ETHERNET_BYTES);
      view.setUint16(ip + 10, 0);
      view.setUint16(ip + 10, checksumOf(sumBytes(view, ip, IPV4_BYTES)));
      pseudo = pseudoHeader4(view, ip, IP_PROTO_TCP, transportBytes);
    }
    // A partial checksum is the sum itself, not its complement.
    view.setUint16(start + l4 + TCP_CHECKSUM, ~checksumOf(pseudo) & 0xffff);
    batch.offloadFlags[p] = NEEDS_CSUM;
    batch.gsoType[p] = this.openIsIpv6 ? GSO_TCPV6 : GSO_TCPV4;
    batch.gsoSize[p] = this.segmentBytes;
    batch.headerBytes[p] = this.openHeaderBytes;
    batch.csumStart[p] = l4;
    batch.csumOffset[p] = TCP_CHECKSUM;
  }
}
