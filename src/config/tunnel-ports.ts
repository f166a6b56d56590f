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
  readonly config: TunnelConfig;
  readonly extensions: string;
  /** What was asked for, and what it was opened with. */
  wanted: PortSpec;
  spec: PortSpec;
  readonly users: Set<string>;
  opened: Promise<PortNo>;
}

const extensionsOf = ({ gbp, gpe }: TunnelConfig): string =>
  [gbp ? 'VXLAN-GBP' : '', gpe ? 'VXLAN-GPE' : ''].filter((name) => name !== '').join(',');

/** What of a configuration would make other bytes than it says; null when all is there. */
function notThere({ gpe, packetType, type }: TunnelConfig): string | null {
  if (gpe) return 'options:exts=gpe (VXLAN-GPE)';
  if (packetType === 'legacy_l3' && type !== 'gre' && type !== 'ip6gre') {
    return `options:packet_type=legacy_l3 (${type} of layer 3)`;
  }
  return null;
}

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
    const missing = this.deps.specOf(config).kind === 'tunnel' ? notThere(config) : null;
    if (missing !== null) throw new NetdevError(`${user}: ${missing} is not supported`);
    if (shared === undefined) {
      const spec = this.deps.specOf(config);
      const users = new Set<string>();
      const opened = this.open(user, name, config, spec);
      shared = {
        config,
        extensions,
        wanted: spec,
        spec,
        users,
        opened: opened.then(({ portNo }) => portNo),
      };
      this.ports.set(name, shared);
      const made = shared;
      opened.then(
        ({ used }) => {
          made.spec = used;
        },
        () => {},
      );
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

  /** How the packets of a tunnel are moved, as the status column says it; nothing for one in memory. */
  statusOf(config: TunnelConfig): Readonly<Record<string, string>> {
    const spec = this.ports.get(tunnelPortName(config))?.spec;
    return spec?.kind === 'tunnel' ? { io: spec.io === 'kernel' ? 'sockets' : 'portable' } : {};
  }

  /** Opens those ports anew whose specification is another by now: packets of a moment are lost. */
  async refresh(): Promise<void> {
    const changed: Promise<unknown>[] = [];
    for (const [name, shared] of this.ports) {
      const wanted = this.deps.specOf(shared.config);
      if (JSON.stringify(wanted) === JSON.stringify(shared.wanted)) continue;
      shared.wanted = wanted;
      // Whoever gives the port back waits for this.
      shared.opened = this.reopen(name, shared, wanted);
      changed.push(shared.opened.catch(() => {}));
    }
    await Promise.all(changed);
  }

  private async reopen(name: string, shared: Shared, wanted: PortSpec): Promise<PortNo> {
    const { datapath } = this.deps;
    const portNo = await shared.opened;
    await datapath.removePort(portNo);
    try {
      shared.spec = await this.add(portNo, name, wanted);
    } catch {
      // As it was; the setting is tried again with the next tunnel or change.
      await datapath.addPort(portNo, name, shared.spec);
    }
    return portNo;
  }

  private async open(
    user: string,
    name: string,
    config: TunnelConfig,
    spec: PortSpec,
  ): Promise<{ portNo: PortNo; used: PortSpec }> {
    await this.closing.get(name);
    const { portNumbers } = this.deps;
    const portNo = portNumbers.allocate(name);
    try {
      const used = await this.add(portNo, name, spec);
      const { type, dstPort, gbp } = config;
      this.deps.switch.tunnelPorts.set(portNo, { name, type, dstPort, gbp, users: 0 });
      return { portNo, used };
    } catch (failure) {
      portNumbers.release(portNo);
      throw new NetdevError(`${user}: ${(failure as Error).message}`);
    }
  }

  /** Adds the port, by the portable transport where the kernel's cannot be had; returns with what. Rejects with the first reason. */
  private async add(portNo: PortNo, name: string, spec: PortSpec): Promise<PortSpec> {
    const { datapath } = this.deps;
    try {
      await datapath.addPort(portNo, name, spec);
      return spec;
    } catch (failure) {
      if (spec.kind !== 'tunnel' || spec.io === 'portable') throw failure;
      const portable: PortSpec = { ...spec, io: 'portable' };
      await datapath.addPort(portNo, name, portable).catch(() => {
        throw failure;
      });
      return portable;
    }
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
  io: 'kernel' | 'portable',
): PortSpec {
  const { type, dstPort, gbp, seq } = config;
  return {
    kind: 'tunnel',
    io,
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
