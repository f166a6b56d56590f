/** `fdb/*`: the MAC tables of bridges. Texts are Open vSwitch's, since scripts read them. */
import { formatOfPort } from '../../flowtable/of-port.ts';
import type { Bridge } from '../../ofproto/bridge.ts';
import type { Bundle } from '../../ofproto/bundle.ts';
import { formatMac, type MacEntry, parseMac } from '../../ofproto/mac-learning.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { type Command, CommandError } from '../command.ts';

/** `switches`: all that run now. */
export function fdbCommands(switches: () => readonly Switch[], nowMs: () => number): Command[] {
  const bridges = (): Bridge[] => switches().flatMap((s) => s.bridges());
  const find = (name: string): Bridge => {
    const bridge = bridges().find((b) => b.name === name);
    if (!bridge) throw new CommandError('no such bridge');
    return bridge;
  };
  const chosen = (args: string[]): Bridge[] => (args.length > 0 ? [find(args[0])] : bridges());

  return [
    {
      name: 'fdb/show',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([name]) => {
        const rows = find(name)
          .macs.entries()
          .map((entry) => row(entry, nowMs()));
        return ` port  VLAN  MAC                Age\n${rows.join('')}`;
      },
    },
    {
      name: 'fdb/flush',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: (args) => {
        for (const bridge of chosen(args)) bridge.flushMacs();
        return 'table successfully flushed';
      },
    },
    {
      name: 'fdb/add',
      usage: 'bridge port vlan mac',
      minArgs: 4,
      maxArgs: 4,
      run: ([name, port, vlanText, macText]) => {
        const bridge = find(name);
        const vlan = parseVlan(vlanText);
        const mac = parseMac(macText);
        if (mac === null) throw new CommandError('bad MAC address');
        const before = bridge.addStaticMac(port, vlan, mac);
        if (before === false) {
          throw new CommandError('software error, odp port is present but no ofp port');
        }
        if (before === null) return '';
        const kind = before.isStatic ? 'static' : 'dynamic';
        return `Overriding already existing ${kind} entry on ${portOf(before)}\n`;
      },
    },
    {
      name: 'fdb/del',
      usage: 'bridge vlan mac',
      minArgs: 3,
      maxArgs: 3,
      run: ([name, vlanText, macText]) => {
        const bridge = find(name);
        const vlan = parseVlan(vlanText);
        const mac = parseMac(macText);
        if (mac === null) throw new CommandError('bad MAC address');
        if (!bridge.removeStaticMac(vlan, mac)) {
          throw new CommandError('could not find static mac entry');
        }
        return '';
      },
    },
    {
      name: 'fdb/stats-show',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([name]) => {
        const { macs } = find(name);
        return [
          `Statistics for bridge "${name}":`,
          `  Current/maximum MAC entries in the table: ${macs.count}/${macs.maxEntries}`,
          `  Current static MAC entries in the table : ${macs.staticCount}`,
          `  Total number of learned MAC entries     : ${macs.stats.learned}`,
          `  Total number of expired MAC entries     : ${macs.stats.expired}`,
          `  Total number of evicted MAC entries     : ${macs.stats.evicted}`,
          `  Total number of port moved MAC entries  : ${macs.stats.moved}`,
          '',
        ].join('\n');
      },
    },
    {
      name: 'fdb/stats-clear',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: (args) => {
        for (const bridge of chosen(args)) bridge.macs.clearStats();
        return 'statistics successfully cleared';
      },
    },
  ];
}

function portOf({ owner }: MacEntry<Bundle>): string {
  const port = owner.members.at(0);
  return port === undefined ? '?' : formatOfPort(port.ofPort);
}

function row(entry: MacEntry<Bundle>, nowMs: number): string {
  const name = portOf(entry).padStart(5);
  const age = entry.isStatic
    ? 'static'
    : String(Math.floor((nowMs - entry.usedMs) / 1000)).padStart(3);
  return `${name}  ${String(entry.vlan).padStart(4)}  ${formatMac(entry.mac)}  ${age}\n`;
}

function parseVlan(text: string): number {
  const vlan = /^[0-9]+$/.test(text) ? Number(text) : 4096;
  if (vlan > 4095) throw new CommandError('bad VLAN');
  return vlan;
}
