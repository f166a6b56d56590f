/**
 * A whole trace as text: what `ofproto/trace` prints, and what the log has of a frame whose translation ran into a limit. The flow, the way
 * through the tables, the flow in the end, the megaflow and what the datapath would do, line by line as Open vSwitch has it.
 */
import type { DropReason } from '../datapath/drop-reason.ts';
import { Op } from '../datapath/program.ts';
import { formatProgram } from '../datapath/program-text.ts';
import type { Action } from '../flowtable/action.ts';
import {
  ARP_SHA,
  ARP_SHA_THA,
  ARP_THA,
  ETH_TYPE_PROTO,
  IPV4_DST,
  IPV4_SRC,
  ND_OPTIONS,
  ND_RESERVED,
  ND_TARGET,
  OF_IN_PHY_PORT,
  RECIRC_ID,
  TP,
  TUN_METADATA_PRESENT,
  TUN_OPTIONS_LENGTH,
} from '../packet/key.ts';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
} from '../packet/protocol.ts';
import type { Bridge } from './bridge.ts';
import type { BridgePort } from './bridge-port.ts';
import type { MatchTextOptions } from './text/match-text.ts';
import { formatMegaflow, formatPacketFlow, formatTrace } from './text/trace-text.ts';
import { MAX_TABLE_PROGRAM_WORDS, XlateScratch, type XlateSource } from './xlate/context.ts';
import { Trace } from './xlate/trace.ts';
import { type Translation, translate, translateIn, translatePacketOut } from './xlate/translate.ts';

export interface TraceSubject {
  readonly bridge: Bridge;
  /** Null when the flow names no port of the bridge. */
  readonly inPort: BridgePort | null;
  /** FLOW_WORDS words. */
  readonly flow: Uint32Array;
  /** A real frame is traced: what it leaves behind counts. */
  readonly hasFrame: boolean;
  /** Names of ports instead of numbers. */
  readonly names: boolean;
  /** Of a packet-out; null for a frame that goes through the tables. */
  readonly actions: readonly Action[] | null;
}

/** Translates the flow, and says how. Nothing is sent and nothing learned. */
export function traceReport(
  source: XlateSource,
  subject: TraceSubject,
): { readonly text: string; readonly translation: Translation; readonly hasFailed: boolean } {
  const { bridge, flow } = subject;
  const portName = (port: number): string | null => {
    for (const one of bridge.ports()) if (one.ofPort === port) return one.name;
    return null;
  };
  const tunMetadata = (index: number) => bridge.tlvTable.place(index);
  const names: MatchTextOptions = subject.names ? { portName, tunMetadata } : { tunMetadata };
  const trace = new Trace(subject.hasFrame);
  const scratch = new XlateScratch();
  const translation = run(source, subject, trace, scratch);
  const final = scratch.flow;
  // What translation fills in by itself is no change.
  const isOwn = (i: number): boolean => i === OF_IN_PHY_PORT || i >= TUN_METADATA_PRESENT;
  const isUnchanged = flow.every((word, i) => word === final[i] || (isOwn(i) && word === 0));
  const programNames = subject.names
    ? { portName: (portNo: number) => source.portName(portNo) }
    : {};
  // Options are shown as the fields that they are in this bridge.
  const fields = flow.slice();
  if (fields[TUN_OPTIONS_LENGTH] !== 0) bridge.tlvTable.optionsToFields(fields);
  let text = `Flow: ${formatPacketFlow(flow, names)}\n`;
  text += formatTrace(trace.roots, names);
  text += `\nFinal flow: ${isUnchanged ? 'unchanged' : formatPacketFlow(final, names)}\n`;
  text += `Megaflow: ${formatMegaflow(fields, translation.mask, translation.tagBits, names)}\n`;
  text += `Datapath actions: ${formatProgram(translation.program, flow, programNames)}`;
  const failure = translation.dropReason === null ? undefined : FAILURES[translation.dropReason];
  if (failure !== undefined) {
    text += `\nTranslation failed (${failure}), packet is dropped.\n`;
  } else if (trace.isSlow || isSlow(translation.program, flow)) {
    text += '\nThis flow is handled by the userspace slow path because it:';
    text += '\n  - Uses action(s) not supported by datapath.';
  }
  return { text, translation, hasFailed: failure !== undefined };
}

function run(
  source: XlateSource,
  { bridge, inPort, flow, actions }: TraceSubject,
  trace: Trace,
  scratch: XlateScratch,
): Translation {
  if (actions !== null) {
    return translatePacketOut(source, flow, bridge, inPort, actions, trace, scratch);
  }
  if (flow[RECIRC_ID] !== 0) return translate(source, flow, trace, scratch);
  return translateIn(source, flow, bridge, inPort, trace, scratch);
}

/**
 * Programs that Open vSwitch's datapath needs help with: those that rewrite ARP, ICMP or neighbour discovery, and those of more than
 * 64 kB. This datapath does them itself, yet a trace says what readers of the original's expect.
 */
function isSlow(program: Int32Array, flow: Uint32Array): boolean {
  if (program.length > MAX_TABLE_PROGRAM_WORDS) return true;
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
