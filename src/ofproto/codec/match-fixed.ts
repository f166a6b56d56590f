/**
 * The match structures of OpenFlow 1.0 (40 bytes) and 1.1 (88 bytes): every field at a fixed place, with wildcard
 * bits; and what both leave to the switch, which fields count at all for a type of packet.
 *
 * dl_vlan of 1.0 is a whole tag's absence (0xffff) or an id; in the key both are VLAN0 with its present bit, as Open
 * vSwitch does it. nw_src and nw_dst of 1.0 count the wildcarded low bits.
 */
import type { Match } from '../../flowtable/match.ts';
import { ofPort } from '../../flowtable/of-port.ts';
import * as K from '../../packet/key.ts';
import { MatchFields, namedField } from './match-fields.ts';
import { portFromWide, portToWide } from './ports.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** ofp_flow_wildcards, OpenFlow 1.0. */
const W10 = {
  inPort: 1 << 0,
  vlan: 1 << 1,
  ethSrc: 1 << 2,
  ethDst: 1 << 3,
  ethType: 1 << 4,
  proto: 1 << 5,
  tpSrc: 1 << 6,
  tpDst: 1 << 7,
  nwSrcShift: 8,
  nwDstShift: 14,
  vlanPcp: 1 << 20,
  tos: 1 << 21,
} as const;

/** ofp_flow_wildcards, OpenFlow 1.1. */
const W11 = {
  inPort: 1 << 0,
  vlan: 1 << 1,
  vlanPcp: 1 << 2,
  ethType: 1 << 3,
  tos: 1 << 4,
  proto: 1 << 5,
  tpSrc: 1 << 6,
  tpDst: 1 << 7,
  mplsLabel: 1 << 8,
  mplsTc: 1 << 9,
} as const;

const VLAN_NONE = 0xffff;
const VLAN_ANY_11 = 0xfffe;
const VID = 0x0fff;
const PCP = 0xe000;
const ETH_IPV4 = 0x0800;
const MAC_ONES = 0xffff_ffff_ffffn;
const U64_ONES = 0xffff_ffff_ffff_ffffn;

const IN_PORT = namedField('in_port');
const ETH_SRC = namedField('eth_src');
const ETH_DST = namedField('eth_dst');
const ETH_TYPE = namedField('eth_type');
const NW_TOS = namedField('nw_tos');
const NW_PROTO = namedField('nw_proto');
const NW_SRC = namedField('nw_src');
const NW_DST = namedField('nw_dst');
const TP_SRC = namedField('tp_src');
const TP_DST = namedField('tp_dst');
const MPLS_LABEL = namedField('mpls_label');
const MPLS_TC = namedField('mpls_tc');
const METADATA = namedField('metadata');

const prefixMask = (wildBits: number): bigint =>
  wildBits >= 32 ? 0n : (0xffff_ffffn << BigInt(wildBits)) & 0xffff_ffffn;

/** Low bits that a mask of contiguous ones leaves open. */
function wildBits(mask: number): number {
  let count = 0;
  while (count < 32 && ((mask >>> count) & 1) === 0) count++;
  return count;
}

function setEthernet(match: MatchFields): void {
  match.setWord(K.PACKET_TYPE, 0, 0xffffffff);
}

/** Drops what the packet's type cannot have, as Open vSwitch does silently for matches that nobody else checked. */
function normalize(match: MatchFields): void {
  const { isIp, isArp, isMpls, ethType, ipProto } = match;
  const ipv4 = ethType === ETH_IPV4;
  const icmpOfFamily = ipProto === (ipv4 ? 1 : 58);
  const transport = isIp && (ipProto === 6 || ipProto === 17 || ipProto === 132 || icmpOfFamily);
  if (!ipv4 && !isArp) {
    match.clearWord(K.IPV4_SRC);
    match.clearWord(K.IPV4_DST);
  }
  if (!transport && !(ipv4 && ipProto === 2)) match.clearWord(K.TP);
  if (!isIp && !isArp) match.wildcard(NW_PROTO);
  if (!isIp) match.clearWord(K.TOS_TTL);
  if (!isMpls) for (let i = 0; i < 3; i++) match.clearWord(K.MPLS_LSE + i);
}

