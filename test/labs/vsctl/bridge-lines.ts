/** Command lines about bridges, ports, bonds and external ids. */
import type { Section } from './section.ts';

export const BRIDGE_SECTIONS: readonly Section[] = [
  {
    title: 'an empty database',
    lines: `
show
list-br
list open_vswitch
init
init
show
list-br
--real list-br
br-exists br0
list bridge
get-manager
get-ssl
emer-reset
get open . next_cfg
`,
  },
  {
    title: 'bridges',
    lines: `
add-br br0
add-br br0
--may-exist add-br br0
add-br br1 -- set bridge br1 datapath_type=netdev fail_mode=secure
show
list-br
add-br
add-br ''
add-br br2 br0
add-br br2 br0 1 2
add-br br2 nope 5
br-exists br0
br-exists br7
br-exists
br-exists br0 br1
br-to-vlan br0
br-to-vlan nope
br-to-parent br0
br-to-parent nope
del-br nope
--if-exists del-br nope
del-br
del-br br1
list-br
del-br br0 -- add-br br0
add-br a -- add-br b -- add-br c -- list-br
del-br a -- del-br b -- list-br -- del-br c
add-br x -- del-br x
list-br
--may-exist del-br br0
--real=1 list-br
list-br extra
`,
  },
  {
    title: 'fake bridges',
    lines: `
add-br br0 -- add-br br0.1 br0 5
add-br f2 br0 5
add-br f2 br0 4096
add-br f2 br0 -1
add-br f2 br0 x
add-br f3 br0.1 7
add-br f3 br0 7abc
--may-exist add-br br0
--may-exist add-br br0.1
--may-exist add-br br0.1 br0 6
--may-exist add-br br0.1 br0 5
--may-exist add-br br0 br0 5
add-br br1
--may-exist add-br br0.1 br1 5
list-br
--real list-br
--fake list-br
--real --fake list-br
-- --real list-br -- --fake list-br
br-to-vlan br0.1
br-to-parent br0.1
br-to-vlan f2
add-port br0.1 p1
add-port br0 p2
add-port br0.1 p3 tag=7
get port p1 tag
get port p3 tag
list-ports br0
list-ports br0.1
list-ifaces br0.1
port-to-br p1
port-to-br br0.1
iface-to-br p1
iface-to-br br0.1
--columns=name,tag,fake_bridge list port br0.1
show
del-port br0 p1
del-port br0.1 p2
del-port br0.1
del-port br0.1 p1
add-port br0 p8 tag=5
list-ports br0.1
set port p8 tag=6 -- list-ports br0
set-controller br0.1 tcp:1.1.1.1
set-fail-mode br0.1 secure
get-fail-mode br0.1
del-br br0.1
list-ports br0
add-br g1 br0 11 -- add-port g1 g1p -- add-br g2 br0 12 -- add-port g2 g2p
list-br
del-br br0
list-br
show
add-br h0 -- add-br h1 h0 4095 -- add-br h2 h0 0 -- list-br -- del-br h1 -- list-br
`,
  },
  {
    title: 'ports',
    lines: `
add-br br0 -- add-br br1
add-port br0 p1
add-port br0 p1
add-port br1 p1
--may-exist add-port br1 p1
--may-exist add-port br0 p1
add-port nope p2
add-port br0
add-port br0 ''
add-port br0 br1
add-port br0 p2 tag=9 trunks=1,2,3 other_config:a=b external_ids={c=d}
add-port br0 p3 foo=1
add-port br0 p3 bar
add-port br0 p3 tag
add-port br0 p3 tag=
add-port br0 p3 tag=5000
add-port br0 p3 name=odd
list-ports br0
list-ifaces br0
port-to-br odd
iface-to-br p3
add-port br0 p3
add-port br0 'a b' tag=1
add-port br0 p4 -- set interface p4 type=internal options:a=b ofport_request=7
add-port br0 p5 tag=3 vlan_mode=access -- get port p5 tag vlan_mode
list-ports br0
list-ports nope
list-ports
list-ifaces br0
list-ifaces nope
port-to-br p1
port-to-br br0
port-to-br nope
iface-to-br p1
iface-to-br br0
iface-to-br nope
del-port nope
--if-exists del-port nope
del-port br0
--if-exists del-port br0
del-port br0 br0
del-port br1 p1
del-port nope p1
--if-exists del-port br1 p1
del-port br0 p1
del-port p2 -- del-port p4
del-port
--with-iface del-port p5
--with-iface del-port nope
--if-exists --with-iface del-port nope
--with-iface del-port br0
show
del-port br0 'a b' -- list-ports br0
add-port br0 q1 -- add-port br0 q2 -- del-port q1 -- list-ports br0
add-port br0 r1 -- add-port br0 r1
`,
  },
  {
    title: 'bonds',
    lines: `
add-br br0 -- add-br f5 br0 5
add-bond br0 bond0
add-bond br0 bond0 e1
add-bond br0 bond0 e1 tag=3
add-bond br0 bond0 e1 e2 lacp=active bond_mode=balance-slb
add-bond br0 bond0 e1 e2
--may-exist add-bond br0 bond0 e2 e1
--may-exist add-bond br0 bond0 e2 e3
--may-exist add-bond f5 bond0 e2 e3
--may-exist add-port br0 bond0
add-bond br0 bond1 e1 e3
add-bond br0 bond1 e3 br0
add-bond nope bond1 e3 e4
add-bond br0 '' e3 e4
add-bond br0 bond1 e3 '' e4
add-bond br0 bond1 e3 e4 foo=1
add-bond br0 bond1 e3 e4 bond_mode=none
--fake-iface add-bond f5 bond1 e3 e4 bond_mode=active-backup other_config:a=b
--columns=name,bond_fake_iface,tag,bond_mode,lacp,other_config list port bond1
--columns=name,bond_fake_iface,tag,bond_mode,lacp,other_config list port bond0
list-ports br0
list-ifaces br0
list-ports f5
list-ifaces f5
add-bond-iface bond0 e8
add-bond-iface bond0 e8
--may-exist add-bond-iface bond0 e8
--may-exist add-bond-iface bond0 e3
add-bond-iface nope e9
add-bond-iface bond0 br0
add-bond-iface bond0
add-bond-iface br0 e9
del-bond-iface e8
del-bond-iface e8
--if-exists del-bond-iface e8
del-bond-iface bond0 e3
del-bond-iface nope e3
--if-exists del-bond-iface bond0 e3
--if-exists del-bond-iface nope e3
--if-exists del-bond-iface bond0 e77
del-bond-iface bond0 e1
del-bond-iface bond0 e2
del-bond-iface br0
iface-to-br e2
iface-to-br e3
--with-iface del-port e3
--with-iface del-port br0 e2
--with-iface del-port br0 bond0
show
add-bond br0 dup e5 e5
`,
  },
  {
    title: 'external ids of bridges',
    lines: `
add-br br0 -- add-br f5 br0 5
br-get-external-id br0
br-set-external-id br0 k v
br-set-external-id br0 k2 'a value'
br-get-external-id br0
br-get-external-id br0 k
br-get-external-id br0 nope
br-set-external-id br0 k w -- br-get-external-id br0
br-set-external-id br0 k
br-set-external-id br0 nope
br-get-external-id br0
br-set-external-id f5 fk fv
br-get-external-id f5
br-get-external-id f5 fk
get port f5 external_ids
set port f5 external_ids:foo=bar
br-get-external-id f5
br-get-external-id f5 foo
br-set-external-id f5 fk
br-get-external-id f5
br-set-external-id nope a b
br-get-external-id nope
br-set-external-id br0
br-set-external-id br0 '' ''
br-get-external-id br0
`,
  },
];
