/**
 * A match in the notation of ovs-ofctl: `priority=5,tcp,in_port=1,nw_src=10.0.0.0/8,tp_dst=80`, with the order, the
 * shorthands and the number formats of Open vSwitch, which its tests compare letter by letter.
 */

import type { Match } from '../../flowtable/match.ts';
import { ofPort } from '../../flowtable/of-port.ts';
import { FIELDS, type Field, tunMetadataIndex } from '../../packet/fields.ts';
import { TUNNEL_FLAG_NAMES } from '../../packet/flow-fields-text.ts';
import * as K from '../../packet/key.ts';
import { presentBit, presentWord } from '../../packet/tlv-table.ts';
import { MatchFields, namedField } from '../codec/match-fields.ts';
import { placedField } from '../codec/oxm.ts';
import type { WireContext } from '../codec/reader.ts';
import {
  CT_STATE_NAMES,
  formatFlags,
  formatPort,
  formatValue,
  fragmentText,
  hexadecimal,
  type NameOptions,
  packetTypeText,
  TCP_FLAG_NAMES,
} from './field-text.ts';

export const DEFAULT_PRIORITY = 32768;

const VID = 0x0fff;
const PCP = 0xe000;
const ETH_NSH = 0x894f;

export interface MatchTextOptions extends NameOptions {
  /** Shown unless it is 32768. */
  readonly priority?: number;
  readonly tunMetadata?: NonNullable<WireContext['tunMetadata']>;
}

/** Collects `name=value` parts of the fields that are matched. */
class Parts {
  readonly list: string[] = [];
  readonly match: MatchFields;
  private readonly names: NameOptions;

  constructor(match: MatchFields, names: NameOptions) {
    this.match = match;
    this.names = names;
  }

  private open(
    name: string,
    f = namedField(name),
  ): { f: Field; value: bigint; mask: bigint } | null {
    if (!this.match.has(f)) return null;
    return { f, value: this.match.value(f), mask: this.match.mask(f) };
  }

  /** In the field's own format; a masked decimal in hexadecimal. */
  field(name: string, shown = name): void {
    const got = this.open(name);
    if (got === null) return;
    const { f, value, mask } = got;
    const exact = this.match.isExact(f);
    // ICMP's type and code lie in the places of ports, and the original prints them as such: without a leading zero.
    const digits = f.bytes === 1 && f.at >> 5 !== K.TP ? 2 : 1;
    const hex = (n: bigint): string => `0x${n.toString(16).padStart(digits, '0')}`;
    const masked = `${hex(value)}/${hex(mask)}`;
    const text =
      f.format === 'decimal' && !exact
        ? masked
        : formatValue(f, value, exact ? null : mask, this.names);
    this.list.push(`${shown}=${text}`);
  }

  fields(...names: readonly string[]): void {
    for (const name of names) this.field(name);
  }

  /** With the value only, whatever the mask. */
  value(name: string, text: (value: bigint) => string, shown = name): void {
    const got = this.open(name);
    if (got !== null) this.list.push(`${shown}=${text(got.value)}`);
  }

  flags(name: string, flagNames: readonly string[], all: number, f = namedField(name)): void {
    const got = this.open(name, f);
    if (got === null) return;
    this.list.push(`${name}=${formatFlags(flagNames, Number(got.value), Number(got.mask), all)}`);
  }

  push(part: string): void {
    this.list.push(part);
  }
}

/** OpenFlow matches the first flag only; a flow that came through a tunnel has them all. */
const ALL_TUNNEL_FLAGS: Field = {
  ...namedField('tun_flags'),
  at: namedField('tun_flags').at - 3,
  bits: 4,
};

