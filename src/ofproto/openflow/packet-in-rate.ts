/**
 * Limits the packet-ins of one connection: a token bucket (Controller.controller_rate_limit and controller_burst_limit), behind which
 * packets wait in one queue per port, served in turn, so that a noisy port does not silence the others. When the queues are full,
 * the longest one loses its oldest packet.
 */
import type { Clock, Timer } from '../../util/clock.ts';

const MIN_RATE = 100;

export class PacketInRate {
  private readonly clock: Clock;
  private readonly send: (bytes: Uint8Array) => void;
  private rate = 0;
  private burst = 0;
  private tokens = 0;
  private filledMs = 0;
  private readonly queues = new Map<number, Uint8Array[]>();
  private waiting = 0;
  private timer: Timer | null = null;
  /** Sent at once, sent after waiting, dropped. */
  readonly stats = { bypassed: 0, queued: 0, dropped: 0 };

  constructor(clock: Clock, send: (bytes: Uint8Array) => void) {
    this.clock = clock;
    this.send = send;
  }

  /** Packets per second, 0 for no limit; `burst` packets at once, 0 for a quarter of the rate. */
  configure(rate: number, burst: number): void {
    const wantedRate = rate <= 0 ? 0 : Math.max(rate, MIN_RATE);
    const wantedBurst = Math.max(burst <= 0 ? wantedRate / 4 : burst, 1);
    if (wantedRate === this.rate && wantedBurst === this.burst) return;
    this.rate = wantedRate;
    this.burst = wantedBurst;
    this.tokens = wantedBurst;
    this.filledMs = this.clock.now();
    if (wantedRate === 0) this.flush();
  }

  get backlog(): number {
    return this.waiting;
  }
  get isLimited(): boolean {
    return this.rate > 0;
  }

  offer(port: number, bytes: Uint8Array): void {
    if (this.rate === 0 || (this.waiting === 0 && this.take())) {
      this.stats.bypassed++;
      this.send(bytes);
      return;
    }
    if (this.waiting >= this.burst) this.dropOne();
    const queue = this.queues.get(port);
    if (queue === undefined) this.queues.set(port, [bytes]);
    else queue.push(bytes);
    this.waiting++;
    this.stats.queued++;
    this.arm();
  }

  private take(): boolean {
    const now = this.clock.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.filledMs) * this.rate) / 1000);
    this.filledMs = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  private dropOne(): void {
    let longest = -1;
    let length = 0;
    for (const [port, queue] of this.queues) {
      if (queue.length <= length) continue;
      length = queue.length;
      longest = port;
    }
    const queue = this.queues.get(longest);
    if (queue === undefined) return;
    queue.shift();
    this.waiting--;
    this.stats.dropped++;
    if (queue.length === 0) this.queues.delete(longest);
  }

  private arm(): void {
    this.timer ??= this.clock.after(Math.ceil(1000 / this.rate), () => {
      this.timer = null;
      while (this.waiting > 0 && this.take()) this.next();
      if (this.waiting > 0) this.arm();
    });
  }

  /** Serves the queue whose turn it is, and puts it behind the others. */
  private next(): void {
    for (const [port, queue] of this.queues) {
      this.queues.delete(port);
      const bytes = queue.shift();
      if (queue.length > 0) this.queues.set(port, queue);
      if (bytes === undefined) continue;
      this.waiting--;
      this.send(bytes);
      return;
    }
  }

  private flush(): void {
    while (this.waiting > 0) this.next();
  }

  /** Forgets what waits. */
  clear(): void {
    this.timer?.cancel();
    this.timer = null;
    this.queues.clear();
    this.waiting = 0;
  }
}
