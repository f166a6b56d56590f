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
export const Op = {
  /** [port] */
  OUTPUT: 1,
  /** [tpid << 16 | tci] (tci includes the CFI bit as in VLAN0) */
  PUSH_VLAN: 2,
  POP_VLAN: 3,
  /** [key word, value, mask]: masked rewrite of the header bytes that the key word stands for */
  SET: 4,
  /** [reason, cookie high, cookie low]: hand the frame to the main thread (UpcallReason) */
  USERSPACE: 5,
  /** [bytes]: limits the next OUTPUT only (OFPAT output(max_len), mirrors' snaplen) */
  TRUNC: 6,
  /** [recirc id]: look the frame up again; last action of its program */
  RECIRC: 7,
  /** [DropReason]: explicit drop, counted under its reason */
  DROP: 8,
  /** [...program]: run the nested program on a copy */
  CLONE: 9,
} as const;

/** Builds a program. Reused by one translation after another: `reset()` first, `take()` last. */
export class ProgramBuilder {
  private words = new Int32Array(64);
  private n = 0;

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
  userspace(reason: number, cookieHigh: number, cookieLow: number): void {
    this.put(Op.USERSPACE, reason, cookieHigh, cookieLow, 3);
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

  /** A copy of the program, ready to be kept. */
  take(): Int32Array {
    return this.words.slice(0, this.n);
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
