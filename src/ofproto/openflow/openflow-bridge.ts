/**
 * The OpenFlow side of one bridge: its controllers, the tools that connect to it, and what they hear of its events.
 *
 * Controllers that the database names are connected to (or listened for); besides, `BRIDGE.mgmt` takes tools such as ovs-ofctl and
 * `BRIDGE.snoop` shows what controllers and the switch say to each other. Both sockets are for their owner only.
 */
import type { Datapath, PortStats } from '../../datapath/datapath.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger, LogSource } from '../../util/logger.ts';
import { rateLimited } from '../../util/rate-limit.ts';
import type { Bridge, FragmentHandling } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import { versionBitmap } from '../codec/connection-messages.ts';
import { encodeMessage, hasMessage, type Message } from '../codec/messages.ts';
import { OF_VERSIONS, OF10, OF13, OF14, type OfVersion } from '../codec/versions.ts';
import type { OfError, PortMod } from '../model.ts';
import type { Switch } from '../switch.ts';
import { TABLE_COUNT } from '../tables/flow-table.ts';
import { applyPortMod, describePorts } from '../tables/ports.ts';
import type { Role } from './async-filter.ts';
import { BridgeEvents } from './bridge-events.ts';
import { Connection, type ConnectionKind } from './connection.ts';
import { FailOpen } from './fail-open.ts';
import { handleMessage } from './handlers.ts';
import { OpenflowListener } from './listener.ts';
import type { DeviceErrors, PortCounting, PortQueue } from './port-statistics.ts';
import { OpenflowReconnect, type ReconnectOptions } from './reconnect.ts';
import { OpenflowSession } from './session.ts';
import type { OpenflowStream } from './stream.ts';
import { ACTIONS_10 } from './table-abilities.ts';
import { isPassive } from './target.ts';
import type { TlsFiles } from './tls.ts';
import type { Vacancy } from './vacancy.ts';

/** A Controller row, numbers checked. */
export interface ControllerSettings {
  readonly uuid: string;
  readonly target: string;
  readonly maxBackoffMs: number;
  /** 0 for never. */
  readonly probeMs: number;
  /** Packet-ins a second, 0 for no limit. */
  readonly rateLimit: number;
  readonly burstLimit: number;
  readonly enableAsync: boolean;
}

export interface OpenflowSettings {
  readonly controllers: readonly ControllerSettings[];
  /** Versions that may be spoken; empty for all. */
  readonly versions: readonly OfVersion[];
  readonly failMode: 'standalone' | 'secure';
  /** other_config:dp-desc and dp-sn. */
  readonly description: string | null;
  readonly serial: string | null;
  readonly bundleIdleMs: number;
}

export interface ControllerStatus {
  readonly isConnected: boolean;
  /** Null while not connected. */
  readonly role: 'other' | 'master' | 'slave' | null;
  readonly status: Readonly<Record<string, string>>;
}

export interface OpenflowDeps {
  readonly bridge: Bridge;
  readonly switch: Switch;
  readonly clock: Clock;
  readonly logs: LogSource;
  /** Where the bridge's own sockets are. */
  readonly runDir: string;
  /** False: no sockets of its own. */
  readonly takesTools: boolean;
  readonly direct?: ReconnectOptions['direct'];
  readonly tls: () => TlsFiles | null;
  /** Version of the switch, for descriptions. */
  readonly softwareVersion: string;
  readonly deviceErrors: (port: BridgePort) => DeviceErrors | null;
  readonly customCounters: PortCounting['customCounters'];
  /** Queues of a port, ascending. */
  readonly queues: (port: BridgePort) => readonly PortQueue[];
  /** Text of a message, for the log of the connections. */
  readonly describe: (bytes: Uint8Array) => string;
  /** Something that the database tells of controllers has changed. */
  readonly statusChanged: () => void;
}

