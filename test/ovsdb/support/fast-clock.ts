/** Real time, twenty times faster: waits of seconds pass in tests without being waited for. */
import type { Clock, Timer } from '../../../src/util/clock.ts';

const SPEED = 20;

export const fastClock: Clock = {
  now: () => Math.floor(performance.now() * SPEED),
  wall: () => Date.now(),
  after(delayMs: number, f: () => void): Timer {
    const timer = setTimeout(f, delayMs / SPEED);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs: number, f: () => void): Timer {
    const timer = setInterval(f, periodMs / SPEED);
    return { cancel: () => clearInterval(timer) };
  },
};
