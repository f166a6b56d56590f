/**
 * The text of a flow key, with or without a mask, in the datapath flow syntax of Open vSwitch: what
 * `dpctl/dump-flows` prints and scripts parse.
 *
 * Rules of the original that look odd and are kept: values are those of the frame, not ANDed with the mask; a header
 * whose mask is complete is written in full; of another only consulted fields are written; a VLAN's VID and PCP
 * are written, mask 0 and all, when they are not 0.
 */
import { formatIpv4, formatIpv6, formatMac } from './address-text.ts';
import * as K from './key.ts';
import * as P from './protocol.ts';

export const TCP_FLAG_NAMES = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
export const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];

export interface FlowTextOptions {
  /** Name of a datapath port, for `--names`; numbers are written without it. */
  portName?: (port: number) => string | undefined;
  /** Writes metadata that is 0 too (skb_priority(0),skb_mark(0),...), as log lines of upcalls have it. */
  allMetadata?: boolean;
}

const hex = (value: number): string => (value === 0 ? '0' : `0x${(value >>> 0).toString(16)}`);
/** C's "0x%x", which writes 0 as 0x0. */
const hex0 = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const decimal = (value: number): string => String(value >>> 0);

/** One header's fields; knows whether its mask is complete. */
class Fields {
  readonly parts: string[] = [];

  /** `full`: the complete mask of the field. Writes nothing for a mask of 0. */
  add(
    name: string,
    value: number,
    mask: number,
    full: number,
    text: (value: number) => string,
    maskText = hex0,
  ): void {
    if (mask === 0) return;
    const tail = mask >>> 0 === full >>> 0 ? '' : `/${maskText(mask)}`;
    this.parts.push(`${name}=${text(value)}${tail}`);
  }

  text(name: string): string {
    return `${name}(${this.parts.join(',')})`;
  }
}

/** Names of the bits that are set, joined by "|", as in tcp_flags(syn|ack); the rest as a number. */
function flagNames(value: number, names: readonly string[]): string {
  if (value === 0) return '0';
  const parts = names.filter((_, bit) => (value & (1 << bit)) !== 0);
  const rest = (value & ~((1 << names.length) - 1)) >>> 0;
  if (rest !== 0) parts.push(hex0(rest));
  return parts.join('|');
}

/** +set-clear for each bit of the mask. */
function maskedFlags(value: number, mask: number, names: readonly string[]): string {
  let text = '';
  for (let bit = 0; bit < 32; bit++) {
    if ((mask & (1 << bit)) === 0) continue;
    text += `${(value & (1 << bit)) !== 0 ? '+' : '-'}${names[bit] ?? hex0(1 << bit)}`;
  }
  return text;
}

const FULL = new Uint32Array(K.DP_WORDS).fill(0xffffffff);

/**
 * Text of `key` (DP_WORDS words). With `mask`, only what it covers; without, the whole key. `key` should hold the
 * values of a frame even where the mask is 0.
 */
export function formatFlow(
  key: ArrayLike<number>,
  mask: ArrayLike<number> = FULL,
  options: FlowTextOptions = {},
): string {
  return formatFlowParts(key, mask, options).join(',');
}

/** The same, one header an element. */
export function formatFlowParts(
  key: ArrayLike<number>,
  mask: ArrayLike<number> = FULL,
  options: FlowTextOptions = {},
): string[] {
  const parts: string[] = [];
  metadata(parts, key, mask, options);
  const eth = new Fields();
  mac(eth, 'src', key, mask, K.ETH_DST_SRC, K.ETH_SRC, true);
  mac(eth, 'dst', key, mask, K.ETH_DST, K.ETH_DST_SRC, false);
  if (eth.parts.length > 0) parts.push(eth.text('eth'));
  parts.push(...fromVlan(key, mask, 0));
  return parts;
}

