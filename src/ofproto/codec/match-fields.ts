/**
 * A match as fields: what codecs and flow text fill in and read out, one field at a time, while `Match` of the flow
 * table has masked key words. Values are as on the wire of OXM, so that this is where a field whose wire form
 * differs from its place in the key is converted: VLAN ids with their present bit, ports of 32 bits, a TOS byte of
 * which only DSCP counts, and types and codes of ICMP, which OpenFlow 1.0 matches as ports of 16 bits.
 */
import { type Match, matchOf } from '../../flowtable/match.ts';
import { ofPort } from '../../flowtable/of-port.ts';
import {
  type Field,
  fieldByName,
  readField,
  tunMetadataIndex,
  writeField,
} from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { portFromWide, portToWide } from './ports.ts';

const ETH_IPV4 = 0x0800;
const ETH_ARP = 0x0806;
const ETH_RARP = 0x8035;
const ETH_IPV6 = 0x86dd;
const ETH_MPLS = 0x8847;
const ETH_MPLS_MULTICAST = 0x8848;
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

const placeOf = (f: Field): Place => SPECIAL[f.name] ?? f;
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

const asPlaced = (f: Field, place: Place): Field => ({ ...f, ...place });

export class MatchFields {
  private readonly values = new Uint32Array(K.FLOW_WORDS);
  private readonly masks = new Uint32Array(K.FLOW_WORDS);

  static of(match: Match): MatchFields {
    const fields = new MatchFields();
    for (let i = 0; i < match.words.length; i++) {
      fields.values[match.words[i]] = match.values[i];
      fields.masks[match.words[i]] = match.masks[i];
    }
    return fields;
  }

  build(): Match {
    return matchOf(this.values, this.masks, K.FLOW_WORDS);
  }

  /** Matches on a field; `mask` null or all ones for all of it. Adds what the field implies about the packet type. */
  set(f: Field, value: bigint, mask: bigint | null = null): void {
    this.setAt(f, value, mask);
    this.imply(f);
  }

  /** Matches on what is implied by a field that has an empty mask: that the packet is an Ethernet frame. */
  imply(f: Field): void {
    if (f.prerequisite !== 'none') this.masks[K.PACKET_TYPE] = 0xffffffff;
  }

  private setAt(f: Field, value: bigint, mask: bigint | null): void {
    const place = asPlaced(f, placeOf(f));
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
      this.values[word] |= 1 << (index & 31);
      this.masks[word] |= 1 << (index & 31);
    }
    writeField(this.values, place, placed & placedMask);
    writeField(this.masks, place, placedMask);
  }

  /** Value in the wire's form; 0 where nothing is matched. */
  value(f: Field): bigint {
    const raw = readField(this.values, asPlaced(f, placeOf(f)));
    if (isWidePort(f)) {
      return this.mask(f) === 0n ? 0n : BigInt(portToWide(ofPort(Number(raw)))) & 0xffffffffn;
    }
    return f.name === 'nw_tos' ? raw << 2n : raw;
  }

  /** Mask over matchBits(f) bits; 0 when the field is not matched. */
  mask(f: Field): bigint {
    const raw = readField(this.masks, asPlaced(f, placeOf(f)));
    return f.name === 'nw_tos' ? raw << 2n : raw;
  }

  /** True when the field is matched, on a tun_metadata field's presence alone included. */
  has(f: Field): boolean {
    const index = tunMetadataIndex(f);
    if (index === undefined) return this.mask(f) !== 0n;
    return ((this.masks[K.TUN_METADATA_PRESENT + (index < 32 ? 1 : 0)] >>> (index & 31)) & 1) === 1;
  }

  /** True when all bits of the field are matched. */
  isExact(f: Field): boolean {
    const place = placeOf(f);
    return readField(this.masks, asPlaced(f, place)) === (1n << BigInt(place.bits)) - 1n;
  }

  /** Forgets a field. */
  wildcard(f: Field): void {
    const place = asPlaced(f, placeOf(f));
    writeField(this.values, place, 0n);
    writeField(this.masks, place, 0n);
  }

  word(word: number): number {
    return this.values[word];
  }

  maskWord(word: number): number {
    return this.masks[word];
  }

  setWord(word: number, value: number, mask: number): void {
    this.values[word] = (this.values[word] & ~mask) | (value & mask);
    this.masks[word] |= mask;
  }

  clearWord(word: number): void {
    this.values[word] = 0;
    this.masks[word] = 0;
  }

  /** Also a packet type of the namespace of Ethernet types says what comes. */
  get ethType(): number {
    const type = this.values[K.PACKET_TYPE];
    return type >>> 16 === NAMESPACE_ETH_TYPE
      ? type & 0xffff
      : this.values[K.ETH_TYPE_PROTO] >>> 16;
  }

  get ipProto(): number {
    return (this.values[K.ETH_TYPE_PROTO] >>> 8) & 0xff;
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
    return (this.values[K.TP] & 0xffff) === 0 ? this.values[K.TP] >>> 16 : 0;
  }

  private isIpProto(proto: number): boolean {
    return this.isIp && this.ipProto === proto;
  }

  /** True when what is matched makes sure that a field of this prerequisite exists (OpenFlow 1.3.5, 7.2.3.6). */
  allows(prerequisite: Field['prerequisite']): boolean {
    const later = (this.values[K.ETH_TYPE_PROTO] & K.FRAG_LATER) !== 0;
    switch (prerequisite) {
      case 'none':
        return true;
      case 'ethernet':
        return this.values[K.PACKET_TYPE] === 0;
      case 'vlan':
        return (this.values[K.VLAN0] & K.VLAN_CFI) !== 0;
      case 'mpls':
        return this.isMpls;
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
        const state = this.values[K.CT_STATE];
        if ((state & CT_OF_CONNECTION) !== 0) return true;
        const valid = (this.masks[K.CT_STATE] & CT_INVALID) !== 0 && (state & CT_INVALID) === 0;
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
