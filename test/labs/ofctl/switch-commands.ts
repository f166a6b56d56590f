/** Commands about the switch, its ports, queues and tables, packet-outs and other messages that change no flow. See sections.ts. */
import { EVERY, type Section } from './section.ts';

export const SWITCH_SECTIONS: readonly Section[] = [
  {
    title: 'the switch, its ports, tables and queues',
    versions: EVERY,
    lines: `
show br0
show
show nobr
dump-desc br0
dump-tables br0
dump-table-features br0
dump-table-desc br0
dump-group-features br0
dump-ports br0
dump-ports br0 1
dump-ports br0 p2
dump-ports br0 eth-3
dump-ports br0 LOCAL
dump-ports br0 ANY
dump-ports br0 9
dump-ports br0 nope
dump-ports --names br0 1
dump-ports --no-names br0 p1
dump-ports-desc br0
dump-ports-desc br0 2
dump-ports-desc br0 p2
dump-ports-desc br0 LOCAL
dump-ports-desc br0 9
queue-stats br0
queue-stats br0 1
queue-stats br0 p1 0
queue-stats br0 ALL ALL
queue-stats br0 9
queue-stats br0 ALL 5
queue-stats --names br0
queue-get-config br0
queue-get-config br0 1
queue-get-config br0 9
queue-get-config br0 ANY
queue-get-config br0 2 1
dump-ipfix-bridge br0
dump-ipfix-flow br0
probe br0
get-frags br0
set-frags br0 drop
get-frags br0
set-frags br0 nx-match
get-frags br0
set-frags br0 reassemble
set-frags br0 sometimes
set-frags br0 normal
get-frags br0
`,
  },
  {
    title: 'port flags',
    lines: `
mod-port br0 p1 down
show br0
mod-port br0 p1 up
mod-port br0 p1 no-stp
mod-port br0 p1 stp
mod-port br0 1 no-receive
show br0
mod-port br0 1 receive
mod-port br0 p2 no-receive-stp
show br0
mod-port br0 p2 receive-stp
mod-port br0 eth-3 no-forward
show br0
mod-port br0 eth-3 forward
mod-port br0 p1 no-flood
show br0
mod-port br0 p1 flood
mod-port br0 LOCAL no-packet-in
show br0
mod-port br0 local packet-in
mod-port br0 p1 sideways
mod-port br0 9 up
mod-port br0 p9 up
mod-port --no-names br0 p1 up
mod-port br0 p1
show br0
`,
  },
  {
    title: 'table settings',
    // The original itself reads its answers of 1.1 with warnings.
    versions: ['OpenFlow10', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
    lines: `
mod-table br0 0 drop
mod-table br0 0 controller
mod-table br0 0 continue
dump-tables br0
dump-table-features br0
mod-table br0 0 evict
mod-table br0 1 noevict
mod-table br0 2 vacancy:20,80
mod-table br0 2 vacancy:80,20
mod-table br0 2 vacancy:20
mod-table br0 2 vacancy:20,101
dump-table-desc br0
mod-table br0 ALL evict
dump-table-desc br0
mod-table br0 ALL noevict
mod-table br0 2 novacancy
mod-table br0 255 drop
mod-table br0 254 drop
mod-table br0 300 drop
mod-table br0 nope drop
mod-table br0 0 sideways
mod-table br0 3 name:three
dump-table-features br0
+ table=three,actions=1
dump-flows br0 table=three
dump-flows --names br0
mod-table br0 three name:
dump-tables br0
`,
  },
  {
    title: 'packet-out',
    lines: `
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=2
packet-out br0 in_port=LOCAL,packet=505400000001505400000002080045000028,actions=2,3,LOCAL
packet-out br0 in_port=controller,packet=505400000001505400000002080045000028,actions=TABLE
packet-out br0 in_port=none,packet=505400000001505400000002080045000028,actions=output:1
packet-out br0 in_port=9,packet=505400000001505400000002080045000028,actions=output:1
packet-out br0 in_port=70000,packet=505400000001505400000002080045000028,actions=output:1
packet-out br0 in_port=FLOOD,packet=505400000001505400000002080045000028,actions=output:1
packet-out br0 in_port=1,packet=5054,actions=2
packet-out br0 in_port=1,packet=50540,actions=2
packet-out br0 in_port=1,packet=zz,actions=2
packet-out br0 in_port=1,actions=2
packet-out br0 packet=505400000001505400000002080045000028,actions=2
packet-out br0 in_port=1,packet=505400000001505400000002080045000028
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=group:99
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=meter:99,1
packet-out br0 in_port=1,reg0=5,metadata=6,packet=505400000001505400000002080045000028,actions=2
packet-out br0 in_port=1,tcp,packet=505400000001505400000002080045000028,actions=2
packet-out br0 in_port=1,tun_id=5,packet=505400000001505400000002080045000028,actions=2
packet-out br0 in_port=1,packet_type=(1,0x800),packet=45000028,actions=2
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=goto_table:1
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=resubmit(,1),ct_clear,note:1
packet-out br0 in_port=1,packet=505400000001505400000002080045000028,actions=foo
packet-out br0 1 2 505400000001505400000002080045000028
packet-out br0 p1 p2 505400000001505400000002080045000028 505400000001505400000002080045000028
packet-out br0 1 foo 505400000001505400000002080045000028
packet-out br0 nope 2 505400000001505400000002080045000028
packet-out br0 1 2 5054zz
packet-out br0 foo=1,packet=505400000001505400000002080045000028,actions=2
packet-out br0
`,
  },
  {
    title: 'connection tracking and pings',
    lines: `
ct-flush-zone br0 5
ct-flush-zone br0 x
ct-flush-zone br0 70000
ct-flush br0
ct-flush br0 zone=5
ct-flush br0 ct_nw_src=10.0.0.1,ct_nw_proto=6
ct-flush br0 zone=5 ct_nw_src=10.0.0.1,ct_nw_proto=17,ct_tp_src=1
ct-flush br0 foo=1
benchmark br0 10
probe nobr
`,
  },
];
