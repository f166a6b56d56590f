/**
 * Action programs: what the datapath does with a frame, as one Int32Array.
 *
 * The same words stand in the command ring, in the megaflow cache and behind a dump. Layout: a sequence
 * of actions, each `words << 8 | op` followed by words-1 arguments. `words` lets a reader skip an action
 * that it does not know. An empty program drops the frame.
 *
 * The one generic rewrite is SET: it names a word of the flow key (packet/key.ts), so that matching and
 * rewriting a field share its place.
 */
import { DP_WORDS, TUN_ID } from '../packet/key.ts';
import { isNsh, TUNNEL_STRIDE } from '../tunnels/tunnel-words.ts';
import { RecentPrograms } from './recent-programs.ts';

export const Op = {
  /** [port] */
  OUTPUT: 1,
  /** [tpid << 16 | tci] (tci includes the CFI bit as in VLAN0) */
  PUSH_VLAN: 2,
  POP_VLAN: 3,
  /** [key word, value, mask]: masked rewrite of the header bytes that the key word stands for */
  SET: 4,
  /** [CookieKind, ...words of the cookie]: hand the frame, as it is by now, to the main thread */
  USERSPACE: 5,
  /** [bytes]: limits the next OUTPUT, USERSPACE or TNL_PUSH only, which may be the first in a CLONE (OFPAT output(max_len), mirrors' snaplen) */
  TRUNC: 6,
  /** [recirc id]: look the frame up again; last action of its program */
  RECIRC: 7,
  /** [DropReason]: explicit drop, counted under its reason */
  DROP: 8,
  /** [...program]: run the nested program on a copy */
  CLONE: 9,
  /** [eth_type, label stack entry]: a new outermost entry in front of the network header. The key is read anew. */
  PUSH_MPLS: 10,
  /** [eth_type]: removes the outermost entry and sets the frame's type. The key is read anew. */
  POP_MPLS: 11,
  /** [meter id]: ends the program (a nested one alone) when the meter drops the frame; may remark its DSCP */
  METER: 12,
  /** [HashKind, basis]: writes dp_hash into the metadata of the frame, for a RECIRC behind it */
  HASH: 13,
  /** [probability of 2^32 - 1, ...program]: run the nested program on a copy of a part of the frames */
  SAMPLE: 14,
  /** [bytes, words of the first program, ...program if longer, ...program if not]: on a copy */
  CHECK_PKT_LEN: 15,
  /** [I-SID]: a new outer Ethernet header with the frame's addresses, and an I-TAG (IEEE 802.1ah). The key is read anew. */
  PUSH_PBB: 16,
  /** Removes the outer Ethernet header and the I-TAG. The key is read anew. */
  POP_PBB: 17,
  /** TTL of the second outermost header (MPLS or IP) to the outermost MPLS entry */
  COPY_TTL_OUT: 18,
  /** TTL of the outermost MPLS entry to the header behind it (MPLS or IP) */
  COPY_TTL_IN: 19,
  /** [word, value, ...]: the whole tunnel that an OUTPUT to a tunnel port encapsulates for; words not named are 0 */
  SET_TUNNEL: 20,
  /**
   * [tunnel's port, port to leave by, Encapsulation, first << 16 | last UDP source port, bytes, ...outer header as big-endian words]: the
   * frame is a packet with this outer header from here on (tunnels/outer-header.ts). The key is read anew.
   */
  TNL_PUSH: 21,
  /** [tunnel's port, Encapsulation, 1 for VXLAN with group policy]: what is in the packet is looked up as a frame from that port */
  TNL_POP: 22,
} as const;

/**
 * What the words of a USERSPACE action say. They come back in Upcall.cookie as they are; the text of the action
 * (program-text.ts) reads them as given here. At most COOKIE_WORDS, missing ones are 0.
 */
