/**
 * How long to wait before connecting again: 1 s after a connection that held, else twice as long each time up
 * to 8 s, from where on the log keeps quiet until it works. The rhythm and the texts are Open vSwitch's own
 * (its `reconnect` module), since people look for them.
 */
import type { Logger } from '../util/logger.ts';

const MIN_MS = 1000;
const MAX_MS = 8000;

export class Backoff {
  private readonly name: string;
  private readonly log: Logger;
  private waitMs = 0;

  constructor(name: string, log: Logger) {
    this.name = name;
    this.log = log;
  }

  /** Says something about the attempts, at dbg once they are hopeless. */
  say(text: string): void {
    if (this.waitMs < MAX_MS) this.log.info(`${this.name}: ${text}`);
    else this.log.dbg(`${this.name}: ${text}`);
  }

  /** The time allowed for one attempt. */
  get attemptMs(): number {
    return Math.max(MIN_MS, this.waitMs);
  }

  /** Milliseconds to wait after a connection that was active for `activeMs` (0: it never came about). */
  next(activeMs: number): number {
    if (activeMs > 0 && activeMs >= this.waitMs) {
      this.waitMs = MIN_MS;
    } else if (this.waitMs < MIN_MS) {
      this.waitMs = MIN_MS;
    } else if (this.waitMs < MAX_MS / 2) {
      this.waitMs *= 2;
      this.log.info(`${this.name}: waiting ${this.waitMs / 1000} seconds before reconnect`);
    } else {
      if (this.waitMs < MAX_MS) {
        this.log.info(
          `${this.name}: continuing to reconnect in the background but suppressing further logging`,
        );
      }
      this.waitMs = MAX_MS;
    }
    return this.waitMs;
  }
}
