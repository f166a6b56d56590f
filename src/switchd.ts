/**
 * The switch of one daemon: constructs every part once and connects them. All decisions are elsewhere; what stands here is who
 * knows whom. The process around it (command line, pidfile, signals) is main.ts.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { messageText } from './cli/ofctl/message-text.ts';
import type { RunOptions, TlsOptions } from './cli/options.ts';
import { Applier, type Fabric } from './config/apply.ts';
import { Configurator } from './config/configurator.ts';
import type { Abilities } from './config/desired.ts';
import { deviceErrorsOf } from './config/device-errors.ts';
import { MachineRoutes } from './config/machine-routes.ts';
import { DummyNetdevs } from './config/netdev/dummy-netdev.ts';
import {
  DUMMY_INTERFACE_TYPES,
  INTERFACE_TYPES,
  openNetdev,
} from './config/netdev/netdev-types.ts';
import type { EgressStatus } from './config/netdev/tunnel-netdev.ts';
import type { VhostDeps } from './config/netdev/vhost-user/vhost-netdev.ts';
import { PortAllocator } from './config/port-allocator.ts';
import { portQueues, qosReport } from './config/port-queues.ts';
import { parseOsRelease } from './config/report-ops.ts';
import { TlsSource } from './config/tls-source.ts';
import { SharedTunnelPorts, type TunnelPortsDeps, tunnelSpec } from './config/tunnel-ports.ts';
import type { WantedSettings } from './config/wanted.ts';
import type { Datapath, PortSpec } from './datapath/datapath.ts';
import { DatapathWorkers } from './datapath/datapath-workers.ts';
import { DATAPATH_EVENTS, DROP_REASONS } from './datapath/drop-reason.ts';
import { InlineDatapath } from './datapath/inline-datapath.ts';
import { OF10 } from './ofproto/codec/versions.ts';
import { MAC_EVENTS } from './ofproto/mac-learning.ts';
import { OpenflowBridge } from './ofproto/openflow/openflow-bridge.ts';
import { Switch } from './ofproto/switch.ts';
import type { Underlay } from './ofproto/underlay.ts';
import { OvsdbClient } from './ovsdb/client.ts';
import type { TlsFiles } from './ovsdb/jsonrpc.ts';
import { DatabaseFileError } from './ovsdb/server/database-file.ts';
import { answersOn, EmbeddedDatabase } from './ovsdb/server/embedded-database.ts';
import { DirectSocket } from './sys/direct-socket.ts';
import { Links } from './sys/links.ts';
import { createPidfile, type Pidfile, PidfileError } from './sys/pidfile.ts';
import { setNicenessOfAll } from './sys/priority.ts';
import { Neighbors } from './tunnels/neighbors.ts';
import { Router } from './tunnels/router.ts';
import { CommandTable } from './unixctl/command.ts';
import { bridgeCommands } from './unixctl/commands/bridge.ts';
import { coverageCommands } from './unixctl/commands/coverage.ts';
import { dpctlCommands } from './unixctl/commands/dpctl.ts';
import { dpctlFlowCommands } from './unixctl/commands/dpctl-flows.ts';
import { dpifCommands } from './unixctl/commands/dpif.ts';
import { exitCommands } from './unixctl/commands/exit.ts';
import { fdbCommands } from './unixctl/commands/fdb.ts';
import { memoryCommands } from './unixctl/commands/memory.ts';
import { netdevDummyCommands } from './unixctl/commands/netdev-dummy.ts';
import { databaseUsage, ovsdbServerCommands } from './unixctl/commands/ovsdb-server.ts';
import { pmdCommands } from './unixctl/commands/pmd.ts';
import { qosCommands } from './unixctl/commands/qos.ts';
import { revalidatorCommands } from './unixctl/commands/revalidator.ts';
import { timeCommands } from './unixctl/commands/time.ts';
import { traceCommands } from './unixctl/commands/trace.ts';
import { tunnelCommands } from './unixctl/commands/tunnels.ts';
import { versionCommands } from './unixctl/commands/version.ts';
import { vlogCommands } from './unixctl/commands/vlog.ts';
import { UnixctlServer } from './unixctl/server.ts';
import { Coverage } from './util/coverage.ts';
import type { RealClock } from './util/real-clock.ts';
import { DATABASE_PROGRAM, OVS_VERSION, PROGRAM_NAME, VERSION_LINE } from './util/version.ts';
import type { Vlog } from './util/vlog.ts';

/**
 * Of the thread that decides about new flows, between that of the datapath's threads and that of what sends them: at the same
 * as theirs, a flood of new flows got a quarter of the flows through.
 */
