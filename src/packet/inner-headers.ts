/**
 * The IP header behind MPLS labels or a PBB I-TAG, for cutting super-frames that were encapsulated: extraction stops
 * at such a header, as OpenFlow wants it.
 *
 * Nothing is believed: offsets come from the bytes alone, and what is no whole TCP or UDP packet is not found.
 */
import type { Region } from '../sys/region.ts';
import type { Frames } from './frames.ts';
import { DP_WORDS, ETH_TYPE_PROTO } from './key.ts';
import {
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MULTICAST,
  ETH_TYPE_PBB,
  ETH_TYPE_QINQ,
  ETH_TYPE_VLAN,
  IP_PROTO_DSTOPTS,
  IP_PROTO_HOPOPTS,
  IP_PROTO_ROUTING,
  IP_PROTO_TCP,
  IP_PROTO_UDP,
} from './protocol.ts';

/** Headers in a row that are looked behind. */
const MAX_HEADERS = 16;

export class InnerHeaders {
  /** Offsets from the start of the frame, and the transport protocol, after a find() that returned true. */
  l3 = 0;
  l4 = 0;
  proto = 0;
  isIpv6 = false;
  private readonly region: Region;

  constructor(region: Region) {
    this.region = region;
  }

  /** False when there is no unfragmented TCP or UDP packet with a whole header of 20 or 8 bytes. */
  find(frames: Frames, p: number): boolean {
    const view = this.region.view;
    const start = frames.start[p];
    const end = start + frames.length[p];
    let type = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO] >>> 16;
    let at = start + frames.l3[p];
    for (let n = 0; n < MAX_HEADERS; n++) {
      if (type === ETH_TYPE_IPV4) return this.ipv4(view, start, at, end);
      if (type === ETH_TYPE_IPV6) return this.ipv6(view, start, at, end);
      if (type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MULTICAST) {
        if (at + 5 > end) return false;
        const isBottom = (view.getUint8(at + 2) & 1) !== 0;
        at += 4;
        if (isBottom) type = view.getUint8(at) >>> 4 === 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4;
      } else if (type === ETH_TYPE_PBB) {
        if (at + 18 > end) return false;
        type = view.getUint16(at + 16);
        at += 18;
      } else if (type === ETH_TYPE_VLAN || type === ETH_TYPE_QINQ) {
        if (at + 4 > end) return false;
        type = view.getUint16(at + 2);
        at += 4;
      } else return false;
    }
    return false;
  }

  private ipv4(view: DataView, start: number, at: number, end: number): boolean {
    if (at + 20 > end || view.getUint8(at) >>> 4 !== 4) return false;
    const headerBytes = (view.getUint8(at) & 15) * 4;
    if (headerBytes < 20 || (view.getUint16(at + 6) & 0x3fff) !== 0) return false;
    this.isIpv6 = false;
    return this.transport(view.getUint8(at + 9), start, at, at + headerBytes, end);
  }

  private ipv6(view: DataView, start: number, at: number, end: number): boolean {
    if (at + 40 > end || view.getUint8(at) >>> 4 !== 6) return false;
    this.isIpv6 = true;
    let proto = view.getUint8(at + 6);
    let next = at + 40;
    for (let n = 0; n < MAX_HEADERS; n++) {
      if (proto !== IP_PROTO_HOPOPTS && proto !== IP_PROTO_ROUTING && proto !== IP_PROTO_DSTOPTS) {
        return this.transport(proto, start, at, next, end);
      }
      if (next + 8 > end) return false;
      proto = view.getUint8(next);
      next += (view.getUint8(next + 1) + 1) * 8;
    }
    return false;
  }

  private transport(proto: number, start: number, l3: number, l4: number, end: number): boolean {
    if (proto !== IP_PROTO_TCP && proto !== IP_PROTO_UDP) return false;
    if (l4 + (proto === IP_PROTO_TCP ? 20 : 8) > end) return false;
    this.l3 = l3 - start;
    this.l4 = l4 - start;
    this.proto = proto;
    return true;
  }
}
