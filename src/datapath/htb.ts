/**
 * Which queue may send next: token buckets after tc-htb(8), in one level below the port.
 *
 * A queue within its own rate (`minRate`) sends at once. One that is above it borrows what the port has left, up to its
 * `maxRate`: the smallest priority number first, equals in proportion to their guarantees (by the share that each has had, not by
 * rounds, so that a super-frame needs no rounds to save up for). A bucket that is not in debt lets one whole
 * frame through and may get into debt by it.
 *
 * A bucket holds no more than its burst, with one exception: what was earned since the last look is good in
 * full, because a look may come late. So rates are exact however coarse the timers are, yet nothing is saved up while a queue is
 * empty. Columns, one number for each queue; nothing here knows of frames.
 */
import type { QosConfig } from './qos.ts';

/** A thread that did not run for longer than this does not make up for it. */
const MAX_LATE_MS = 100;
/** No debt takes longer than this to pay. */
const MAX_DEBT_MS = 60_000;
/** Limits of a queue's weight when borrowing, bytes: as the kernel's quantum, a tenth of a second's guarantee. */
const MIN_WEIGHT = 1000;
const MAX_WEIGHT = 200_000;

export type HtbConfig = Extract<QosConfig, { kind: 'htb' }>;

export class Htb {
  /** Bits per millisecond. */
  private readonly rate: Float64Array;
  private readonly ceiling: Float64Array;
  private readonly burst: Float64Array;
  private readonly priority: Float64Array;
  private readonly weight: Float64Array;
  /** Bits; below zero is a debt. */
  private readonly own: Float64Array;
  private readonly most: Float64Array;
  /** Borrowed bits by weight: who has least is next. */
  private readonly share: Float64Array;
  private readonly filledMs: Float64Array;
  /** Queues with frames: the first activeCount ones. */
  private readonly active: Int32Array;
  private activeCount = 0;
  private readonly rootRate: number;
  private readonly rootBurst: number;
  private rootTokens: number;
  private rootFilledMs: number;
  private lastShare = 0;
  private borrows = false;

  /** Buckets are full at first. Queues are known by their index in `config.queues`. */
  constructor(config: HtbConfig, nowMs: number) {
    const column = (of: (queue: HtbConfig['queues'][number]) => number) =>
      Float64Array.from(config.queues, of);
    this.rate = column((queue) => queue.minRate / 1000);
    this.ceiling = column((queue) => queue.maxRate / 1000);
    this.burst = column((queue) => queue.burstBits);
    this.priority = column((queue) => queue.priority);
    this.weight = column(({ minRate }) => Math.min(Math.max(minRate / 80, MIN_WEIGHT), MAX_WEIGHT));
    this.own = this.burst.slice();
    this.most = this.burst.slice();
    this.share = new Float64Array(config.queues.length);
    this.filledMs = new Float64Array(config.queues.length).fill(nowMs);
    this.active = new Int32Array(config.queues.length);
    this.rootRate = config.maxRate / 1000;
    this.rootBurst = this.rootTokens = config.burstBits;
    this.rootFilledMs = nowMs;
  }

  /** Queue i has a frame, which it had not. */
  activate(i: number, nowMs: number): void {
    if (this.activeCount === 0) {
      const earned = (nowMs - this.rootFilledMs) * this.rootRate;
      this.rootTokens = Math.min(this.rootTokens + earned, this.rootBurst);
      this.rootFilledMs = nowMs;
    }
    const elapsed = nowMs - this.filledMs[i];
    this.own[i] = Math.min(this.own[i] + elapsed * this.rate[i], this.burst[i]);
    this.most[i] = Math.min(this.most[i] + elapsed * this.ceiling[i], this.burst[i]);
    this.filledMs[i] = nowMs;
    // Whoever was silent has saved up no claim.
    this.share[i] = Math.max(this.share[i], this.lastShare);
    this.active[this.activeCount++] = i;
  }

  /** Queue i has no frame any more. */
  deactivate(i: number): void {
    const at = this.active.indexOf(i);
    this.active[at] = this.active[--this.activeCount];
  }

  /** Pays everybody for the time that has passed. */
  refill(nowMs: number): void {
    const late = Math.min(nowMs - this.rootFilledMs, MAX_LATE_MS);
    if (late > 0) {
      this.rootTokens = filled(this.rootTokens, late * this.rootRate, this.rootBurst);
      this.rootFilledMs = nowMs;
    }
    for (let n = 0; n < this.activeCount; n++) {
      const i = this.active[n];
      const elapsed = Math.min(nowMs - this.filledMs[i], MAX_LATE_MS);
      if (elapsed <= 0) continue;
      this.own[i] = filled(this.own[i], elapsed * this.rate[i], this.burst[i]);
      this.most[i] = filled(this.most[i], elapsed * this.ceiling[i], this.burst[i]);
      this.filledMs[i] = nowMs;
    }
  }

  /** The queue whose first frame goes next, -1 when none may go yet. After refill(). */
  next(): number {
    let own = -1;
    let borrower = -1;
    for (let n = 0; n < this.activeCount; n++) {
      const i = this.active[n];
      if (this.most[i] < 0) continue;
      if (this.own[i] >= 0) {
        if (own < 0 || this.priority[i] < this.priority[own]) own = i;
      } else if (this.rootTokens >= 0 && (borrower < 0 || this.isBefore(i, borrower))) borrower = i;
    }
    this.borrows = own < 0;
    return this.borrows ? borrower : own;
  }

  /** Queue i, the answer of next(), has sent so many bits. */
  charge(i: number, bits: number): void {
    this.most[i] -= bits;
    this.rootTokens = Math.max(this.rootTokens - bits, -this.rootRate * MAX_DEBT_MS);
    if (this.borrows) {
      this.lastShare = this.share[i];
      this.share[i] += bits / this.weight[i];
    } else this.own[i] -= bits;
  }

  /** Milliseconds until next() has an answer; Infinity when no queue has frames. After refill(). */
  waitMs(): number {
    let soonest = Number.POSITIVE_INFINITY;
    const root = Math.max(-this.rootTokens / this.rootRate, 0);
    for (let n = 0; n < this.activeCount; n++) {
      const i = this.active[n];
      const either = Math.min(-this.own[i] / this.rate[i], root);
      soonest = Math.min(soonest, Math.max(-this.most[i] / this.ceiling[i], either, 0));
    }
    return soonest;
  }

  private isBefore(a: number, b: number): boolean {
    return this.priority[a] === this.priority[b]
      ? this.share[a] < this.share[b]
      : this.priority[a] < this.priority[b];
  }
}

const filled = (tokens: number, earned: number, burst: number): number =>
  Math.min(tokens + earned, Math.max(burst, earned));
