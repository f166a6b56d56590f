/**
 * Joins TCP segments that arrive one after the other through a tunnel to a super-frame (generic receive offload): it then
 * passes tables and ports once instead of forty times, and whoever cannot take it has it cut again.
 *
 * Only what comes apart again as it was is joined (the kernel's rules, net/ipv4/tcp_offload.c): the same headers but for length,
 * identification, checksum and sequence number, an acknowledgement without other flags, segments of one length but the last. Each
 * checksum is verified first, since the joined frame says that it need not be.
 */
import { checksumOf, pseudoHeader4, pseudoHeader6, sumBytes } from '../packet/checksum.ts';
import { GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM } from '../packet/frames.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_TCP,
} from '../packet/protocol.ts';
import type { Region } from '../sys/region.ts';
import type { Batch } from './batch.ts';

const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_BYTES = 20;
const TCP_CHECKSUM_AT = 16;
const ACK = 0x10;
const PSH = 0x08;
/** An IP packet has no more. */
const MAX_PACKET_BYTES = 65_535;
const L3 = ETH_HEADER_BYTES;

export class Coalescer {
  /** Frames that can be joined have `payload` bytes in each segment; 0 while there is none. */
  private payload = 0;
  private start = 0;
  private length = 0;
  private header = 0;
  private l4 = 0;
  private isIpv6 = false;
  private nextSequence = 0;
  private segments = 0;
  private isLast = false;
  private readonly region: Region;

  constructor(region: Region) {
    this.region = region;
  }

  /** Takes the frame of `length` bytes at `start` as the first one. False when nothing can be joined to it. */
  begin(start: number, length: number): boolean {
    const view = this.region.view;
    this.payload = 0;
    if (length < L3 + IPV4_BYTES + TCP_BYTES) return false;
    const type = view.getUint16(start + 12);
    const ip = start + L3;
    if (type === ETH_TYPE_IPV4) {
      this.isIpv6 = false;
      this.l4 = L3 + IPV4_BYTES;
      // Version and length of the header, protocol, fragment, and the length that the frame has.
      if (view.getUint8(ip) !== 0x45 || view.getUint8(ip + 9) !== IP_PROTO_TCP) return false;
      if ((view.getUint16(ip + 6) & 0x3fff) !== 0) return false;
      if (view.getUint16(ip + 2) !== length - L3) return false;
    } else if (type === ETH_TYPE_IPV6) {
      this.isIpv6 = true;
      this.l4 = L3 + IPV6_BYTES;
      if (length < this.l4 + TCP_BYTES || view.getUint8(ip + 6) !== IP_PROTO_TCP) return false;
      if (view.getUint16(ip + 4) !== length - this.l4) return false;
    } else return false;
    const tcp = start + this.l4;
    this.header = this.l4 + (view.getUint8(tcp + 12) >>> 4) * 4;
    if (this.header < this.l4 + TCP_BYTES || length <= this.header) return false;
    if (view.getUint8(tcp + 13) !== ACK || !this.isIntact(start, length)) return false;
    this.payload = length - this.header;
    this.nextSequence = (view.getUint32(tcp + 4) + this.payload) >>> 0;
    this.start = start;
    this.length = length;
    this.segments = 1;
    this.isLast = false;
    return true;
  }

  /** False when what was joined last ends it. */
  get canGrow(): boolean {
    return this.payload !== 0 && !this.isLast;
  }

  /** Joins the frame of `length` bytes at `start`, whose payload may lie behind all before. False, with nothing done, when it does not belong. */
  join(start: number, length: number): boolean {
    const { header, payload, l4, region } = this;
    const view = region.view;
    const bytes = length - header;
    if (payload === 0 || this.isLast || bytes <= 0 || bytes > payload) return false;
    if (this.length + bytes - L3 > MAX_PACKET_BYTES) return false;
    if (!this.hasSameHeaders(start, length)) return false;
    const flags = view.getUint8(start + l4 + 13);
    if ((flags & ~PSH) !== ACK || view.getUint32(start + l4 + 4) !== this.nextSequence)
      return false;
    if (!this.isIntact(start, length)) return false;
    region.bytes.copyWithin(this.start + this.length, start + header, start + length);
    this.length += bytes;
    this.segments++;
    this.nextSequence = (this.nextSequence + bytes) >>> 0;
    if ((flags & PSH) !== 0) view.setUint8(this.start + l4 + 13, ACK | PSH);
    this.isLast = bytes < payload || (flags & PSH) !== 0;
    return true;
  }

