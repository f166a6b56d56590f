/**
 * Rewriting: SET of a masked key word in the frame's bytes. Pushing and popping headers is in push-pop.ts.
 *
 * Checksums are kept right by difference (RFC 1624), so a wrong checksum stays wrong and is the receiver's to see.
 * A frame with a partial checksum (NEEDS_CSUM) holds the pseudo header's sum in its checksum field: addresses
 * change it, ports do not, since the sum over ports and payload is still to come.
 *
 * The functions rely on what extract() found (l3, l4, ETH_TYPE_PROTO in the key), whose lengths it has checked.
 */
import type { Region } from '../sys/region.ts';
import { sctpChecksum, update16, update32 } from './checksum.ts';
import type { Frames } from './frames.ts';
import { DIRTY_COLD, NEEDS_CSUM } from './frames.ts';
import {
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  CT_STATE,
  DP_WORDS,
  ETH_DST,
  ETH_SRC,
  ETH_TYPE_PROTO,
  HOT_WORDS,
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
  TOS_TTL,
  TP,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from './key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MULTICAST,
  ETH_TYPE_NONE,
  ETH_TYPE_PBB,
  ETH_TYPE_QINQ,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN,
  IP_PROTO_AH,
  IP_PROTO_DSTOPTS,
  IP_PROTO_FRAGMENT,
  IP_PROTO_HOPOPTS,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
  IP_PROTO_ROUTING,
  IP_PROTO_SCTP,
  IP_PROTO_TCP,
  IP_PROTO_UDP,
  ND_NEIGHBOR_ADVERT,
  ND_NEIGHBOR_SOLICIT,
  ND_OPT_SOURCE_LINKADDR,
  ND_OPT_TARGET_LINKADDR,
} from './protocol.ts';

/** True when SET of this word changes bytes of the frame rather than metadata in its key. */
export const rewritesBytes = (word: number): boolean =>
  (word > PACKET_TYPE && word < HOT_WORDS) || (word >= HOT_WORDS && word < CT_STATE);

/**
 * Sets the bits `mask` of key word `word` to `value` in frame p. Words of metadata change the key only. A word that the
 * frame has no header for changes nothing. TCP flags and fragment bits cannot be set. A new eth_type or nw_proto
 * changes that number alone: the key goes on saying what the headers behind it are.
 */
export function setWord(
  region: Region,
  frames: Frames,
  p: number,
  word: number,
  value: number,
  mask: number,
): void {
  const view = region.view;
  const start = frames.start[p];
  if (!rewritesBytes(word)) {
    const at = p * DP_WORDS + word;
    if (word >= DP_WORDS || word < 0) return;
    frames.keys[at] = (frames.keys[at] & ~mask) | (value & mask);
    if (word >= HOT_WORDS) frames.keyDirty[p] |= DIRTY_COLD;
    return;
  }
  if (word >= ETH_DST && word <= ETH_SRC) {
    masked32(view, start + 4 * (word - ETH_DST), value, mask);
    return;
  }
  if (word === VLAN0 || word === VLAN1) {
    setTag(view, frames, p, word - VLAN0, value, mask);
    return;
  }
  const l3 = frames.l3[p];
  if (l3 === 0) return;
  const typeProto = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO];
  const type = typeProto >>> 16;
  const ip = start + l3;
  if (word === ETH_TYPE_PROTO && mask >>> 16 !== 0 && type !== ETH_TYPE_NONE) {
    masked16(view, ip - 2, value >>> 16, mask >>> 16);
  }
  if (type === ETH_TYPE_IPV4) {
    // An IPv4 header that did not parse has left its time to live and addresses 0 and is not touched.
    if (start + frames.length[p] < ip + 20 || view.getUint8(ip) < 0x45) return;
    if (word === TOS_TTL) setTosTtl4(view, ip, value, mask);
    else if (word === IPV4_SRC || word === IPV4_DST) {
      setAddress4(view, frames, p, ip, ip + 12 + 4 * (word - IPV4_SRC), value, mask);
    } else if (word === TP) setPorts(view, frames, p, value, mask, ip);
    else if (word === ETH_TYPE_PROTO) setProto4(view, frames, p, ip, value, mask);
  } else if (type === ETH_TYPE_IPV6) {
    if (start + frames.length[p] < ip + 40) return;
    if (word === TOS_TTL) {
      masked32(view, ip, (value >>> 24) << 20, ((mask >>> 24) << 20) >>> 0);
      masked8(view, ip + 7, value >>> 16, mask >>> 16);
    } else if (word === IPV6_FLABEL) masked32(view, ip, value, mask & 0xfffff);
    else if (word >= IPV6_SRC && word < IPV6_DST + 4) {
      setAddress6(view, frames, p, ip, word - IPV6_SRC, value, mask);
    } else if (word === TP) setPorts(view, frames, p, value, mask, ip);
    else if (word === ETH_TYPE_PROTO) setProto6(view, frames, p, ip, value, mask);
    else setNeighbor(view, frames, p, ip, word, value, mask);
  } else if (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP) {
    if (start + frames.length[p] < ip + 28) return;
    if (view.getUint32(ip) !== 0x00010800 || view.getUint16(ip + 4) !== 0x0604) return;
    setArp(view, ip, word, value, mask);
  } else if (type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MULTICAST) {
    const entry = word - MPLS_LSE;
    if (entry < 0 || entry > 2 || !hasLabel(view, ip, start + frames.length[p], entry)) return;
    masked32(view, ip + 4 * entry, value, mask);
  } else if (type === ETH_TYPE_PBB && word === PBB_ISID) {
    if (start + frames.length[p] >= ip + 4) masked32(view, ip, value, mask & 0xffffff);
  }
}

