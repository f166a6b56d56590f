/**
 * Software repair of frames for an egress that takes no offload: completing a partial checksum, and cutting a GSO
 * super-frame into segments.
 *
 * The metadata comes from other machines' drivers and is never believed: whatever does not fit the frame makes the
 * frame unrepairable (a value, no exception).
 */
import type { Region } from '../sys/region.ts';
import { checksumOf, pseudoHeader4, pseudoHeader6, sumBytes } from './checksum.ts';
import type { Frames } from './frames.ts';
import { GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM } from './frames.ts';
import { InnerHeaders } from './inner-headers.ts';
import { DP_WORDS, ETH_TYPE_PROTO } from './key.ts';
import { ETH_TYPE_IPV4, ETH_TYPE_IPV6, IP_PROTO_TCP, IP_PROTO_UDP } from './protocol.ts';

/** More segments than this are refused: a one-byte gsoSize must not turn one frame into 65,000. */
export const MAX_SEGMENTS = 1024;

const TCP_FIN_PSH = 0x09;
const TCP_CWR = 0x80;
/** Offsets of 16-bit words in transport headers. */
const TCP_VARYING = [4, 6, 12, 16];
const UDP_VARYING = [4, 6];

/**
 * Writes frame p's full transport checksum in place of the pseudo header's sum and clears NEEDS_CSUM. False when
 * the metadata points outside of the frame; true and no change when there is nothing to complete.
 */
export function completeChecksum(region: Region, frames: Frames, p: number): boolean {
  if ((frames.offloadFlags[p] & NEEDS_CSUM) === 0) return true;
  const from = frames.csumStart[p];
  const field = from + frames.csumOffset[p];
  if (field + 2 > frames.length[p]) return false;
  const start = frames.start[p];
  const sum = region.sum(start + from, frames.length[p] - from);
  // 0 would mean "no checksum" for UDP, and 0xffff is equal to it in ones complement: as the Linux kernel does.
  region.view.setUint16(start + field, checksumOf(sum) || 0xffff);
  frames.offloadFlags[p] &= ~NEEDS_CSUM;
  return true;
}

/** The cutting of one super-frame: `begin` once, then `write` for each segment. One object serves all frames. */
export class Segmenter {
  /** Bytes in front of the payload in each segment, Ethernet header included. */
  headerBytes = 0;
  /** Bytes of the first, longest segment. */
  segmentBytes = 0;
  private start = 0;
  private count = 0;
  private l3 = 0;
  private l4 = 0;
  private size = 0;
  private payload = 0;
  /** Sums of what segments have in common: IPv4 header without length, identification and checksum; pseudo and transport header without what differs. */
  private ipSum = 0;
  private transportSum = 0;
  private isIpv6 = false;
  private proto = 0;
  private noChecksum = false;
  private readonly region: Region;
  private readonly inner: InnerHeaders;

  constructor(region: Region) {
    this.region = region;
    this.inner = new InnerHeaders(region);
  }

