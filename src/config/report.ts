/**
 * From what runs to the plain state that report-ops.ts turns into database operations.
 */
import type { LinkStats } from '../sys/links.ts';
import type { Applier, BridgeEntry, InterfaceEntry } from './apply.ts';
import { NO_CONTROLLER } from './openflow-settings.ts';
import type { RunningBridge, RunningInterface, RunningRoot, RunningState } from './report-ops.ts';
import {
  type Counters,
  customStatistics,
  interfaceStatistics,
  patchStatistics,
} from './statistics.ts';
import type { WantedInterface, WantedState } from './wanted.ts';

/** `links`: fresh statistics of devices by ifindex, to report statistics; null to leave those as they are. */
export function runningState(
  wanted: WantedState,
  applier: Applier,
  root: RunningRoot,
  links: ReadonlyMap<number, LinkStats> | null,
): RunningState {
  const bridges: RunningBridge[] = [];
  const controllers: NonNullable<RunningState['controllers']>[number][] = [];
  const interfaces: RunningInterface[] = [];
  const mirrors: NonNullable<RunningState['mirrors']>[number][] = [];
  for (const want of wanted.bridges) {
    const entry = applier.running.get(want.name);
    if (entry === undefined) continue;
    bridges.push({
      uuid: want.uuid,
      datapathId: BigInt(`0x${entry.datapathId}`),
      datapathVersion: '<built-in>',
    });
    const statuses = entry.openflow.controllerStatus();
    for (const { uuid } of want.controllers) {
      controllers.push({ uuid, ...(statuses.get(uuid) ?? NO_CONTROLLER) });
    }
    for (const { id } of links === null ? [] : want.mirrors) {
      const { packets = 0, bytes = 0 } = entry.bridge.mirrors.get(id)?.stats ?? {};
      mirrors.push({ uuid: id, statistics: { tx_packets: packets, tx_bytes: bytes } });
    }
    for (const iface of want.ports.flatMap((port) => port.interfaces)) {
      if (iface.uuid !== null) {
        interfaces.push(interfaceState(iface, iface.uuid, entry, applier, links));
      }
    }
  }
  return { root, bridges, interfaces, controllers, mirrors };
}

function interfaceState(
  want: WantedInterface,
  uuid: string,
  bridge: BridgeEntry,
  applier: Applier,
  links: ReadonlyMap<number, LinkStats> | null,
): RunningInterface {
  const running = want.error === null ? bridge.entries.get(want.name) : undefined;
  if (running === undefined) {
    const error = (want.error ?? applier.failures.get(want.name)) || null;
    return { uuid, ofport: -1, error, device: null };
  }
  return {
    uuid,
    ofport: running.ofPort,
    error: patchError(want, bridge, running),
    device: running.status,
    ...(links === null ? {} : { statistics: statisticsOf(bridge, running, links) }),
  };
}

/** A patch port whose other end does not point back works as soon as that does. */
function patchError(
  want: WantedInterface,
  { bridge, fabric }: BridgeEntry,
  running: InterfaceEntry,
): string | null {
  if (want.type !== 'patch') return null;
  const port = bridge.port(running.ofPort);
  if (port !== null && fabric.switch.peerOf(port) !== null) return null;
  return `No usable peer '${want.options.peer}' exists in '${bridge.datapathType}' datapath.`;
}

function statisticsOf(
  { bridge, fabric }: BridgeEntry,
  running: InterfaceEntry,
  links: ReadonlyMap<number, LinkStats>,
): Counters {
  if (running.portNo === null || running.netdev.spec === null) {
    const port = bridge.port(running.ofPort);
    return port === null ? {} : patchStatistics(port.stats);
  }
  const stats = fabric.datapath.portStats(running.portNo);
  const custom = running.netdev.customCounters?.(stats);
  if (custom !== undefined) return customStatistics(stats, custom);
  return interfaceStatistics(stats, links.get(running.netdev.ifindex));
}
