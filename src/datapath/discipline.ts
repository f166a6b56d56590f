/**
 * What decides when the frames of a port go: HTB's queues, or a wire that is slow and loses some. Both hold copies (held-frames.ts)
 * and count what they send in the shared statistics.
 */
import type { Batch } from './batch.ts';
import { HeldFrames, type HeldMemory } from './held-frames.ts';
import { Htb, type HtbConfig } from './htb.ts';
import { wirePackets } from './policer.ts';
import type { QosConfig } from './qos.ts';
import {
  counterIndex,
  QUEUE_BYTES,
  QUEUE_CELLS,
  QUEUE_ERRORS,
  QUEUE_PACKETS,
  type Shared,
} from './shared.ts';

const QUEUE_FULL = counterIndex('drop_tx_qos_queue_full');
const LOSS = counterIndex('drop_tx_qos_loss');

/** A super-frame that needs longer than this is cut, so that rates are even and other queues get their turn. */
const LONG_FRAME_MS = 5;
/** What a queue holds, in time at its maximum rate; but some frames always, and no more than there is memory. */
const QUEUE_MS = 500;
const MIN_LIMIT_BYTES = 128 << 10;

export interface Discipline {
  readonly kind: QosConfig['kind'];
  /** Frames held. */
  readonly count: number;
  /** True for a super-frame that would take long by its queue. */
  wantsSegments(batch: Batch, p: number): boolean;
  /** Takes a copy of frame p; counts it when it is dropped instead, and says false. */
  hold(batch: Batch, p: number, nowMs: number): boolean;
  /** Appends the next frame that may go now to a batch with room; false when none may. */
  release(into: Batch, nowMs: number): boolean;
  /** When release() may have one; Infinity when none is held. */
  dueMs(nowMs: number): number;
  /** Forgets what is held. */
  free(): void;
}

/** Queues with rates. `slots`: where each queue of the configuration counts, see Shared. */
export class HtbDiscipline implements Discipline {
  readonly kind = 'htb';
  count = 0;
  private readonly memory: HeldMemory;
  private readonly shared: Shared;
  private htb!: Htb;
  private queues: HeldFrames[] = [];
  private slots: readonly number[] = [];
  /** Maxima, bits per millisecond. */
  private rates: readonly number[] = [];
  /** Index of a queue by its number. */
  private byId = new Map<number, number>();

  constructor(
    memory: HeldMemory,
    shared: Shared,
    config: HtbConfig,
    slots: readonly number[],
    nowMs: number,
  ) {
    this.memory = memory;
    this.shared = shared;
    this.configure(config, slots, nowMs);
  }

  /** Other rates; frames in queues that stay, stay. */
  configure(config: HtbConfig, slots: readonly number[], nowMs: number): void {
    const before = new Map([...this.byId].map(([id, at]) => [id, this.queues[at]]));
    this.htb = new Htb(config, nowMs);
    this.slots = slots;
    this.rates = config.queues.map(({ maxRate }) => maxRate / 1000);
    this.byId = new Map(config.queues.map(({ id }, at) => [id, at]));
    this.queues = config.queues.map(({ id }) => before.get(id) ?? new HeldFrames(this.memory));
    this.count = 0;
    this.queues.forEach((queue, at) => {
      queue.limitBytes = Math.max((this.rates[at] * QUEUE_MS) / 8, MIN_LIMIT_BYTES);
      this.count += queue.count;
      if (queue.count > 0) this.htb.activate(at, nowMs);
    });
    for (const [id, queue] of before) if (!this.byId.has(id)) queue.free();
  }

  wantsSegments(batch: Batch, p: number): boolean {
    return batch.length[p] * 8 > this.rates[this.indexOf(batch.priority[p])] * LONG_FRAME_MS;
  }

  hold(batch: Batch, p: number, nowMs: number): boolean {
    const i = this.indexOf(batch.priority[p]);
    const queue = this.queues[i];
    if (!queue.push(batch, p)) {
      const packets = wirePackets(batch, p);
      this.shared.counters[QUEUE_FULL] += packets;
      this.shared.queues[this.slots[i] * QUEUE_CELLS + QUEUE_ERRORS] += packets;
      return false;
    }
    this.count++;
    if (queue.count === 1) this.htb.activate(i, nowMs);
    return true;
  }

  release(into: Batch, nowMs: number): boolean {
    this.htb.refill(nowMs);
    const i = this.htb.next();
    if (i < 0) return false;
    const queue = this.queues[i];
    const bytes = queue.wireBytes;
    const cells = this.shared.queues;
    const at = this.slots[i] * QUEUE_CELLS;
    cells[at + QUEUE_BYTES] += bytes;
    cells[at + QUEUE_PACKETS] += queue.packets;
    queue.shift(into);
    this.count--;
    this.htb.charge(i, bytes * 8);
    if (queue.count === 0) this.htb.deactivate(i);
    return true;
  }

  dueMs(nowMs: number): number {
    this.htb.refill(nowMs);
    return nowMs + this.htb.waitMs();
  }

  free(): void {
    for (const queue of this.queues) queue.free();
    this.count = 0;
  }

  private indexOf(priority: number): number {
    return this.byId.get(priority) ?? this.byId.get(0) ?? 0;
  }
}

/** Every frame is late, or lost. `seed` of the losses. */
export class NetemDiscipline implements Discipline {
  readonly kind = 'netem';
  private readonly shared: Shared;
  private readonly config: Extract<QosConfig, { kind: 'netem' }>;
  private readonly frames: HeldFrames;
  private random: number;

  constructor(
    memory: HeldMemory,
    shared: Shared,
    config: Extract<QosConfig, { kind: 'netem' }>,
    seed: number,
  ) {
    this.shared = shared;
    this.config = config;
    this.frames = new HeldFrames(memory);
    this.random = seed | 0 || 0x2545f491;
  }

  get count(): number {
    return this.frames.count;
  }

  wantsSegments(): boolean {
    return false;
  }

  hold(batch: Batch, p: number, nowMs: number): boolean {
    if (this.draw() < this.config.loss) {
      this.shared.counters[LOSS]++;
      return false;
    }
    const { limitPackets, latencyMs } = this.config;
    if (this.frames.count >= limitPackets || !this.frames.push(batch, p, nowMs + latencyMs)) {
      this.shared.counters[QUEUE_FULL] += wirePackets(batch, p);
      return false;
    }
    return true;
  }

  release(into: Batch, nowMs: number): boolean {
    if (this.frames.count === 0 || this.frames.time > nowMs) return false;
    this.frames.shift(into);
    return true;
  }

  dueMs(): number {
    return this.frames.count === 0 ? Number.POSITIVE_INFINITY : this.frames.time;
  }

  free(): void {
    this.frames.free();
  }

  /** Uniform in [0, 1): xorshift. */
  private draw(): number {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return (x >>> 0) / 2 ** 32;
  }
}
