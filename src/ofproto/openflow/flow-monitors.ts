/**
 * Flow monitors of one connection: whose changes to flows it hears, in full or, for its own, in short (OpenFlow 1.4.1, 7.3.5.17).
 *
 * What one message changes is told in one update. A connection that does not keep up is told so (paused) and hears of nothing but
 * deletions of flows that it knows; when it has caught up it gets what it missed, then "resumed".
 */
import { matchesWithin } from '../../flowtable/match.ts';
import type { Rule } from '../../flowtable/rule.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { FlowUpdate, MonitorRequest } from '../codec/flow-monitor.ts';
import { encodeParts, hasMessage, type Message } from '../codec/messages.ts';
import { OF14 } from '../codec/versions.ts';
import type { FlowChange, Origin } from '../events.ts';
import { OFPTT_ALL } from '../model.ts';
import { outputsTo, usesGroup } from '../tables/flow-mods.ts';
import type { Connection } from './connection.ts';

const MAX_MONITORS = 1000;
/** Unsent updates, bytes. */
const PAUSE_BYTES = 128 << 10;

/** Who asked for a change: what connections pass to the tables as `origin`. */
export interface Requester {
  readonly connection: Connection;
  readonly xid: number;
}

export class FlowMonitors {
  private readonly connection: Connection;
  private readonly monitors = new Map<number, MonitorRequest>();
  private updates: FlowUpdate[] = [];
  private hasAbbreviated = false;
  /** Clock time of the pause, null while there is none. */
  private pausedMs: number | null = null;
  /** Rules that were added or changed during a pause. */
  private readonly missed = new Set<Rule>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isEmpty(): boolean {
    return this.monitors.size === 0;
  }

  clear(): void {
    this.monitors.clear();
    this.missed.clear();
    this.updates = [];
    this.hasAbbreviated = false;
    this.pausedMs = null;
  }

  /** Why a monitor cannot be changed so, null when it was. */
  change(request: MonitorRequest): OfErrorName | null {
    const { monitorId, command } = request;
    const exists = this.monitors.has(monitorId);
    if (command === 'add' && exists) return 'OFPMOFC_MONITOR_EXISTS';
    if (command !== 'add' && !exists) return 'OFPMOFC_UNKNOWN_MONITOR';
    if (command === 'delete') this.cancel(monitorId);
    else if (!exists && this.monitors.size >= MAX_MONITORS) return 'OFPMOFC_UNKNOWN';
    else this.monitors.set(monitorId, request);
    return null;
  }

  cancel(monitorId: number): OfErrorName | null {
    if (!this.monitors.delete(monitorId)) return 'OFPMOFC_UNKNOWN_MONITOR';
    if (this.monitors.size === 0) {
      this.pausedMs = null;
      this.missed.clear();
    }
    return null;
  }

  /** A change that became final. */
  note(change: FlowChange, nowMs: number): void {
    if (this.monitors.size === 0 || change.rule.isHidden) return;
    const { rule, event } = change;
    if (this.pausedMs !== null) {
      if (event !== 'deleted') {
        this.missed.add(rule);
        return;
      }
      if (this.missed.delete(rule) && rule.createdMs >= this.pausedMs) return;
    }
    const wanted = this.interestIn(change);
    if (wanted === null) return;
    const own = originOf(change.origin);
    const isOwn = own?.connection === this.connection;
    if (!isOwn || wanted.full || this.pausedMs !== null) {
      this.updates.push(fullUpdate(change, wanted.instructions));
    } else if (!this.hasAbbreviated) {
      this.hasAbbreviated = true;
      this.updates.push({ event: 'abbreviated', xid: own?.xid ?? 0 });
    }
    void nowMs;
  }

  private interestIn({ event, rule, oldActions }: FlowChange): {
    full: boolean;
    instructions: boolean;
  } | null {
    let found: { full: boolean; instructions: boolean } | null = null;
    for (const monitor of this.monitors.values()) {
      const { flags, tableId, outPort, outGroup, match } = monitor;
      const wants =
        event === 'added' ? flags.add : event === 'deleted' ? flags.removed : flags.modify;
      if (!wants || (tableId !== OFPTT_ALL && tableId !== rule.tableId)) continue;
      if (
        outPort !== null &&
        !outputsTo(rule.actions, outPort) &&
        !(oldActions !== null && outputsTo(oldActions, outPort))
      ) {
        continue;
      }
      if (outGroup !== null && !usesGroup(rule.actions, outGroup)) continue;
      if (!matchesWithin(rule.match, match)) continue;
      found ??= { full: false, instructions: false };
      if (flags.onlyOwn || flags.noAbbreviation) found.full = true;
      if (flags.instructions) found.instructions = true;
    }
    return found;
  }

  /** Sends what was noted: after each message that changed tables. */
  flush(nowMs: number): void {
    if (this.updates.length === 0) return;
    const updates = this.updates;
    this.updates = [];
    this.hasAbbreviated = false;
    this.send(updates, 0);
    if (this.pausedMs === null && this.connection.rconn.unsentBytes > PAUSE_BYTES) {
      this.pausedMs = nowMs;
      this.say('paused');
    }
  }

  /** The connection has caught up. */
  drained(): void {
    if (this.pausedMs === null || this.connection.rconn.unsentBytes > 0) return;
    const { pausedMs } = this;
    this.pausedMs = null;
    const updates: FlowUpdate[] = [];
    for (const rule of this.missed) {
      if (rule.isRemoved) continue;
      const event = rule.createdMs >= pausedMs ? 'added' : 'modified';
      const change = { event, rule, reason: null, oldActions: null, origin: null } as const;
      const wanted = this.interestIn(change);
      if (wanted !== null) updates.push(fullUpdate(change, wanted.instructions));
    }
    this.missed.clear();
    if (updates.length > 0) this.send(updates, 0);
    this.say('resumed');
  }

  /** Flows that are there already, in answer to a request. */
  initial(request: MonitorRequest, rules: readonly Rule[]): FlowUpdate[] {
    const event = this.connection.version >= OF14 ? 'initial' : 'added';
    return rules.map((rule) => ({
      event,
      reason: null,
      priority: rule.priority,
      idleTimeoutSeconds: rule.idleTimeoutSeconds,
      hardTimeoutSeconds: rule.hardTimeoutSeconds,
      tableId: rule.tableId,
      cookie: rule.cookie,
      match: rule.match,
      actions: request.flags.instructions ? rule.actions : [],
    }));
  }

  send(entries: readonly FlowUpdate[], xid: number): void {
    const message = { kind: 'flowMonitorReply', entries } as const;
    for (const part of encodeParts(message, this.connection.context, xid)) {
      this.connection.rconn.send(part);
    }
  }

  private say(what: 'paused' | 'resumed'): void {
    const kind = what === 'paused' ? 'flowMonitorPaused' : 'flowMonitorResumed';
    if (hasMessage(kind, this.connection.version)) this.connection.tell({ kind } as Message);
    else this.send([{ event: what }], 0);
  }
}

const originOf = (origin: Origin): Requester | null => origin as Requester | null;

function fullUpdate(
  { event, rule, reason }: Omit<FlowChange, 'origin'>,
  instructions: boolean,
): FlowUpdate {
  return {
    event: event === 'deleted' ? 'removed' : event,
    reason,
    priority: rule.priority,
    idleTimeoutSeconds: rule.idleTimeoutSeconds,
    hardTimeoutSeconds: rule.hardTimeoutSeconds,
    tableId: rule.tableId,
    cookie: rule.cookie,
    match: rule.match,
    actions: instructions ? rule.actions : [],
  };
}
