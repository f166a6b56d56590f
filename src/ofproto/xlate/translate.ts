/**
 * Translation (xlate): from a flow, through the tables of its bridge and of those that patch ports lead to,
 * to a datapath program and the bits that the answer depends on.
 *
 * It reads tables and changes nothing; what ought to happen besides is a list of effects. (Numbers of frozen states
 * are given out on the way, equal ones for equal states, which nobody can tell from reading.) Flows that are equal
 * under `mask` get the same program: megaflows and revalidation rest on that, and test/ofproto/unwildcard.test.ts
 * checks it.
 */
import type { DropReason } from '../../datapath/drop-reason.ts';
import { dropIndex } from '../../datapath/drop-reason.ts';
import { ProgramBuilder } from '../../datapath/program.ts';
import type { Action } from '../../flowtable/action.ts';
import {
  ACTSET_OUTPUT,
  ETH_TYPE_PROTO,
  FLOW_WORDS,
  IN_PORT,
  MPLS_LSE,
  OF_IN_PORT,
  PACKET_TYPE,
  PBB_ISID,
  RECIRC_ID,
  TP,
  TUN_DST,
  TUN_METADATA_PRESENT,
  TUN_OPTIONS,
  TUN_OPTIONS_LENGTH,
  VLAN_CFI,
  VLAN0,
  VLAN1,
} from '../../packet/key.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import { type FrozenState, thawed } from '../recirc-table.ts';
import { executeActionSet } from './action-set.ts';
import { STEPS } from './actions.ts';
import { stackedBytes, XlateContext, XlateScratch, type XlateSource } from './context.ts';
import type { Effect } from './effect.ts';
import { mayReceive, mirrorArriving } from './enter-bridge.ts';
import { finishFreezing } from './freeze.ts';
import { slowReasons } from './slow-path.ts';
import type { Trace } from './trace.ts';
import { consultReceived, decapsulateEcn } from './tunnel.ts';

export interface Translation {
  readonly program: Int32Array;
  /** Why the datapath is not to run it (SlowPath bits): slow-path.ts. 0 when it is. */
  readonly slow: number;
  /** Datapath's number of the meter for frames of the slow path; null for none. */
  readonly slowMeter: number | null;
  /**
   * FLOW_WORDS words; what lies above DP_WORDS never reaches the datapath. It belongs to the scratch memory:
   * valid until that is used again.
   */
  readonly mask: Uint32Array;
  /** Bits of the outer tag that were looked at: `mask` has all of them when none was. */
  readonly tagBits: number;
  readonly effects: readonly Effect[];
  /** Numbers of frozen states that the program names. */
  readonly recircIds: readonly number[];
  /** Why nothing is sent; null when something is. */
  readonly dropReason: DropReason | null;
}

const ETH_TYPE_IPV4 = 0x0800;
const ETH_TYPE_IPV6 = 0x86dd;
const NO_IDS: readonly number[] = [];

/** `flow` has FLOW_WORDS words, of which [0, DP_WORDS) came from the datapath. `trace` receives the way taken. */
export function translate(
  source: XlateSource,
  flow: Uint32Array,
  trace: Trace | null = null,
  scratch = new XlateScratch(),
): Translation {
  const port = source.portOf(flow);
  if (flow[RECIRC_ID] !== 0) {
    const state = source.thaw(flow[RECIRC_ID]);
    if (state === null) return dropped(flow, 'drop_action_no_recirculation_context');
    return resume(source, flow, state, trace, scratch);
  }
  if (port === null) {
    const isTunnel = source.isTunnelIn(flow[IN_PORT]);
    return dropped(
      flow,
      isTunnel ? 'datapath_drop_invalid_tnl_port' : 'datapath_drop_invalid_port',
      isTunnel,
    );
  }
  return translateIn(source, flow, port.bridge, port, trace, scratch);
}