function metadata(
  parts: string[],
  key: ArrayLike<number>,
  mask: ArrayLike<number>,
  options: FlowTextOptions,
): void {
  const all = options.allMetadata === true;
  const unmasked = mask === FULL;
  const scalar = (name: string, value: number, m: number, full = 0xffffffff) => {
    if (m === 0 || (unmasked && !all && value === 0)) return;
    parts.push(`${name}(${hex(value)}${m >>> 0 === full ? '' : `/${hex(m)}`})`);
  };
  if (all) parts.push('skb_priority(0)');
  scalar('skb_mark', key[K.PKT_MARK], mask[K.PKT_MARK]);
  const ctState = mask[K.CT_STATE] & 0xff;
  if (unmasked ? all || key[K.CT_STATE] !== 0 : ctState !== 0) {
    const value = key[K.CT_STATE];
    const text = unmasked
      ? flagNames(value, CT_STATE_NAMES)
      : maskedFlags(value, ctState, CT_STATE_NAMES);
    parts.push(`ct_state(${text})`);
  }
  scalar('ct_zone', key[K.CT_ZONE] >>> 16, mask[K.CT_ZONE] >>> 16, 0xffff);
  scalar('ct_mark', key[K.CT_MARK], mask[K.CT_MARK]);
  const label = wide(key, K.CT_LABEL);
  const labelMask = wide(mask, K.CT_LABEL);
  if (labelMask !== 0n && !(unmasked && !all && label === 0n)) {
    const tail = labelMask === (1n << 128n) - 1n ? '' : `/0x${labelMask.toString(16)}`;
    parts.push(`ct_label(${label === 0n ? '0' : `0x${label.toString(16)}`}${tail})`);
  }
  if (mask[K.RECIRC_ID] !== 0) parts.push(`recirc_id(${hex(key[K.RECIRC_ID])})`);
  scalar('dp_hash', key[K.DP_HASH], mask[K.DP_HASH]);
  if (mask[K.IN_PORT] !== 0) {
    const port = key[K.IN_PORT];
    parts.push(`in_port(${options.portName?.(port) ?? port})`);
  }
  if (mask[K.PACKET_TYPE] !== 0) {
    const type = key[K.PACKET_TYPE];
    parts.push(`packet_type(ns=${type >>> 16},id=${hex(type & 0xffff)})`);
  }
}

function wide(words: ArrayLike<number>, at: number): bigint {
  let value = 0n;
  for (let i = 0; i < 4; i++) value = (value << 32n) | BigInt(words[at + i] >>> 0);
  return value;
}

/** An Ethernet address in two words: in the low half of the first (`lowFirst`) or the high half of the second. */
function mac(
  fields: Fields,
  name: string,
  key: ArrayLike<number>,
  mask: ArrayLike<number>,
  first: number,
  second: number,
  lowFirst: boolean,
): void {
  const high = (w: ArrayLike<number>) =>
    lowFirst ? ((w[first] << 16) | (w[second] >>> 16)) >>> 0 : w[first];
  const low = (w: ArrayLike<number>) => (lowFirst ? w[second] & 0xffff : w[second] >>> 16);
  const maskHigh = high(mask);
  const maskLow = low(mask);
  if (maskHigh === 0 && maskLow === 0) return;
  const isFull = maskHigh >>> 0 === 0xffffffff && maskLow === 0xffff;
  const tail = isFull ? '' : `/${formatMac(maskHigh, maskLow)}`;
  fields.parts.push(`${name}=${formatMac(high(key), low(key))}${tail}`);
}

/** Everything from the tag of depth `depth`, or the EtherType, on. */
function fromVlan(key: ArrayLike<number>, mask: ArrayLike<number>, depth: number): string[] {
  const tag = depth < 2 ? key[K.VLAN0 + depth] : 0;
  if ((tag & K.VLAN_CFI) === 0) return fromType(key, mask);
  const tagMask = mask[K.VLAN0 + depth];
  const inner = fromVlan(key, mask, depth + 1);
  const parts: string[] = [];
  if (tagMask !== 0) {
    parts.push(`eth_type(${typeText(tag >>> 16)})`);
    parts.push(`vlan(${vlanFields(tag & 0xffff, tagMask & 0xffff)})`);
  }
  parts.push(`encap(${inner.join(',')})`);
  return parts;
}

/** VID, PCP and, when it is 0, CFI of a tag. */
export function vlanFields(tci: number, mask = 0xffff): string {
  const fields: string[] = [];
  const vid = tci & 0xfff;
  const vidMask = mask & 0xfff;
  const pcp = (tci >>> 13) & 7;
  const pcpMask = (mask >>> 13) & 7;
  if (vid !== 0 || vidMask !== 0) {
    fields.push(`vid=${vid}${vidMask === 0xfff ? '' : `/${hex0(vidMask)}`}`);
  }
  if (pcp !== 0 || pcpMask !== 0) {
    fields.push(`pcp=${pcp}${pcpMask === 7 ? '' : `/${hex0(pcpMask)}`}`);
  }
  if ((tci & K.VLAN_CFI) === 0) fields.push('cfi=0');
  return fields.join(',');
}

