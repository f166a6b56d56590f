/**
 * Extraction: a frame becomes a flow key (key.ts).
 *
 * One pass over the headers through one DataView. Each header's length is checked once, then its fields are
 * read freely; nothing outside the frame is ever read and nothing throws, whatever the bytes. What cannot be
 * parsed leaves the fields from there on 0, as Open vSwitch does: a TCP frame with a bad IP header is an IPv4
 * frame of protocol 0. The words of Ethernet, IPv4 and ports are written for every frame; the others only by
 * protocols that have them (`keyDirty` remembers it for the next frame in the same slot).
 */
import { plainSum, type Region } from '../sys/region.ts';
import type { Frames } from './frames.ts';
import { DIRTY_COLD, DIRTY_HOT, DIRTY_IPV6, newFrames } from './frames.ts';
import {
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  DP_HASH,
  DP_WORDS,
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  FRAG_ANY,
  FRAG_LATER,
  HOT_WORDS,
  IGMP_GROUP,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_FLABEL,
  IPV6_SRC,
  MPLS_LSE,
  ND_OPTIONS,
  ND_RESERVED,
  ND_TARGET,
  PACKET_TYPE,
  PBB_ISID,
  PBB_PRESENT,
  PKT_MARK,
  RECIRC_ID,
  TCP_FLAGS,
  TOS_TTL,
  TP,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from './key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_MIN,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MULTICAST,
  ETH_TYPE_NONE,
  ETH_TYPE_PBB,
  ETH_TYPE_QINQ,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN,
  IP_PROTO_AH,
  IP_PROTO_DSTOPTS,
  IP_PROTO_ESP,
  IP_PROTO_FRAGMENT,
  IP_PROTO_HOPOPTS,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
  IP_PROTO_IGMP,
  IP_PROTO_NONE,
  IP_PROTO_ROUTING,
  IP_PROTO_SCTP,
  IP_PROTO_TCP,
  IP_PROTO_UDP,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_OPT_SOURCE_LINKADDR,
  ND_OPT_TARGET_LINKADDR,
} from './protocol.ts';

const TCP_HEADER_BYTES = 20;
/** OFPIEH_* */
const EXTHDR_NONEXT = 1 << 0;
const EXTHDR_ESP = 1 << 1;
const EXTHDR_AUTH = 1 << 2;
const EXTHDR_DEST = 1 << 3;
const EXTHDR_FRAG = 1 << 4;
const EXTHDR_ROUTER = 1 << 5;
const EXTHDR_HOP = 1 << 6;
const EXTHDR_UNREP = 1 << 7;
const EXTHDR_UNSEQ = 1 << 8;

/**
 * Writes frame p's key and its l3 and l4 offsets. The metadata words are set to in_port = inPort[p] and 0.
 * Returns false for a runt, which has no Ethernet header: the key is then worthless.
 */
