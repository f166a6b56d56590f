/**
 * The flow key: every header field of a frame, and its metadata, as 32-bit words.
 *
 * One layout serves the datapath (megaflow keys and masks), the classifier and translation. Words
 * [0, DP_WORDS) are what a datapath can match; words [DP_WORDS, FLOW_WORDS) exist only while the
 * OpenFlow pipeline runs. A word holds numbers in host order: `key[IPV4_SRC] === 0x0a000001` is 10.0.0.1.
 *
 * Words are ordered metadata, L2, L3, L4 (the stages of a staged lookup), and the ones that plain
 * traffic uses come first: extraction writes [0, HOT_WORDS) for each frame and clears the rest only
 * where an earlier frame left something there.
 *
 * Field places inside shared words are named once, in fields.ts.
 */

// Metadata
/** Datapath port number, u32. */
export const IN_PORT = 0;
export const RECIRC_ID = 1;
export const DP_HASH = 2;
/** skb mark (pkt_mark). */
export const PKT_MARK = 3;
/** namespace << 16 | type; 0 is Ethernet (packet_type(ns=0,id=0)). */
export const PACKET_TYPE = 4;

// L2
/** eth_dst bytes 0-3. */
export const ETH_DST = 5;
/** eth_dst bytes 4-5 << 16 | eth_src bytes 0-1. */
export const ETH_DST_SRC = 6;
/** eth_src bytes 2-5. */
export const ETH_SRC = 7;
/** Outer VLAN: TPID << 16 | TCI, with bit 0x1000 (CFI) set whenever a tag is present; 0 without a tag. */
export const VLAN0 = 8;
/** Inner VLAN, same form. */
export const VLAN1 = 9;
/** eth_type << 16 | nw_proto << 8 | nw_frag. nw_proto is the low byte of the opcode for ARP. */
export const ETH_TYPE_PROTO = 10;

// L3
/** nw_tos << 24 | nw_ttl << 16. */
export const TOS_TTL = 11;
/** IPv4 source, or arp_spa. */
export const IPV4_SRC = 12;
/** IPv4 destination, or arp_tpa. */
export const IPV4_DST = 13;
/** Four words. */
export const IPV6_SRC = 14;
/** Four words. */
export const IPV6_DST = 18;
/** 20 bits. */
export const IPV6_FLABEL = 22;

// L4
/** tp_src << 16 | tp_dst; ICMP and ICMPv6 keep type in tp_src and code in tp_dst, as Open vSwitch does. */
export const TP = 23;
/** tcp_flags (12 bits) << 16. */
export const TCP_FLAGS = 24;
/** Four words. */
export const ND_TARGET = 25;
/** arp_sha (or nd_sll) bytes 0-3. */
export const ARP_SHA = 29;
/** arp_sha (nd_sll) bytes 4-5 << 16 | arp_tha (nd_tll) bytes 0-1. */
export const ARP_SHA_THA = 30;
/** arp_tha (nd_tll) bytes 2-5. */
export const ARP_THA = 31;

/** Words written for every frame. */
export const HOT_WORDS = 32;

export const IGMP_GROUP = 32;
export const ND_RESERVED = 33;
/** nd_options_type << 24 | ipv6_exthdr (16 bits). */
export const ND_OPTIONS = 34;
/** Three label stack entries, outermost first. */
export const MPLS_LSE = 35;
/** PBB service id, 24 bits, PBB_PRESENT set when an I-TAG is present. */
export const PBB_ISID = 38;

// Connection tracking
export const CT_STATE = 39;
/** ct_zone << 16 | ct_nw_proto << 8. */
export const CT_ZONE = 40;
export const CT_MARK = 41;
/** Four words, most significant first. */
export const CT_LABEL = 42;
export const CT_NW_SRC = 46;
export const CT_NW_DST = 47;
export const CT_TP = 48;
export const CT_IPV6_SRC = 49;
export const CT_IPV6_DST = 53;

// Tunnel metadata
/** Two words, most significant first. */
export const TUN_ID = 57;
export const TUN_SRC = 59;
export const TUN_DST = 60;
export const TUN_IPV6_SRC = 61;
export const TUN_IPV6_DST = 65;
/** flags << 16 | tos << 8 | ttl. */
export const TUN_FLAGS = 69;
export const TUN_TP = 70;
/** gbp_id << 16 | gbp_flags << 8. */
export const TUN_GBP = 71;
/** erspan: version << 28 | dir << 24 | hwid << 16; gtpu: flags << 8 | message type. */
export const TUN_ERSPAN_GTPU = 72;
export const TUN_ERSPAN_IDX = 73;
/** flags << 24 | ttl << 16 | mdtype << 8 | next protocol. */
export const NSH = 74;
/** spi << 8 | si. */
export const NSH_PATH = 75;
/** Four words. */
export const NSH_CONTEXT = 76;
/** Bytes of the Geneve options as they came, 0..252; the next word is free. */
export const TUN_OPTIONS_LENGTH = 80;
/** 64 words: the options one after the other (tlv-table.ts), 0 behind the last. */
export const TUN_OPTIONS = 82;

/** Words that a datapath matches: the size of every megaflow key and mask. */
export const DP_WORDS = 146;

// Pipeline only
/** OpenFlow port number of the bridge that is being traversed. */
export const OF_IN_PORT = 146;
/** Two words, most significant first. */
export const METADATA = 147;
/** reg0..reg15. */
export const REG = 149;
export const ACTSET_OUTPUT = 165;
export const CONJ_ID = 166;
export const SKB_PRIORITY = 167;
/** OpenFlow port that the frame came in on, whatever in_port was changed to since. */
export const OF_IN_PHY_PORT = 168;
/** Two words: which of tun_metadata0..63 are present, 63 the most significant bit of the first. */
export const TUN_METADATA_PRESENT = 169;
/** 64 words: the values of tun_metadata0..63, where the bridge's table places them (tlv-table.ts). */
export const TUN_METADATA = 171;

/** Size of a flow in the OpenFlow pipeline. */
export const FLOW_WORDS = 235;

/** Present bit of VLAN0 and VLAN1. */
export const VLAN_CFI = 0x1000;

/** Present bit of PBB_ISID. */
export const PBB_PRESENT = 0x80000000;

/** nw_frag: any fragment; a fragment that is not the first. */
export const FRAG_ANY = 1;
export const FRAG_LATER = 2;
