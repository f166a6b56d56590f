/**
 * A port of a bridge: an interface under its OpenFlow number. Real ports have a datapath number as well;
 * patch ports have a peer and exist only in translation, tunnel ports share a datapath port with others of their
 * kind: these two count what translation sends through them.
 */
import type { PortNo } from '../datapath/datapath.ts';
import type { OfPort } from '../flowtable/of-port.ts';
import type { TunnelConfig } from '../tunnels/tunnel-config.ts';
import type { Bridge } from './bridge.ts';
import type { Bundle } from './bundle.ts';

export interface PatchStats {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

/** OFPPF_* bits and speeds of the link, for port descriptions. */
export interface PortLink {
  readonly current: number;
  readonly advertised: number;
  readonly supported: number;
  readonly peer: number;
  readonly currentSpeedKbps: number;
  readonly maxSpeedKbps: number;
}

export const NO_LINK: PortLink = {
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  currentSpeedKbps: 0,
  maxSpeedKbps: 0,
};

export const NO_QUEUE_DSCP: ReadonlyMap<number, number> = new Map();

interface AnyBridgePort {
  readonly bridge: Bridge;
  readonly name: string;
  /** Interface type: system, internal, tap, patch, dummy, ... Shown by dpif/show. */
  readonly type: string;
  readonly ofPort: OfPort;
  /** Name of the other end, for a patch port. */
  readonly patchPeer: string | null;
  bundle: Bundle | null;
  isUp: boolean;
  /** Sets the device up or down; false when it refuses. */
  readonly setAdminUp: (up: boolean) => boolean;
  /** OFPPC_* bits (port-flags.ts), as port-mods set them. */
  config: number;
  /** 48 bits. */
  hwAddr: bigint;
  link: PortLink;
  /** DSCP that frames leaving by a queue are marked with; by queue. */
  queueDscp: ReadonlyMap<number, number>;
  /** Only patch and tunnel ports count here; the datapath counts for those that it has. */
  readonly stats: PatchStats;
}

/** A port that shares its datapath port with all tunnels of its kind. */
export interface TunnelBridgePort extends AnyBridgePort {
  readonly portNo: PortNo;
  readonly tunnel: TunnelConfig;
}

interface PlainBridgePort extends AnyBridgePort {
  /** Null for a patch port. */
  readonly portNo: PortNo | null;
  readonly tunnel: null;
}

export type BridgePort = TunnelBridgePort | PlainBridgePort;