  /** Plans frame p, whose key and l3, l4 are extract()'s; IP may stand behind labels or an I-TAG. Returns the number of segments, 0 when it cannot be cut. */
  begin(frames: Frames, p: number): number {
    const view = this.region.view;
    const gso = frames.gsoType[p] & ~GSO_ECN;
    const typeProto = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO];
    let type = typeProto >>> 16;
    const start = frames.start[p];
    let l3 = frames.l3[p];
    let l4 = frames.l4[p];
    this.proto = (typeProto >>> 8) & 255;
    this.isIpv6 = type === ETH_TYPE_IPV6;
    if (type !== ETH_TYPE_IPV4 && type !== ETH_TYPE_IPV6) {
      const inner = this.inner;
      if (!inner.find(frames, p)) return 0;
      ({ l3, l4 } = inner);
      this.proto = inner.proto;
      this.isIpv6 = inner.isIpv6;
      type = inner.isIpv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4;
    }
    // A fragment is not cut: its payload is no sequence of datagrams.
    if (l3 === 0 || l4 <= l3 || (typeProto & 255) !== 0) return 0;
    if (gso === GSO_TCPV4 && type === ETH_TYPE_IPV4 && this.proto === IP_PROTO_TCP) {
      this.headerBytes = l4 + (view.getUint8(start + l4 + 12) >>> 4) * 4;
    } else if (gso === GSO_TCPV6 && type === ETH_TYPE_IPV6 && this.proto === IP_PROTO_TCP) {
      this.headerBytes = l4 + (view.getUint8(start + l4 + 12) >>> 4) * 4;
    } else if (
      gso === GSO_UDP_L4 &&
      (type === ETH_TYPE_IPV4 || type === ETH_TYPE_IPV6) &&
      this.proto === IP_PROTO_UDP
    ) {
      this.headerBytes = l4 + 8;
      // Without NEEDS_CSUM a zero field means that the sender wants none (IPv4 only, RFC 768).
      this.noChecksum =
        (frames.offloadFlags[p] & NEEDS_CSUM) === 0 &&
        view.getUint16(start + l4 + 6) === 0 &&
        !this.isIpv6;
    } else return 0;
    if (this.proto === IP_PROTO_TCP) {
      this.noChecksum = false;
      if (this.headerBytes < l4 + 20) return 0;
    }
    const end =
      l3 + (this.isIpv6 ? 40 + view.getUint16(start + l3 + 4) : view.getUint16(start + l3 + 2));
    this.start = start;
    this.l3 = l3;
    this.l4 = l4;
    this.size = frames.gsoSize[p];
    this.payload = end - this.headerBytes;
    if (end > frames.length[p] || this.payload <= 0) return 0;
    if (this.size === 0 || this.size > frames.length[p]) return 0;
    this.count = Math.ceil(this.payload / this.size);
    this.segmentBytes = this.headerBytes + Math.min(this.size, this.payload);
    const ip = start + l3;
    if (this.isIpv6) this.transportSum = pseudoHeader6(view, ip, this.proto, 0);
    else {
      const varying = view.getUint16(ip + 2) + view.getUint16(ip + 4) + view.getUint16(ip + 10);
      this.ipSum = sumBytes(view, ip, (view.getUint8(ip) & 15) * 4) - varying;
      this.transportSum = pseudoHeader4(view, ip, this.proto, 0);
    }
    const tcp = start + l4;
    this.transportSum += sumBytes(view, tcp, this.headerBytes - l4);
    // What differs comes with each segment: sequence number, flags and checksum, or length and checksum.
    const varying = this.proto === IP_PROTO_TCP ? TCP_VARYING : UDP_VARYING;
    for (let i = 0; i < varying.length; i++) {
      this.transportSum -= view.getUint16(tcp + varying[i]);
    }
    return this.count;
  }

  /** Writes segment `i` at region offset `to`, which does not overlap the super-frame. Returns its length in bytes. */
  write(i: number, to: number): number {
    const payload = this.writeHeader(i, to);
    const data = this.payloadAt(i);
    this.region.bytes.copyWithin(to + this.headerBytes, data, data + payload);
    return this.headerBytes + payload;
  }

  /** Offset of segment `i`'s payload in the super-frame. */
  payloadAt(i: number): number {
    return this.start + this.headerBytes + i * this.size;
  }

  /** Writes the `headerBytes` in front of segment `i`'s payload to region offset `to`. Returns the length of that payload. */
  writeHeader(i: number, to: number): number {
    const { view } = this.region;
    const { headerBytes, start } = this;
    const from = i * this.size;
    const payload = Math.min(this.size, this.payload - from);
    let k = 0;
    for (const end = headerBytes - 3; k < end; k += 4) {
      view.setInt32(to + k, view.getInt32(start + k, true), true);
    }
    for (; k < headerBytes; k++) view.setUint8(to + k, view.getUint8(start + k));
    const bytes = headerBytes + payload;
    const ip = to + this.l3;
    const l4 = to + this.l4;
    const transportBytes = bytes - this.l4;
    if (this.isIpv6) view.setUint16(ip + 4, bytes - this.l3 - 40);
    else {
      // Each segment is a datagram of its own: consecutive identifications (RFC 6864).
      const id = (view.getUint16(ip + 4) + i) & 0xffff;
      view.setUint16(ip + 2, bytes - this.l3);
      view.setUint16(ip + 4, id);
      view.setUint16(ip + 10, checksumOf(this.ipSum + bytes - this.l3 + id));
    }
    // The payload lies behind an even number of bytes of its transport header.
    const sum = this.transportSum + transportBytes + this.region.sum(this.payloadAt(i), payload);
    if (this.proto === IP_PROTO_TCP) {
      const sequence = (view.getUint32(l4 + 4) + from) >>> 0;
      let flags = view.getUint16(l4 + 12);
      if (i < this.count - 1) flags &= ~TCP_FIN_PSH;
      if (i > 0) flags &= ~TCP_CWR;
      view.setUint32(l4 + 4, sequence);
      view.setUint16(l4 + 12, flags);
      const varying = (sequence >>> 16) + (sequence & 0xffff) + flags;
      view.setUint16(l4 + 16, checksumOf(sum + varying));
    } else {
      view.setUint16(l4 + 4, transportBytes);
      view.setUint16(l4 + 6, this.noChecksum ? 0 : checksumOf(sum + transportBytes) || 0xffff);
    }
    return payload;
  }
}
