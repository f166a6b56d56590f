/**
 * Writes a match as OXM or NXM entries. Open vSwitch's order and choice of forms are kept, field by field, so that
 * dumps and messages compare equal byte for byte; the specification asks only that prerequisites come first.
 */
import type { Match } from '../../flowtable/match.ts';
import { FIELDS, type Field, isHeaderField, tunMetadataIndex } from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { MatchFields, namedField } from './match-fields.ts';
import { type OxmFlavour, placedField, wireOnes, writeOxmEntry } from './oxm.ts';
import { OF15 } from './versions.ts';
import type { Writer } from './writer.ts';

const fields = (...names: string[]): readonly Field[] => names.map(namedField);
const numbered = (name: string, count: number): readonly Field[] =>
  fields(...Array.from({ length: count }, (_, i) => `${name}${i}`));

const PACKET_TYPE = namedField('packet_type');
const VLAN_VID = namedField('vlan_vid');
const VLAN_PCP = namedField('vlan_pcp');
const VLAN_TCI = namedField('vlan_tci');
const IN_PORT = namedField('in_port');
const IN_PORT_OXM = namedField('in_port_oxm');
const NW_TOS = namedField('nw_tos');
const IP_DSCP = namedField('ip_dscp');

const BEFORE_PORT = fields('dp_hash', 'recirc_id', 'conj_id');
const ETHERNET = fields('eth_src', 'eth_dst', 'eth_type');
const MPLS = fields('mpls_tc', 'mpls_bos', 'mpls_ttl', 'mpls_label');
const ADDRESSES4 = fields('ip_src', 'ip_dst');
const ADDRESSES6 = fields('ipv6_src', 'ipv6_dst');
const AFTER_DSCP = fields('nw_ecn', 'nw_ttl', 'ipv6_label', 'ipv6_exthdr', 'nw_proto');
const TCP = fields('tcp_src', 'tcp_dst', 'tcp_flags');
const UDP = fields('udp_src', 'udp_dst');
const SCTP = fields('sctp_src', 'sctp_dst');
const ICMP4 = fields('icmp_type', 'icmp_code');
const ICMP6 = fields('icmpv6_type', 'icmpv6_code');
const ND = fields('nd_reserved', 'nd_target', 'nd_options_type');
const ND_SLL = fields('nd_sll');
const ND_TLL = fields('nd_tll');
const ARP = fields('arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha');
const TUNNEL = fields(
  'tun_id',
  'tun_flags',
  'tun_src',
  'tun_dst',
  'tun_ipv6_src',
  'tun_ipv6_dst',
  'tun_gbp_id',
  'tun_gbp_flags',
);
const hasOptions = (match: MatchFields): boolean =>
  (match.maskWord(K.TUN_METADATA_PRESENT) | match.maskWord(K.TUN_METADATA_PRESENT + 1)) !== 0;

const TUN_METADATA = FIELDS.filter((f) => tunMetadataIndex(f) !== undefined);
const AFTER_METADATA = fields(
  'tun_erspan_idx',
  'tun_erspan_ver',
  'tun_erspan_dir',
  'tun_erspan_hwid',
  'tun_gtpu_flags',
  'tun_gtpu_msgtype',
  'nsh_flags',
  'nsh_ttl',
  'nsh_mdtype',
  'nsh_np',
  'nsh_spi',
  'nsh_si',
  'nsh_c1',
  'nsh_c2',
  'nsh_c3',
  'nsh_c4',
);
const REGS = numbered('reg', 16);
const XREGS = numbered('xreg', 8);
const CT = fields(
  'pkt_mark',
  'ct_state',
  'ct_zone',
  'ct_mark',
  'ct_label',
  'ct_nw_src',
  'ct_ipv6_src',
  'ct_nw_dst',
  'ct_ipv6_dst',
);
const CT_TRANSPORT = fields('ct_nw_proto', 'ct_tp_src', 'ct_tp_dst');
const LAST = fields('metadata');
const PBB = fields('pbb_isid');
const AFTER_PORT = fields('in_phy_port', 'actset_output');

