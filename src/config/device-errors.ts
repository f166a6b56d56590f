/** Errors that only the kernel counts, for OpenFlow's port statistics: one look at all devices serves a whole reply. */
import type { BridgePort } from '../ofproto/bridge-port.ts';
import type { DeviceErrors } from '../ofproto/openflow/port-statistics.ts';
import type { LinkStats } from '../sys/links.ts';
import type { Clock } from '../util/clock.ts';
import type { Applier } from './apply.ts';

const FRESH_MS = 100;

export function deviceErrorsOf(
  applier: () => Applier,
  linkStatistics: () => ReadonlyMap<number, LinkStats>,
  clock: Clock,
): (port: BridgePort) => DeviceErrors | null {
  let links: ReadonlyMap<number, LinkStats> = new Map();
  let readMs = Number.NEGATIVE_INFINITY;
  return (port) => {
    const entry = applier().running.get(port.bridge.name)?.entries.get(port.name);
    if (entry === undefined || entry.netdev.ifindex <= 0) return null;
    const now = clock.now();
    if (now - readMs > FRESH_MS) {
      links = linkStatistics();
      readMs = now;
    }
    return links.get(entry.netdev.ifindex) ?? null;
  };
}
