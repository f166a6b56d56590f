/** Flows with the other actions and the instructions, and all that flows have besides: cookies, timeouts, flags, priorities, files and formats. See sections.ts. */
import { EVERY, type Section } from './section.ts';

export const FLOW_SECTIONS: readonly Section[] = [
  {
    title: 'actions that steer',
    lines: `
+ in_port=1,actions=resubmit:2
+ in_port=2,actions=resubmit(,5)
+ in_port=3,actions=resubmit(3,5)
+ in_port=4,actions=resubmit(p1,5)
+ in_port=5,actions=resubmit(,5,ct)
+ in_port=6,actions=resubmit(2,)
+ in_port=7,actions=resubmit(,255)
+ in_port=8,actions=resubmit(,256)
+ in_port=9,actions=resubmit(IN_PORT,7)
+ in_port=10,actions=resubmit()
+ in_port=11,actions=resubmit(1,2,3)
+ in_port=12,actions=exit
+ in_port=13,actions=exit,1
+ in_port=14,actions=note:11.22.33
+ in_port=15,actions=note:112233445566778899
+ in_port=16,actions=note:
+ in_port=17,actions=note:1
+ in_port=18,tcp,actions=fin_timeout(idle_timeout=5,hard_timeout=10)
+ in_port=19,tcp,actions=fin_timeout(idle_timeout=5)
+ in_port=20,actions=fin_timeout(idle_timeout=5)
+ in_port=21,tcp,actions=fin_timeout(xdle=5)
+ in_port=22,actions=clone(output:1,set_field:5->reg0,2)
+ in_port=23,actions=clone(clone(1),2),3
+ in_port=24,actions=clone()
+ in_port=25,actions=clone(
+ in_port=26,actions=sample(probability=12345,collector_set_id=23456,obs_domain_id=34567,obs_point_id=45678)
+ in_port=27,actions=sample(probability=1,collector_set_id=2,sampling_port=1)
+ in_port=28,actions=sample(probability=1,collector_set_id=2,sampling_port=1,egress)
+ in_port=29,actions=sample(probability=1,collector_set_id=2,ingress,sampling_port=p1)
+ in_port=30,actions=sample(probability=0)
+ in_port=31,actions=sample(probability=65536)
+ in_port=32,actions=sample(color=1)
+ conj_id=5,in_port=33,actions=1
+ in_port=34,actions=conjunction(5,1/2)
+ in_port=35,actions=conjunction(5,2/2),conjunction(6,1/3)
+ in_port=36,actions=conjunction(5,3/2)
+ in_port=37,actions=conjunction(5,1/65)
+ in_port=38,actions=conjunction(5,0/2)
+ in_port=39,actions=conjunction(5,1/2),1
+ in_port=40,actions=conjunction(5,1/2),note:11
+ conj_id=9,in_port=41,actions=conjunction(9,1/2)
+ in_port=42,actions=conjunction(x)
+ in_port=43,actions=ct()
+ in_port=44,actions=ct(commit)
+ in_port=45,ip,actions=ct()
+ in_port=46,ip,actions=ct(commit,zone=5)
+ in_port=47,ip,actions=ct(commit,zone=5,exec(load:5->NXM_NX_CT_MARK[]))
+ in_port=48,ip,actions=ct(commit,exec(set_field:5->ct_mark,set_field:0x6/0xf->ct_label))
+ in_port=49,ip,actions=ct(exec(set_field:5->ct_mark))
+ in_port=50,ip,actions=ct(commit,exec(set_field:5->reg0))
+ in_port=51,ip,actions=ct(table=5,zone=NXM_NX_REG0[0..15])
+ in_port=52,ip,actions=ct(table=5,zone=reg0[0..14])
+ in_port=53,ip,actions=ct(table=0)
+ in_port=54,ip,actions=ct(table=255)
+ in_port=55,ip,actions=ct(commit,force,table=1)
+ in_port=56,ip,actions=ct(force)
+ in_port=57,tcp,actions=ct(commit,alg=ftp)
+ in_port=58,udp,actions=ct(commit,alg=tftp)
+ in_port=59,tcp,actions=ct(commit,alg=xyz)
+ in_port=60,ip,actions=ct(nat)
+ in_port=61,ip,actions=ct(commit,nat(src=10.0.0.1))
+ in_port=62,ip,actions=ct(commit,nat(src=10.0.0.1-10.0.0.9:100-200,random))
+ in_port=63,ip,actions=ct(commit,nat(dst=10.0.0.1:80,persistent,hash))
+ in_port=64,ip,actions=ct(commit,nat(src))
+ in_port=65,ipv6,actions=ct(commit,nat(dst=2001::1-2001::9))
+ in_port=66,ipv6,actions=ct(commit,nat(src=[2001::1]:5000-6000))
+ in_port=67,ip,actions=ct(nat(src=10.0.0.1))
+ in_port=68,ip,actions=ct(commit,nat(src=10.0.0.9-10.0.0.1))
+ in_port=69,ip,actions=ct(commit,nat(src=10.0.0.1,dst=10.0.0.2))
+ in_port=70,ip,actions=ct(commit,nat(src=10.0.0.1,hash,random))
+ in_port=71,ip,actions=ct(zone=65536)
+ in_port=72,ip,actions=ct(what)
+ in_port=73,actions=ct_clear
+ in_port=74,ip,actions=ct_clear,ct(table=3,nat)
+ in_port=75,ip,actions=ct(commit,timeout=x)
+ in_port=76,ip,actions=ct(commit,zone=1,table=2,nat(src=1.2.3.4),exec(load:1->NXM_NX_CT_MARK[]),alg=ftp)
+ in_port=77,actions=learn(table=1)
+ in_port=78,actions=learn(table=1,idle_timeout=60,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])
+ in_port=79,actions=learn(table=1,hard_timeout=60,fin_idle_timeout=5,fin_hard_timeout=6,priority=10,cookie=0x123,send_flow_rem,delete_learned,NXM_OF_VLAN_TCI[0..11],load:0->NXM_OF_VLAN_TCI[],output:in_port)
+ in_port=80,actions=learn(limit=10,result_dst=reg0[0],table=2,eth_type=0x800,nw_src=1.2.3.4,load:reg0[0..5]->reg1[0..5])
+ in_port=81,actions=learn(table=1,in_port=99,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG1[16..31])
+ in_port=82,actions=learn(table=1,nw_src=1.2.3.4)
+ in_port=83,actions=learn(table=255)
+ in_port=84,actions=learn(table=1,foo=bar)
+ in_port=85,actions=learn(priority=65536)
+ in_port=86,actions=learn(table=1,load:5->reg0[0..1],load:0x10->reg0[0..3])
+ in_port=87,ip,actions=learn(table=1,eth_type=0x800,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],output:NXM_NX_REG0[0..15])
+ in_port=88,actions=learn(table=1,reg0=5,reg1[0..3]=7,dl_src=00:00:00:00:00:01)
+ in_port=89,actions=learn(table=1,ip,nw_dst=1.1.1.1)
+ in_port=92,actions=xyzzy
+ in_port=93,actions=xyzzy(5)
+ in_port=94,actions=unroll_xlate
+ in_port=95,actions=group:5
+ in_port=96
+ in_port=97,action=1
dump-flows br0
dump-flows --names br0
+ in_port=90,actions=debug_recirc
+ in_port=91,actions=debug_slow
`,
  },
  {
    title: 'instructions',
    versions: EVERY,
    lines: `
+ in_port=1,actions=goto_table:1
+ in_port=2,table=5,actions=goto_table:5
+ in_port=3,table=5,actions=goto_table:2
+ in_port=5,actions=goto_table:256
+ in_port=6,actions=1,goto_table:3
+ in_port=7,actions=goto_table:3,1
+ in_port=8,actions=write_metadata:5
+ in_port=9,actions=write_metadata:0x5/0xf,goto_table:4
+ in_port=10,actions=write_metadata:5,1
+ in_port=11,actions=clear_actions
+ in_port=12,actions=clear_actions,write_actions(output:1),goto_table:9
+ in_port=13,actions=write_actions(output:1,set_field:00:11:22:33:44:55->eth_src)
+ in_port=14,actions=write_actions(drop)
+ in_port=15,actions=write_actions()
+ in_port=16,actions=write_actions(resubmit(,1))
+ in_port=17,actions=write_actions(load:5->reg0)
+ in_port=18,actions=write_actions(group:99)
+ in_port=19,actions=write_actions(push_vlan:0x8100,pop_vlan,dec_ttl,push_mpls:0x8847,pop_mpls:0x800,set_queue:3,2)
+ in_port=20,actions=write_actions(learn(table=1))
+ in_port=21,actions=write_actions(controller,ct(commit))
+ in_port=22,actions=write_actions(1),1
+ in_port=23,actions=1,write_actions(1)
+ in_port=24,actions=apply_actions(1)
+ in_port=25,actions=1,clear_actions
+ in_port=26,actions=meter:1
+ in_port=27,actions=meter:1,1
+ in_port=28,actions=1,meter:1
+ in_port=29,actions=meter:0
+ in_port=30,table=254,actions=drop
+ in_port=32,table=255,actions=1
+ in_port=33,actions=clear_actions,clear_actions
+ in_port=34,actions=goto_table:1,goto_table:2
+ in_port=35,actions=write_metadata:1/0x10000000000000000
+ in_port=36,actions=stat_trigger
dump-flows br0
dump-flows br0 table=1
del-flows br0 table=253
dump-aggregate br0 table=5
`,
  },
  {
    title: 'cookies, timeouts, flags, priorities and order',
    lines: `
+ cookie=0x1234,in_port=1,actions=1
+ cookie=0xffffffffffffffff,in_port=2,actions=1
+ cookie=0x1/0x3,in_port=3,actions=1
+ idle_timeout=10,hard_timeout=20,in_port=4,actions=1
+ idle_timeout=65536,in_port=5,actions=1
+ importance=7,in_port=6,actions=1
+ send_flow_rem,in_port=7,actions=1
+ check_overlap,in_port=8,actions=1
+ check_overlap,tcp,actions=1
+ reset_counts,in_port=9,actions=1
+ no_packet_counts,in_port=10,actions=1
+ no_byte_counts,no_packet_counts,in_port=11,actions=1
+ send_flow_rem,reset_counts,importance=3,in_port=12,actions=1
+ priority=0,actions=1
+ priority=65535,actions=2
+ priority=65536,actions=2
+ priority=-1,actions=2
+ priority=5,tcp,actions=1
+ priority=5,check_overlap,in_port=1,actions=1
+ priority=5,tcp,actions=2
+ duration=1s,n_packets=5,n_bytes=6,in_port=14,actions=1
+ idle_age=3,hard_age=4,in_port=15,actions=1
+ out_port=2,in_port=16,actions=1
+ out_group=2,in_port=17,actions=1
+ table=1,in_port=1,actions=1
+ table=2,priority=3,in_port=1,actions=1
+ table=x,actions=1
+ table=256,actions=1
+ priority=1,priority=2,in_port=18,actions=1
+ in_port=1,in_port=2,actions=1
+ ip,tcp,actions=1
+ tcp,ipv6,actions=1
+ 'in_port=19 priority=4 actions=1'
+ cookie=x,actions=1
+ hidden,actions=1
+ write_metadata=1,actions=1
dump-flows br0
dump-flows br0 cookie=0x1234/-1
dump-flows br0 cookie=0x1230/0xfff0
dump-flows br0 cookie=0x1234
dump-flows --sort br0
dump-flows --rsort br0
dump-flows --sort=in_port br0
dump-flows --rsort=in_port --sort=priority br0 table=0
dump-flows --sort=tcp_src --no-stats br0
dump-flows --sort=foo br0
dump-flows --strict br0 priority=5,tcp
dump-flows br0 priority=5
dump-flows br0 table=0,table=1
dump-flows br0 actions=1
dump-flows br0 foo
dump-flows br0 table=77
dump-flows br0 '' x
dump-aggregate br0 cookie=0x1234/-1
mod-flows br0 cookie=0x1234/-1,cookie=0x77,actions=3
mod-flows br0 cookie=0x77/-1,actions=2
dump-flows br0 in_port=1
--strict mod-flows br0 priority=5,tcp,actions=LOCAL
--strict mod-flows br0 priority=6,tcp,actions=LOCAL
mod-flows br0 udp,actions=1
mod-flows br0 tcp
dump-flows --no-stats br0 tcp
--strict del-flows br0 priority=5,tcp
--strict del-flows br0 priority=1,tcp
del-flows br0 cookie=0x77/-1
del-flows br0 cookie=0x77
del-flows br0 in_port=4,out_port=1
del-flows br0 tcp,actions=1
del-flows br0 idle_timeout=5
del-flows --strict br0 in_port=7
dump-flows br0
del-flows br0
dump-flows br0
dump-aggregate br0
add-flow br0
add-flow br0 in_port=1,actions=1 x
launch br0
-v0 show br0
`,
  },
  {
    title: 'flow formats',
    lines: `
-F OpenFlow10 add-flow br0 in_port=1,actions=1
-F OpenFlow10-table_id add-flow br0 in_port=2,actions=1
-F OpenFlow10+table_id add-flow br0 table=1,in_port=2,actions=1
-F OpenFlow10-table_id add-flow br0 table=1,in_port=2,actions=1
-F NXM add-flow br0 in_port=3,actions=1
-F NXM+table_id add-flow br0 table=3,in_port=3,actions=1
-F NXM-table_id add-flow br0 in_port=4,actions=1
-F OXM add-flow br0 in_port=5,actions=1
-F OXM-OpenFlow13 add-flow br0 in_port=6,actions=1
-F OXM-OpenFlow14 add-flow br0 in_port=7,actions=1
-F OpenFlow10 add-flow br0 reg0=1,actions=1
-F any add-flow br0 reg0=2,actions=1
-F OpenFlow99 add-flow br0 reg0=2,actions=1
-F OpenFlow10 dump-flows br0
-F NXM dump-flows br0
-F OXM dump-flows br0
-F OpenFlow10 dump-aggregate br0
-F NXM dump-aggregate br0
-F NXM del-flows br0 reg0=2
-F OpenFlow10 del-flows br0 reg0=2
dump-flows br0
`,
  },
  {
    title: 'files of flows',
    versions: EVERY,
    lines: `
add-flows br0 flows
dump-flows br0
add-flows br0 changes
dump-flows br0
add-flows br0 wrong-word
add-flows br0 refused
add-flows br0 missing
dump-flows --no-stats br0
diff-flows br0 ./flows
diff-flows ./flows br0
diff-flows ./flows ./replacement
diff-flows ./flows ./flows
replace-flows br0 replacement
dump-flows --no-stats br0
replace-flows --readd br0 replacement
diff-flows br0 ./replacement
diff-flows ./missing br0
replace-flows br0 wrong-word
del-flows br0
--bundle add-flows br0 flows
--bundle add-flows br0 refused
--bundle add-flow br0 in_port=9,actions=1
--bundle mod-flows br0 in_port=9,actions=2
--bundle del-flows br0 in_port=9
--bundle replace-flows br0 replacement
--bundle --strict del-flows br0 arp
dump-flows --no-stats br0
`,
  },
];
