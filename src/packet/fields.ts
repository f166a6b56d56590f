/**
 * The field table: every match field of OpenFlow 1.3 and the Nicira extensions, named as ovs-fields(7) names it,
 * with its place in the flow key (key.ts).
 *
 * The key is seen as one string of bits, word 0 first, the most significant bit of each word first. In this view each
 * field is one run of `bits` bits from bit `at`, also where it crosses words (Ethernet addresses) or shares one. OXM,
 * NXM, set-field, move, learn and flow text all go by this table; nobody else knows where a field lies.
 */
import * as K from './key.ts';

type FieldFormat =
  | 'decimal'
  | 'hexadecimal'
  | 'ethernet'
  | 'ipv4'
  | 'ipv6'
  | 'frag'
  | 'tcp flags'
  | 'tunnel flags'
  | 'ct state'
  | 'port16'
  | 'port32'
  | 'packet type';

type FieldPrerequisite =
  | 'none'
  | 'in port'
  | 'ethernet'
  | 'vlan'
  | 'mpls'
  | 'pbb'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'arp'
  | 'nsh'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmpv4'
  | 'icmpv6'
  | 'nd'
  | 'nd solicit'
  | 'nd advert'
  | 'ct';

/** An OXM or NXM type: class, field, and the experimenter of class 0xffff. */
export interface OxmId {
  readonly class: number;
  readonly field: number;
  readonly experimenter?: number;
}

export interface Field {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Bytes of the value on the wire. */
  readonly bytes: number;
  /** Significant (least significant) bits of the value. */
  readonly bits: number;
  /** First bit in the key, -1 for a field without a fixed place (tun_metadata). */
  readonly at: number;
  readonly format: FieldFormat;
  readonly prerequisite: FieldPrerequisite;
  readonly maskable: boolean;
  readonly writable: boolean;
  /** Preferred first: the OXM standard's, then Nicira's. */
  readonly ids: readonly OxmId[];
}

const OXM_EXPERIMENTER = 0xffff;
const nxmOf = (field: number): OxmId => ({ class: 0x0000, field });
const nxmNx = (field: number): OxmId => ({ class: 0x0001, field });
const eric = (field: number): OxmId => ({ class: 0x1000, field });
const oxm = (field: number): OxmId => ({ class: 0x8000, field });
const pktReg = (field: number): OxmId => ({ class: 0x8001, field });
const onf = (field: number): OxmId => ({
  class: OXM_EXPERIMENTER,
  field,
  experimenter: 0x4f4e4600,
});
const nxEt = (field: number): OxmId => ({ class: OXM_EXPERIMENTER, field, experimenter: 0x2320 });
const nsh = (field: number): OxmId => ({ class: OXM_EXPERIMENTER, field, experimenter: 0x5ad650 });

/** m: maskable, w: writable. */
type Access = '' | 'm' | 'w' | 'mw';

