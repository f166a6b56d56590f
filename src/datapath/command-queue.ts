/**
 * Commands on their way to the worker: the ring, and behind it an ordered backlog on the heap for when it is full.
 *
 * No command is lost or overtaken: as long as something waits in the backlog, everything later waits behind it. The
 * backlog has a limit; what may be lost (a frame to be sent) asks before with `wouldOverflow`.
 */
import type { RingWriter } from './ring.ts';

export class CommandQueue {
  private readonly ring: RingWriter;
  private readonly limitWords: number;
  private readonly onFull: () => void;
  private readonly backlog: Int32Array[] = [];
  private backlogNext = 0;
  private waitingWords = 0;

  /** `onFull` is called when a command has to wait: the reader should be asked to report room. */
  constructor(ring: RingWriter, limitWords: number, onFull: () => void) {
    this.ring = ring;
    this.limitWords = limitWords;
    this.onFull = onFull;
  }

  get isWaiting(): boolean {
    return this.backlogNext < this.backlog.length;
  }

  /** True when another `count` words would have to wait behind more than the limit. */
  wouldOverflow(count: number): boolean {
    return this.isWaiting && this.waitingWords + count > this.limitWords;
  }

  /** Gives words[0 .. count) to the worker, now or later. Throws RangeError for what can never fit. */
  push(words: Int32Array, count: number): void {
    if (count > this.ring.longest) throw new RangeError(`command of ${count} words`);
    if (!this.isWaiting && this.write(words, count)) return;
    this.backlog.push(words.slice(0, count));
    this.waitingWords += count;
    this.onFull();
    // The reader may have made room before it could see that it was asked to report.
    this.retry();
  }

  /** Moves what waits into the ring. True when nothing waits any more. */
  retry(): boolean {
    while (this.isWaiting) {
      const words = this.backlog[this.backlogNext];
      if (!this.write(words, words.length)) return false;
      this.waitingWords -= words.length;
      this.backlogNext++;
    }
    this.backlog.length = 0;
    this.backlogNext = 0;
    return true;
  }

  private write(words: Int32Array, count: number): boolean {
    const at = this.ring.reserve(count);
    if (at < 0) return false;
    const to = this.ring.words;
    for (let i = 0; i < count; i++) to[at + i] = words[i];
    this.ring.publish();
    return true;
  }
}
