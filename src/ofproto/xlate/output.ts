/** The output actions: to ports, reserved ones included, by queues, cut, or chosen by a hash. */
import type { Action, Subfield } from '../../flowtable/action.ts';
import {
  formatOfPort,
  OFPP_ALL,
  OFPP_CONTROLLER,
  OFPP_FLOOD,
  OFPP_IN_PORT,
  OFPP_LOCAL,
  OFPP_NONE,
  OFPP_NORMAL,
  OFPP_TABLE,
  type OfPort,
  ofPort,
} from '../../flowtable/of-port.ts';
import { OF_IN_PORT, SKB_PRIORITY } from '../../packet/key.ts';
import { OFPPC_NO_FLOOD, OFPPC_NO_FWD } from '../port-flags.ts';
import type { XlateContext } from './context.ts';
import { sendToController } from './controller.ts';
import { consultHash, flowHash, hashTwoWords } from './flow-hash.ts';
import { normal } from './normal.ts';
import { isLive, outputPort } from './output-port.ts';
import { noteSubfield, readSubfield, writeSubfield } from './subfields.ts';

/** The output action. `maxBytes` counts for the controller only. */
export function output(
  ctx: XlateContext,
  port: OfPort,
  maxBytes: number,
  isGroupBucket: boolean,
  mayPacketIn = true,
): void {
  switch (port) {
    case OFPP_IN_PORT:
      outputNumber(ctx, ofPort(ctx.flow[OF_IN_PORT]));
      return;
    case OFPP_TABLE:
      ctx.steps.table(ctx, 0, mayPacketIn, true);
      return;
    case OFPP_NORMAL:
      normal(ctx);
      return;
    case OFPP_FLOOD:
    case OFPP_ALL:
      flood(ctx, port === OFPP_ALL);
      return;
    case OFPP_CONTROLLER:
      sendToController(ctx, {
        maxBytes,
        reason: ctx.isPacketOut
          ? 'packet_out'
          : isGroupBucket
            ? 'group'
            : ctx.isInActionSet
              ? 'action_set'
              : 'action',
        controllerId: 0,
        meterId: null,
        userdata: null,
      });
      return;
    case OFPP_NONE:
      return;
  }
  // Only the reserved number sends a frame back where it came from (OpenFlow 1.3, 4.5).
  if (port === ctx.flow[OF_IN_PORT]) {
    ctx.drop('drop_action_of_pipeline', 'skipping output to input port');
    return;
  }
  outputNumber(ctx, port);
}

function outputNumber(ctx: XlateContext, number: OfPort): void {
  const port = ctx.bridge.port(number);
  if (port === null) ctx.drop('drop_action_of_pipeline', 'Nonexistent output port');
  else outputPort(ctx, port);
}

function flood(ctx: XlateContext, all: boolean): void {
  const inPort = ctx.flow[OF_IN_PORT];
  // One more port may follow each.
  ctx.isLast = false;
  for (const port of ctx.bridge.floodOrder()) {
    if (port.ofPort === inPort) continue;
    if (!all && (port.config & OFPPC_NO_FLOOD) !== 0) continue;
    if (all && (port.config & OFPPC_NO_FWD) !== 0) continue;
    outputPort(ctx, port);
    if (ctx.error !== null) return;
  }
}

/** output(port=,max_len=). A patch port has no place to cut a frame at. */
export function outputTrunc(
  ctx: XlateContext,
  action: Extract<Action, { kind: 'outputTrunc' }>,
): void {
  let number = action.port;
  switch (number) {
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_CONTROLLER:
    case OFPP_NONE:
      ctx.drop(
        'drop_action_of_pipeline',
        `output_trunc does not support port: ${formatOfPort(number)}`,
      );
      return;
    case OFPP_IN_PORT:
      number = ofPort(ctx.flow[OF_IN_PORT]);
      break;
    default:
      if (number !== ctx.flow[OF_IN_PORT]) break;
      ctx.drop('drop_action_of_pipeline', 'skipping output to input port');
      return;
  }
  const port = ctx.bridge.port(number);
  if (port === null || port.patchPeer !== null || port.portNo === null) {
    ctx.report(`output_trunc does not support patch port ${number}`);
    ctx.drop('drop_action_of_pipeline');
    return;
  }
  if ((port.config & OFPPC_NO_FWD) === 0) ctx.program.trunc(action.maxBytes);
  outputPort(ctx, port);
}

export function outputReg(
  ctx: XlateContext,
  src: Subfield,
  maxBytes: number,
  isGroupBucket: boolean,
): void {
  const value = readSubfield(ctx, src);
  if (value > 0xffffn) {
    // A reserved port in the form of OpenFlow 1.1.
    if (value < 0xffffff00n || value > 0xffffffffn) {
      ctx.drop('drop_action_of_pipeline', `output port ${value} is out of range`);
      return;
    }
  }
  ctx.trace?.add('detail', `output port is ${value & 0xffffn}`);
  output(ctx, ofPort(Number(value & 0xffffn)), maxBytes, isGroupBucket, false);
}

/** Output by way of a queue: a priority that holds for this output only. */
export function enqueue(ctx: XlateContext, port: OfPort, queue: number): void {
  const { flow } = ctx;
  let number = port;
  if (port === OFPP_IN_PORT) number = ofPort(flow[OF_IN_PORT]);
  else if (port === flow[OF_IN_PORT]) return;
  const before = flow[SKB_PRIORITY];
  ctx.willWrite(SKB_PRIORITY, 0xffffffff);
  flow[SKB_PRIORITY] = queue;
  outputNumber(ctx, number);
  flow[SKB_PRIORITY] = before;
}

/** Which member bundle() and bundle_load() choose; OFPP_NONE when none is up. */
function chooseMember(ctx: XlateContext, action: Extract<Action, { kind: 'bundle' }>): OfPort {
  const isUp = (port: OfPort): boolean => {
    const found = ctx.bridge.port(port);
    return port === OFPP_LOCAL || (found !== null && isLive(found));
  };
  if (action.algorithm === 'active_backup') return action.members.find(isUp) ?? OFPP_NONE;
  const hash = flowHash(ctx.flow, action.fields, action.basis);
  consultHash(ctx, action.fields);
  let best = -1;
  let chosen = OFPP_NONE;
  for (let i = 0; i < action.members.length; i++) {
    if (!isUp(action.members[i])) continue;
    const weight = hashTwoWords(i, hash);
    if (weight > best) {
      best = weight;
      chosen = action.members[i];
    }
  }
  return chosen;
}

export function bundle(
  ctx: XlateContext,
  action: Extract<Action, { kind: 'bundle' }>,
  isGroupBucket: boolean,
): void {
  const port = chooseMember(ctx, action);
  if (action.dst !== null) {
    writeSubfield(ctx, action.dst, BigInt(port));
    noteSubfield(ctx, action.dst);
  } else output(ctx, port, 0, isGroupBucket);
}
