/** TTLs, MPLS label stack entries and PBB headers: what the actions on them do to the flow. */
import type { Action, ActionKind } from '../../flowtable/action.ts';
import { CT_STATE, ETH_TYPE_PROTO, MPLS_LSE, PBB_ISID, TOS_TTL } from '../../packet/key.ts';
import type { Reparse, XlateContext } from './context.ts';
import { sendToController } from './controller.ts';
import {
  clearL3,
  isMpls,
  isMplsEthType,
  lseCount,
  MAX_LABELS,
  popLse,
  pushLse,
} from './mpls-flow.ts';
import { ethTypeOf, isIp } from './subfields.ts';

const ETH_TYPE_PBB = 0x88e7;

/** Actions that do without the headers behind a popped label. */
const WITHOUT_L3: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'output',
  'outputTrunc',
  'enqueue',
  'outputReg',
  'setVlanVid',
  'setVlanPcp',
  'setEthSrc',
  'setEthDst',
  'setTunnel',
  'setQueue',
  'group',
  'note',
  'clearActions',
  'writeActions',
  'writeMetadata',
  'meter',
]);
/** Of these, what does without the Ethernet header, too. */
const WITHOUT_ANY: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'output',
  'outputTrunc',
  'setQueue',
  'setTunnel',
  'note',
  'clearActions',
  'writeActions',
  'writeMetadata',
]);

/** True when the action looks at headers that the flow does not know until the frame is read again. */
export function needsReparse(reparse: Reparse, action: Action): boolean {
  // NORMAL and the tables look at addresses.
  if (action.kind === 'output' && (action.port === 0xfffa || action.port === 0xfff9)) return true;
  if (reparse === 'everything') return !WITHOUT_ANY.has(action.kind);
  if (action.kind === 'setField') return !isBelowL3(action.field.at);
  return !WITHOUT_L3.has(action.kind);
}

/** Bits of the key in front of the L3 words, or metadata. */
const isBelowL3 = (at: number): boolean => at < ETH_TYPE_PROTO * 32 || at >= CT_STATE * 32;

/** True ends the list: the TTL is not valid, and the controllers that want it got the frame. */
export function decTtl(ctx: XlateContext, controllerIds: readonly number[]): boolean {
  const { flow } = ctx;
  if (!isIp(flow)) return false;
  ctx.willWrite(TOS_TTL, 0xff0000);
  ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
  const ttl = (flow[TOS_TTL] >>> 16) & 0xff;
  if (ttl > 1) {
    flow[TOS_TTL] = ((flow[TOS_TTL] & ~0xff0000) | ((ttl - 1) << 16)) >>> 0;
    return false;
  }
  for (const controllerId of controllerIds) invalidTtl(ctx, controllerId);
  const version = flow[ETH_TYPE_PROTO] >>> 16 === 0x0800 ? 4 : 6;
  ctx.trace?.add('warn', `IPv${version} decrement TTL exception`);
  ctx.drop('drop_action_of_pipeline');
  return true;
}

function invalidTtl(ctx: XlateContext, controllerId: number): void {
  sendToController(ctx, {
    maxBytes: 0xffff,
    reason: 'invalid_ttl',
    controllerId,
    meterId: null,
    userdata: null,
  });
}

export function setTtl(ctx: XlateContext, ttl: number): void {
  const { flow } = ctx;
  if (!isIp(flow)) return;
  ctx.willWrite(TOS_TTL, 0xff0000);
  ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
  flow[TOS_TTL] = ((flow[TOS_TTL] & ~0xff0000) | (ttl << 16)) >>> 0;
}

export function decMplsTtl(ctx: XlateContext): boolean {
  const { flow } = ctx;
  if (!isMpls(flow)) return false;
  ctx.mask[MPLS_LSE] |= 0xff;
  const ttl = flow[MPLS_LSE] & 0xff;
  if (ttl > 1) {
    flow[MPLS_LSE] = ((flow[MPLS_LSE] & ~0xff) | (ttl - 1)) >>> 0;
    return false;
  }
  invalidTtl(ctx, 0);
  ctx.drop('drop_action_of_pipeline');
  return true;
}

/** Sets bits of the outermost entry. */
export function setLse(ctx: XlateContext, value: number, bits: number): void {
  const { flow } = ctx;
  if (!isMpls(flow)) return;
  ctx.mask[MPLS_LSE] |= bits;
  flow[MPLS_LSE] = ((flow[MPLS_LSE] & ~bits) | (value & bits)) >>> 0;
}

