/**
 * A match as fields: what codecs and flow text fill in and read out, one field at a time, while `Match` of the flow
 * table has masked key words. Values are as on the wire of OXM, so that this is where a field whose wire form
 * differs from its place in the key is converted: VLAN ids with their present bit, ports of 32 bits, a TOS byte of
 * which only DSCP counts, and types and codes of ICMP, which OpenFlow 1.0 matches as ports of 16 bits.
 */
import type { Match } from '../../flowtable/match.ts';
import { ofPort } from '../../flowtable/of-port.ts';
import {
  FIELDS,
  type Field,
  fieldByName,
  isHeaderField,
  tunMetadataIndex,
} from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { portFromWide, portToWide } from './ports.ts';

const ETH_IPV4 = 0x0800;
const ETH_ARP = 0x0806;
const ETH_RARP = 0x8035;
const ETH_IPV6 = 0x86dd;
const ETH_MPLS = 0x8847;
const ETH_MPLS_MULTICAST = 0x8848;
const ETH_PBB = 0x88e7;
const ETH_NSH = 0x894f;
/** OFPHTN_ETHERTYPE. */
const NAMESPACE_ETH_TYPE = 1;
const IP_ICMP = 1;
const IP_TCP = 6;
const IP_UDP = 17;
const IP_ICMPV6 = 58;
const IP_SCTP = 132;

/** ct_state bits: new, established, related, reply, source and destination translated. */
const CT_OF_CONNECTION = 0x01 | 0x02 | 0x04 | 0x08 | 0x40 | 0x80;
const CT_INVALID = 0x10;
const CT_TRACKED = 0x20;
const CT_STATES = 0xffn;

/** Where a field's match lies in the key; as the field, but for the few that the opening names. */
interface Place {
  readonly at: number;
  readonly bits: number;
}

const SPECIAL: Readonly<Record<string, Place>> = {
  in_port: { at: K.OF_IN_PORT * 32, bits: 32 },
  vlan_vid: { at: K.VLAN0 * 32 + 19, bits: 13 },
  dl_vlan: { at: K.VLAN0 * 32 + 19, bits: 13 },
  nw_tos: { at: K.TOS_TTL * 32, bits: 6 },
  ct_state: { at: K.CT_STATE * 32 + 24, bits: 8 },
  icmp_type: { at: K.TP * 32, bits: 16 },
  icmp_code: { at: K.TP * 32 + 16, bits: 16 },
  icmpv6_type: { at: K.TP * 32, bits: 16 },
  icmpv6_code: { at: K.TP * 32 + 16, bits: 16 },
};

/** Fields of the table by their place; others, of tun_metadata, lie where they say. */
const PLACES = new Map<Field, Place>(FIELDS.map((f) => [f, SPECIAL[f.name] ?? f]));
const placeOf = (f: Field): Place => PLACES.get(f) ?? f;
const isWidePort = (f: Field): boolean => f.format === 'port32';

/** Significant bits of the match of a field on the wire; nw_tos keeps its two low bits clear. */
export const matchBits = (f: Field): number => (f.name === 'nw_tos' ? 8 : placeOf(f).bits);

/** True unless the value has bits or numbers that the field cannot have (OFPBMC_BAD_VALUE). */
export function isValueValid(f: Field, value: bigint): boolean {
  switch (f.name) {
    case 'vlan_vid':
      return value < 0x2000n;
    case 'nw_tos':
      return (value & 3n) === 0n;
    case 'ct_state':
      return (value & ~CT_STATES) === 0n;
    case 'nsh_ttl':
      return value < 64n;
    case 'nsh_mdtype':
      return value === 1n || value === 2n;
    default:
      if (isWidePort(f)) return portFromWide(Number(value)) !== null;
      return value >> BigInt(f.bits) === 0n;
  }
}

/** A field whose wire form is the bits of one key word and nothing more: what needs no big numbers to be matched. */
export interface PlainField {
  readonly word: number;
  readonly shift: number;
  /** Before it is shifted. */
  readonly ones: number;
}

const PLAIN = new Map<Field, PlainField>();
for (const f of FIELDS) {
  const { at, bits } = placeOf(f);
  const isSpecial = f.name in SPECIAL || f.name.startsWith('nsh_') || isWidePort(f);
  if (isSpecial || at < 0 || bits > 32 || (at & 31) + bits > 32) continue;
  PLAIN.set(f, {
    word: at >>> 5,
    shift: 32 - (at & 31) - bits,
    ones: bits === 32 ? 0xffffffff : (1 << bits) - 1,
  });
}

/** Null for a field that takes conversions or several words. */
export const plainField = (f: Field): PlainField | null => PLAIN.get(f) ?? null;

export class MatchFields {
  /**
   * The words that are matched, in any order, with value and mask at the same place: few, so that looking one up costs less
   * than the memory of all would. Numbers are signed, as V8 keeps them without a box.
   */
  private readonly words: number[] = [];
  private readonly values: number[] = [];
  private readonly masks: number[] = [];

