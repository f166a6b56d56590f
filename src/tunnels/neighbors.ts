/**
 * Neighbours on bridges, as `tnl/neigh/*` (and `tnl/arp/*`) shows and sets them: what a user put in, and what was heard of by bridges
 * that tunnels' packets go through (xlate/native-tunnel.ts). Packets that leave by the kernel go by its own neighbours.
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

  /** As set() did it, when somebody said so; true when that is news. Each time counts as a new one for its age. */
  learn(bridge: string, address: Address, mac: string): boolean {
    const known = this.macOf(bridge, address);
    return this.set(bridge, address, mac) && known !== mac;
  }

  /** aa:bb:cc:dd:ee:ff; null for one that is not known. */
  macOf(bridge: string, address: Address): string | null {
    const found = this.entries.get(`${bridge} ${formatAddress(address)}`);
    return found === undefined || found.expiresMs <= this.clock.now() ? null : found.mac;
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
