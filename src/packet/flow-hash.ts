/**
 * The hash of a flow: what HASH writes into dp_hash, and what translation computes when it has to know it.
 *
 * Of IP: addresses, protocol and, unless the packet is a fragment, ports. Other frames: addresses and type of Ethernet. A symmetric
 * hash is the same for both directions: Open vSwitch's of IP, and the addresses of Ethernet and ARP, which the original leaves out:
 * it is what select groups choose by, and they have to spread frames that differ in any of these. Never 0, which means "no hash".
 */
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
} from './key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  ETH_TYPE_RARP,
  IP_PROTO_SCTP,
  IP_PROTO_TCP,
  IP_PROTO_UDP,
} from './protocol.ts';

/** A step of MurmurHash3 over a 32-bit word. */
export function hashAdd(hash: number, word: number): number {
  const x = Math.imul(word, 0xcc9e2d51);
  const y = hash ^ Math.imul((x << 15) | (x >>> 17), 0x1b873593);
  return (Math.imul((y << 13) | (y >>> 19), 5) + 0xe6546b64) | 0;
}

/** Its last step; `final` is mostly the number of bytes hashed. */
export function hashFinish(hash: number, final: number): number {
  let x = hash ^ final;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Hash of the key at keys[base ..], 1 .. 0xffffffff. */
export function flowHash(
  keys: Uint32Array,
  base: number,
  basis: number,
  isSymmetric: boolean,
): number {
  const type = keys[base + ETH_TYPE_PROTO] >>> 16;
  const isIp = type === ETH_TYPE_IPV4 || type === ETH_TYPE_IPV6;
  if (isIp && !isSymmetric) return fiveTuple(keys, base, basis);
  if (isIp) {
    const ip = symmetricL3(keys, base, basis, HashedPorts.NO_UDP);
    return (ip ^ hashFinish(ethernet(0, keys, base, true), 0)) >>> 0 || 1;
  }
  let h = ethernet(hashAdd(basis, type), keys, base, isSymmetric);
  if (isSymmetric && (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP)) {
    h = pair(h, keys[base + IPV4_SRC], keys[base + IPV4_DST], true);
  }
  return hashFinish(h, 0) || 1;
}

function fiveTuple(keys: Uint32Array, base: number, basis: number): number {
  const typeProto = keys[base + ETH_TYPE_PROTO];
  let h = basis | 0;
  if (typeProto >>> 16 === ETH_TYPE_IPV4) {
    h = pair(h, keys[base + IPV4_SRC], keys[base + IPV4_DST], false);
  } else {
    for (let i = 0; i < 4; i++) {
      h = pair(h, keys[base + IPV6_SRC + i], keys[base + IPV6_DST + i], false);
    }
  }
  h = hashAdd(h, (typeProto >>> 8) & 255);
  if ((typeProto & 3) === 0) h = hashAdd(h, keys[base + TP]);
  return hashFinish(h, 0) || 1;
}

/** Which protocols' ports a symmetric hash takes in: a reply over UDP need not come from the port that was asked. */
export const HashedPorts = { NO_UDP: 1, ALL: 2 } as const;

/**
 * Open vSwitch's hash of addresses, protocol and ports of IP that is the same for both directions, 0 for other frames.
 * `ports`: a HashedPorts.
 */
export function symmetricL3(keys: Uint32Array, base: number, basis: number, ports: number): number {
  const typeProto = keys[base + ETH_TYPE_PROTO];
  const type = typeProto >>> 16;
  let h = basis | 0;
  if (type === ETH_TYPE_IPV4) h = hashAdd(h, swap32(keys[base + IPV4_SRC] ^ keys[base + IPV4_DST]));
  else if (type === ETH_TYPE_IPV6) {
    for (let i = 0; i < 4; i++) {
      h = hashAdd(h, swap32(keys[base + IPV6_SRC + i] ^ keys[base + IPV6_DST + i]));
    }
  } else return 0;
  const proto = (typeProto >>> 8) & 255;
  h = hashAdd(h, proto);
  const isFragment = (typeProto & 3) !== 0;
  const isUdp = proto === IP_PROTO_UDP && ports === HashedPorts.ALL;
  if (!isFragment && (proto === IP_PROTO_TCP || proto === IP_PROTO_SCTP || isUdp)) {
    h = hashAdd(h, swap16((keys[base + TP] >>> 16) ^ (keys[base + TP] & 0xffff)));
  }
  return hashFinish(h, basis);
}

const swap16 = (x: number): number => ((x & 0xff) << 8) | (x >>> 8);
const swap32 = (x: number): number =>
  ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0;

function ethernet(h: number, keys: Uint32Array, base: number, isSymmetric: boolean): number {
  const low = pair(h, keys[base + ETH_SRC], tail(keys, base), isSymmetric);
  const middle = keys[base + ETH_DST_SRC];
  return pair(low, middle & 0xffff, keys[base + ETH_DST] >>> 16, isSymmetric);
}

/** eth_dst bytes 2-5, as ETH_SRC has them of eth_src. */
const tail = (keys: Uint32Array, base: number): number =>
  ((keys[base + ETH_DST] << 16) | (keys[base + ETH_DST_SRC] >>> 16)) >>> 0;

function pair(h: number, a: number, b: number, isSymmetric: boolean): number {
  if (!isSymmetric) return hashAdd(hashAdd(h, a), b);
  return hashAdd(hashAdd(h, (a ^ b) >>> 0), (a + b) | 0);
}
