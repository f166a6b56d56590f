/**
 * Output to one port. A real port is one action; a patch port means that translation goes on in the peer's bridge, as
 * if the frame had come in there, so that the datapath knows real ports only.
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
  SKB_PRIORITY,
  TOS_TTL,
  TUN_ID,
  TUN_METADATA_PRESENT,
} from '../../packet/key.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Bundle } from '../bundle.ts';
import type { Mirror } from '../mirrors.ts';
import { OFPPC_NO_FWD, OFPPC_NO_RECV, OFPPC_PORT_DOWN } from '../port-flags.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';
import { finishFreezing } from './freeze.ts';
import { setIpWord } from './set-word.ts';
import { outputTunnel } from './tunnel.ts';

/** reg0..reg15; with the two words of metadata they are private to a bridge. */
const REG_WORDS = 16;

/** `compared`: the tags wanted were derived from more than one tag, see XlateContext.commit. */
export function outputPort(ctx: XlateContext, port: BridgePort, compared = false): void {
  if ((port.config & OFPPC_NO_FWD) !== 0) {
    ctx.drop('drop_action_forwarding_disabled', 'OFPPC_NO_FWD set, skipping output');
  } else if (port.portNo !== null || port.patchPeer !== null) {
    const { bundle } = port;
    const mirrors = bundle === null ? [] : ctx.bridge.mirrors.ofDestination(bundle);
    // Their copies follow.
    if (mirrors.length > 0) ctx.isLast = false;
    if (port.portNo === null) enterPeer(ctx, port);
    else if (port.queueDscp.size > 0) outputMarked(ctx, port, compared);
    else outputReal(ctx, port, compared);
    if (bundle !== null) copyTo(ctx, bundle, mirrors);
  } else ctx.drop('drop_action_of_pipeline', 'output to a port without device, dropping');
}

function outputReal(ctx: XlateContext, port: BridgePort, compared: boolean): void {
  if (port.tunnel !== null) outputTunnel(ctx, port, compared);
  else if (port.portNo !== null) ctx.outputTo(port.portNo, compared);
}

/** Output by a queue that may have a DSCP, which holds for this output only. */
function outputMarked(ctx: XlateContext, port: BridgePort, compared: boolean): void {
  const { flow } = ctx;
  const before = flow[TOS_TTL];
  ctx.mask[SKB_PRIORITY] = 0xffffffff;
  const dscp = port.queueDscp.get(flow[SKB_PRIORITY]);
  if (dscp !== undefined) setIpWord.tos(ctx, dscp << 2, 0xfc);
  outputReal(ctx, port, compared);
  flow[TOS_TTL] = before;
}

/** Copies a frame that came in to the mirrors of its port. */
export function mirrorArriving(ctx: XlateContext): void {
  const { mirrors } = ctx.bridge;
  const bundle = mirrors.isEmpty ? null : ctx.inPort?.bundle;
  if (bundle && !mirrors.isOutput(bundle)) copyTo(ctx, bundle, mirrors.ofSource(bundle));
}

function copyTo(ctx: XlateContext, bundle: Bundle, mirrors: readonly Mirror[]): void {
  if (mirrors.some((m) => !ctx.mirrored.includes(m.destination))) {
    const { isLast } = ctx;
    ctx.isLast = false;
    ctx.steps.mirror(ctx, bundle, mirrors);
    ctx.isLast = isLast;
  }
}

/** What is sent through the port arrives: its link is there and nobody set it down. */
export const isLive = (port: BridgePort): boolean =>
  port.isUp && (port.config & OFPPC_PORT_DOWN) === 0;

/** False when frames from the port are ignored. A port that is down has none. */
export const mayReceive = (port: BridgePort): boolean => (port.config & OFPPC_NO_RECV) === 0;

function enterPeer(ctx: XlateContext, port: BridgePort): void {
  const peer = ctx.source.peerOf(port);
  if (peer === null) {
    ctx.drop('drop_action_bridge_not_found', 'Nonexistent patch port peer, dropping');
    return;
  }
  if (ctx.depth >= MAX_DEPTH) {
    ctx.fail('drop_action_recursion_too_deep', `over max translation depth ${MAX_DEPTH}`);
    return;
  }
  ctx.effects.push({ kind: 'creditPatch', from: port, to: peer });
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