const ALWAYS_MASKED = ['tun_flags', 'tun_erspan_dir', 'ct_state'];

/** Mask for the wire: null when nothing of the field is open. */
function wireMask(match: MatchFields, f: Field): bigint | null {
  // Open vSwitch always masks these, because it takes some bits of them only.
  if (ALWAYS_MASKED.includes(f.name)) return match.mask(f);
  // An option without a value is matched by its presence: under an empty mask.
  return match.isExact(f) && f.bits > 0 ? null : match.mask(f) & wireOnes(f);
}

function put(w: Writer, match: MatchFields, flavour: OxmFlavour, f: Field): boolean {
  if (!match.has(f)) return false;
  writeOxmEntry(w, { field: f, value: match.value(f), mask: wireMask(match, f) }, flavour);
  return isHeaderField(f);
}

function transportFields(match: MatchFields): readonly Field[] {
  if (match.allows('tcp')) return TCP;
  if (match.allows('udp')) return UDP;
  if (match.allows('sctp')) return SCTP;
  if (match.allows('icmpv4')) return ICMP4;
  if (!match.allows('icmpv6')) return [];
  if (match.allows('nd solicit')) return [...ICMP6, ...ND, ...ND_SLL];
  if (match.allows('nd advert')) return [...ICMP6, ...ND, ...ND_TLL];
  return ICMP6;
}

/** An encap'd frame's type is asked for only where it is not Ethernet, or nothing else implies Ethernet. */
const hasDefaultPacketType = (match: MatchFields): boolean =>
  match.word(K.PACKET_TYPE) === 0 && match.maskWord(K.PACKET_TYPE) === 0xffffffff;

function vlanFields(match: MatchFields, flavour: OxmFlavour): readonly Field[] {
  if (flavour === 'nxm') return [VLAN_TCI];
  // A priority without a tag, which an NXM match may ask for, has no form here (OpenFlow 1.3.5, 7.2.3.8).
  const tagged = (match.word(K.VLAN0) & K.VLAN_CFI) !== 0;
  return tagged && match.has(VLAN_PCP) ? [VLAN_VID, VLAN_PCP] : [VLAN_VID];
}

function layer3Fields(match: MatchFields, flavour: OxmFlavour): readonly Field[] {
  if (match.isIp) {
    return [
      ...(match.allows('ipv4') ? ADDRESSES4 : ADDRESSES6),
      namedField('ip_frag'),
      flavour === 'nxm' ? NW_TOS : IP_DSCP,
      ...AFTER_DSCP,
      ...transportFields(match),
    ];
  }
  return match.isArp ? ARP : [];
}

/** Everything that is matched, in the order of the wire. */
function presentFields(match: MatchFields, w: Writer, flavour: OxmFlavour): readonly Field[] {
  const placed = hasOptions(match)
    ? TUN_METADATA.filter((f) => match.has(f)).map((f) => placedField(f, w.context))
    : [];
  return [
    ...BEFORE_PORT,
    flavour === 'nxm' ? IN_PORT : IN_PORT_OXM,
    ...AFTER_PORT,
    ...ETHERNET,
    ...vlanFields(match, flavour),
    ...(match.isMpls ? MPLS : []),
    ...PBB,
    ...layer3Fields(match, flavour),
    ...TUNNEL,
    ...placed.filter((f) => f !== null),
    ...AFTER_METADATA,
    ...(flavour === OF15 ? XREGS : REGS),
    ...CT,
    ...(match.value(CT_TRANSPORT[0]) === 0n ? [] : CT_TRANSPORT),
    ...LAST,
  ].filter((f) => match.has(f));
}

/** Appends the entries of a match, without header and padding. */
export function writeOxms(w: Writer, match: Match, flavour: OxmFlavour): void {
  const m = MatchFields.of(match);
  const list = presentFields(m, w, flavour);
  const ethernet = list.some(isHeaderField);
  const ordinary = hasDefaultPacketType(m);
  if (ordinary ? !ethernet : true) put(w, m, flavour, PACKET_TYPE);
  for (const f of list) put(w, m, flavour, f);
}
