/**
 * One translation under way: the flow as the pipeline sees it now, the frame as the program has made it so
 * far, the bits consulted, and what comes out.
 *
 * Fields are changed in `flow` only; `base` is the frame as the program so far leaves it. The two are brought
 * together (commit.ts) when an output needs it, so that the program has the fewest rewrites. VLAN tags are kept
 * beside them as lists (vlan-stack.ts).
 */
import { type DropReason, dropIndex } from '../../datapath/drop-reason.ts';
import { ProgramBuilder } from '../../datapath/program.ts';
import type { Action, ActionOf } from '../../flowtable/action.ts';
import { OFPP_UNSET, type OfPort } from '../../flowtable/of-port.ts';
import type { Rule } from '../../flowtable/rule.ts';
import {
  ACTSET_OUTPUT,
  DP_WORDS,
  FLOW_WORDS,
  OF_IN_PHY_PORT,
  OF_IN_PORT,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
} from '../../packet/key.ts';
import type { TlvTable } from '../../packet/tlv-table.ts';
import { clearTunnel, copyTunnel, isNsh } from '../../tunnels/tunnel-words.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgePort } from '../bridge-port.ts';
import type { Bundle } from '../bundle.ts';
import type { Mirror } from '../mirrors.ts';
import type { FrozenSegment, FrozenState, StackEntry } from '../recirc-table.ts';
import type { BridgedUnderlay } from '../underlay.ts';
import { commit } from './commit.ts';
import type { Effect } from './effect.ts';
import type { Trace } from './trace.ts';
import { VlanStack } from './vlan-stack.ts';

/** Tables resubmitted to backwards, groups and patch ports within one another. */
export const MAX_DEPTH = 64;
/** Table lookups in one translation. */
export const MAX_RESUBMITS = 4096;
/** Tables are not looked at any more with so many bytes on the stack. */
export const MAX_STACK_BYTES = 65_536;
/** What a value of so many bits counts: its length stands beside it in the original. */
export const stackedBytes = (bits: number): number => Math.ceil(bits / 8) + 1;
/** Tables are not looked at any more with a program longer than this: 64 kB of netlink attributes in the original. */
export const MAX_TABLE_PROGRAM_WORDS = 16_383;
/** Whatever made a program of this length, it goes no further. */
const MAX_PROGRAM_WORDS = 4 * MAX_TABLE_PROGRAM_WORDS;

/** What translation reads of the switch, besides the bridges themselves. */
export interface XlateSource {
  /** The port that a frame with this key came in on: by its number, or by tunnel where tunnels share that. */
  portOf(key: Uint32Array): BridgePort | null;
  /** Other end of a patch port, when both name each other. */
  peerOf(port: BridgePort): BridgePort | null;
  /** Tags that can be told apart: 1 or 2 (other_config:vlan-limit). */
  readonly vlanLimit: number;
  /** Number of a frozen state; equal ones have the same. 0 when there are too many. */
  freeze(state: FrozenState): number;
  thaw(recircId: number): FrozenState | null;
  /** Logs what is wrong with the tables of a bridge; `flow` as the frame is by then. */
  report(bridge: Bridge, line: string, flow: Uint32Array): void;
  /** What a datapath port is called. */
  portName(portNo: number): string | undefined;
  /** With it, tunnels' packets are built here (native-tunnel.ts); null when they leave by the datapath's tunnel ports. */
  readonly underlay: BridgedUnderlay | null;
  /** True for a datapath port that tunnels share. */
  isTunnelIn(portNo: number): boolean;
}

/** How translation reaches tables and lists of actions: actions.ts, given here so that no file imports itself. */
export interface XlateSteps {
  actions(ctx: XlateContext, actions: readonly Action[], isGroupBucket: boolean): void;
  /**
   * `mayPacketIn`: a miss may go to the controller. `honorMiss`: the table's miss configuration counts. `isApart`: a
   * pipeline of its own begins, and ends with the action set.
   */
  table(
    ctx: XlateContext,
    table: number,
    mayPacketIn: boolean,
    honorMiss: boolean,
    isApart?: boolean,
  ): void;
  actionSet(ctx: XlateContext): void;
  pause(ctx: XlateContext, action: ActionOf<'controller'>): void;
  /** Copies the frame, that passes the bundle, to mirrors that have not had it. */
  mirror(ctx: XlateContext, bundle: Bundle, mirrors: readonly Mirror[]): void;
}

/**
 * Memory for one translation at a time. Making it anew costs more than translating, so who translates much
 * keeps one.
 */
