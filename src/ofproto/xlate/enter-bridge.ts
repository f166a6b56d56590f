/**
 * Translation in another bridge: what comes out of a patch port, or leaves by a bridge's local port, arrives there by a port, and
 * nothing of the state of the pipeline so far counts.
 */
import { OFPP_UNSET } from '../../flowtable/of-port.ts';
import {
  ACTSET_OUTPUT,
  DP_WORDS,
  FLOW_WORDS,
  METADATA,
  OF_IN_PHY_PORT,
  OF_IN_PORT,
  REG,
  TUN_ID,
  TUN_METADATA_PRESENT,
} from '../../packet/key.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Bundle } from '../bundle.ts';
import type { Mirror } from '../mirrors.ts';
import { OFPPC_NO_RECV } from '../port-flags.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';
import { finishFreezing } from './freeze.ts';

/** reg0..reg15; with the two words of metadata they are private to a bridge. */
const REG_WORDS = 16;

/** Copies a frame that came in to the mirrors of its port. */
export function mirrorArriving(ctx: XlateContext): void {
  const { mirrors } = ctx.bridge;
  const bundle = mirrors.isEmpty ? null : ctx.inPort?.bundle;
  if (bundle && !mirrors.isOutput(bundle)) copyTo(ctx, bundle, mirrors.ofSource(bundle));
}

/** Copies the frame to those mirrors that have not had it. */
export function copyTo(ctx: XlateContext, bundle: Bundle, mirrors: readonly Mirror[]): void {
  if (mirrors.some((m) => !ctx.mirrored.includes(m.destination))) {
    const { isLast } = ctx;
    ctx.isLast = false;
    ctx.steps.mirror(ctx, bundle, mirrors);
    ctx.isLast = isLast;
  }
}

/** False when frames from the port are ignored. A port that is down has none. */
export const mayReceive = (port: BridgePort): boolean => (port.config & OFPPC_NO_RECV) === 0;

/** Runs the pipeline of the port's bridge for the frame, as one that came in there; the frame is what it was afterwards. */
export function enterBridge(ctx: XlateContext, peer: BridgePort): void {
  if (ctx.depth >= MAX_DEPTH) {
    ctx.fail('drop_action_recursion_too_deep', `over max translation depth ${MAX_DEPTH}`);
    return;
  }
  const saved = ctx.save();
  const { bridge, inPort, tableId, rule, cookie, stack, stackBytes, flow } = ctx;
  const { actionSet, actionSetHasGroup, isInActionSet, isInGroup } = ctx;
  ctx.bridge = peer.bridge;
  ctx.inPort = peer;
  ctx.stack = null;
  ctx.stackBytes = 0;
  ctx.actionSet = [];
  ctx.actionSetHasGroup = false;
  ctx.isInActionSet = false;
  ctx.isInGroup = false;
  ctx.conntracked = false;
  flow[OF_IN_PORT] = flow[OF_IN_PHY_PORT] = peer.ofPort;
  flow[ACTSET_OUTPUT] = OFPP_UNSET;
  flow.fill(0, METADATA, METADATA + 2);
  flow.fill(0, REG, REG + REG_WORDS);
  flow.fill(0, TUN_ID, DP_WORDS);
  flow.fill(0, TUN_METADATA_PRESENT, FLOW_WORDS);
  ctx.tunnelCleared = true;
  const node = ctx.trace?.add('bridge', `bridge("${peer.bridge.name}")`);
  const level = node ? ctx.trace?.enter(node) : undefined;
  ctx.depth++;
  ctx.tableId = 0;
  if (mayReceive(peer)) {
    const run = (): void => {
      mirrorArriving(ctx);
      ctx.steps.table(ctx, 0, true, true, true);
      if (ctx.freezing) finishFreezing(ctx);
    };
    if (ctx.isLast) run();
    else ctx.undoably(run);
  }
  ctx.depth--;
  if (level) ctx.trace?.leave(level);
  Object.assign(ctx, { bridge, inPort, tableId, rule, cookie, stack, stackBytes });
  Object.assign(ctx, { actionSet, actionSetHasGroup, isInActionSet, isInGroup });
  ctx.restore(saved);
  // The end of the other bridge's lists is not the end of this one's.
  ctx.exit = false;
  ctx.error = isLimit(ctx) ? ctx.error : null;
}

/** Errors of a peer stay its own, but limits of the whole translation end it. */
const isLimit = (ctx: XlateContext): boolean =>
  ctx.error === 'drop_action_too_many_resubmit' || ctx.error === 'drop_action_recursion_too_deep';