export function extract(region: Region, frames: Frames, p: number): boolean {
  const keys = frames.keys;
  const base = p * DP_WORDS;
  const length = frames.length[p];
  if (length < ETH_HEADER_BYTES) return false;
  const dirty = frames.keyDirty[p];
  if (dirty !== 0) {
    // IPv4 words are written for each frame; these only when an earlier frame left something there.
    if ((dirty & DIRTY_HOT) !== 0) {
      for (let i = base + ND_TARGET; i < base + HOT_WORDS; i++) keys[i] = 0;
    }
    if ((dirty & DIRTY_COLD) !== 0) {
      for (let i = base + HOT_WORDS; i < base + DP_WORDS; i++) keys[i] = 0;
    }
    // The next IPv6 frame overwrites the words of the last one.
    frames.keyDirty[p] = dirty & DIRTY_IPV6;
  }
  const view = region.view;
  const start = frames.start[p];
  const end = start + length;

  keys[base + IN_PORT] = frames.inPort[p];
  keys[base + RECIRC_ID] = 0;
  keys[base + DP_HASH] = 0;
  keys[base + PKT_MARK] = 0;
  keys[base + PACKET_TYPE] = 0;
  keys[base + ETH_DST] = view.getUint32(start);
  keys[base + ETH_DST_SRC] = view.getUint32(start + 4);
  keys[base + ETH_SRC] = view.getUint32(start + 8);
  keys[base + VLAN0] = 0;
  keys[base + VLAN1] = 0;
  keys[base + TOS_TTL] = 0;
  keys[base + IPV4_SRC] = 0;
  keys[base + IPV4_DST] = 0;
  keys[base + TP] = 0;
  keys[base + TCP_FLAGS] = 0;
  frames.l4[p] = 0;

  let at = start + 12;
  let type = view.getUint16(at);
  // A tag needs its four bytes and the type behind it; else its TPID stays the frame's type.
  if ((type === ETH_TYPE_VLAN || type === ETH_TYPE_QINQ) && at + 6 <= end) {
    keys[base + VLAN0] = (view.getUint32(at) | VLAN_CFI) >>> 0;
    at += 4;
    type = view.getUint16(at);
    if ((type === ETH_TYPE_VLAN || type === ETH_TYPE_QINQ) && at + 6 <= end) {
      keys[base + VLAN1] = (view.getUint32(at) | VLAN_CFI) >>> 0;
      at += 4;
      type = view.getUint16(at);
    }
  }
  at += 2;
  if (type < ETH_TYPE_MIN) {
    // 802.3 length: only SNAP with OUI 0 carries an EtherType (RFC 1042).
    type = ETH_TYPE_NONE;
    if (
      at + 8 <= end &&
      view.getUint32(at) === 0xaaaa0300 &&
      view.getUint16(at + 4) === 0 &&
      view.getUint16(at + 6) >= ETH_TYPE_MIN
    ) {
      type = view.getUint16(at + 6);
      at += 8;
    }
  }
  frames.l3[p] = at - start;
  if ((dirty & DIRTY_IPV6) !== 0 && type !== ETH_TYPE_IPV6) clearIpv6(frames, p);

  if (type === ETH_TYPE_IPV4) {
    keys[base + ETH_TYPE_PROTO] = ETH_TYPE_IPV4 << 16;
    ipv4(view, frames, p, at, end);
  } else if (type === ETH_TYPE_IPV6) {
    keys[base + ETH_TYPE_PROTO] = (ETH_TYPE_IPV6 << 16) >>> 0;
    ipv6(view, frames, p, at, end);
  } else {
    keys[base + ETH_TYPE_PROTO] = (type << 16) >>> 0;
    if (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP) arp(view, frames, p, at, end, type);
    else if (type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MULTICAST) {
      frames.keyDirty[p] |= DIRTY_COLD;
      for (let i = 0; i < 3 && at + 4 <= end; i++, at += 4) {
        const entry = view.getUint32(at);
        keys[base + MPLS_LSE + i] = entry;
        if ((entry & 0x100) !== 0) break;
      }
    } else if (type === ETH_TYPE_PBB && at + 4 <= end) {
      frames.keyDirty[p] |= DIRTY_COLD;
      keys[base + PBB_ISID] = ((view.getUint32(at) & 0xffffff) | PBB_PRESENT) >>> 0;
    }
  }
  return true;
}

function clearIpv6(frames: Frames, p: number): void {
  const keys = frames.keys;
  const base = p * DP_WORDS;
  for (let i = base + IPV6_SRC; i <= base + IPV6_FLABEL; i++) keys[i] = 0;
  frames.keyDirty[p] &= ~DIRTY_IPV6;
}

