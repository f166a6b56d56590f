/** `ovs/route/*` and `tnl/*`: where tunnels' packets go. */
import type { SourcePorts } from '../../config/tunnel-ports.ts';
import type { Switch } from '../../ofproto/switch.ts';
import type { TunnelDatapathPort } from '../../ofproto/tunnel-ports.ts';
import { formatMac, parseMac } from '../../packet/address-text.ts';
import type { Neighbors } from '../../tunnels/neighbors.ts';
import { NO_ADDRESS, type Router, routeText } from '../../tunnels/router.ts';
import { type Address, formatAddress, isIpv4, parseAddress } from '../../tunnels/tunnel-config.ts';
import { TUNNEL_TYPES } from '../../tunnels/tunnel-types.ts';
import { type Command, CommandError } from '../command.ts';

const INVALID = 'Invalid parameters';

/** What the kernel knows; link addresses are 48 bits. */
export interface MachineAddresses {
  neighbors(): readonly { device: string; address: Address; mac: bigint }[];
  ownAddresses(): readonly { mac: bigint; address: Address }[];
}

export interface TunnelCommandDeps {
  readonly machine: MachineAddresses;
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

/** An address with a prefix length, counted of 128 bits; all of them when none is given. Throws CommandError. */
function prefixOf(text: string): { address: Address; bits: number } {
  const [ip, length] = text.split('/');
  const address = parseAddress(ip);
  if (address === undefined || !/^\d{1,3}$/.test(length ?? '0')) throw new CommandError(INVALID);
  const bits = length === undefined ? 128 : Number(length) + (isIpv4(address) ? 96 : 0);
  if (bits > 128) throw new CommandError(INVALID);
  return { address, bits };
}

function markOf(args: readonly string[], fault = 'Invalid pkt_mark'): number {
  const text = args.find((arg) => arg.startsWith('pkt_mark='));
  const mark = text === undefined ? 0 : Number(text.slice('pkt_mark='.length));
  if (!Number.isInteger(mark) || mark < 0 || mark > 0xffffffff) throw new CommandError(fault);
  return mark;
}

const NO_GATEWAY = 'Invalid pkt_mark or gateway';
const macText = (mac: bigint): string => formatMac(Number(mac >> 16n), Number(mac & 0xffffn));

function routeCommands(router: Router): Command[] {
  return [
    {
      name: 'ovs/route/add',
      usage: 'ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]',
      minArgs: 2,
      maxArgs: 4,
      run: ([to, device, ...rest]) => {
        const { address, bits } = prefixOf(to);
        const mark = markOf(rest, NO_GATEWAY);
        const gatewayText = rest.find((arg) => !arg.startsWith('pkt_mark='));
        const gateway = gatewayText === undefined ? NO_ADDRESS : parseAddress(gatewayText);
        if (gateway === undefined) throw new CommandError(NO_GATEWAY);
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

/** `vxlan_sys_4789 (4) : eth(dst=...),...`: what is taken for a packet of the port's tunnels. */
function listening(
  name: string,
  portNo: number,
  { type, dstPort }: TunnelDatapathPort,
  { mac, address }: { mac: bigint; address: Address },
): string {
  const isFour = isIpv4(address);
  const isUdp = TUNNEL_TYPES[type].udpPort !== null;
  const ip = `${isFour ? 'ipv4' : 'ipv6'}(dst=${formatAddress(address)},proto=${isUdp ? 17 : 47},frag=no)`;
  const eth = `eth(dst=${macText(mac)}),eth_type(${isFour ? '0x0800' : '0x86dd'})`;
  return `${name} (${portNo}) : ${eth},${ip}${isUdp ? `,udp(dst=${dstPort})` : ''}\n`;
}

function tnlCommands(deps: TunnelCommandDeps): Command[] {
  const { switches, sourcePorts, sourcePortsChanged, machine } = deps;
  return [
    {
      name: 'tnl/ports/show',
      usage: '-v',
      minArgs: 0,
      maxArgs: 1,
      run: ([option]) => {
        const ports = switches().flatMap((one) => [...one.tunnelPorts]);
        const own = option === '-v' ? machine.ownAddresses() : [];
        const lines = ports.flatMap(([no, port]) =>
          option === '-v'
            ? own.map((address) => listening(port.name, no, port, address))
            : [`${port.name} (${no}) ref_cnt=${port.users}\n`],
        );
        return `Listening ports:\n${lines.join('')}`;
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
        // As in the original, what is wrong is no failure of the command.
        const [a, b] = args.map(Number);
        const isPort = (port: number): boolean =>
          Number.isInteger(port) && port > 0 && port < 65_536;
        if (!isPort(a)) return 'Invalid min.';
        if (!isPort(b)) return 'Invalid max.';
        sourcePorts.first = Math.min(a, b);
        sourcePorts.last = Math.max(a, b);
        await sourcePortsChanged();
        return 'OK';
      },
    },
  ];
}

function neighborCommands({ switches, neighbors, machine }: TunnelCommandDeps): Command[] {
  const exists = (name: string): boolean =>
    switches().some((one) => one.bridges().some((bridge) => bridge.portNamed(name) !== null));
  const show = (): string => {
    let text = `IP                                            MAC                 Bridge\n${'='.repeat(74)}\n`;
    for (const { address, mac, bridge } of neighbors.all(exists)) {
      text += `${formatAddress(address).padEnd(46)}${mac}   ${bridge}\n`;
    }
    // Packets that leave by the kernel go by its neighbours.
    for (const { device, address, mac } of machine.neighbors()) {
      if (!exists(device)) continue;
      text += `${formatAddress(address).padEnd(46)}${macText(mac)}   ${device}\n`;
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
