/**
 * Hashes of flows for multipath, bundle and select groups: the same values as the original's, since which link a flow
 * takes is seen from outside. MurmurHash3's mixing over 32-bit words, and lookup3 where the original has kept it;
 * fields are taken as their bytes lie in the header, read as little-endian words.
 */
import type { HashFields } from '../../flowtable/action.ts';
import {
  HashedPorts,
  hashAdd,
  hashFinish,
  symmetricL3 as symmetricIp,
} from '../../packet/flow-hash.ts';
import {
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_SRC,
  TP,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from '../../packet/key.ts';
import type { XlateContext } from './context.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;

const rotate = (x: number, n: number): number => (x << n) | (x >>> (32 - n));

export const hashTwoWords = (x: number, y: number): number =>
  hashFinish(hashAdd(hashAdd(x, 0), y), 8);

/** Of a 64-bit number. */
export const hashUint64 = (x: bigint): number =>
  hashFinish(hashAdd(hashAdd(0, Number(x & 0xffffffffn)), Number((x >> 32n) & 0xffffffffn)), 8);

const word32 = (bytes: Uint8Array, at: number): number => {
  let word = 0;
  for (let i = 0; i < 4 && at + i < bytes.length; i++) word |= bytes[at + i] << (8 * i);
  return word;
};

export function hashBytes(bytes: Uint8Array, basis: number): number {
  let hash = basis;
  for (let at = 0; at < bytes.length; at += 4) hash = hashAdd(hash, word32(bytes, at));
  return hashFinish(hash, bytes.length);
}

/** Bob Jenkins' lookup3 over whole bytes. */
function lookup3(bytes: Uint8Array, basis: number): number {
  let a = (0xdeadbeef + bytes.length + basis) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (; bytes.length - at >= 12; at += 12) {
    a = (a + word32(bytes, at)) | 0;
    b = (b + word32(bytes, at + 4)) | 0;
    c = (c + word32(bytes, at + 8)) | 0;
    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
  }
  if (at < bytes.length) {
    a = (a + word32(bytes, at)) | 0;
    b = (b + word32(bytes, at + 4)) | 0;
    c = (c + word32(bytes, at + 8)) | 0;
    c = ((c ^ b) - rotate(b, 14)) | 0;
    a = ((a ^ c) - rotate(c, 11)) | 0;
    b = ((b ^ a) - rotate(a, 25)) | 0;
    c = ((c ^ b) - rotate(b, 16)) | 0;
    a = ((a ^ c) - rotate(c, 4)) | 0;
    b = ((b ^ a) - rotate(a, 14)) | 0;
    c = ((c ^ b) - rotate(b, 24)) | 0;
  }
  return c >>> 0;
}

const ethType = (flow: Uint32Array): number => flow[ETH_TYPE_PROTO] >>> 16;
const isIp = (flow: Uint32Array): boolean => ethType(flow) === IPV4 || ethType(flow) === IPV6;
const protocol = (flow: Uint32Array): number => (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
/** Flows of both directions of a connection have one value. UDP ports stay out: they need not be symmetric. */
function symmetricL4(flow: Uint32Array, basis: number): number {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  const type = ethType(flow);
  setAddressXor(view, flow);
  view.setUint16(16, type);
  view.setUint16(18, (flow[VLAN0] ^ flow[VLAN1]) & 0xfff);
  if (type === IPV4 || type === IPV6) {
    const proto = protocol(flow);
    if (proto === TCP || proto === SCTP)
      view.setUint16(20, (flow[TP] >>> 16) ^ (flow[TP] & 0xffff));
    bytes[28] = proto;
  }
  setEthernetXor(view, 22, flow);
  return lookup3(bytes, basis);
}

/** Of addresses and type of Ethernet and the VLAN, for frames that are not IP. */
function symmetricL2(flow: Uint32Array, basis: number): number {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ethType(flow));
  view.setUint16(2, (flow[VLAN0] ^ flow[VLAN1]) & 0xfff);
  setEthernetXor(view, 4, flow);
  let hash = basis;
  for (let at = 0; at < bytes.length; at += 4) hash = hashAdd(hash, word32(bytes, at));
  return hashFinish(hash, basis);
}

function symmetricL3(flow: Uint32Array, basis: number): number {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  setAddressXor(view, flow);
  view.setUint16(16, ethType(flow));
  return lookup3(bytes, basis);
}

function symmetricL3L4(flow: Uint32Array, basis: number, ports: number): number {
  return isIp(flow) ? symmetricIp(flow, 0, basis, ports) : symmetricL2(flow, basis);
}

/** Source and destination of Ethernet, xored: six bytes. */
function setEthernetXor(view: DataView, at: number, flow: Uint32Array): void {
  view.setUint16(at, (flow[ETH_DST] >>> 16) ^ (flow[ETH_DST_SRC] & 0xffff));
  const low = ((flow[ETH_DST] << 16) | (flow[ETH_DST_SRC] >>> 16)) ^ flow[ETH_SRC];
  view.setUint32(at + 2, low >>> 0);
}

/** Source and destination of IP, xored, at the beginning: sixteen bytes, of which IPv4 takes four. */
function setAddressXor(view: DataView, flow: Uint32Array): void {
  const type = ethType(flow);
  if (type === IPV4) view.setUint32(0, flow[IPV4_SRC] ^ flow[IPV4_DST]);
  else if (type === IPV6) {
    for (let i = 0; i < 4; i++) view.setUint32(4 * i, flow[IPV6_SRC + i] ^ flow[IPV6_DST + i]);
  }
}

function hashAddress(flow: Uint32Array, ipv4: number, ipv6: number, basis: number): number {
  const type = ethType(flow);
  if (type !== IPV4 && type !== IPV6) return basis;
  const words = type === IPV4 ? 1 : 4;
  const bytes = new Uint8Array(4 * words);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words; i++) view.setUint32(4 * i, flow[(words === 1 ? ipv4 : ipv6) + i]);
  return lookup3(bytes, basis);
}