  /** Writes lengths and the partial checksum of what was joined, which is frame p. */
  finish(batch: Batch, p: number): void {
    if (this.segments < 2) return;
    const view = this.region.view;
    const { start, length, l4 } = this;
    const ip = start + L3;
    const tcpBytes = length - l4;
    let pseudo: number;
    if (this.isIpv6) {
      view.setUint16(ip + 4, tcpBytes);
      pseudo = pseudoHeader6(view, ip, IP_PROTO_TCP, tcpBytes);
    } else {
      view.setUint16(ip + 2, length - L3);
      view.setUint16(ip + 10, 0);
      view.setUint16(ip + 10, checksumOf(sumBytes(view, ip, IPV4_BYTES)));
      pseudo = pseudoHeader4(view, ip, IP_PROTO_TCP, tcpBytes);
    }
    view.setUint16(start + l4 + TCP_CHECKSUM_AT, ~checksumOf(pseudo) & 0xffff);
    batch.length[p] = length;
    batch.offloadFlags[p] = NEEDS_CSUM;
    batch.csumStart[p] = l4;
    batch.csumOffset[p] = TCP_CHECKSUM_AT;
    batch.gsoType[p] = this.isIpv6 ? GSO_TCPV6 : GSO_TCPV4;
    batch.gsoSize[p] = this.payload;
    batch.headerBytes[p] = this.header;
  }

  /** All but what differs between segments of one stream. */
  private hasSameHeaders(start: number, length: number): boolean {
    const view = this.region.view;
    const first = this.start;
    const ip = start + L3;
    for (let i = 0; i < 12; i += 4) if (differ(view, first + i, start + i)) return false;
    if (view.getUint16(start + 12) !== view.getUint16(first + 12)) return false;
    const firstIp = first + L3;
    if (this.isIpv6) {
      if (view.getUint16(ip + 4) !== length - this.l4) return false;
      if (differ(view, firstIp, ip) || view.getUint16(firstIp + 6) !== view.getUint16(ip + 6)) {
        return false;
      }
      for (let i = 8; i < 40; i += 4) if (differ(view, firstIp + i, ip + i)) return false;
    } else {
      if (view.getUint16(ip + 2) !== length - L3) return false;
      if (view.getUint16(firstIp) !== view.getUint16(ip)) return false;
      if (view.getUint16(firstIp + 6) !== view.getUint16(ip + 6)) return false;
      if (view.getUint16(firstIp + 8) !== view.getUint16(ip + 8)) return false;
      if (differ(view, firstIp + 12, ip + 12) || differ(view, firstIp + 16, ip + 16)) return false;
    }
    const tcp = start + this.l4;
    const firstTcp = first + this.l4;
    // Ports, acknowledgement, length of the header, window; then options.
    if (differ(view, firstTcp, tcp) || differ(view, firstTcp + 8, tcp + 8)) return false;
    if (view.getUint8(firstTcp + 12) !== view.getUint8(tcp + 12)) return false;
    if (view.getUint16(firstTcp + 14) !== view.getUint16(tcp + 14)) return false;
    for (let i = TCP_BYTES; i < this.header - this.l4; i += 4) {
      if (differ(view, firstTcp + i, tcp + i)) return false;
    }
    return true;
  }

  private isIntact(start: number, length: number): boolean {
    const view = this.region.view;
    const tcpBytes = length - this.l4;
    const ip = start + L3;
    const pseudo = this.isIpv6
      ? pseudoHeader6(view, ip, IP_PROTO_TCP, tcpBytes)
      : pseudoHeader4(view, ip, IP_PROTO_TCP, tcpBytes);
    return checksumOf(pseudo + this.region.sum(start + this.l4, tcpBytes)) === 0;
  }
}

const differ = (view: DataView, a: number, b: number): boolean =>
  view.getInt32(a, true) !== view.getInt32(b, true);