export const CookieKind = {
  /** Opaque words: userdata(...). */
  OTHER: 0,
  /** [reasons: SlowPath bits] */
  SLOW_PATH: 1,
  /** [PacketInFlag bits, OFPR_* reason, recirc id, rule cookie high, low, controller id, max_len] */
  CONTROLLER: 2,
  /** [vlan TCI, output] */
  SFLOW: 3,
  /** [probability, collector set id, observation domain id, observation point id, output port, direction 0, 1 ingress, 2 egress] */
  FLOW_SAMPLE: 4,
  /** [output port] */
  IPFIX: 5,
} as const;
export const COOKIE_WORDS = 8;

export const PacketInFlag = { DONT_SEND: 1, CONTINUATION: 2 } as const;

/** Why frames of a flow go through the main thread. The names in the text: cfm, bfd, lacp, stp, lldp, action, match. */
export const SlowPath = {
  CFM: 1,
  BFD: 2,
  LACP: 4,
  STP: 8,
  LLDP: 16,
  ACTION: 32,
  MATCH: 64,
} as const;

/** L4: addresses, protocol and ports; SYM_L4: the same for both directions. */
export const HashKind = { L4: 0, SYM_L4: 1 } as const;

/** Builds a program. Reused by one translation after another: `reset()` first, `take()` last. */
export class ProgramBuilder {
  private words = new Int32Array(64);
  private n = 0;
  private readonly recent = new RecentPrograms();

  /** Words written so far; 0 means that nothing was decided (drop). */
  get length(): number {
    return this.n;
  }

  reset(): void {
    this.n = 0;
  }

  private room(count: number): void {
    if (this.n + count <= this.words.length) return;
    const bigger = new Int32Array(Math.max(this.words.length * 2, this.n + count));
    bigger.set(this.words);
    this.words = bigger;
  }

  private put(op: number, a = 0, b = 0, c = 0, args = 0): void {
    this.room(args + 1);
    const w = this.words;
    w[this.n++] = ((args + 1) << 8) | op;
    if (args > 0) w[this.n++] = a;
    if (args > 1) w[this.n++] = b;
    if (args > 2) w[this.n++] = c;
  }

  output(port: number): void {
    this.put(Op.OUTPUT, port, 0, 0, 1);
  }
  pushVlan(tpid: number, tci: number): void {
    this.put(Op.PUSH_VLAN, (tpid << 16) | tci, 0, 0, 1);
  }
  popVlan(): void {
    this.put(Op.POP_VLAN);
  }
  set(keyWord: number, value: number, mask: number): void {
    this.put(Op.SET, keyWord, value, mask, 3);
  }
  /** `kind` is a CookieKind, `cookie` up to COOKIE_WORDS words. */
  userspace(kind: number, ...cookie: number[]): void {
    if (cookie.length > COOKIE_WORDS) throw new RangeError(`cookie of ${cookie.length} words`);
    this.put(Op.USERSPACE, kind, 0, 0, 1);
    this.words[this.n - 2] += cookie.length << 8;
    this.room(cookie.length);
    for (const word of cookie) this.words[this.n++] = word;
  }
  trunc(bytes: number): void {
    this.put(Op.TRUNC, bytes, 0, 0, 1);
  }
  recirc(id: number): void {
    this.put(Op.RECIRC, id, 0, 0, 1);
  }
  drop(reason: number): void {
    this.put(Op.DROP, reason, 0, 0, 1);
  }