  static of(match: Match): MatchFields {
    const fields = new MatchFields();
    for (let i = 0; i < match.words.length; i++) {
      fields.words.push(match.words[i]);
      fields.values.push(match.values[i] | 0);
      fields.masks.push(match.masks[i] | 0);
    }
    return fields;
  }

  build(): Match {
    const { words, values, masks } = this;
    // Insertion sort: a handful, often in order already. What was matched and forgotten has no mask.
    const order: number[] = [];
    for (let i = 0; i < words.length; i++) {
      if (masks[i] === 0) continue;
      let at = order.length;
      while (at > 0 && words[order[at - 1]] > words[i]) at--;
      order.splice(at, 0, i);
    }
    const match = {
      words: new Uint8Array(order.length),
      values: new Uint32Array(order.length),
      masks: new Uint32Array(order.length),
    };
    for (let n = 0; n < order.length; n++) {
      const i = order[n];
      match.words[n] = words[i];
      match.values[n] = values[i] & masks[i];
      match.masks[n] = masks[i];
    }
    return match;
  }

  /** Writes bits of a word, which then count as they are: `masked` of them are matched, and others forgotten. */
  private put(word: number, bits: number, value: number, masked: number): void {
    let i = this.words.indexOf(word);
    if (i < 0) {
      i = this.words.length;
      this.words.push(word);
      this.values.push(0);
      this.masks.push(0);
    }
    this.values[i] = (this.values[i] & ~bits) | (value & bits);
    this.masks[i] = (this.masks[i] & ~bits) | (masked & bits);
  }

  /** Writes a value and its mask, each as wide as the place. */
  private write({ at, bits }: Place, value: bigint, mask: bigint): void {
    for (let bit = at, left = bits; left > 0; ) {
      const take = Math.min(32 - (bit & 31), left);
      left -= take;
      const shift = 32 - (bit & 31) - take;
      const ones = (0xffffffff >>> (32 - take)) << shift;
      const low = BigInt(left);
      const v = Number((value >> low) & 0xffffffffn) << shift;
      const m = Number((mask >> low) & 0xffffffffn) << shift;
      this.put(bit >>> 5, ones, v, m);
      bit += take;
    }
  }

  private read(from: readonly number[], { at, bits }: Place): bigint {
    let value = 0n;
    for (let bit = at; bit < at + bits; ) {
      const take = Math.min(32 - (bit & 31), at + bits - bit);
      const i = this.words.indexOf(bit >>> 5);
      const word = i < 0 ? 0 : from[i];
      const part = ((word << (bit & 31)) >>> 0) >>> (32 - take);
      value = (value << BigInt(take)) | BigInt(part);
      bit += take;
    }
    return value;
  }

  /** As `set`, of a plain field. */
  setPlain(f: Field, place: PlainField, value: number, mask: number): void {
    const { word, shift, ones } = place;
    this.put(word, ones << shift, (value & mask) << shift, mask << shift);
    this.imply(f);
  }
  hasPlain({ word, shift, ones }: PlainField): boolean {
    return (this.maskWord(word) & (ones << shift)) !== 0;
  }

  /** Matches on a field; `mask` null or all ones for all of it. Adds what the field implies about the packet type. */
  set(f: Field, value: bigint, mask: bigint | null = null): void {
    this.setAt(f, value, mask);
    this.imply(f);
  }

  /** Matches on what is implied by a field that has an empty mask: that the packet is an Ethernet frame. */
  imply(f: Field): void {
    if (!isHeaderField(f)) return;
    const i = this.words.indexOf(K.PACKET_TYPE);
    if (i < 0) this.put(K.PACKET_TYPE, -1, 0, -1);
    else this.masks[i] = -1;
  }

  private setAt(f: Field, value: bigint, mask: bigint | null): void {
    const place = placeOf(f);
    const all = (1n << BigInt(place.bits)) - 1n;
    let placed = value;
    // What cannot be masked is matched whole, also where its place is wider than its value.
    let placedMask = mask === null || !f.maskable ? all : mask & all;
    if (isWidePort(f)) {
      placed = BigInt(portFromWide(Number(value)) ?? 0);
    } else if (f.name === 'nw_tos') {
      placed = value >> 2n;
      placedMask = mask === null ? all : mask >> 2n;
    }
    const index = tunMetadataIndex(f);
    if (index !== undefined) {
      const word = K.TUN_METADATA_PRESENT + (index < 32 ? 1 : 0);
      this.put(word, 1 << (index & 31), -1, -1);
    }
    this.write(place, placed & placedMask, placedMask);
  }

  /** Value in the wire's form; 0 where nothing is matched. */
  value(f: Field): bigint {
    const raw = this.read(this.values, placeOf(f));
    if (isWidePort(f)) {
      return this.mask(f) === 0n ? 0n : BigInt(portToWide(ofPort(Number(raw)))) & 0xffffffffn;
    }
    return f.name === 'nw_tos' ? raw << 2n : raw;
  }