const hex4 = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`;
const hex5 = (n: bigint): string => `0x${n.toString(16).padStart(5, '0')}`;

const IPV4_NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  132: 'sctp',
};
const IPV6_NAMES: Readonly<Record<number, string>> = {
  58: 'icmp6',
  6: 'tcp6',
  17: 'udp6',
  132: 'sctp6',
};
const TYPE_NAMES: Readonly<Record<number, string>> = {
  2048: 'ip',
  34525: 'ipv6',
  2054: 'arp',
  32821: 'rarp',
  34887: 'mpls',
  34888: 'mplsm',
};

/** The shorthand of Ethernet type and protocol, and what it leaves to be said. */
function shorthand(m: MatchFields): { name: string | null; saysProto: boolean } {
  if (!m.has(namedField('eth_type'))) return { name: null, saysProto: false };
  const byProto = m.ethType === 0x0800 ? IPV4_NAMES : m.ethType === 0x86dd ? IPV6_NAMES : {};
  const proto = m.has(namedField('nw_proto')) ? byProto[m.ipProto] : undefined;
  return { name: proto ?? TYPE_NAMES[m.ethType] ?? null, saysProto: proto !== undefined };
}

function packetType(parts: Parts): void {
  const { match } = parts;
  const f = namedField('packet_type');
  const ordinary = match.value(f) === 0n && match.isExact(f);
  const recirculated = match.has(namedField('recirc_id'));
  if (!match.has(f) || (ordinary && !recirculated)) return;
  if (ordinary) parts.push('eth');
  else parts.push(`packet_type=${packetTypeText(match.value(f), match.mask(f))}`);
}

function vlans(parts: Parts): void {
  for (const [word, suffix] of [
    [K.VLAN0, ''],
    [K.VLAN1, '1'],
  ] as const) {
    const mask = parts.match.maskWord(word) & 0xffff;
    const tci = parts.match.word(word) & 0xffff;
    if (mask === 0) return;
    const vid = mask & VID;
    const pcp = mask & PCP;
    const plain = (vid === 0 || vid === VID) && (pcp === 0 || pcp === PCP) && (vid | pcp) !== 0;
    if ((mask & tci & K.VLAN_CFI) !== 0 && plain) {
      if (vid !== 0) parts.push(`dl_vlan${suffix}=${tci & VID}`);
      if (pcp !== 0) parts.push(`dl_vlan_pcp${suffix}=${tci >>> 13}`);
    } else if (mask === 0xffff) {
      parts.push(`vlan_tci${suffix}=${hex4(tci)}`);
    } else {
      parts.push(`vlan_tci${suffix}=${hex4(tci)}/${hex4(mask)}`);
    }
  }
}

function tunnel(parts: Parts, options: MatchTextOptions): void {
  parts.fields('tun_id', 'tun_src', 'tun_dst', 'tun_ipv6_src', 'tun_ipv6_dst', 'tun_gbp_id');
  parts.value('tun_gbp_flags', hexadecimal);
  parts.value('tun_tos', (v) => v.toString(16));
  parts.value('tun_ttl', String);
  const version = parts.match.value(namedField('tun_erspan_ver'));
  parts.value('tun_erspan_ver', String);
  if (version === 1n) parts.value('tun_erspan_idx', hexadecimal);
  if (version === 2n) {
    parts.value('tun_erspan_dir', String);
    parts.value('tun_erspan_hwid', hexadecimal);
  }
  parts.value('tun_gtpu_flags', hexadecimal, 'gtpu_flags');
  parts.value('tun_gtpu_msgtype', String, 'gtpu_msgtype');
  parts.flags('tun_flags', TUNNEL_FLAG_NAMES, 0xf, ALL_TUNNEL_FLAGS);
  tunnelMetadata(parts, options);
}

function tunnelMetadata(parts: Parts, options: MatchTextOptions): void {
  const { match } = parts;
  const { tunMetadata } = options;
  for (const f of FIELDS) {
    const index = tunMetadataIndex(f);
    if (index === undefined || !match.has(f) || tunMetadata === undefined) continue;
    const placed = placedField(f, { version: 1, tunMetadata });
    if (placed === null) continue;
    if ((match.word(presentWord(index)) & presentBit(index)) === 0) {
      parts.push(`${f.name}=NP`);
      continue;
    }
    const mask = match.mask(placed);
    const shown = mask === 0n ? '' : `=${formatValue(placed, match.value(placed), mask)}`;
    parts.push(`${f.name}${shown}`);
  }
}

function addresses(parts: Parts): void {
  const { match } = parts;
  if (match.ethType === 0x86dd) {
    parts.fields('ipv6_src', 'ipv6_dst');
    const f = namedField('ipv6_label');
    if (!match.has(f)) return;
    const mask = match.isExact(f) ? '' : `/${hex5(match.mask(f))}`;
    parts.push(`ipv6_label=${hex5(match.value(f))}${mask}`);
  } else if (match.isArp) {
    parts.fields('arp_spa', 'arp_tpa');
  } else if (match.ethType === ETH_NSH) {
    parts.fields('nsh_flags', 'nsh_ttl', 'nsh_mdtype', 'nsh_np', 'nsh_spi', 'nsh_si');
    parts.fields('nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4');
  } else {
    parts.fields('nw_src', 'nw_dst');
  }
}

function transport(parts: Parts): void {
  const { match } = parts;
  if (match.allows('icmpv4')) {
    parts.field('icmp_type');
    parts.field('icmp_code');
  } else if (match.allows('icmpv6')) {
    parts.field('icmpv6_type', 'icmp_type');
    parts.field('icmpv6_code', 'icmp_code');
    parts.fields('nd_target', 'nd_sll', 'nd_tll', 'nd_reserved', 'nd_options_type');
  } else {
    parts.field('tcp_src', 'tp_src');
    parts.field('tcp_dst', 'tp_dst');
  }
  if (match.isIp && match.ipProto === 6) parts.flags('tcp_flags', TCP_FLAG_NAMES, 0xfff);
}

function connection(parts: Parts): void {
  parts.flags('ct_state', CT_STATE_NAMES, 0xff);
  parts.value('ct_zone', String);
  parts.fields('ct_mark', 'ct_label');
  parts.fields('ct_nw_src', 'ct_ipv6_src', 'ct_nw_dst', 'ct_ipv6_dst');
  if (parts.match.has(namedField('ct_nw_proto'))) {
    parts.fields('ct_nw_proto', 'ct_tp_src', 'ct_tp_dst');
  }
}

/** The match, without a comma at the end; empty for one that matches everything. */
export function formatMatch(match: Match, options: MatchTextOptions = {}): string {
  const m = MatchFields.of(match);
  const parts = new Parts(m, options);
  const { priority = DEFAULT_PRIORITY } = options;
  if (priority !== DEFAULT_PRIORITY) parts.push(`priority=${priority}`);
  parts.field('pkt_mark');
  parts.value('recirc_id', hexadecimal);
  parts.fields('dp_hash', 'conj_id');
  parts.value('skb_priority', hexadecimal);
  parts.field('actset_output');
  connection(parts);
  packetType(parts);
  const { name, saysProto } = shorthand(m);
  if (name !== null) parts.push(name);
  for (let i = 0; i < 16; i++) parts.field(`reg${i}`);
  tunnel(parts, options);
  parts.field('metadata');
  parts.value('in_port', (v) => formatPort(ofPort(Number(v)), options));
  parts.value('in_phy_port', (v) => formatPort(ofPort(Number(v)), options));
  vlans(parts);
  parts.field('eth_src', 'dl_src');
  parts.field('eth_dst', 'dl_dst');
  if (name === null) parts.value('eth_type', (v) => hex4(Number(v)), 'dl_type');
  addresses(parts);
  if (!saysProto) parts.field('nw_proto', m.isArp ? 'arp_op' : 'nw_proto');
  if (m.isArp) parts.fields('arp_sha', 'arp_tha');
  parts.value('nw_tos', String);
  parts.fields('nw_ecn', 'nw_ttl', 'mpls_label', 'mpls_tc', 'mpls_ttl', 'mpls_bos', 'pbb_isid');
  const frag = namedField('ip_frag');
  if (m.has(frag)) parts.push(`nw_frag=${fragmentText(m.value(frag), m.mask(frag))}`);
  parts.field('ipv6_exthdr');
  transport(parts);
  return parts.list.join(',');
}