/** Translation in a bridge that is known, from any port of it or none; `flow` holds the OpenFlow in_port then. */
export function translateIn(
  source: XlateSource,
  flow: Uint32Array,
  bridge: Bridge,
  port: BridgePort | null,
  trace: Trace | null = null,
  scratch = new XlateScratch(),
): Translation {
  const ctx = new XlateContext(source, STEPS, flow, bridge, port, trace, scratch, false);
  const node = trace?.add('bridge', `bridge("${bridge.name}")`);
  const level = node ? trace?.enter(node) : undefined;
  if (port?.tunnel && source.isTunnelIn(flow[IN_PORT])) {
    consultReceived(flow, ctx.mask);
    ctx.effects.push({ kind: 'creditTunnel', port, direction: 'rx' });
  }
  if (!takeOptions(ctx)) {
    // Dropped.
  } else if (port?.tunnel && !decapsulateEcn(ctx)) {
    const why = 'dropping tunnel packet marked ECN CE but is not ECN capable';
    ctx.drop('datapath_drop_tunnel_pop_error', why);
  } else if (port === null || mayReceive(port)) {
    mirrorArriving(ctx);
    STEPS.table(ctx, 0, true, true);
    end(ctx);
  } else ctx.drop('drop_port_receive_disabled');
  if (level) trace?.leave(level);
  return finish(ctx, flow);
}

/** Translation of a packet-out: its own actions, from any port or none. Nothing is cached of it. */
export function translatePacketOut(
  source: XlateSource,
  flow: Uint32Array,
  bridge: Bridge,
  inPort: BridgePort | null,
  actions: readonly Action[],
  trace: Trace | null = null,
  scratch = new XlateScratch(),
): Translation {
  const inNumber = flow[OF_IN_PORT];
  const ctx = new XlateContext(source, STEPS, flow, bridge, inPort, trace, scratch, true);
  if (inPort === null) ctx.flow[OF_IN_PORT] = inNumber;
  const node = trace?.add('bridge', `bridge("${bridge.name}")`);
  const level = node ? trace?.enter(node) : undefined;
  mirrorArriving(ctx);
  STEPS.actions(ctx, actions, false);
  end(ctx);
  if (level) trace?.leave(level);
  return finish(ctx, flow);
}

/** Goes on with a frozen translation: by the frame coming back, or by a controller's resume. */
export function resume(
  source: XlateSource,
  flow: Uint32Array,
  state: FrozenState,
  trace: Trace | null = null,
  scratch = new XlateScratch(),
): Translation {
  const pipeline = thawed(state, flow);
  const inPort = state.bridge.port(pipeline[OF_IN_PORT] as never);
  const ctx = new XlateContext(source, STEPS, pipeline, state.bridge, null, trace, scratch, false);
  ctx.inPort = inPort;
  ctx.flow[ACTSET_OUTPUT] = pipeline[ACTSET_OUTPUT];
  ctx.tableId = state.tableId;
  ctx.cookie = state.cookie;
  for (const entry of state.stack) {
    ctx.stack = { ...entry, below: ctx.stack };
    ctx.stackBytes += stackedBytes(entry.bits);
  }
  ctx.actionSet = state.actionSet.slice();
  ctx.actionSetHasGroup = state.actionSet.some((a) => a.kind === 'group');
  ctx.conntracked = state.conntracked;
  ctx.tunnelCleared = state.tunnelCleared;
  ctx.mirrored = state.mirrored;
  // Fields of options that were written before are so still.
  for (const word of state.words) if (word >= TUN_METADATA_PRESENT) ctx.written[word] = 0xffffffff;
  const root = trace?.add('bridge', `bridge("${state.bridge.name}")`);
  const outer = root ? trace?.enter(root) : undefined;
  if (trace !== null) noteThaw(trace, state);
  if (state.segments.length === 0 && state.packetIn === null) {
    // Frozen in front of a lookup.
    STEPS.table(ctx, state.tableId, true, true);
  }
  for (let i = 0; i < state.segments.length; i++) {
    const segment = state.segments[i];
    ctx.tableId = segment.tableId;
    ctx.rule = segment.rule;
    ctx.cookie = segment.rule?.cookie ?? state.cookie;
    ctx.isLast = i === state.segments.length - 1;
    STEPS.actions(ctx, segment.actions, false);
    if (!ctx.exit) continue;
    if (ctx.freezing) ctx.frozen.push(...state.segments.slice(i + 1));
    break;
  }
  end(ctx);
  if (outer) trace?.leave(outer);
  return finish(ctx, flow);
}

/** Fields of the options that the frame came with. False, having failed the translation, when they are no good. */
function takeOptions(ctx: XlateContext): boolean {
  if (ctx.flow[TUN_OPTIONS_LENGTH] === 0 || ctx.tlvTable.optionsToFields(ctx.flow)) return true;
  // All heads were looked at.
  ctx.mask[TUN_METADATA_PRESENT] = 0xffffffff;
  ctx.fail('drop_action_invalid_tunnel_metadata', 'Invalid Geneve tunnel metadata');
  return false;
}