const ERRORS_PER_MINUTE = 10;
const MAX_TOOLS = 256;
const MAX_SNOOPERS = 8;
/** Tools are probed, too, so that a dead one does not stay for ever. */
const TOOL_PROBE_MS = 60_000;

interface Active {
  settings: ControllerSettings;
  readonly connection: Connection;
}

interface Passive {
  settings: ControllerSettings;
  readonly listener: OpenflowListener;
}

const ROLE_NAMES = { equal: 'other', primary: 'master', secondary: 'slave' } as const;

export class OpenflowBridge {
  readonly bridge: Bridge;
  readonly switch: Switch;
  /** Module ofproto. */
  readonly log: Logger;
  /** The same for what peers do wrong, rate limited. */
  readonly errorLog: Logger;
  /** Says that a flow is too long for any reply. */
  readonly sayLeftOut: () => void;
  private readonly deps: OpenflowDeps;
  private readonly connections = new Set<Connection>();
  private readonly active = new Map<string, Active>();
  private readonly passive = new Map<string, Passive>();
  /** BRIDGE.mgmt and BRIDGE.snoop. */
  private readonly own: readonly OpenflowListener[];
  private readonly snoopers = new Set<OpenflowSession>();
  private readonly failOpen: FailOpen;
  private readonly events: BridgeEvents;
  private readonly createdAt = new WeakMap<BridgePort, number>();
  private settings: OpenflowSettings | null = null;
  private versions = versionBitmap(OF_VERSIONS);
  private wantsMiss = false;
  private electionId: bigint | null = null;
  private statusTimer: Timer | null = null;

  constructor(deps: OpenflowDeps) {
    this.deps = deps;
    this.bridge = deps.bridge;
    this.switch = deps.switch;
    this.log = deps.logs.module('connmgr');
    this.errorLog = rateLimited(this.log, deps.clock, ERRORS_PER_MINUTE);
    const flowLog = rateLimited(deps.logs.module('ofp_flow'), deps.clock);
    this.sayLeftOut = () =>
      flowLog.warn(
        'Flow exceeded the maximum flow statistics reply size and was excluded from the response set',
      );
    this.failOpen = new FailOpen(deps.bridge, deps.clock, deps.logs.module('fail_open'), () =>
      [...this.active.values()].map(({ connection, settings }) => ({
        rconn: connection.rconn,
        probeMs: settings.probeMs,
      })),
    );
    this.events = new BridgeEvents(
      deps.bridge,
      this.connections,
      () => deps.clock.now(),
      (port) => void this.createdMs(port),
    );
    const { name } = deps.bridge;
    const own = `punix:${deps.runDir}/${name}`;
    this.own = deps.takesTools
      ? [
          this.listen(`${own}.mgmt`, MAX_TOOLS, (socket, from) => this.serve(socket, from)),
          this.listen(`${own}.snoop`, MAX_SNOOPERS, (socket, from) =>
            this.acceptSnooper(socket, from),
          ),
        ]
      : [];
    deps.bridge.listener = this.events;
    if (deps.takesTools) this.sayOf('added service', `${own}.mgmt`);
    for (const listener of this.own) void listener.listen();
  }

  private sayOf(what: string, target: string): void {
    this.log.info(`${this.bridge.name}: ${what} controller "${target}"`);
  }

  private listen(
    target: string,
    maxConnections: number,
    accept: (socket: OpenflowStream, name: string) => void,
  ): OpenflowListener {
    const { runDir, clock, logs, tls } = this.deps;
    return new OpenflowListener({
      target,
      runDir,
      clock,
      log: this.log,
      tlsLog: rateLimited(logs.module('stream_ssl'), clock),
      tls,
      maxConnections,
      accept,
    });
  }

