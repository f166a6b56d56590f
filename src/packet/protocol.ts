/** Numbers of the wire: EtherTypes, IP protocols, ICMPv6 types. */

export const ETH_HEADER_BYTES = 14;
export const VLAN_TAG_BYTES = 4;
export const MPLS_ENTRY_BYTES = 4;
/** Backbone addresses, EtherType and I-TAG control information. */
export const PBB_HEADER_BYTES = 18;

export const ETH_TYPE_IPV4 = 0x0800;
export const ETH_TYPE_ARP = 0x0806;
export const ETH_TYPE_RARP = 0x8035;
export const ETH_TYPE_VLAN = 0x8100;
export const ETH_TYPE_QINQ = 0x88a8;
export const ETH_TYPE_IPV6 = 0x86dd;
export const ETH_TYPE_MPLS = 0x8847;
export const ETH_TYPE_MPLS_MULTICAST = 0x8848;
/** I-TAG of provider backbone bridges. */
export const ETH_TYPE_PBB = 0x88e7;
export const ETH_TYPE_NSH = 0x894f;
/** eth_type of frames that have none (802.2), as in OpenFlow 1.0's OFP_DL_TYPE_NOT_ETH_TYPE. */
export const ETH_TYPE_NONE = 0x05ff;
/** Smallest EtherType: smaller values are 802.3 lengths. */
export const ETH_TYPE_MIN = 0x0600;

export const IP_PROTO_HOPOPTS = 0;
export const IP_PROTO_ICMP = 1;
export const IP_PROTO_IGMP = 2;
export const IP_PROTO_TCP = 6;
export const IP_PROTO_UDP = 17;
export const IP_PROTO_ROUTING = 43;
export const IP_PROTO_FRAGMENT = 44;
export const IP_PROTO_ESP = 50;
export const IP_PROTO_AH = 51;
export const IP_PROTO_ICMPV6 = 58;
export const IP_PROTO_NONE = 59;
export const IP_PROTO_DSTOPTS = 60;
export const IP_PROTO_SCTP = 132;

export const ND_NEIGHBOR_SOLICIT = 135;
export const ND_NEIGHBOR_ADVERT = 136;
export const ND_OPT_SOURCE_LINKADDR = 1;
export const ND_OPT_TARGET_LINKADDR = 2;
