/**
 * Event counters with rates, as `coverage/show` prints them.
 *
 * A counter is either incremented here or read by a function (from memory shared with the worker). Every five
 * seconds the growth of each goes into two small rings: 12 slots of 5 s make the last minute, 60 slots of a
 * minute the last hour (coverage-show in ovs-vswitchd(8)).
 */
import type { Clock } from './clock.ts';

const SAMPLE_MS = 5000;
const SAMPLES_PER_MINUTE = 12;
const MINUTES_PER_HOUR = 60;

export interface Counter {
  add(n?: number): void;
}

class Entry implements Counter {
  readonly name: string;
  read: () => number;
  private own = 0;
  private sampled = 0;
  private readonly recent = new Float64Array(SAMPLES_PER_MINUTE);
  private readonly minutes = new Float64Array(MINUTES_PER_HOUR);

  constructor(name: string) {
    this.name = name;
    this.read = () => this.own;
  }

  add(n = 1): void {
    this.own += n;
  }

  sample(tick: number): void {
    const total = this.read();
    const growth = Math.max(0, total - this.sampled);
    this.sampled = total;
    this.recent[tick % SAMPLES_PER_MINUTE] = growth;
    const minute = Math.floor(tick / SAMPLES_PER_MINUTE) % MINUTES_PER_HOUR;
    if (tick % SAMPLES_PER_MINUTE === 0) this.minutes[minute] = 0;
    this.minutes[minute] += growth;
  }

  line(lastTick: number): string {
    const fiveSeconds = lastTick < 0 ? 0 : this.recent[lastTick % SAMPLES_PER_MINUTE] / 5;
    const minute = this.recent.reduce((sum, n) => sum + n, 0) / 60;
    const hour = this.minutes.reduce((sum, n) => sum + n, 0) / 3600;
    const rate = (value: number, width: number, digits: number): string =>
      `${value.toFixed(digits).padStart(width)}/sec`;
    return `${this.name.padEnd(24)} ${rate(fiveSeconds, 5, 1)} ${rate(minute, 9, 3)} ${rate(hour, 13, 4)}   total: ${this.read()}`;
  }
}

export class Coverage {
  private readonly entries = new Map<string, Entry>();
  /** Number of the latest sample, -1 before the first. */
  private tick = -1;

  constructor(clock: Clock) {
    clock.every(SAMPLE_MS, () => {
      this.tick++;
      for (const entry of this.entries.values()) entry.sample(this.tick);
    });
  }

  /** The counter of this name, made on first use. */
  counter(name: string): Counter {
    return this.entry(name);
  }

  /** Registers (or replaces) a counter that lives elsewhere and only grows. */
  counterFrom(name: string, read: () => number): void {
    this.entry(name).read = read;
  }

  /** The total of a counter, undefined when there is none of this name. */
  total(name: string): number | undefined {
    return this.entries.get(name)?.read();
  }

  /** The text of `coverage/show`: a header, a line for every counter that was hit, and how many were not. */
  show(): string {
    const hit = [...this.entries.values()].filter((entry) => entry.read() > 0);
    const hash = hashOf(hit.map((entry) => `${entry.name}:${Math.floor(Math.log2(entry.read()))}`));
    return [
      `Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=${hash}:`,
      ...hit.map((entry) => entry.line(this.tick)),
      `${this.entries.size - hit.length} events never hit`,
      '',
    ].join('\n');
  }

  private entry(name: string): Entry {
    let entry = this.entries.get(name);
    if (entry === undefined) {
      entry = new Entry(name);
      this.entries.set(name, entry);
    }
    return entry;
  }
}

/** Says whether two listings show the same events at the same order of magnitude (32-bit FNV-1a). */
function hashOf(words: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const character of words.join(' ')) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
