/**
 * The MAC table of a bridge: (VLAN, address) -> the port behind which it was last seen.
 *
 * One Map per VLAN in use, keyed by the address as a number (48 bits fit a double). Sets keep order of
 * insertion, so "delete, then add" makes them least-recently-used lists: one over all learned entries for
 * aging, one per owner for eviction. A full table evicts from the owner that has learned most (a heap knows
 * which), so that one host inventing addresses cannot push out everybody else.
 *
 * Static entries (fdb/add) neither age nor move nor get evicted by learning.
 */
import type { Clock } from '../util/clock.ts';
import { MaxHeap } from '../util/max-heap.ts';

export const DEFAULT_MAC_ENTRIES = 8192;
export const DEFAULT_MAC_AGING_MS = 300_000;
/** How long an address stays where a gratuitous ARP put it, against reflections by bonds. */
const GRATUITOUS_ARP_LOCK_MS = 5_000;

/** `P` is what addresses are behind: a bundle. Compared by identity. */
export interface MacEntry<P> {
  readonly mac: number;
  readonly vlan: number;
  owner: P;
  readonly isStatic: boolean;
  /** Clock milliseconds of the last frame from this address. */
  usedMs: number;
  lockedUntilMs: number;
}

/** Coverage counters of MAC tables. */
export const MAC_EVENTS = [
  'mac_learning_learned',
  'mac_learning_expired',
  'mac_learning_evicted',
  'mac_learning_moved',
  'mac_learning_static_none_move',
] as const;
export type MacEvent = (typeof MAC_EVENTS)[number];

export interface MacStats {
  learned: number;
  expired: number;
  evicted: number;
  moved: number;
}

export interface Learning<P> {
  readonly mac: number;
  readonly vlan: number;
  readonly owner: P;
  readonly isGratuitousArp: boolean;
  /** A bond may see its own frames come back on another member. */
  readonly isBond: boolean;
  /**
   * Clock milliseconds of the frame. Statistics arrive late and in any order: an older frame elsewhere does
   * not move an address back.
   */
  readonly seenMs: number;
}

/** Bytes 0..5 of an address as a number, from the two flow-key halves (32 high bits, 16 low bits). */
export const macFromHalves = (high32: number, low16: number): number => high32 * 0x10000 + low16;

export const formatMac = (mac: number): string =>
  mac.toString(16).padStart(12, '0').replace(/../g, '$&:').slice(0, 17);

/** Null when the text is not six pairs of hexadecimal digits. */
export function parseMac(text: string): number | null {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) return null;
  return text.split(':').reduce((mac, byte) => mac * 256 + Number.parseInt(byte, 16), 0);
}

export const isMulticastMac = (mac: number): boolean => Math.floor(mac / 2 ** 40) % 2 === 1;

export class MacTable<P> {
  agingMs = DEFAULT_MAC_AGING_MS;
  private maxCount = DEFAULT_MAC_ENTRIES;
  private readonly clock: Clock;
  private readonly byVlan = new Map<number, Map<number, MacEntry<P>>>();
  private readonly byAge = new Set<MacEntry<P>>();
  private readonly byOwner = new Map<P, Set<MacEntry<P>>>();
  /** Owners by how many entries they learned. */
  private readonly usage = new MaxHeap<P>();
  private readonly onEvent: (event: MacEvent) => void;
  private statics = 0;
  /** The learned entry that was seen last, the last one of byAge. */
  private newest: MacEntry<P> | null = null;
  readonly stats: MacStats = { learned: 0, expired: 0, evicted: 0, moved: 0 };

  /** `onEvent` hears what happens, for coverage counters. */
  constructor(clock: Clock, onEvent: (event: MacEvent) => void = () => {}) {
    this.clock = clock;
    this.onEvent = onEvent;
  }

  get count(): number {
    return this.byAge.size + this.statics;
  }
  get staticCount(): number {
    return this.statics;
  }
  get maxEntries(): number {
    return this.maxCount;
  }
  /** Shrinking evicts at once. Static entries stay. */
  set maxEntries(count: number) {
    this.maxCount = count;
    while (this.count > count && this.byAge.size > 0) this.evict();
  }

  lookup(mac: number, vlan: number): MacEntry<P> | null {
    return this.byVlan.get(vlan)?.get(mac) ?? null;
  }

  /** Notes that `mac` was seen. True when forwarding may change: a new entry, or one that moved. */
  learn(seen: Learning<P>): boolean {
    if (isMulticastMac(seen.mac)) return false;
    const now = seen.seenMs;
    const entry = this.lookup(seen.mac, seen.vlan);
    if (entry === null) {
      if (this.count >= this.maxCount) {
        if (this.byAge.size === 0) return false;
        this.evict();
      }
      this.stats.learned++;
      this.onEvent('mac_learning_learned');
      this.add({
        mac: seen.mac,
        vlan: seen.vlan,
        owner: seen.owner,
        isStatic: false,
        usedMs: now,
        lockedUntilMs: seen.isGratuitousArp && !seen.isBond ? now + GRATUITOUS_ARP_LOCK_MS : 0,
      });
      return true;
    }
    if (entry.isStatic) {
      if (entry.owner !== seen.owner) this.onEvent('mac_learning_static_none_move');
      return false;
    }
    if (entry === this.newest && entry.owner === seen.owner && !seen.isGratuitousArp) {
      // New flows come in runs from one address: its place is the last already.
      entry.usedMs = Math.max(entry.usedMs, now);
      return false;
    }
    if (entry.owner !== seen.owner && now < entry.usedMs) return false;
    if (seen.isGratuitousArp) {
      // A bond's peer switch reflects gratuitous ARPs: believe the port that had the address first.
      if (!seen.isBond) entry.lockedUntilMs = now + GRATUITOUS_ARP_LOCK_MS;
      else if (entry.owner !== seen.owner && now < entry.lockedUntilMs) return false;
    }
    entry.usedMs = Math.max(entry.usedMs, now);
    this.byAge.delete(entry);
    this.byAge.add(entry);
    this.newest = entry;
    const moved = entry.owner !== seen.owner;
    const before = this.byOwner.get(entry.owner);
    before?.delete(entry);
    if (moved) {
      if (before?.size === 0) this.byOwner.delete(entry.owner);
      this.use(entry.owner, -1);
      entry.owner = seen.owner;
      this.use(entry.owner, 1);
      this.stats.moved++;
      this.onEvent('mac_learning_moved');
    }
    this.ownerSet(entry.owner).add(entry);
    return moved;
  }

