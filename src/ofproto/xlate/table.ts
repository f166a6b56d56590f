/** One table lookup and the actions of the rule found: the step that resubmits, gotos and patch ports repeat. */
import type { ActionOf } from '../../flowtable/action.ts';
import type { Rule } from '../../flowtable/rule.ts';
import { DP_WORDS, ETH_TYPE_PROTO, FRAG_ANY, OF_IN_PORT, RECIRC_ID, TP } from '../../packet/key.ts';
import { OFPPC_NO_PACKET_IN } from '../port-flags.ts';
import { TABLE_COUNT } from '../tables/flow-table.ts';
import { runApart } from './clone.ts';
import {
  MAX_DEPTH,
  MAX_RESUBMITS,
  MAX_STACK_BYTES,
  MAX_TABLE_PROGRAM_WORDS,
  type XlateContext,
} from './context.ts';
import { triggerFreeze } from './freeze.ts';

/** False after failing the translation for one of its limits. */
function mayGoOn(ctx: XlateContext): boolean {
  if (ctx.error !== null) return false;
  if (ctx.depth >= MAX_DEPTH) {
    ctx.fail('drop_action_recursion_too_deep', `over max translation depth ${MAX_DEPTH}`);
    return false;
  }
  if (ctx.resubmits >= MAX_RESUBMITS) {
    ctx.fail('drop_action_too_many_resubmit', `over ${MAX_RESUBMITS} resubmit actions`);
    return false;
  }
  if (ctx.program.length > MAX_TABLE_PROGRAM_WORDS) {
    // What there is by now is done all the same.
    ctx.report('resubmits yielded over 64 kB of actions');
    ctx.exit = true;
    return false;
  }
  if (ctx.stackBytes >= MAX_STACK_BYTES) {
    ctx.fail('drop_action_stack_too_deep', 'resubmits yielded over 64 kB of stack');
    return false;
  }
  return true;
}

export function translateTable(
  ctx: XlateContext,
  table: number,
  mayPacketIn: boolean,
  honorMiss: boolean,
  isApart = false,
): void {
  if (ctx.reparse !== 'none') {
    triggerFreeze(ctx);
    return;
  }
  if (!mayGoOn(ctx)) return;
  const { tableId, rule: callerRule, cookie } = ctx;
  ctx.tableId = table;
  const rule = lookup(ctx, mayPacketIn, honorMiss);
  if (rule !== null) {
    // Only going back, or staying, can go on for ever.
    const deepens = table <= tableId && callerRule !== null ? 1 : 0;
    const isMiss = rule === ctx.bridge.missRule;
    const text = isMiss ? missText(ctx, 'No match, and a "packet-in" is called for.', 1) : '';
    const node = ctx.trace?.add('table', text, null, rule);
    const level = node ? ctx.trace?.enter(node) : undefined;
    ctx.resubmits++;
    ctx.depth += deepens;
    ctx.rule = rule;
    ctx.cookie = rule.cookie;
    ctx.effects.push({ kind: 'creditRule', rule });
    if (ctx.bridge.mirrors.isOutput(ctx.inPort?.bundle ?? null)) refuseReserved(ctx);
    else if (isApart) runApart(ctx, rule.actions);
    else ctx.steps.actions(ctx, rule.actions, false);
    // The first rule of all stays: the action set is executed in its name.
    if (callerRule !== null || ctx.isPacketOut) {
      ctx.rule = callerRule;
      ctx.cookie = cookie;
    }
    ctx.depth -= deepens;
    if (level) ctx.trace?.leave(level);
  }
  ctx.tableId = tableId;
}

/** A port that mirrors send to takes nothing in. */
function refuseReserved(ctx: XlateContext): void {
  const port = ctx.inPort?.name;
  const why = `dropping packet received on port ${port}, which is reserved exclusively for mirroring`;
  ctx.report(why);
  ctx.drop('drop_port_receive_disabled');
}

