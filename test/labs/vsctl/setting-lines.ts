/** Command lines about controllers, managers, SSL, Auto Attach, zones and the reset. */
import type { Section } from './section.ts';

export const SETTING_SECTIONS: readonly Section[] = [
  {
    title: 'controllers and fail modes',
    lines: `
add-br br0 -- add-br f5 br0 5
get-controller br0
set-controller br0 tcp:1.2.3.4 ssl:5.6.7.8:6653
get-controller br0
show
set-controller br0 foo
get-controller br0
set-controller br0 tcp:1.1.1.1 tcp:1.1.1.1
get-controller br0
set-controller br0
get-controller br0
set-controller
set-controller nope tcp:1.1.1.1
set-controller f5 tcp:1.1.1.1
get-controller f5
get-controller nope
--inactivity-probe=1000 set-controller br0 tcp:1.1.1.1
--columns=target,inactivity_probe list controller
--inactivity-probe=x set-controller br0 tcp:1.1.1.1
get controller br0 inactivity_probe
--inactivity-probe set-controller
-- --inactivity-probe set-controller br0 tcp:1.1.1.1
set-controller br0 ptcp: pssl:1:127.0.0.1 punix:/x unix:/y none
get-controller br0
get-controller f5
del-controller f5
del-controller nope
del-controller br0
del-controller br0
get-controller br0
list controller
get-fail-mode br0
set-fail-mode br0 secure
get-fail-mode br0
show
set-fail-mode br0 standalone -- get-fail-mode br0
set-fail-mode br0 other
set-fail-mode br0
set-fail-mode f5 standalone
set-fail-mode nope secure
del-fail-mode f5
del-fail-mode br0
get-fail-mode br0
get-fail-mode nope
del-fail-mode nope
`,
  },
  {
    title: 'managers',
    lines: `
get-manager
set-manager tcp:127.0.0.1:9 unix:/nowhere
get-manager
show
--inactivity-probe=5000 set-manager unix:/nowhere
--columns=target,inactivity_probe list manager
get manager unix:/nowhere inactivity_probe
set-manager foo
set-manager
get-manager
set-manager a a
del-manager
get-manager
del-manager
set-manager unix:/nowhere -- set-manager unix:/elsewhere -- get-manager
del-manager extra
`,
  },
  {
    title: 'SSL settings',
    lines: `
get-ssl
set-ssl /k /c /ca
get-ssl
--bootstrap set-ssl /k /c /ca2
get-ssl
get ssl . private_key bootstrap_ca_cert
list ssl .
set-ssl 'a b' c ''
get-ssl
set ssl . private_key=other -- get-ssl
del-ssl
get-ssl
del-ssl
get ssl . private_key
set-ssl a b
-- --bootstrap=x set-ssl a b c
set-ssl a b c d
set-ssl a b c -- del-ssl -- get-ssl
`,
  },
  {
    title: 'Auto Attach',
    lines: `
add-br br0 -- add-br f5 br0 5
get-aa-mapping br0
add-aa-mapping br0 1 2
get-aa-mapping br0
add-aa-mapping br0 30 4 -- add-aa-mapping br0 5 5 -- get-aa-mapping br0
add-aa-mapping br0 1 7
get-aa-mapping br0
add-aa-mapping br0 a b
add-aa-mapping br0 1 b
add-aa-mapping br0 9 9999
del-aa-mapping br0 1 7
get-aa-mapping br0
del-aa-mapping br0 99 99
del-aa-mapping br0 1 2
get-aa-mapping br0
del-aa-mapping br0 99 x
add-aa-mapping nope 1 2
add-aa-mapping f5 8 8
get-aa-mapping f5
del-aa-mapping f5 8 8
get-aa-mapping nope
del-aa-mapping nope 1 2
add-aa-mapping br0 1
--columns=mappings list autoattach br0
get auto br0 mappings
clear bridge br0 auto_attach
get-aa-mapping br0
del-aa-mapping br0 1 2
`,
  },
  {
    title: 'zones and capabilities',
    lines: `
list-dp-cap
list-dp-cap system
list-zone-tp
list-zone-tp system
add-zone-tp system zone=1 icmp_first=30
del-zone-tp system zone=1
add-zone-tp
--id=@dp create datapath datapath_version=1 capabilities=a=b -- set open . datapaths:system=@dp
list-dp-cap system
list-dp-cap system 2
list-zone-tp system
add-zone-tp system zone=1 icmp_first=30 icmp_reply=60
list-zone-tp system
add-zone-tp system zone=1 icmp_first=30
--may-exist add-zone-tp system zone=1 icmp_first=40
list-zone-tp system
add-zone-tp system zone=2
add-zone-tp system zone=3 foo=1
add-zone-tp system zone=3 icmp_first=x
add-zone-tp system zone=4 icmp_first
add-zone-tp system zone=5 icmp_first=1,icmp_reply=2
add-zone-tp system zone=6 icmp_first=-1
add-zone-tp system zone=65536 icmp_first=1
add-zone-tp system zone=7 tcp_syn_sent=1 udp_first=2 udp_single=3
list-zone-tp system
--columns=timeouts list ct_timeout_policy
del-zone-tp system zone=1
del-zone-tp system zone=1
--if-exists del-zone-tp system zone=1
del-zone-tp netdev zone=1
list-zone-tp netdev
list-dp-cap netdev
add-zone-tp netdev zone=2 icmp_first=1
del-zone-tp
del-zone-tp system zone=2 x
list-zone-tp system
--no-wait --id=@z create ct_zone -- set open . external_ids:x=y
set open . datapaths={}
list-zone-tp system
`,
  },
  {
    title: 'emer-reset',
    lines: `
add-br b9 -- add-port b9 q1 -- set bridge b9 fail_mode=secure other_config:hwaddr=1 other_config:x=y external_ids:a=b flood_vlans=1,2 stp_enable=true datapath_type=foo
set port q1 other_config:a=b tag=3 external_ids:x=y -- set interface q1 ingress_policing_rate=5 ingress_policing_burst=6 ingress_policing_kpkts_rate=7 other_config:c=d
--id=@m create mirror name=m select_all=true -- set bridge b9 mirrors=@m -- --id=@n create netflow targets="1.1.1.1:1" -- set bridge b9 netflow=@n
--id=@i create ipfix targets="1.1.1.1:1" -- set bridge b9 ipfix=@i -- --id=@s create sflow targets="1.1.1.1:1" -- set bridge b9 sflow=@s
set-controller b9 tcp:1.1.1.1 -- set-manager unix:/nowhere -- set-ssl a b c -- set open . other_config:a=b external_ids:c=d
add-aa-mapping b9 1 2 -- --id=@ft create flow_table name=t -- set bridge b9 flow_tables:0=@ft
get mirror m name select_all
get netflow b9 targets
get sflow b9 targets
get ipfix b9 targets
get flow_table t name
emer-reset
list bridge b9
list port q1
list interface q1
list mirror
list netflow
list ipfix
list sflow
list ssl
list manager
list controller
list flow_table
get open . other_config external_ids
emer-reset extra
`,
  },
];
