/**
 * Freezing: a translation that cannot go on without reading the frame again stops here. What is left of each list of
 * actions is collected on the way out, interned as a state, and the program ends in a recirculation with its number.
 */
import type { Action } from '../../flowtable/action.ts';
import {
  DP_WORDS,
  FLOW_WORDS,
  TUN_ID,
  TUN_METADATA_PRESENT,
  TUN_OPTIONS_LENGTH,
} from '../../packet/key.ts';
import type { FrozenPacketIn, FrozenState, StackEntry } from '../recirc-table.ts';
import type { XlateContext } from './context.ts';

/** First of the words that are not read from the frame itself. */
const PIPELINE_WORDS = DP_WORDS;

/** Ends the lists of actions under way; callers collect what they have left with `keepRest`. */
export function triggerFreeze(ctx: XlateContext): void {
  ctx.exit = true;
  ctx.freezing = true;
}

/** Keeps the actions from `from` on, innermost list first. */
export function keepRest(ctx: XlateContext, actions: readonly Action[], from: number): void {
  if (from >= actions.length) return;
  ctx.frozen.push({ tableId: ctx.tableId, rule: ctx.rule, actions: actions.slice(from) });
}

/** Whether the pipeline has changed a word of the tunnel: which, with what it left as it was, depends on the whole word. */
function isSet({ flow, arrived, written, mask }: XlateContext, word: number): boolean {
  if (written[word] === 0) return false;
  mask[word] = 0xffffffff;
  return flow[word] !== arrived[word];
}

export function stateOf(ctx: XlateContext, packetIn: FrozenPacketIn | null): FrozenState {
  const { flow } = ctx;
  const words: number[] = [];
  const values: number[] = [];
  // Tunnel fields that the pipeline set are not in the frame's key; the others are.
  for (let w = TUN_ID; w < DP_WORDS; w++) {
    if (ctx.tunnelCleared ? flow[w] === 0 : !isSet(ctx, w)) continue;
    words.push(w);
    values.push(flow[w]);
  }
  const hasOptions = flow[TUN_OPTIONS_LENGTH] !== 0 && !ctx.tunnelCleared;
  for (let w = PIPELINE_WORDS; w < FLOW_WORDS; w++) {
    // Options that the frame comes with become fields again.
    if (w >= TUN_METADATA_PRESENT && hasOptions ? !isSet(ctx, w) : flow[w] === 0) continue;
    words.push(w);
    values.push(flow[w]);
  }
  return {
    bridge: ctx.bridge,
    // A pause is in no table any more.
    tableId: packetIn?.pause ? 0 : ctx.tableId,
    cookie: ctx.cookie,
    words,
    values,
    stack: stackOf(ctx),
    actionSet: ctx.actionSet.slice(),
    tunnelCleared: ctx.tunnelCleared,
    segments: packetIn === null || packetIn.pause ? ctx.frozen : [],
    conntracked: ctx.conntracked,
    mirrored: ctx.mirrored,
    packetIn,
  };
}

/** Bottom first. */
function stackOf(ctx: XlateContext): StackEntry[] {
  const entries: StackEntry[] = [];
  for (let e = ctx.stack; e !== null; e = e.below) entries.push({ value: e.value, bits: e.bits });
  return entries.reverse();
}

/** Interns a state; 0 after failing the translation. */
export function freezeState(ctx: XlateContext, state: FrozenState): number {
  const id = ctx.source.freeze(state);
  if (id === 0) ctx.fail('drop_action_no_recirculation_context', 'no recirculation id left');
  else if (!ctx.recircIds.includes(id)) ctx.recircIds.push(id);
  return id;
}

/** Writes the recirculation and goes back to the state of not freezing. */
export function finishFreezing(ctx: XlateContext): void {
  ctx.commit();
  const { pause } = ctx;
  if (pause !== null) {
    ctx.pause = null;
    ctx.steps.pause(ctx, pause);
  } else {
    const id = freezeState(ctx, stateOf(ctx, null));
    if (id !== 0) {
      if (ctx.freezeHash !== null) ctx.program.hash(ctx.freezeHash.kind, ctx.freezeHash.basis);
      ctx.restoreTunnel();
      ctx.program.recirc(id);
      ctx.checkSize();
    }
  }
  cancelFreezing(ctx);
}

function cancelFreezing(ctx: XlateContext): void {
  ctx.exit = false;
  ctx.freezing = false;
  ctx.frozen = [];
  ctx.freezeHash = null;
}
