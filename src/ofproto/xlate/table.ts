/** One table lookup and the actions of the rule found: the step that resubmits and patch ports repeat. */

import { translateActions } from './actions.ts';
import { MAX_RESUBMITS, type XlateContext } from './context.ts';

export function translateTable(ctx: XlateContext, table: number): void {
  if (ctx.error !== null) return;
  if (ctx.resubmits++ >= MAX_RESUBMITS) {
    ctx.fail('drop_action_too_many_resubmit');
    return;
  }
  const classifier = ctx.inPort.bridge.tables[table];
  const rule = classifier?.lookup(ctx.flow, ctx.mask) ?? null;
  if (rule === null) {
    ctx.drop('drop_action_of_pipeline', `${String(table).padStart(2)}. No match.`);
    return;
  }
  ctx.note?.(`${String(table).padStart(2)}. priority ${rule.priority}`);
  ctx.effects.push({ kind: 'creditRule', rule });
  translateActions(ctx, rule.actions);
}
