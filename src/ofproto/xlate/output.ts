/**
 * Output to one port of the current bridge. A real port is one action; a patch port means that translation
 * goes on in the peer's bridge, as if the frame had come in there, so that the datapath knows real ports
 * only.
 */
import { METADATA, OF_IN_PORT, REG } from '../../packet/key.ts';
import type { BridgePort } from '../bridge-port.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';

/** registers reg0..reg15 and the two words of metadata are private to a bridge. */
const REG_WORDS = 16;

/** `compared`: the tags wanted were derived from more than one tag, see XlateContext.commit. */
export function outputPort(ctx: XlateContext, port: BridgePort, compared = false): void {
  if (port.portNo !== null) ctx.outputTo(port.portNo, compared);
  else if (port.patchPeer !== null) enterPeer(ctx, port);
  else ctx.drop('drop_action_of_pipeline', ' >> output to a port without device, dropping');
}

function enterPeer(ctx: XlateContext, port: BridgePort): void {
  const peer = ctx.source.peerOf(port);
  if (peer === null) {
    ctx.drop('drop_action_bridge_not_found', ' >> nonexistent patch port peer, dropping');
    return;
  }
  if (ctx.depth >= MAX_DEPTH) {
    ctx.fail('drop_action_recursion_too_deep');
    return;
  }
  ctx.effects.push({ kind: 'creditPatch', from: port, to: peer });
  const { inPort, tags, flow } = ctx;
  const saved = flow.slice();
  ctx.inPort = peer;
  flow[OF_IN_PORT] = peer.ofPort;
  flow.fill(0, METADATA, METADATA + 2);
  flow.fill(0, REG, REG + REG_WORDS);
  ctx.depth++;
  ctx.note?.(`bridge("${peer.bridge.name}")`);
  ctx.enterTable(ctx, 0);
  ctx.depth--;
  ctx.inPort = inPort;
  flow.set(saved);
  ctx.setTags(tags);
}
