/** Command lines about tables: reading, changing, conditions, values, formats. */
import type { Section } from './section.ts';

export const TABLE_SECTIONS: readonly Section[] = [
  {
    title: 'names of tables, rows and columns',
    lines: `
add-br br0 -- add-port br0 p1 tag=3
list foo
list ''
list c
list s
list ss x
list BRIDGE nope
list br br0 -- list Bridge nope
--if-exists list bridge nope
--if-exists --columns=name list bridge nope br0
list -
list
get bridge br0 s
get bridge br0 ''
get bridge br0 nope
get br br0 stp-enable RSTP_ENABLE
get bridge br0 mcast
get bridge br0 name:x
get bridge br0 external_ids:x
--if-exists get bridge br0 external_ids:x
get bridge br0 external_ids:x:y
get bridge br0 external_ids=x
get bridge br0 'name x'
get bridge br0 _UUID
get bridge br0 -uuid
get bridge br0 _u
get bridge br0 _version
get bridge nope name
--if-exists get bridge nope name
--id=@x --if-exists get bridge br0
--id=@x get bridge br0
--id=x get bridge br0
--id=@x get bridge br0 -- --id=@x get bridge br0
get bridge br0
get bridge
find bridge _uuid=1
list bridge 0
list bridge zzzz
list bridge 00000000-0000-0000-0000-000000000000
--columns= list bridge
--columns=foo list bridge
--columns=name:x list bridge
--columns=na,_uu list bridge
--columns=name,_uuid list bridge
--columns=_uuid list bridge
--columns=name,name list bridge
--columns=name,,tag list port
'--columns=name tag' list port
-- --columns list port
list open . .
get open . nope
get queue . dscp
get mirror nope name
get manager nope target
get sflow br0 agent
get qos p1 type
get interface p1 name type -- get port p1 name
`,
  },
  {
    title: 'values of set',
    lines: `
add-br br0 -- add-port br0 p1
set br br0 stp_enable=yes -- get br br0 stp_enable
set br br0 stp_enable=off -- get br br0 stp_enable
set br br0 stp_enable=x
set br br0 stp_enable=1,2
set br br0 stp_enable=[]
set br br0 flood_vlans=1-3,7 -- get br br0 flood_vlans
set br br0 flood_vlans=3-1
set br br0 flood_vlans=1-5000
set br br0 flood_vlans=0-4095 -- get br br0 flood_vlans:x
set br br0 flood_vlans=1-a
set br br0 flood_vlans=1-
set br br0 flood_vlans=-1-2
set br br0 'flood_vlans=[1 2 3]' -- get br br0 flood_vlans
set br br0 'flood_vlans= [ 1 , 2 3 ] ' -- get br br0 flood_vlans
set br br0 flood_vlans=[1,2
set br br0 flood_vlans=[1]2
set br br0 flood_vlans=1]
set br br0 flood_vlans=1,1
set br br0 flood_vlans=1-3,2-4
set br br0 flood_vlans=
set br br0 flood_vlans
set br br0 'flood_vlans= '
set br br0 flood_vlans=[]
set br br0 flood_vlans:1=2
set br br0 external_ids=
set br br0 external_ids=a
set br br0 'external_ids=a b'
set br br0 external_ids=a:b
set br br0 external_ids=a=b,a=c
set br br0 external_ids={a=b
set br br0 external_ids={a=b}c
set br br0 external_ids={}
set br br0 external_ids=[]
set br br0 'external_ids= '
set br br0 'external_ids=a="b'
set br br0 'external_ids=a="b\\"'
set br br0 'external_ids=a="b\\q"'
set br br0 'external_ids=a=b\\c' -- get br br0 external_ids
set br br0 'external_ids=a=b\\'
set br br0 'external_ids=a="\\u0041\\n\\t\\\\ \\"x\\""' -- get br br0 external_ids
set br br0 'external_ids=a="\\u00e9\\ud83d\\ude00"' -- get br br0 external_ids
set br br0 'external_ids=a="\\ud83d"'
set br br0 'external_ids=a="\\ud83d\\u0041"'
set br br0 'external_ids=a="\\u12"'
set br br0 'external_ids=a="\\uzzzz"'
set br br0 'external_ids=a="\\u0000"'
set br br0 'external_ids=a="b"c'
set br br0 'external_ids=a=b"c"'
set br br0 'external_ids=é=ü' -- get br br0 external_ids
set br br0 'external_ids="a b"="c d" x=y' -- get br br0 external_ids
set br br0 'external_ids="a b"="c d" , x=y , z = w' -- get br br0 external_ids
set br br0 external_ids:a=
set br br0 external_ids:a=""
get br br0 external_ids:a external_ids
set br br0 external_ids:=x
set br br0 external_ids:a=b,c -- get br br0 external_ids:a
set br br0 external_ids:a=b=c -- get br br0 external_ids:a
set br br0 external_ids:k=true external_ids:l=1 external_ids:m=00000000-0000-0000-0000-000000000000 external_ids:n=a.b-c_d external_ids:o=-x
get br br0 external_ids
set br br0 'external_ids:"q r"=s' -- get br br0 'external_ids:"q r"'
set br br0 =x
set br br0 fail_mode=foo
set br br0 fail_mode=secure,standalone
set br br0 fail_mode=[] -- get br br0 fail_mode
set br br0 fail_mode=[secure] -- get br br0 fail_mode
set br br0 name=foo
set br br0 nope=1
set br br0 s=1
set br br0 stp_enable=true rstp_enable=true -- get br br0 stp_enable rstp_enable
set br nope stp_enable=true
--if-exists set br nope stp_enable=true
set br br0
set port p1 tag=4096
set port p1 tag=-1
set port p1 tag=abc
set port p1 tag=99999999999999999999
set port p1 tag=0x10
set port p1 tag=+7 -- get port p1 tag
set port p1 'tag= 8' -- get port p1 tag
set port p1 tag=007 -- get port p1 tag
set port p1 tag=1-2
set port p1 tag=3-3 -- get port p1 tag
set port p1 trunks=1,,2
set port p1 trunks=,1
set port p1 trunks=1, -- get port p1 trunks
set port p1 trunks={1}
set port p1 trunks=1:2
set port p1 trunks=1<2
set port p1 interfaces=[]
set port p1 bond_updelay=-5 -- get port p1 bond_updelay
set br br0 mirrors=abc
set br br0 mirrors=@foo
set br br0 mirrors=00000000-0000-0000-0000-000000000001
set br br0 protocols=OpenFlow10,OpenFlow13 -- get br br0 protocols
set br br0 protocols=OpenFlow9
set interface p1 type=internal mac="00:11:22:33:44:55" -- get interface p1 type mac
set interface p1 mtu_request=0
set interface p1 ofport_request=65280
set interface p1 lldp:enable=true options={a=1,b="2"} -- get interface p1 lldp options options:b
set interface p1 cfm_mpid=9007199254740991 -- get interface p1 cfm_mpid
set interface p1 cfm_mpid=9223372036854775807 -- get interface p1 cfm_mpid
-f json --columns=cfm_mpid list interface p1
--columns=name find interface cfm_mpid=9223372036854775807
--columns=name find interface cfm_mpid>9223372036854775806
set interface p1 cfm_mpid=-9223372036854775808 -- get interface p1 cfm_mpid
set interface p1 cfm_mpid=9223372036854775808
set open . other_config:a=b -- get open . other_config
set controller br0 max_backoff=1000
`,
  },
  {
    title: 'add, remove and clear',
    lines: `
add-br br0 -- add-port br0 p1
add port p1 trunks 1 2 3 -- get port p1 trunks
add port p1 trunks 3,4 -- get port p1 trunks
add port p1 trunks 10-12 -- get port p1 trunks
add port p1 trunks 5000
add port p1 trunks x
add port p1 trunks []
add port p1 tag 1 -- get port p1 tag
add port p1 tag 2
add port p1 tag 2 -- list-br
add br br0 datapath_id x y -- get br br0 datapath_id
add br br0 external_ids a=1 -- add br br0 external_ids a=2 b=3 -- get br br0 external_ids
add port p1 tag 1
add port p1 nope 1
add port nope trunks 1
--if-exists add port nope trunks 1
add port p1 trunks
add port p1 name x
add br br0 external_ids a=b c=d -- get br br0 external_ids
add br br0 external_ids a=z e=f,g=h -- get br br0 external_ids
add br br0 external_ids a
remove port p1 trunks 1 99 -- get port p1 trunks
remove port p1 trunks 2,3 -- get port p1 trunks
remove port p1 trunks 10-11 -- get port p1 trunks
remove port p1 trunks x
remove br br0 external_ids a c=nope -- get br br0 external_ids
remove br br0 external_ids c=d -- get br br0 external_ids
remove br br0 external_ids nope -- get br br0 external_ids
remove br br0 external_ids e,g -- get br br0 external_ids
remove br br0 stp_enable true
remove br br0 stp_enable false
remove port p1 interfaces 00000000-0000-0000-0000-000000000001
remove port nope trunks 1
--if-exists remove port nope trunks 1
remove port p1 tag 1 -- get port p1 tag
remove br br0 name br0
clear port p1 trunks -- get port p1 trunks
clear port p1 tag vlan_mode
clear port p1 name
clear port p1 interfaces
clear br br0 stp_enable
clear port nope tag
--if-exists clear port nope tag
clear port p1
clear port p1 nope
clear br br0 external_ids -- get br br0 external_ids
clear br br0 fail_mode -- get br br0 fail_mode
`,
  },
  {
    title: 'create and destroy',
    lines: `
add-br br0 -- add-port br0 p1
create qos type=linux-htb
--id=@b create bridge name=bx -- set bridge @b name=by -- set open . bridges=@b
--id=@br0 create bridge name=br5 -- set b br5 name=br6 -- set o . bridges=@br0 -- list-br
set bridge nope name=x
add bridge br0 name x
remove bridge br0 name x
clear bridge nope name
--db=unix:/nonexistent set bridge br0 name=x
--columns=type,queues list qos
create mirror name=m
create bridge
create nope a=b
create qos nope=1
create qos type
create qos type=a type=b
--id=@m create mirror name=m1 select_all=true -- set bridge br0 mirrors=@m
get mirror m1 name select_all output_port
--id=@m create mirror name=m2
--id=m create mirror name=m2
--id=@m create mirror name=m2 -- --id=@m create mirror name=m3
--id=@p get port p1 -- --id=@m create mirror name=m2 output_port=@p select_dst_port=@p -- add bridge br0 mirrors @m
--columns=name list mirror
--id=@p get port br0 -- set mirror m2 select_src_port=@p
set bridge br0 mirrors=@a,@b -- --id=@a create mirror name=x -- --id=@b create mirror name=y
--columns=name list mirror
--id=@rec get mirror x -- remove bridge br0 mirrors @rec
--columns=name list mirror
set bridge br0 netflow=@nf -- --id=@nf create NetFlow targets=\\"192.168.0.34:5566\\" active-timeout=30
set NetFlow br0 active_timeout=60 -- get netflow br0 active_timeout targets
clear Bridge br0 netflow
list netflow
--id=@s create sFlow agent=eth1 targets=\\"10.0.0.1:6343\\" header=128 sampling=64 polling=10 -- set Bridge br0 sflow=@s
get sflow br0 agent targets header
clear Bridge br0 sflow
--id=@ft create Flow_Table flow_limit=100 overflow_policy=refuse -- set Bridge br0 flow_tables=0=@ft
--columns=flow_limit,overflow_policy list flow_table
set port p1 qos=@newqos -- --id=@newqos create qos type=linux-htb other-config:max-rate=1000000 queues:0=@newqueue -- --id=@newqueue create queue other-config:min-rate=1000000 other-config:max-rate=1000000
get qos p1 type other_config
--columns=other_config list queue
destroy qos p1
destroy qos p1 -- clear port p1 qos
destroy qos nope
--if-exists destroy qos nope
destroy qos
--all destroy qos nope
--all --if-exists destroy qos
--all destroy queue
list queue
destroy queue 00000000-0000-0000-0000-000000000000
--id=12345678-1234-4234-8234-123456789abc create queue dscp=5
--id=12345678-1234-4234-8234-123456789abc create queue dscp=6
get queue 12345678-1234-4234-8234-123456789abc dscp
get queue 1234 dscp
get queue 123 dscp
list queue 12345678-1234
--id=12345679-1234-4234-8234-123456789abc create queue dscp=6
get queue 1234567 dscp
get queue 12345679 dscp
destroy queue 12345678 12345679
list queue
create queue dscp=64
create flow_sample_collector_set id=1
--id=@b get bridge br0 -- create flow_sample_collector_set id=1 bridge=@b
get flow_sample 1 id
get flow_sample x id
destroy bridge br0
destroy flow_sample 1
list-br
create queue external_ids:a=b -- list queue -- --all destroy queue
`,
  },
  {
    title: 'find and its operators',
    lines: `
add-br br0 -- add-port br0 p1 trunks=1,2,3 tag=5 external_ids:a=1 -- add-port br0 p2 trunks=2 external_ids:a=2 -- add-port br0 p3 external_ids:b=1
--columns=name find port
--columns=name find port tag=5
--columns=name find port tag!=5
--columns=name find port tag=[]
--columns=name find port tag>4
--columns=name find port tag<6
--columns=name find port tag>=5
--columns=name find port tag<=4
--columns=name find port trunks=1,2,3
--columns=name find port trunks=3,2,1
--columns=name find port trunks!=2
--columns=name find port trunks<2
--columns=name find port trunks>2
--columns=name find port trunks{=}2
--columns=name find port trunks{!=}2
--columns=name find port trunks{<}1,2,3
--columns=name find port trunks{<=}1,2,3
--columns=name find port trunks{>}2
--columns=name find port trunks{>=}2
--columns=name find port trunks{>=}1,3
--columns=name find port trunks{in}1,2,3,4
--columns=name find port trunks{not-in}1
--columns=name find port trunks{not-in}1,2
--columns=name find port external_ids:a=1
--columns=name find port external_ids:a!=1
--columns=name find port external_ids:a>1
--columns=name find port external_ids:a{=}1
--columns=name find port external_ids:a{!=}1
--columns=name find port external_ids:a{in}1,2
--columns=name find port external_ids:a{not-in}1
--columns=name find port external_ids:a=[]
--columns=name find port external_ids:a{=}[]
--columns=name find port external_ids={a=1}
--columns=name find port external_ids{>=}a=1
--columns=name find port external_ids={}
--columns=name find port external_ids!={}
--columns=name find port name=p1 tag=5
--columns=name find port name=p1 tag=6
--columns=name find port name=p1,p2
--columns=name find port name{in}p1,p2
--columns=name find port tag:x=1
find port tag
find port tag=
find port tag~5
find port tag=x
find port nope=1
find port :x=1
find
find port interfaces=abc
--columns=name find interface type=internal
--columns=name find interface type=""
--columns=name find interface type=''
--columns=name find bridge stp_enable=false
--columns=name find bridge ports=@foo
find mirror
`,
  },
  {
    title: 'formats of tables',
    lines: `
add-br br0 -- add-port br0 p1 tag=5 trunks=1,2 -- set br br0 'external_ids="h<a>&"="q\\"u,o\\nte" x=y' 'other_config="a b"="c d",e="f,g"'
-f table --columns=name,external_ids,stp_enable list bridge
-f list --columns=name,external_ids,stp_enable list bridge
-f html --columns=name,external_ids,stp_enable,ports list bridge
-f csv --columns=name,external_ids,other_config,stp_enable list bridge
-f json --columns=name,external_ids,stp_enable,controller list bridge
-f table -d bare --columns=name,external_ids,stp_enable,other_config,ports list bridge
-f list -d bare --columns=name,external_ids,other_config list bridge
-f html -d bare --columns=_uuid,name,external_ids list bridge
-f csv -d bare --columns=name,external_ids,other_config list bridge
-f json -d bare --columns=name,external_ids list bridge
-f table -d json --columns=name,external_ids,stp_enable,ports list bridge
-f list -d json --columns=name,external_ids,ports list bridge
-f html -d json --columns=_uuid,name,ports list bridge
-f csv -d json --columns=name,external_ids list bridge
-d string --columns=name,external_ids list bridge
--format=json --pretty --columns=name,tag,trunks,external_ids list port p1
--format=json --pretty --columns=name list mirror
--bare --columns=name,tag,trunks list port p1
--bare list port p1
--bare -f table --columns=name,tag list port
-f csv --no-headings --columns=name,tag,trunks list port
-f html --no-headings --columns=name,tag list port
-f table --no-headings --columns=name,tag,trunks list port
-f list --no-headings --columns=name,tag list port p1
-f json --no-headings --columns=name list port p1
-f table --max-column-width=5 --columns=name,other_config list bridge
-f table --max-column-width=5 --no-headings --columns=name,external_ids list bridge
-f list --max-column-width=5 --columns=name,external_ids list bridge
-f csv --max-column-width=2 --columns=name list bridge
-f table --max-column-width=x --columns=name list bridge
-f table list mirror
-f list list mirror
-f json list mirror
-f csv list mirror
-f html list mirror
-f csv --columns=name list mirror -- --columns=name list port p1
-f table --columns=name list port p1 -- --columns=name list port p1
-f list --columns=name list port p1 -- --columns=name list port p1
-f list --columns=name list mirror -- --columns=name list port p1
-f html --columns=name list port p1 -- --columns=name list port p1
-f json --columns=name list port p1 -- --columns=name list port p1
--columns=name list port p1 -- get port p1 tag -- --columns=name list port br0
-f foo list port
-d foo list port
-f
--format=tab list port
--oneline list port p1
--oneline get port p1 tag name -- get port p1 trunks
--oneline get br br0 external_ids -- get br br0 other_config
--oneline set port p1 tag=6
--oneline list-br
--oneline show
--oneline br-get-external-id br0
--pretty get br br0 external_ids
--no-headings get br br0 name
list interface p1
list port p1
list bridge br0
list open .
-f table list port p1
-f csv list interface p1
-f json list bridge br0
`,
  },
];