const NICENESS = -5;

/** A started switch. */
export interface Daemon {
  /** Path of the control socket, null for --unixctl=none. */
  readonly controlSocket: string | null;
  /** Ends everything; `cleanup` removes the devices that the switch made. Idempotent. */
  stop(cleanup: boolean): Promise<void>;
}

/** Uniform 32-bit words: xorshift128 from a seed, since nothing here needs secrets, only spread. */
function randomWords(seed: Uint32Array): () => number {
  const s = seed.map((word) => word | 1);
  return () => {
    let t = s[3];
    t ^= t << 11;
    t ^= t >>> 8;
    s[3] = s[2];
    s[2] = s[1];
    s[1] = s[0];
    t ^= s[0] ^ (s[0] >>> 19);
    s[0] = t;
    return t >>> 0;
  };
}

const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Starts the switch and resolves when its control socket listens; the database may come later. `onFatal` hears of a failure that ends
 * all forwarding; `onExit` is called once an `exit` command was carried out.
 */
export async function startSwitch(
  options: RunOptions,
  vlog: Vlog,
  clock: RealClock,
  ends: { onFatal: (error: Error) => void; onExit: () => void },
): Promise<Daemon> {
  mkdirSync(options.paths.runDir, { recursive: true });
  const coverage = new Coverage(clock);
  const seed = new Uint32Array(new Uint8Array(randomBytes(16)).buffer);
  const random32 = randomWords(seed);

  // Datapaths, made when the first bridge needs them.
  const sourcePorts = { first: 32_768, last: 61_000 };
  const datapaths: Datapath[] = [];
  const fabrics: Fabric[] = [];
  let settings: WantedSettings | null = null;
  /** The datapath of real devices, once there is one. */
  let forwarders: DatapathWorkers | null = null;
  const settleWorkers = async (): Promise<void> => {
    const wanted = settings?.workers ?? null;
    if (wanted === null) return;
    try {
      await forwarders?.resize(wanted.count, wanted.processors);
    } catch (failure) {
      vlog.module('dpif_netdev').err(`datapath workers: ${(failure as Error).message}`);
    }
  };
  const makeFabric = (
    datapath: Datapath,
    gate: Fabric['gate'],
    byName: boolean,
    specOf: TunnelPortsDeps['specOf'],
    underlay?: Underlay,
  ): Fabric => {
    const portNumbers = new PortAllocator(byName);
    const over = new Switch({
      datapath,
      clock,
      logs: vlog,
      random32,
      yieldTurn,
      count: (event) => coverage.counter(event).add(),
      ...(underlay === undefined ? {} : { underlay }),
    });
    const fabric: Fabric = {
      datapath,
      gate,
      portNumbers,
      switch: over,
      tunnelPorts: new SharedTunnelPorts({ datapath, switch: over, portNumbers, specOf }),
    };
    if (settings !== null) fabric.switch.configure(settings);
    // One thread forwards: there is nothing to balance, and scripts for Open vSwitch look for this line.
    vlog.module('dpif_netdev').info('PMD auto load balance is disabled.');
    datapaths.push(datapath);
    fabrics.push(fabric);
    return fabric;
  };
  const real = once(() => {
    setNicenessOfAll(NICENESS);
    const datapath = new DatapathWorkers({
      clock,
      logger: vlog.module('dpif_netdev'),
      onCrash: ends.onFatal,
      seed: random32(),
      generateCode: options.generateCode,
    });
    forwarders = datapath;
    void settleWorkers();
    clock.follow(() => {
      if (clock.stopped) datapath.holdClock(clock.now());
      else datapath.runClock(clock.now());
    });
    return makeFabric(datapath, NO_GATE, false, (config) =>
      tunnelSpec(
        config,
        sourcePorts,
        settings?.tunnelTooBigReplies ?? true,
        settings?.tunnelTransport ?? 'kernel',
      ),
    );
  });
  const inMemory = once(() => {
    const datapath = new InlineDatapath(clock);
    const underlay: Underlay = {
      route: (to, mark) => router.lookup(to, mark),
      addressesOf: (device) => dummies.get(device)?.addresses ?? [],
      neighbor: (bridge, address) => neighbors.macOf(bridge, address),
      learnNeighbor: (bridge, address, mac) => neighbors.learn(bridge, address, mac),
      sourcePorts,
    };
    return makeFabric(datapath, datapath, true, () => DUMMY_TUNNEL, underlay);
  });
  for (const name of [...DROP_REASONS, ...DATAPATH_EVENTS]) {
    coverage.counterFrom(name, () => datapaths.reduce((sum, dp) => sum + dp.counter(name), 0));
  }

  for (const name of MAC_EVENTS) coverage.counter(name);

  // Configuration.
  const links = new Links(vlog.module('netdev_linux'));
  const following = links.follow();
  const dummies = new DummyNetdevs({
    clock,
    log: vlog.module('netdev_dummy'),
    runDir: options.paths.runDir,
  });
  const routes = new MachineRoutes(links, dummies, () => {
    // The status columns of tunnels say where their packets go.
    if (fabrics.some(({ switch: { tunnelPorts } }) => tunnelPorts.size > 0)) {
      configurator.scheduleForLinks();
    }
  });
  const followingRoutes = routes.follow();
  const router = new Router(routes);
  const neighbors = new Neighbors(clock);
  const isDummy = options.dummy !== 'none';
  const abilities: Abilities = {
    interfaceTypes: [...INTERFACE_TYPES, ...(isDummy ? DUMMY_INTERFACE_TYPES : [])],
    datapathTypes: ['netdev', 'system', ...(isDummy ? ['dummy'] : [])],
    dummy: options.dummy === 'none' ? 'off' : options.dummy === 'normal' ? 'on' : options.dummy,
    processorCount: cpus().length,
  };
  const tls = new TlsSource(vlog.module('stream_ssl'));
  const deviceErrors = deviceErrorsOf(
    () => applier,
    () => links.statistics(),
    clock,
  );
  const queues = portQueues(
    () => applier,
    () => clock.now(),
  );
  const tunnelStatus: EgressStatus = (tunnel) =>
    Object.assign(
      {},
      routes.egressOf(tunnel),
      ...fabrics.map(({ tunnelPorts }) => tunnelPorts.statusOf(tunnel)),
    );
  const refreshTunnels = async (): Promise<void> => {
    await Promise.all(fabrics.map(({ tunnelPorts }) => tunnelPorts.refresh()));
  };
  const vhostOn = (datapath: Datapath): VhostDeps => ({
    runDir: options.paths.runDir,
    log: vlog.module('netdev'),
    settled: () => datapath.barrier(),
    changed: () => configurator.schedule(),
  });
  const applier: Applier = new Applier({
    now: () => clock.now(),
    fabricOf: (type) => (type === 'dummy' || options.dummy === 'override' ? inMemory() : real()),
    openflow: (bridge, fabric) =>
      new OpenflowBridge({
        bridge,
        switch: fabric.switch,
        clock,
        logs: vlog,
        runDir: options.paths.runDir,
        takesTools: true,
        direct: (stream) => DirectSocket.of(stream),
        tls: () => tls.files(),
        softwareVersion: OVS_VERSION,
        deviceErrors,
        customCounters: ({ bridge, name }, stats) =>
          applier.running.get(bridge.name)?.entries.get(name)?.netdev.customCounters?.(stats) ??
          null,
        queues,
        describe: (bytes) => messageText(bytes, { names: {}, context: { version: OF10 } }),
        statusChanged: () => configurator.schedule(),
      }),
    open: (want, { gate, datapath }) =>
      openNetdev(want, { links, dummies, egress: tunnelStatus, vhost: vhostOn(datapath) }, gate),
    log: vlog.module('bridge'),
    deviceLog: vlog.module('netdev'),
  });
  const embedded = options.servesDatabase ? await serveDatabase(options, vlog, clock) : null;
  const keys = options.database.startsWith('ssl:') ? readTls(options.tls) : null;
  const client = new OvsdbClient({
    ...(keys === null ? {} : { tls: keys }),
    target: options.database,
    clock,
    logs: vlog,
    pid: process.pid,
  });
  const system = osRelease();
  let hasActed = false;
  const configurator = new Configurator({
    client,
    applier,
    abilities,
    clock,
    log: vlog.module('bridge'),
    identity: () => ({
      ovsVersion: OVS_VERSION,
      dbVersion: client.schemaVersion,
      systemType: system.type,
      systemVersion: system.version,
      datapathTypes: abilities.datapathTypes,
      interfaceTypes: abilities.interfaceTypes,
    }),
    linkStatistics: () => links.statistics(),
    configureTls: (paths) => tls.configure(paths),
    runDir: options.paths.runDir,
    configureSwitches: async (wanted) => {
      settings = wanted;
      for (const fabric of fabrics) fabric.switch.configure(wanted);
      await settleWorkers();
      await refreshTunnels();
    },
    revalidateAll: async () => {
      await Promise.all(fabrics.map((fabric) => fabric.switch.revalidateAll()));
    },
    onRun: () => {
      // Once it acts, as the original says it: standard error of a daemon is closed by then.
      if (!hasActed && configurator.inForce !== null) {
        hasActed = true;
        vlog.module('bridge').info(VERSION_LINE.replace(/^\S+/, PROGRAM_NAME));
      }
    },
  });
  links.onChange(() => configurator.scheduleForLinks());
  dummies.changed = () => configurator.schedule();

  // Control socket.
  const switches = (): Switch[] => fabrics.map((fabric) => fabric.switch);
  let stopping: Promise<void> | null = null;
  const commands = new CommandTable([
    ...versionCommands(PROGRAM_NAME),
    ...vlogCommands(vlog),
    ...coverageCommands(coverage),
    ...qosCommands((name) => qosReport(applier, name)),
    ...timeCommands(clock),
    ...netdevDummyCommands(dummies),
    ...fdbCommands(switches, () => clock.now()),
    ...dpifCommands(switches),
    ...bridgeCommands(() => [...applier.running.values()].map(({ openflow }) => openflow)),
    ...dpctlCommands(switches),
    ...dpctlFlowCommands(switches, vlog.module('dpif_netdev')),
    ...traceCommands(switches),
    ...revalidatorCommands(switches),
    ...pmdCommands(switches, clock),
    ...tunnelCommands({
      switches,
      router,
      neighbors,
      machine: routes,
      sourcePorts,
      sourcePortsChanged: refreshTunnels,
    }),
    ...memoryCommands(() => memoryUsage(fabrics, applier)),
    ...(embedded === null ? [] : ovsdbServerCommands(embedded)),
    ...exitCommands(async (cleanup) => {
      await stop(cleanup);
      ends.onExit();
    }),
  ]);
  const unixctl = new UnixctlServer({ commands, clock, log: vlog.module('unixctl') });
  const controlSocket =
    options.unixctl === 'none'
      ? null
      : (options.unixctl ?? `${options.paths.runDir}/${PROGRAM_NAME}.${process.pid}.ctl`);
  if (controlSocket !== null) await unixctl.listen(controlSocket);
  const databaseControl =
    embedded === null || options.unixctl === 'none'
      ? null
      : await controlDatabase(embedded, options, { vlog, clock, coverage }, async () => {
          await stop(false);
          ends.onExit();
        });
  client.start();
  const stop = (cleanup: boolean): Promise<void> => {
    stopping ??= (async () => {
      await configurator.stop();
      applier.closeOpenflow();
      if (cleanup) await configurator.cleanUp();
      client.stop();
      embedded?.close();
      links.close();
      routes.close();
      await Promise.all([following, followingRoutes]);
      for (const fabric of fabrics) {
        fabric.switch.close();
        await fabric.datapath.close();
      }
    })();
    return stopping;
  };
  return {
    controlSocket,
    stop: async (cleanup) => {
      await stop(cleanup);
      await unixctl.close();
      await databaseControl?.close();
    },
  };
}

