/**
 * Neighbours on bridges, as `tnl/neigh/*` (and `tnl/arp/*`) shows and sets them. Packets of tunnels leave by the kernel, which has
 * neighbours of its own: what stands here is what a user put in.
 */
import type { Clock } from '../util/clock.ts';
import { type Address, formatAddress } from './tunnel-config.ts';

const DEFAULT_AGING_SECONDS = 900;
const MAX_AGING_SECONDS = 3600;
const MAX_ENTRIES = 4096;

interface Neighbor {
  readonly address: Address;
  /** aa:bb:cc:dd:ee:ff */
  readonly mac: string;
  readonly bridge: string;
  readonly expiresMs: number;
}

export class Neighbors {
  agingSeconds = DEFAULT_AGING_SECONDS;
  private readonly clock: Clock;
  private readonly entries = new Map<string, Neighbor>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** False when there are too many. */
  set(bridge: string, address: Address, mac: string): boolean {
    this.expire();
    if (this.entries.size >= MAX_ENTRIES) return false;
    const expiresMs = this.clock.now() + this.agingSeconds * 1000;
    this.entries.set(`${bridge} ${formatAddress(address)}`, { address, mac, bridge, expiresMs });
    return true;
  }

  /** Seconds, 1 to 3600; false for others. Entries that exist keep their time. */
  setAging(seconds: number): boolean {
    if (!(seconds >= 1 && seconds <= MAX_AGING_SECONDS)) return false;
    this.agingSeconds = seconds;
    return true;
  }

  flush(): void {
    this.entries.clear();
  }

  /** Only those of devices that `exists` knows. */
  all(exists: (bridge: string) => boolean): Neighbor[] {
    this.expire();
    for (const [key, { bridge }] of this.entries) if (!exists(bridge)) this.entries.delete(key);
    return [...this.entries.values()];
  }

  private expire(): void {
    const now = this.clock.now();
    for (const [key, { expiresMs }] of this.entries) if (expiresMs <= now) this.entries.delete(key);
  }
}
