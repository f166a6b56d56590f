/**
 * OpenFlow port numbers of one bridge. A request is honoured when the number is free; otherwise numbers go
 * round from the last one given, so that a number freed lately is not given to somebody else at once and
 * rules and controllers do not confuse the two (ofport_request in ovs-vswitchd.conf.db(5)).
 */
import { FIRST_OF_PORT, LAST_OF_PORT, type OfPort, ofPort } from '../flowtable/of-port.ts';
import type { Clock } from '../util/clock.ts';

/** A freed number rests this long while others are free. */
const REST_MS = 3_600_000;

export class PortNumbers {
  private readonly clock: Clock;
  private readonly used = new Set<number>();
  private readonly freedMs = new Map<number, number>();
  private next = FIRST_OF_PORT;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Null when all 65,279 numbers are in use. */
  allocate(requested: number | null): OfPort | null {
    if (requested !== null && requested >= FIRST_OF_PORT && requested <= LAST_OF_PORT) {
      if (!this.used.has(requested)) return this.take(requested);
    }
    let oldest = -1;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (let i = FIRST_OF_PORT; i <= LAST_OF_PORT; i++) {
      const number = this.next;
      this.next = this.next === LAST_OF_PORT ? FIRST_OF_PORT : this.next + 1;
      if (this.used.has(number)) continue;
      const freed = this.freedMs.get(number);
      if (freed === undefined || this.clock.now() - freed >= REST_MS) return this.take(number);
      if (freed < oldestMs) {
        oldestMs = freed;
        oldest = number;
      }
    }
    return oldest < 0 ? null : this.take(oldest);
  }

  free(port: OfPort): void {
    if (this.used.delete(port)) this.freedMs.set(port, this.clock.now());
  }

  private take(number: number): OfPort {
    this.used.add(number);
    this.freedMs.delete(number);
    return ofPort(number);
  }
}
