/**
 * Watches for addresses that go back and forth between tunnel ports: tunnels that join hosts in a triangle are a loop of layer 2,
 * in which frames circle without end and nobody learns the right place of anything.
 *
 * One warning names both ports and what helps, once a minute at most; an address that moves once (a guest that migrates) is no flap.
 */
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { rateLimited } from '../util/rate-limit.ts';
import type { Bundle } from './bundle.ts';
import { formatMac } from './mac-learning.ts';

/** Moves of one address in WINDOW_MS that make a flap. */
const MOVES = 4;
const WINDOW_MS = 10_000;
/** Addresses watched at once. */
const MAX_ADDRESSES = 256;

const isTunnel = (bundle: Bundle): boolean => bundle.members.some((port) => port.tunnel !== null);

export class FlapWatch {
  private readonly bridge: string;
  private readonly log: Logger;
  private readonly moves = new Map<number, { count: number; sinceMs: number }>();

  constructor(bridge: string, log: Logger, clock: Clock) {
    this.bridge = bridge;
    this.log = rateLimited(log, clock, 1);
  }

  /** An address was behind one bundle and is seen behind another. */
  moved(mac: number, from: Bundle, to: Bundle, nowMs: number): void {
    if (!isTunnel(from) || !isTunnel(to)) return;
    let seen = this.moves.get(mac);
    if (seen === undefined || nowMs - seen.sinceMs > WINDOW_MS) {
      if (this.moves.size >= MAX_ADDRESSES) this.moves.clear();
      seen = { count: 0, sinceMs: nowMs };
      this.moves.set(mac, seen);
    }
    if (++seen.count < MOVES) return;
    this.moves.delete(mac);
    this.log.warn(
      `bridge ${this.bridge}: ${formatMac(mac)} flaps between tunnel ports ${from.name} and ${to.name}: do tunnels ` +
        'make a loop? Ports with protected=true (ovs-vsctl set port) do not forward to each other',
    );
  }
}
