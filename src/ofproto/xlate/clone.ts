/** clone(...): a list on a copy of frame and pipeline state, of which nothing is left afterwards. */
import type { Action, ActionKind } from '../../flowtable/action.ts';
import { executeActionSet } from './action-set.ts';
import type { XlateContext } from './context.ts';
import { finishFreezing } from './freeze.ts';

/** What cannot be undone by rewriting the frame back: these take a copy in the datapath. */
const IRREVERSIBLE: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'ct',
  'meter',
  'nat',
  'outputTrunc',
  'encap',
  'decap',
  'decNshTtl',
  'checkPktLarger',
  'popPbb',
  'pushPbb',
  'copyTtlIn',
  'copyTtlOut',
]);

/** Runs a bucket's actions so that the frame on the wire can be put right afterwards. */
export function runUndoably(ctx: XlateContext, actions: readonly Action[]): void {
  ctx.undoably(() => {
    ctx.steps.actions(ctx, actions, true);
    if (ctx.freezing && ctx.freezeHash === null) finishFreezing(ctx);
  });
}

/**
 * Runs the rest of a pipeline, ending it, so that the frame on the wire can be put right afterwards: in a copy of its own
 * where the actions that come first cannot be undone and something follows.
 */
export function runApart(ctx: XlateContext, actions: readonly Action[]): void {
  const inner = (): void => {
    ctx.steps.actions(ctx, actions, false);
    if (!ctx.freezing) executeActionSet(ctx);
    if (ctx.freezing) finishFreezing(ctx);
  };
  const { isLast } = ctx;
  if (isLast) inner();
  else if (!actions.some((a) => IRREVERSIBLE.has(a.kind))) ctx.undoably(inner);
  else {
    ctx.isLast = true;
    ctx.nested(() => ctx.program.beginClone(), inner);
    ctx.isLast = isLast;
  }
}

export function cloneActions(ctx: XlateContext, actions: readonly Action[]): void {
  const { stack, stackBytes, actionSet, actionSetHasGroup } = ctx;
  const saved = ctx.save();
  ctx.actionSet = [];
  ctx.actionSetHasGroup = false;
  runApart(ctx, actions);
  ctx.exit = false;
  Object.assign(ctx, { stack, stackBytes, actionSet, actionSetHasGroup });
  ctx.restore(saved);
}
