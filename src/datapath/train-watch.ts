/**
 * Which far ends of tunnels get their trains of packets (UDP_SEGMENT). A device or a network card cuts a train into packets, and a neighbour
 * on the same machine that knows them takes it whole. A program that reads a virtual link frame by frame (Open vSwitch's userspace
 * datapath on a veth) loses it: connections open and pings pass, but no bulk data ever does. No system call tells the two apart.
 *
 * TCP does. Of each far end a train is under watch at times: by the flow and the sequence number it begins at. When that flow sends
 * the same bytes again, the train is taken for lost; when the flow gets far ahead, acknowledgements must have come. A far end
 * whose very first train was lost, or TRAINS_LOST in a row later, gets packets one by one, for as many super-frames as BLOCKED_FRAMES,
 * twice as many the next time. Losses of a busy network cost such a far end some speed, never its connections.
 *
 * Frames are counted instead of time: whoever sends nothing has nothing to try again. Far ends share SLOTS places by their address.
 */
import { TUN_DST, TUN_IPV6_DST } from '../packet/key.ts';

const SLOTS = 64;
const ADDRESS_WORDS = 5;
/** More than any sender has unacknowledged on a connection whose first bytes are lost: beyond the usual first windows. */
const PROOF_BYTES = 512 * 1024;
/** A far end that has proven itself is watched again after so many super-frames. */
const WATCH_EVERY = 256;
const TRAINS_LOST = 3;
/** A train under watch whose flow is silent for so many super-frames of others is forgotten. */
const FORGET_AFTER = 64;
const BLOCKED_FRAMES = 1 << 16;
const MAX_BLOCKED_FRAMES = 1 << 24;

const UNKNOWN = 0;
const PROVEN = 1;
const BLOCKED = 2;

export class TrainWatch {
  private readonly addresses = new Uint32Array(SLOTS * ADDRESS_WORDS);
  private readonly state = new Uint8Array(SLOTS);
  /** Flow hash of the train under watch, 0 for none, and where it begins. */
  private readonly flow = new Uint32Array(SLOTS);
  private readonly begin = new Uint32Array(SLOTS);
  /** Super-frames until the train under watch is forgotten, the next is watched, or trains are tried again. */
  private readonly wait = new Uint32Array(SLOTS);
  private readonly lost = new Uint8Array(SLOTS);
  private readonly blockedFrames = new Uint32Array(SLOTS);
  private watched = 0;

  /** True while a train is under watch: seen() wants to know of frames of TCP. */
  get isWatching(): boolean {
    return this.watched > 0;
  }

  /**
   * True when a super-frame may leave as a train to the far end in the key. `flow`: the frame's flow hash, 0 when it is not of TCP;
   * `sequence` and `payload`: of its bytes.
   */
  allows(keys: Uint32Array, key: number, flow: number, sequence: number, payload: number): boolean {
    const i = this.slot(keys, key);
    if (this.flow[i] !== 0 && this.flow[i] === flow) this.compare(i, sequence, payload);
    else if (this.flow[i] !== 0 && --this.wait[i] === 0) this.unwatch(i);
    const state = this.state[i];
    if (state === BLOCKED) {
      if (--this.wait[i] === 0) this.state[i] = UNKNOWN;
      return false;
    }
    if (this.flow[i] === 0 && flow !== 0 && (state === UNKNOWN || --this.wait[i] === 0)) {
      this.flow[i] = flow;
      this.begin[i] = sequence;
      this.wait[i] = FORGET_AFTER;
      this.watched++;
    }
    return true;
  }

  /** A frame of TCP that is no super-frame leaves for the far end in the key. */
  seen(keys: Uint32Array, key: number, flow: number, sequence: number, payload: number): void {
    const i = this.slot(keys, key);
    if (this.flow[i] !== 0 && this.flow[i] === flow) this.compare(i, sequence, payload);
  }

  /** What bytes of the flow under watch say of its train. */
  private compare(i: number, sequence: number, payload: number): void {
    const ahead = (sequence - this.begin[i]) | 0;
    if (ahead >= PROOF_BYTES) {
      this.unwatch(i);
      this.state[i] = PROVEN;
      this.lost[i] = 0;
      this.blockedFrames[i] = 0;
    } else if (ahead <= 0 && ahead + payload > 0) {
      const isProven = this.state[i] === PROVEN;
      this.unwatch(i);
      if (isProven && ++this.lost[i] < TRAINS_LOST) {
        // The next one tells more.
        this.wait[i] = 1;
        return;
      }
      this.state[i] = BLOCKED;
      this.lost[i] = 0;
      const before = this.blockedFrames[i];
      this.blockedFrames[i] =
        before === 0 ? BLOCKED_FRAMES : Math.min(2 * before, MAX_BLOCKED_FRAMES);
      this.wait[i] = this.blockedFrames[i];
    } else this.wait[i] = FORGET_AFTER;
  }

  private unwatch(i: number): void {
    this.flow[i] = 0;
    this.wait[i] = WATCH_EVERY;
    this.watched--;
  }

  /** The place of the far end in the key, which is new there when another had it. */
  private slot(keys: Uint32Array, key: number): number {
    const four = keys[key + TUN_DST];
    const six = key + TUN_IPV6_DST;
    const mixed = four ^ keys[six] ^ keys[six + 1] ^ keys[six + 2] ^ keys[six + 3];
    const i = (Math.imul(mixed, 0x9e3779b1) >>> 26) % SLOTS;
    const at = i * ADDRESS_WORDS;
    const { addresses } = this;
    let isSame = addresses[at] === four;
    for (let w = 0; w < 4; w++) isSame = isSame && addresses[at + 1 + w] === keys[six + w];
    if (isSame) return i;
    if (this.flow[i] !== 0) this.unwatch(i);
    addresses[at] = four;
    for (let w = 0; w < 4; w++) addresses[at + 1 + w] = keys[six + w];
    this.state[i] = UNKNOWN;
    this.lost[i] = 0;
    this.blockedFrames[i] = 0;
    return i;
  }
}
