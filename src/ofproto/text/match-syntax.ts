/**
 * Reads what ovs-fields(7) writes: values of fields with masks, the shorthands of protocols, and with them a match. Prerequisites
 * are judged as the wire judges them, by what stands in front.
 */
import type { Subfield } from '../../flowtable/action.ts';
import type { OfPort } from '../../flowtable/of-port.ts';
import { parseIpv4, parseIpv6, parseMac } from '../../packet/address-text.ts';
import { type Field, fieldByName, fullMask } from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { isValueValid, type MatchFields, namedField } from '../codec/match-fields.ts';
import { placedField } from '../codec/oxm.ts';
import { portToWide } from '../codec/ports.ts';
import type { WireContext } from '../codec/reader.ts';
import { fieldByAnyName } from './field-names.ts';
import { CT_STATE_NAMES, OPENFLOW_TUNNEL_FLAG_NAMES, TCP_FLAG_NAMES } from './field-text.ts';
import { bigNumber, fault, integer, type NameLookup, portOf, smallNumber } from './syntax.ts';

export interface FieldValue {
  readonly value: bigint;
  /** As many bits as the field has. */
  readonly mask: bigint;
}

/** Words that stand for an Ethernet type and perhaps a protocol. */
const SHORTHANDS: Readonly<Record<string, readonly [type: number, proto?: number]>> = {
  ip: [0x0800],
  ipv4: [0x0800],
  ipv6: [0x86dd],
  ip6: [0x86dd],
  icmp: [0x0800, 1],
  icmp6: [0x86dd, 58],
  tcp: [0x0800, 6],
  tcp6: [0x86dd, 6],
  udp: [0x0800, 17],
  udp6: [0x86dd, 17],
  sctp: [0x0800, 132],
  sctp6: [0x86dd, 132],
  arp: [0x0806],
  rarp: [0x8035],
  mpls: [0x8847],
  mplsm: [0x8848],
};

const FRAGMENTS: Readonly<Record<string, readonly [value: bigint, mask: bigint]>> = {
  no: [0n, 3n],
  yes: [1n, 1n],
  first: [1n, 3n],
  later: [3n, 3n],
  not_later: [0n, 2n],
};

const ip6 = (text: string): bigint | undefined =>
  parseIpv6(text)?.reduce((n, part) => (n << 32n) | BigInt(part >>> 0), 0n);

function oneAddress(f: Field, text: string): bigint {
  if (f.format === 'ethernet') {
    const mac = parseMac(text) ?? fault(`${text}: invalid Ethernet address`);
    return (BigInt(mac[0] >>> 0) << 16n) | BigInt(mac[1] & 0xffff);
  }
  if (f.format === 'ipv4') return BigInt(parseIpv4(text) ?? fault(`${text}: invalid IP address`));
  return ip6(text) ?? fault(`${text}: invalid IPv6 address`);
}

function addressValue(f: Field, text: string): FieldValue {
  const [plain, maskText] = text.split('/');
  const value = oneAddress(f, plain);
  const all = fullMask(f);
  if (maskText === undefined) return { value, mask: all };
  if (f.format === 'ethernet' || !/^\d+$/.test(maskText)) {
    return { value, mask: oneAddress(f, maskText) };
  }
  const length = smallNumber(maskText, 'prefix length', 8);
  if (length > f.bits) {
    const kind = f.format === 'ipv4' ? 'IPv4' : 'IPv6';
    fault(`${text}: ${kind} network prefix bits not between 0 and ${f.bits}, inclusive`);
  }
  return { value, mask: (all << BigInt(f.bits - length)) & all };
}

const FLAG_KINDS: Readonly<Record<string, string>> = { tcp_flags: 'TCP', tun_flags: 'tunnel' };

/** `+syn-ack`, `syn|ack`, or numbers. */
function flagsValue(f: Field, text: string, names: readonly string[]): FieldValue {
  if (/^\d/.test(text)) return numberValue(f, text);
  const bitOf = (name: string): bigint => {
    const bit = names.indexOf(name);
    return bit >= 0
      ? 1n << BigInt(bit)
      : fault(`${name}: unknown ${FLAG_KINDS[f.name] ?? f.name} flag(s)`);
  };
  if (!/^[+-]/.test(text)) {
    const value = text.split('|').reduce((bits, name) => bits | bitOf(name), 0n);
    return { value, mask: f.name === 'ct_state' ? 0xffn : fullMask(f) };
  }
  let value = 0n;
  let mask = 0n;
  for (const [, sign, name] of text.matchAll(/([+-])([^+-]+)/g)) {
    const bit = bitOf(name);
    if ((mask & bit) !== 0n) fault(`${f.name}: Each flag may be specified only once`);
    mask |= bit;
    if (sign === '+') value |= bit;
  }
  return { value, mask };
}