const typeText = (type: number): string => `0x${type.toString(16).padStart(4, '0')}`;

function fromType(key: ArrayLike<number>, mask: ArrayLike<number>): string[] {
  const parts: string[] = [];
  const word = key[K.ETH_TYPE_PROTO];
  const wordMask = mask[K.ETH_TYPE_PROTO];
  const type = word >>> 16;
  const typeMask = wordMask >>> 16;
  if (type === P.ETH_TYPE_NONE || type === 0) {
    // A frame without EtherType has no eth_type(); a match on that is a mask alone.
    if (mask !== FULL && typeMask !== 0) parts.push('eth_type(0/0xffff)');
    return parts;
  }
  if (typeMask !== 0) {
    parts.push(`eth_type(${typeText(type)}${typeMask === 0xffff ? '' : `/${typeText(typeMask)}`})`);
  }
  if (type === P.ETH_TYPE_IPV4) ipv4(parts, key, mask);
  else if (type === P.ETH_TYPE_IPV6) ipv6(parts, key, mask);
  else if (type === P.ETH_TYPE_ARP || type === P.ETH_TYPE_RARP) arp(parts, key, mask);
  else if (type === P.ETH_TYPE_MPLS || type === P.ETH_TYPE_MPLS_MULTICAST) mpls(parts, key, mask);
  return parts;
}

const fragText = (frag: number): string =>
  (frag & K.FRAG_LATER) !== 0 ? 'later' : (frag & K.FRAG_ANY) !== 0 ? 'first' : 'no';

function protoAndFrag(key: ArrayLike<number>, mask: ArrayLike<number>) {
  const word = key[K.ETH_TYPE_PROTO];
  const wordMask = mask[K.ETH_TYPE_PROTO];
  return {
    proto: (word >>> 8) & 255,
    protoMask: (wordMask >>> 8) & 255,
    frag: word & 3,
    fragMask: wordMask & 3,
  };
}

function ipv4(parts: string[], key: ArrayLike<number>, mask: ArrayLike<number>): void {
  const f = new Fields();
  const { proto, protoMask, frag, fragMask } = protoAndFrag(key, mask);
  f.add('src', key[K.IPV4_SRC], mask[K.IPV4_SRC], 0xffffffff, formatIpv4, formatIpv4);
  f.add('dst', key[K.IPV4_DST], mask[K.IPV4_DST], 0xffffffff, formatIpv4, formatIpv4);
  f.add('proto', proto, protoMask, 255, decimal);
  f.add('tos', key[K.TOS_TTL] >>> 24, mask[K.TOS_TTL] >>> 24, 255, hex);
  f.add('ttl', (key[K.TOS_TTL] >>> 16) & 255, (mask[K.TOS_TTL] >>> 16) & 255, 255, decimal);
  if (fragMask !== 0) f.parts.push(`frag=${fragText(frag)}`);
  if (f.parts.length > 0) parts.push(f.text('ipv4'));
  if ((frag & K.FRAG_LATER) === 0) transport(parts, key, mask, proto, false);
}

function ipv6(parts: string[], key: ArrayLike<number>, mask: ArrayLike<number>): void {
  const f = new Fields();
  const { proto, protoMask, frag, fragMask } = protoAndFrag(key, mask);
  address6(f, 'src', key, mask, K.IPV6_SRC);
  address6(f, 'dst', key, mask, K.IPV6_DST);
  f.add('label', key[K.IPV6_FLABEL], mask[K.IPV6_FLABEL] & 0xfffff, 0xfffff, hex);
  f.add('proto', proto, protoMask, 255, decimal);
  f.add('tclass', key[K.TOS_TTL] >>> 24, mask[K.TOS_TTL] >>> 24, 255, hex);
  f.add('hlimit', (key[K.TOS_TTL] >>> 16) & 255, (mask[K.TOS_TTL] >>> 16) & 255, 255, decimal);
  if (fragMask !== 0) f.parts.push(`frag=${fragText(frag)}`);
  if (f.parts.length > 0) parts.push(f.text('ipv6'));
  if ((frag & K.FRAG_LATER) === 0) transport(parts, key, mask, proto, true);
}

