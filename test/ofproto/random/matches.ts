/** Matches made up from lists of values, or from what a frame has. */
import { type Match, MatchBuilder } from '../../../src/flowtable/match.ts';
import { fieldWrite } from '../../../src/ofproto/xlate/subfields.ts';
import {
  FIELDS,
  type Field,
  fieldByName,
  fullMask,
  readField,
} from '../../../src/packet/fields.ts';
import * as K from '../../../src/packet/key.ts';
import { ADDRESSES, type Chance, MACS, PORTS } from './chance.ts';
import { randomFlow } from './flow.ts';

const VALUES: readonly [string, readonly (readonly [number, number])[], readonly bigint[]][] = [
  // Field, what must be matched besides (word, value under full relevant mask), values.
  ['in_port_oxm', [], [1n, 2n, 3n]],
  ['eth_dst', [], MACS],
  ['eth_src', [], MACS],
  ['vlan_tci', [], [0n, 0x100an, 0x1014n, 0x700an]],
  ['pkt_mark', [], [0n, 1n, 2n]],
  ['reg0', [], [0n, 1n, 2n]],
  ['reg1', [], [0n, 10n, 20n]],
  ['metadata', [], [0n, 1n, 0x100000000n]],
  ['ip_src', [[0x0800, -1]], ADDRESSES.map(BigInt)],
  ['ip_dst', [[0x0800, -1]], ADDRESSES.map(BigInt)],
  ['nw_ttl', [[0x0800, -1]], [1n, 64n]],
  ['tcp_dst', [[0x0800, 6]], PORTS.map(BigInt)],
  ['tcp_src', [[0x0800, 6]], PORTS.map(BigInt)],
  ['tcp_flags', [[0x0800, 6]], [2n, 16n]],
  ['udp_dst', [[0x0800, 17]], PORTS.map(BigInt)],
  ['tcp_dst', [[0x86dd, 6]], PORTS.map(BigInt)],
  ['ipv6_dst', [[0x86dd, -1]], [1n, 0xfe80n << 112n]],
  ['arp_op', [[0x0806, -1]], [1n, 2n]],
  ['arp_tpa', [[0x0806, -1]], ADDRESSES.map(BigInt)],
  ['mpls_label', [[0x8847, -1]], [16n, 17n]],
  ['mpls_bos', [[0x8847, -1]], [0n, 1n]],
  ['pbb_isid', [[0x88e7, -1]], [0n, 1n, 5n]],
];

function listedMatch({ next, pick }: Chance, isFirst: boolean): Match {
  const builder = new MatchBuilder();
  let type: readonly [number, number] | null = null;
  for (let i = next(4); i > 0; i--) {
    const [name, needs, values] = pick(VALUES);
    if (isFirst && (name.startsWith('reg') || name === 'metadata')) continue;
    const f = fieldByName(name)!;
    if (needs.length > 0) {
      if (type !== null && (type[0] !== needs[0][0] || type[1] !== needs[0][1])) continue;
      type = needs[0];
    }
    let mask = fullMask(f);
    if (f.maskable && next(2)) {
      const prefix = BigInt(next(f.bits) + 1);
      mask = next(3) ? mask ^ ((1n << (BigInt(f.bits) - prefix)) - 1n) : BigInt(1 + next(255));
      mask &= fullMask(f);
    }
    if (name === 'vlan_tci' && (mask & 0x1000n) === 0n) mask |= 0x1000n;
    const write = fieldWrite(f, pick(values), mask);
    write.words.forEach((w, j) => {
      builder.set(w, write.values[j], write.masks[j]);
    });
  }
  if (type !== null) {
    builder.set(K.ETH_TYPE_PROTO, type[0] << 16, 0xffff0000);
    if (type[1] >= 0) builder.set(K.ETH_TYPE_PROTO, type[1] << 8, 0xff00);
  }
  return builder.build();
}

