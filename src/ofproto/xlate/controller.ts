/**
 * Sending to controllers: a USERSPACE operation whose cookie names the frozen state in which metadata, rule and
 * userdata are kept. The datapath hands up the frame as it is at this place of the program, again for every frame
 * of the flow.
 */
import { CookieKind, PacketInFlag } from '../../datapath/program.ts';
import type { ControllerAction, ControllerReason } from '../../flowtable/action.ts';
import type { FrozenPacketIn } from '../recirc-table.ts';
import type { XlateContext } from './context.ts';
import { freezeState, stateOf } from './freeze.ts';

/** Probability of a SAMPLE that runs for every frame. */
const ALWAYS = 0xffffffff;

/** OFPR_*. */
const REASON_NUMBER: Readonly<Record<FrozenPacketIn['reason'], number>> = {
  no_match: 0,
  action: 1,
  invalid_ttl: 2,
  action_set: 3,
  group: 4,
  packet_out: 5,
  explicit_miss: 6,
  implicit_miss: 7,
};

export interface ToController {
  readonly maxBytes: number;
  readonly reason: ControllerReason;
  readonly controllerId: number;
  readonly meterId: number | null;
  readonly userdata: Uint8Array | null;
}

export function sendToController(ctx: XlateContext, to: ToController): void {
  ctx.commit();
  const meter = ctx.bridge.controllerMeter(to.meterId);
  if (meter !== null) {
    // A meter ends what it stands in: here only the packet-in.
    const place = ctx.program.beginSample(ALWAYS);
    ctx.program.meter(meter);
    userspace(ctx, to, false);
    ctx.program.end(place);
  } else userspace(ctx, to, false);
}

/** controller(pause): the rest of the pipeline waits until the controller resumes it. */
export function pauseForController(ctx: XlateContext, action: ControllerAction): void {
  userspace(ctx, action, true);
}

function userspace(ctx: XlateContext, to: ToController, pause: boolean): void {
  const isTableMiss = ctx.rule?.isTableMiss ?? false;
  const reason =
    isTableMiss && to.reason === 'action'
      ? 'explicit_miss'
      : ctx.rule !== null && ctx.rule === ctx.bridge.missRule
        ? 'implicit_miss'
        : to.reason;
  const state = stateOf(ctx, {
    reason,
    maxBytes: to.maxBytes,
    controllerId: to.controllerId,
    userdata: to.userdata,
    pause,
  });
  const id = freezeState(ctx, state);
  if (id === 0) return;
  // What a trace without a frame shows is never sent.
  const dontSend = ctx.trace !== null && !ctx.trace.hasFrame;
  const flags = (dontSend ? PacketInFlag.DONT_SEND : 0) | (pause ? PacketInFlag.CONTINUATION : 0);
  const { cookie } = ctx;
  ctx.program.userspace(
    CookieKind.CONTROLLER,
    flags,
    REASON_NUMBER[reason],
    id,
    Number(cookie >> 32n) | 0,
    Number(cookie & 0xffffffffn) | 0,
    to.controllerId,
    to.maxBytes,
  );
  ctx.checkSize();
}
