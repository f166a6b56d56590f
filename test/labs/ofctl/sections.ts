/**
 * The command lines of the comparison with Open vSwitch (openflow.lab.ts): one line, one command of ovs-ofctl(8); adding one is a line.
 *
 * A section runs in order on an empty bridge `br0` with the ports p1 = 1, p2 = 2 and eth-3 = 3, once a version of OpenFlow: what a version refuses
 * is compared as well. `+ FLOW` is short for `add-flow br0 FLOW`. Words end at blanks outside of single quotes.
 */
import { ACTION_SECTIONS } from './action-commands.ts';
import { FLOW_SECTIONS } from './flow-commands.ts';
import { GROUP_SECTIONS } from './group-commands.ts';
import { MATCH_SECTIONS } from './match-commands.ts';
import type { Section } from './section.ts';
import { SWITCH_SECTIONS } from './switch-commands.ts';

export const SECTIONS: readonly Section[] = [
  ...SWITCH_SECTIONS,
  ...MATCH_SECTIONS,
  ...ACTION_SECTIONS,
  ...FLOW_SECTIONS,
  ...GROUP_SECTIONS,
];

export const linesOf = (section: Section): readonly string[] => section.lines.trim().split('\n');

/** Words of a line: apart by blanks, but for those within single quotes. `+ FLOW` adds one. */
export function words(line: string): string[] {
  const text = line.startsWith('+ ') ? `add-flow br0 ${line.slice(2)}` : line;
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
}

/** Files that the lines name. */
export const FILES: Readonly<Record<string, string>> = {
  flows: 'tcp actions=1\n# a comment\n\nudp,priority=8 actions=2\nadd icmp,actions=3\n',
  changes:
    'modify tcp actions=2\ndelete_strict udp,priority=8\nmodify_strict icmp,actions=drop\ndelete table=7\n',
  'wrong-word': 'tcp actions=1\nbad=1,actions=2\n',
  refused: 'arp actions=1\nip actions=group:7777\nudp,actions=2\n',
  replacement: 'tcp actions=3\nudp,priority=9 actions=2\narp,cookie=5,actions=1\n',
  groups:
    'group_id=31,type=all,bucket=output:1\nadd group_id=32,type=select,bucket=output:1,bucket=output:2\nmodify group_id=31,type=indirect,bucket=output:2\nadd_or_mod group_id=33,type=all,bucket=1\ndelete group_id=32\n',
  'bad-groups': 'group_id=41,type=all,bucket=output:1\ngroup_id=41,type=all,bucket=output:2\n',
  bundle:
    'flow tcp,actions=2\ngroup group_id=98,type=all,bucket=1\nflow add udp,actions=group:98\npacket-out in_port=1,packet=505400000001505400000002080045000028,actions=drop\ngroup modify group_id=98,type=select,bucket=2\nflow modify_strict tcp,actions=1\n',
  'bundle-refused':
    'flow icmp,actions=2\ngroup group_id=97,type=all,bucket=1\nflow tcp,actions=group:12\nflow arp,actions=2\n',
  'bundle-wrong': 'flow icmp,actions=2\nflux tcp\n',
  'bundle-overlap':
    'flow priority=10,in_port=1,actions=1\nflow check_overlap,priority=10,tcp,actions=2\n',
};
