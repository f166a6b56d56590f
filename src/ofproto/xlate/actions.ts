/**
 * The action table: one function per kind of action. A new kind is a line here and a file beside this one;
 * the type of TABLE makes the compiler ask for it.
 */
import { SlowPath } from '../../datapath/program.ts';
import type { Action, ActionKind, ActionOf } from '../../flowtable/action.ts';
import {
  ETH_TYPE_PROTO,
  METADATA,
  SKB_PRIORITY,
  TUN_ID,
  VLAN_CFI,
  VLAN0,
} from '../../packet/key.ts';
import { clearActions, executeActionSet, writeActions } from './action-set.ts';
import { cloneActions } from './clone.ts';
import type { XlateContext, XlateSteps } from './context.ts';
import { pauseForController, sendToController } from './controller.ts';
import {
  checkPktLarger,
  deleteField,
  load,
  move,
  multipath,
  pop,
  push,
  setField,
} from './field-actions.ts';
import { keepRest, triggerFreeze } from './freeze.ts';
import { runGroup } from './group-select.ts';
import {
  copyTtlIn,
  copyTtlOut,
  decMplsTtl,
  decTtl,
  needsReparse,
  popMpls,
  popPbb,
  pushMpls,
  pushPbb,
  setLse,
  setTtl,
} from './header-actions.ts';
import { learn } from './learn.ts';
import { mirrorFrame } from './mirror.ts';
import { normal } from './normal.ts';
import { bundle, enqueue, output, outputReg, outputTrunc } from './output.ts';
import { sample } from './sample.ts';
import { setIpWord, setTpWords, setWord } from './set-word.ts';
import { resubmit, translateTable } from './table.ts';

/** The answer true ends the list that the action stands in; any other is nothing. */
type Translate<K extends ActionKind> = (
  ctx: XlateContext,
  action: ActionOf<K>,
  isGroupBucket: boolean,
) => unknown;

const TABLE: { readonly [K in ActionKind]: Translate<K> } = {
  normal: (ctx) => normal(ctx),
  output: (ctx, a, isGroupBucket) => output(ctx, a.port, a.maxBytes, isGroupBucket),
  outputTrunc: (ctx, a) => outputTrunc(ctx, a),
  outputReg: (ctx, a, isGroupBucket) => outputReg(ctx, a.src, a.maxBytes, isGroupBucket),
  enqueue: (ctx, a) => enqueue(ctx, a.port, a.queue),
  controller: (ctx, a) => {
    if (!a.pause) return void sendToController(ctx, a);
    ctx.pause = a;
    triggerFreeze(ctx);
  },
  bundle: (ctx, a, isGroupBucket) => bundle(ctx, a, isGroupBucket),
  group: (ctx, a) => runGroup(ctx, a.groupId),

  setVlanVid: (ctx, a) => setTag(ctx, 0x0fff, a.vid, a.pushIfNeeded),
  setVlanPcp: (ctx, a) => setTag(ctx, 0xe000, a.pcp << 13, a.pushIfNeeded),
  stripVlan: (ctx) => ctx.vlans.popTag(),
  pushVlan: (ctx, a) => ctx.vlans.pushTag(a.ethType),

  setEthSrc: (ctx, a) => setWord.ethSrc(ctx, a.mac),
  setEthDst: (ctx, a) => setWord.ethDst(ctx, a.mac),
  setIpv4Src: (ctx, a) => setIpWord.source(ctx, a.address),
  setIpv4Dst: (ctx, a) => setIpWord.destination(ctx, a.address),
  setIpTos: (ctx, a) => setIpWord.tos(ctx, a.tos, 0xfc),
  setIpEcn: (ctx, a) => setIpWord.tos(ctx, a.ecn, 0x03),
  setIpTtl: (ctx, a) => setTtl(ctx, a.ttl),
  setTpSrc: (ctx, a) => setTpWords(ctx, a.port << 16, 0xffff0000),
  setTpDst: (ctx, a) => setTpWords(ctx, a.port, 0xffff),

  setField: (ctx, a) => setField(ctx, a),
  load: (ctx, a) => load(ctx, a),
  move: (ctx, a) => move(ctx, a),
  push: (ctx, a) => push(ctx, a.src),
  pop: (ctx, a) => pop(ctx, a.dst),
  deleteField: (ctx, a) => deleteField(ctx, a.field),
  multipath: (ctx, a) => multipath(ctx, a),
  // The rest of the list is translated twice, by translateActions.
  checkPktLarger: () => true,

  decTtl: (ctx, a) => decTtl(ctx, a.controllerIds),
  copyTtlOut: (ctx) => copyTtlOut(ctx),
  copyTtlIn: (ctx) => copyTtlIn(ctx),
  setMplsLabel: (ctx, a) => setLse(ctx, a.label << 12, 0xfffff000),
  setMplsTc: (ctx, a) => setLse(ctx, a.tc << 9, 0xe00),
  setMplsTtl: (ctx, a) => setLse(ctx, a.ttl, 0xff),
  decMplsTtl: (ctx) => decMplsTtl(ctx),
  pushMpls: (ctx, a) => pushMpls(ctx, a.ethType),
  popMpls: (ctx, a) => popMpls(ctx, a.ethType),
  pushPbb: (ctx) => pushPbb(ctx),
  popPbb: (ctx) => popPbb(ctx),
  decNshTtl: (ctx) => unsupported(ctx, 'dec_nsh_ttl'),
  encap: (ctx) => unsupported(ctx, 'encap'),
  decap: (ctx) => unsupported(ctx, 'decap'),

  setTunnel: (ctx, a) => {
    ctx.written.fill(0xffffffff, TUN_ID, TUN_ID + 2);
    ctx.flow[TUN_ID] = Number(a.id >> 32n);
    ctx.flow[TUN_ID + 1] = Number(a.id & 0xffffffffn);
  },
  setQueue: (ctx, a) => {
    ctx.willWrite(SKB_PRIORITY, 0xffffffff);
    ctx.flow[SKB_PRIORITY] = a.queue;
  },
  popQueue: (ctx) => {
    ctx.willWrite(SKB_PRIORITY, 0xffffffff);
    ctx.flow[SKB_PRIORITY] = ctx.arrived[SKB_PRIORITY];
    ctx.trace?.add('detail', `queue = ${ctx.flow[SKB_PRIORITY]}`);
  },
  finTimeout: (ctx, a) => {
    ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
    if (ctx.rule === null) return;
    const { idleSeconds, hardSeconds } = a;
    ctx.effects.push({ kind: 'finTimeout', rule: ctx.rule, idleSeconds, hardSeconds });
  },

  resubmit: (ctx, a) => resubmit(ctx, a),
  learn: (ctx, a) => learn(ctx, a),
  conjunction: (ctx) => ctx.report('executing no-op conjunction action'),
  clone: (ctx, a) => cloneActions(ctx, a.actions),
  // Connection tracking comes later: until then its frames are dropped and counted.
  ct: (ctx) => unsupported(ctx, 'ct'),
  ctClear: () => undefined,
  nat: () => undefined,
  sample: (ctx, a) => sample(ctx, a),
  note: () => undefined,
  debugRecirc: (ctx) => triggerFreeze(ctx),
  debugSlow: (ctx) => {
    ctx.slow |= SlowPath.ACTION;
  },
  exit: (ctx) => {
    ctx.exit = true;
  },
  drop: (ctx) => ctx.drop('drop_action_of_pipeline'),

  meter: (ctx, a) => {
    const id = ctx.bridge.meters.datapathId(a.meterId);
    if (id === null) return;
    ctx.commit();
    ctx.program.meter(id);
    ctx.isLossy = true;
  },
  clearActions: (ctx) => clearActions(ctx),
  writeActions: (ctx, a) => writeActions(ctx, a.actions),
  writeMetadata: (ctx, a) => {
    const { flow } = ctx;
    for (let i = 0; i < 2; i++) {
      const shift = BigInt(32 - 32 * i);
      const mask = Number((a.mask >> shift) & 0xffffffffn);
      const value = Number((a.value >> shift) & 0xffffffffn);
      flow[METADATA + i] = ((flow[METADATA + i] & ~mask) | (value & mask)) >>> 0;
    }
  },
  gotoTable: (ctx, a) => ctx.steps.table(ctx, a.table, true, true),
};

