/**
 * Reads what ovs-fields(7) writes: values of fields with masks, the shorthands of protocols, and with them a match. Prerequisites
 * are judged as the wire judges them, by what stands in front.
 */
import type { Subfield } from '../../flowtable/action.ts';
import { parseIpv4, parseIpv6, parseMac } from '../../packet/address-text.ts';
import { type Field, fieldByName, fullMask } from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { isValueValid, type MatchFields, namedField } from '../codec/match-fields.ts';
import { placedField } from '../codec/oxm.ts';
import { portToWide } from '../codec/ports.ts';
import type { WireContext } from '../codec/reader.ts';
import { fieldByAnyName } from './field-names.ts';
import { CT_STATE_NAMES, OPENFLOW_TUNNEL_FLAG_NAMES, TCP_FLAG_NAMES } from './field-text.ts';
import { bigNumber, fault, knownPort, type NameLookup, smallNumber } from './syntax.ts';

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
  if (length > f.bits) fault(`${text}: network prefix bits not between 0 and ${f.bits}`);
  return { value, mask: (all << BigInt(f.bits - length)) & all };
}

/** `+syn-ack`, `syn|ack`, or numbers. */
function flagsValue(f: Field, text: string, names: readonly string[]): FieldValue {
  if (/^\d/.test(text)) return numberValue(f, text);
  const bitOf = (name: string): bigint => {
    const bit = names.indexOf(name);
    return bit >= 0 ? 1n << BigInt(bit) : fault(`unknown ${f.name} flag "${name}"`);
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

function numberValue(f: Field, text: string): FieldValue {
  const [plain, maskText] = text.split('/');
  const value = bigNumber(plain, `${f.name} value`, 8 * f.bytes);
  const all = f.name === 'vlan_vid' ? 0x1fffn : fullMask(f);
  if (maskText === undefined) return { value, mask: all };
  return { value, mask: bigNumber(maskText, `${f.name} mask`, 8 * f.bytes) & all };
}

function packetType(text: string): FieldValue {
  const found = /^\((\S+?),\s*(\S+?)\)$/.exec(text) ?? fault(`${text}: invalid packet_type`);
  const ns = bigNumber(found[1], 'packet_type namespace', 16);
  if (found[2] === '*') return { value: ns << 16n, mask: 0xffff0000n };
  return { value: (ns << 16n) | bigNumber(found[2], 'packet_type', 16), mask: 0xffffffffn };
}

/** A value of a field with its mask; "*" and "ANY" are no mask at all. */
export function parseValue(f: Field, text: string, names: NameLookup = {}): FieldValue {
  if (text === '') fault(`${f.name}: missing value`);
  if (text === '*' || text === 'ANY') return { value: 0n, mask: 0n };
  switch (f.format) {
    case 'ethernet':
    case 'ipv4':
    case 'ipv6':
      return addressValue(f, text);
    case 'frag': {
      const known = FRAGMENTS[text];
      return known === undefined ? numberValue(f, text) : { value: known[0], mask: known[1] };
    }
    case 'tcp flags':
      return flagsValue(f, text, TCP_FLAG_NAMES);
    case 'ct state':
      return flagsValue(f, text, CT_STATE_NAMES);
    case 'tunnel flags':
      return flagsValue(f, text, OPENFLOW_TUNNEL_FLAG_NAMES);
    case 'port16':
      return { value: BigInt(knownPort(text, names)), mask: fullMask(f) };
    case 'port32':
      return { value: BigInt(portToWide(knownPort(text, names))), mask: fullMask(f) };
    case 'packet type':
      return packetType(text);
    default:
      return numberValue(f, text);
  }
}

/** `field`, `field[]`, `field[bit]` or `field[first..last]`. */
export function parseSubfield(text: string, context: Partial<WireContext> = {}): Subfield {
  const found = /^([A-Za-z0-9_]+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$/.exec(text);
  if (found === null) fault(`${text}: syntax error expecting [] or [<bit>] or [<start>..<end>]`);
  const known = fieldByAnyName(found[1]) ?? fault(`${text}: unknown field \`${found[1]}'`);
  const field = placedField(known, { version: 1, ...context }) ?? known;
  const bits = field.name === 'arp_op' ? 16 : field.bits;
  const offset = Number(found[2] ?? 0);
  const last = found[3] ?? found[2];
  const end = last === undefined ? bits - 1 : Number(last);
  if (offset > end) fault(`${text}: starting bit ${offset} is after ending bit ${end}`);
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

/** Adds one word of a match. False when the key is neither a field nor a shorthand. */
export function addMatchWord(
  m: MatchFields,
  key: string,
  value: string | null,
  names: NameLookup & Partial<WireContext> = {},
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
  const known = fieldByName(ofProtocol(key, m)) ?? fieldByAnyName(key);
  if (known === undefined) return false;
  const f = placedField(known, { version: 1, ...names }) ?? fault(`${key}: unknown tunnel option`);
  if (value === null) fault(`field ${key} missing value`);
  const got = parseValue(f, value, names);
  if (setVlan(m, known.name, got.value)) return true;
  if (!m.allows(f.prerequisite)) fault(`${key}: prerequisites not met for setting ${key}`);
  if (!isValueValid(f, got.value)) fault(`${key}=${value}: value is out of range`);
  if (got.mask !== 0n || f.name.startsWith('tun_metadata')) m.set(f, got.value, got.mask);
  else m.imply(f);
  return true;
}
