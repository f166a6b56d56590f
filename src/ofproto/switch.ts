/**
 * A switch: all bridges over one datapath, their megaflows, upcalls and revalidation. Bridges of
 * datapath_type system and netdev share one; dummy bridges have another.
 *
 * The configuration writes to Bridge objects and then awaits revalidateAll(), after which every megaflow
 * in the datapath reflects it.
 */
import type { Datapath } from '../datapath/datapath.ts';
import { MATCH_ALL } from '../flowtable/match.ts';
import { OFPP_TABLE } from '../flowtable/of-port.ts';
import { IN_PORT } from '../packet/key.ts';
import { neighborRequest } from '../tunnels/neighbor-request.ts';
import type { TunnelConfig } from '../tunnels/tunnel-config.ts';
import type { Clock, Timer } from '../util/clock.ts';
import type { Logger, LogSource } from '../util/logger.ts';
import { rateLimited } from '../util/rate-limit.ts';
import { Bridge, type BridgeHost, type BridgeSettings, type DatapathType } from './bridge.ts';
import type { BridgePort } from './bridge-port.ts';
import { FlowCache } from './flow-cache.ts';
import { FlowLog } from './flow-log.ts';
import { meterHostOf } from './meter-host.ts';
import { NO_BUFFER } from './model.ts';
import { packetInOf } from './packet-in.ts';
import { packetOut } from './packet-out.ts';
import { type FrozenState, RecircTable } from './recirc-table.ts';
import { DEFAULT_REVALIDATOR, Revalidator, type RevalidatorSettings } from './revalidate.ts';
import { formatPacketFlow } from './text/trace-text.ts';
import { traceReport } from './trace-report.ts';
import { type TunnelDatapathPort, TunnelPorts } from './tunnel-ports.ts';
import type { BridgedUnderlay, Underlay } from './underlay.ts';
import { UpcallHandler } from './upcall.ts';
import type { XlateSource } from './xlate/context.ts';

export interface SwitchDeps {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly logs: LogSource;
  /** Counts a coverage event by name. */
  readonly count: (event: string) => void;
  /** Uniform 32-bit words from a seeded source. */
  readonly random32: () => number;
  /** Resolves in a later turn of the event loop. */
  readonly yieldTurn: () => Promise<void>;
  /** Given, the switch builds tunnels' packets itself, unless setNativeTunnels(false). */
  readonly underlay?: Underlay;
}

export interface SwitchSettings extends RevalidatorSettings {
  /** other_config:vlan-limit; 0 means as many as the key has. */
  readonly vlanLimit: number;
}

/** vlan-limit: one tag is told apart unless the database says more (ovs-vswitchd.conf.db(5)). */
export const DEFAULT_SWITCH: SwitchSettings = { ...DEFAULT_REVALIDATOR, vlanLimit: 1 };

const MAX_VLANS = 2;
const AGING_PERIOD_MS = 1000;

export class Switch implements XlateSource {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly cache: FlowCache;
  readonly revalidator: Revalidator;
  readonly recirc = new RecircTable();
  private readonly bridgeHost: BridgeHost;
  vlanLimit = 1;
  private readonly log: Logger;
  private readonly xlateLog: Logger;
  private readonly bridgeMap = new Map<string, Bridge>();
  private readonly aging: Timer;
  /** Real ports by datapath number, and patch ports by name; rebuilt when stale. */
  private byNumber = new Map<number, BridgePort>();
  private patches = new Map<string, BridgePort>();
  private tunnels = new TunnelPorts();
  private isIndexStale = false;
  private readonly bridgedUnderlay: BridgedUnderlay | null;
  underlay: BridgedUnderlay | null;
  /** The datapath ports that tunnels share, by number. */
  readonly tunnelPorts = new Map<number, TunnelDatapathPort>();

