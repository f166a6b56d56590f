/**
 * The recirculation table: states of translations that stopped half way, by number. A frame comes back with the
 * number as its recirc_id (or, for a packet-in, in the cookie of the USERSPACE action), and translation goes on, or the
 * controller is told, with what was known then.
 *
 * Equal states have one number, so that translating a flow again gives the same program. Megaflows hold the numbers
 * that their programs name; a number that nothing holds any more is kept for a while, since frames may be on their way,
 * but an equal state gets another one, and it is never given again soon.
 */
import type { Action, ControllerReason } from '../flowtable/action.ts';
import type { Rule } from '../flowtable/rule.ts';
import { DP_WORDS, FLOW_WORDS, TUN_ID, TUN_OPTIONS_LENGTH } from '../packet/key.ts';
import type { Bridge } from './bridge.ts';

/** Actions left to do, with the table and rule they came from: packet-ins and resubmits tell by them. */
export interface FrozenSegment {
  readonly tableId: number;
  readonly rule: Rule | null;
  readonly actions: readonly Action[];
}

export interface StackEntry {
  readonly value: bigint;
  readonly bits: number;
}

/** What a packet-in says that the frame itself does not. */
export interface FrozenPacketIn {
  /** As the controller action gives it; explicit_miss is the action of a table-miss rule. */
  readonly reason: ControllerReason | 'explicit_miss' | 'implicit_miss';
  readonly maxBytes: number;
  readonly controllerId: number;
  readonly userdata: Uint8Array | null;
  /** Frozen to be resumed by the controller. */
  readonly pause: boolean;
}

export interface FrozenState {
  readonly bridge: Bridge;
  readonly tableId: number;
  readonly cookie: bigint;
  /** Words of the flow that are not read from the frame, and their values. */
  readonly words: readonly number[];
  readonly values: readonly number[];
  /** Bottom first. */
  readonly stack: readonly StackEntry[];
  readonly actionSet: readonly Action[];
  readonly segments: readonly FrozenSegment[];
  readonly conntracked: boolean;
  /** The tunnel that the frame came through does not count any more: a patch port was passed. */
  readonly tunnelCleared: boolean;
  /** Mirror destinations that have had the frame. */
  readonly mirrored: readonly string[];
  readonly packetIn: FrozenPacketIn | null;
}

/** The flow that a state stopped with, of the frame with this key (DP_WORDS words). */
export function thawed(state: FrozenState, key: Uint32Array): Uint32Array {
  const flow = new Uint32Array(FLOW_WORDS);
  for (let w = 0; w < DP_WORDS; w++) flow[w] = key[w];
  if (state.tunnelCleared) flow.fill(0, TUN_ID, DP_WORDS);
  else if (flow[TUN_OPTIONS_LENGTH] !== 0) state.bridge.tlvTable.optionsToFields(flow);
  for (let i = 0; i < state.words.length; i++) flow[state.words[i]] = state.values[i];
  return flow;
}

interface Entry {
  readonly id: number;
  readonly key: string;
  readonly state: FrozenState;
  holders: number;
  seenMs: number;
}

/** How long a number that nothing holds is kept. */
const GRACE_MS = 15_000;
/** More at one time are refused: translations that need one fail. */
const MAX_ENTRIES = 1 << 18;

export class RecircTable {
  private readonly byId = new Map<number, Entry>();
  private readonly byKey = new Map<string, Entry>();
  private readonly objects = new WeakMap<object, number>();
  private nextObject = 1;
  private nextId = 1;

  get size(): number {
    return this.byId.size;
  }

  /** The number of a state; 0 when there are too many. */
  intern(state: FrozenState, nowMs: number): number {
    const key = this.keyOf(state);
    const known = this.byKey.get(key);
    if (known !== undefined) {
      known.seenMs = nowMs;
      return known.id;
    }
    if (this.byId.size >= MAX_ENTRIES) return 0;
    while (this.byId.has(this.nextId)) this.advance();
    const entry: Entry = { id: this.nextId, key, state, holders: 0, seenMs: nowMs };
    this.advance();
    this.byId.set(entry.id, entry);
    this.byKey.set(key, entry);
    return entry.id;
  }

  private advance(): void {
    this.nextId = this.nextId === 0xffffffff ? 1 : this.nextId + 1;
  }

  find(id: number): FrozenState | null {
    return this.byId.get(id)?.state ?? null;
  }

  hold(ids: readonly number[]): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (entry) entry.holders++;
    }
  }

  release(ids: readonly number[], nowMs: number): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (!entry) continue;
      entry.holders--;
      entry.seenMs = nowMs;
      if (entry.holders === 0) this.disown(entry);
    }
  }

  /** Numbers that were told to somebody, and that nothing holds: a trace, a frame that was sent. */
  passing(ids: readonly number[], nowMs: number): void {
    this.hold(ids);
    this.release(ids, nowMs);
  }

  private disown(entry: Entry): void {
    if (this.byKey.get(entry.key) === entry) this.byKey.delete(entry.key);
  }

  /** Forgets what nothing has held for a while. */
  sweep(nowMs: number): void {
    for (const entry of this.byId.values()) {
      if (entry.holders > 0 || nowMs - entry.seenMs < GRACE_MS) continue;
      this.byId.delete(entry.id);
      this.disown(entry);
    }
  }

  /** Forgets everything of a bridge that is gone. */
  forget(bridge: Bridge): void {
    for (const entry of this.byId.values()) {
      if (entry.state.bridge !== bridge) continue;
      this.byId.delete(entry.id);
      this.disown(entry);
    }
  }

  private keyOf(state: FrozenState): string {
    const { packetIn: pin } = state;
    const parts: (string | number | bigint)[] = [
      this.objectId(state.bridge),
      state.tableId,
      state.cookie,
      (state.conntracked ? 1 : 0) | (state.tunnelCleared ? 2 : 0),
      JSON.stringify(state.mirrored),
      state.words.join(),
      state.values.join(),
      state.stack.map((s) => `${s.value}/${s.bits}`).join(),
      this.actionIds(state.actionSet),
    ];
    for (const s of state.segments) {
      const rule = s.rule === null ? 0 : this.objectId(s.rule);
      parts.push(s.tableId, rule, this.actionIds(s.actions));
    }
    if (pin !== null) {
      const userdata = pin.userdata === null ? '' : Buffer.from(pin.userdata).toString('hex');
      parts.push(pin.reason, pin.maxBytes, pin.controllerId, userdata, pin.pause ? 1 : 0);
    }
    return parts.join(';');
  }

  private actionIds(actions: readonly Action[]): string {
    return actions.map((a) => this.objectId(a)).join();
  }

  private objectId(object: object): number {
    let id = this.objects.get(object);
    if (id === undefined) {
      id = this.nextObject++;
      this.objects.set(object, id);
    }
    return id;
  }
}