function ipv4(view: DataView, frames: Frames, p: number, at: number, end: number): void {
  if (at + 20 > end) return;
  const headerBytes = (view.getUint8(at) & 15) * 4;
  const totalBytes = view.getUint16(at + 2);
  if (headerBytes < 20 || headerBytes > totalBytes || at + totalBytes > end) return;
  const keys = frames.keys;
  const base = p * DP_WORDS;
  const proto = view.getUint8(at + 9);
  const fragment = view.getUint16(at + 6);
  keys[base + TOS_TTL] = ((view.getUint8(at + 1) << 24) | (view.getUint8(at + 8) << 16)) >>> 0;
  keys[base + IPV4_SRC] = view.getUint32(at + 12);
  keys[base + IPV4_DST] = view.getUint32(at + 16);
  if ((fragment & 0x3fff) === 0) {
    keys[base + ETH_TYPE_PROTO] = (ETH_TYPE_IPV4 << 16) | (proto << 8);
  } else if ((fragment & 0x1fff) === 0) {
    keys[base + ETH_TYPE_PROTO] = (ETH_TYPE_IPV4 << 16) | (proto << 8) | FRAG_ANY;
  } else {
    keys[base + ETH_TYPE_PROTO] = (ETH_TYPE_IPV4 << 16) | (proto << 8) | FRAG_ANY | FRAG_LATER;
    return;
  }
  // Bytes behind the total length are padding.
  if (proto === IP_PROTO_TCP || proto === IP_PROTO_UDP) {
    ports(view, frames, p, proto, at + headerBytes, at + totalBytes);
  } else transport(view, frames, p, proto, at + headerBytes, at + totalBytes);
}

function ipv6(view: DataView, frames: Frames, p: number, at: number, end: number): void {
  if (at + 40 > end || at + 40 + view.getUint16(at + 4) > end) {
    if (frames.keyDirty[p] !== 0) clearIpv6(frames, p);
    return;
  }
  const payloadBytes = view.getUint16(at + 4);
  const keys = frames.keys;
  const base = p * DP_WORDS;
  frames.keyDirty[p] |= DIRTY_IPV6;
  keys[base + IPV6_SRC] = view.getUint32(at + 8);
  keys[base + IPV6_SRC + 1] = view.getUint32(at + 12);
  keys[base + IPV6_SRC + 2] = view.getUint32(at + 16);
  keys[base + IPV6_SRC + 3] = view.getUint32(at + 20);
  keys[base + IPV6_DST] = view.getUint32(at + 24);
  keys[base + IPV6_DST + 1] = view.getUint32(at + 28);
  keys[base + IPV6_DST + 2] = view.getUint32(at + 32);
  keys[base + IPV6_DST + 3] = view.getUint32(at + 36);
  keys[base + IPV6_FLABEL] = 0;
  const first = view.getUint32(at);
  const hopLimit = view.getUint8(at + 7);
  let proto = view.getUint8(at + 6);
  let frag = 0;
  let next = at + 40;
  const l4End = next + payloadBytes;
  // What was seen, as OFPIEH_* bits (OpenFlow 1.3.5 section 7.2.3.7), and how far the recommended order has come.
  let seen = 0;
  let rank = 0;
  // Every turn moves `next` on by at least 8 bytes.
  while (
    proto === IP_PROTO_HOPOPTS ||
    proto === IP_PROTO_ROUTING ||
    proto === IP_PROTO_DSTOPTS ||
    proto === IP_PROTO_AH ||
    proto === IP_PROTO_FRAGMENT
  ) {
    // A broken chain leaves only the addresses.
    if (next + 8 > l4End) return;
    seen = seenExtension(seen, rank, proto);
    rank = extensionRank(proto, rank);
    const following = view.getUint8(next);
    if (proto === IP_PROTO_FRAGMENT) {
      const offset = view.getUint16(next + 2);
      next += 8;
      if (offset !== 0) {
        frag = FRAG_ANY;
        if ((offset & 0xfff8) !== 0) {
          frag |= FRAG_LATER;
          // Later fragments have no transport header; the fragment header itself is the protocol.
          break;
        }
      }
    } else {
      const units = view.getUint8(next + 1);
      next += proto === IP_PROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
      if (next > l4End) return;
    }
    proto = following;
  }
  if (proto === IP_PROTO_NONE) seen |= EXTHDR_NONEXT;
  else if (proto === IP_PROTO_ESP) seen = seenExtension(seen, rank, proto);
  if (seen !== 0) {
    keys[base + ND_OPTIONS] = seen;
    frames.keyDirty[p] |= DIRTY_COLD;
  }
  keys[base + ETH_TYPE_PROTO] = ((ETH_TYPE_IPV6 << 16) | (proto << 8) | frag) >>> 0;
  keys[base + TOS_TTL] = (((first << 4) & 0xff000000) | (hopLimit << 16)) >>> 0;
  keys[base + IPV6_FLABEL] = first & 0xfffff;
  if ((frag & FRAG_LATER) !== 0) return;
  if (proto === IP_PROTO_TCP || proto === IP_PROTO_UDP) ports(view, frames, p, proto, next, l4End);
  else transport(view, frames, p, proto, next, l4End);
}

