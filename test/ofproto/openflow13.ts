/**
 * OpenFlow 1.3 as a controller writes it, and frames as the wire has them: numbers of the specification (1.3.5, 7.2) in
 * hex, sharing no code with src/, so that a test of both ends sees what either gets wrong.
 *
 * Everything is hex text; `oxm('ip_proto', '06')` is one entry of a match, `frame({ type: '0800' }, ip4(), tcp())` a frame.
 */
import { onesComplement } from '../packet/frame-builder.ts';

/** OXM_OF_*: number, bytes of the value. */
const OXM = {
  in_port: [0, 4],
  in_phy_port: [1, 4],
  metadata: [2, 8],
  eth_dst: [3, 6],
  eth_src: [4, 6],
  eth_type: [5, 2],
  vlan_vid: [6, 2],
  vlan_pcp: [7, 1],
  ip_dscp: [8, 1],
  ip_ecn: [9, 1],
  ip_proto: [10, 1],
  ipv4_src: [11, 4],
  ipv4_dst: [12, 4],
  tcp_src: [13, 2],
  tcp_dst: [14, 2],
  udp_src: [15, 2],
  udp_dst: [16, 2],
  sctp_src: [17, 2],
  sctp_dst: [18, 2],
  icmpv4_type: [19, 1],
  icmpv4_code: [20, 1],
  arp_op: [21, 2],
  arp_spa: [22, 4],
  arp_tpa: [23, 4],
  arp_sha: [24, 6],
  arp_tha: [25, 6],
  ipv6_src: [26, 16],
  ipv6_dst: [27, 16],
  ipv6_flabel: [28, 4],
  icmpv6_type: [29, 1],
  icmpv6_code: [30, 1],
  ipv6_nd_target: [31, 16],
  ipv6_nd_sll: [32, 6],
  ipv6_nd_tll: [33, 6],
  mpls_label: [34, 4],
  mpls_tc: [35, 1],
  mpls_bos: [36, 1],
  pbb_isid: [37, 3],
  tunnel_id: [38, 8],
  ipv6_exthdr: [39, 2],
} as const;

export type OxmName = keyof typeof OXM;
export const OXM_NAMES = Object.keys(OXM) as OxmName[];

export const hex = (value: number | bigint, bytes: number): string =>
  value.toString(16).padStart(2 * bytes, '0');
const clean = (text: string): string => text.replaceAll(/[\s:.]/g, '');
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(clean(text), 'hex'));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const padded = (text: string): string => text + '00'.repeat((8 - ((text.length / 2) % 8)) % 8);

/** An OXM entry; value and mask are hex of any length up to the field's. */
export function oxm(name: OxmName, value: string, mask: string | null = null): string {
  const [number, bytes] = OXM[name];
  const wide = (text: string): string => clean(text).padStart(2 * bytes, '0');
  const header = `8000${hex((number << 1) | (mask === null ? 0 : 1), 1)}`;
  if (mask === null) return header + hex(bytes, 1) + wide(value);
  return header + hex(2 * bytes, 1) + wide(value) + wide(mask);
}

const action = (type: number, body: string): string => {
  const rest = padded(`00000000${body}`).slice(8);
  return hex(type, 2) + hex(4 + rest.length / 2, 2) + rest;
};
export const output = (port: number): string => action(0, `${hex(port, 4)}ffff000000000000`);
export const copyTtlOut = action(11, '00000000');
export const copyTtlIn = action(12, '00000000');
export const setMplsTtl = (ttl: number): string => action(15, `${hex(ttl, 1)}000000`);
export const decMplsTtl = action(16, '00000000');
export const pushVlan = (type = '8100'): string => action(17, `${type}0000`);
export const popVlan = action(18, '00000000');
export const pushMpls = (type = '8847'): string => action(19, `${type}0000`);
export const popMpls = (type: string): string => action(20, `${type}0000`);
export const setQueue = (queue: number): string => action(21, hex(queue, 4));
export const toGroup = (group: number): string => action(22, hex(group, 4));
export const setNwTtl = (ttl: number): string => action(23, `${hex(ttl, 1)}000000`);
export const decNwTtl = action(24, '00000000');
export const setField = (name: OxmName, value: string): string => action(25, oxm(name, value));
export const pushPbb = action(26, '88e70000');
export const popPbb = action(27, '00000000');