function address6(
  f: Fields,
  name: string,
  key: ArrayLike<number>,
  mask: ArrayLike<number>,
  at: number,
): void {
  const m = wide(mask, at);
  if (m === 0n) return;
  const tail = m === (1n << 128n) - 1n ? '' : `/${formatIpv6(mask, at)}`;
  f.parts.push(`${name}=${formatIpv6(key, at)}${tail}`);
}

const PORTS: Record<number, string> = {
  [P.IP_PROTO_TCP]: 'tcp',
  [P.IP_PROTO_UDP]: 'udp',
  [P.IP_PROTO_SCTP]: 'sctp',
};

function transport(
  parts: string[],
  key: ArrayLike<number>,
  mask: ArrayLike<number>,
  proto: number,
  isIpv6: boolean,
): void {
  const f = new Fields();
  const tp = key[K.TP];
  const tpMask = mask[K.TP];
  const ports = PORTS[proto];
  if (ports !== undefined) {
    f.add('src', tp >>> 16, tpMask >>> 16, 0xffff, decimal);
    f.add('dst', tp & 0xffff, tpMask & 0xffff, 0xffff, decimal);
    if (f.parts.length > 0) parts.push(f.text(ports));
    if (proto !== P.IP_PROTO_TCP) return;
    const flags = key[K.TCP_FLAGS] >>> 16;
    const flagsMask = (mask[K.TCP_FLAGS] >>> 16) & 0xfff;
    if (flagsMask === 0xfff) parts.push(`tcp_flags(${flagNames(flags, TCP_FLAG_NAMES)})`);
    else if (flagsMask !== 0) {
      parts.push(`tcp_flags(${maskedFlags(flags, flagsMask, TCP_FLAG_NAMES)})`);
    }
  } else if (proto === (isIpv6 ? P.IP_PROTO_ICMPV6 : P.IP_PROTO_ICMP)) {
    f.add('type', (tp >>> 16) & 255, (tpMask >>> 16) & 255, 255, decimal);
    f.add('code', tp & 255, tpMask & 255, 255, decimal);
    if (f.parts.length > 0) parts.push(f.text(isIpv6 ? 'icmpv6' : 'icmp'));
    const type = tp >>> 16;
    if (!isIpv6 || (type !== P.ND_NEIGHBOR_SOLICIT && type !== P.ND_NEIGHBOR_ADVERT)) return;
    const nd = new Fields();
    address6(nd, 'target', key, mask, K.ND_TARGET);
    mac(nd, 'sll', key, mask, K.ARP_SHA, K.ARP_SHA_THA, false);
    mac(nd, 'tll', key, mask, K.ARP_SHA_THA, K.ARP_THA, true);
    if (nd.parts.length > 0) parts.push(nd.text('nd'));
  }
}

function arp(parts: string[], key: ArrayLike<number>, mask: ArrayLike<number>): void {
  const f = new Fields();
  const { proto, protoMask } = protoAndFrag(key, mask);
  f.add('sip', key[K.IPV4_SRC], mask[K.IPV4_SRC], 0xffffffff, formatIpv4, formatIpv4);
  f.add('tip', key[K.IPV4_DST], mask[K.IPV4_DST], 0xffffffff, formatIpv4, formatIpv4);
  f.add('op', proto, protoMask, 255, decimal);
  mac(f, 'sha', key, mask, K.ARP_SHA, K.ARP_SHA_THA, false);
  mac(f, 'tha', key, mask, K.ARP_SHA_THA, K.ARP_THA, true);
  if (f.parts.length > 0) parts.push(f.text('arp'));
}

function mpls(parts: string[], key: ArrayLike<number>, mask: ArrayLike<number>): void {
  const entries: string[] = [];
  for (let i = 0; i < 3; i++) {
    const lse = key[K.MPLS_LSE + i];
    const m = mask[K.MPLS_LSE + i];
    if (m !== 0) {
      const show = (name: string, value: number, bits: number, format: (n: number) => string) =>
        `${name}=${value}${m >>> 0 === 0xffffffff ? '' : `/${format(bits)}`}`;
      const plain = (n: number) => n.toString(16);
      entries.push(
        [
          show('label', lse >>> 12, m >>> 12, hex0),
          show('tc', (lse >>> 9) & 7, (m >>> 9) & 7, plain),
          show('ttl', lse & 255, m & 255, hex0),
          show('bos', (lse >>> 8) & 1, (m >>> 8) & 1, plain),
        ].join(','),
      );
    }
    if ((lse & 0x100) !== 0) break;
  }
  if (entries.length > 0) parts.push(`mpls(${entries.join(',')})`);
}
