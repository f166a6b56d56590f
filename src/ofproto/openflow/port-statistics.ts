/** Counters of a port as OpenFlow tells them. What a port cannot count is unknown, which tools show as "?". */
import type { Datapath, PortStats as DatapathPortStats } from '../../datapath/datapath.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { PortStats } from '../codec/port-messages.ts';

/** Errors that only a device knows of; null where there is no device. */
export interface DeviceErrors {
  readonly rxFrameErrors: number;
  readonly rxOverErrors: number;
  readonly rxCrcErrors: number;
  readonly collisions: number;
  readonly rxErrors: number;
  readonly txErrors: number;
}

/** A queue of a port; null for what is unknown. */
export interface PortQueue {
  readonly id: number;
  readonly txBytes: number | null;
  readonly txPackets: number | null;
  readonly txErrors: number | null;
  /** Since it was configured. */
  readonly durationMs: number | null;
}

export interface PortCounting {
  readonly datapath: Datapath;
  /** Clock milliseconds. */
  readonly now: () => number;
  readonly createdMs: (port: BridgePort) => number;
  readonly deviceErrors: (port: BridgePort) => DeviceErrors | null;
  /** Counters that only this device has, by name; null for a usual one. */
  readonly customCounters: (
    port: BridgePort,
    stats: DatapathPortStats,
  ) => Readonly<Record<string, number>> | null;
}

const UNKNOWN = {
  rxDropped: null,
  txDropped: null,
  rxErrors: null,
  txErrors: null,
  rxFrameErrors: null,
  rxOverErrors: null,
  rxCrcErrors: null,
  collisions: null,
} as const;

export function portStatistics(port: BridgePort, from: PortCounting): PortStats {
  const durationMs = from.now() - from.createdMs(port);
  const head = { port: port.ofPort, durationMs, rfc2819: null };
  if (port.portNo === null || port.tunnel !== null) {
    const { rxPackets, rxBytes, txPackets, txBytes } = port.stats;
    return {
      ...head,
      ...UNKNOWN,
      rxPackets: BigInt(rxPackets),
      rxBytes: BigInt(rxBytes),
      txPackets: BigInt(txPackets),
      txBytes: BigInt(txBytes),
      custom: [],
    };
  }
  const stats = from.datapath.portStats(port.portNo);
  const moved = {
    rxPackets: BigInt(stats.rxPackets),
    rxBytes: BigInt(stats.rxBytes),
    txPackets: BigInt(stats.txPackets),
    txBytes: BigInt(stats.txBytes),
  };
  const counters = from.customCounters(port, stats);
  if (counters !== null) {
    const custom = Object.entries(counters).map(([name, value]) => ({
      name,
      value: BigInt(value),
    }));
    return { ...head, ...UNKNOWN, ...moved, custom };
  }
  const device = from.deviceErrors(port);
  return {
    ...head,
    ...moved,
    rxDropped: BigInt(stats.rxDropped),
    txDropped: BigInt(stats.txDropped),
    rxErrors: BigInt(stats.rxErrors + (device?.rxErrors ?? 0)),
    txErrors: BigInt(stats.txErrors + (device?.txErrors ?? 0)),
    rxFrameErrors: BigInt(device?.rxFrameErrors ?? 0),
    rxOverErrors: BigInt(device?.rxOverErrors ?? 0),
    rxCrcErrors: BigInt(device?.rxCrcErrors ?? 0),
    collisions: BigInt(device?.collisions ?? 0),
    custom: [],
  };
}