const ofActions = (type: number, actions: readonly string[]): string => {
  const body = actions.join('');
  return `${hex(type, 2)}${hex(8 + body.length / 2, 2)}00000000${body}`;
};
export const write = (...actions: string[]): string => ofActions(3, actions);
export const apply = (...actions: string[]): string => ofActions(4, actions);
export const goto = (table: number): string => `00010008${hex(table, 1)}000000`;
export const writeMetadata = (value: string, mask: string): string =>
  `0002001800000000${value.padStart(16, '0')}${mask.padStart(16, '0')}`;

/** OFPT_FLOW_MOD that adds a flow. */
export function flowMod(table: number, match: string, ...instructions: string[]): Uint8Array {
  const fixed = `${'0'.repeat(32)}${hex(table, 1)}00${'0'.repeat(8)}8000${'f'.repeat(24)}0000${'0000'}`;
  const ofMatch = padded(`0001${hex(4 + match.length / 2, 2)}${match}`);
  const body = fixed + ofMatch + instructions.join('');
  return bytesOf(`040e${hex(8 + body.length / 2, 2)}00000001${body}`);
}

/** OFPT_GROUP_MOD that adds a group: 0 all, 1 select, 2 indirect, 3 fast failover; each bucket watches its port. */
export function groupMod(
  group: number,
  type: number,
  ...buckets: { watch: number; weight?: number; actions: string }[]
): Uint8Array {
  const list = buckets.map(
    ({ watch, weight = type === 1 ? 1 : 0, actions }) =>
      `${hex(16 + actions.length / 2, 2)}${hex(weight, 2)}${type === 3 ? hex(watch, 4) : 'ffffffff'}ffffffff00000000${actions}`,
  );
  const body = `0000${hex(type, 1)}00${hex(group, 4)}${list.join('')}`;
  return bytesOf(`040f${hex(8 + body.length / 2, 2)}00000001${body}`);
}

/** What a frame's headers hold; hex, but for the numbers. */
export interface Headers {
  dst: string;
  src: string;
  type: string;
  vid: number;
  pcp: number;
  label: number;
  tc: number;
  bos: number;
  mplsTtl: number;
  isid: number;
  tos: number;
  ttl: number;
  proto: number;
  ip4Src: string;
  ip4Dst: string;
  ip6Src: string;
  ip6Dst: string;
  flabel: number;
  sport: number;
  dport: number;
  icmpType: number;
  icmpCode: number;
  target: string;
  lla: string;
  op: number;
  spa: string;
  tpa: string;
  sha: string;
  tha: string;
  extensions: number[];
}

const DEFAULT: Headers = {
  dst: '0200000000b1',
  src: '0200000000a1',
  type: '',
  vid: 100,
  pcp: 3,
  label: 100,
  tc: 3,
  bos: 1,
  mplsTtl: 64,
  isid: 100,
  tos: 0x21,
  ttl: 64,
  proto: -1,
  ip4Src: '0a000001',
  ip4Dst: '0a000002',
  ip6Src: '20010db8000000000000000000000001',
  ip6Dst: '20010db8000000000000000000000002',
  flabel: 0x12345,
  sport: 1000,
  dport: 2000,
  icmpType: 8,
  icmpCode: 0,
  target: '20010db80000000000000000000000aa',
  lla: '0200000000c1',
  op: 1,
  spa: '0a000001',
  tpa: '0a000002',
  sha: '0200000000a1',
  tha: '0200000000b1',
  extensions: [],
};

const PAYLOAD = '0102030405060708090a0b0c0d0e0f10';
const sum = (text: string): string => hex(~onesComplement(bytesOf(text)) & 0xffff, 2);

/** RFC 3309, bit by bit. */
function crc32c(text: string): string {
  let crc = 0xffffffff;
  for (const byte of bytesOf(text)) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(~crc >>> 0);
  return bytes.toString('hex');
}

export type Kind =
  | 'tcp4'
  | 'udp4'
  | 'sctp4'
  | 'icmp4'
  | 'tcp6'
  | 'udp6'
  | 'sctp6'
  | 'icmp6'
  | 'nd6'
  | 'arp';
const PROTO = { tcp: 6, udp: 17, sctp: 132, icmp: 1 } as const;

