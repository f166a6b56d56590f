/** `dpif/*`: datapaths as the bridges over them see them. */
import type { Bridge } from '../../ofproto/bridge.ts';
import type { BridgePort } from '../../ofproto/bridge-port.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { tunnelConfigText } from '../../tunnels/tunnel-config.ts';
import { type Command, CommandError } from '../command.ts';
import { type DatapathView, datapathViews, dumpOptions, ukeysOf, ukeyText } from './dpif-view.ts';

/** What the datapath can do, under the names that tools look for. */
const FEATURES: readonly (readonly [string, string])[] = [
  ['Masked set action', 'Yes'],
  ['Tunnel push pop', 'No'],
  ['Ufid', 'Yes'],
  ['Truncate action', 'Yes'],
  ['Clone action', 'Yes'],
  ['Sample nesting', '0'],
  ['Conntrack eventmask', 'No'],
  ['Conntrack clear', 'No'],
  ['Max dp_hash algorithm', '0'],
  ['Check pkt length action', 'No'],
  ['Conntrack timeout policy', 'No'],
  ['Explicit Drop action', 'Yes'],
  ['Optimized Balance TCP mode', 'No'],
  ['Conntrack all-zero IP SNAT', 'No'],
  ['MPLS Label add', 'No'],
  ['Max VLAN headers', '2'],
  ['Max MPLS depth', '0'],
  ['Recirc', 'No'],
  ['CT state', 'No'],
  ['CT zone', 'No'],
  ['CT mark', 'No'],
  ['CT label', 'No'],
  ['CT state NAT', 'No'],
  ['CT orig tuple', 'No'],
  ['CT orig tuple for IPv6', 'No'],
  ['IPv6 ND Extension', 'No'],
];

export function dpifCommands(switches: () => readonly Switch[]): Command[] {
  const find = (name: string): { view: DatapathView; bridge: Bridge } => {
    for (const view of datapathViews(switches())) {
      const bridge = view.bridges.find((b) => b.name === name);
      if (bridge) return { view, bridge };
    }
    throw new CommandError('no such bridge');
  };

  return [
    {
      name: 'dpif/show',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => datapathViews(switches()).map(showDatapath).join(''),
    },
    {
      name: 'dpif/dump-dps',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        datapathViews(switches())
          .map((view) => `${view.name}\n`)
          .join(''),
    },
    {
      name: 'dpif/show-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([name]) => {
        find(name);
        return FEATURES.map(([feature, value]) => `${feature}: ${value}\n`).join('');
      },
    },
    {
      name: 'dpif/set-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 3,
      run: ([name, feature, value]) => {
        const { view } = find(name);
        if (feature !== 'tnl_push_pop') return 'Unexpected support field';
        if (value === undefined) return '';
        if (value !== 'true' && value !== 'false') return 'Boolean value expected';
        view.switch.setNativeTunnels(value === 'true');
        return '';
      },
    },
    {
      name: 'dpif/dump-flows',
      usage: '[-m] [--names | --no-names] bridge',
      minArgs: 1,
      maxArgs: Number.POSITIVE_INFINITY,
      run: (args) => {
        const { rest, ...options } = dumpOptions(args);
        const { view, bridge } = find(rest.at(-1) ?? '');
        return ukeysOf(view, [bridge])
          .map((ukey) => `${ukeyText(view, ukey, options, 'dpif')}\n`)
          .join('');
      },
    },
  ];
}

function showDatapath(view: DatapathView): string {
  const { hit, missed } = view.switch.datapath.lookupStats();
  let out = `${view.name}: hit:${hit} missed:${missed}\n`;
  for (const bridge of view.bridges) {
    out += `  ${bridge.name}:\n`;
    const ports = [...bridge.ports()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const port of ports) out += `    ${portText(port)}\n`;
  }
  return out;
}

function portText(port: BridgePort): string {
  const options =
    port.tunnel !== null
      ? tunnelConfigText(port.tunnel)
      : port.patchPeer === null
        ? ''
        : `peer=${port.patchPeer}`;
  const detail = options === '' ? '' : `: ${options}`;
  return `${port.name} ${port.ofPort}/${port.portNo ?? 'none'}: (${port.type}${detail})`;
}