  constructor(deps: SwitchDeps) {
    this.datapath = deps.datapath;
    this.clock = deps.clock;
    this.log = deps.logs.module('ofproto_dpif');
    this.xlateLog = rateLimited(deps.logs.module('ofproto_dpif_xlate'), deps.clock);
    const traceLog = rateLimited(deps.logs.module('ofproto_dpif_upcall'), deps.clock, 1);
    this.bridgeHost = {
      log: this.log,
      meters: meterHostOf(deps.datapath),
      vlanLimit: () => this.vlanLimit,
      count: deps.count,
      changed: (what, rules) => {
        if (what === 'tables') this.revalidator.changed(rules);
        else this.configurationChanged();
      },
      macGone: (from, mac, vlan) => {
        for (const bridge of this.bridgeMap.values()) {
          if (bridge !== from) bridge.forgetMac(mac, vlan);
        }
      },
    };
    const { underlay } = deps;
    this.bridgedUnderlay = underlay === undefined ? null : this.bridged(underlay);
    this.underlay = this.bridgedUnderlay;
    this.cache = new FlowCache(deps.datapath, deps.random32, this.recirc);
    const name = (): string => {
      const type = this.bridges().at(0)?.datapathType ?? 'netdev';
      return `${type}@ovs-${type}`;
    };
    const log = new FlowLog(deps.logs, deps.clock, name);
    this.revalidator = new Revalidator({
      log,
      datapath: deps.datapath,
      cache: this.cache,
      source: this,
      clock: deps.clock,
      count: deps.count,
      yieldTurn: deps.yieldTurn,
      passed: () => this.passed(),
    });
    new UpcallHandler({
      datapath: deps.datapath,
      cache: this.cache,
      source: this,
      clock: deps.clock,
      count: deps.count,
      generation: () => this.revalidator.generation,
      flowLimit: () => this.revalidator.flowLimit,
      maskOf: (translation) => this.revalidator.maskOf(translation),
      log,
      packetIn: (upcall) => packetInOf(this.recirc, upcall),
      learned: () => this.revalidator.changed(),
      exceeded: (flow) => this.logTrace(traceLog, flow),
    });
    this.aging = deps.clock.every(AGING_PERIOD_MS, () => {
      for (const bridge of this.bridgeMap.values()) bridge.run();
    });
  }

  configure(settings: SwitchSettings): void {
    this.revalidator.configure(settings);
    const limit = settings.vlanLimit === 0 ? MAX_VLANS : Math.min(settings.vlanLimit, MAX_VLANS);
    if (limit === this.vlanLimit) return;
    this.vlanLimit = limit;
    this.configurationChanged();
  }

  /** Throws a RangeError when a bridge of this name exists. */
  addBridge(
    wanted: { name: string; datapathType: DatapathType } & Partial<BridgeSettings>,
  ): Bridge {
    const { name, datapathType, ...settings } = wanted;
    if (this.bridgeMap.has(name)) throw new RangeError(`bridge ${name} exists`);
    const bridge = new Bridge(name, datapathType, this.clock, this.bridgeHost);
    this.bridgeMap.set(name, bridge);
    bridge.configure(settings);
    this.log.dbg(`${name}: created`);
    return bridge;
  }

  removeBridge(name: string): void {
    const bridge = this.bridgeMap.get(name);
    if (bridge === undefined) return;
    this.bridgeMap.delete(name);
    bridge.meters.close();
    this.recirc.forget(bridge);
    this.configurationChanged();
  }

  bridge(name: string): Bridge | null {
    return this.bridgeMap.get(name) ?? null;
  }
  /** In the order in which they were added. */
  bridges(): Bridge[] {
    return [...this.bridgeMap.values()];
  }

  /** Something that translation reads has changed; megaflows follow soon. Bridges call it by themselves. */
  configurationChanged(): void {
    this.isIndexStale = true;
    this.revalidator.changed();
  }

  /** Off, tunnels of a dummy datapath leave by their shared port instead of being built here. */
  setNativeTunnels(on: boolean): void {
    this.underlay = on ? this.bridgedUnderlay : null;
    this.configurationChanged();
  }

