/**
 * Flows that learn actions make. A flow of the same match and priority with the same actions and cookie is only
 * refreshed, which is what happens with every frame after the first; anything else goes the way of a flow-mod.
 */
import type { Action } from '../../flowtable/action.ts';
import type { Bridge } from '../bridge.ts';
import type { FlowMod } from '../model.ts';
import { applyFlowMod } from './flow-mods.ts';

/** True when the limit of the learn action (0 for none) lets the flow be made or refreshed. */
export function mayLearn(bridge: Bridge, mod: FlowMod, limit: number): boolean {
  const table = bridge.tables[mod.tableId];
  if (table === undefined) return false;
  if (limit === 0 || table.find(mod.match, mod.priority) !== null) return true;
  let learned = 0;
  for (const rule of table.entries()) {
    if (rule.cookie === mod.newCookie && !rule.isHidden && ++learned >= limit) return false;
  }
  return true;
}

/** Makes or refreshes a learned flow. True when forwarding may change. */
export function learnFlow(bridge: Bridge, mod: FlowMod, limit: number, usedMs: number): boolean {
  const rule = bridge.tables[mod.tableId]?.find(mod.match, mod.priority) ?? null;
  if (rule !== null && rule.cookie === mod.newCookie && sameActions(rule.actions, mod.actions)) {
    if (usedMs > rule.modifiedMs) rule.modifiedMs = usedMs;
    return false;
  }
  if (!mayLearn(bridge, mod, limit)) return false;
  return applyFlowMod(bridge, mod) === null;
}

/** Actions that learn makes are flat. */
function sameActions(a: readonly Action[], b: readonly Action[]): boolean {
  return a.length === b.length && a.every((action, i) => sameAction(action, b[i]));
}

function sameAction(a: Action, b: Action): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'load' && b.kind === 'load') {
    const { dst: x } = a;
    const { dst: y } = b;
    return a.value === b.value && x.field === y.field && x.offset === y.offset && x.bits === y.bits;
  }
  if (a.kind === 'output' && b.kind === 'output') return a.port === b.port;
  return (
    a.kind === 'finTimeout' &&
    b.kind === 'finTimeout' &&
    a.idleSeconds === b.idleSeconds &&
    a.hardSeconds === b.hardSeconds
  );
}