  configure(settings: OpenflowSettings): void {
    const versions = versionBitmap(settings.versions.length > 0 ? settings.versions : OF_VERSIONS);
    const versionsChanged = versions !== this.versions;
    this.versions = versions;
    this.settings = settings;
    const wanted = new Map(settings.controllers.map((one) => [one.target, one]));
    for (const [target, { connection }] of this.active) {
      if (wanted.has(target) && !versionsChanged) continue;
      this.active.delete(target);
      this.drop(connection);
      this.sayOf('removed primary', target);
    }
    for (const [target, { listener }] of this.passive) {
      // Whoever is connected here comes again and speaks what may be spoken now.
      if (versionsChanged) listener.drop();
      if (wanted.has(target)) continue;
      this.passive.delete(target);
      listener.close();
      this.sayOf('removed service', target);
    }
    for (const controller of wanted.values()) {
      if (isPassive(controller.target)) this.setPassive(controller);
      else this.setActive(controller);
    }
    this.bridge.setHasControllers(this.active.size > 0);
    for (const connection of this.connections) connection.bundles.idleMs = settings.bundleIdleMs;
    this.failOpen.configure(settings.failMode === 'standalone' && this.active.size > 0);
    this.changedWishes();
  }

  private setActive(settings: ControllerSettings): void {
    const { target, maxBackoffMs, rateLimit, burstLimit, enableAsync } = settings;
    const probeMs = probeOf(settings);
    let active = this.active.get(target);
    if (active === undefined) {
      const { runDir, tls } = this.deps;
      const connection = this.connect('controller', (events) =>
        OpenflowReconnect.to(
          { ...this.options(target, maxBackoffMs, probeMs), target, runDir, tls },
          events,
        ),
      );
      active = { settings, connection };
      this.active.set(target, active);
      connection.rconn.start();
      this.sayOf('added primary', target);
    }
    active.settings = settings;
    active.connection.rconn.configure({ maxBackoffMs, probeMs });
    active.connection.limitPacketIns(rateLimit, burstLimit);
    active.connection.enableAsync = enableAsync;
  }

  private setPassive(settings: ControllerSettings): void {
    const { target } = settings;
    const passive = this.passive.get(target);
    if (passive !== undefined) {
      passive.settings = settings;
      return;
    }
    const listener = this.listen(target, MAX_TOOLS, (socket, from) => {
      const now = this.passive.get(target)?.settings ?? settings;
      this.accept(socket, from, probeOf(now), now);
    });
    this.passive.set(target, { settings, listener });
    this.sayOf('added service', target);
    void listener.listen();
  }

  private options(target: string, maxBackoffMs: number, probeMs: number): ReconnectOptions {
    const { clock, logs, describe, direct } = this.deps;
    const name = `${this.bridge.name}<->${target}`;
    const options = { name, clock, logs, versions: this.versions, maxBackoffMs, probeMs, describe };
    return direct === undefined ? options : { ...options, direct };
  }

  /** Takes a connection of a tool, or of a controller that the database does not name. */
  serve(stream: OpenflowStream, from: string): void {
    this.accept(stream, from, TOOL_PROBE_MS, null);
  }

  private accept(
    socket: OpenflowStream,
    from: string,
    probeMs: number,
    settings: ControllerSettings | null,
  ): void {
    const connection = this.connect('service', (events) =>
      OpenflowReconnect.accepted(socket, this.options(from, 0, probeMs), events),
    );
    if (settings !== null) {
      connection.limitPacketIns(settings.rateLimit, settings.burstLimit);
      connection.enableAsync = settings.enableAsync;
    }
    connection.rconn.start();
  }

