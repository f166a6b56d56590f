/**
 * From the wanted state of a bridge to what its OpenFlow side is configured with, and from a device to its link as OpenFlow describes it.
 * Pure. Defaults are those of ovs-vswitchd.conf.db(5), Controller table.
 */
import { NO_LINK, type PortLink } from '../ofproto/bridge-port.ts';
import { versionByName } from '../ofproto/codec/versions.ts';
import type {
  ControllerSettings,
  ControllerStatus,
  OpenflowSettings,
} from '../ofproto/openflow/openflow-bridge.ts';
import { forbiddenTarget } from '../ofproto/openflow/target.ts';
import type { Row } from '../ovsdb/schema.ts';
import { text } from './config-value.ts';
import type { RunningDevice } from './report-ops.ts';
import type { WantedBridge } from './wanted.ts';

const DEFAULT_BACKOFF_MS = 8000;
const MIN_BACKOFF_MS = 1000;
const DEFAULT_PROBE_MS = 5000;

/** `refuse` hears why a controller's target is not used. */
export function openflowSettings(
  want: WantedBridge,
  bundleIdleSeconds: number,
  runDir: string,
  refuse: (why: string) => void,
): OpenflowSettings {
  const controllers: ControllerSettings[] = [];
  for (const row of want.controllers) {
    const why = forbiddenTarget(row.target, want.name, runDir);
    if (why === null) controllers.push(controller(row));
    else refuse(why);
  }
  return {
    controllers,
    versions: want.protocols.map(versionByName).filter((version) => version !== undefined),
    failMode: want.failMode,
    description: text(want.otherConfig, 'dp-desc'),
    serial: text(want.otherConfig, 'dp-sn'),
    bundleIdleMs: bundleIdleSeconds * 1000,
  };
}

function controller(row: Row<'Controller'>): ControllerSettings {
  return {
    uuid: row.uuid,
    target: row.target,
    maxBackoffMs: Math.max(wholeSeconds(row.max_backoff ?? DEFAULT_BACKOFF_MS), MIN_BACKOFF_MS),
    probeMs: Math.max(wholeSeconds(row.inactivity_probe ?? DEFAULT_PROBE_MS), 0),
    rateLimit: Math.max(row.controller_rate_limit ?? 0, 0),
    burstLimit: Math.max(row.controller_burst_limit ?? 0, 0),
    enableAsync: row.enable_async_messages ?? true,
  };
}

const wholeSeconds = (ms: number): number => Math.trunc(ms / 1000) * 1000;

/** A Controller row that is not connected to. */
export const NO_CONTROLLER: ControllerStatus = { isConnected: false, role: null, status: {} };

/** OFPPF_* of 1.3 by Mbit/s: half duplex, full duplex. */
const SPEEDS: readonly (readonly [number, number, number])[] = [
  [10, 1 << 0, 1 << 1],
  [100, 1 << 2, 1 << 3],
  [1000, 1 << 4, 1 << 5],
  [10_000, 0, 1 << 6],
  [40_000, 0, 1 << 7],
  [100_000, 0, 1 << 8],
  [1_000_000, 0, 1 << 9],
];
const OTHER = 1 << 10;
const COPPER = 1 << 11;

export function portLink({ speedBps, fullDuplex }: RunningDevice): PortLink {
  if (speedBps === null) return NO_LINK;
  const row = SPEEDS.find(([megabits]) => megabits * 1e6 === speedBps);
  const speed = row === undefined ? OTHER : fullDuplex === false ? row[1] : row[2];
  return { ...NO_LINK, current: speed | COPPER, currentSpeedKbps: speedBps / 1000 };
}
