/** What statistics requests ask of the tables: flows, sums of flows, and counters of tables. */
import type { Rule } from '../../flowtable/rule.ts';
import type { Bridge } from '../bridge.ts';
import type { FlowFilter, FlowRemoved, FlowRemovedReason, FlowStatsEntry } from '../model.ts';
import { chosen } from './flow-mods.ts';

function flowStatsEntry(rule: Rule, nowMs: number): FlowStatsEntry {
  return {
    tableId: rule.tableId,
    priority: rule.priority,
    match: rule.match,
    cookie: rule.cookie,
    durationMs: nowMs - rule.createdMs,
    idleAgeMs: nowMs - rule.usedMs,
    hardAgeMs: nowMs - rule.modifiedMs,
    idleTimeoutSeconds: rule.idleTimeoutSeconds,
    hardTimeoutSeconds: rule.hardTimeoutSeconds,
    importance: rule.importance,
    flags: rule.flags,
    packets: BigInt(rule.packets),
    bytes: BigInt(rule.bytes),
    actions: rule.actions,
  };
}

/**
 * Flows that pass the filter: table by table, in no promised order within one. Which they are is settled by the call, each is described
 * when it is asked for.
 */
export function flowStats(bridge: Bridge, filter: FlowFilter): Iterable<FlowStatsEntry> {
  const rules = chosen(bridge, filter, false, true);
  return described(rules, bridge.clock.now());
}

function* described(rules: readonly Rule[], nowMs: number): Generator<FlowStatsEntry> {
  for (const rule of rules) yield flowStatsEntry(rule, nowMs);
}

export interface AggregateStats {
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly flows: number;
}

export function aggregateStats(bridge: Bridge, filter: FlowFilter): AggregateStats {
  let packets = 0;
  let bytes = 0;
  const rules = chosen(bridge, filter, false, true);
  for (const rule of rules) {
    packets += rule.packets;
    bytes += rule.bytes;
  }
  return { packets: BigInt(packets), bytes: BigInt(bytes), flows: rules.length };
}

export interface TableStats {
  readonly tableId: number;
  readonly name: string | null;
  readonly activeFlows: number;
  readonly lookups: bigint;
  readonly matched: bigint;
  /** Null for no limit. */
  readonly maxFlows: number | null;
}

/** All tables that users see. */
export function tableStats(bridge: Bridge): TableStats[] {
  return bridge.tables.map((table) => ({
    tableId: table.id,
    name: table.name,
    activeFlows: table.size - table.hiddenCount,
    lookups: BigInt(table.matched + table.missed),
    matched: BigInt(table.matched),
    maxFlows: table.settings.flowLimit,
  }));
}

export function flowRemoved(rule: Rule, reason: FlowRemovedReason, nowMs: number): FlowRemoved {
  return {
    match: rule.match,
    priority: rule.priority,
    cookie: rule.cookie,
    reason,
    tableId: rule.tableId,
    durationMs: nowMs - rule.createdMs,
    idleTimeoutSeconds: rule.idleTimeoutSeconds,
    hardTimeoutSeconds: rule.hardTimeoutSeconds,
    packets: BigInt(rule.packets),
    bytes: BigInt(rule.bytes),
  };
}