export function pushMpls(ctx: XlateContext, ethType: number): void {
  const { flow, mask } = ctx;
  const count = lseCount(flow, mask);
  if (count === 0) ctx.commit();
  else if (count >= MAX_LABELS) {
    ctx.fail(
      'drop_action_too_many_mpls_labels',
      `dropping packet on which an MPLS push action can't be performed as it would have more MPLS LSEs than the ${MAX_LABELS} supported.`,
    );
    return;
  }
  if (count > 0) {
    mask.fill(0xffffffff, MPLS_LSE, MPLS_LSE + count);
    pushLse(flow, count, ethType, (flow[MPLS_LSE] & ~0x100) >>> 0);
    return;
  }
  // Label 0, and a TTL only where there is one to copy (OpenFlow 1.3.5, 5.12.2); the class is Open vSwitch's choice.
  let tc = 0;
  let ttl = 0;
  if (isIp(flow)) {
    mask[TOS_TTL] |= 0xfcff0000;
    tc = (flow[TOS_TTL] >>> 26) & 7;
    ttl = (flow[TOS_TTL] >>> 16) & 0xff;
  }
  clearL3(flow);
  pushLse(flow, 0, ethType, ((tc << 9) | 0x100 | ttl) >>> 0);
}

export function popMpls(ctx: XlateContext, ethType: number): void {
  const { flow, mask } = ctx;
  const count = lseCount(flow, mask);
  if (count === 0) return;
  if (count === MAX_LABELS && (flow[MPLS_LSE + count - 1] & 0x100) === 0) {
    ctx.fail(
      'drop_action_too_many_mpls_labels',
      `dropping packet on which an MPLS pop action can't be performed as it has more MPLS LSEs than the ${MAX_LABELS} supported.`,
    );
    return;
  }
  // A label that is only wanted yet has covered headers already: it is pushed, to be popped for real.
  if (!isMpls(ctx.base)) ctx.commit();
  mask.fill(0xffffffff, MPLS_LSE + 1, MPLS_LSE + count);
  popLse(flow, count, ethType);
  // Headers behind the last label, or further entries that did not fit the key, must be read from the frame.
  if (!isMplsEthType(ethType) || count === 1) ctx.reparse = 'behind mpls';
}

/** TTL of the next header to the outermost entry (OpenFlow 1.3.5, 5.12). */
export function copyTtlOut(ctx: XlateContext): void {
  const { flow, mask } = ctx;
  if (!isMpls(flow)) return;
  const count = lseCount(flow, mask);
  if (count > 1) {
    mask[MPLS_LSE + 1] |= 0xff;
    mask[MPLS_LSE] |= 0xff;
    flow[MPLS_LSE] = ((flow[MPLS_LSE] & ~0xff) | (flow[MPLS_LSE + 1] & 0xff)) >>> 0;
    return;
  }
  // The IP header behind the only label is not in the flow: the datapath copies, and the label is read again.
  ctx.commit();
  ctx.program.copyTtlOut();
  ctx.isLossy = true;
  ctx.reparse = 'behind mpls';
}

export function copyTtlIn(ctx: XlateContext): void {
  const { flow, base, mask } = ctx;
  if (!isMpls(flow)) return;
  const count = lseCount(flow, mask);
  ctx.commit();
  ctx.program.copyTtlIn();
  ctx.isLossy = true;
  if (count < 2) return;
  mask[MPLS_LSE] |= 0xff;
  mask[MPLS_LSE + 1] |= 0xff;
  flow[MPLS_LSE + 1] = ((flow[MPLS_LSE + 1] & ~0xff) | (flow[MPLS_LSE] & 0xff)) >>> 0;
  base[MPLS_LSE + 1] = flow[MPLS_LSE + 1];
}

/** A new outer header with the addresses of the frame; tags and everything behind are inside of it. */
export function pushPbb(ctx: XlateContext): void {
  const { flow, base } = ctx;
  const before = ethTypeOf(flow) === ETH_TYPE_PBB ? flow[PBB_ISID] & 0xffffff : 0;
  if (before !== 0 || ethTypeOf(flow) === ETH_TYPE_PBB) ctx.mask[PBB_ISID] |= 0xffffff;
  ctx.commit();
  ctx.program.pushPbb(before);
  ctx.isLossy = true;
  clearL3(flow);
  flow.fill(0, MPLS_LSE, MPLS_LSE + MAX_LABELS);
  flow[ETH_TYPE_PROTO] = (ETH_TYPE_PBB << 16) >>> 0;
  flow[PBB_ISID] = (before | 0x80000000) >>> 0;
  ctx.vlans.bury();
  base.set(flow.subarray(0, CT_STATE));
}

export function popPbb(ctx: XlateContext): void {
  const { flow } = ctx;
  if (ethTypeOf(flow) !== ETH_TYPE_PBB) return;
  ctx.commit();
  ctx.program.popPbb();
  ctx.isLossy = true;
  ctx.reparse = 'everything';
}