/** True when the label stack at `ip` has an entry of this index (0 is the outermost). */
function hasLabel(view: DataView, ip: number, end: number, index: number): boolean {
  let at = ip;
  for (let i = 0; i < index; i++, at += 4) {
    if (at + 4 > end || (view.getUint8(at + 2) & 1) !== 0) return false;
  }
  return at + 4 <= end;
}

/**
 * Raises the drop precedence of frame p by `steps` (OpenFlow 1.3.5 section 5.7.1): only the assured forwarding classes
 * AF11 to AF43 (RFC 2597) have one, of three levels.
 */
export function remarkDscp(region: Region, frames: Frames, p: number, steps: number): void {
  const view = region.view;
  const l3 = frames.l3[p];
  if (l3 === 0 || l3 + 20 > frames.length[p]) return;
  const type = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO] >>> 16;
  const ip = frames.start[p] + l3;
  let tos = 0;
  if (type === ETH_TYPE_IPV4) tos = view.getUint8(ip + 1);
  else if (type === ETH_TYPE_IPV6) tos = (view.getUint16(ip) >>> 4) & 255;
  const afClass = tos >>> 5;
  const precedence = (tos >>> 3) & 3;
  if (afClass < 1 || afClass > 4 || precedence === 0 || (tos & 4) !== 0) return;
  const raised = Math.min(3, precedence + steps);
  setWord(region, frames, p, TOS_TTL, raised << 27, 0x18000000);
}

function masked32(view: DataView, at: number, value: number, mask: number): void {
  view.setUint32(at, (view.getUint32(at) & ~mask) | (value & mask));
}

function masked16(view: DataView, at: number, value: number, mask: number): void {
  view.setUint16(at, (view.getUint16(at) & ~mask) | (value & mask));
}

function masked8(view: DataView, at: number, value: number, mask: number): void {
  view.setUint8(at, (view.getUint8(at) & ~mask) | (value & mask));
}

function setTag(
  view: DataView,
  frames: Frames,
  p: number,
  depth: number,
  value: number,
  mask: number,
): void {
  let at = frames.start[p] + 12;
  for (let i = 0; i <= depth; i++, at += 4) {
    if (at + 6 > frames.start[p] + frames.length[p]) return;
    const tpid = view.getUint16(at);
    if (tpid !== ETH_TYPE_VLAN && tpid !== ETH_TYPE_QINQ) return;
  }
  // The CFI bit of a key word stands for "present".
  masked32(view, at - 4, value, mask & ~VLAN_CFI);
}

function setTosTtl4(view: DataView, ip: number, value: number, mask: number): void {
  const before = view.getUint16(ip);
  masked8(view, ip + 1, value >>> 24, mask >>> 24);
  let checksum = update16(view.getUint16(ip + 10), before, view.getUint16(ip));
  const ttlBefore = view.getUint16(ip + 8);
  masked8(view, ip + 8, value >>> 16, mask >>> 16);
  checksum = update16(checksum, ttlBefore, view.getUint16(ip + 8));
  view.setUint16(ip + 10, checksum);
}

function setAddress4(
  view: DataView,
  frames: Frames,
  p: number,
  ip: number,
  at: number,
  value: number,
  mask: number,
): void {
  const before = view.getUint32(at);
  masked32(view, at, value, mask);
  const after = view.getUint32(at);
  view.setUint16(ip + 10, update32(view.getUint16(ip + 10), before, after));
  updatePseudo(view, frames, p, before, after);
}

function setAddress6(
  view: DataView,
  frames: Frames,
  p: number,
  ip: number,
  index: number,
  value: number,
  mask: number,
): void {
  const at = ip + 8 + 4 * index;
  const before = view.getUint32(at);
  masked32(view, at, value, mask);
  // With a routing header the pseudo header has the final destination (RFC 8200 section 8.1), not this one.
  if (index >= 4 && hasRoutingHeader(view, ip, frames.start[p] + frames.l4[p])) return;
  updatePseudo(view, frames, p, before, view.getUint32(at));
}