/** `name` may be "name|alias|alias"; `offset` is the bit in the word, counted from the most significant. */
function field(
  names: string,
  bytes: number,
  bits: number,
  word: number,
  offset: number,
  format: FieldFormat,
  prerequisite: FieldPrerequisite,
  access: Access,
  ...ids: OxmId[]
): Field {
  const [name, ...aliases] = names.split('|');
  return {
    name,
    aliases,
    bytes,
    bits,
    at: word < 0 ? -1 : word * 32 + offset,
    format,
    prerequisite,
    maskable: access.includes('m'),
    writable: access.includes('w'),
    ids,
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export const FIELDS: readonly Field[] = [
  // Metadata
  field('dp_hash', 4, 32, K.DP_HASH, 0, 'hexadecimal', 'none', 'm', nxmNx(35), nxEt(0)),
  field('recirc_id', 4, 32, K.RECIRC_ID, 0, 'decimal', 'none', '', nxmNx(36)),
  field('conj_id', 4, 32, K.CONJ_ID, 0, 'decimal', 'none', '', nxmNx(37)),
  field('in_port', 2, 16, K.OF_IN_PORT, 16, 'port16', 'none', 'w', nxmOf(0)),
  field('in_port_oxm', 4, 32, K.OF_IN_PORT, 0, 'port32', 'none', 'w', oxm(0)),
  field('in_phy_port', 4, 32, K.OF_IN_PHY_PORT, 0, 'port32', 'in port', '', oxm(1)),
  field('skb_priority', 4, 32, K.SKB_PRIORITY, 0, 'hexadecimal', 'none', ''),
  field('pkt_mark', 4, 32, K.PKT_MARK, 0, 'hexadecimal', 'none', 'mw', nxmNx(33)),
  field('actset_output', 4, 32, K.ACTSET_OUTPUT, 0, 'port32', 'none', '', onf(43), oxm(43)),
  field('packet_type', 4, 32, K.PACKET_TYPE, 0, 'packet type', 'none', '', oxm(44)),
  field('metadata', 8, 64, K.METADATA, 0, 'hexadecimal', 'none', 'mw', oxm(2)),
  ...range(16).map((i) =>
    field(`reg${i}`, 4, 32, K.REG + i, 0, 'hexadecimal', 'none', 'mw', nxmNx(i)),
  ),
  ...range(8).map((i) =>
    field(`xreg${i}`, 8, 64, K.REG + 2 * i, 0, 'hexadecimal', 'none', 'mw', pktReg(i)),
  ),
  ...range(4).map((i) =>
    field(`xxreg${i}`, 16, 128, K.REG + 4 * i, 0, 'hexadecimal', 'none', 'mw', nxmNx(111 + i)),
  ),

  // Connection tracking
  field('ct_state', 4, 32, K.CT_STATE, 0, 'ct state', 'none', 'm', nxmNx(105)),
  field('ct_zone', 2, 16, K.CT_ZONE, 0, 'hexadecimal', 'none', '', nxmNx(106)),
  field('ct_mark', 4, 32, K.CT_MARK, 0, 'hexadecimal', 'none', 'mw', nxmNx(107)),
  field('ct_label', 16, 128, K.CT_LABEL, 0, 'hexadecimal', 'none', 'mw', nxmNx(108)),
  field('ct_nw_proto', 1, 8, K.CT_ZONE, 16, 'decimal', 'ct', '', nxmNx(119)),
  field('ct_nw_src', 4, 32, K.CT_NW_SRC, 0, 'ipv4', 'ct', 'm', nxmNx(120)),
  field('ct_nw_dst', 4, 32, K.CT_NW_DST, 0, 'ipv4', 'ct', 'm', nxmNx(121)),
  field('ct_ipv6_src', 16, 128, K.CT_IPV6_SRC, 0, 'ipv6', 'ct', 'm', nxmNx(122)),
  field('ct_ipv6_dst', 16, 128, K.CT_IPV6_DST, 0, 'ipv6', 'ct', 'm', nxmNx(123)),
  field('ct_tp_src', 2, 16, K.CT_TP, 0, 'decimal', 'ct', 'm', nxmNx(124)),
  field('ct_tp_dst', 2, 16, K.CT_TP, 16, 'decimal', 'ct', 'm', nxmNx(125)),

  // Tunnels
  field('tun_id|tunnel_id', 8, 64, K.TUN_ID, 0, 'hexadecimal', 'none', 'mw', oxm(38), nxmNx(16)),
  field('tun_src', 4, 32, K.TUN_SRC, 0, 'ipv4', 'none', 'mw', nxmNx(31)),
  field('tun_dst', 4, 32, K.TUN_DST, 0, 'ipv4', 'none', 'mw', nxmNx(32)),
  field('tun_ipv6_src', 16, 128, K.TUN_IPV6_SRC, 0, 'ipv6', 'none', 'mw', nxmNx(109)),
  field('tun_ipv6_dst', 16, 128, K.TUN_IPV6_DST, 0, 'ipv6', 'none', 'mw', nxmNx(110)),
  field('tun_flags', 2, 1, K.TUN_FLAGS, 15, 'tunnel flags', 'none', 'mw', nxmNx(104)),
  field('tun_tos', 1, 8, K.TUN_FLAGS, 16, 'decimal', 'none', ''),
  field('tun_ttl', 1, 8, K.TUN_FLAGS, 24, 'decimal', 'none', ''),
  field('tun_gbp_id', 2, 16, K.TUN_GBP, 0, 'decimal', 'none', 'mw', nxmNx(38)),
  field('tun_gbp_flags', 1, 8, K.TUN_GBP, 16, 'hexadecimal', 'none', 'mw', nxmNx(39)),
  field('tun_erspan_idx', 4, 20, K.TUN_ERSPAN_IDX, 12, 'hexadecimal', 'none', 'mw', nxEt(11)),
  field('tun_erspan_ver', 1, 4, K.TUN_ERSPAN_GTPU, 0, 'decimal', 'none', 'mw', nxEt(12)),
  field('tun_erspan_dir', 1, 1, K.TUN_ERSPAN_GTPU, 7, 'decimal', 'none', 'mw', nxEt(13)),
  field('tun_erspan_hwid', 1, 6, K.TUN_ERSPAN_GTPU, 10, 'hexadecimal', 'none', 'mw', nxEt(14)),
  field('tun_gtpu_flags', 1, 8, K.TUN_ERSPAN_GTPU, 16, 'hexadecimal', 'none', 'm', nxEt(15)),
  field('tun_gtpu_msgtype', 1, 8, K.TUN_ERSPAN_GTPU, 24, 'decimal', 'none', 'm', nxEt(16)),
  ...range(64).map((i) =>
    field(`tun_metadata${i}`, 124, 992, -1, 0, 'hexadecimal', 'none', 'mw', nxmNx(40 + i)),
  ),

  // Ethernet
  field('eth_src|dl_src', 6, 48, K.ETH_DST_SRC, 16, 'ethernet', 'ethernet', 'mw', oxm(4), nxmOf(2)),
  field('eth_dst|dl_dst', 6, 48, K.ETH_DST, 0, 'ethernet', 'ethernet', 'mw', oxm(3), nxmOf(1)),
  field(
    'eth_type|dl_type',
    2,
    16,
    K.ETH_TYPE_PROTO,
    0,
    'hexadecimal',
    'ethernet',
    'w',
    oxm(5),
    nxmOf(3),
  ),
  // OXM_OF_VLAN_VID has the present bit (OFPVID_PRESENT, our CFI) as bit 12 besides; its codec adds it.
  field('vlan_vid', 2, 12, K.VLAN0, 20, 'decimal', 'ethernet', 'mw', oxm(6)),
  field('vlan_pcp', 1, 3, K.VLAN0, 16, 'decimal', 'vlan', 'w', oxm(7)),
  field('vlan_tci', 2, 16, K.VLAN0, 16, 'hexadecimal', 'ethernet', 'mw', nxmOf(4)),
  field('dl_vlan', 2, 12, K.VLAN0, 20, 'decimal', 'ethernet', 'w'),
  field('dl_vlan_pcp', 1, 3, K.VLAN0, 16, 'decimal', 'ethernet', 'w'),

  // MPLS
  field('mpls_label', 4, 20, K.MPLS_LSE, 0, 'decimal', 'mpls', 'w', oxm(34)),
  field('mpls_tc', 1, 3, K.MPLS_LSE, 20, 'decimal', 'mpls', 'w', oxm(35)),
  field('mpls_bos', 1, 1, K.MPLS_LSE, 23, 'decimal', 'mpls', 'w', oxm(36)),
  field('mpls_ttl', 1, 8, K.MPLS_LSE, 24, 'decimal', 'mpls', 'w', nxmNx(30)),
  field('pbb_isid', 3, 24, K.PBB_ISID, 8, 'hexadecimal', 'pbb', 'mw', oxm(37)),

  // IP
  field('ip_src|nw_src', 4, 32, K.IPV4_SRC, 0, 'ipv4', 'ipv4', 'mw', oxm(11), nxmOf(7)),
  field('ip_dst|nw_dst', 4, 32, K.IPV4_DST, 0, 'ipv4', 'ipv4', 'mw', oxm(12), nxmOf(8)),
  field('ipv6_src', 16, 128, K.IPV6_SRC, 0, 'ipv6', 'ipv6', 'mw', oxm(26), nxmNx(19)),
  field('ipv6_dst', 16, 128, K.IPV6_DST, 0, 'ipv6', 'ipv6', 'mw', oxm(27), nxmNx(20)),
  field('ipv6_label', 4, 20, K.IPV6_FLABEL, 12, 'hexadecimal', 'ipv6', 'mw', oxm(28), nxmNx(27)),
  field('ipv6_exthdr', 2, 9, K.ND_OPTIONS, 23, 'hexadecimal', 'ipv6', 'm', oxm(39)),
  field('nw_proto|ip_proto', 1, 8, K.ETH_TYPE_PROTO, 16, 'decimal', 'ip', 'w', oxm(10), nxmOf(6)),
  field('nw_ttl', 1, 8, K.TOS_TTL, 8, 'decimal', 'ip', 'w', nxmNx(29)),
  field('ip_frag|nw_frag', 1, 2, K.ETH_TYPE_PROTO, 30, 'frag', 'ip', 'm', nxmNx(26)),
  // The value is the whole byte; of it only DSCP counts.
  field('nw_tos', 1, 8, K.TOS_TTL, 0, 'decimal', 'ip', 'w', nxmOf(5)),
  field('ip_dscp', 1, 6, K.TOS_TTL, 0, 'decimal', 'ip', 'w', oxm(8)),
  field('nw_ecn|ip_ecn', 1, 2, K.TOS_TTL, 6, 'decimal', 'ip', 'w', oxm(9), nxmNx(28)),

  // ARP: the key has the low byte of the opcode
  field('arp_op', 2, 8, K.ETH_TYPE_PROTO, 16, 'decimal', 'arp', 'w', oxm(21), nxmOf(15)),
  field('arp_spa', 4, 32, K.IPV4_SRC, 0, 'ipv4', 'arp', 'mw', oxm(22), nxmOf(16)),
  field('arp_tpa', 4, 32, K.IPV4_DST, 0, 'ipv4', 'arp', 'mw', oxm(23), nxmOf(17)),
  field('arp_sha', 6, 48, K.ARP_SHA, 0, 'ethernet', 'arp', 'mw', oxm(24), nxmNx(17)),
  field('arp_tha', 6, 48, K.ARP_SHA_THA, 16, 'ethernet', 'arp', 'mw', oxm(25), nxmNx(18)),

  // NSH
  field('nsh_flags', 1, 8, K.NSH, 0, 'decimal', 'nsh', 'mw', nsh(1)),
  field('nsh_ttl', 1, 8, K.NSH, 8, 'decimal', 'nsh', 'w', nsh(10)),
  field('nsh_mdtype', 1, 8, K.NSH, 16, 'decimal', 'nsh', '', nsh(2)),
  field('nsh_np', 1, 8, K.NSH, 24, 'decimal', 'nsh', '', nsh(3)),
  field('nsh_spi|nsp', 4, 24, K.NSH_PATH, 0, 'hexadecimal', 'nsh', 'w', nsh(4)),
  field('nsh_si|nsi', 1, 8, K.NSH_PATH, 24, 'decimal', 'nsh', 'w', nsh(5)),
  ...range(4).map((i) =>
    field(
      `nsh_c${i + 1}|nshc${i + 1}`,
      4,
      32,
      K.NSH_CONTEXT + i,
      0,
      'hexadecimal',
      'nsh',
      'mw',
      nsh(6 + i),
    ),
  ),

  // Transport
  field('tcp_src|tp_src', 2, 16, K.TP, 0, 'decimal', 'tcp', 'mw', oxm(13), nxmOf(9)),
  field('tcp_dst|tp_dst', 2, 16, K.TP, 16, 'decimal', 'tcp', 'mw', oxm(14), nxmOf(10)),
  field('tcp_flags', 2, 12, K.TCP_FLAGS, 4, 'tcp flags', 'tcp', 'm', onf(42), oxm(42), nxmNx(34)),
  field('udp_src', 2, 16, K.TP, 0, 'decimal', 'udp', 'mw', oxm(15), nxmOf(11)),
  field('udp_dst', 2, 16, K.TP, 16, 'decimal', 'udp', 'mw', oxm(16), nxmOf(12)),
  field('sctp_src', 2, 16, K.TP, 0, 'decimal', 'sctp', 'mw', oxm(17)),
  field('sctp_dst', 2, 16, K.TP, 16, 'decimal', 'sctp', 'mw', oxm(18)),
  field('icmp_type', 1, 8, K.TP, 8, 'decimal', 'icmpv4', 'w', oxm(19), nxmOf(13)),
  field('icmp_code', 1, 8, K.TP, 24, 'decimal', 'icmpv4', 'w', oxm(20), nxmOf(14)),
  field('icmpv6_type', 1, 8, K.TP, 8, 'decimal', 'icmpv6', 'w', oxm(29), nxmNx(21)),
  field('icmpv6_code', 1, 8, K.TP, 24, 'decimal', 'icmpv6', 'w', oxm(30), nxmNx(22)),
  field('nd_target', 16, 128, K.ND_TARGET, 0, 'ipv6', 'nd', 'mw', oxm(31), nxmNx(23)),
  field('nd_sll', 6, 48, K.ARP_SHA, 0, 'ethernet', 'nd solicit', 'mw', oxm(32), nxmNx(24)),
  field('nd_tll', 6, 48, K.ARP_SHA_THA, 16, 'ethernet', 'nd advert', 'mw', oxm(33), nxmNx(25)),
  field('nd_reserved', 4, 32, K.ND_RESERVED, 0, 'decimal', 'nd', 'w', eric(1)),
  field('nd_options_type', 1, 8, K.ND_OPTIONS, 0, 'decimal', 'nd', 'w', eric(2)),
];

const byName = new Map<string, Field>();
for (const f of FIELDS) for (const name of [f.name, ...f.aliases]) byName.set(name, f);

const tunIndexes = new Map(FIELDS.filter((f) => f.at < 0).map((f, i) => [f.name, i]));

/** N of tun_metadataN; undefined for others. */
export const tunMetadataIndex = (f: Field): number | undefined =>
  // All others lie in front of them.
  f.at >= 0 && f.at < 32 * K.TUN_METADATA ? undefined : tunIndexes.get(f.name);

/** A class has 16 bits, a field 7; an experimenter's 32 bits stand behind one class only. */
const idKey = (id: OxmId): number =>
  id.experimenter === undefined
    ? id.class * 0x80 + id.field
    : 2 ** 40 + id.experimenter * 0x80 + id.field;
const byId = new Map<number, Field>();
for (const f of FIELDS) for (const id of f.ids) byId.set(idKey(id), f);

/** The field with this name or alias. */
export const fieldByName = (name: string): Field | undefined => byName.get(name);

/** The field with this OXM or NXM type. */
export const fieldByOxm = (id: OxmId): Field | undefined => byId.get(idKey(id));

/** True for fields of frames, which only an Ethernet frame or one of the field's own kind has; false for metadata. */
export const isHeaderField = (f: Field): boolean =>
  f.prerequisite !== 'none' && f.prerequisite !== 'in port';

/** Value of a field in a key, or its mask in a mask; `words` has FLOW_WORDS words (DP_WORDS for datapath fields). */
export function readField(words: ArrayLike<number>, f: Field): bigint {
  let value = 0n;
  for (let bit = f.at; bit < f.at + f.bits; ) {
    const inWord = bit & 31;
    const take = Math.min(32 - inWord, f.at + f.bits - bit);
    const part = ((words[bit >>> 5] << inWord) >>> 0) >>> (32 - take);
    value = (value << BigInt(take)) | BigInt(part);
    bit += take;
  }
  return value;
}

/** Writes the significant bits of `value`; bits beyond them are ignored. */
export function writeField(words: Uint32Array, f: Field, value: bigint): void {
  let left = f.bits;
  for (let bit = f.at; left > 0; ) {
    const inWord = bit & 31;
    const take = Math.min(32 - inWord, left);
    left -= take;
    const part = Number((value >> BigInt(left)) & ((1n << BigInt(take)) - 1n));
    const shift = 32 - inWord - take;
    const mask = ((0xffffffff >>> (32 - take)) << shift) >>> 0;
    words[bit >>> 5] = (words[bit >>> 5] & ~mask) | ((part << shift) & mask);
    bit += take;
  }
}

/** The complete mask of a field. */
export const fullMask = (f: Field): bigint => (1n << BigInt(f.bits)) - 1n;