/** As many bytes as the field's value has. */
function fieldNumber(f: Field, text: string, what: 'value' | 'mask'): bigint {
  const value = integer(text) ?? fault(`${text}: bad syntax for ${f.name} ${what}`);
  if (value >> BigInt(8 * f.bytes) === 0n) return value;
  return fault(`${text}: value too large for ${f.bytes}-byte field ${f.name}`);
}

function numberValue(f: Field, text: string): FieldValue {
  const [plain, maskText] = text.split('/');
  const value = fieldNumber(f, plain, 'value');
  const all = f.name === 'vlan_vid' ? 0x1fffn : fullMask(f);
  if (maskText === undefined) return { value, mask: all };
  const mask = fieldNumber(f, maskText, 'mask') & all;
  if (!f.maskable && mask !== 0n && mask !== all)
    fault(`${text}: invalid mask for field ${f.name}`);
  return { value, mask };
}

function packetType(text: string): FieldValue {
  const found = /^\((\S+?),\s*(\S+?)\)$/.exec(text) ?? fault(`${text}: invalid packet_type`);
  const ns = bigNumber(found[1], 'packet_type namespace', 16);
  if (integer(found[2]) === null) fault(`${found[2]}): bad syntax for packet type ns_type`);
  return { value: (ns << 16n) | bigNumber(found[2], 'packet_type', 16), mask: 0xffffffffn };
}

const matchedPort = (f: Field, text: string, names: NameLookup): OfPort =>
  portOf(text, names) ?? fault(`${text}: invalid or unknown port for ${f.name}`);

/** A value of a field with its mask; "*" and "ANY" are no mask at all. */
export function parseValue(f: Field, text: string, names: NameLookup = {}): FieldValue {
  if (text === '*' || text === 'ANY') return { value: 0n, mask: 0n };
  switch (f.format) {
    case 'ethernet':
    case 'ipv4':
    case 'ipv6':
      return addressValue(f, text);
    case 'frag': {
      const known = FRAGMENTS[text];
      if (known !== undefined) return { value: known[0], mask: known[1] };
      if (/^\d/.test(text)) return numberValue(f, text);
      return fault(
        `${text}: unknown fragment type (valid types are "no", "yes", "first", "later", "not_later"`,
      );
    }
    case 'tcp flags':
      return flagsValue(f, text, TCP_FLAG_NAMES);
    case 'ct state':
      return flagsValue(f, text, CT_STATE_NAMES);
    case 'tunnel flags':
      return flagsValue(f, text, OPENFLOW_TUNNEL_FLAG_NAMES);
    case 'port16':
      return { value: BigInt(matchedPort(f, text, names)), mask: fullMask(f) };
    case 'port32':
      return { value: BigInt(portToWide(matchedPort(f, text, names))), mask: fullMask(f) };
    case 'packet type':
      return packetType(text);
    default:
      return numberValue(f, text);
  }
}

/** `field`, `field[]`, `field[bit]` or `field[first..last]`. */
export function parseSubfield(text: string, context: Partial<WireContext> = {}): Subfield {
  const found = /^([A-Za-z0-9_]*)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$/.exec(text);
  if (found === null) fault(`${text}: syntax error expecting [] or [<bit>] or [<start>..<end>]`);
  const known = fieldByAnyName(found[1]) ?? fault(`${text}: unknown field \`${found[1]}'`);
  const field = placedField(known, { version: 1, ...context }) ?? known;
  const bits = field.name === 'arp_op' ? 16 : field.bits;
  const offset = Number(found[2] ?? 0);
  const last = found[3] ?? found[2];
  const end = last === undefined ? bits - 1 : Number(last);
  if (offset > end) fault(`${text}: starting bit ${offset} is after ending bit ${end}`);
  if (offset >= bits) {
    fault(`${text}: starting bit ${offset} is not valid because field is only ${bits} bits wide`);
  }
  if (end >= bits) {
    fault(`${text}: ending bit ${end} is not valid because field is only ${bits} bits wide`);
  }
  return { field, offset, bits: end - offset + 1 };
}

/** tp_src, icmp_type and their like mean another field for each protocol. */
function ofProtocol(name: string, m: MatchFields): string {
  const side = /^tp_(src|dst)$/.exec(name)?.[1];
  if (side !== undefined) {
    if (m.allows('udp')) return `udp_${side}`;
    if (m.allows('sctp')) return `sctp_${side}`;
    if (m.allows('icmpv4')) return side === 'src' ? 'icmp_type' : 'icmp_code';
    if (m.allows('icmpv6')) return side === 'src' ? 'icmpv6_type' : 'icmpv6_code';
    return `tcp_${side}`;
  }
  if (name === 'icmp_type' && m.allows('icmpv6')) return 'icmpv6_type';
  if (name === 'icmp_code' && m.allows('icmpv6')) return 'icmpv6_code';
  if (name === 'nw_proto' && m.isArp) return 'arp_op';
  if (m.isArp && (name === 'nw_src' || name === 'nw_dst'))
    return name === 'nw_src' ? 'arp_spa' : 'arp_tpa';
  return name;
}