export function readMatch10(r: Reader): Match {
  const match = new MatchFields();
  const wild = r.u32();
  const inPort = r.u16();
  const ethSrc = r.uint(6);
  const ethDst = r.uint(6);
  const vlan = r.u16();
  const pcp = r.u8();
  r.skip(1);
  const ethType = r.u16();
  const tos = r.u8();
  const proto = r.u8();
  r.skip(2);
  const nwSrc = r.u32();
  const nwDst = r.u32();
  const tpSrc = r.u16();
  const tpDst = r.u16();

  const nwSrcMask = prefixMask((wild >>> W10.nwSrcShift) & 0x3f);
  const nwDstMask = prefixMask((wild >>> W10.nwDstShift) & 0x3f);
  if (!(wild & W10.inPort)) match.set(IN_PORT, BigInt(inPort));
  if (!(wild & W10.ethSrc)) match.set(ETH_SRC, ethSrc);
  if (!(wild & W10.ethDst)) match.set(ETH_DST, ethDst);
  if (!(wild & W10.ethType)) match.set(ETH_TYPE, BigInt(ethType));
  if (!(wild & W10.tos)) match.set(NW_TOS, BigInt(tos & 0xfc));
  if (!(wild & W10.proto)) match.set(NW_PROTO, BigInt(proto));
  if (nwSrcMask !== 0n) match.set(NW_SRC, BigInt(nwSrc), nwSrcMask);
  if (nwDstMask !== 0n) match.set(NW_DST, BigInt(nwDst), nwDstMask);
  if (!(wild & W10.tpSrc)) match.set(TP_SRC, BigInt(tpSrc));
  if (!(wild & W10.tpDst)) match.set(TP_DST, BigInt(tpDst));
  if (!(wild & W10.vlan) && vlan === VLAN_NONE) {
    match.setWord(K.VLAN0, 0, 0xffff);
  } else {
    let mask = 0;
    if (!(wild & W10.vlan)) mask |= VID | K.VLAN_CFI;
    if (!(wild & W10.vlanPcp)) mask |= PCP | K.VLAN_CFI;
    match.setWord(K.VLAN0, (vlan & VID) | ((pcp << 13) & PCP) | K.VLAN_CFI, mask);
  }
  if (match.maskWord(K.VLAN0) !== 0) setEthernet(match);
  normalize(match);
  return match.build();
}

export function writeMatch10(w: Writer, from: Match): void {
  const match = MatchFields.of(from);
  const unless = (bit: number, matched: boolean): number => (matched ? 0 : bit);
  let wild =
    unless(W10.inPort, match.has(IN_PORT)) |
    unless(W10.ethSrc, match.has(ETH_SRC)) |
    unless(W10.ethDst, match.has(ETH_DST)) |
    unless(W10.ethType, match.has(ETH_TYPE)) |
    unless(W10.tos, match.has(NW_TOS)) |
    unless(W10.proto, match.has(NW_PROTO)) |
    unless(W10.tpSrc, match.has(TP_SRC)) |
    unless(W10.tpDst, match.has(TP_DST)) |
    (wildBits(match.maskWord(K.IPV4_SRC)) << W10.nwSrcShift) |
    (wildBits(match.maskWord(K.IPV4_DST)) << W10.nwDstShift);
  const tci = match.word(K.VLAN0);
  const mask = match.maskWord(K.VLAN0) & 0xffff;
  let vlan = 0;
  let pcp = 0;
  if (mask === 0) {
    wild |= W10.vlan | W10.vlanPcp;
  } else if ((mask & K.VLAN_CFI) !== 0 && (tci & K.VLAN_CFI) === 0) {
    vlan = VLAN_NONE;
  } else {
    if ((mask & VID) === 0) wild |= W10.vlan;
    else vlan = tci & VID;
    if ((mask & PCP) === 0) wild |= W10.vlanPcp;
    else pcp = (tci >>> 13) & 7;
  }
  w.u32(wild);
  w.u16(Number(match.value(IN_PORT)));
  w.uint(match.value(ETH_SRC), 6);
  w.uint(match.value(ETH_DST), 6);
  w.u16(vlan);
  w.u8(pcp);
  w.zeros(1);
  w.u16(match.ethType);
  w.u8(Number(match.value(NW_TOS)));
  w.u8(match.ipProto);
  w.zeros(2);
  w.u32(match.word(K.IPV4_SRC));
  w.u32(match.word(K.IPV4_DST));
  w.u32(match.word(K.TP));
}

