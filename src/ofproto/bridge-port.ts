/**
 * A port of a bridge: an interface under its OpenFlow number. Real ports have a datapath number as well;
 * patch ports have a peer, exist only in translation, and count what translation sends through them.
 */
import type { PortNo } from '../datapath/datapath.ts';
import type { OfPort } from '../flowtable/of-port.ts';
import type { Bridge } from './bridge.ts';
import type { Bundle } from './bundle.ts';

export interface PatchStats {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

export interface BridgePort {
  readonly bridge: Bridge;
  readonly name: string;
  /** Interface type: system, internal, tap, patch, dummy, ... Shown by dpif/show. */
  readonly type: string;
  readonly ofPort: OfPort;
  /** Null for a patch port. */
  readonly portNo: PortNo | null;
  /** Name of the other end, for a patch port. */
  readonly patchPeer: string | null;
  bundle: Bundle | null;
  isUp: boolean;
  /** Only patch ports count here; the datapath counts for real ones. */
  readonly stats: PatchStats;
}
