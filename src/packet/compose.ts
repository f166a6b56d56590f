/**
 * A flow key becomes a whole frame with right lengths and checksums: test frames of `netdev-dummy/receive`.
 *
 * What the key does not say is as in Open vSwitch: 64 bytes of payload 0, 1, 2... for UDP, TCP without SYN, FIN or RST,
 * and ICMP echo; a later fragment is at offset 100 x 8 and empty; a frame without EtherType has its length there.
 */
import { checksumOf, pseudoHeader4, pseudoHeader6, sumBytes } from './checksum.ts';
import * as K from './key.ts';
import * as P from './protocol.ts';

const PAYLOAD_BYTES = 64;
const MAX_BYTES = 65_535 + 18;
const TCP_FIN_SYN_RST = 0x7;

export type ComposedFrame = { ok: true; frame: Uint8Array } | { ok: false; error: string };

/** `length` (bytes of the frame): pads the payload with zeros to it; a smaller one than the headers is an error. */
export function composeFrame(key: ArrayLike<number>, length = 0): ComposedFrame {
  if (length > MAX_BYTES) return { ok: false, error: `packet len ${length} is too large` };
  const payload =
    length > 0 ? new Uint8Array(0) : Uint8Array.from({ length: PAYLOAD_BYTES }, (_, i) => i);
  const headers = headersOf(key);
  const bare = headers.link.length + headers.network.length + headers.transport.length;
  if (length > 0 && length < bare) return { ok: false, error: 'too small packet len' };
  const tail =
    length > 0 ? new Uint8Array(length - bare) : headers.takesPayload ? payload : new Uint8Array(0);
  const frame = Uint8Array.from([
    ...headers.link,
    ...headers.network,
    ...headers.transport,
    ...tail,
  ]);
  complete(frame, key, headers);
  return { ok: true, frame };
}

interface Headers {
  link: number[];
  network: number[];
  transport: number[];
  takesPayload: boolean;
}

const u16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

function headersOf(key: ArrayLike<number>): Headers {
  const word = key[K.ETH_TYPE_PROTO];
  const type = word >>> 16;
  const link = [...u32(key[K.ETH_DST]), ...u32(key[K.ETH_DST_SRC]), ...u32(key[K.ETH_SRC])];
  for (const tag of [key[K.VLAN0], key[K.VLAN1]]) {
    if ((tag & K.VLAN_CFI) !== 0) link.push(...u32(tag & ~K.VLAN_CFI));
  }
  link.push(...u16(type));
  const headers: Headers = { link, network: [], transport: [], takesPayload: false };
  if (type === P.ETH_TYPE_IPV4) {
    const fragment = (word & 1 ? 0x2000 : 0) | (word & K.FRAG_LATER ? 100 : 0);
    const ttl = (key[K.TOS_TTL] >>> 16) & 255;
    headers.network = [
      ...[0x45, key[K.TOS_TTL] >>> 24, 0, 0, 0, 0],
      ...[...u16(fragment), ttl, (word >>> 8) & 255, 0, 0],
      ...[...u32(key[K.IPV4_SRC]), ...u32(key[K.IPV4_DST])],
    ];
    if ((word & K.FRAG_LATER) === 0) transportOf(key, headers, false);
  } else if (type === P.ETH_TYPE_IPV6) {
    const tos = key[K.TOS_TTL] >>> 24;
    headers.network = [
      ...u32((0x60000000 | (tos << 20) | key[K.IPV6_FLABEL]) >>> 0),
      ...[0, 0, (word >>> 8) & 255, (key[K.TOS_TTL] >>> 16) & 255],
      ...words(key, K.IPV6_SRC, 8),
    ];
    if ((word & K.FRAG_LATER) === 0) transportOf(key, headers, true);
  } else if (type === P.ETH_TYPE_ARP || type === P.ETH_TYPE_RARP) {
    const op = (word >>> 8) & 255;
    const isKnown = op === 1 || op === 2;
    // As the original: addresses only for requests and replies.
    const addresses = [
      ...[...u32(key[K.ARP_SHA]), ...u16(key[K.ARP_SHA_THA] >>> 16)],
      ...u32(key[K.IPV4_SRC]),
      ...[...u16(key[K.ARP_SHA_THA] & 0xffff), ...u32(key[K.ARP_THA])],
      ...u32(key[K.IPV4_DST]),
    ];
    headers.network = [
      ...[0, 1, 8, 0, 6, 4, 0, op],
      ...(isKnown ? addresses : new Array<number>(20).fill(0)),
    ];
  } else if (type === P.ETH_TYPE_MPLS || type === P.ETH_TYPE_MPLS_MULTICAST) {
    for (let i = 0; i < 3; i++) {
      headers.network.push(...u32(key[K.MPLS_LSE + i]));
      if ((key[K.MPLS_LSE + i] & 0x100) !== 0) break;
    }
  }
  return headers;
}