/** Transport header and payload, its checksum over the pseudo header `pseudo(protocol, length)`. */
function transport(
  name: string,
  h: Headers,
  pseudo: (proto: number, bytes: number) => string,
): string {
  const ports = hex(h.sport, 2) + hex(h.dport, 2);
  const shape: Record<string, [head: string, tail: string]> = {
    tcp: [`${ports}000000090000000150100064`, `0000${PAYLOAD}`],
    udp: [ports + hex(8 + PAYLOAD.length / 2, 2), PAYLOAD],
    icmp: [hex(h.icmpType, 1) + hex(h.icmpCode, 1), `00010001${PAYLOAD}`],
    nd: [
      hex(h.icmpType, 1) + hex(h.icmpCode, 1),
      `00000000${h.target}${h.icmpType === 135 ? '01' : '02'}01${h.lla}`,
    ],
  };
  if (name === 'sctp') {
    const chunk = `000300140000000100020003000000${'04'}deadbeef`;
    const head = `${ports}00000007`;
    return `${head}${crc32c(`${head}00000000${chunk}`)}${chunk}`;
  }
  const [head, tail] = shape[name];
  const number = { tcp: 6, udp: 17, icmp: 1, nd: 58 }[name] ?? 0;
  const whole = `${head}0000${tail}`;
  return `${head}${sum(pseudo(number, whole.length / 2) + whole)}${tail}`;
}

/** The network layer of a frame and what is behind it, and its Ethernet type. */
function packet(kind: Kind, change: Partial<Headers> = {}): { type: string; body: string } {
  const h = { ...DEFAULT, ...change };
  if (kind === 'arp') {
    const body = `000108000604${hex(h.op, 2)}${h.sha}${h.spa}${h.tha}${h.tpa}${'00'.repeat(18)}`;
    return { type: '0806', body };
  }
  const name = kind.slice(0, -1);
  if (kind.endsWith('4')) {
    const own = PROTO[name as keyof typeof PROTO];
    const behind = transport(name, h, (proto, bytes) =>
      proto === 1 ? '' : `${h.ip4Src}${h.ip4Dst}00${hex(proto, 1)}${hex(bytes, 2)}`,
    );
    const head = `45${hex(h.tos, 1)}${hex(20 + behind.length / 2, 2)}00004000${hex(h.ttl, 1)}`;
    const start = head + hex(h.proto < 0 ? own : h.proto, 1);
    const end = h.ip4Src + h.ip4Dst;
    return { type: '0800', body: `${start}${sum(`${start}0000${end}`)}${end}${behind}` };
  }
  const number = name === 'icmp' || name === 'nd' ? 58 : PROTO[name as keyof typeof PROTO];
  const behind = transport(
    name,
    h,
    (proto, bytes) =>
      `${h.ip6Src}${h.ip6Dst}${hex(bytes, 4)}000000${hex(proto === 1 ? 58 : proto, 1)}`,
  );
  const chain = [...h.extensions, h.proto < 0 ? number : h.proto];
  const headers = h.extensions.map((own, i) => {
    // A fragment header of a whole packet; AUTH counts its length in words less two; the others are options, padded.
    const rest =
      own === 44 ? '00'.repeat(7) : own === 51 ? `04${'00'.repeat(22)}` : '00010400000000';
    return hex(chain[i + 1], 1) + rest;
  });
  const payload = headers.join('') + behind;
  const head = hex(0x60000000 + h.tos * 0x100000 + h.flabel, 4);
  return {
    type: '86dd',
    body: `${head}${hex(payload.length / 2, 2)}${hex(chain[0], 1)}${hex(h.ttl, 1)}${h.ip6Src}${h.ip6Dst}${payload}`,
  };
}

/** How a packet is carried: the tags and headers between the Ethernet addresses and the network layer, outermost first. */
export type Carrier =
  | 'plain'
  | 'vlan'
  | 'svlan'
  | 'qinq'
  | 'mpls'
  | 'mplsMulticast'
  | 'labels'
  | 'pbb';

export function frame(kind: Kind, carrier: Carrier, change: Partial<Headers> = {}): Uint8Array {
  const h = { ...DEFAULT, ...change };
  const { type: own, body } = packet(kind, change);
  const type = h.type || own;
  const addresses = h.dst + h.src;
  const tci = hex((h.pcp << 13) | h.vid, 2);
  const entry = (bos: number): string =>
    hex(h.label * 4096 + h.tc * 512 + bos * 256 + h.mplsTtl, 4);
  const between: Record<Carrier, string> = {
    plain: type,
    vlan: `8100${tci}${type}`,
    svlan: `88a8${tci}${type}`,
    qinq: `88a8000a8100${tci}${type}`,
    mpls: `8847${entry(h.bos)}`,
    mplsMulticast: `8848${entry(h.bos)}`,
    labels: `8847${entry(0)}${entry(1)}`,
    pbb: `88e7${hex(h.isid, 4)}${addresses}${type}`,
  };
  return bytesOf(addresses + between[carrier] + body);
}
