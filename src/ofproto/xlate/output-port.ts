/**
 * Output to one port. A real port is one action; a patch port means that translation goes on in the peer's bridge, as
 * if the frame had come in there, so that the datapath knows real ports only.
 */
import { SKB_PRIORITY, TOS_TTL } from '../../packet/key.ts';
import type { BridgePort } from '../bridge-port.ts';
import { OFPPC_NO_FWD, OFPPC_PORT_DOWN } from '../port-flags.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';
import { copyTo, enterBridge } from './enter-bridge.ts';
import { endTunnel } from './native-tunnel.ts';
import { setIpWord } from './set-word.ts';
import { outputTunnel } from './tunnel.ts';

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
  else if (port.portNo !== null) {
    const { underlay } = ctx.source;
    if (underlay !== null && endTunnel(ctx, port, underlay, compared)) return;
    ctx.outputTo(port.portNo, compared);
  }
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

/** What is sent through the port arrives: its link is there and nobody set it down. */
export const isLive = (port: BridgePort): boolean =>
  port.isUp && (port.config & OFPPC_PORT_DOWN) === 0;

function enterPeer(ctx: XlateContext, port: BridgePort): void {
  const peer = ctx.source.peerOf(port);
  if (peer === null) {
    ctx.drop('drop_action_bridge_not_found', 'Nonexistent patch port peer, dropping');
    return;
  }
  if (ctx.depth < MAX_DEPTH) ctx.effects.push({ kind: 'creditPatch', from: port, to: peer });
  enterBridge(ctx, peer);
}