/** Tunnels of a dummy datapath go by packets that the switch builds, and not by ports. */
const DUMMY_TUNNEL: PortSpec = { kind: 'dummy', mtu: 65_535, takesNothing: true };

/**
 * The database of a daemon to which none was named; null when somebody else serves it. As a process of Open vSwitch would have to,
 * the daemon then waits for db.sock: it takes ovs-vswitchd's place beside an ovsdb-server without a change of its arguments.
 */
async function serveDatabase(
  { paths, tls }: RunOptions,
  vlog: Vlog,
  clock: RealClock,
): Promise<EmbeddedDatabase | null> {
  const socket = `${paths.runDir}/db.sock`;
  if (await answersOn(socket, clock)) return null;
  const log = vlog.module('ovsdb_server');
  mkdirSync(paths.dbDir, { recursive: true });
  try {
    const embedded = await EmbeddedDatabase.start({
      file: `${paths.dbDir}/conf.db`,
      socket,
      clock,
      logs: vlog,
      newUuid: randomUUID,
      tls: () => readTls(tls),
    });
    log.info(`serving ${paths.dbDir}/conf.db on ${socket}`);
    return embedded;
  } catch (error) {
    if (!(error instanceof DatabaseFileError) || error.holder === null) throw error;
    log.info(`${error.message}, which is expected to serve it on ${socket}`);
    return null;
  }
}