export class XlateScratch {
  readonly flow = new Uint32Array(FLOW_WORDS);
  readonly base = new Uint32Array(FLOW_WORDS);
  readonly mask = new Uint32Array(FLOW_WORDS);
  readonly written = new Uint32Array(FLOW_WORDS);
  readonly program = new ProgramBuilder();
}

/** The stack of push and pop: its top, and what is below. */
export interface Stacked extends StackEntry {
  readonly below: Stacked | null;
}

/** What a translation has so far, to be gone back to. */
export interface Saved {
  readonly flow: Uint32Array;
  readonly tags: readonly number[];
  readonly reparse: Reparse;
  readonly conntracked: boolean;
  readonly tunnelCleared: boolean;
}

/** Which headers the program has uncovered that the flow does not know: they take a recirculation to be read. */
export type Reparse = 'none' | 'behind mpls' | 'everything';

export class XlateContext {
  readonly source: XlateSource;
  readonly steps: XlateSteps;
  /** As the frame came in. */
  readonly arrived: Uint32Array;
  readonly flow: Uint32Array;
  readonly base: Uint32Array;
  readonly mask: Uint32Array;
  /** Bits that actions have written, whatever was there before: what a rewrite sets. */
  readonly written: Uint32Array;
  readonly program: ProgramBuilder;
  readonly vlans: VlanStack;
  readonly effects: Effect[] = [];
  readonly trace: Trace | null;
  readonly isPacketOut: boolean;
  /** Of the bridge that the frame came to: by it options became fields. */
  readonly tlvTable: TlvTable;

  bridge: Bridge;
  /** The port that the current bridge got the frame on; null for a packet-out from nowhere. */
  inPort: BridgePort | null;
  tableId = 0;
  rule: Rule | null = null;
  /** Of the rule at hand; all ones while there is none. */
  cookie = 0xffff_ffff_ffff_ffffn;
  /** The in_port that the next lookup sees, for resubmit(port); null for the flow's own. */
  lookupPort: OfPort | null = null;
  depth = 0;
  resubmits = 0;
  stack: Stacked | null = null;
  stackBytes = 0;
  actionSet: Action[] = [];
  actionSetHasGroup = false;
  isInActionSet = false;
  isInGroup = false;
  reparse: Reparse = 'none';
  conntracked = false;
  /** The tunnel that the frame came through does not count any more: a patch port was passed. */
  tunnelCleared = false;

  /** The program has changed the frame in a way that no rewrite undoes, or may drop it. */
  isLossy = false;
  /** Mirror destinations that the frame was sent to (Mirror.destination). */
  mirrored: readonly string[] = [];
  /** Bytes that outputs send, while the frame goes to a mirror; 0 for all. */
  snaplen = 0;

  /** Why all frames are to go through the main thread: SlowPath bits. */
  slow = 0;
  /** Nothing comes behind the action at hand: what it does to the frame need not be undone. */
  isLast = true;

  /** Ends the lists of actions under way, inner and outer ones. */
  exit = false;
  /** The exit is for a recirculation: what is left of each list is collected in `frozen`. */
  freezing = false;
  frozen: FrozenSegment[] = [];
  /** HASH that is to stand in front of the recirculation: kind and basis. */
  freezeHash: { readonly kind: number; readonly basis: number } | null = null;
  /** The freeze is for this controller(pause), not for a recirculation. */
  pause: ActionOf<'controller'> | null = null;
  /** Numbers of frozen states that the program names. */
  readonly recircIds: number[] = [];

  /** First reason why part of the pipeline dropped the frame; counts only when nothing is output. */
  dropReason: DropReason | null = null;
  /** Ends translation with a drop, whatever was output. */
  error: DropReason | null = null;

  constructor(
    source: XlateSource,
    steps: XlateSteps,
    flow: Uint32Array,
    bridge: Bridge,
    inPort: BridgePort | null,
    trace: Trace | null,
    scratch: XlateScratch,
    isPacketOut: boolean,
  ) {
    this.source = source;
    this.steps = steps;
    this.arrived = flow;
    this.flow = scratch.flow;
    this.base = scratch.base;
    this.mask = scratch.mask.fill(0);
    this.written = scratch.written.fill(0);
    this.program = scratch.program;
    this.program.reset();
    this.flow.set(flow);
    this.bridge = bridge;
    this.inPort = inPort;
    this.trace = trace;
    this.isPacketOut = isPacketOut;
    this.tlvTable = bridge.tlvTable;
    if (inPort !== null) this.flow[OF_IN_PORT] = this.flow[OF_IN_PHY_PORT] = inPort.ofPort;
    this.flow[ACTSET_OUTPUT] = OFPP_UNSET;
    this.vlans = new VlanStack(this.flow, this.mask, source.vlanLimit);
    this.base.set(this.flow);
    // Nothing is encapsulated that is not told to be: the tunnel it came through does not count.
    clearTunnel(this.base, 0);
  }

