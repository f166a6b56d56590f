/**
 * Pending timers of one clock: a binary heap ordered by due time, then by order of arming.
 *
 * Both clocks stand on it, so that a timer behaves the same under the real daemon, under `time/warp` and in
 * tests. A cancelled timer stays in the heap until its time and is skipped then; its function is dropped at
 * once, so that nothing it holds stays alive.
 */
import type { Timer } from './clock.ts';

interface Entry {
  dueMs: number;
  sequence: number;
  /** 0 for a timer that fires once. */
  periodMs: number;
  f: (() => void) | undefined;
}

const before = (a: Entry, b: Entry): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);

export class TimerQueue {
  private readonly heap: Entry[] = [];
  private sequence = 0;
  private cancelled = 0;

  /** Arms `f` for `dueMs`; with a period it is armed again after each call. */
  add(dueMs: number, periodMs: number, f: () => void): Timer {
    const entry: Entry = { dueMs, sequence: this.sequence++, periodMs, f };
    this.push(entry);
    return {
      cancel: () => {
        if (entry.f === undefined) return;
        entry.f = undefined;
        this.cancelled++;
        if (this.cancelled > 64 && this.cancelled * 2 > this.heap.length) this.sweep();
      },
    };
  }

  /** Due time of the earliest live timer, Infinity when there is none. */
  nextDue(): number {
    while (this.heap.length > 0 && this.heap[0].f === undefined) {
      this.pop();
      this.cancelled--;
    }
    return this.heap.length > 0 ? this.heap[0].dueMs : Number.POSITIVE_INFINITY;
  }

  /**
   * Calls the earliest timer if it is due at `nowMs`; false when none is. A periodic timer that fell behind
   * (a jump of the clock) fires once and goes on from now: bursts of catching up help nobody.
   */
  runOne(nowMs: number): boolean {
    if (this.nextDue() > nowMs) return false;
    const entry = this.pop();
    const f = entry.f as () => void;
    if (entry.periodMs > 0) {
      entry.dueMs = Math.max(entry.dueMs + entry.periodMs, nowMs + 1);
      entry.sequence = this.sequence++;
      this.push(entry);
    } else {
      entry.f = undefined;
    }
    f();
    return true;
  }

  private push(entry: Entry): void {
    const heap = this.heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  private pop(): Entry {
    const heap = this.heap;
    const top = heap[0];
    const last = heap.pop() as Entry;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
    }
    return top;
  }

  /** Rebuilds the heap without cancelled entries, so that arming and cancelling for ever costs no memory. */
  private sweep(): void {
    const live = this.heap.filter((entry) => entry.f !== undefined);
    this.heap.length = 0;
    this.cancelled = 0;
    for (const entry of live) this.push(entry);
  }
}