/** Hash of the flow over `fields`. What it depends on: consultHash. */
export function flowHash(flow: Uint32Array, fields: HashFields, basis: number): number {
  switch (fields) {
    case 'eth_src': {
      const bytes = new Uint8Array(6);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, flow[ETH_DST_SRC] & 0xffff);
      view.setUint32(2, flow[ETH_SRC]);
      return lookup3(bytes, basis);
    }
    case 'symmetric_l4':
      return symmetricL4(flow, basis);
    case 'symmetric_l3l4':
      return symmetricL3L4(flow, basis, HashedPorts.NO_UDP);
    case 'symmetric_l3l4+udp':
      return symmetricL3L4(flow, basis, HashedPorts.ALL);
    case 'symmetric_l3':
      return symmetricL3(flow, basis);
    case 'nw_src':
      return hashAddress(flow, IPV4_SRC, IPV6_SRC, basis);
    case 'nw_dst':
      return hashAddress(flow, IPV4_DST, IPV6_DST, basis);
  }
}

/** Consults what flowHash depends on. */
export function consultHash(ctx: XlateContext, fields: HashFields): void {
  const { flow, mask } = ctx;
  const type = ethType(flow);
  const address = (ipv4: number, ipv6: number): void => {
    if (type === IPV4) mask[ipv4] = 0xffffffff;
    else if (type === IPV6) mask.fill(0xffffffff, ipv6, ipv6 + 4);
  };
  if (fields === 'eth_src') {
    mask[ETH_DST_SRC] |= 0xffff;
    mask[ETH_SRC] = 0xffffffff;
    return;
  }
  if (fields === 'nw_src' || fields === 'nw_dst') {
    if (fields === 'nw_src') address(IPV4_SRC, IPV6_SRC);
    else address(IPV4_DST, IPV6_DST);
    return;
  }
  // The original forgets these for frames that are not IP; a megaflow has to be exact in what was hashed.
  if (fields === 'symmetric_l4' || (fields !== 'symmetric_l3' && !isIp(flow))) {
    mask[ETH_DST] = mask[ETH_DST_SRC] = mask[ETH_SRC] = 0xffffffff;
    ctx.vlans.consult(0, 0xfff | VLAN_CFI);
    ctx.vlans.consult(1, 0xfff | VLAN_CFI);
  }
  address(IPV4_SRC, IPV6_SRC);
  address(IPV4_DST, IPV6_DST);
  if (fields === 'symmetric_l3' || (type !== IPV4 && type !== IPV6)) return;
  mask[ETH_TYPE_PROTO] |= 0xff00;
  const proto = protocol(flow);
  if (proto === TCP || proto === SCTP || (proto === UDP && fields === 'symmetric_l3l4+udp')) {
    mask[TP] = 0xffffffff;
  }
}