  pushMpls(ethType: number, lse: number): void {
    this.put(Op.PUSH_MPLS, ethType, lse, 0, 2);
  }
  popMpls(ethType: number): void {
    this.put(Op.POP_MPLS, ethType, 0, 0, 1);
  }
  meter(id: number): void {
    this.put(Op.METER, id, 0, 0, 1);
  }
  /** `kind` is a HashKind. */
  hash(kind: number, basis: number): void {
    this.put(Op.HASH, kind, basis, 0, 2);
  }
  pushPbb(isid: number): void {
    this.put(Op.PUSH_PBB, isid, 0, 0, 1);
  }
  popPbb(): void {
    this.put(Op.POP_PBB);
  }
  copyTtlOut(): void {
    this.put(Op.COPY_TTL_OUT);
  }
  copyTtlIn(): void {
    this.put(Op.COPY_TTL_IN);
  }
  /** Takes the tunnel words of a flow key. */
  setTunnel(flow: ArrayLike<number>): void {
    const place = this.n;
    this.put(Op.SET_TUNNEL);
    this.room(2 * TUNNEL_STRIDE);
    for (let word = TUN_ID; word < DP_WORDS; word++) {
      if (flow[word] === 0 || isNsh(word)) continue;
      this.words[this.n++] = word;
      this.words[this.n++] = flow[word];
    }
    this.end(place);
  }

  tnlPush(
    tunnelPort: number,
    outPort: number,
    type: number,
    sourcePorts: number,
    header: Uint8Array,
  ): void {
    const place = this.n;
    this.put(Op.TNL_PUSH, tunnelPort, outPort, type, 3);
    const count = (header.length + 3) >>> 2;
    this.room(count + 2);
    this.words[this.n++] = sourcePorts;
    this.words[this.n++] = header.length;
    for (let i = 0; i < count; i++) {
      let word = 0;
      for (let k = 4 * i; k < 4 * i + 4; k++) word = (word << 8) | (header[k] ?? 0);
      this.words[this.n++] = word;
    }
    this.end(place);
  }
  tnlPop(tunnelPort: number, type: number, gbp: boolean): void {
    this.put(Op.TNL_POP, tunnelPort, type, gbp ? 1 : 0, 3);
  }

  /**
   * Nested programs: what is written between begin...() and end(place) belongs to the action. They run on a copy, so
   * nothing they rewrite is seen behind them.
   */
  beginClone(): number {
    const place = this.n;
    this.put(Op.CLONE);
    return place;
  }
  /** `probability`: 0 never, 0xffffffff always. */
  beginSample(probability: number): number {
    const place = this.n;
    this.put(Op.SAMPLE, probability, 0, 0, 1);
    return place;
  }
  /** What follows runs for frames of more than `bytes`; after otherwise(place), for the others. */
  beginCheckPktLen(bytes: number): number {
    const place = this.n;
    this.put(Op.CHECK_PKT_LEN, bytes, -1, 0, 2);
    return place;
  }
  otherwise(place: number): void {
    this.words[place + 2] = this.n - place - 3;
  }
  end(place: number): void {
    const op = this.words[place] & 255;
    if (op === Op.CHECK_PKT_LEN && this.words[place + 2] < 0) this.otherwise(place);
    this.words[place] = ((this.n - place) << 8) | op;
  }
  /** What beginClone() began at `place` turns out to need no copy: it becomes part of what surrounds it. */
  unwrapClone(place: number): void {
    this.words.copyWithin(place, place + 1, this.n);
    this.n--;
  }
  /** A copy that comes last is no copy: a CLONE at the end becomes part of the program. */
  unwrapLastClone(): void {
    let last = -1;
    for (let at = 0; at < this.n; at += this.words[at] >>> 8) last = at;
    if (last >= 0 && (this.words[last] & 255) === Op.CLONE) this.unwrapClone(last);
  }
  /** Words from `from` on are taken back: an action that turned out to be empty. */
  truncate(from: number): void {
    this.n = from;
  }
  /** Appends a whole program. */
  append(program: ArrayLike<number>): void {
    this.room(program.length);
    for (let i = 0; i < program.length; i++) this.words[this.n++] = program[i];
  }

  /** The program, ready to be kept: a copy, or an earlier one that is equal. Nobody may write to it. */
  take(): Int32Array {
    return this.recent.get(this.words, 0, this.n);
  }
}

/** Word-for-word equality: what revalidation compares. */
export function sameWords(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  n = Math.max(a.length, b.length),
): boolean {
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return false;
  return true;
}