function hasRoutingHeader(view: DataView, ip: number, l4: number): boolean {
  let proto = view.getUint8(ip + 6);
  for (let at = ip + 40; at < l4; at += (view.getUint8(at + 1) + 1) * 8) {
    if (proto === IP_PROTO_ROUTING) return true;
    if (proto !== IP_PROTO_HOPOPTS && proto !== IP_PROTO_DSTOPTS) return false;
    proto = view.getUint8(at);
  }
  return false;
}

/** The transport header stays; its checksum follows the protocol number of the pseudo header. */
function setProto4(
  view: DataView,
  frames: Frames,
  p: number,
  ip: number,
  value: number,
  mask: number,
): void {
  if ((mask & 0xff00) === 0) return;
  const before = view.getUint8(ip + 9);
  const word = view.getUint16(ip + 8);
  masked8(view, ip + 9, value >>> 8, mask >>> 8);
  view.setUint16(ip + 10, update16(view.getUint16(ip + 10), word, view.getUint16(ip + 8)));
  updatePseudo(view, frames, p, before, view.getUint8(ip + 9));
}

/** The number is in the last extension header. */
function setProto6(
  view: DataView,
  frames: Frames,
  p: number,
  ip: number,
  value: number,
  mask: number,
): void {
  if ((mask & 0xff00) === 0) return;
  const l4 = frames.start[p] + frames.l4[p];
  let field = ip + 6;
  for (let at = ip + 40; at < l4; ) {
    const proto = view.getUint8(field);
    field = at;
    if (proto === IP_PROTO_FRAGMENT) at += 8;
    else if (proto === IP_PROTO_AH) at += (view.getUint8(at + 1) + 2) * 4;
    else if (
      proto === IP_PROTO_HOPOPTS ||
      proto === IP_PROTO_ROUTING ||
      proto === IP_PROTO_DSTOPTS
    ) {
      at += (view.getUint8(at + 1) + 1) * 8;
    } else return;
  }
  const before = view.getUint8(field);
  masked8(view, field, value >>> 8, mask >>> 8);
  updatePseudo(view, frames, p, before, view.getUint8(field));
}

/** Carries an address change into the checksum of the transport protocol. */
function updatePseudo(
  view: DataView,
  frames: Frames,
  p: number,
  before: number,
  after: number,
): void {
  const l4 = frames.l4[p];
  if (l4 === 0) return;
  const typeProto = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO];
  const proto = (typeProto >>> 8) & 255;
  let field = frames.start[p] + l4;
  if (proto === IP_PROTO_TCP) field += 16;
  else if (proto === IP_PROTO_UDP) field += 6;
  else if (proto === IP_PROTO_ICMPV6 && typeProto >>> 16 === ETH_TYPE_IPV6) field += 2;
  else return;
  const checksum = view.getUint16(field);
  if (isPartial(frames, p)) {
    // The field is a sum and not its complement.
    view.setUint16(field, ~update32(~checksum & 0xffff, before, after) & 0xffff);
  } else if (proto === IP_PROTO_UDP) {
    if (checksum !== 0) view.setUint16(field, update32(checksum, before, after) || 0xffff);
  } else view.setUint16(field, update32(checksum, before, after));
}

/** True when frame p's transport checksum is still to be completed. */
function isPartial(frames: Frames, p: number): boolean {
  return (frames.offloadFlags[p] & NEEDS_CSUM) !== 0 && frames.csumStart[p] === frames.l4[p];
}

function setPorts(
  view: DataView,
  frames: Frames,
  p: number,
  value: number,
  mask: number,
  ip: number,
): void {
  const l4 = frames.l4[p];
  if (l4 === 0) return;
  const at = frames.start[p] + l4;
  const typeProto = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO];
  const proto = (typeProto >>> 8) & 255;
  const partial = isPartial(frames, p);
  if (proto === IP_PROTO_TCP || proto === IP_PROTO_UDP) {
    const before = view.getUint32(at);
    masked32(view, at, value, mask);
    if (partial) return;
    const field = at + (proto === IP_PROTO_TCP ? 16 : 6);
    const checksum = view.getUint16(field);
    if (proto === IP_PROTO_UDP && checksum === 0) return;
    const updated = update32(checksum, before, view.getUint32(at));
    view.setUint16(field, proto === IP_PROTO_UDP ? updated || 0xffff : updated);
  } else if (proto === IP_PROTO_SCTP) {
    const bytes =
      typeProto >>> 16 === ETH_TYPE_IPV4
        ? ip + view.getUint16(ip + 2) - at
        : ip + 40 + view.getUint16(ip + 4) - at;
    const right = partial ? 0 : sctpChecksum(view, at, bytes);
    masked32(view, at, value, mask);
    if (partial) return;
    // The difference to the right value is kept, so that a damaged packet stays damaged.
    view.setUint32(at + 8, view.getUint32(at + 8) ^ right ^ sctpChecksum(view, at, bytes));
  } else if (proto === IP_PROTO_ICMP || proto === IP_PROTO_ICMPV6) {
    const before = view.getUint16(at);
    masked16(
      view,
      at,
      ((value >>> 8) & 0xff00) | (value & 0xff),
      ((mask >>> 8) & 0xff00) | (mask & 0xff),
    );
    if (!partial) {
      view.setUint16(at + 2, update16(view.getUint16(at + 2), before, view.getUint16(at)));
    }
  }
}

