/**
 * The answer to a frame that is too long for its tunnel's path: ICMP fragmentation needed (RFC 792, RFC 1191) or ICMPv6
 * packet too big (RFC 4443, 3.2), in the name of the frame's destination, which is where a router would be.
 *
 * Only what a host would act upon is answered: IPv4 with DF and IPv6, no errors of ICMP, nothing from or to a group.
 */
import { checksumOf, pseudoHeader6, sumBytes } from '../packet/checksum.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_QINQ,
  ETH_TYPE_VLAN,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
  VLAN_TAG_BYTES,
} from '../packet/protocol.ts';
import type { Region } from '../sys/region.ts';

/** The smallest MTU that is worth saying: IPv4's (RFC 791, 68 would stall a connection) and IPv6's (RFC 8200, 5). */
const LEAST_IPV4_MTU = 576;
const LEAST_IPV6_MTU = 1280;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const ICMP_BYTES = 8;
/** Of the packet, behind the ICMP header: RFC 792 asks for 8 bytes of payload; more helps who reads it. */
const QUOTED_BYTES = 128;
const DF = 0x4000;
const LATER_FRAGMENT = 0x1fff;
const TTL = 64;
const UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;
const PACKET_TOO_BIG = 2;
/** Two tags at most. */
const MAX_TAGS = 2;

/** Bytes that an answer takes at most. */
export const TOO_BIG_BYTES =
  ETH_HEADER_BYTES + MAX_TAGS * VLAN_TAG_BYTES + IPV6_BYTES + ICMP_BYTES + QUOTED_BYTES;

/**
 * Writes the answer to the frame of `length` bytes at `start`, for an IP packet of at most `mtu` bytes, at `to`; returns its
 * length, or 0 for a frame that is not answered.
 */
export function tooBig(
  region: Region,
  start: number,
  length: number,
  mtu: number,
  to: number,
): number {
  const view = region.view;
  let header = ETH_HEADER_BYTES;
  for (let i = 0; i < MAX_TAGS && header + VLAN_TAG_BYTES <= length; i++) {
    const tpid = view.getUint16(start + header - 2);
    if (tpid !== ETH_TYPE_VLAN && tpid !== ETH_TYPE_QINQ) break;
    header += VLAN_TAG_BYTES;
  }
  if (header + IPV4_BYTES > length || (view.getUint8(start + 6) & 1) !== 0) return 0;
  const type = view.getUint16(start + header - 2);
  const ip = start + header;
  const packet = length - header;
  // Tags and type as they are, the addresses exchanged.
  region.bytes.copyWithin(to, start + 6, start + 12);
  region.bytes.copyWithin(to + 6, start, start + 6);
  region.bytes.copyWithin(to + 12, start + 12, start + header);
  if ((view.getUint8(start) & 1) !== 0) return 0;
  if (type === ETH_TYPE_IPV4) return header + answer4(region, ip, packet, mtu, to + header);
  if (type === ETH_TYPE_IPV6) return header + answer6(region, ip, packet, mtu, to + header);
  return 0;
}

function answer4(region: Region, ip: number, bytes: number, mtu: number, to: number): number {
  const view = region.view;
  const fragment = view.getUint16(ip + 6);
  const headerBytes = (view.getUint8(ip) & 15) * 4;
  if ((fragment & DF) === 0 || (fragment & LATER_FRAGMENT) !== 0) return NONE;
  if (view.getUint8(ip) >>> 4 !== 4 || headerBytes < IPV4_BYTES) return NONE;
  if (view.getUint8(ip + 9) === IP_PROTO_ICMP && isError(view, ip + headerBytes, true)) return NONE;
  if (view.getUint32(ip + 12) === 0 || view.getUint8(ip + 16) >>> 4 >= 0xe) return NONE;
  const quoted = Math.min(bytes, QUOTED_BYTES);
  const total = IPV4_BYTES + ICMP_BYTES + quoted;
  view.setUint32(to, 0x45000000 | total);
  view.setUint32(to + 4, 0);
  view.setUint32(to + 8, (TTL << 24) | (IP_PROTO_ICMP << 16));
  view.setUint32(to + 12, view.getUint32(ip + 16));
  view.setUint32(to + 16, view.getUint32(ip + 12));
  view.setUint16(to + 10, checksumOf(sumBytes(view, to, IPV4_BYTES)));
  const icmp = to + IPV4_BYTES;
  view.setUint32(icmp, (UNREACHABLE << 24) | (FRAGMENTATION_NEEDED << 16));
  view.setUint32(icmp + 4, Math.max(mtu, LEAST_IPV4_MTU));
  region.bytes.copyWithin(icmp + ICMP_BYTES, ip, ip + quoted);
  view.setUint16(icmp + 2, checksumOf(sumBytes(view, icmp, ICMP_BYTES + quoted)));
  return total;
}

function answer6(region: Region, ip: number, bytes: number, mtu: number, to: number): number {
  const view = region.view;
  if (bytes < IPV6_BYTES || view.getUint8(ip) >>> 4 !== 6) return NONE;
  if (view.getUint8(ip + 6) === IP_PROTO_ICMPV6 && isError(view, ip + IPV6_BYTES, false)) {
    return NONE;
  }
  if (view.getUint8(ip + 24) === 0xff) return NONE;
  const quoted = Math.min(bytes, QUOTED_BYTES);
  const payload = ICMP_BYTES + quoted;
  view.setUint32(to, 0x60000000);
  view.setUint32(to + 4, (payload << 16) | (IP_PROTO_ICMPV6 << 8) | TTL);
  region.bytes.copyWithin(to + 8, ip + 24, ip + 40);
  region.bytes.copyWithin(to + 24, ip + 8, ip + 24);
  const icmp = to + IPV6_BYTES;
  view.setUint32(icmp, PACKET_TOO_BIG << 24);
  view.setUint32(icmp + 4, Math.max(mtu, LEAST_IPV6_MTU));
  region.bytes.copyWithin(icmp + ICMP_BYTES, ip, ip + quoted);
  const pseudo = pseudoHeader6(view, to, IP_PROTO_ICMPV6, payload);
  view.setUint16(icmp + 2, checksumOf(sumBytes(view, icmp, payload, pseudo)));
  return IPV6_BYTES + payload;
}

/** Makes the sum with the Ethernet header 0 or less: no answer. */
const NONE = -ETH_HEADER_BYTES - MAX_TAGS * VLAN_TAG_BYTES;

/** An error message of ICMP: never answered by another (RFC 1122, 3.2.2; RFC 4443, 2.4). */
function isError(view: DataView, icmp: number, isFour: boolean): boolean {
  const type = view.getUint8(icmp);
  return isFour ? type !== 0 && type !== 8 && type !== 13 && type !== 14 : type < 128;
}
