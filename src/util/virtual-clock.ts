/** A clock for tests: time stands still until `advance` moves it, and due timers run inside that call. */
import type { Clock, Timer } from './clock.ts';
import { TimerQueue } from './timer-queue.ts';

export class VirtualClock implements Clock {
  private readonly queue = new TimerQueue();
  private ms: number;
  private readonly epochMs: number;

  constructor(startMs = 0, epochMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)) {
    this.ms = startMs;
    this.epochMs = epochMs - startMs;
  }

  now(): number {
    return this.ms;
  }

  wall(): number {
    return this.epochMs + this.ms;
  }

  after(delayMs: number, f: () => void): Timer {
    return this.queue.add(this.ms + Math.max(0, Math.ceil(delayMs)), 0, f);
  }

  every(periodMs: number, f: () => void): Timer {
    const period = Math.max(1, Math.ceil(periodMs));
    return this.queue.add(this.ms + period, period, f);
  }

  /** Moves time ahead by `ms`, stopping at each timer on the way so that it sees its own due time. */
  advance(ms: number): void {
    const end = this.ms + ms;
    for (let due = this.queue.nextDue(); due <= end; due = this.queue.nextDue()) {
      this.ms = Math.max(this.ms, due);
      this.queue.runOne(this.ms);
    }
    this.ms = end;
  }
}