  private bridged(underlay: Underlay): BridgedUnderlay {
    return {
      route: (to, mark) => underlay.route(to, mark),
      addressesOf: (device) => underlay.addressesOf(device),
      neighbor: (bridge, address) => underlay.neighbor(bridge, address),
      learnNeighbor: (bridge, address, mac) => underlay.learnNeighbor(bridge, address, mac),
      sourcePorts: underlay.sourcePorts,
      tunnelPorts: this.tunnelPorts,
      portOf: (device) => this.bridgeMap.get(device)?.portNamed(device) ?? null,
      ask: (port, source, target) => {
        const { hwAddr } = port;
        const mac = [Number(hwAddr >> 16n), Number(hwAddr & 0xffffn)] as const;
        const data = neighborRequest(mac, source, target);
        const actions = [{ kind: 'output', port: OFPP_TABLE, maxBytes: 0 } as const];
        const out = { bufferId: NO_BUFFER, inPort: port.ofPort, actions, data, match: MATCH_ALL };
        packetOut(this, port.bridge, out);
      },
    };
  }

  freeze(state: FrozenState): number {
    return this.recirc.intern(state, this.clock.now());
  }
  thaw(recircId: number): FrozenState | null {
    return this.recirc.find(recircId);
  }

  report(bridge: Bridge, line: string, flow: Uint32Array): void {
    if (!this.xlateLog.enabled('warn')) return;
    this.xlateLog.warn(
      `${line} on bridge ${bridge.name} while processing ${formatPacketFlow(flow)}`,
    );
  }

  /** How a frame came to exceed a limit is told whole, but seldom. */
  private logTrace(log: Logger, flow: Uint32Array): void {
    if (!log.enabled('warn')) return;
    const inPort = this.portOf(flow);
    if (inPort === null) return;
    const { bridge } = inPort;
    const subject = { bridge, inPort, flow, hasFrame: false, names: false, actions: null };
    log.warn(traceReport(this, subject).text);
  }

  /** Statistics are up to date: flows whose time is over go. */
  private passed(): void {
    const { generation } = this.revalidator;
    for (const bridge of this.bridgeMap.values()) bridge.expireFlows();
    // Megaflows of flows that have gone go at once, also while time is held.
    if (this.revalidator.generation !== generation) void this.revalidator.pass();
    this.recirc.sweep(this.clock.now());
  }

  /** Resolves when all megaflows in the datapath reflect what was configured before this call. */
  revalidateAll(): Promise<void> {
    return this.revalidator.revalidateAll();
  }

  portOf(key: Uint32Array): BridgePort | null {
    if (this.isIndexStale) this.reindex();
    const portNo = key[IN_PORT];
    return this.byNumber.get(portNo) ?? this.tunnels.receive(key);
  }

  isTunnelIn(portNo: number): boolean {
    if (this.isIndexStale) this.reindex();
    return this.tunnels.isBacking(portNo);
  }

  /** The tunnel port that takes the frames that one of this configuration would take; null when none does. */
  sameTunnel(config: TunnelConfig, portNo: number): BridgePort | null {
    if (this.isIndexStale) this.reindex();
    return this.tunnels.same(config, portNo);
  }

  /** What a datapath port is called in dumps: tunnels of a kind share one, which is no port of a bridge. */
  portName(portNo: number): string | undefined {
    if (this.isIndexStale) this.reindex();
    return this.tunnelPorts.get(portNo)?.name ?? this.byNumber.get(portNo)?.name;
  }

  /** Patch ports belong together when each names the other. */
  peerOf(port: BridgePort): BridgePort | null {
    if (this.isIndexStale) this.reindex();
    const peer = port.patchPeer === null ? undefined : this.patches.get(port.patchPeer);
    return peer && peer !== port && peer.patchPeer === port.name ? peer : null;
  }

  private reindex(): void {
    this.isIndexStale = false;
    this.byNumber = new Map();
    this.patches = new Map();
    this.tunnels = new TunnelPorts();
    for (const bridge of this.bridgeMap.values()) {
      for (const port of bridge.ports()) {
        if (port.tunnel !== null) this.tunnels.add(port, port.tunnel, port.portNo);
        else if (port.portNo !== null) this.byNumber.set(port.portNo, port);
        else if (port.patchPeer !== null) this.patches.set(port.name, port);
      }
    }
  }

  close(): void {
    this.aging.cancel();
    this.revalidator.close();
  }
}