/** TCP and UDP, of which most traffic is: short, so that it becomes part of its callers. */
function ports(
  view: DataView,
  frames: Frames,
  p: number,
  proto: number,
  at: number,
  end: number,
): void {
  const base = p * DP_WORDS;
  if (proto === IP_PROTO_TCP) {
    if (at + TCP_HEADER_BYTES > end) return;
    const word = view.getUint16(at + 12);
    // A header that says it is shorter, or longer than the packet, is none (RFC 9293, 3.1, "Data Offset").
    const headerBytes = (word >>> 12) * 4;
    if (headerBytes < TCP_HEADER_BYTES || at + headerBytes > end) return;
    frames.keys[base + TCP_FLAGS] = (word & 0xfff) << 16;
  } else if (at + 8 > end) return;
  frames.keys[base + TP] = view.getUint32(at);
  frames.l4[p] = at - frames.start[p];
}

/** The order that RFC 8200 section 4.1 recommends. Destination options may stand before a routing header and last. */
function extensionRank(proto: number, before: number): number {
  switch (proto) {
    case IP_PROTO_HOPOPTS:
      return 1;
    case IP_PROTO_DSTOPTS:
      return before < 2 ? 2 : 7;
    case IP_PROTO_ROUTING:
      return 3;
    case IP_PROTO_FRAGMENT:
      return 4;
    case IP_PROTO_AH:
      return 5;
    default:
      return 6;
  }
}

/** `seen` after an extension header `proto`, the chain so far having reached `rank`. */
function seenExtension(seen: number, rank: number, proto: number): number {
  let bit = EXTHDR_ESP;
  if (proto === IP_PROTO_HOPOPTS) bit = EXTHDR_HOP;
  else if (proto === IP_PROTO_DSTOPTS) bit = EXTHDR_DEST;
  else if (proto === IP_PROTO_ROUTING) bit = EXTHDR_ROUTER;
  else if (proto === IP_PROTO_FRAGMENT) bit = EXTHDR_FRAG;
  else if (proto === IP_PROTO_AH) bit = EXTHDR_AUTH;
  const next = extensionRank(proto, rank);
  let after = seen | bit;
  // Destination options are expected twice, the second time last.
  if ((seen & bit) !== 0 && (bit !== EXTHDR_DEST || rank >= 7)) after |= EXTHDR_UNREP;
  if (next < rank) after |= EXTHDR_UNSEQ;
  return after;
}

function transport(
  view: DataView,
  frames: Frames,
  p: number,
  proto: number,
  at: number,
  end: number,
): void {
  const keys = frames.keys;
  const base = p * DP_WORDS;
  const l4 = at - frames.start[p];
  const isIpv6 = keys[base + ETH_TYPE_PROTO] >>> 16 === ETH_TYPE_IPV6;
  if (proto === IP_PROTO_SCTP) {
    if (at + 12 > end) return;
    keys[base + TP] = view.getUint32(at);
  } else if (proto === IP_PROTO_ICMP && !isIpv6) {
    if (at + 8 > end) return;
    keys[base + TP] = (view.getUint8(at) << 16) | view.getUint8(at + 1);
  } else if (proto === IP_PROTO_ICMPV6 && isIpv6) {
    if (at + 8 > end) return;
    keys[base + TP] = (view.getUint8(at) << 16) | view.getUint8(at + 1);
    neighborDiscovery(view, frames, p, at, end);
  } else if (proto === IP_PROTO_IGMP && !isIpv6) {
    if (at + 8 > end) return;
    keys[base + TP] = (view.getUint8(at) << 16) | view.getUint8(at + 1);
    keys[base + IGMP_GROUP] = view.getUint32(at + 4);
    frames.keyDirty[p] |= DIRTY_COLD;
  }
  frames.l4[p] = l4;
}