  /** Adds or replaces a static entry. */
  addStatic(mac: number, vlan: number, owner: P): void {
    const old = this.lookup(mac, vlan);
    if (old) this.forget(old);
    else if (this.count >= this.maxCount && this.byAge.size > 0) this.evict();
    this.add({ mac, vlan, owner, isStatic: true, usedMs: this.clock.now(), lockedUntilMs: 0 });
  }

  /** False when there is no static entry of this address. */
  removeStatic(mac: number, vlan: number): boolean {
    const entry = this.lookup(mac, vlan);
    if (!entry?.isStatic) return false;
    this.forget(entry);
    return true;
  }

  /** Forgets what has not been seen for the aging time. Returns how many. */
  expire(): number {
    const limit = this.clock.now() - this.agingMs;
    let n = 0;
    for (const entry of this.byAge) {
      if (entry.usedMs > limit) break;
      this.forget(entry);
      this.onEvent('mac_learning_expired');
      n++;
    }
    this.stats.expired += n;
    return n;
  }

  /** Forgets all learned entries, or also the static ones. Returns how many. */
  flush(withStatic: boolean): number {
    let n = 0;
    for (const entry of this.entries()) {
      if (entry.isStatic && !withStatic) continue;
      this.forget(entry);
      n++;
    }
    return n;
  }

  /** Forgets a learned entry; false when there is none. */
  remove(mac: number, vlan: number): boolean {
    const entry = this.lookup(mac, vlan);
    if (entry === null || entry.isStatic) return false;
    this.forget(entry);
    return true;
  }

  /** What is behind an owner, least recently seen first. */
  behind(owner: P): MacEntry<P>[] {
    return [...(this.byOwner.get(owner) ?? [])];
  }

  /** Forgets every entry of an owner, static ones only when it goes for good. Returns how many. */
  flushOwner(owner: P, withStatic: boolean): number {
    let n = 0;
    for (const entry of this.behind(owner)) {
      if (entry.isStatic && !withStatic) continue;
      this.forget(entry);
      n++;
    }
    return n;
  }

  /** Forgets learned entries of a VLAN (it became a flood VLAN). Returns how many. */
  flushVlan(vlan: number): number {
    let n = 0;
    for (const entry of [...(this.byVlan.get(vlan)?.values() ?? [])]) {
      if (entry.isStatic) continue;
      this.forget(entry);
      n++;
    }
    return n;
  }

  clearStats(): void {
    this.stats.learned = this.stats.expired = this.stats.evicted = this.stats.moved = 0;
  }

  /** Least recently seen first; static entries last, in the order in which they were added. */
  entries(): MacEntry<P>[] {
    const statics: MacEntry<P>[] = [];
    for (const set of this.byOwner.values()) for (const e of set) if (e.isStatic) statics.push(e);
    statics.sort((a, b) => a.usedMs - b.usedMs);
    return [...this.byAge, ...statics];
  }

  private ownerSet(owner: P): Set<MacEntry<P>> {
    let set = this.byOwner.get(owner);
    if (!set) {
      set = new Set();
      this.byOwner.set(owner, set);
    }
    return set;
  }

  private add(entry: MacEntry<P>): void {
    let table = this.byVlan.get(entry.vlan);
    if (!table) {
      table = new Map();
      this.byVlan.set(entry.vlan, table);
    }
    table.set(entry.mac, entry);
    this.ownerSet(entry.owner).add(entry);
    if (entry.isStatic) this.statics++;
    else {
      this.byAge.add(entry);
      this.newest = entry;
      this.use(entry.owner, 1);
    }
  }

  private forget(entry: MacEntry<P>): void {
    const table = this.byVlan.get(entry.vlan);
    table?.delete(entry.mac);
    if (table?.size === 0) this.byVlan.delete(entry.vlan);
    const set = this.byOwner.get(entry.owner);
    set?.delete(entry);
    if (set?.size === 0) this.byOwner.delete(entry.owner);
    if (entry.isStatic) this.statics--;
    else {
      this.byAge.delete(entry);
      if (this.newest === entry) this.newest = null;
      this.use(entry.owner, -1);
    }
  }

  private use(owner: P, change: number): void {
    this.usage.set(owner, this.usage.priority(owner) + change);
  }

  /** Drops the least recently seen entry of the owner that learned most. */
  private evict(): void {
    const owner = this.usage.max;
    for (const entry of owner === null ? [] : (this.byOwner.get(owner) ?? [])) {
      if (entry.isStatic) continue;
      this.forget(entry);
      this.stats.evicted++;
      this.onEvent('mac_learning_evicted');
      return;
    }
  }
}
