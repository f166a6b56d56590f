/**
 * Time. Everything that waits, ages or stamps takes a Clock; nobody calls Date.now or setTimeout.
 *
 * `now()` is monotonic milliseconds (like Open vSwitch's time_msec), `wall()` is milliseconds since the
 * epoch. Timers of a held clock run only when `warp` passes their time.
 */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, an integer. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC, for log lines and last_update columns. */
  wall(): number;
  /** Calls `f` once, not before `delayMs` from now. Never keeps the process alive by itself. */
  after(delayMs: number, f: () => void): Timer;
  /** Calls `f` every `periodMs`, first after one period. */
  every(periodMs: number, f: () => void): Timer;
}
