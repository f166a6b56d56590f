/**
 * The action set: what write_actions collects and the end of the pipeline executes, in the order that the
 * specification gives (OpenFlow 1.3.5, 5.10; ovs-actions(7), "Action Sets"). Of most kinds the last one written
 * counts; those that set fields are all done, as written.
 */
import type { Action, ActionKind } from '../../flowtable/action.ts';
import { OFPP_UNSET } from '../../flowtable/of-port.ts';
import { ACTSET_OUTPUT } from '../../packet/key.ts';
import type { XlateContext } from './context.ts';

/** Groups of kinds of which only the last one written is done, in order; push of a kind follows its pop. */
const BEFORE_SETS: readonly (readonly ActionKind[])[] = [
  ['copyTtlIn'],
  ['stripVlan'],
  ['popMpls'],
  ['popPbb'],
  ['decap'],
  ['encap'],
  ['pushMpls'],
  ['pushPbb'],
  ['pushVlan'],
  ['copyTtlOut'],
  ['decTtl'],
  ['decMplsTtl'],
  ['decNshTtl'],
];
const SETS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'load',
  'move',
  'setField',
  'setEthDst',
  'setEthSrc',
  'setIpv4Dst',
  'setIpv4Src',
  'setIpTos',
  'setIpEcn',
  'setIpTtl',
  'setTpDst',
  'setTpSrc',
  'setMplsLabel',
  'setMplsTc',
  'setMplsTtl',
  'setVlanPcp',
  'setVlanVid',
  'setTunnel',
]);
/** The first of these that is there ends the set. */
const ENDS: readonly ActionKind[] = ['group', 'output', 'resubmit', 'ctClear', 'ct'];

/** Kinds that may stand in an action set. */
export const ACTION_SET_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  ...BEFORE_SETS.flat(),
  ...SETS,
  'setQueue',
  ...ENDS,
]);

/** The actions of a set as a list; empty when nothing would be sent. */
export function actionSetList(set: readonly Action[]): Action[] {
  const list: Action[] = [];
  const last = (kind: ActionKind): Action | undefined => set.findLast((a) => a.kind === kind);
  for (const kinds of BEFORE_SETS) {
    for (const kind of kinds) {
      const action = last(kind);
      if (action) list.push(action);
    }
  }
  for (const action of set) if (SETS.has(action.kind)) list.push(action);
  const queue = last('setQueue');
  if (queue) list.push(queue);
  for (const kind of ENDS) {
    const action = last(kind);
    if (!action) continue;
    list.push(action);
    return list;
  }
  return [];
}

export function writeActions(ctx: XlateContext, actions: readonly Action[]): void {
  // The field actset_output tells the output that the set has, unless a group will decide.
  for (const action of actions) {
    if (ctx.actionSetHasGroup) break;
    if (action.kind === 'output') ctx.flow[ACTSET_OUTPUT] = action.port;
    else if (action.kind === 'group') {
      ctx.flow[ACTSET_OUTPUT] = OFPP_UNSET;
      ctx.actionSetHasGroup = true;
    }
  }
  ctx.actionSet = [...ctx.actionSet, ...actions];
  noteActionSet(ctx, 'is');
}

/** Tells a trace what the set holds. */
function noteActionSet(ctx: XlateContext, verb: 'was' | 'is'): void {
  if (ctx.trace === null) return;
  const list = actionSetList(ctx.actionSet);
  if (list.length === 0) ctx.trace.add('detail', `action set ${verb} empty`);
  else ctx.trace.addActions('detail', `action set ${verb}`, list);
}

export function clearActions(ctx: XlateContext): void {
  noteActionSet(ctx, 'was');
  ctx.actionSet = [];
  ctx.actionSetHasGroup = false;
  ctx.flow[ACTSET_OUTPUT] = OFPP_UNSET;
}

/** Executes the set at the end of the pipeline. */
export function executeActionSet(ctx: XlateContext): void {
  if (ctx.actionSet.length === 0 || ctx.error !== null) return;
  const list = actionSetList(ctx.actionSet);
  ctx.actionSet = [];
  if (list.length === 0) return;
  const node = ctx.trace?.add('table', '--. Executing action set:');
  const level = node ? ctx.trace?.enter(node) : undefined;
  const wasExit = ctx.exit;
  const { isLast } = ctx;
  ctx.exit = false;
  ctx.isInActionSet = true;
  ctx.isLast = true;
  ctx.steps.actions(ctx, list, false);
  ctx.isInActionSet = false;
  ctx.isLast = isLast;
  ctx.exit ||= wasExit;
  if (level) ctx.trace?.leave(level);
}
