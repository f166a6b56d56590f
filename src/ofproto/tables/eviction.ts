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
    const victim = table.isEvicting ? victimOf(table) : null;
    if (victim === null) return { error: 'OFPFMFC_TABLE_FULL' };
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

function victimOf(table: FlowTable): Rule | null {
  const groups = new Map<string, Rule[]>();
  for (const rule of table.entries()) {
    if (rule.isHidden || expiryMs(rule) === Number.POSITIVE_INFINITY) continue;
    const key = groupKey(table, rule);
    const group = groups.get(key);
    if (group) group.push(rule);
    else groups.set(key, [rule]);
  }
  let largest: Rule[] | null = null;
  for (const group of groups.values()) {
    if (largest === null || group.length > largest.length) largest = group;
  }
  let victim: Rule | null = null;
  for (const rule of largest ?? []) {
    if (victim === null) victim = rule;
    else if (rule.importance !== victim.importance) {
      if (rule.importance < victim.importance) victim = rule;
    } else if (expiryMs(rule) < expiryMs(victim)) victim = rule;
  }
  return victim;
}

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