/** What names several fields at once, has no place, or cannot be matched by users. */
const UNMATCHABLE =
  /^(skb_priority|recirc_id|dp_hash|packet_type|conj_id|tun_t.*|dl_vlan.*|in_port|nsh_.*|actset_output)$/;
const MATCHABLE = FIELDS.filter((f) => f.at >= 0 && !UNMATCHABLE.test(f.name));

const IP_TYPES: Readonly<Record<string, readonly number[]>> = {
  ipv4: [0x0800],
  ipv6: [0x86dd],
  ip: [0x0800, 0x86dd],
  arp: [0x0806, 0x8035],
  mpls: [0x8847, 0x8848],
  ct: [0x0800, 0x86dd],
  icmpv4: [0x0800],
  icmpv6: [0x86dd],
  nd: [0x86dd],
  'nd solicit': [0x86dd],
  'nd advert': [0x86dd],
  tcp: [0x0800, 0x86dd],
  udp: [0x0800, 0x86dd],
  sctp: [0x0800, 0x86dd],
};
const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  sctp: 132,
  icmpv4: 1,
  icmpv6: 58,
  nd: 58,
  'nd solicit': 58,
  'nd advert': 58,
};

/** Whether a frame has the field; adds to `builder` what then has to be matched besides. */
function require(builder: MatchBuilder, flow: Uint32Array, f: Field): boolean {
  const { prerequisite } = f;
  const type = flow[K.ETH_TYPE_PROTO] >>> 16;
  const protocol = (flow[K.ETH_TYPE_PROTO] >>> 8) & 0xff;
  if (prerequisite === 'vlan' && flow[K.VLAN0] === 0) return false;
  if (f.at >>> 5 === K.VLAN0) builder.set(K.VLAN0, flow[K.VLAN0], K.VLAN_CFI);
  const types = IP_TYPES[prerequisite];
  if (types === undefined) return true;
  if (!types.includes(type)) return false;
  const wanted = PROTOCOLS[prerequisite];
  if (wanted !== undefined && wanted !== protocol) return false;
  const icmpType = flow[K.TP] >>> 16;
  if (prerequisite.startsWith('nd')) {
    if (icmpType !== 135 && icmpType !== 136) return false;
    if (prerequisite === 'nd solicit' && icmpType !== 135) return false;
    if (prerequisite === 'nd advert' && icmpType !== 136) return false;
    builder.set(K.TP, flow[K.TP]);
  }
  builder.set(K.ETH_TYPE_PROTO, type << 16, 0xffff0000);
  if (wanted !== undefined) builder.set(K.ETH_TYPE_PROTO, wanted << 8, 0xff00);
  return true;
}

/** Some of what a made up frame has, of any field, under any mask that the field takes. */
function matchOfFrame(chance: Chance, isFirst: boolean): Match {
  const { next, pick, words } = chance;
  const { flow } = randomFlow(chance);
  flow[K.OF_IN_PORT] = flow[K.IN_PORT];
  const builder = new MatchBuilder();
  for (let left = 1 + next(4), tries = 0; left > 0 && tries < 40; tries++) {
    const f = pick(MATCHABLE);
    const isPipeline = f.at >>> 5 >= K.METADATA;
    if (isPipeline && (isFirst || next(4) > 0)) continue;
    if (!require(builder, flow, f)) continue;
    left--;
    let mask = fullMask(f);
    if (f.maskable && next(2) === 0) {
      const bits = BigInt(next(f.bits) + 1);
      mask = next(2) === 0 ? mask ^ (mask >> bits) : BigInt(words()) & mask;
    }
    // What is in the registers is not known here.
    const value = isPipeline ? BigInt(next(3)) : readField(flow, f);
    const write = fieldWrite(f, value, mask);
    write.words.forEach((w, i) => {
      builder.set(w, write.values[i], write.masks[i]);
    });
  }
  return builder.build();
}

/** `isFirst`: of a table where registers are still empty. */
export const randomMatch = (chance: Chance, isFirst: boolean): Match =>
  chance.next(2) === 0 ? listedMatch(chance, isFirst) : matchOfFrame(chance, isFirst);