  private connect(
    kind: ConnectionKind,
    make: (events: Parameters<typeof OpenflowReconnect.to>[1]) => OpenflowReconnect,
  ): Connection {
    const rconn = make({
      connected: (version) => {
        connection.begin(version);
        if (this.settings !== null) connection.bundles.idleMs = this.settings.bundleIdleMs;
        rconn.isWatched = kind === 'controller' && this.snoopers.size > 0;
        this.changedWishes();
        if (kind === 'controller') {
          this.failOpen.check();
          this.statusChanged();
        }
      },
      received: (bytes) => {
        handleMessage(this, connection, bytes);
        // Who does not read its answers gets to ask no more.
        if (rconn.isCongested || !connection.sayMore()) rconn.pause();
      },
      drained: () => {
        connection.monitors.drained();
        if (connection.sayMore()) rconn.resume();
      },
      disconnected: () => {
        connection.end();
        if (kind === 'service') this.connections.delete(connection);
        else {
          this.failOpen.check();
          this.statusChanged();
        }
        this.changedWishes();
      },
      acting: () => this.failOpen.check(),
      failed: () => this.statusChanged(),
      seen: (bytes) => {
        for (const snooper of this.snoopers) snooper.send(bytes);
      },
    });
    const place = (index: number) => this.bridge.tlvTable.place(index);
    const connection = new Connection(kind, rconn, this.deps.clock, place, this.log);
    this.connections.add(connection);
    return connection;
  }

  private drop(connection: Connection): void {
    this.connections.delete(connection);
    connection.end();
    connection.rconn.stop();
  }

  private acceptSnooper(socket: OpenflowStream, from: string): void {
    const { clock, logs } = this.deps;
    const xid = (): number => 0;
    const name = `${this.bridge.name}<->${from}`;
    const session = new OpenflowSession(
      socket,
      { name, clock, log: logs.module('vconn'), versions: this.versions, xid },
      {
        opened: () => {
          this.snoopers.add(session);
          this.watchControllers();
        },
        received: () => {},
        drained: () => {},
        closed: () => {
          this.snoopers.delete(session);
          this.watchControllers();
        },
      },
    );
  }

  private watchControllers(): void {
    const isWatched = this.snoopers.size > 0;
    for (const { connection } of this.active.values()) connection.rconn.isWatched = isWatched;
  }

  /** Ends all connections; those that were made from here are made again. */
  reconnect(): void {
    for (const connection of [...this.connections]) {
      if (connection.kind === 'controller') connection.rconn.reconnect();
    }
  }

  close(): void {
    for (const connection of [...this.connections]) this.drop(connection);
    for (const { listener } of this.passive.values()) listener.close();
    for (const snooper of [...this.snoopers]) snooper.close();
    for (const listener of this.own) listener.close();
    this.failOpen.close();
    this.statusTimer?.cancel();
  }

  // What the database tells.

  private statusChanged(): void {
    // Several connections that come and go at once are one report.
    this.statusTimer ??= this.deps.clock.after(0, () => {
      this.statusTimer = null;
      this.deps.statusChanged();
    });
  }

  /** By the UUID of the Controller row. */
  controllerStatus(): Map<string, ControllerStatus> {
    const now = this.deps.clock.now();
    const seconds = (sinceMs: number): string => String(Math.floor((now - sinceMs) / 1000));
    const all = new Map<string, ControllerStatus>();
    for (const { settings, connection } of this.active.values()) {
      const { rconn } = connection;
      const status: Record<string, string> = {};
      if (rconn.lastError !== null) status.last_error = rconn.lastError;
      status.state = rconn.state;
      if (rconn.connectedMs !== null) status.sec_since_connect = seconds(rconn.connectedMs);
      if (rconn.disconnectedMs !== null) {
        status.sec_since_disconnect = seconds(rconn.disconnectedMs);
      }
      all.set(settings.uuid, {
        isConnected: rconn.isConnected,
        role: rconn.isConnected ? ROLE_NAMES[connection.role] : null,
        status: { ...status, ...connection.packetInStatus() },
      });
    }
    return all;
  }

  // What handlers ask for.

  features(version: OfVersion) {
    return {
      datapathId: BigInt(`0x${this.bridge.settings.datapathId}`),
      buffers: 0,
      tables: TABLE_COUNT,
      auxiliaryId: 0,
      capabilities: {
        flowStats: true,
        tableStats: true,
        portStats: true,
        stp: false,
        groupStats: version > OF10,
        ipReassembly: false,
        queueStats: true,
        arpMatchIp: true,
        portBlocked: false,
        bundles: version >= OF14,
        flowMonitoring: false,
      },
      actions: version === OF10 ? ACTIONS_10 : 0,
      ports: version < OF13 ? describePorts(this.bridge) : [],
    };
  }

