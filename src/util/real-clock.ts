/**
 * The daemon's clock: real time, which `time/stop` holds and `time/warp` moves.
 *
 * All timers lie in one queue behind a single unref'd libuv timer, so a held clock holds every timer and an
 * idle daemon wakes only for what is due. As in Open vSwitch only the monotonic clock can be held; wall time,
 * which stamps log lines, always runs.
 */
import type { Clock, Timer } from './clock.ts';
import { TimerQueue } from './timer-queue.ts';

/** setTimeout's own limit; a later timer is simply looked at again then. */
const LONGEST_SLEEP_MS = 0x7fffffff;

export class RealClock implements Clock {
  private readonly queue = new TimerQueue();
  /** Added to the process's monotonic time; grows by warps, shrinks by the time spent held. */
  private offsetMs = 0;
  /** The time shown while held. */
  private heldMs: number | undefined;
  private sleeper: NodeJS.Timeout | undefined;
  private sleepsUntilMs = Number.POSITIVE_INFINITY;
  private warping = false;
  private readonly followers: (() => void)[] = [];

  /** Calls `follower` now and whenever the clock is held or moved: for those who show its time elsewhere. */
  follow(follower: () => void): void {
    this.followers.push(follower);
    follower();
  }

  private tellFollowers(): void {
    for (const follower of this.followers) follower();
  }

  now(): number {
    return this.heldMs ?? Math.floor(performance.now()) + this.offsetMs;
  }

  wall(): number {
    return Date.now();
  }

  after(delayMs: number, f: () => void): Timer {
    const timer = this.queue.add(this.now() + Math.max(0, Math.ceil(delayMs)), 0, f);
    this.sleep();
    return timer;
  }

  every(periodMs: number, f: () => void): Timer {
    const period = Math.max(1, Math.ceil(periodMs));
    const timer = this.queue.add(this.now() + period, period, f);
    this.sleep();
    return timer;
  }

  /** True between time/stop and the end of the process: a clock once held does not start again. */
  get stopped(): boolean {
    return this.heldMs !== undefined;
  }

  /** Holds the clock where it is (`time/stop`). */
  stop(): void {
    if (this.heldMs !== undefined) return;
    this.heldMs = this.now();
    this.tellFollowers();
  }

  /**
   * Moves the clock ahead by `totalMs` in steps of `stepMs` (`time/warp`). After every step the due timers run
   * and the event loop turns a few times, so that promises, sockets and worker messages that a timer set off
   * settle before time goes on. One warp at a time: a second one is refused with an Error.
   */
  async warp(totalMs: number, stepMs: number): Promise<void> {
    if (this.warping) throw new Error('a warp is already running');
    this.warping = true;
    try {
      await settle();
      for (let left = totalMs; left > 0; ) {
        const step = Math.min(left, stepMs);
        left -= step;
        if (this.heldMs === undefined) this.offsetMs += step;
        else this.heldMs += step;
        this.tellFollowers();
        this.runDue();
        await settle();
      }
    } finally {
      this.warping = false;
    }
  }

  /** Runs what is due now and arms the sleeper again. A timer armed meanwhile for "now" waits for the next turn. */
  private runDue(): void {
    const now = this.now();
    try {
      for (let budget = 10_000; budget > 0 && this.queue.runOne(now); budget--);
    } finally {
      this.sleep();
    }
  }

  private sleep(): void {
    const due = this.queue.nextDue();
    // A held clock still runs what is already due, for example after(0, f).
    const held = this.heldMs !== undefined && due > this.heldMs;
    const wanted = held ? Number.POSITIVE_INFINITY : due;
    if (wanted === this.sleepsUntilMs && this.sleeper !== undefined) return;
    if (this.sleeper !== undefined) clearTimeout(this.sleeper);
    this.sleeper = undefined;
    this.sleepsUntilMs = wanted;
    if (wanted === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(0, wanted - this.now()), LONGEST_SLEEP_MS);
    this.sleeper = setTimeout(() => {
      this.sleeper = undefined;
      this.runDue();
    }, delay);
    this.sleeper.unref();
  }
}

/** Three turns of the event loop: a timer's promise, the write it causes, and the answer to that. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