function unsupported(ctx: XlateContext, what: string): void {
  ctx.fail('drop_action_unsupported_packet_type', `${what} is not supported`);
}

function setTag(ctx: XlateContext, bits: number, value: number, pushIfNeeded: boolean): void {
  ctx.vlans.consult(0, bits | VLAN_CFI);
  const { flow } = ctx;
  if ((flow[VLAN0] & VLAN_CFI) === 0 && !pushIfNeeded) return;
  flow[VLAN0] = ((flow[VLAN0] & ~bits) | value | VLAN_CFI) >>> 0;
  ctx.vlans.adoptOuter();
}

/** Runs a list until its end, an exit or an error. */
function translateActions(
  ctx: XlateContext,
  actions: readonly Action[],
  isGroupBucket: boolean,
): void {
  if (actions.length === 0) ctx.trace?.add('action', 'drop');
  const isLastList = ctx.isLast;
  runList(ctx, actions, isGroupBucket, isLastList);
  ctx.isLast = isLastList;
}

function runList(
  ctx: XlateContext,
  actions: readonly Action[],
  isGroupBucket: boolean,
  isLastList: boolean,
): void {
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    if (ctx.error !== null) return;
    // A recirculation, if the action needs headers that the flow does not know.
    if (!ctx.exit && ctx.reparse !== 'none' && needsReparse(ctx.reparse, action))
      triggerFreeze(ctx);
    if (ctx.exit) {
      if (ctx.freezing) keepRest(ctx, actions, i);
      return;
    }
    // check_pkt_larger takes the rest of the list with it.
    const isLast = i === actions.length - 1 || action.kind === 'checkPktLarger';
    ctx.isLast = isLastList && isLast && ctx.actionSet.length === 0;
    const node = ctx.trace?.add('action', '', action);
    const level = node ? ctx.trace?.enter(node) : undefined;
    if (action.kind === 'checkPktLarger')
      checkPktLarger(ctx, action, actions.slice(i + 1), isGroupBucket);
    // The table's type pairs each kind with its function; TypeScript cannot follow the pairing by itself.
    const ended = (TABLE[action.kind] as Translate<ActionKind>)(
      ctx,
      action as never,
      isGroupBucket,
    );
    if (level) ctx.trace?.leave(level);
    if (ended === true) return;
    if (ctx.exit) {
      // What froze did its part, but for a group that waits for the hash and a table that waits for headers.
      if (ctx.freezing) keepRest(ctx, actions, repeats(ctx, action) ? i : i + 1);
      return;
    }
  }
}

/** True when the action that froze has done nothing yet and must be met again. */
const repeats = (ctx: XlateContext, action: Action): boolean =>
  ctx.frozen.length === 0 && action.kind === 'group';

export const STEPS: XlateSteps = {
  actions: translateActions,
  table: translateTable,
  actionSet: executeActionSet,
  pause: pauseForController,
  mirror: mirrorFrame,
};
