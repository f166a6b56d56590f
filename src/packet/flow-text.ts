/**
 * The text of a flow key, with or without a mask, in the datapath flow syntax of Open vSwitch: what
 * `dpctl/dump-flows` prints and scripts parse.
 *
 * Rules of the original that look odd and are kept: values are those of the frame, not ANDed with the mask; a header
 * whose mask is complete is written in full; of another only consulted fields are written; a VLAN's VID and PCP
 * are written, mask 0 and all, when they are not 0.
 */
import type { FlowText } from './flow-fields-text.ts';
import {
  decimal,
  Fields,
  FULL,
  flagNames,
  hex,
  hex0,
  maskedFlags,
  TCP_FLAG_NAMES,
} from './flow-fields-text.ts';
import { metadataText } from './flow-metadata-text.ts';
import * as K from './key.ts';
import * as P from './protocol.ts';

export interface FlowTextOptions {
  /** Name of a datapath port, for `--names`; numbers are written without it. */
  portName?: (port: number) => string | undefined;
  /**
   * Writes every field of the frame's headers, with a mask of 0 where nothing consulted it (`dpctl/dump-flows -m`); without a
   * mask, metadata that is 0 too, as log lines of upcalls have it.
   */
  verbose?: boolean;
}

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
  const text: FlowText = { key, mask, verbose: options.verbose === true };
  const parts: string[] = [];
  metadataText(parts, text, options.portName);
  const eth = new Fields(text);
  eth.mac('src', K.ETH_DST_SRC, K.ETH_SRC, true);
  eth.mac('dst', K.ETH_DST, K.ETH_DST_SRC, false);
  eth.appendTo(parts, 'eth');
  parts.push(...fromVlan(text, 0));
  return parts;
}

/** Everything from the tag of depth `depth`, or the EtherType, on. */
function fromVlan(text: FlowText, depth: number): string[] {
  const { key, mask, verbose } = text;
  const tag = depth < 2 ? key[K.VLAN0 + depth] : 0;
  if ((tag & K.VLAN_CFI) === 0) return fromType(text);
  const tagMask = mask[K.VLAN0 + depth];
  const inner = fromVlan(text, depth + 1);
  const parts: string[] = [];
  if (tagMask !== 0 || verbose) {
    parts.push(`eth_type(${typeText(tag >>> 16)}${tagMask === 0 ? '/0x0000' : ''})`);
    parts.push(`vlan(${vlanFields(tag & 0xffff, tagMask & 0xffff, verbose)})`);
  }
  parts.push(`encap(${inner.join(',')})`);
  return parts;
}

/** VID, PCP and, when it is 0, CFI of a tag. */
export function vlanFields(tci: number, mask = 0xffff, verbose = false): string {
  const fields: string[] = [];
  const vid = tci & 0xfff;
  const vidMask = mask & 0xfff;
  const pcp = (tci >>> 13) & 7;
  const pcpMask = (mask >>> 13) & 7;
  if (verbose || vid !== 0 || vidMask !== 0) {
    fields.push(`vid=${vid}${vidMask === 0xfff ? '' : `/${hex0(vidMask)}`}`);
  }
  if (verbose || pcp !== 0 || pcpMask !== 0) {
    fields.push(`pcp=${pcp}${pcpMask === 7 ? '' : `/${hex0(pcpMask)}`}`);
  }
  if ((tci & K.VLAN_CFI) === 0) fields.push('cfi=0');
  return fields.join(',');
}

const typeText = (type: number): string => `0x${type.toString(16).padStart(4, '0')}`;

function fromType(text: FlowText): string[] {
  const { key, mask, verbose } = text;
  const parts: string[] = [];
  const type = key[K.ETH_TYPE_PROTO] >>> 16;
  const typeMask = mask[K.ETH_TYPE_PROTO] >>> 16;
  if (type === P.ETH_TYPE_NONE || type === 0) {
    // A frame without EtherType has no eth_type(); a match on that is a mask alone.
    if (mask !== FULL && typeMask !== 0) parts.push('eth_type(0/0xffff)');
    return parts;
  }
  if (typeMask !== 0 || verbose) {
    parts.push(`eth_type(${typeText(type)}${typeMask === 0xffff ? '' : `/${typeText(typeMask)}`})`);
  }
  if (type === P.ETH_TYPE_IPV4) ipv4(parts, text);
  else if (type === P.ETH_TYPE_IPV6) ipv6(parts, text);
  else if (type === P.ETH_TYPE_ARP || type === P.ETH_TYPE_RARP) arp(parts, text);
  else if (type === P.ETH_TYPE_MPLS || type === P.ETH_TYPE_MPLS_MULTICAST) mpls(parts, text);
  else if (type === P.ETH_TYPE_NSH) nsh(parts, text);
  return parts;
}

const fragText = (frag: number): string =>
  (frag & K.FRAG_LATER) !== 0 ? 'later' : (frag & K.FRAG_ANY) !== 0 ? 'first' : 'no';

/** Written only when consulted, even in verbose text. */
function frag(f: Fields, { key, mask }: FlowText): void {
  if ((mask[K.ETH_TYPE_PROTO] & 3) !== 0) {
    f.parts.push(`frag=${fragText(key[K.ETH_TYPE_PROTO] & 3)}`);
  }
}