function setArp(view: DataView, ip: number, word: number, value: number, mask: number): void {
  if (word === IPV4_SRC) masked32(view, ip + 14, value, mask);
  else if (word === IPV4_DST) masked32(view, ip + 24, value, mask);
  else if (word === ETH_TYPE_PROTO) {
    // The key has the low byte of the opcode: a new one is a whole number below 256.
    if ((mask & 0xff00) === 0xff00) view.setUint16(ip + 6, (value >>> 8) & 255);
    else masked8(view, ip + 7, value >>> 8, mask >>> 8);
  } else if (word === ARP_SHA) masked32(view, ip + 8, value, mask);
  else if (word === ARP_SHA_THA) {
    masked16(view, ip + 12, value >>> 16, mask >>> 16);
    masked16(view, ip + 18, value, mask & 0xffff);
  } else if (word === ARP_THA) masked32(view, ip + 20, value, mask);
}

/** Neighbor discovery: target address, link-layer address options, reserved word and type of the first option. */
function setNeighbor(
  view: DataView,
  frames: Frames,
  p: number,
  ip: number,
  word: number,
  value: number,
  mask: number,
): void {
  const l4 = frames.l4[p];
  const typeProto = frames.keys[p * DP_WORDS + ETH_TYPE_PROTO];
  if (l4 === 0 || ((typeProto >>> 8) & 255) !== IP_PROTO_ICMPV6) return;
  const at = frames.start[p] + l4;
  const end = ip + 40 + view.getUint16(ip + 4);
  const type = view.getUint8(at);
  if (type !== ND_NEIGHBOR_SOLICIT && type !== ND_NEIGHBOR_ADVERT) return;
  if (view.getUint8(at + 1) !== 0 || at + 24 > end) return;
  if (word >= ND_TARGET && word < ND_TARGET + 4) {
    checked32(view, frames, p, at, at + 8 + 4 * (word - ND_TARGET), value, mask);
    return;
  }
  if (word === ND_RESERVED) {
    checked32(view, frames, p, at, at + 4, value, mask);
    return;
  }
  if (word === ND_OPTIONS) {
    if (at + 32 > end) return;
    checked16(view, frames, p, at, at + 24, (value >>> 16) & 0xff00, (mask >>> 16) & 0xff00);
    return;
  }
  let option = at + 24;
  while (option + 8 <= end) {
    const bytes = view.getUint8(option + 1) * 8;
    if (bytes === 0 || option + bytes > end) return;
    const kind = view.getUint8(option);
    if (bytes === 8 && kind === ND_OPT_SOURCE_LINKADDR) {
      if (word === ARP_SHA) {
        checked16(view, frames, p, at, option + 2, value >>> 16, mask >>> 16);
        checked16(view, frames, p, at, option + 4, value & 0xffff, mask & 0xffff);
      } else if (word === ARP_SHA_THA) {
        checked16(view, frames, p, at, option + 6, value >>> 16, mask >>> 16);
      }
    } else if (bytes === 8 && kind === ND_OPT_TARGET_LINKADDR) {
      if (word === ARP_SHA_THA) {
        checked16(view, frames, p, at, option + 2, value & 0xffff, mask & 0xffff);
      } else if (word === ARP_THA) checked32(view, frames, p, at, option + 4, value, mask);
    }
    option += bytes;
  }
}

function checked16(
  view: DataView,
  frames: Frames,
  p: number,
  icmp: number,
  at: number,
  value: number,
  mask: number,
): void {
  const before = view.getUint16(at);
  masked16(view, at, value, mask);
  if (isPartial(frames, p)) return;
  view.setUint16(icmp + 2, update16(view.getUint16(icmp + 2), before, view.getUint16(at)));
}

function checked32(
  view: DataView,
  frames: Frames,
  p: number,
  icmp: number,
  at: number,
  value: number,
  mask: number,
): void {
  checked16(view, frames, p, icmp, at, value >>> 16, mask >>> 16);
  checked16(view, frames, p, icmp, at + 2, value & 0xffff, mask & 0xffff);
}
