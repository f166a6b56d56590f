/**
 * The datapath ports that tunnels share: made for the first tunnel of a kind, given back with the last.
 *
 * VXLAN ports also have to agree on their extensions, since these change what the bytes of all packets to that UDP port mean.
 */
import type { Datapath, PortNo, PortSpec } from '../datapath/datapath.ts';
import type { Switch } from '../ofproto/switch.ts';
import { type TunnelConfig, tunnelPortName } from '../tunnels/tunnel-config.ts';
import { NetdevError } from './netdev/netdev.ts';
import type { PortAllocator } from './port-allocator.ts';

export interface TunnelPortsDeps {
  readonly datapath: Datapath;
  readonly switch: Switch;
  readonly portNumbers: PortAllocator;
  /** How the datapath moves the packets of a kind of tunnel. */
  readonly specOf: (config: TunnelConfig) => PortSpec;
}

interface Shared {
  readonly extensions: string;
  readonly users: Set<string>;
  readonly opened: Promise<PortNo>;
}

const extensionsOf = ({ gbp, gpe }: TunnelConfig): string =>
  [gbp ? 'VXLAN-GBP' : '', gpe ? 'VXLAN-GPE' : ''].filter((name) => name !== '').join(',');

export class SharedTunnelPorts {
  private readonly deps: TunnelPortsDeps;
  private readonly ports = new Map<string, Shared>();
  /** Ports being given back, by name: a new one of that name waits. */
  private readonly closing = new Map<string, Promise<void>>();

  constructor(deps: TunnelPortsDeps) {
    this.deps = deps;
  }

  /** The datapath port for tunnel `user`. Rejects with a NetdevError. */
  async acquire(user: string, config: TunnelConfig): Promise<PortNo> {
    const name = tunnelPortName(config);
    const extensions = extensionsOf(config);
    let shared = this.ports.get(name);
    if (shared !== undefined && shared.extensions !== extensions) {
      const what = extensions || shared.extensions;
      throw new NetdevError(
        `${user}: ${what}, and non-${what} tunnels can't be configured on the same dst_port`,
        `${user}: could not set configuration (File exists)`,
      );
    }
    if (shared === undefined) {
      shared = { extensions, users: new Set(), opened: this.open(user, name, config) };
      this.ports.set(name, shared);
    }
    shared.users.add(user);
    try {
      const portNo = await shared.opened;
      const listed = this.deps.switch.tunnelPorts.get(portNo);
      if (listed !== undefined) listed.users = shared.users.size;
      return portNo;
    } catch (failure) {
      if (this.ports.get(name) === shared) this.ports.delete(name);
      throw failure;
    }
  }

  /** Gives the port back; resolves when it is closed, if this was its last user. */
  async release(user: string, config: TunnelConfig): Promise<void> {
    const name = tunnelPortName(config);
    const shared = this.ports.get(name);
    if (shared === undefined || !shared.users.delete(user)) return;
    const portNo = await shared.opened;
    const listed = this.deps.switch.tunnelPorts.get(portNo);
    if (listed !== undefined) listed.users = shared.users.size;
    if (shared.users.size > 0 || this.ports.get(name) !== shared) return;
    this.ports.delete(name);
    const closing = this.close(portNo).finally(() => {
      if (this.closing.get(name) === closing) this.closing.delete(name);
    });
    this.closing.set(name, closing);
    await closing;
  }

  private async open(user: string, name: string, config: TunnelConfig): Promise<PortNo> {
    await this.closing.get(name);
    const { datapath, portNumbers, specOf } = this.deps;
    const portNo = portNumbers.allocate(name);
    try {
      await datapath.addPort(portNo, name, specOf(config));
    } catch (failure) {
      portNumbers.release(portNo);
      throw new NetdevError(`${user}: ${(failure as Error).message}`);
    }
    const { type, dstPort } = config;
    this.deps.switch.tunnelPorts.set(portNo, { name, type, dstPort, users: 0 });
    return portNo;
  }

  private async close(portNo: PortNo): Promise<void> {
    const { datapath, portNumbers } = this.deps;
    this.deps.switch.tunnelPorts.delete(portNo);
    await datapath.removePort(portNo);
    portNumbers.release(portNo);
  }
}

/** How a real datapath moves the packets of a kind of tunnel: through sockets of the kernel. */
export function tunnelSpec(
  config: TunnelConfig,
  sourcePorts: SourcePorts,
  answersTooBig: boolean,
): PortSpec {
  const { type, dstPort, gbp, seq } = config;
  return {
    kind: 'tunnel',
    encapsulation: type === 'vxlan' || type === 'geneve' ? type : 'gre',
    families: type === 'ip6gre' ? [6] : [4, 6],
    udpPort: dstPort,
    gbp,
    sequence: seq,
    firstSourcePort: sourcePorts.first,
    lastSourcePort: sourcePorts.last,
    answersTooBig,
    mtu: MAX_INNER_MTU,
  };
}

/** Range of UDP source ports. */
export interface SourcePorts {
  readonly first: number;
  readonly last: number;
}

/** The kernel knows what the path takes. */
const MAX_INNER_MTU = 65_535;