const VLAN_NONE = 0xffffn;

/** dl_vlan and dl_vlan_pcp of 1.0 ask for a tag; dl_vlan=0xffff for none. */
function setVlan(m: MatchFields, name: string, value: bigint): boolean {
  if (name === 'dl_vlan' && value === VLAN_NONE) m.setWord(K.VLAN0, 0, 0xffff);
  else if (name === 'dl_vlan') m.setWord(K.VLAN0, K.VLAN_CFI | Number(value), K.VLAN_CFI | 0xfff);
  else if (name === 'dl_vlan_pcp') {
    m.setWord(K.VLAN0, K.VLAN_CFI | (Number(value) << 13), K.VLAN_CFI | 0xe000);
  } else return false;
  m.setWord(K.PACKET_TYPE, 0, 0xffffffff);
  return true;
}

/** Headers whose fields a flow may name without the header: they are left out later (normalize-match.ts). */
const NORMALIZED: ReadonlySet<Field['prerequisite']> = new Set([
  ...(['vlan', 'mpls', 'ipv4', 'ipv6', 'ip', 'arp', 'tcp', 'udp', 'sctp'] as const),
  ...(['icmpv4', 'icmpv6', 'nd', 'nd solicit', 'nd advert'] as const),
]);

/** Fields of which higher bits than they have are dropped without a word, as in the original. */
const CUT: ReadonlySet<string> = new Set([
  ...['mpls_label', 'mpls_tc', 'mpls_bos', 'nw_tos', 'ip_dscp', 'nw_ecn', 'arp_op'],
  ...['vlan_pcp', 'dl_vlan_pcp'],
]);

/** Fields of packets on their way that no version can match. */
const UNMATCHABLE: ReadonlySet<string> = new Set(['skb_priority', 'tun_tos', 'tun_ttl']);

const cutTo = (f: Field): bigint => (f.name === 'nw_tos' ? 0xfcn : fullMask(f));

/** `reg0[0..15]=5`: bits of a field. */
function addSubfield(m: MatchFields, key: string, value: string, names: Partial<WireContext>) {
  const { field: f, offset, bits } = parseSubfield(key, names);
  const number = bigNumber(value, `${f.name} value`, bits);
  const at = BigInt(offset);
  const mask = ((1n << BigInt(bits)) - 1n) << at;
  const before = m.mask(f);
  m.set(f, (m.value(f) & ~mask) | (number << at), before | mask);
}

/** Adds one word of a match. False when the key is neither a field nor a shorthand. `isLoose`: prerequisites may be missing. */
export function addMatchWord(
  m: MatchFields,
  key: string,
  value: string | null,
  names: NameLookup & Partial<WireContext> = {},
  isLoose = false,
): boolean {
  const short = value === null ? SHORTHANDS[key] : undefined;
  if (short !== undefined) {
    m.set(namedField('eth_type'), BigInt(short[0]));
    if (short[1] !== undefined) m.set(namedField('nw_proto'), BigInt(short[1]));
    return true;
  }
  if (key === 'eth' && value === null) {
    m.setWord(K.PACKET_TYPE, 0, 0xffffffff);
    return true;
  }
  if (key.includes('[') && value !== null) {
    addSubfield(m, key, value, names);
    return true;
  }
  const known = fieldByName(ofProtocol(key, m));
  if (known === undefined) return false;
  if (isLoose && UNMATCHABLE.has(known.name)) {
    fault('actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)');
  }
  const f = placedField(known, { version: 1, ...names }) ?? fault(`${key}: unknown tunnel option`);
  // A field alone asks for its being there, which only an option of a tunnel can lack.
  const got = parseValue(f, value ?? '0/0', names);
  if (known.name === 'vlan_pcp' && isLoose) return setVlan(m, 'dl_vlan_pcp', got.value & 7n);
  if (setVlan(m, known.name, got.value)) return true;
  const mayLack = isLoose && NORMALIZED.has(f.prerequisite);
  if (!mayLack && !m.allows(f.prerequisite)) {
    fault(`${key}: prerequisites not met for setting ${key}`);
  }
  const wanted = CUT.has(f.name) && isLoose ? got.value & cutTo(f) : got.value;
  if (!isValueValid(f, wanted)) fault(`${key}=${value}: value is out of range`);
  if (got.mask !== 0n || f.name.startsWith('tun_metadata')) m.set(f, wanted, got.mask);
  else m.imply(f);
  return true;
}
