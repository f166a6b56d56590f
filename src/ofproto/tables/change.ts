/**
 * A change of tables under way: done at once, told only when it is committed, undone step by step when it is reverted.
 * A bundle begins its messages one after the other and then commits or reverts all; nothing looks at the tables in
 * between, since all of it happens in one turn of the event loop.
 */
import type { Rule } from '../../flowtable/rule.ts';
import type { Bridge } from '../bridge.ts';
import type { Origin } from '../events.ts';
import type { FlowRemovedReason } from '../model.ts';
import type { RuleChange } from '../rule-changes.ts';
import type { FlowTable } from './flow-table.ts';

/** Rules that one change names one by one. */
const MOST_RULES = 16;

export class Change {
  readonly bridge: Bridge;
  /** Of what is done next: messages of a bundle are one change. */
  origin: Origin;
  private readonly undo: (() => void)[] = [];
  /** Rules that came or went; null when there are many, or when something else changed, too. */
  private rules: RuleChange[] | null = [];
  private readonly events: (() => void)[] = [];

  constructor(bridge: Bridge, origin: Origin) {
    this.bridge = bridge;
    this.origin = origin;
  }

  /** Registers how to undo what was just done. */
  onRevert(undo: () => void): void {
    this.undo.push(undo);
    this.rules = null;
  }
  /** Registers what is to happen when the change has become final. */
  onCommit(event: () => void): void {
    this.events.push(event);
  }

  commit(): void {
    for (const event of this.events) event();
    if (this.undo.length > 0) this.bridge.tablesChanged(this.rules ?? undefined);
  }

  revert(): void {
    for (const undo of this.undo.reverse()) undo();
  }

  private changes(rule: Rule, undo: () => void): void {
    this.undo.push(undo);
    const table = this.bridge.tables[rule.tableId];
    if (this.rules?.length === MOST_RULES) this.rules = null;
    else this.rules?.push({ table, match: rule.match });
  }

  /** Puts a rule into its table, in place of one of the same match and priority, which it may succeed. */
  insert(rule: Rule, event: 'added' | 'modified'): void {
    const { bridge } = this;
    const table = bridge.tables[rule.tableId];
    const old = table.insert(rule);
    bridge.ruleIn(rule);
    if (old !== null) bridge.ruleOut(old);
    this.changes(rule, () => {
      if (old !== null) table.insert(old);
      else table.remove(rule);
      bridge.ruleOut(rule);
      if (old !== null) bridge.ruleIn(old);
    });
    if (old !== null && old.actions !== rule.actions) this.unlearn(old);
    const sameActions = old !== null && old.actions === rule.actions;
    if (event === 'modified' && sameActions && old.cookie === rule.cookie) return;
    const { origin } = this;
    this.onCommit(() =>
      bridge.listener.flowChanged({
        event,
        rule,
        reason: null,
        oldActions: old === null || sameActions ? null : old.actions,
        origin,
      }),
    );
  }

  remove(rule: Rule, reason: FlowRemovedReason): void {
    const { bridge } = this;
    const table = bridge.tables[rule.tableId];
    if (!table.remove(rule)) return;
    bridge.ruleOut(rule);
    this.changes(rule, () => {
      table.insert(rule);
      bridge.ruleIn(rule);
    });
    const { origin } = this;
    this.onCommit(() => bridge.tellRemoved(rule, reason, origin));
    this.unlearn(rule);
  }

  /** Removes rules, each once, those of a table one after the other. */
  removeAll(rules: readonly Rule[], reason: FlowRemovedReason): void {
    for (let from = 0; from < rules.length; ) {
      const { tableId } = rules[from];
      let end = from + 1;
      while (end < rules.length && rules[end].tableId === tableId) end++;
      this.removeFrom(this.bridge.tables[tableId], rules.slice(from, end), reason);
      from = end;
    }
  }

  private removeFrom(table: FlowTable, rules: readonly Rule[], reason: FlowRemovedReason): void {
    const { bridge } = this;
    const isAll = rules.length === table.size && table.hiddenCount === 0;
    if (!isAll || rules.length <= MOST_RULES) {
      // One may have learned another.
      for (const rule of rules) if (!rule.isRemoved) this.remove(rule, reason);
      return;
    }
    const restore = table.clear(rules);
    for (const rule of rules) bridge.ruleOut(rule);
    this.onRevert(() => {
      restore();
      for (const rule of rules) bridge.ruleIn(rule);
    });
    const { origin } = this;
    this.onCommit(() => {
      for (const rule of rules) bridge.tellRemoved(rule, reason, origin);
    });
    for (const rule of rules) this.unlearn(rule);
  }

  /** A rule is gone or has other actions: flows that it was the last to learn go too, if it said so (delete_learned). */
  private unlearn(rule: Rule): void {
    const { bridge } = this;
    for (const action of rule.actions) {
      if (action.kind !== 'learn' || !action.deleteLearned) continue;
      if (bridge.learnCount(action.table, action.cookie) > 0) continue;
      for (const learned of bridge.tables[action.table]?.entries() ?? []) {
        if (learned.cookie === action.cookie && !learned.isHidden) this.remove(learned, 'delete');
      }
    }
  }
}
