/**
 * Room in a table with a limit: the new flow is refused, or takes the place of another one.
 *
 * Only flows with a timeout may be evicted. Flows that are equal in the table's group fields are a group; the largest
 * group loses the flow of least importance, among those the one that would expire first (ovs-vswitchd.conf.db(5),
 * Flow_Table).
 */
import type { Rule } from '../../flowtable/rule.ts';
import { readField } from '../../packet/fields.ts';
import { FLOW_WORDS } from '../../packet/key.ts';
import type { OfError } from '../model.ts';
import type { Change } from './change.ts';
import type { FlowTable } from './flow-table.ts';

/** Flows in all: beyond it memory is at stake. */
const MAX_FLOWS = 1_000_000;

/** Makes room for one more flow, evicting as many as the limit, perhaps lowered, asks for. */
export function makeRoom(change: Change, table: FlowTable): OfError | null {
  const limit = Math.min(table.settings.flowLimit ?? MAX_FLOWS, MAX_FLOWS);
  while (table.size >= limit) {
    const [victim] = table.isEvicting ? victims(table, 1) : [];
    if (victim === undefined) return { error: 'OFPFMFC_TABLE_FULL' };
    change.remove(victim, 'eviction');
  }
  return null;
}

/** Clock time at which a flow ends without traffic; infinite without timeouts. */
export function expiryMs(rule: Rule): number {
  const hard = rule.hardTimeoutSeconds;
  const idle = rule.idleTimeoutSeconds;
  return Math.min(
    hard > 0 ? rule.modifiedMs + hard * 1000 : Number.POSITIVE_INFINITY,
    idle > 0 ? Math.max(rule.usedMs, rule.modifiedMs) + idle * 1000 : Number.POSITIVE_INFINITY,
  );
}

/** A table that evicts gets as many flows as its limit, perhaps lowered, has room for. */
export function evictExcess(change: Change, table: FlowTable): void {
  const { flowLimit } = table.settings;
  if (flowLimit === null || !table.isEvicting || table.size <= flowLimit) return;
  for (const victim of victims(table, table.size - flowLimit)) change.remove(victim, 'eviction');
}

/** Up to `count` flows, in the order in which they are to go. */
function victims(table: FlowTable, count: number): Rule[] {
  const groups = new Map<string, Rule[]>();
  for (const rule of table.entries()) {
    if (rule.isHidden || expiryMs(rule) === Number.POSITIVE_INFINITY) continue;
    const key = groupKey(table, rule);
    const group = groups.get(key);
    if (group) group.push(rule);
    else groups.set(key, [rule]);
  }
  // Groups by how many flows they have: one that loses a flow comes among the next smaller ones.
  const bySize: Rule[][][] = [];
  for (const group of groups.values()) {
    if (count > 1) group.sort(byWorthDown);
    bySize[group.length] ??= [];
    bySize[group.length].push(group);
  }
  const list: Rule[] = [];
  for (let size = bySize.length - 1; size > 0; size--) {
    for (const group of bySize[size] ?? []) {
      if (list.length === count) return list;
      list.push(count > 1 ? (group.pop() as Rule) : leastWorth(group));
      bySize[size - 1] ??= [];
      bySize[size - 1].push(group);
    }
  }
  return list;
}

/** What goes first comes last. */
const byWorthDown = (a: Rule, b: Rule): number =>
  b.importance - a.importance || expiryMs(b) - expiryMs(a);

const leastWorth = (group: readonly Rule[]): Rule =>
  group.reduce((least, rule) => (byWorthDown(least, rule) < 0 ? rule : least));

/** What the flow has in the group fields; a field that it does not match on is 0. */
function groupKey(table: FlowTable, rule: Rule): string {
  if (table.settings.groups.length === 0) return '';
  const words = new Uint32Array(FLOW_WORDS);
  for (let i = 0; i < rule.match.words.length; i++)
    words[rule.match.words[i]] = rule.match.values[i];
  return table.settings.groups
    .map(({ field, offset, bits }) =>
      field.at < 0 ? 0n : (readField(words, field) >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n),
    )
    .join();
}
