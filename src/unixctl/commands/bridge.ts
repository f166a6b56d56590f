/** `bridge/*` and `ofproto/list`: bridges as OpenFlow sees them. Texts are Open vSwitch's, since scripts read them. */
import type { Rule } from '../../flowtable/rule.ts';
import type { Bridge } from '../../ofproto/bridge.ts';
import type { OpenflowBridge } from '../../ofproto/openflow/openflow-bridge.ts';
import { formatActions } from '../../ofproto/text/actions-text.ts';
import { formatMatch, type MatchTextOptions } from '../../ofproto/text/match-text.ts';
import { type Command, CommandError } from '../command.ts';

/** `openflow`: the OpenFlow sides of all bridges. */
export function bridgeCommands(openflow: () => readonly OpenflowBridge[]): Command[] {
  const find = (name: string): OpenflowBridge => {
    const found = openflow().find(({ bridge }) => bridge.name === name);
    if (!found) throw new CommandError('Unknown bridge');
    return found;
  };
  return [
    {
      name: 'ofproto/list',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        openflow()
          .map(({ bridge }) => `${bridge.name}\n`)
          .join(''),
    },
    {
      name: 'bridge/dump-flows',
      usage: '[--offload-stats] bridge',
      minArgs: 1,
      maxArgs: 2,
      run: (args) => dumpFlows(find(args.at(-1) ?? '').bridge),
    },
    {
      name: 'bridge/reconnect',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: ([name]) => {
        for (const one of name === undefined ? openflow() : [find(name)]) one.reconnect();
        return '';
      },
    },
  ];
}

/** All flows, those of the switch itself among them. */
function dumpFlows(bridge: Bridge): string {
  const now = bridge.clock.now();
  return bridge.tables
    .flatMap((table) => (table.size === 0 ? [] : table.entries()))
    .map((rule) => flowText(rule, now, (index) => bridge.tlvTable.place(index)))
    .join('');
}

function flowText(
  rule: Rule,
  nowMs: number,
  tunMetadata: NonNullable<MatchTextOptions['tunMetadata']>,
): string {
  const table = rule.tableId === 0 ? '' : `table_id=${rule.tableId}, `;
  const seconds = Math.floor((nowMs - rule.createdMs) / 1000);
  const match = formatMatch(rule.match, { priority: rule.priority, tunMetadata });
  return `${table}duration=${seconds}s, n_packets=${rule.packets}, n_bytes=${rule.bytes}, ${match},actions=${formatActions(rule.actions)}\n`;
}
