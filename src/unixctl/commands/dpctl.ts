/** `dpctl/*`: datapaths by themselves, as ovs-dpctl shows the kernel's. */
import type { PortNo, PortStats } from '../../datapath/datapath.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { TUNNEL_TYPES } from '../../tunnels/tunnel-types.ts';
import { type Command, CommandError } from '../command.ts';
import { type DatapathView, datapathViews, dumpOptions, ukeysOf, ukeyText } from './dpif-view.ts';
import { flowFilter } from './flow-filter.ts';

export function dpctlCommands(switches: () => readonly Switch[]): Command[] {
  const views = (): DatapathView[] => datapathViews(switches());
  const named = (name: string): DatapathView | undefined => {
    const full = name.includes('@') ? name : `system@${name}`;
    return views().find((view) => view.name === full || view.name === name);
  };

  return [
    {
      name: 'dpctl/dump-dps',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        views()
          .map((view) => `${view.name}\n`)
          .join(''),
    },
    {
      name: 'dpctl/show',
      usage: '[-s] [dp...]',
      minArgs: 0,
      maxArgs: Number.POSITIVE_INFINITY,
      run: (args) => {
        const withStats = args.includes('-s') || args.includes('--statistics');
        const wanted = args.filter((arg) => arg !== '-s' && arg !== '--statistics');
        const chosen = wanted.map((name) => {
          const view = named(name);
          if (!view) {
            throw new CommandError(
              `ovs-vswitchd: opening datapath ${name} failed (No such device)`,
            );
          }
          return view;
        });
        return (wanted.length > 0 ? chosen : views()).map((v) => show(v, withStats)).join('');
      },
    },
    {
      name: 'dpctl/dump-flows',
      usage: '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]',
      minArgs: 0,
      maxArgs: 6,
      run: (args) => {
        const { rest, ...options } = dumpOptions(args);
        const all = views();
        const name = rest.find((arg) => !/^(filter|type|pmd)=/.test(arg));
        const filter = rest.find((arg) => arg.startsWith('filter='))?.slice('filter='.length);
        if (name === undefined && all.length > 1) {
          throw new CommandError(
            'ovs-vswitchd: multiple datapaths, specify one (Invalid argument)',
          );
        }
        const view = name === undefined ? all[0] : named(name);
        if (!view) {
          if (name === undefined)
            throw new CommandError('ovs-vswitchd: no datapaths exist (No such file or directory)');
          throw new CommandError('ovs-vswitchd: datapath not found (Invalid argument)');
        }
        const passes = filter === undefined ? () => true : flowFilter(view, filter);
        const lines = ukeysOf(view, view.bridges)
          .filter(passes)
          .map((ukey) => `${ukeyText(view, ukey, options, 'dpctl')}\n`);
        // All flows of a userspace datapath belong to a thread, and the original says which.
        return lines.length > 0 ? `flow-dump from the main thread:\n${lines.join('')}` : '';
      },
    },
  ];
}

function show(view: DatapathView, withStats: boolean): string {
  const { datapath } = view.switch;
  const { hit, missed, lost, flows } = datapath.lookupStats();
  let out = `${view.name}:\n  lookups: hit:${hit} missed:${missed} lost:${lost}\n  flows: ${flows}\n`;
  const ports: { portNo: PortNo; name: string; type: string }[] = [];
  for (const { portNo, name, type, tunnel } of view.bridges.flatMap((b) => [...b.ports()])) {
    if (portNo !== null && tunnel === null) ports.push({ portNo, name, type });
  }
  for (const [portNo, { name, type, dstPort }] of view.switch.tunnelPorts) {
    const isUsual = dstPort === TUNNEL_TYPES[type].udpPort || dstPort === 0;
    const options = `${isUsual ? '' : `dst_port=${dstPort}, `}packet_type=ptap`;
    ports.push({ portNo: portNo as PortNo, name, type: `${type}: ${options}` });
  }
  ports.sort((a, b) => a.portNo - b.portNo);
  for (const port of ports) {
    out += `  port ${port.portNo}: ${port.name} (${port.type})\n`;
    if (withStats) out += statsText(datapath.portStats(port.portNo));
  }
  return out;
}

/** A counter that nobody keeps is a question mark. */
function statsText(s: PortStats): string {
  return [
    `    RX packets:${s.rxPackets} errors:${s.rxErrors} dropped:${s.rxDropped} overruns:? frame:?`,
    `    TX packets:${s.txPackets} errors:${s.txErrors} dropped:${s.txDropped} aborted:? carrier:?`,
    '    collisions:?',
    `    RX bytes:${s.rxBytes}${human(s.rxBytes)}  TX bytes:${s.txBytes}${human(s.txBytes)}`,
    '',
  ].join('\n');
}

function human(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size) return ` (${(bytes / size).toFixed(1)} ${unit})`;
  }
  return '';
}
