/** Groups, meters and bundles. See sections.ts. */
import { EVERY, LATE, type Section } from './section.ts';

export const GROUP_SECTIONS: readonly Section[] = [
  {
    title: 'groups',
    versions: EVERY,
    lines: `
add-group br0 group_id=1,type=all,bucket=output:1,bucket=output:2
add-group br0 group_id=2,type=select,bucket=weight:10,output:1,bucket=weight=5,actions=output:2
add-group br0 group_id=3,type=indirect,bucket=output:1
add-group br0 group_id=4,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:p2,output:2
add-group br0 group_id=5,type=fast_failover,bucket=watch_group:1,output:1
add-group br0 group_id=6,type=all
add-group br0 group_id=7,type=select,bucket=output:1
add-group br0 group_id=8,type=all,bucket=group:1
add-group br0 group_id=9,type=all,bucket=set_field:5->reg0,push_vlan:0x8100,set_field:4099->vlan_vid,output:2
add-group br0 group_id=10,type=all,bucket=drop
add-group br0 group_id=11,type=all,bucket=actions=
add-group br0 group_id=12,type=select,bucket=weight:0,output:1
add-group br0 group_id=13,type=select,bucket=weight:65536,output:1
add-group br0 group_id=14,type=all,bucket=weight:1,output:1
add-group br0 group_id=15,type=indirect,bucket=output:1,bucket=output:2
add-group br0 group_id=16,type=indirect
add-group br0 group_id=17,type=ff,bucket=output:1
add-group br0 group_id=18,type=all,bucket=watch_port:1,output:1
add-group br0 group_id=19,type=some,bucket=output:1
add-group br0 group_id=20,bucket=output:1
add-group br0 type=all,bucket=output:1
add-group br0 group_id=1,type=all,bucket=output:1
add-group br0 group_id=0xffffff00,type=all,bucket=output:1
add-group br0 group_id=0xffffff01,type=all,bucket=output:1
add-group br0 group_id=all,type=all,bucket=output:1
add-group br0 group_id=x,type=all,bucket=output:1
add-group br0 group_id=21,type=all,foo=1,bucket=output:1
add-group br0 group_id=22,type=all,bucket=resubmit(,1),learn(table=5),ct_clear
add-group br0 group_id=23,type=all,bucket=goto_table:1
add-group br0 group_id=24,type=all,bucket=write_actions(1)
add-group br0 group_id=25,type=all,bucket=group:999
add-group br0 group_id=26,type=select,bucket=bucket_id:5,output:1,bucket=bucket_id:1,output:2
add-group br0 group_id=27,type=select,bucket=bucket_id:5,output:1,bucket=bucket_id:5,output:2
add-group br0 group_id=28,type=select,bucket=bucket_id:0xffffff01,output:1
add-group br0 group_id=29,type=select,selection_method=hash,bucket=output:1
add-group br0 group_id=30,type=select,selection_method=hash,fields=ip_src,bucket=output:1
add-group br0 group_id=31,type=select,selection_method=hash,fields(ip_src,tcp_dst=0xff),bucket=output:1
add-group br0 group_id=32,type=select,selection_method=hash,selection_method_param=7,fields(eth_dst,eth_src),bucket=output:1
add-group br0 group_id=33,type=select,selection_method=dp_hash,bucket=output:1
add-group br0 group_id=34,type=select,selection_method=dp_hash,selection_method_param=0x100000005,bucket=output:1
add-group br0 group_id=35,type=select,selection_method=dp_hash,fields=ip_src,bucket=output:1
add-group br0 group_id=36,type=select,selection_method=magic,bucket=output:1
add-group br0 group_id=37,type=all,selection_method=hash,bucket=output:1
add-group br0 group_id=38,type=select,fields=ip_src,bucket=output:1
add-group br0 group_id=39,type=select,selection_method_param=7,bucket=output:1
add-group br0 group_id=40,type=select,selection_method=toolongmethodname,bucket=output:1
add-group br0 group_id=41,type=select,selection_method=hash,fields(foo),bucket=output:1
add-group br0 group_id=42,type=select,bucket=weight:3,bucket_id:2,watch_port:1,output:1
add-group br0 group_id=43,type=all,command_bucket_id=1,bucket=output:1
add-group br0 group_id=44,type=all,bucket=output:70000
add-group br0 group_id=45,type=all,bucket=foo:1
add-group br0 group_id=46,type=all,bucket=
add-group br0 group_id=47,type=select,bucket=weight:1,bucket=weight:2,output:p1
dump-groups br0
dump-groups br0 1
dump-groups br0 all
dump-groups br0 999
dump-groups br0 group_id=4
dump-groups --names br0
dump-group-stats br0
dump-group-stats br0 1
dump-group-stats br0 group_id=2
dump-group-stats br0 999
dump-group-features br0
+ in_port=1,actions=group:1
+ in_port=2,actions=group:999
+ in_port=3,actions=write_actions(group:2)
dump-group-stats br0 1
dump-flows br0 out_group=1
mod-group br0 group_id=1,type=select,bucket=weight:3,output:2
mod-group br0 group_id=999,type=all,bucket=output:2
--may-create mod-group br0 group_id=998,type=all,bucket=output:2
--may-create mod-group br0 group_id=1,type=indirect,bucket=output:2
insert-buckets br0 group_id=2,command_bucket_id=last,bucket=weight:7,output:3
insert-buckets br0 group_id=2,command_bucket_id=first,bucket=bucket_id:77,weight:8,output:3
insert-buckets br0 group_id=2,command_bucket_id=0,bucket=bucket_id:78,output:LOCAL
insert-buckets br0 group_id=2,command_bucket_id=555,bucket=bucket_id:79,output:LOCAL
insert-buckets br0 group_id=2,command_bucket_id=first,bucket=bucket_id:77,output:3
insert-buckets br0 group_id=2,command_bucket_id=all,bucket=bucket_id:80,output:3
insert-buckets br0 group_id=2,bucket=bucket_id:81,output:3
insert-buckets br0 group_id=777,command_bucket_id=last,bucket=bucket_id:81,output:3
dump-groups br0 2
remove-buckets br0 group_id=2,command_bucket_id=first
remove-buckets br0 group_id=2,command_bucket_id=last
remove-buckets br0 group_id=2,command_bucket_id=78
remove-buckets br0 group_id=2,command_bucket_id=4444
remove-buckets br0 group_id=777,command_bucket_id=all
dump-groups br0 2
remove-buckets br0 group_id=2,command_bucket_id=all
remove-buckets br0 group_id=2
dump-groups br0 2
del-groups br0 group_id=1
del-groups br0 1
del-groups br0 group_id=999
del-groups br0 type=all
dump-flows br0
dump-groups br0
del-groups br0
dump-groups br0
add-groups br0 groups
dump-groups br0
add-groups br0 bad-groups
dump-groups br0
--bundle add-groups br0 bad-groups
--bundle add-group br0 group_id=90,type=all,bucket=1
--bundle del-groups br0 group_id=31
dump-groups br0
add-group br0
add-groups br0 missing
`,
  },
  {
    title: 'meters',
    versions: EVERY,
    lines: `
add-meter br0 meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100
add-meter br0 meter=2,pktps,bands=type=drop,rate=5
add-meter br0 meter=3,kbps,stats,bands=type=drop,rate=10,type=drop,rate=20
add-meter br0 meter=1,kbps,bands=type=drop,rate=9
add-meter br0 meter=0,kbps,bands=type=drop,rate=9
add-meter br0 meter=70000,kbps,bands=type=drop,rate=9
add-meter br0 meter=0xffff0001,kbps,bands=type=drop,rate=9
add-meter br0 meter=controller,pktps,bands=type=drop,rate=9
add-meter br0 meter=slowpath,pktps,bands=type=drop,rate=9
add-meter br0 meter=all,pktps,bands=type=drop,rate=9
add-meter br0 meter=5
add-meter br0 meter=6,kbps
add-meter br0 meter=7,bands=type=drop,rate=3
add-meter br0 meter=8,kbps,pktps,bands=type=drop,rate=3
add-meter br0 meter=9,kbps,bands=type=drop
add-meter br0 meter=10,kbps,bands=rate=3
add-meter br0 meter=11,kbps,bands=type=what,rate=3
add-meter br0 meter=12,kbps,bands=type=drop,rate=3,burst_size=4
add-meter br0 meter=13,kbps,burst,bands=type=drop,rate=3
add-meter br0 meter=14,foo,bands=type=drop,rate=3
add-meter br0 kbps,bands=type=drop,rate=3
add-meter br0 meter=x,kbps,bands=type=drop,rate=3
add-meter br0 meter=15,kbps,bands=type=drop,rate=0
dump-meters br0
dump-meters br0 meter=1
dump-meters br0 meter=999
dump-meters br0 meter=controller
dump-meters br0 meter=all
dump-meter br0 meter=2
meter-stats br0
meter-stats br0 meter=1
meter-stats br0 meter=999
+ in_port=1,actions=meter:1,2
+ in_port=2,actions=meter:999,2
meter-stats br0 meter=1
mod-meter br0 meter=1,pktps,bands=type=drop,rate=77
mod-meter br0 meter=999,pktps,bands=type=drop,rate=77
mod-meter br0 meter=1,pktps
dump-meters br0 meter=1
del-meter br0 meter=1
dump-flows br0
del-meter br0 meter=999
del-meter br0 1
del-meters br0
dump-meters br0
meter-stats br0
`,
  },
  {
    title: 'bundles',
    lines: `
bundle br0 bundle
dump-flows --no-stats br0
dump-groups br0
bundle br0 bundle
bundle br0 bundle-refused
bundle br0 bundle-wrong
bundle br0 bundle-overlap
bundle br0 missing
dump-flows --no-stats br0
dump-groups br0
`,
    versions: ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
  },
  {
    title: 'where this switch differs on purpose',
    versions: LATE,
    isOurs: true,
    lines: `
meter-features br0
+ in_port=1,actions=goto_table:255
+ table=253,actions=goto_table:254
dump-flows br0 table=254
add-meter br0 meter=4,kbps,bands=type=dscp_remark,rate=10,prec_level=1
dump-meters br0
add-group br0 group_id=1,type=all,bucket=output:1
add-group br0 group_id=2,type=all,bucket=group:1
mod-group br0 group_id=1,type=all,bucket=group:2
add-group br0 group_id=3,type=all,bucket=group:3
add-group br0 group_id=4,type=indirect,bucket=output:1
insert-buckets br0 group_id=4,command_bucket_id=last,bucket=bucket_id:81,output:3
dump-groups br0
`,
  },
];