  description() {
    return {
      manufacturer: 'Nicira, Inc.',
      hardware: 'Open vSwitch',
      software: this.deps.softwareVersion,
      serial: this.settings?.serial ?? 'None',
      datapath: this.settings?.description ?? 'None',
    };
  }

  portMod(by: Connection, mod: PortMod): OfError | null {
    this.events.portModBy = by;
    const error = applyPortMod(this.bridge, mod);
    this.events.portModBy = null;
    return error;
  }

  setFragments(handling: FragmentHandling): void {
    if (this.bridge.fragments === handling) return;
    this.bridge.fragments = handling;
    this.bridge.tablesChanged();
  }

  /** Null before anybody was elected. */
  get generationId(): bigint | null {
    return this.electionId;
  }

  /** False for a generation older than the last one, by distance modulo 2^64 (OpenFlow 1.3.5, 6.3.4). */
  elect(generationId: bigint): boolean {
    if (this.electionId !== null && BigInt.asIntN(64, generationId - this.electionId) < 0n) {
      return false;
    }
    this.electionId = generationId;
    return true;
  }

  setRole(connection: Connection, role: Role): void {
    if (role === 'primary' && connection.role !== 'primary') {
      for (const other of this.connections) {
        if (other.role !== 'primary') continue;
        other.role = 'secondary';
        // Who loses its role hears of it, whatever it asked to hear.
        other.tell({
          kind: 'roleStatus',
          role: 'secondary',
          reason: 'primaryRequest',
          generationId: this.electionId ?? NO_GENERATION,
        });
      }
    }
    connection.role = role;
    this.changedWishes();
    this.statusChanged();
  }

  /** Tells other controllers of a change that one of them made. */
  forwardRequest(from: Connection, message: Message, xid: number): void {
    const reason = message.kind === 'groupMod' ? 0 : 1;
    for (const other of this.connections) {
      if (other !== from && other.wants('requestForward', reason)) {
        if (!hasMessage(message.kind, other.version)) continue;
        const request = encodeMessage(message, other.context, xid);
        other.tell({ kind: 'requestForward', request });
      }
    }
  }

  /** Which misses go to controllers may be another now. */
  changedWishes(): void {
    const wants = this.events.wantsMissPacketIn();
    if (wants === this.wantsMiss) return;
    this.wantsMiss = wants;
    this.bridge.tablesChanged();
  }

  /** Tells of changes to flows, after each message that made some. */
  flushMonitors(): void {
    this.events.flushMonitors();
  }

  get vacancy(): Vacancy {
    return this.events.vacancy;
  }

  /** Ascending. */
  queuesOf(port: BridgePort): readonly PortQueue[] {
    return this.deps.queues(port);
  }

  get datapath(): Datapath {
    return this.switch.datapath;
  }
  now(): number {
    return this.deps.clock.now();
  }
  createdMs(port: BridgePort): number {
    const known = this.createdAt.get(port);
    if (known !== undefined) return known;
    const now = this.deps.clock.now();
    this.createdAt.set(port, now);
    return now;
  }
  customCounters(port: BridgePort, stats: PortStats): Readonly<Record<string, number>> | null {
    return this.deps.customCounters(port, stats);
  }
  deviceErrors(port: BridgePort): DeviceErrors | null {
    return this.deps.deviceErrors(port);
  }
}

/** Peers are not asked more often than this, as by the original. */
const MIN_PROBE_MS = 5000;

const probeOf = ({ probeMs }: ControllerSettings): number =>
  probeMs === 0 ? 0 : Math.max(probeMs, MIN_PROBE_MS);

const NO_GENERATION = 0xffff_ffff_ffff_ffffn;
