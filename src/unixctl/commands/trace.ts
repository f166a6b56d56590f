/**
 * `ofproto/trace` and `ofproto/trace-packet-out`: what would become of a frame, step by step. Nothing is sent; a trace of a real frame
 * lets the bridge learn from it, and gives it to controllers where the tables say so.
 */
import { NO_OFFLOAD } from '../../datapath/datapath.ts';
import type { DropReason } from '../../datapath/drop-reason.ts';
import { Op, ProgramBuilder } from '../../datapath/program.ts';
import { formatProgram } from '../../datapath/program-text.ts';
import type { Action } from '../../flowtable/action.ts';
import { OfVersion } from '../../ofproto/model.ts';
import type { Switch } from '../../ofproto/switch.ts';
import { checkActions } from '../../ofproto/tables/check-actions.ts';
import { parseActions } from '../../ofproto/text/actions-syntax.ts';
import type { MatchTextOptions } from '../../ofproto/text/match-text.ts';
import { parsed } from '../../ofproto/text/syntax.ts';
import { formatMegaflow, formatPacketFlow, formatTrace } from '../../ofproto/text/trace-text.ts';
import { XlateScratch } from '../../ofproto/xlate/context.ts';
import { applyEffects } from '../../ofproto/xlate/effect.ts';
import { Trace } from '../../ofproto/xlate/trace.ts';
import {
  type Translation,
  translate,
  translateIn,
  translatePacketOut,
} from '../../ofproto/xlate/translate.ts';
import {
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  DP_WORDS,
  ETH_TYPE_PROTO,
  IPV4_DST,
  IPV4_SRC,
  ND_OPTIONS,
  ND_RESERVED,
  ND_TARGET,
  RECIRC_ID,
  TP,
} from '../../packet/key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
} from '../../packet/protocol.ts';
import { type Command, CommandError } from '../command.ts';
import { type Traced, traced } from './trace-arguments.ts';

export function traceCommands(switches: () => readonly Switch[]): Command[] {
  return [
    {
      name: 'ofproto/trace',
      usage: '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]',
      minArgs: 1,
      maxArgs: Number.POSITIVE_INFINITY,
      run: (args) => traceText(traced(args, switches()), null),
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

function traceText(what: Traced, actions: readonly Action[] | null): string {
  const { view, bridge, flow, frame } = what;
  const portName = (port: number): string | null => {
    for (const one of bridge.ports()) if (one.ofPort === port) return one.name;
    return null;
  };
  const tunMetadata = (index: number) => bridge.tlvTable.place(index);
  const names: MatchTextOptions = what.names ? { portName, tunMetadata } : { tunMetadata };
  const trace = new Trace(frame !== null);
  const scratch = new XlateScratch();
  const translation = run(what, actions, trace, scratch);
  const final = scratch.flow;
  const isUnchanged = flow.every((word, i) => word === final[i]);
  const programNames = what.names
    ? { portName: (portNo: number) => view.switch.portByNo(portNo)?.name }
    : {};
  let out = `Flow: ${formatPacketFlow(flow, names)}\n`;
  out += formatTrace(trace.roots, names);
  out += `\nFinal flow: ${isUnchanged ? 'unchanged' : formatPacketFlow(final, names)}\n`;
  out += `Megaflow: ${formatMegaflow(flow, translation.mask, translation.tagBits, names)}\n`;
  out += `Datapath actions: ${formatProgram(translation.program, flow, programNames)}`;
  const failure = translation.dropReason === null ? undefined : FAILURES[translation.dropReason];
  if (failure !== undefined) return `${out}\nTranslation failed (${failure}), packet is dropped.\n`;
  if (trace.isSlow || isSlow(translation.program, flow)) {
    out += '\nThis flow is handled by the userspace slow path because it:';
    out += '\n  - Uses action(s) not supported by datapath.';
  }
  if (frame !== null) apply(what, frame, translation);
  return out;
}

/**
 * Programs that Open vSwitch's datapath needs help with: those that rewrite ARP, ICMP or neighbour discovery. This datapath does them
 * itself, yet a trace says what readers of the original's expect.
 */
function isSlow(program: Int32Array, flow: Uint32Array): boolean {
  const ethType = flow[ETH_TYPE_PROTO] >>> 16;
  const proto = (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
  const isIcmp =
    (ethType === ETH_TYPE_IPV4 && proto === IP_PROTO_ICMP) ||
    (ethType === ETH_TYPE_IPV6 && proto === IP_PROTO_ICMPV6);
  const slow = new Set<number>(SLOW_WORDS);
  if (isIcmp) slow.add(TP);
  if (ethType === ETH_TYPE_ARP) for (const word of ARP_WORDS) slow.add(word);
  for (let at = 0; at < program.length; at += Math.max(1, program[at] >>> 8)) {
    if ((program[at] & 255) === Op.SET && slow.has(program[at + 1])) return true;
  }
  return false;
}

const SLOW_WORDS: readonly number[] = [
  ...[0, 1, 2, 3].map((i) => ND_TARGET + i),
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  ND_RESERVED,
  ND_OPTIONS,
];
const ARP_WORDS: readonly number[] = [IPV4_SRC, IPV4_DST, ETH_TYPE_PROTO];

/** Drops that are failures of the translation, not decisions of the tables. */
const FAILURES: Readonly<Partial<Record<DropReason, string>>> = {
  drop_action_recursion_too_deep: 'Recursion too deep',
  drop_action_too_many_resubmit: 'Too many resubmits',
  drop_action_stack_too_deep: 'Stack too deep',
  drop_action_no_recirculation_context: 'No recirculation context',
  drop_action_recirculation_conflict: 'Recirculation conflict',
  drop_action_too_many_mpls_labels: 'Too many MPLS labels',
  drop_action_invalid_tunnel_metadata: 'Invalid tunnel metadata',
  drop_action_unsupported_packet_type: 'Unsupported packet type',
};

function run(
  { view, bridge, inPort, flow }: Traced,
  actions: readonly Action[] | null,
  trace: Trace,
  scratch: XlateScratch,
): Translation {
  const on = view.switch;
  if (actions !== null) {
    return translatePacketOut(on, flow, bridge, inPort, actions, trace, scratch);
  }
  if (flow[RECIRC_ID] !== 0) return translate(on, flow, trace, scratch);
  return translateIn(on, flow, bridge, inPort, trace, scratch);
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
