/** `ovs/route/*` and `tnl/*`: where tunnels' packets go. */
import type { SourcePorts } from '../../config/tunnel-ports.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { formatMac, parseMac } from '../../packet/address-text.ts';
import type { Neighbors } from '../../tunnels/neighbors.ts';
import { NO_ADDRESS, type Router, routeText } from '../../tunnels/router.ts';
import { type Address, formatAddress, isIpv4, parseAddress } from '../../tunnels/tunnel-config.ts';
import { type Command, CommandError } from '../command.ts';

const INVALID = 'Invalid parameters';

export interface TunnelCommandDeps {
  readonly switches: () => readonly Switch[];
  readonly router: Router;
  readonly neighbors: Neighbors;
  /** Makes open ports follow sourcePorts. */
  readonly sourcePortsChanged: () => Promise<void>;
  readonly sourcePorts: { -readonly [K in keyof SourcePorts]: SourcePorts[K] };
}

export function tunnelCommands(deps: TunnelCommandDeps): Command[] {
  return [...routeCommands(deps.router), ...tnlCommands(deps), ...neighborCommands(deps)];
}

/** An address with a prefix length, counted of 128 bits. Throws CommandError. */
function prefixOf(text: string): { address: Address; bits: number } {
  const [ip, length] = text.split('/');
  const address = parseAddress(ip);
  if (address === undefined || !/^\d{1,3}$/.test(length ?? '')) throw new CommandError(INVALID);
  const bits = Number(length) + (isIpv4(address) ? 96 : 0);
  if (bits > 128) throw new CommandError(INVALID);
  return { address, bits };
}

function markOf(args: readonly string[]): number {
  const text = args.find((arg) => arg.startsWith('pkt_mark='));
  const mark = text === undefined ? 0 : Number(text.slice('pkt_mark='.length));
  if (!Number.isInteger(mark) || mark < 0 || mark > 0xffffffff) throw new CommandError(INVALID);
  return mark;
}

function routeCommands(router: Router): Command[] {
  return [
    {
      name: 'ovs/route/add',
      usage: 'ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]',
      minArgs: 2,
      maxArgs: 4,
      run: ([to, device, ...rest]) => {
        const { address, bits } = prefixOf(to);
        const mark = markOf(rest);
        const gatewayText = rest.find((arg) => !arg.startsWith('pkt_mark='));
        const gateway = gatewayText === undefined ? NO_ADDRESS : parseAddress(gatewayText);
        if (gateway === undefined) throw new CommandError('Invalid pkt_mark or gateway');
        const why = router.add(address, bits, device, gateway, mark);
        if (why !== null) throw new CommandError(`Error while inserting route: ${why}.`);
        return 'OK';
      },
    },
    {
      name: 'ovs/route/del',
      usage: 'ip_addr/prefix_len [pkt_mark=mark]',
      minArgs: 1,
      maxArgs: 2,
      run: ([to, ...rest]) => {
        const { address, bits } = prefixOf(to);
        if (!router.remove(address, bits, markOf(rest))) throw new CommandError('Not found');
        return 'OK';
      },
    },
    {
      name: 'ovs/route/lookup',
      usage: 'ip_addr [pkt_mark=mark]',
      minArgs: 1,
      maxArgs: 2,
      run: ([to, ...rest]) => {
        const address = parseAddress(to);
        if (address === undefined) throw new CommandError(INVALID);
        const route = router.lookup(address, markOf(rest));
        if (route === null) throw new CommandError('Not found');
        const { source, gateway, device } = route;
        return `src ${formatAddress(source)}\ngateway ${formatAddress(gateway)}\ndev ${device}\n`;
      },
    },
    {
      name: 'ovs/route/show',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        `Route Table:\n${router
          .all()
          .map((route) => `${routeText(route)}\n`)
          .join('')}`,
    },
  ];
}

function tnlCommands({ switches, sourcePorts, sourcePortsChanged }: TunnelCommandDeps): Command[] {
  return [
    {
      name: 'tnl/ports/show',
      usage: '-v',
      minArgs: 0,
      maxArgs: 1,
      run: ([option]) => {
        const ports = switches().flatMap((one) => [...one.tunnelPorts]);
        const lines = ports.map(([no, { name, users }]) => `${name} (${no}) ref_cnt=${users}\n`);
        return `Listening ports:\n${option === '-v' ? '' : lines.join('')}`;
      },
    },
    {
      name: 'tnl/egress_port_range',
      usage: 'min max',
      minArgs: 0,
      maxArgs: 2,
      run: async (args) => {
        if (args.length < 2) {
          return `Tunnel UDP source port range: ${sourcePorts.first}-${sourcePorts.last}\n`;
        }
        const [a, b] = args.map(Number);
        if (![a, b].every((port) => Number.isInteger(port) && port > 0 && port < 65_536)) {
          throw new CommandError('Invalid range.');
        }
        sourcePorts.first = Math.min(a, b);
        sourcePorts.last = Math.max(a, b);
        await sourcePortsChanged();
        return 'OK';
      },
    },
  ];
}

function neighborCommands({ switches, neighbors }: TunnelCommandDeps): Command[] {
  const exists = (name: string): boolean =>
    switches().some((one) => one.bridges().some((bridge) => bridge.portNamed(name) !== null));
  const show = (): string => {
    let text = `IP                                            MAC                 Bridge\n${'='.repeat(74)}\n`;
    for (const { address, mac, bridge } of neighbors.all(exists)) {
      text += `${formatAddress(address).padEnd(46)}${mac}   ${bridge}\n`;
    }
    return text;
  };
  return ['tnl/arp', 'tnl/neigh'].flatMap((prefix): Command[] => [
    { name: `${prefix}/show`, usage: '', minArgs: 0, maxArgs: 0, run: show },
    {
      name: `${prefix}/set`,
      usage: 'BRIDGE IP MAC',
      minArgs: 3,
      maxArgs: 3,
      run: ([bridge, ip, macText]) => {
        const address = parseAddress(ip);
        if (address === undefined) throw new CommandError('bad IP address');
        const mac = parseMac(macText);
        if (mac === undefined) throw new CommandError('bad MAC address');
        if (!neighbors.set(bridge, address, formatMac(mac[0], mac[1]))) {
          throw new CommandError('too many entries');
        }
        return 'OK';
      },
    },
    {
      name: `${prefix}/flush`,
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => {
        neighbors.flush();
        return 'OK';
      },
    },
    {
      name: `${prefix}/aging`,
      usage: '[SECS]',
      minArgs: 0,
      maxArgs: 1,
      run: ([seconds]) => {
        if (seconds === undefined) return String(neighbors.agingSeconds);
        if (!neighbors.setAging(Number(seconds))) throw new CommandError('bad aging value');
        return 'OK';
      },
    },
  ]);
}