/**
 * What `ovs-appctl -t ovsdb-server` looks for: a control socket of that name and, for a daemon with a pidfile, a second one. `exit` there ends
 * the daemon, since both are one process.
 */
async function controlDatabase(
  embedded: EmbeddedDatabase,
  { paths, pidfile }: RunOptions,
  { vlog, clock, coverage }: { vlog: Vlog; clock: RealClock; coverage: Coverage },
  exit: () => Promise<void>,
): Promise<{ close(): Promise<void> }> {
  const base = `${paths.runDir}/${DATABASE_PROGRAM}`;
  const log = vlog.module('unixctl');
  const commands = new CommandTable([
    ...versionCommands(DATABASE_PROGRAM),
    ...vlogCommands(vlog),
    ...coverageCommands(coverage),
    ...memoryCommands(() => databaseUsage(embedded)),
    ...ovsdbServerCommands(embedded),
    ...exitCommands(exit),
  ]);
  const unixctl = new UnixctlServer({ commands, clock, log });
  await unixctl.listen(`${base}.${process.pid}.ctl`);
  let held: Pidfile | null = null;
  try {
    if (pidfile !== undefined) held = createPidfile(`${base}.pid`, false);
  } catch (error) {
    if (!(error instanceof PidfileError)) throw error;
    log.warn(error.message);
  }
  return {
    close: async () => {
      held?.remove();
      await unixctl.close();
    },
  };
}

