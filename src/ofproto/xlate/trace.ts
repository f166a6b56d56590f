/**
 * A trace of a translation: what ofproto/trace prints, as a tree of data. Text that takes formatting of matches
 * and actions is left to who prints it.
 */
import type { Action, Subfield } from '../../flowtable/action.ts';
import type { Rule } from '../../flowtable/rule.ts';
import type { FlowMod } from '../model.ts';

export type TraceKind =
  | 'bridge'
  | 'table'
  | 'action'
  | 'thaw'
  | 'bucket'
  /** ` -> text` */
  | 'detail'
  /** ` -> FLOW`, the flow that a learn action makes */
  | 'learned'
  /** ` -> SUBFIELD is now VALUE` */
  | 'subfield'
  /** ` >> text` */
  | 'warn'
  /** ` >>>> text <<<<` */
  | 'error';

export interface TraceNode {
  readonly kind: TraceKind;
  readonly text: string;
  /** Of kind action. */
  readonly action: Action | null;
  /** Shown behind the text: `text: ACTIONS`. */
  readonly actions: readonly Action[] | null;
  /** Of kind table; null when no rule was found. */
  readonly rule: Rule | null;
  /** Of kind learned. */
  readonly mod: FlowMod | null;
  /** Of kind subfield. */
  readonly written: { readonly sub: Subfield; readonly value: bigint } | null;
  readonly children: TraceNode[];
}

const NO_MORE = { actions: null, mod: null, written: null } as const;

export class Trace {
  readonly roots: TraceNode[] = [];
  private into = this.roots;
  /** A real frame is traced: addresses are learned from it and controllers get it. */
  readonly hasFrame: boolean;

  constructor(hasFrame = false) {
    this.hasFrame = hasFrame;
  }

  add(
    kind: TraceKind,
    text: string,
    action: Action | null = null,
    rule: Rule | null = null,
  ): TraceNode {
    const node: TraceNode = { kind, text, action, rule, ...NO_MORE, children: [] };
    this.into.push(node);
    return node;
  }

  addActions(kind: 'detail' | 'thaw', text: string, actions: readonly Action[]): void {
    const node: TraceNode = {
      kind,
      text,
      action: null,
      rule: null,
      ...NO_MORE,
      actions,
      children: [],
    };
    this.into.push(node);
  }

  addLearned(mod: FlowMod): void {
    const node: TraceNode = {
      kind: 'learned',
      text: '',
      action: null,
      rule: null,
      ...NO_MORE,
      mod,
      children: [],
    };
    this.into.push(node);
  }

  addSubfield(sub: Subfield, value: bigint): void {
    const node: TraceNode = {
      kind: 'subfield',
      text: '',
      action: null,
      rule: null,
      ...NO_MORE,
      written: { sub, value },
      children: [],
    };
    this.into.push(node);
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
