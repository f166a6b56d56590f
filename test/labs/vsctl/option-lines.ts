/** Command lines about global options, the cutting into commands, transactions and waiting. */
import type { Section } from './section.ts';

export const OPTION_SECTIONS: readonly Section[] = [
  {
    title: 'the command line',
    lines: `
add-br br0
--
-- --
--may-exist
--may-exist --
-- --may-exist -- add-br br0
foo
-- foo
--foo
-x
--db
-t
--no-wait=x
--i add-br br0
--l show
--n show
--ver show
--may add-br br0
--if del-br nope
--if-exists --if-exists del-br nope
-- --if-exists --if-exists del-br nope
--if-exists list-br
--may-exist=1 add-br br0
-- --may-exist=1 add-br br0
-- --foo list-br
--columns
--columns=name list-br
list-br --real
list-br -- --real list-br
add-port br0 p1 -- add-port br0
add-port br0 p1 --tag
del-port a b c
del-port a b --c
get
get bridge
comment
comment hello world
comment -- list-br
-- comment 'a b' c
init extra
show extra
emer-reset extra
list-br -- -- list-br
-- list-br
-- -- list-br
--dry-run --no-wait add-br br9 -- list-br
list-br
--dry-run --no-wait create queue dscp=1
--no-wait add-br br5
--no-syslog list-br
--retry list-br
--timeout=10 list-br
-t 10 list-br
-t10 list-br
--timeout=0 list-br
--timeout=x list-br
--timeout=-1 list-br
--leader-only list-br
--no-leader-only list-br
--shuffle-remotes list-br
--no-shuffle-remotes list-br
-vvsctl:console:info list-br
-vvsctl:console:dbg list-br -- show
-vvsctl:console:info --no-wait set bridge br0 'external_ids=a="x y"' external_ids:b=
-vvsctl:console:info --no-wait -- set bridge br0 'external_ids=a="x y"'
-vfoo list-br
-vconsole:off list-br
--verbose=vsctl:console:off list-br
--verbose=foo:bar list-br
-vconsole:foo list-br
-vconsole:info:dbg list-br
-vfile:info list-br
-vPATTERN:console:%m list-br
-vFACILITY:foo list-br
-vFACILITY:user list-br
-vPATTERN:console:%m --id=@m create mirror name=x
--log-file=/nonexistent/x list-br
--syslog-method=foo list-br
--syslog-method=null list-br
--syslog-target=127.0.0.1:9 list-br
--db=unix:/nonexistent list-br
--db=tcp:127.0.0.1:1 list-br
--db=foo:1 list-br
--db=unix:/nonexistent list foo
--no-shuffle-remotes --db=unix:/nonexistent,unix:/nowhere list-br
--db= list-br
--db=unix:/nonexistent add-br
--db=ssl:127.0.0.1:1 list-br
--max-column-width=5 list-br
`,
  },
  {
    title: 'chains are one transaction',
    lines: `
add-br br0 -- add-port br0 p1 -- add-port br0 p1
list-br
add-br br0 -- add-port br0 p1 -- set interface p1 type=internal -- get interface p1 type -- list-ports br0
add-port br0 p2 -- list-ports br0 -- del-port p2 -- list-ports br0
del-br br0 -- list-br -- show
add-br br0 -- set bridge br0 fail_mode=secure -- get bridge br0 fail_mode -- get-fail-mode br0 -- foo
list-br
set port p1 tag=1 -- set port p1 tag=2 -- get port p1 tag
set bridge br0 external_ids:a=1 -- add bridge br0 external_ids b=2 -- remove bridge br0 external_ids a -- get bridge br0 external_ids
add-br br3 -- set-controller br3 tcp:1.1.1.1 -- get-controller br3 -- set bridge br3 mirrors=@m -- --id=@m create mirror name=z
add-port br0 p5 -- --columns=name,tag list port p5 -- set port p5 tag=4 -- --columns=name,tag find port tag=4
add-br br0 -- add-port br0 p1 -- set bridge br0 external_ids:b=2
wait-until bridge br0 name=br0 -- get bridge br0 name
wait-until bridge br0 -- get bridge br0 name
wait-until bridge br0 s=1
wait-until bridge br0 nope=1
wait-until nope br0
wait-until bridge
wait-until interface p1 ofport!=[] -- get interface p1 ofport
wait-until open . cur_cfg>1
show -- show
set bridge br0 mirrors=@m -- --id=@m create mirror name=n output_port=@x -- --id=@x get port br0
get mirror n name
`,
  },
  {
    title: 'waiting for the switch',
    lines: `
add-br br0 -- add-port br0 fine
add-port br0 bad1
add-port br0 bad-why
add-port br0 bad2 -- add-port br0 fine2 -- add-port br0 bad3
--no-wait add-port br0 bad4
add-bond br0 bond bad5 fine3
--may-exist add-port br0 bad1
add-br badbr
set interface bad1 type=internal
set interface bad1 external_ids:a=b
set port bad1 tag=4
del-port bad1
get interface fine ofport -- get interface bad-why ofport error
--dry-run --no-wait add-port br0 bad6
set bridge br0 other_config:x=y
set bridge br0 other_config:x=y
add-bond-iface bond bad7
create interface name=bad8
`,
  },
];