function setVlan11(r: Reader, match: MatchFields, wild: number, vlan: number, pcp: number): void {
  if (wild & W11.vlan) return;
  setEthernet(match);
  if (vlan === VLAN_NONE) {
    match.setWord(K.VLAN0, 0, 0xffff);
    return;
  }
  if (vlan === VLAN_ANY_11) match.setWord(K.VLAN0, K.VLAN_CFI, K.VLAN_CFI);
  else if (vlan <= VID) match.setWord(K.VLAN0, K.VLAN_CFI | vlan, K.VLAN_CFI | VID);
  else r.fail('OFPBMC_BAD_VALUE');
  if (wild & W11.vlanPcp) return;
  if (pcp > 7) r.fail('OFPBMC_BAD_VALUE');
  match.setWord(K.VLAN0, pcp << 13, PCP);
}

/** tp_src and tp_dst count for TCP, UDP and SCTP; ICMP's type and code as in 1.0, against the letter of 1.1. */
function setTransport11(
  r: Reader,
  match: MatchFields,
  wild: number,
  src: number,
  dst: number,
): void {
  const icmp = match.ipProto === 1;
  if (!icmp && match.ipProto !== 6 && match.ipProto !== 17 && match.ipProto !== 132) return;
  if (!(wild & W11.tpSrc)) {
    if (icmp && src > 0xff) r.fail('OFPBMC_BAD_FIELD');
    match.set(TP_SRC, BigInt(src));
  }
  if (!(wild & W11.tpDst)) {
    if (icmp && dst > 0xff) r.fail('OFPBMC_BAD_FIELD');
    match.set(TP_DST, BigInt(dst));
  }
}

export function readMatch11(r: Reader): Match {
  const match = new MatchFields();
  r.skip(4);
  const inPort = r.u32();
  const wild = r.u32();
  const ethSrc = r.uint(6);
  const ethSrcMask = r.uint(6) ^ MAC_ONES;
  const ethDst = r.uint(6);
  const ethDstMask = r.uint(6) ^ MAC_ONES;
  const vlan = r.u16();
  const pcp = r.u8();
  r.skip(1);
  const ethType = r.u16();
  const tos = r.u8();
  const proto = r.u8();
  const nwSrc = r.u32();
  const nwSrcMask = ~r.u32() >>> 0;
  const nwDst = r.u32();
  const nwDstMask = ~r.u32() >>> 0;
  const tpSrc = r.u16();
  const tpDst = r.u16();
  const mplsLabel = r.u32();
  const mplsTc = r.u8();
  r.skip(3);
  const metadata = r.u64();
  const metadataMask = r.u64() ^ U64_ONES;

  if (!(wild & W11.inPort)) {
    match.set(IN_PORT, BigInt(portFromWide(inPort) ?? r.fail('OFPBMC_BAD_VALUE')));
  }
  if (ethSrcMask !== 0n) match.set(ETH_SRC, ethSrc, ethSrcMask);
  if (ethDstMask !== 0n) match.set(ETH_DST, ethDst, ethDstMask);
  setVlan11(r, match, wild, vlan, pcp);
  if (!(wild & W11.ethType)) match.set(ETH_TYPE, BigInt(ethType));
  const ipv4 = match.ethType === ETH_IPV4;
  if (ipv4 && !(wild & W11.tos)) {
    if (tos & ~0xfc) r.fail('OFPBMC_BAD_VALUE');
    match.set(NW_TOS, BigInt(tos));
  }
  if (ipv4 || match.isArp) {
    if (!(wild & W11.proto)) match.set(NW_PROTO, BigInt(proto));
    if (nwSrcMask !== 0) match.set(NW_SRC, BigInt(nwSrc), BigInt(nwSrcMask));
    if (nwDstMask !== 0) match.set(NW_DST, BigInt(nwDst), BigInt(nwDstMask));
  }
  if (ipv4) setTransport11(r, match, wild, tpSrc, tpDst);
  if (match.isMpls) {
    if (!(wild & W11.mplsLabel)) match.set(MPLS_LABEL, BigInt(mplsLabel & 0xfffff));
    if (!(wild & W11.mplsTc)) match.set(MPLS_TC, BigInt(mplsTc & 7));
  }
  if (metadataMask !== 0n) match.set(METADATA, metadata, metadataMask);
  return match.build();
}