  /** Mask over matchBits(f) bits; 0 when the field is not matched. */
  mask(f: Field): bigint {
    const raw = this.read(this.masks, placeOf(f));
    return f.name === 'nw_tos' ? raw << 2n : raw;
  }

  /** True when the field is matched, on a tun_metadata field's presence alone included. */
  has(f: Field): boolean {
    const index = tunMetadataIndex(f);
    if (index === undefined) return this.mask(f) !== 0n;
    const present = this.maskWord(K.TUN_METADATA_PRESENT + (index < 32 ? 1 : 0));
    return ((present >>> (index & 31)) & 1) === 1;
  }

  /** True when all bits of the field are matched. */
  isExact(f: Field): boolean {
    const place = placeOf(f);
    return this.read(this.masks, place) === (1n << BigInt(place.bits)) - 1n;
  }

  /** Forgets a field. */
  wildcard(f: Field): void {
    this.write(placeOf(f), 0n, 0n);
  }

  word(word: number): number {
    const i = this.words.indexOf(word);
    return i < 0 ? 0 : this.values[i] >>> 0;
  }

  maskWord(word: number): number {
    const i = this.words.indexOf(word);
    return i < 0 ? 0 : this.masks[i] >>> 0;
  }

  setWord(word: number, value: number, mask: number): void {
    this.put(word, mask, value, -1);
  }

  clearWord(word: number): void {
    if (this.words.includes(word)) this.put(word, -1, 0, 0);
  }

  /** Also a packet type of the namespace of Ethernet types says what comes. */
  get ethType(): number {
    const type = this.word(K.PACKET_TYPE);
    return type >>> 16 === NAMESPACE_ETH_TYPE ? type & 0xffff : this.word(K.ETH_TYPE_PROTO) >>> 16;
  }

  get ipProto(): number {
    return (this.word(K.ETH_TYPE_PROTO) >>> 8) & 0xff;
  }

  get isIp(): boolean {
    return this.ethType === ETH_IPV4 || this.ethType === ETH_IPV6;
  }

  get isArp(): boolean {
    return this.ethType === ETH_ARP || this.ethType === ETH_RARP;
  }

  get isMpls(): boolean {
    return this.ethType === ETH_MPLS || this.ethType === ETH_MPLS_MULTICAST;
  }

  get isNd(): boolean {
    return this.allows('icmpv6') && (this.ndType === 135 || this.ndType === 136);
  }

  private get ndType(): number {
    return (this.word(K.TP) & 0xffff) === 0 ? this.word(K.TP) >>> 16 : 0;
  }

  private isIpProto(proto: number): boolean {
    return this.isIp && this.ipProto === proto;
  }

  /** True when what is matched makes sure that a field of this prerequisite exists (OpenFlow 1.3.5, 7.2.3.6). */
  allows(prerequisite: Field['prerequisite']): boolean {
    const later = (this.word(K.ETH_TYPE_PROTO) & K.FRAG_LATER) !== 0;
    switch (prerequisite) {
      case 'none':
        return true;
      case 'in port':
        return this.maskWord(K.OF_IN_PORT) !== 0;
      case 'ethernet':
        return this.word(K.PACKET_TYPE) === 0;
      case 'vlan':
        return (this.word(K.VLAN0) & K.VLAN_CFI) !== 0;
      case 'mpls':
        return this.isMpls;
      case 'pbb':
        return this.ethType === ETH_PBB;
      case 'ipv4':
        return this.ethType === ETH_IPV4;
      case 'ipv6':
        return this.ethType === ETH_IPV6;
      case 'ip':
        return this.isIp;
      case 'arp':
        return this.isArp;
      case 'nsh':
        return this.ethType === ETH_NSH;
      case 'tcp':
        return this.isIpProto(IP_TCP) && !later;
      case 'udp':
        return this.isIpProto(IP_UDP) && !later;
      case 'sctp':
        return this.isIpProto(IP_SCTP) && !later;
      case 'icmpv4':
        return this.ethType === ETH_IPV4 && this.ipProto === IP_ICMP;
      case 'icmpv6':
        return this.ethType === ETH_IPV6 && this.ipProto === IP_ICMPV6;
      case 'nd':
        return this.isNd;
      case 'nd solicit':
        return this.isNd && this.ndType === 135;
      case 'nd advert':
        return this.isNd && this.ndType === 136;
      case 'ct': {
        const state = this.word(K.CT_STATE);
        if ((state & CT_OF_CONNECTION) !== 0) return true;
        const valid = (this.maskWord(K.CT_STATE) & CT_INVALID) !== 0 && (state & CT_INVALID) === 0;
        return (state & CT_TRACKED) !== 0 && valid;
      }
    }
  }
}

/** A field of the table that is known to be there. */
export function namedField(name: string): Field {
  const f = fieldByName(name);
  if (f === undefined) throw new Error(`no field ${name}`);
  return f;
}
