/**
 * A whole trace as text: what `ofproto/trace` prints, and what the log has of a frame whose translation ran into a limit. The flow, the way
 * through the tables, the flow in the end, the megaflow and what the datapath would do, line by line as Open vSwitch has it.
 */
import type { DropReason } from '../datapath/drop-reason.ts';
import { formatProgram } from '../datapath/program-text.ts';
import type { Action } from '../flowtable/action.ts';
import {
  OF_IN_PHY_PORT,
  RECIRC_ID,
  TUN_METADATA_PRESENT,
  TUN_OPTIONS_LENGTH,
} from '../packet/key.ts';
import type { Bridge } from './bridge.ts';
import type { BridgePort } from './bridge-port.ts';
import type { MatchTextOptions } from './text/match-text.ts';
import { formatMegaflow, formatPacketFlow, formatTrace } from './text/trace-text.ts';
import { XlateScratch, type XlateSource } from './xlate/context.ts';
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
  } else if (translation.slow !== 0) {
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