  /** Makes the program up to what the pipeline wants. `compared`: equal tags count as consulted. */
  commit(compared = false): void {
    commit(this);
    this.vlans.commit(this.program, compared);
  }

  /** Sends the frame as it is wanted out of a real port. */
  outputTo(port: number, compared = false): void {
    this.commit(compared);
    if (this.snaplen > 0) this.program.trunc(this.snaplen);
    this.program.output(port);
    this.checkSize();
  }

  /** Makes the tunnel of the flow the one that the next output to a tunnel port encapsulates for. */
  commitTunnel(): void {
    const { flow, base } = this;
    for (let word = TUN_ID; word < DP_WORDS; word++) {
      if (flow[word] === base[word] || isNsh(word)) continue;
      this.program.setTunnel(flow);
      copyTunnel(flow, 0, base, 0);
      return;
    }
  }

  /** The frame is to be seen again, as one that came through the tunnel that it came through. */
  restoreTunnel(): void {
    const { arrived, base } = this;
    if (base[TUN_DST] === 0 && base[TUN_FLAGS] === 0) return;
    this.program.setTunnel(arrived);
    clearTunnel(base, 0);
  }

  checkSize(): void {
    if (this.program.length > MAX_PROGRAM_WORDS) this.fail('drop_action_too_many_resubmit');
  }

  save(): Saved {
    return {
      flow: this.flow.slice(),
      tags: this.vlans.tags,
      reparse: this.reparse,
      conntracked: this.conntracked,
      tunnelCleared: this.tunnelCleared,
    };
  }

  /** The program stays; the flow is what it was, and the next output puts the frame right. */
  restore(saved: Saved): void {
    this.flow.set(saved.flow);
    this.vlans.setTags(saved.tags);
    this.reparse = saved.reparse;
    this.conntracked = saved.conntracked;
    this.tunnelCleared = saved.tunnelCleared;
  }

  /**
   * Runs `inner` for a copy of the frame inside a nested program that `open` begins: afterwards the frame on the
   * wire is what it was before.
   */
  nested(open: () => number, inner: () => void): void {
    this.commit();
    const base = this.base.slice();
    const wire = this.vlans.saveWire();
    const { isLossy } = this;
    const place = open();
    const start = this.program.length;
    inner();
    this.isLossy = isLossy;
    if (this.program.length === start) this.program.truncate(place);
    else this.program.end(place);
    this.base.set(base);
    this.vlans.restoreWire(wire);
  }

  /**
   * Runs `inner` for a copy of the frame: a copy in the datapath, too, if it loses headers that no rewrite brings back
   * (`isLossy`). The caller saves and restores the flow.
   */
  undoably(inner: () => void): void {
    const { isLossy, program } = this;
    const base = this.base.slice();
    const wire = this.vlans.saveWire();
    const place = program.beginClone();
    this.isLossy = false;
    inner();
    if (this.isLossy) {
      program.end(place);
      this.base.set(base);
      this.vlans.restoreWire(wire);
    } else program.unwrapClone(place);
    this.isLossy = isLossy;
  }

  /** An action is about to write these bits: what is there counts as consulted, since it decides about a rewrite. */
  willWrite(word: number, bits: number): void {
    this.mask[word] |= bits;
    this.written[word] |= bits;
  }

  drop(reason: DropReason, line?: string): void {
    this.dropReason ??= reason;
    if (line !== undefined) this.trace?.add('warn', line);
  }

  fail(reason: DropReason, line?: string): void {
    this.error ??= reason;
    if (line !== undefined) this.report(line);
  }

  /** Something is wrong with the tables: a trace says so, or the log when nobody traces. */
  report(line: string): void {
    if (this.trace !== null) this.trace.add('error', line);
    else this.source.report(this.bridge, line, this.base);
  }

  /** The finished program: an empty one becomes an explicit, counted drop. */
  finish(): { program: Int32Array; dropReason: DropReason | null } {
    if (this.program.length > 0 && this.error === null) {
      this.program.unwrapLastClone();
      return { program: this.program.take(), dropReason: null };
    }
    const dropReason = this.error ?? this.dropReason ?? 'drop_action_of_pipeline';
    this.program.reset();
    this.program.drop(dropIndex(dropReason));
    return { program: this.program.take(), dropReason };
  }
}
