/**
 * A logger that lets through a burst, then so many messages a minute, and says how many it swallowed.
 *
 * Anything that a packet, a peer or a socket can provoke must log through one of these: the disk is not for
 * strangers to fill.
 */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** Wraps `logger`; a logger with a cleared `honoursRateLimits` (vlog/disable-rate-limit) is not limited. */
export function rateLimited(
  logger: Logger,
  clock: Clock,
  perMinute = 5,
  burst = perMinute,
): Logger {
  const costMs = 60_000 / perMinute;
  const fullMs = Math.max(1, burst) * costMs;
  let creditMs = fullMs;
  let lastMs = clock.now();
  let dropped = 0;
  let firstDropMs = 0;
  let lastDropMs = 0;

  const pass = (level: 'emer' | 'err' | 'warn' | 'info' | 'dbg', message: string): void => {
    if (!logger.enabled(level)) return;
    const honours = (logger as { honoursRateLimits?: boolean }).honoursRateLimits ?? true;
    const now = clock.now();
    creditMs = Math.min(fullMs, creditMs + (now - lastMs));
    lastMs = now;
    if (honours && creditMs < costMs) {
      if (dropped++ === 0) firstDropMs = now;
      lastDropMs = now;
      return;
    }
    if (honours) creditMs -= costMs;
    if (dropped > 0) {
      const seconds = (sinceMs: number): number => Math.floor((now - sinceMs) / 1000);
      logger[level](
        `Dropped ${dropped} log messages in last ${seconds(firstDropMs)} seconds (most recently, ${seconds(lastDropMs)} seconds ago) due to excessive rate`,
      );
      dropped = 0;
    }
    logger[level](message);
  };

  return {
    emer: (message) => pass('emer', message),
    err: (message) => pass('err', message),
    warn: (message) => pass('warn', message),
    info: (message) => pass('info', message),
    dbg: (message) => pass('dbg', message),
    enabled: (level) => logger.enabled(level),
  };
}