/** Keys and certificates of the command line, null unless all are given. Throws what reading fails with. */
function readTls({ privateKey, certificate, caCert }: TlsOptions): TlsFiles | null {
  if (privateKey === undefined || certificate === undefined || caCert === undefined) return null;
  const read = (path: string): string => readFileSync(path, 'utf8');
  return {
    privateKey: read(privateKey),
    certificate: read(certificate),
    caCertificate: read(caCert),
  };
}

/** A real datapath has no dummy ports to exchange frames with. */
const NO_GATE: Fabric['gate'] = {
  injectFrame: () => false,
  onTransmit: () => {},
};

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function osRelease(): { type: string | null; version: string | null } {
  try {
    return parseOsRelease(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return { type: null, version: null };
  }
}

/** What `memory/show` counts. */
function memoryUsage(fabrics: readonly Fabric[], applier: Applier): Record<string, number> {
  let keys = 0;
  let rules = 0;
  let ports = 0;
  for (const fabric of fabrics) {
    keys += fabric.switch.cache.size;
    for (const bridge of fabric.switch.bridges()) {
      for (const table of bridge.tables) rules += table.size;
    }
  }
  for (const { entries } of applier.running.values()) {
    for (const { portNo } of entries.values()) if (portNo !== null) ports++;
  }
  return {
    handlers: fabrics.length,
    ports,
    revalidators: fabrics.length,
    rules,
    'udpif keys': keys,
  };
}
