/**
 * One translation under way: the flow as the pipeline sees it now, the frame as the program has made it so
 * far, the bits consulted, and what comes out.
 *
 * VLAN tags are kept as a list, outermost first, in three states: `arrived` (as the frame came in),
 * `onWire` (after the program so far) and `tags` (as the pipeline wants them). They are brought together
 * only when an output needs it, so that the program has the fewest pushes and pops. Deeper tags than the
 * VLAN limit are payload and stand in none of the lists.
 */
import { type DropReason, dropIndex } from '../../datapath/drop-reason.ts';
import { ProgramBuilder } from '../../datapath/program.ts';
import { FLOW_WORDS, OF_IN_PORT, VLAN0, VLAN1 } from '../../packet/key.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Effect } from './effect.ts';

/** Patch ports followed and tables resubmitted to within one another. */
export const MAX_DEPTH = 64;
/** Table lookups in one translation. */
export const MAX_RESUBMITS = 4096;
/** A program longer than this is a loop between bridges. */
const MAX_PROGRAM_WORDS = 4096;

/** What translation reads of the switch, besides the bridges themselves. */
export interface XlateSource {
  portByNo(portNo: number): BridgePort | null;
  /** Other end of a patch port, when both name each other. */
  peerOf(port: BridgePort): BridgePort | null;
  /** Tags that can be told apart: 1 or 2 (other_config:vlan-limit). */
  readonly vlanLimit: number;
}

/**
 * Memory for one translation at a time. Making it anew costs more than translating, so who translates much
 * keeps one.
 */
export class XlateScratch {
  readonly flow = new Uint32Array(FLOW_WORDS);
  readonly mask = new Uint32Array(FLOW_WORDS);
  readonly program = new ProgramBuilder();
}

export class XlateContext {
  readonly source: XlateSource;
  /** Looks up a table and runs what it finds: table.ts, which actions and patch ports lead back to. */
  readonly enterTable: (ctx: XlateContext, table: number) => void;
  readonly flow: Uint32Array;
  readonly mask: Uint32Array;
  readonly program: ProgramBuilder;
  readonly effects: Effect[] = [];
  /** The port that the current bridge got the frame on. */
  inPort: BridgePort;
  depth = 0;
  resubmits = 0;
  /** First reason why part of the pipeline dropped the frame; counts only when nothing is output. */
  dropReason: DropReason | null = null;
  /** Ends translation with a drop, whatever was output. */
  error: DropReason | null = null;
  /** Receives the lines of a trace; null when nobody listens. */
  readonly note: ((line: string) => void) | null;

  readonly arrived: readonly number[];
  private onWire: number[];
  /** How many of `arrived` are still on the wire, at the inner end. */
  private arrivedLeft: number;
  private wanted: readonly number[];

  constructor(
    source: XlateSource,
    flow: Uint32Array,
    inPort: BridgePort,
    enterTable: (ctx: XlateContext, table: number) => void,
    note: ((line: string) => void) | null,
    scratch: XlateScratch,
  ) {
    this.source = source;
    this.flow = scratch.flow;
    this.mask = scratch.mask.fill(0);
    this.program = scratch.program;
    this.program.reset();
    this.enterTable = enterTable;
    this.flow.set(flow);
    this.inPort = inPort;
    this.note = note;
    this.flow[OF_IN_PORT] = inPort.ofPort;
    const tags: number[] = [];
    if (flow[VLAN0] !== 0) tags.push(flow[VLAN0]);
    if (flow[VLAN0] !== 0 && flow[VLAN1] !== 0 && source.vlanLimit > 1) tags.push(flow[VLAN1]);
    if (tags.length < 2) this.flow[VLAN1] = 0;
    this.arrived = tags;
    this.onWire = [...tags];
    this.arrivedLeft = tags.length;
    this.wanted = tags;
  }

  get tags(): readonly number[] {
    return this.wanted;
  }
  /** Changes the tags in the pipeline; the frame follows at the next output. */
  setTags(tags: readonly number[]): void {
    this.wanted = tags;
    this.flow[VLAN0] = tags.length > 0 ? tags[0] : 0;
    this.flow[VLAN1] = tags.length > 1 ? tags[1] : 0;
    // The inner tag now stands where tables look for the outer one: its bits no longer tell themselves apart.
    if (this.arrived.length > 1 && tags.length < this.arrived.length) this.mask[VLAN1] = 0xffffffff;
  }

  /** Notes that bits of the tag at `index` (or its absence) were looked at, wherever it came from. */
  consultTag(index: number, bits: number): void {
    const at = index + this.arrived.length - this.wanted.length;
    if (at < 0 || at >= Math.min(2, this.source.vlanLimit)) return;
    // Without an outer tag there is no inner one.
    if (at === 1 && this.arrived.length === 0) return;
    this.mask[VLAN0 + at] |= bits;
  }

  /** Makes the program up to what the pipeline wants. `compared`: equal tags count as consulted. */
  commit(compared: boolean): void {
    const { onWire, wanted } = this;
    let same = 0;
    while (
      same < onWire.length &&
      same < wanted.length &&
      onWire[onWire.length - 1 - same] === wanted[wanted.length - 1 - same]
    ) {
      same++;
    }
    if (same === onWire.length && same === wanted.length) return;
    if (compared) {
      for (let i = 0; i < this.arrivedLeft; i++) this.maskArrived(this.arrived.length - 1 - i);
    }
    while (onWire.length > same) {
      if (onWire.length <= this.arrivedLeft) {
        this.maskArrived(this.arrived.length - this.arrivedLeft);
        this.arrivedLeft--;
      }
      onWire.shift();
      this.program.popVlan();
    }
    for (let i = wanted.length - 1 - same; i >= 0; i--) {
      onWire.unshift(wanted[i]);
      this.program.pushVlan(wanted[i] >>> 16, wanted[i] & 0xffff);
    }
  }

  private maskArrived(index: number): void {
    if (index >= 0 && index < 2) this.mask[VLAN0 + index] = 0xffffffff;
  }

  /** Sends the frame as it is wanted out of a real port. */
  outputTo(port: number, compared = false): void {
    this.commit(compared);
    this.program.output(port);
    if (this.program.length > MAX_PROGRAM_WORDS) this.fail('drop_action_too_many_resubmit');
  }

  drop(reason: DropReason, line?: string): void {
    this.dropReason ??= reason;
    if (line !== undefined) this.note?.(line);
  }

  fail(reason: DropReason): void {
    this.error ??= reason;
  }

  /** The finished program: an empty one becomes an explicit, counted drop. */
  finish(): { program: Int32Array; dropReason: DropReason | null } {
    if (this.error === null && this.program.length > 0) {
      return { program: this.program.take(), dropReason: null };
    }
    const dropReason = this.error ?? this.dropReason ?? 'drop_action_of_pipeline';
    this.program.reset();
    this.program.drop(dropIndex(dropReason));
    return { program: this.program.take(), dropReason };
  }
}
