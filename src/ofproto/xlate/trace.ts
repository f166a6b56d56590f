/**
 * A trace of a translation: what ofproto/trace prints, as a tree of data. Text that takes formatting of matches
 * and actions is left to who prints it.
 */
import type { Action } from '../../flowtable/action.ts';
import type { Rule } from '../../flowtable/rule.ts';

export type TraceKind =
  | 'bridge'
  | 'table'
  | 'action'
  | 'thaw'
  | 'bucket'
  /** ` -> text` */
  | 'detail'
  /** ` >> text` */
  | 'warn'
  /** ` >>>> text <<<<` */
  | 'error';

export interface TraceNode {
  readonly kind: TraceKind;
  readonly text: string;
  /** Of kind action. */
  readonly action: Action | null;
  /** Of kind table; null when no rule was found. */
  readonly rule: Rule | null;
  readonly children: TraceNode[];
}

export class Trace {
  readonly roots: TraceNode[] = [];
  private into = this.roots;

  add(
    kind: TraceKind,
    text: string,
    action: Action | null = null,
    rule: Rule | null = null,
  ): TraceNode {
    const node: TraceNode = { kind, text, action, rule, children: [] };
    this.into.push(node);
    return node;
  }

  /** What follows stands below `node`; give the answer to leave(). */
  enter(node: TraceNode): TraceNode[] {
    const before = this.into;
    this.into = node.children;
    return before;
  }

  leave(before: TraceNode[]): void {
    this.into = before;
  }
}