function noteThaw(trace: Trace, state: FrozenState): void {
  const before = trace.enter(trace.add('thaw', 'thaw'));
  trace.add('thaw', `Resuming from table ${state.tableId}`);
  const { actionSet, segments } = state;
  if (actionSet.length > 0) trace.addActions('thaw', 'Restoring action set', actionSet);
  const actions = segments.flatMap((segment) => segment.actions);
  if (actions.length > 0) trace.addActions('thaw', 'Restoring actions', actions);
  trace.leave(before);
}

/** The end of the pipeline: the action set, or the recirculation in front of what is left. */
function end(ctx: XlateContext): void {
  if (!ctx.freezing) executeActionSet(ctx);
  if (ctx.freezing) finishFreezing(ctx);
}

function finish(ctx: XlateContext, flow: Uint32Array): Translation {
  const { program, dropReason } = ctx.finish();
  const tagBits = ctx.mask[VLAN0];
  finishMask(flow, ctx.mask);
  finishOptions(flow, ctx);
  const recircIds = ctx.recircIds.length > 0 ? ctx.recircIds : NO_IDS;
  const slow = dropReason === null ? ctx.slow | slowReasons(program, flow) : 0;
  const slowMeter = slow === 0 ? null : ctx.bridge.slowPathMeter();
  const { mask, effects } = ctx;
  return { program, slow, slowMeter, mask, tagBits, effects, recircIds, dropReason };
}

function dropped(flow: Uint32Array, dropReason: DropReason, isTunnel = false): Translation {
  const mask = new Uint32Array(FLOW_WORDS);
  if (isTunnel) consultReceived(flow, mask);
  finishMask(flow, mask);
  const builder = new ProgramBuilder();
  builder.drop(dropIndex(dropReason));
  return {
    program: builder.take(),
    slow: 0,
    slowMeter: null,
    mask,
    tagBits: 0,
    effects: [],
    recircIds: NO_IDS,
    dropReason,
  };
}

/** The length counts for whatever came through a tunnel, since an option that must be understood would be a drop. */
function finishOptions(flow: Uint32Array, { mask, tlvTable }: XlateContext): void {
  if (flow[TUN_OPTIONS_LENGTH] !== 0 || flow[TUN_DST] !== 0) mask[TUN_OPTIONS_LENGTH] = 0xffffffff;
  // A bit of the first option: all heads were consulted (consultPresent), whether or not there are any.
  let any = mask[TUN_OPTIONS];
  mask[TUN_OPTIONS] = 0;
  for (let w = TUN_METADATA_PRESENT; w < FLOW_WORDS; w++) any |= mask[w];
  if (any !== 0) tlvTable.maskToOptions(flow, mask);
}

/** Labels and service ids that a frame does not have are 0, whatever looked at them. */
function finishHeaders(ethType: number, mask: Uint32Array): void {
  if (ethType !== 0x8847 && ethType !== 0x8848) mask.fill(0, MPLS_LSE, MPLS_LSE + 3);
  if (ethType !== 0x88e7) mask[PBB_ISID] = 0;
}

/** Bits that always count, as Open vSwitch has them: a datapath flow cannot be written down without them. */
function finishMask(flow: Uint32Array, mask: Uint32Array): void {
  mask[IN_PORT] = mask[RECIRC_ID] = mask[PACKET_TYPE] = 0xffffffff;
  const ethType = flow[ETH_TYPE_PROTO] >>> 16;
  finishHeaders(ethType, mask);
  const fragment = ethType === ETH_TYPE_IPV4 || ethType === ETH_TYPE_IPV6 ? 0x3 : 0;
  mask[ETH_TYPE_PROTO] = (mask[ETH_TYPE_PROTO] | 0xffff0000 | fragment) >>> 0;
  // Types and codes of ICMP have eight bits each in a frame, and no more count.
  const proto = (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
  const isIcmp =
    (ethType === ETH_TYPE_IPV4 && proto === 1) || (ethType === ETH_TYPE_IPV6 && proto === 58);
  if (isIcmp) mask[TP] &= 0x00ff00ff;
  // The outer TPID is the frame's Ethernet type. A tag that nobody looked at is matched whole, because
  // "no tag or any tag" has no text.
  const tci = mask[VLAN0] & 0xffff;
  mask[VLAN0] = (0xffff0000 | (tci === 0 ? 0xffff : tci | VLAN_CFI)) >>> 0;
  if (mask[VLAN1] !== 0) mask[VLAN1] = (mask[VLAN1] | 0xffff0000 | VLAN_CFI) >>> 0;
}
