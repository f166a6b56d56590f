/** Files of flows in ovs-ofctl(8)'s syntax, for loads: the same seedless flows each time, each of another match. */

export interface FlowShape {
  readonly name: string;
  /** Line of flow number `i`; `variant` changes what the flow does, not what it matches. */
  readonly line: (i: number, variant: number) => string;
}

const address = (n: number): string =>
  `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
/** Spreads consecutive numbers: a bijection of 32 bits. */
const spread = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;

/** Every bit of a connection's addresses and ports. */
const exact = (i: number, variant: number): string =>
  `priority=100,tcp,nw_src=10.1.${(i >> 8) & 255}.${i & 255},nw_dst=10.2.0.${i % 251},tp_src=${1024 + (i % 60_000)},tp_dst=${80 + (i >> 14)},actions=output:${2 + variant}`;

/** Routes: prefixes of 12 to 32 bits, the longer the higher, as a routing table has them. */
const prefix = (i: number, variant: number): string => {
  const length = i % 16 === 0 ? 12 + ((i >> 4) % 12) : 24 + (i % 9);
  const mask = (0xffffffff << (32 - length)) >>> 0;
  return `priority=${length},ip,nw_dst=${address((spread(i) & mask) >>> 0)}/${length},actions=mod_dl_dst:02:00:00:00:00:02,dec_ttl,output:${2 + variant}`;
};

/** Several tables, sixteen masks, many priorities, longer action lists. */
const MIXED: readonly ((i: number) => string)[] = [
  (i) => `in_port=${1 + (i % 2)},dl_src=02:11:00:${hex(i >> 16)}:${hex(i >> 8)}:${hex(i)}`,
  (i) => `dl_vlan=${1 + (i % 4000)},dl_dst=02:22:00:${hex(i >> 16)}:${hex(i >> 8)}:${hex(i)}`,
  (i) => `tcp,nw_src=${address(spread(i) & 0xffffff00)}/24,tp_dst=${i & 0xffff}`,
  (i) => `udp,nw_dst=${address(spread(i))},tp_src=${i & 0xff00}/0xff00`,
  (i) => `ip,nw_src=${address(spread(i))},nw_dst=10.0.0.0/8`,
  (i) => `ipv6,ipv6_dst=fd00:${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}::/48`,
  (i) => `arp,arp_tpa=${address(spread(i))}`,
  (i) => `metadata=0x${i.toString(16)},reg0=${i & 7}`,
];
const hex = (n: number): string => (n & 255).toString(16).padStart(2, '0');
const mixed = (i: number, variant: number): string =>
  `table=${i % 8},cookie=0x${i.toString(16)},priority=${1 + ((i * 7) % 60_000)},${MIXED[(i >> 3) % 8](i)},actions=set_field:${variant}->reg1,load:0x${(i & 0xffff).toString(16)}->NXM_NX_REG2[0..15],resubmit(,${9 + (i % 8)}),output:2`;

export const SHAPES: readonly FlowShape[] = [
  { name: 'exact', line: exact },
  { name: 'prefixes', line: prefix },
  { name: 'mixed', line: mixed },
];

/** The text of a file. Duplicates would only replace, so there are none within 100,000. */
export const flowFile = (shape: FlowShape, count: number, variant = 0): string =>
  Array.from({ length: count }, (_, i) => `${shape.line(i, variant)}\n`).join('');
