/** Flows with every action of ovs-actions(7) that outputs, changes headers or sets fields, with what is refused. See sections.ts. */
import type { Section } from './section.ts';

export const ACTION_SECTIONS: readonly Section[] = [
  {
    title: 'output and controller actions',
    lines: `
+ in_port=1,actions=2
+ in_port=2,actions=output:1,output:p1,p2,"eth-3"
+ in_port=3,actions=IN_PORT
+ in_port=4,actions=TABLE
+ in_port=5,actions=NORMAL
+ in_port=6,actions=FLOOD
+ in_port=7,actions=ALL
+ in_port=8,actions=LOCAL
+ in_port=9,actions=output:LOCAL
+ in_port=10,actions=NONE
+ in_port=11,actions=output:ANY
+ in_port=12,actions=drop
+ in_port=13,actions=
+ in_port=14,actions=output:70000
+ in_port=15,actions=65280
+ in_port=16,actions=output:nope
+ in_port=17,actions=drop,1
+ in_port=18,actions=output:reg0
+ in_port=19,actions=output:reg0[]
+ in_port=20,actions=output:NXM_NX_REG1[5..10]
+ in_port=21,actions=output:reg0[0..40]
+ in_port=22,actions=output(port=2,max_len=100)
+ in_port=23,actions=output(port=LOCAL,max_len=100)
+ in_port=24,actions=output(port=CONTROLLER,max_len=100)
+ in_port=25,actions=output(port=2,max_len=1)
+ in_port=26,actions=output(port=NORMAL,max_len=100)
+ in_port=27,actions=output(port=2)
+ in_port=28,actions=controller
+ in_port=29,actions=CONTROLLER:128
+ in_port=30,actions=controller:0
+ in_port=31,actions=controller(reason=no_match,max_len=123,id=44)
+ in_port=32,actions=controller(userdata=01.02.03.04.05,pause)
+ in_port=33,actions=controller(reason=action_set)
+ in_port=34,actions=controller(reason=group)
+ in_port=35,actions=controller(reason=packet_out)
+ in_port=36,actions=controller(reason=because)
+ in_port=37,actions=controller(meter_id=4)
+ in_port=38,actions=controller(userdata=zz)
+ in_port=39,actions=controller(max_len=70000)
+ in_port=40,actions=controller(id=70000)
+ in_port=41,actions=enqueue:1:7
+ in_port=42,actions=enqueue(2,3)
+ in_port=43,actions=enqueue:LOCAL:1
+ in_port=44,actions=enqueue:1
+ in_port=45,actions=enqueue:FLOOD:1
+ in_port=46,actions=set_queue:7,1,pop_queue
+ in_port=47,actions=set_queue:p
+ in_port=48,actions=bundle(eth_src,50,hrw,ofport,members:1,2,3)
+ in_port=49,actions=bundle(symmetric_l4,60,active_backup,ofport,slaves:1,2)
+ in_port=50,actions=bundle_load(symmetric_l3l4,1,hrw,ofport,NXM_NX_REG0[],members:1,2)
+ in_port=51,actions=bundle_load(nw_src,1,hrw,ofport,reg0[0..15],members:1)
+ in_port=52,actions=bundle(nw_dst,1,hrw,ofport,members:)
+ in_port=53,actions=bundle(symmetric_l3l4+udp,1,active_backup,ofport,members:4,5)
+ in_port=54,actions=bundle(xyz,1,hrw,ofport,members:1)
+ in_port=55,actions=bundle_load(eth_src,1,hrw,ofport,reg0[0..7],members:1)
+ in_port=56,actions=group:1
+ in_port=57,actions=group:ALL
+ in_port=58,actions=outputt:1
+ in_port=59,actions=1,2
+ in_port=60,actions=output:1output:2
+ in_port=61,actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])
+ in_port=62,actions=multipath(symmetric_l4,1024,hash_threshold,8,0,reg0[0..2])
+ in_port=63,actions=multipath(symmetric_l3l4,5,hrw,4,0,reg1[1..2])
+ in_port=64,actions=multipath(nw_src,0,iter_hash,16,32,reg2[0..3])
+ in_port=65,actions=multipath(eth_src,50,modulo_n,65537,0,NXM_NX_REG0[])
+ in_port=66,actions=multipath(eth_src,50,modulo_n,256,0,NXM_NX_REG0[0..2])
+ in_port=67,actions=multipath(eth_src,50,whatever,1,0,NXM_NX_REG0[])
+ actions=group:4294967040
dump-flows br0
dump-flows --names br0
dump-flows br0 out_port=2
dump-flows br0 out_port=p1
dump-flows br0 out_port=NORMAL
dump-flows br0 out_group=1
dump-aggregate br0 out_port=1
del-flows br0 out_port=LOCAL
dump-flows --no-stats br0
`,
  },
  {
    title: 'actions that change headers',
    lines: `
+ in_port=1,actions=mod_vlan_vid:5,1
+ in_port=2,actions=mod_vlan_pcp:3,1
+ in_port=3,actions=mod_vlan_vid:4096,1
+ in_port=4,actions=mod_vlan_pcp:8,1
+ in_port=5,actions=set_vlan_vid:5,set_vlan_pcp:2
+ in_port=6,dl_vlan=3,actions=set_vlan_vid:5,set_vlan_pcp:2,1
+ in_port=7,actions=strip_vlan,1
+ in_port=8,vlan_tci=0x1000/0x1000,actions=strip_vlan,1
+ in_port=9,actions=pop_vlan,1
+ in_port=10,vlan_tci=0x1000/0x1000,actions=pop_vlan,1
+ in_port=11,actions=push_vlan:0x8100,set_field:4100->vlan_vid,1
+ in_port=12,actions=push_vlan:0x88a8,set_vlan_vid:7,1
+ in_port=13,actions=push_vlan:0x9100,1
+ in_port=14,actions=push_vlan:0x8100,push_vlan:0x8100,1
+ in_port=15,actions=mod_dl_src:00:11:22:33:44:55,mod_dl_dst:66:77:88:99:aa:bb,1
+ in_port=16,actions=mod_dl_src:00:11,1
+ in_port=17,actions=mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8,1
+ in_port=18,ip,actions=mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8,1
+ in_port=19,ip,actions=mod_nw_tos:16,mod_nw_ecn:2,mod_nw_ttl:9,1
+ in_port=20,actions=mod_nw_tos:16,1
+ in_port=21,ip,actions=mod_nw_tos:17,1
+ in_port=22,ip,actions=mod_nw_ecn:4,1
+ in_port=23,tcp,actions=mod_tp_src:80,mod_tp_dst:81,1
+ in_port=24,actions=mod_tp_src:80,1
+ in_port=25,udp,actions=mod_tp_dst:65536,1
+ in_port=26,sctp,actions=mod_tp_dst:6,1
+ in_port=27,ip,actions=dec_ttl,1
+ in_port=28,ip,actions=dec_ttl(1,2,3),1
+ in_port=29,actions=dec_ttl,1
+ in_port=30,ipv6,actions=dec_ttl,mod_nw_ttl:3,mod_nw_tos:4,mod_nw_ecn:1,1
+ in_port=31,mpls,actions=set_mpls_label:7,set_mpls_tc:2,set_mpls_ttl:5,dec_mpls_ttl,1
+ in_port=32,actions=set_mpls_label:7,1
+ in_port=33,mpls,actions=set_mpls_label:1048576,1
+ in_port=34,mpls,actions=set_mpls_tc:8,1
+ in_port=35,ip,actions=push_mpls:0x8847,1
+ in_port=36,ip,actions=push_mpls:0x8848,set_field:5->mpls_label,1
+ in_port=37,ip,actions=push_mpls:0x800,1
+ in_port=38,mpls,actions=pop_mpls:0x800,dec_ttl,1
+ in_port=39,actions=pop_mpls:0x800,1
+ in_port=40,mpls,actions=pop_mpls:0x8847,1
+ in_port=41,ip,actions=push_mpls:0x8847,dec_ttl,1
+ in_port=42,dl_type=0x894f,actions=dec_nsh_ttl,1
+ in_port=43,actions=dec_nsh_ttl,1
+ in_port=44,actions=encap(nsh(md_type=1)),set_field:5->nsh_spi,1
+ in_port=45,actions=encap(ethernet),1
+ in_port=46,actions=encap(nsh),1
+ in_port=47,actions=decap(),1
+ in_port=48,actions=decap,1
+ in_port=49,actions=decap(packet_type(ns=0,type=0)),1
+ in_port=50,ip,actions=encap(mpls),1
+ in_port=51,ip,actions=encap(mpls_mc),1
+ in_port=52,actions=encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),1
+ in_port=53,actions=encap(foo),1
+ in_port=54,actions=set_tunnel:5,1
+ in_port=55,actions=set_tunnel:0x100000000,1
+ in_port=56,actions=set_tunnel64:5,1
+ in_port=57,actions=set_tunnel:zz,1
+ in_port=58,actions=copy_ttl_in,1
+ in_port=59,actions=push_pbb:0x88e7,1
dump-flows br0
`,
  },
  {
    title: 'set_field, load, move, stack',
    lines: `
+ in_port=1,actions=set_field:5->reg0
+ in_port=2,actions=set_field:0x5/0xf->reg0
+ in_port=3,actions=set_field:5->xreg0,set_field:6->xxreg0
+ in_port=4,actions=set_field:0x10000000000000000/0xf0000000000000000->xxreg3
+ in_port=5,actions=set_field:00:11:22:33:44:55->eth_src,set_field:66:77:88:99:aa:bb->dl_dst
+ in_port=6,actions=set_field:00:11:22:33:44:55/ff:ff:ff:00:00:00->eth_src
+ in_port=7,ip,actions=set_field:1.2.3.4->ip_src,set_field:5.6.7.8->nw_dst
+ in_port=8,ip,actions=set_field:1.2.0.0/255.255.0.0->ip_src
+ in_port=9,actions=set_field:1.2.3.4->ip_src
+ in_port=10,ip,actions=set_field:46->ip_dscp,set_field:3->ip_ecn,set_field:4->nw_ttl
+ in_port=11,ip,actions=set_field:16->nw_tos
+ in_port=12,ip,actions=set_field:64->ip_dscp
+ in_port=13,tcp,actions=set_field:80->tcp_src,set_field:81->tp_dst
+ in_port=14,udp,actions=set_field:80->udp_src,set_field:81->udp_dst
+ in_port=15,udp,actions=set_field:80->tcp_src
+ in_port=16,sctp,actions=set_field:80->sctp_src,set_field:81->sctp_dst
+ in_port=17,tcp,actions=set_field:0x100/0xff00->tcp_dst
+ in_port=18,tcp,actions=set_field:2->tcp_flags
+ in_port=19,ipv6,actions=set_field:2001:db8::1->ipv6_src,set_field:::1->ipv6_dst,set_field:5->ipv6_label
+ in_port=20,ipv6,actions=set_field:fe80::/10->ipv6_src
+ in_port=21,arp,actions=set_field:2->arp_op,set_field:1.2.3.4->arp_spa,set_field:1.2.3.5->arp_tpa
+ in_port=22,arp,actions=set_field:00:00:00:00:00:01->arp_sha,set_field:00:00:00:00:00:02->arp_tha
+ in_port=23,icmp,actions=set_field:0->icmp_type,set_field:1->icmp_code
+ in_port=24,icmp6,actions=set_field:129->icmpv6_type,set_field:1->icmpv6_code
+ in_port=25,icmp6,icmp_type=135,icmp_code=0,actions=set_field:fe80::1->nd_target,set_field:00:00:00:00:00:01->nd_sll
+ in_port=26,icmp6,icmp_type=136,icmp_code=0,actions=set_field:00:00:00:00:00:01->nd_tll,set_field:2->nd_options_type,set_field:5->nd_reserved
+ in_port=27,actions=set_field:5->vlan_vid
+ in_port=28,dl_vlan=9,actions=set_field:5->vlan_vid,set_field:3->vlan_pcp
+ in_port=29,dl_vlan=9,actions=set_field:0x1005->vlan_vid
+ in_port=30,dl_vlan=9,actions=set_field:0x2005->vlan_tci
+ in_port=31,dl_vlan=9,actions=set_field:8->vlan_pcp
+ in_port=32,mpls,actions=set_field:5->mpls_label,set_field:1->mpls_tc,set_field:9->mpls_ttl
+ in_port=33,mpls,actions=set_field:1->mpls_bos
+ in_port=34,actions=set_field:0x800->eth_type
+ in_port=35,ip,actions=set_field:6->ip_proto
+ in_port=36,actions=set_field:5->tun_id,set_field:1.2.3.4->tun_src,set_field:1.2.3.5->tun_dst
+ in_port=37,actions=set_field:2001::1->tun_ipv6_src,set_field:2001::2->tun_ipv6_dst
+ in_port=38,actions=set_field:7->tun_gbp_id,set_field:8->tun_gbp_flags,set_field:oam->tun_flags
+ in_port=39,actions=set_field:1->tun_erspan_ver,set_field:2->tun_erspan_idx,set_field:1->tun_erspan_dir,set_field:3->tun_erspan_hwid
+ in_port=40,actions=set_field:5->metadata,set_field:6->pkt_mark
+ in_port=41,actions=set_field:5->in_port
+ in_port=42,actions=set_field:LOCAL->in_port
+ in_port=43,actions=set_field:5->in_port_oxm
+ in_port=44,actions=set_field:5->ct_mark
+ in_port=45,actions=set_field:+trk->ct_state
+ in_port=46,actions=set_field:5->actset_output
+ in_port=47,actions=set_field:5->conj_id
+ in_port=48,actions=set_field:5->skb_priority
+ in_port=49,dl_type=0x894f,actions=set_field:1->nsh_flags,set_field:2->nsh_spi,set_field:3->nsh_si,set_field:4->nsh_c1
+ in_port=50,dl_type=0x894f,actions=set_field:1->nsh_np
+ in_port=51,actions=set_field:5->foo
+ in_port=52,actions=set_field:->reg0
+ in_port=53,actions=set_field:0x100000000->reg0
+ in_port=54,actions=set_field:5
+ in_port=55,actions=load:5->reg0
+ in_port=56,actions=load:5->NXM_NX_REG0[]
+ in_port=57,actions=load:0x5->NXM_NX_REG0[3..8]
+ in_port=58,actions=load:0x10->reg0[0..3]
+ in_port=59,actions=load:1->reg0[5]
+ in_port=60,actions=load:1->reg0[32]
+ in_port=61,actions=load:1->reg0[8..3]
+ in_port=62,actions=load:0xffffffffffffffff->OXM_OF_METADATA[]
+ in_port=63,actions=load:0xa->NXM_OF_IP_SRC[0..7]
+ in_port=64,ip,actions=load:0xa->NXM_OF_IP_SRC[0..7]
+ in_port=65,actions=load:5->NXM_OF_VLAN_TCI[0..11]
+ in_port=66,actions=load:1->NXM_OF_ETH_DST[40]
+ in_port=67,actions=move:reg0->reg1
+ in_port=68,actions=move:NXM_NX_REG0[0..5]->NXM_NX_REG1[3..8]
+ in_port=69,actions=move:NXM_NX_REG0[0..5]->NXM_NX_REG1[3..9]
+ in_port=70,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]
+ in_port=71,actions=move:NXM_OF_ETH_SRC->NXM_OF_ETH_DST
+ in_port=72,actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]
+ in_port=73,ip,actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]
+ in_port=74,actions=move:reg0->NXM_OF_ETH_TYPE[]
+ in_port=75,ip,actions=move:NXM_OF_ETH_TYPE[]->reg0[0..15]
+ in_port=76,actions=push:reg0,pop:reg1
+ in_port=77,actions=push:NXM_NX_REG0[3..5],pop:NXM_OF_VLAN_TCI[0..2]
+ in_port=78,actions=pop:NXM_OF_IP_PROTO[]
+ in_port=79,actions=push:NXM_OF_IP_SRC[]
+ in_port=80,ip,actions=push:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[]
+ in_port=81,actions=push
+ in_port=82,actions=delete_field:tun_metadata0
+ in_port=83,actions=delete_field:reg0
+ in_port=84,actions=check_pkt_larger(1500)->reg0[0]
+ in_port=85,actions=check_pkt_larger(1500)->reg0[0..1]
+ in_port=86,actions=check_pkt_larger(1500)->NXM_OF_IP_SRC[3]
+ in_port=87,actions=check_pkt_larger(70000)->reg0[0]
+ in_port=88,actions=swap:reg0
+ in_port=89,actions=reg_load:1
+ in_port=90,actions=set_field:fe80::1->xxreg1
+ in_port=91,actions=set_field:p1->in_port
+ in_port=92,actions=set_field:1->NXM_NX_REG5
+ in_port=93,actions=set_field:1->NXM_NX_REG5[0..4]
dump-flows br0
dump-flows --names br0 in_port=91
`,
  },
];