/** The rule that takes the flow; null when it is dropped. Moves ctx.tableId on where misses continue. */
function lookup(ctx: XlateContext, mayPacketIn: boolean, honorMiss: boolean): Rule | null {
  const { bridge, flow } = ctx;
  let ports = 0;
  const inPort = flow[OF_IN_PORT];
  if (ctx.lookupPort !== null) flow[OF_IN_PORT] = ctx.lookupPort;
  const isFragment = (flow[ETH_TYPE_PROTO] & FRAG_ANY) !== 0;
  if (isFragment && bridge.fragments === 'drop') {
    flow[OF_IN_PORT] = inPort;
    ctx.lookupPort = null;
    ctx.drop('drop_action_of_pipeline');
    noteDrop(ctx, 'Packets are IP fragments and the fragment handling mode is "drop".', 3);
    return null;
  }
  const hidesPorts = isFragment && bridge.fragments === 'normal';
  if (hidesPorts) {
    ports = flow[TP];
    flow[TP] = 0;
  }
  const pristine = !hidesPorts && isPristine(ctx);
  let rule: Rule | null = null;
  let missed = ctx.tableId >= TABLE_COUNT;
  for (; ctx.tableId < TABLE_COUNT; ctx.tableId++) {
    const table = bridge.tables[ctx.tableId];
    rule = table.lookup(flow, ctx.mask);
    ctx.effects.push({
      kind: 'creditTable',
      table,
      matched: rule !== null,
      inPort: flow[OF_IN_PORT],
      pristine,
    });
    if (rule !== null) break;
    missed = true;
    if (!honorMiss || table.miss !== 'continue') break;
  }
  if (hidesPorts) flow[TP] = ports;
  flow[OF_IN_PORT] = inPort;
  ctx.lookupPort = null;
  if (rule !== null || !missed) return rule;
  const miss = ctx.tableId < TABLE_COUNT && honorMiss ? bridge.tables[ctx.tableId].miss : 'default';
  if (mayPacketIn && asksController(ctx, miss)) {
    return bridge.missRule;
  }
  noteDrop(ctx, 'No match.', 2);
  ctx.drop('drop_action_of_pipeline');
  return null;
}

/** True while the packet has the headers that it came with; what comes back from a recirculation has others. */
function isPristine({ flow, arrived }: XlateContext): boolean {
  if (arrived[RECIRC_ID] !== 0) return false;
  for (let w = 0; w < DP_WORDS; w++) if (flow[w] !== arrived[w]) return false;
  return true;
}

/** A table whose answer is to drop the frame. */
function noteDrop(ctx: XlateContext, why: string, hidden: number): void {
  const { trace } = ctx;
  if (trace === null) return;
  const before = trace.enter(trace.add('table', missText(ctx, why, hidden)));
  trace.add('action', 'drop');
  trace.leave(before);
}

/**
 * Behind a patch port Open vSwitch names the hidden rule that decides (reg0=1, 2 or 3 in its table 254) instead of what that
 * means, and so does this.
 */
function missText(ctx: XlateContext, why: string, hidden: number): string {
  const { trace, bridge, tableId } = ctx;
  const isFirst = trace?.roots[0]?.text === `bridge("${bridge.name}")`;
  return `${pad(tableId)}. ${isFirst ? why : `reg0=0x${hidden}, priority 0`}`;
}

const pad = (table: number): string => String(table).padStart(2);

function asksController(ctx: XlateContext, miss: string): boolean {
  if (miss === 'controller') {
    return ctx.inPort !== null && (ctx.inPort.config & OFPPC_NO_PACKET_IN) === 0;
  }
  return miss === 'default' && ctx.bridge.wantsMissPacketIn;
}

/** resubmit(port,table): the port counts for the lookup only, actions see the one before. */
export function resubmit(ctx: XlateContext, action: ActionOf<'resubmit'>): void {
  const { flow } = ctx;
  const inPort = flow[OF_IN_PORT];
  const table = action.table === null || action.table === 255 ? ctx.tableId : action.table;
  if (action.port === null || action.port === 0xfff8 || action.port === inPort) {
    ctx.steps.table(ctx, table, false, false);
    return;
  }
  // Actions of the rule found see the port that the frame came in on.
  ctx.lookupPort = action.port;
  ctx.steps.table(ctx, table, false, false);
}
