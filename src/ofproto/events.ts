/** What a bridge tells its OpenFlow connections, through one listener. All of it plain data; nothing may call back in. */
import type { Action } from '../flowtable/action.ts';
import type { Rule } from '../flowtable/rule.ts';
import type { FlowRemoved, FlowRemovedReason, PacketIn, PortDescription } from './model.ts';

/** Who asked for a change: opaque to the tables, given back in events. Null for the switch itself. */
export type Origin = object | null;

/** For flow monitors. */
export interface FlowChange {
  readonly event: 'added' | 'deleted' | 'modified';
  readonly rule: Rule;
  /** Of deleted. */
  readonly reason: FlowRemovedReason | null;
  /** Of added and modified: the actions before, when they differ. */
  readonly oldActions: readonly Action[] | null;
  readonly origin: Origin;
}

export interface BridgeListener {
  packetIn(packetIn: PacketIn): void;
  /** Only of flows that asked for it (OFPFF_SEND_FLOW_REM). */
  flowRemoved(removed: FlowRemoved): void;
  flowChanged(change: FlowChange): void;
  portStatus(reason: 'add' | 'delete' | 'modify', port: PortDescription): void;
  /** True when a connection wants packet-ins of table misses, as those of OpenFlow 1.0 to 1.2 do. */
  wantsMissPacketIn(): boolean;
}

export const NO_LISTENER: BridgeListener = {
  packetIn: () => {},
  flowRemoved: () => {},
  flowChanged: () => {},
  portStatus: () => {},
  wantsMissPacketIn: () => false,
};