function ipv4(parts: string[], text: FlowText): void {
  const f = new Fields(text);
  f.ipv4('src', K.IPV4_SRC);
  f.ipv4('dst', K.IPV4_DST);
  f.add('proto', K.ETH_TYPE_PROTO, 8, 255, decimal);
  f.add('tos', K.TOS_TTL, 24, 255, hex);
  f.add('ttl', K.TOS_TTL, 16, 255, decimal);
  frag(f, text);
  f.appendTo(parts, 'ipv4');
  transport(parts, text, false);
}

function ipv6(parts: string[], text: FlowText): void {
  const f = new Fields(text);
  f.ipv6('src', K.IPV6_SRC);
  f.ipv6('dst', K.IPV6_DST);
  f.add('label', K.IPV6_FLABEL, 0, 0xfffff, hex);
  f.add('proto', K.ETH_TYPE_PROTO, 8, 255, decimal);
  f.add('tclass', K.TOS_TTL, 24, 255, hex);
  f.add('hlimit', K.TOS_TTL, 16, 255, decimal);
  frag(f, text);
  f.appendTo(parts, 'ipv6');
  transport(parts, text, true);
}

const PORTS: Record<number, string> = {
  [P.IP_PROTO_TCP]: 'tcp',
  [P.IP_PROTO_UDP]: 'udp',
  [P.IP_PROTO_SCTP]: 'sctp',
};

function transport(parts: string[], text: FlowText, isIpv6: boolean): void {
  const { key } = text;
  const word = key[K.ETH_TYPE_PROTO];
  if ((word & K.FRAG_LATER) !== 0) return;
  const proto = (word >>> 8) & 255;
  const f = new Fields(text);
  const ports = PORTS[proto];
  if (ports !== undefined) {
    f.add('src', K.TP, 16, 0xffff, decimal);
    f.add('dst', K.TP, 0, 0xffff, decimal);
    f.appendTo(parts, ports);
    if (proto === P.IP_PROTO_TCP) tcpFlags(parts, text);
  } else if (proto === (isIpv6 ? P.IP_PROTO_ICMPV6 : P.IP_PROTO_ICMP)) {
    f.add('type', K.TP, 16, 255, decimal);
    f.add('code', K.TP, 0, 255, decimal);
    f.appendTo(parts, isIpv6 ? 'icmpv6' : 'icmp');
    const type = key[K.TP] >>> 16;
    if (!isIpv6 || (type !== P.ND_NEIGHBOR_SOLICIT && type !== P.ND_NEIGHBOR_ADVERT)) return;
    const nd = new Fields(text);
    nd.ipv6('target', K.ND_TARGET);
    nd.mac('sll', K.ARP_SHA, K.ARP_SHA_THA, false);
    nd.mac('tll', K.ARP_SHA_THA, K.ARP_THA, true);
    nd.appendTo(parts, 'nd');
  }
}

function tcpFlags(parts: string[], { key, mask, verbose }: FlowText): void {
  const flags = key[K.TCP_FLAGS] >>> 16;
  const flagsMask = (mask[K.TCP_FLAGS] >>> 16) & 0xfff;
  if (flagsMask === 0xfff) parts.push(`tcp_flags(${flagNames(flags, TCP_FLAG_NAMES)})`);
  else if (flagsMask !== 0 || (verbose && flags !== 0)) {
    parts.push(`tcp_flags(${maskedFlags(flags, flagsMask, TCP_FLAG_NAMES)})`);
  }
}

function arp(parts: string[], text: FlowText): void {
  const f = new Fields(text);
  f.ipv4('sip', K.IPV4_SRC);
  f.ipv4('tip', K.IPV4_DST);
  f.add('op', K.ETH_TYPE_PROTO, 8, 255, decimal);
  f.mac('sha', K.ARP_SHA, K.ARP_SHA_THA, false);
  f.mac('tha', K.ARP_SHA_THA, K.ARP_THA, true);
  f.appendTo(parts, 'arp');
}

function mpls(parts: string[], { key, mask, verbose }: FlowText): void {
  const entries: string[] = [];
  // Masks are left out when no entry needs one.
  let isExact = true;
  for (let i = 0; i < 3; i++) {
    if (mask[K.MPLS_LSE + i] >>> 0 !== 0xffffffff && (mask[K.MPLS_LSE + i] !== 0 || verbose)) {
      isExact = false;
    }
    if ((key[K.MPLS_LSE + i] & 0x100) !== 0) break;
  }
  for (let i = 0; i < 3; i++) {
    const lse = key[K.MPLS_LSE + i];
    const m = mask[K.MPLS_LSE + i];
    if (m !== 0 || verbose) {
      const show = (name: string, value: number, bits: number, format: (n: number) => string) =>
        `${name}=${value}${isExact ? '' : `/${format(bits)}`}`;
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

/** Context headers only of metadata type 1 (RFC 8300 section 2.4). */
function nsh(parts: string[], text: FlowText): void {
  const f = new Fields(text);
  f.add('flags', K.NSH, 24, 255, decimal, hex0);
  f.add('ttl', K.NSH, 16, 255, decimal, hex0);
  f.add('mdtype', K.NSH, 8, 255, decimal, hex0);
  f.add('np', K.NSH, 0, 255, decimal, hex0);
  f.add('spi', K.NSH_PATH, 8, 0xffffff, hex0, hex0);
  f.add('si', K.NSH_PATH, 0, 255, decimal, hex0);
  if (((text.key[K.NSH] >>> 8) & 255) === 1) {
    for (let i = 0; i < 4; i++) f.add(`c${i + 1}`, K.NSH_CONTEXT + i, 0, 0xffffffff, hex0, hex0);
  }
  f.appendTo(parts, 'nsh');
}