function words(key: ArrayLike<number>, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => u32(key[at + i])).flat();
}

function transportOf(key: ArrayLike<number>, headers: Headers, isIpv6: boolean): void {
  const proto = (key[K.ETH_TYPE_PROTO] >>> 8) & 255;
  const tp = key[K.TP];
  const type = (tp >>> 16) & 255;
  if (proto === P.IP_PROTO_TCP) {
    const flags = (key[K.TCP_FLAGS] >>> 16) & 0xfff;
    headers.transport = [
      ...u32(tp),
      ...u32(0),
      ...u32(0),
      ...u16(0x5000 | flags),
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    headers.takesPayload = (flags & TCP_FIN_SYN_RST) === 0;
  } else if (proto === P.IP_PROTO_UDP) {
    headers.transport = [...u32(tp), 0, 0, 0, 0];
    headers.takesPayload = true;
  } else if (proto === P.IP_PROTO_SCTP) {
    headers.transport = [...u32(tp), ...u32(0), ...u32(0)];
  } else if (proto === P.IP_PROTO_ICMP && !isIpv6) {
    headers.transport = [type, tp & 255, 0, 0, ...u32(0)];
    headers.takesPayload = type === 8 || type === 0;
  } else if (proto === P.IP_PROTO_IGMP && !isIpv6) {
    headers.transport = [type, tp & 255, 0, 0, ...u32(key[K.IGMP_GROUP])];
  } else if (proto === P.IP_PROTO_ICMPV6 && isIpv6) {
    headers.transport = [type, tp & 255, 0, 0, ...u32(key[K.ND_RESERVED])];
    headers.takesPayload = type === 128 || type === 129;
    if ((type !== P.ND_NEIGHBOR_SOLICIT && type !== P.ND_NEIGHBOR_ADVERT) || (tp & 255) !== 0)
      return;
    headers.transport.push(...words(key, K.ND_TARGET, 4));
    const source = [...u32(key[K.ARP_SHA]), ...u16(key[K.ARP_SHA_THA] >>> 16)];
    const target = [...u16(key[K.ARP_SHA_THA] & 0xffff), ...u32(key[K.ARP_THA])];
    if (source.some((b) => b !== 0)) headers.transport.push(P.ND_OPT_SOURCE_LINKADDR, 1, ...source);
    if (target.some((b) => b !== 0)) headers.transport.push(P.ND_OPT_TARGET_LINKADDR, 1, ...target);
  }
}

/** Fills in lengths and checksums. */
function complete(frame: Uint8Array, key: ArrayLike<number>, headers: Headers): void {
  const view = new DataView(frame.buffer);
  const word = key[K.ETH_TYPE_PROTO];
  const type = word >>> 16;
  const proto = (word >>> 8) & 255;
  const l3 = headers.link.length;
  const l4 = l3 + headers.network.length;
  const l4Bytes = frame.length - l4;
  // 802.3 has the length where others have the type.
  if (type < P.ETH_TYPE_MIN) view.setUint16(l3 - 2, frame.length);
  let pseudo = 0;
  if (type === P.ETH_TYPE_IPV4) {
    view.setUint16(l3 + 2, frame.length - l3);
    view.setUint16(l3 + 10, checksumOf(sumBytes(view, l3, 20)));
    pseudo = pseudoHeader4(view, l3, proto, l4Bytes);
  } else if (type === P.ETH_TYPE_IPV6) {
    view.setUint16(l3 + 4, l4Bytes);
    pseudo = pseudoHeader6(view, l3, proto, l4Bytes);
  } else return;
  if (headers.transport.length === 0) return;
  if (proto === P.IP_PROTO_TCP) {
    view.setUint16(l4 + 16, checksumOf(sumBytes(view, l4, l4Bytes, pseudo)));
  } else if (proto === P.IP_PROTO_UDP) {
    view.setUint16(l4 + 4, l4Bytes);
    view.setUint16(l4 + 6, checksumOf(sumBytes(view, l4, l4Bytes, pseudo)) || 0xffff);
  } else if (proto === P.IP_PROTO_ICMPV6) {
    view.setUint16(l4 + 2, checksumOf(sumBytes(view, l4, l4Bytes, pseudo)));
  } else if (proto === P.IP_PROTO_ICMP || proto === P.IP_PROTO_IGMP) {
    view.setUint16(l4 + 2, checksumOf(sumBytes(view, l4, l4Bytes)));
  }
}
