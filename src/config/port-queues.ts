/** QoS of running interfaces: put in force, and asked about by OpenFlow and qos/show. */
import type { QueueStats } from '../datapath/qos.ts';
import type { BridgePort } from '../ofproto/bridge-port.ts';
import type { PortQueue } from '../ofproto/openflow/port-statistics.ts';
import type { Applier, Fabric, InterfaceEntry } from './apply.ts';
import { QOS_TYPES, qosInForce, type RunningQos, type WantedQos } from './qos.ts';

/** Gives a device the QoS that its port asks for. */
export function settleQos(
  { datapath }: Fabric,
  running: InterfaceEntry,
  want: WantedQos | null,
  nowMs: number,
): void {
  if (!mayShape(running) || running.portNo === null) return;
  const { mtu, speedBps } = running.status;
  const qos = qosInForce(want, { mtu: mtu ?? running.datapathMtu, speedBps });
  if (JSON.stringify(qos) === JSON.stringify(running.qos)) return;
  running.qos = qos;
  datapath.setQos(running.portNo, qos?.config ?? null);
  const since = running.queuesSinceMs;
  running.queuesSinceMs = new Map(
    (qos?.queues ?? []).map(({ id }) => [id, since.get(id) ?? nowMs]),
  );
}

/** Dummies, patch and tunnel ports have no traffic control, as in the original. */
const mayShape = ({ netdev, portNo }: InterfaceEntry): boolean =>
  portNo !== null && netdev.spec !== null && netdev.spec.kind !== 'dummy';

/** Statistics of no queue in particular. */
const UNKNOWN = { txBytes: null, txPackets: null, txErrors: null, durationMs: null };

/** The queues of a port for OpenFlow, ascending. A dummy has one that counts nothing, as in the original. */
export function portQueues(
  applier: () => Applier,
  now: () => number,
): (port: BridgePort) => readonly PortQueue[] {
  return (port) => {
    if (port.type.startsWith('dummy')) return [{ id: 0, ...UNKNOWN }];
    const bridge = applier().running.get(port.bridge.name);
    const running = bridge?.entries.get(port.name);
    const portNo = running?.portNo ?? null;
    if (bridge === undefined || !running?.qos || portNo === null) return [];
    const { qos, queuesSinceMs } = running;
    return qos.queues.map(({ id }) => ({
      id,
      ...(bridge.fabric.datapath.queueStats(portNo, id) ?? UNKNOWN),
      durationMs: now() - (queuesSinceMs.get(id) ?? now()),
    }));
  };
}

/** What `qos/*` tells of an interface. */
export interface QosReport {
  readonly types: readonly string[];
  /** Null for none. */
  readonly qos: RunningQos | null;
  queueStats(id: number): QueueStats | null;
}

/** Null when no interface of this name runs. */
export function qosReport(applier: Applier, name: string): QosReport | null {
  for (const { entries, fabric } of applier.running.values()) {
    const running = entries.get(name);
    if (running === undefined) continue;
    const { portNo, qos } = running;
    return {
      types: mayShape(running) ? QOS_TYPES : [],
      qos,
      queueStats: (id) => (portNo === null ? null : fabric.datapath.queueStats(portNo, id)),
    };
  }
  return null;
}
