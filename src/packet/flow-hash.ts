/**
 * The hash of a flow: what HASH writes into dp_hash, and what translation computes when it has to know it.
 *
 * IP: addresses, protocol and, unless the packet is a fragment, ports. Other frames: addresses and type of Ethernet.
 * A symmetric hash is the same for both directions, and takes the addresses of Ethernet and ARP in: it is what select
 * groups use, which have to spread frames that differ in any of these. Never 0, which means "no hash".
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

const mix = (h: number, word: number): number => {
  const x = Math.imul(word, 0xcc9e2d51);
  const y = h ^ Math.imul((x << 15) | (x >>> 17), 0x1b873593);
  return (Math.imul((y << 13) | (y >>> 19), 5) + 0xe6546b64) | 0;
};

/** Hash of the key at keys[base ..], 1 .. 0xffffffff. */
export function flowHash(
  keys: Uint32Array,
  base: number,
  basis: number,
  isSymmetric: boolean,
): number {
  const typeProto = keys[base + ETH_TYPE_PROTO];
  const type = typeProto >>> 16;
  const proto = (typeProto >>> 8) & 255;
  let h = basis | 0;
  if (type === ETH_TYPE_IPV4) {
    h = pair(h, keys[base + IPV4_SRC], keys[base + IPV4_DST], isSymmetric);
  } else if (type === ETH_TYPE_IPV6) {
    for (let i = 0; i < 4; i++) {
      h = pair(h, keys[base + IPV6_SRC + i], keys[base + IPV6_DST + i], isSymmetric);
    }
  } else {
    h = ethernet(mix(h, type), keys, base, isSymmetric);
    if (isSymmetric && (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP)) {
      h = pair(h, keys[base + IPV4_SRC], keys[base + IPV4_DST], true);
    }
    return finish(h);
  }
  if (isSymmetric) h = ethernet(h, keys, base, true);
  h = mix(h, proto);
  const hasPorts = proto === IP_PROTO_TCP || proto === IP_PROTO_UDP || proto === IP_PROTO_SCTP;
  if (hasPorts && (typeProto & 3) === 0) {
    h = pair(h, keys[base + TP] >>> 16, keys[base + TP] & 0xffff, isSymmetric);
  } else if (!isSymmetric && (typeProto & 3) === 0) {
    h = mix(h, keys[base + TP]);
  }
  return finish(h);
}

function ethernet(h: number, keys: Uint32Array, base: number, isSymmetric: boolean): number {
  const low = pair(h, keys[base + ETH_SRC], tail(keys, base), isSymmetric);
  const middle = keys[base + ETH_DST_SRC];
  return pair(low, middle & 0xffff, keys[base + ETH_DST] >>> 16, isSymmetric);
}

/** eth_dst bytes 2-5, as ETH_SRC has them of eth_src. */
const tail = (keys: Uint32Array, base: number): number =>
  ((keys[base + ETH_DST] << 16) | (keys[base + ETH_DST_SRC] >>> 16)) >>> 0;

function pair(h: number, a: number, b: number, isSymmetric: boolean): number {
  if (!isSymmetric) return mix(mix(h, a), b);
  return mix(mix(h, (a ^ b) >>> 0), (a + b) | 0);
}

function finish(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  x = (x ^ (x >>> 16)) >>> 0;
  return x === 0 ? 1 : x;
}
