/** Flows that match every field of ovs-fields(7), in its notations and with what is refused. See sections.ts. */
import type { Section } from './section.ts';

export const MATCH_SECTIONS: readonly Section[] = [
  {
    title: 'match fields of the frame',
    lines: `
+ in_port=1,actions=1
+ in_port=p2,actions=1
+ in_port="eth-3",actions=1
+ in_port=LOCAL,actions=1
+ in_port=NONE,actions=1
+ in_port=CONTROLLER,actions=1
+ in_port_oxm=2,actions=2
+ in_port=65280,actions=1
+ in_port=65536,actions=1
+ in_port=70000,actions=1
+ dl_src=00:11:22:33:44:55,actions=1
+ eth_src=00:11:22:33:44:66,actions=1
+ dl_src=00:11:22:33:44:55/ff:ff:ff:00:00:00,actions=1
+ dl_dst=ff:ff:ff:ff:ff:ff,actions=1
+ dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=1
+ eth_dst=00:00:00:00:00:00/00:00:00:00:00:00,actions=1
+ dl_dst=00:11:22:33:44,actions=1
+ dl_type=0x1234,actions=1
+ eth_type=0x88cc,actions=1
+ dl_type=0x5ff,actions=1
+ dl_type=0x10000,actions=1
+ dl_vlan=5,actions=1
+ dl_vlan=0xffff,actions=1
+ dl_vlan=5000,actions=1
+ dl_vlan_pcp=3,actions=1
+ dl_vlan=7,dl_vlan_pcp=7,actions=1
+ dl_vlan_pcp=8,actions=1
+ vlan_vid=9,actions=1
+ vlan_vid=0x1000/0x1000,actions=1
+ vlan_vid=0x1005/0x1fff,actions=1
+ vlan_vid=0x1064/0x10f0,actions=1
+ vlan_vid=0/0x1fff,actions=1
+ vlan_vid=0x1003,vlan_pcp=2,actions=1
+ vlan_pcp=2,actions=1
+ vlan_tci=0,actions=1
+ vlan_tci=0x1123,actions=1
+ vlan_tci=0x1000/0x1000,actions=1
+ vlan_tci=0x0000/0x1000,actions=1
+ vlan_tci=0x3005/0xf00f,actions=1
+ vlan_tci=0x5000/0xe000,actions=1
+ mpls,actions=1
+ mplsm,actions=1
+ mpls,mpls_label=100,actions=1
+ mpls,mpls_label=1048576,actions=1
+ mpls,mpls_tc=3,mpls_bos=1,actions=1
+ mpls,mpls_ttl=64,actions=1
+ mpls_label=3,actions=1
+ rarp,actions=1
+ arp,actions=1
+ arp,arp_op=1,actions=1
+ arp,arp_spa=10.0.0.1,arp_tpa=10.1.0.0/16,actions=1
+ arp,nw_src=10.0.0.9,nw_dst=10.2.0.0/16,nw_proto=2,actions=1
+ arp,arp_sha=00:11:22:33:44:55,arp_tha=00:00:00:00:00:00,actions=1
+ arp,arp_sha=00:11:22:33:44:55/ff:00:00:00:00:00,actions=1
+ arp,arp_op=300,actions=1
+ arp,arp_op=65536,actions=1
+ arp_spa=1.2.3.4,actions=1
+ dl_type=0x8035,arp_op=3,actions=1
+ dl_type=0x894f,nsh_spi=0x123,nsh_si=255,actions=1
+ dl_type=0x894f,nsh_flags=1/1,nsh_ttl=63,nsh_mdtype=1,nsh_np=3,actions=1
+ dl_type=0x894f,nsh_mdtype=1,nsh_c1=0x11223344,nsh_c2=0xf0/0xf0,nsh_c3=1,nsh_c4=2,actions=1
+ nsh_spi=5,actions=1
+ encap_eth_type=0x800,actions=1
+ foo=1,actions=1
+ tcp_flags,actions=1
+ in_port,actions=1
dump-flows br0
dump-flows --names br0
dump-flows --no-stats br0
dump-aggregate br0
`,
  },
  {
    title: 'match fields of IP and above',
    lines: `
+ ip,actions=1
+ ip,nw_src=10.0.0.1,actions=1
+ ip,ip_src=10.0.0.2,actions=1
+ ip,nw_src=10.0.0.0/8,nw_dst=192.168.0.0/16,actions=1
+ ip,nw_dst=10.0.0.1/255.0.255.0,actions=1
+ ip,nw_dst=10.0.0.1/0,actions=1
+ ip,nw_dst=10.0.0.1/33,actions=1
+ ip,nw_dst=10.0.0,actions=1
+ nw_src=10.0.0.1,actions=1
+ ip,nw_proto=47,actions=1
+ ip,ip_proto=132,actions=1
+ ip,nw_proto=256,actions=1
+ ip,nw_tos=0x20,actions=1
+ ip,nw_tos=0x23,actions=1
+ ip,ip_dscp=46,actions=1
+ ip,ip_dscp=64,actions=1
+ ip,nw_ecn=2,actions=1
+ ip,ip_ecn=4,actions=1
+ ip,nw_ttl=64,actions=1
+ ip,nw_ttl=256,actions=1
+ ip,nw_frag=no,actions=1
+ ip,ip_frag=yes,actions=1
+ ip,ip_frag=first,actions=1
+ ip,ip_frag=later,actions=1
+ ip,ip_frag=not_later,actions=1
+ ip,ip_frag=maybe,actions=1
+ icmp,actions=1
+ icmp,icmp_type=8,icmp_code=0,actions=1
+ icmp,icmp_type=300,actions=1
+ icmp_type=8,actions=1
+ tcp,actions=1
+ tcp,tp_src=1000,actions=1
+ tcp,tcp_dst=80,actions=1
+ tcp,tp_dst=0x100/0xff00,actions=1
+ tcp,tcp_src=8000/0xffe0,actions=1
+ tcp,tp_dst=65536,actions=1
+ tcp,tcp_flags=+syn-ack,actions=1
+ tcp,tcp_flags=syn|ack,actions=1
+ tcp,tcp_flags=0x2/0xfff,actions=1
+ tcp,tcp_flags=+zap,actions=1
+ udp,udp_src=53,udp_dst=68,actions=1
+ udp,tp_dst=5000/0xfff8,actions=1
+ sctp,sctp_dst=80,actions=1
+ sctp,tp_src=7/0xf,actions=1
+ tp_dst=80,actions=1
+ tcp,udp_dst=80,actions=1
+ ipv6,actions=1
+ ip6,ipv6_src=2001:db8::1,actions=1
+ ipv6,ipv6_dst=fe80::/10,actions=1
+ ipv6,ipv6_src=2001:db8::1/ffff:ffff:ffff:ffff:ffff:ffff:0:ffff,actions=1
+ ipv6,ipv6_dst=::/0,actions=1
+ ipv6,ipv6_dst=zz::1,actions=1
+ ipv6,ipv6_label=0x12345,actions=1
+ ipv6,ipv6_label=0xf0000/0xf0000,actions=1
+ ipv6,ipv6_label=0x100000,actions=1
+ ipv6,nw_proto=17,nw_tos=8,nw_ecn=1,nw_ttl=5,actions=1
+ ipv6,ipv6_exthdr=1,actions=1
+ tcp6,tp_dst=443,actions=1
+ udp6,udp_src=547,actions=1
+ sctp6,sctp_src=9,actions=1
+ icmp6,actions=1
+ icmp6,icmp_type=128,icmp_code=0,actions=1
+ icmp6,icmpv6_type=129,icmpv6_code=1,actions=1
+ icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=00:11:22:33:44:55,actions=1
+ icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::/64,nd_tll=00:11:22:33:44:55,actions=1
+ icmp6,icmpv6_type=136,icmpv6_code=0,nd_tll=00:11:22:33:44:55/ff:ff:ff:00:00:00,actions=1
+ icmp6,icmp_type=136,icmp_code=0,nd_sll=00:11:22:33:44:55,actions=1
+ icmp6,icmp_type=136,icmp_code=0,nd_reserved=0x60000000,nd_options_type=2,actions=1
+ nd_target=fe80::1,actions=1
+ ipv6,ip_src=1.2.3.4,actions=1
dump-flows br0
dump-flows br0 ip
dump-flows br0 tcp,tp_dst=80
dump-flows --no-stats br0 ipv6
dump-aggregate br0 ip
dump-aggregate br0 icmp6
`,
  },
  {
    title: 'match fields of metadata, tunnels and connections',
    lines: `
+ reg0=5,actions=1
+ reg1=0x10/0xff,reg15=0xffffffff,actions=1
+ reg2=0x100000000,actions=1
+ reg16=1,actions=1
+ xreg0=0x100000002,actions=1
+ xreg7=0xff/0xffff,actions=1
+ xreg8=1,actions=1
+ xxreg0=0x1000000000000000000000002,actions=1
+ xxreg3=0x1/0x3,actions=1
+ reg0=0,xxreg1=5,actions=1
+ metadata=0x1234,actions=1
+ metadata=0x1200/0xff00,actions=1
+ pkt_mark=0xff,actions=1
+ pkt_mark=0x1/0x1,actions=1
+ skb_priority=7,actions=1
+ skb_mark=3,actions=1
+ conj_id=17,actions=1
+ actset_output=2,actions=1
+ actset_output=LOCAL,actions=1
+ packet_type=(0,0),actions=1
+ packet_type=(1,0x800),actions=1
+ packet_type=(1,0x800),nw_src=1.2.3.4,actions=1
+ packet_type=(1,*),actions=1
+ dp_hash=5,actions=1
+ dp_hash=0x1/0xf,actions=1
+ recirc_id=1,actions=1
mod-flows br0 dp_hash=7,actions=1
del-flows br0 dp_hash=7
+ tun_id=5,actions=1
+ tunnel_id=0x10/0xff,actions=1
+ tun_src=1.2.3.4,tun_dst=5.6.0.0/16,actions=1
+ tun_ipv6_src=2001::1,tun_ipv6_dst=fe80::/64,actions=1
+ tun_flags=oam,actions=1
+ tun_flags=-oam,actions=1
+ tun_flags=+oam,actions=1
+ tun_flags=+what,actions=1
+ tun_gbp_id=7,tun_gbp_flags=0x8,actions=1
+ tun_gbp_id=7/0xf,actions=1
+ tun_erspan_ver=1,tun_erspan_idx=0x3,actions=1
+ tun_erspan_ver=2,tun_erspan_dir=1,tun_erspan_hwid=0x4,actions=1
+ tun_gtpu_flags=0x30,tun_gtpu_msgtype=255,actions=1
+ tun_ttl=5,actions=1
+ tun_tos=4,actions=1
+ ct_state=+trk,actions=1
+ ct_state=-trk,actions=1
+ ct_state=+new+trk,actions=1
+ ct_state=+trk+est-rel-rpl-inv,actions=1
+ ct_state=trk|new,actions=1
+ ct_state=+trk+snat-dnat,actions=1
+ ct_state=+est,actions=1
+ ct_state=+xyz,actions=1
+ ct_state=0x20/0x20,actions=1
+ ct_zone=5,actions=1
+ ct_zone=65536,actions=1
+ ct_mark=1,actions=1
+ ct_mark=0x10/0xf0,actions=1
+ ct_label=0x1234,actions=1
+ ct_label=0x10000000000000000/0xf0000000000000000,actions=1
+ ct_state=+trk,ip,ct_nw_src=10.0.0.1,ct_nw_dst=10.0.0.0/24,ct_nw_proto=6,ct_tp_src=1,ct_tp_dst=0x50/0xff,actions=1
+ ct_state=+trk,ipv6,ct_ipv6_src=fe80::1,ct_ipv6_dst=2001::/16,ct_nw_proto=17,actions=1
+ ct_nw_src=10.0.0.1,actions=1
+ tun_metadata0=1,actions=1
+ NXM_NX_REG0=4,actions=1
+ OXM_OF_METADATA=4,actions=1
+ reg3[0..15]=5,actions=1
dump-flows br0
dump-flows br0 reg0=5
dump-flows --no-stats br0 ct_state=+trk
`,
  },
];