export function writeMatch11(w: Writer, from: Match): void {
  const match = MatchFields.of(from);
  const unless = (bit: number, matched: boolean): number => (matched ? 0 : bit);
  let wild =
    unless(W11.inPort, match.has(IN_PORT)) |
    unless(W11.ethType, match.has(ETH_TYPE)) |
    unless(W11.tos, match.has(NW_TOS)) |
    unless(W11.proto, match.has(NW_PROTO)) |
    unless(W11.tpSrc, match.has(TP_SRC)) |
    unless(W11.tpDst, match.has(TP_DST)) |
    unless(W11.mplsLabel, match.has(MPLS_LABEL)) |
    unless(W11.mplsTc, match.has(MPLS_TC));
  const tci = match.word(K.VLAN0);
  const mask = match.maskWord(K.VLAN0) & 0xffff;
  let vlan = 0;
  let pcp = 0;
  if (mask === 0) {
    wild |= W11.vlan | W11.vlanPcp;
  } else if ((mask & K.VLAN_CFI) !== 0 && (tci & K.VLAN_CFI) === 0) {
    vlan = VLAN_NONE;
    wild |= W11.vlanPcp;
  } else {
    vlan = (mask & VID) === 0 ? VLAN_ANY_11 : tci & VID;
    if ((mask & PCP) === 0) wild |= W11.vlanPcp;
    else pcp = (tci >>> 13) & 7;
  }
  w.u16(0);
  w.u16(88);
  w.u32(match.has(IN_PORT) ? portToWide(ofPort(Number(match.value(IN_PORT)))) : 0);
  w.u32(wild);
  w.uint(match.value(ETH_SRC), 6);
  w.uint(match.mask(ETH_SRC) ^ MAC_ONES, 6);
  w.uint(match.value(ETH_DST), 6);
  w.uint(match.mask(ETH_DST) ^ MAC_ONES, 6);
  w.u16(vlan);
  w.u8(pcp);
  w.zeros(1);
  w.u16(match.ethType);
  w.u8(Number(match.value(NW_TOS)));
  w.u8(match.ipProto);
  w.u32(match.word(K.IPV4_SRC));
  w.u32(~match.maskWord(K.IPV4_SRC) >>> 0);
  w.u32(match.word(K.IPV4_DST));
  w.u32(~match.maskWord(K.IPV4_DST) >>> 0);
  w.u32(match.word(K.TP));
  w.u32(Number(match.value(MPLS_LABEL)));
  w.u8(Number(match.value(MPLS_TC)));
  w.zeros(3);
  w.u64(match.value(METADATA));
  w.u64(match.mask(METADATA) ^ U64_ONES);
}
