/**
 * `ofproto/trace` and `ofproto/trace-packet-out`: what would become of a frame, step by step. Nothing is sent; a trace of a real frame
 * lets the bridge learn from it, and gives it to controllers where the tables say so.
 */
import { NO_OFFLOAD } from '../../datapath/datapath.ts';
import { Op, ProgramBuilder } from '../../datapath/program.ts';
import type { Action } from '../../flowtable/action.ts';
import { OfVersion } from '../../ofproto/model.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { checkActions } from '../../ofproto/tables/check-actions.ts';
import { parseActions } from '../../ofproto/text/actions-syntax.ts';
import { parsed } from '../../ofproto/text/syntax.ts';
import { traceReport } from '../../ofproto/trace-report.ts';
import { applyEffects } from '../../ofproto/xlate/effect.ts';
import type { Translation } from '../../ofproto/xlate/translate.ts';
import { DP_WORDS } from '../../packet/key.ts';
import { type Command, CommandError } from '../command.ts';
import { type Traced, traced } from './trace-arguments.ts';

export function traceCommands(switches: () => readonly Switch[]): Command[] {
  return [
    {
      name: 'ofproto/trace',
      usage: '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]',
      minArgs: 1,
      maxArgs: Number.POSITIVE_INFINITY,
      run: (args) => traceOf(args, switches()),
    },
    {
      name: 'ofproto/trace-packet-out',
      usage:
        '[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions',
      minArgs: 2,
      maxArgs: Number.POSITIVE_INFINITY,
      run: (args) => {
        const text = args[args.length - 1];
        const actions = parsed(() => parseActions(text));
        if (!actions.ok) throw new CommandError(actions.error);
        const what = traced(args.slice(0, -1), switches(), true);
        const error = checkActions(what.bridge, actions.value, null, null, OfVersion.OF10);
        if (error !== null) throw new CommandError(`Bad actions: ${error.error}`);
        return traceText(what, actions.value);
      },
    },
  ];
}

/** The answer of ofproto/trace. Throws CommandError. */
export const traceOf = (args: string[], switches: readonly Switch[]): string =>
  traceText(traced(args, switches), null);

function traceText(what: Traced, actions: readonly Action[] | null): string {
  const { view, bridge, inPort, flow, frame, names } = what;
  const on = view.switch;
  const subject = { bridge, inPort, flow, hasFrame: frame !== null, names, actions };
  const { text, translation, hasFailed } = traceReport(on, subject);
  if (frame !== null && !hasFailed) apply(what, frame, translation);
  on.recirc.passing(translation.recircIds, on.clock.now());
  return text;
}

/** What a real frame leaves behind: addresses and flows learned, and messages to controllers. */
function apply({ view, flow }: Traced, frame: Uint8Array, translation: Translation): void {
  const on = view.switch;
  const learning = translation.effects.filter(
    ({ kind }) => kind === 'learnMac' || kind === 'learnFlow',
  );
  if (applyEffects(learning, 0, 0, on.clock.now())) on.revalidator.changed();
  const builder = new ProgramBuilder();
  withoutOutputs(translation.program, 0, translation.program.length, builder);
  on.datapath.execute(frame, NO_OFFLOAD, flow.slice(0, DP_WORDS), builder.take());
}

/** Copies program[from, end) without what sends the frame or brings it back. */
function withoutOutputs(
  program: Int32Array,
  from: number,
  end: number,
  into: ProgramBuilder,
): void {
  for (let at = from; at < end; ) {
    const op = program[at] & 255;
    const next = at + (program[at] >>> 8);
    if (next <= at) return;
    if (op === Op.CLONE) {
      const place = into.beginClone();
      withoutOutputs(program, at + 1, next, into);
      into.end(place);
    } else if (op !== Op.OUTPUT && op !== Op.RECIRC) into.append(program.subarray(at, next));
    at = next;
  }
}