/** RFC 4861: target and link-layer address options of neighbor solicitations and advertisements. */
function neighborDiscovery(
  view: DataView,
  frames: Frames,
  p: number,
  at: number,
  end: number,
): void {
  const type = view.getUint8(at);
  if (type !== ND_NEIGHBOR_SOLICIT && type !== ND_NEIGHBOR_ADVERT) return;
  if (view.getUint8(at + 1) !== 0 || at + 24 > end) return;
  const keys = frames.keys;
  const base = p * DP_WORDS;
  let sourceAt = 0;
  let targetAt = 0;
  let firstType = 0;
  let option = at + 24;
  while (option + 8 <= end) {
    const bytes = view.getUint8(option + 1) * 8;
    if (bytes === 0 || option + bytes > end) break;
    const kind = view.getUint8(option);
    if (bytes === 8 && (kind === ND_OPT_SOURCE_LINKADDR || kind === ND_OPT_TARGET_LINKADDR)) {
      // The same option twice makes the whole message unusable, as in Open vSwitch.
      if (kind === ND_OPT_SOURCE_LINKADDR) {
        if (sourceAt !== 0) return;
        sourceAt = option + 2;
      } else {
        if (targetAt !== 0) return;
        targetAt = option + 2;
      }
      if (firstType === 0) firstType = kind;
    }
    option += bytes;
  }
  for (let i = 0; i < 4; i++) keys[base + ND_TARGET + i] = view.getUint32(at + 8 + 4 * i);
  if (sourceAt !== 0) {
    keys[base + ARP_SHA] = view.getUint32(sourceAt);
    keys[base + ARP_SHA_THA] = (view.getUint16(sourceAt + 4) << 16) >>> 0;
  }
  if (targetAt !== 0) {
    keys[base + ARP_SHA_THA] = (keys[base + ARP_SHA_THA] | view.getUint16(targetAt)) >>> 0;
    keys[base + ARP_THA] = view.getUint32(targetAt + 2);
  }
  keys[base + ND_RESERVED] = view.getUint32(at + 4);
  keys[base + ND_OPTIONS] |= firstType << 24;
  frames.keyDirty[p] |= DIRTY_COLD | DIRTY_HOT;
}

/** Only Ethernet/IPv4 ARP has fields (RFC 826); others stay an eth_type alone. */
function arp(
  view: DataView,
  frames: Frames,
  p: number,
  at: number,
  end: number,
  type: number,
): void {
  if (at + 28 > end) return;
  if (view.getUint32(at) !== 0x00010800 || view.getUint16(at + 4) !== 0x0604) return;
  const keys = frames.keys;
  const base = p * DP_WORDS;
  frames.keyDirty[p] |= DIRTY_HOT;
  const op = view.getUint16(at + 6);
  if (op <= 255) keys[base + ETH_TYPE_PROTO] = ((type << 16) | (op << 8)) >>> 0;
  keys[base + ARP_SHA] = view.getUint32(at + 8);
  keys[base + ARP_SHA_THA] = ((view.getUint16(at + 12) << 16) | view.getUint16(at + 18)) >>> 0;
  keys[base + ARP_THA] = view.getUint32(at + 20);
  keys[base + IPV4_SRC] = view.getUint32(at + 14);
  keys[base + IPV4_DST] = view.getUint32(at + 24);
}

/** A region that is one given frame, for control-plane code. */
function frameRegion(frame: Uint8Array): Region {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return {
    sum: plainSum(view),
    bytes: frame,
    view,
    address: 0,
    allocate: () => {
      throw new RangeError('a frame alone has no free memory');
    },
    free: () => {},
  };
}

/** The key (DP_WORDS words) of one frame, for the control plane: allocates. A runt's key is in_port alone. */
export function keyOf(frame: Uint8Array, inPort: number): Uint32Array {
  const frames = newFrames(1);
  frames.length[0] = frame.length;
  frames.inPort[0] = inPort;
  if (!extract(frameRegion(frame), frames, 0)) frames.keys[IN_PORT] = inPort;
  return frames.keys;
}
