/**
 * Events of a bridge on their way to those connections that want to hear of them (OpenFlow 1.3.5, 7.4).
 */
import { wordOf } from '../../flowtable/match.ts';
import { OF_IN_PORT } from '../../packet/key.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import { OF10, OF11, OF13, OF14, OF15, type OfVersion } from '../codec/versions.ts';
import type { BridgeListener, FlowChange } from '../events.ts';
import type { FlowRemoved, PacketIn, PacketInReason, PortDescription } from '../model.ts';
import { OFPPC_PORT_DOWN, OFPPS_LIVE } from '../port-flags.ts';
import type { Connection } from './connection.ts';
import { describeTable } from './table-abilities.ts';
import { Vacancy } from './vacancy.ts';

const FLOW_REMOVED_REASONS = [
  'idleTimeout',
  'hardTimeout',
  'delete',
  'groupDelete',
  'meterDelete',
  'eviction',
] as const;
const VACANCY_REASONS = { vacancyDown: 3, vacancyUp: 4 } as const;
const PORT_REASONS = { add: 0, delete: 1, modify: 2 } as const;
const PACKET_IN_REASONS: readonly PacketInReason[] = [
  'noMatch',
  'action',
  'invalidTtl',
  'actionSet',
  'group',
  'packetOut',
];

/** What a version can say of why a packet comes: 1.0 to 1.2 know no table-miss flows, 1.4 has more reasons than 1.3. */
function wireReason(reason: PacketInReason, version: OfVersion): PacketInReason {
  if (reason === 'implicitMiss') return 'noMatch';
  if (reason === 'explicitMiss') return version < OF13 ? 'action' : 'noMatch';
  // What 1.4 tells apart were actions before.
  return PACKET_IN_REASONS.indexOf(reason) > 2 && version < OF14 ? 'action' : reason;
}

export class BridgeEvents implements BridgeListener {
  readonly vacancy: Vacancy;
  /** Whose port-mod is being carried out. */
  portModBy: Connection | null = null;
  private readonly bridge: Bridge;
  private readonly connections: ReadonlySet<Connection>;
  private readonly now: () => number;
  private readonly created: (port: BridgePort) => void;

  /** `created` hears of each new port. */
  constructor(
    bridge: Bridge,
    connections: ReadonlySet<Connection>,
    now: () => number,
    created: (port: BridgePort) => void,
  ) {
    this.bridge = bridge;
    this.connections = connections;
    this.now = now;
    this.created = created;
    this.vacancy = new Vacancy(bridge, (table, event) => {
      for (const connection of connections) {
        if (!connection.wants('tableStatus', VACANCY_REASONS[event])) continue;
        connection.tell({ kind: 'tableStatus', reason: event, table: describeTable(table) });
      }
    });
  }

  flushMonitors(): void {
    const now = this.now();
    for (const { monitors } of this.connections) monitors.flush(now);
  }

  packetIn(packetIn: PacketIn): void {
    const port = wordOf(packetIn.match, OF_IN_PORT).value;
    for (const connection of this.connections) {
      if (!connection.rconn.isConnected || connection.controllerId !== packetIn.controllerId)
        continue;
      const reason = wireReason(packetIn.reason, connection.version);
      if (!connection.wants('packetIn', PACKET_IN_REASONS.indexOf(reason))) continue;
      const isMiss = packetIn.reason === 'noMatch' || packetIn.reason.endsWith('Miss');
      connection.tellPacketIn({ ...packetIn, reason }, port, isMiss);
    }
  }

  flowRemoved(flow: FlowRemoved): void {
    const reason = FLOW_REMOVED_REASONS.indexOf(flow.reason);
    for (const connection of this.connections) {
      if (!connection.wants('flowRemoved', reason)) continue;
      connection.tell({ kind: 'flowRemoved', flow, form: connection.flowForm });
    }
  }

  flowChanged(change: FlowChange): void {
    this.vacancy.changed(change.rule.tableId);
    const now = this.now();
    let isNoted = false;
    for (const { monitors } of this.connections) {
      if (monitors.isEmpty) continue;
      monitors.note(change, now);
      isNoted = true;
    }
    // What no message asked for (timeouts, learning) is told by itself.
    if (isNoted && change.origin === null) this.flushMonitors();
  }

  portStatus(reason: 'add' | 'delete' | 'modify', port: PortDescription): void {
    if (reason === 'add') {
      const added = this.bridge.port(port.port);
      if (added !== null) this.created(added);
    }
    const isLive = (port.state & OFPPS_LIVE) !== 0;
    if (reason === 'add' && isLive) {
      // As in the original, a port comes before it is found to be alive.
      this.tellPort('add', { ...port, state: port.state & ~OFPPS_LIVE }, OF10);
      this.tellPort('modify', port, OF11);
      return;
    }
    const goesDown = this.portModBy !== null && (port.config & OFPPC_PORT_DOWN) !== 0;
    if (reason === 'modify' && goesDown) this.tellPort('modify', { ...port, state: 0 }, OF10);
    this.tellPort(reason, port, OF10);
  }

  /** `since`: 1.0 does not know of some changes. */
  private tellPort(
    reason: 'add' | 'delete' | 'modify',
    port: PortDescription,
    since: OfVersion,
  ): void {
    for (const connection of this.connections) {
      if (connection.version < since) continue;
      // Before 1.5, who modifies a port does not hear of it.
      if (connection === this.portModBy && connection.version < OF15) continue;
      if (!connection.wants('portStatus', PORT_REASONS[reason])) continue;
      connection.tell({ kind: 'portStatus', reason, port });
    }
  }

  wantsMissPacketIn(): boolean {
    for (const connection of this.connections) {
      if (connection.controllerId !== 0 || !connection.wants('packetIn', 0)) continue;
      if (connection.version < OF13) return true;
    }
    return false;
  }
}
