/**
 * Which flow of a full table goes next, known without looking at all of them: adding to a full table must not cost the table's size.
 *
 * Only flows with a timeout may go. Flows that are equal in the table's group fields are a group; the largest group loses the flow of least
 * importance, among those the one that would expire first (ovs-vswitchd.conf.db(5), Flow_Table). Groups lie by their size, the flows of each
 * in a heap. Traffic puts the end of a flow off without a word to the heap: what comes to its top is looked at again, and put back if it
 * lives longer by now. (An end that fin_timeout draws nearer is seen late: the flow then expires by itself soon.)
 */
import type { Subfield } from '../../flowtable/action.ts';
import type { Rule } from '../../flowtable/rule.ts';
import { readField } from '../../packet/fields.ts';
import { FLOW_WORDS } from '../../packet/key.ts';

/** Clock time at which a flow ends without traffic; infinite without timeouts. */
export function expiryMs(rule: Rule): number {
  const hard = rule.hardTimeoutSeconds;
  const idle = rule.idleTimeoutSeconds;
  return Math.min(
    hard > 0 ? rule.modifiedMs + hard * 1000 : Number.POSITIVE_INFINITY,
    idle > 0 ? Math.max(rule.usedMs, rule.modifiedMs) + idle * 1000 : Number.POSITIVE_INFINITY,
  );
}

interface Entry {
  readonly rule: Rule;
  /** As it was when the entry took its place. */
  expiryMs: number;
}

interface Group {
  readonly members: Set<Rule>;
  /** The first to go at 0; entries of flows that have left stay until they come to the top. */
  heap: Entry[];
}

const goesBefore = (a: Entry, b: Entry): boolean =>
  a.rule.importance !== b.rule.importance
    ? a.rule.importance < b.rule.importance
    : a.expiryMs < b.expiryMs;

export class EvictionIndex {
  private readonly fields: readonly Subfield[];
  private readonly groups = new Map<string, Group>();
  private readonly groupOf = new Map<Rule, Group>();
  private readonly bySize: Set<Group>[] = [];

  constructor(fields: readonly Subfield[], rules: readonly Rule[]) {
    this.fields = fields;
    for (const rule of rules) this.add(rule);
  }

  add(rule: Rule): void {
    const expiry = expiryMs(rule);
    if (rule.isHidden || expiry === Number.POSITIVE_INFINITY || this.groupOf.has(rule)) return;
    const key = this.keyOf(rule);
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { members: new Set(), heap: [] };
      this.groups.set(key, group);
    }
    this.resize(group, () => group.members.add(rule));
    this.groupOf.set(rule, group);
    group.heap.push({ rule, expiryMs: expiry });
    up(group.heap, group.heap.length - 1);
  }

  remove(rule: Rule): void {
    const group = this.groupOf.get(rule);
    if (group === undefined) return;
    this.groupOf.delete(rule);
    this.resize(group, () => group.members.delete(rule));
    if (group.members.size === 0) this.groups.delete(this.keyOf(rule));
    // Flows that left otherwise than by eviction must not pile up.
    if (group.heap.length > 2 * group.members.size + 64) {
      group.heap = group.heap.filter((entry) => group.members.has(entry.rule));
      for (let i = group.heap.length >> 1; i >= 0; i--) down(group.heap, i);
    }
  }

  /** The flow that is to go next; it stays until it is removed. Null when none may. */
  next(): Rule | null {
    while (this.bySize.length > 0 && (this.bySize.at(-1)?.size ?? 0) === 0) this.bySize.pop();
    const [group] = this.bySize.at(-1) ?? [];
    if (group === undefined) return null;
    const { heap, members } = group;
    while (heap.length > 0) {
      const top = heap[0];
      const expiry = expiryMs(top.rule);
      if (!members.has(top.rule)) {
        const last = heap.pop() as Entry;
        if (heap.length > 0) heap[0] = last;
      } else if (expiry > top.expiryMs) top.expiryMs = expiry;
      else return top.rule;
      down(heap, 0);
    }
    return null;
  }

  private resize(group: Group, change: () => void): void {
    this.bySize[group.members.size]?.delete(group);
    change();
    const { size } = group.members;
    if (size === 0) return;
    while (this.bySize.length <= size) this.bySize.push(new Set());
    this.bySize[size].add(group);
  }

  /** What the flow has in the group fields; a field that it does not match on is 0. */
  private keyOf({ match }: Rule): string {
    if (this.fields.length === 0) return '';
    const words = new Uint32Array(FLOW_WORDS);
    for (let i = 0; i < match.words.length; i++) words[match.words[i]] = match.values[i];
    return this.fields
      .map(({ field, offset, bits }) =>
        field.at < 0
          ? 0n
          : (readField(words, field) >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n),
      )
      .join();
  }
}

function up(heap: Entry[], from: number): void {
  for (let i = from; i > 0; ) {
    const parent = (i - 1) >> 1;
    if (!goesBefore(heap[i], heap[parent])) return;
    [heap[i], heap[parent]] = [heap[parent], heap[i]];
    i = parent;
  }
}

function down(heap: Entry[], from: number): void {
  for (let i = from; ; ) {
    let least = i;
    for (const child of [2 * i + 1, 2 * i + 2]) {
      if (child < heap.length && goesBefore(heap[child], heap[least])) least = child;
    }
    if (least === i) return;
    [heap[i], heap[least]] = [heap[least], heap[i]];
    i = least;
  }
}
