/** The MAC table by itself: learning, aging, eviction, static entries. */
import { beforeEach, describe, expect, test } from 'vitest';
import { formatMac, isMulticastMac, MacTable, parseMac } from '../../src/ofproto/mac-learning.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

let clock: VirtualClock;
let table: MacTable<string>;
beforeEach(() => {
  clock = new VirtualClock(1000);
  table = new MacTable<string>(clock);
});

const seen = (mac: number, owner: string, more = {}) => ({
  mac,
  vlan: 0,
  owner,
  isGratuitousArp: false,
  isBond: false,
  seenMs: clock.now(),
  ...more,
});

describe('addresses', () => {
  test('are read and printed, and garbage is refused', () => {
    expect(formatMac(parseMac('02:0a:ff:00:00:01')!)).toBe('02:0a:ff:00:00:01');
    expect(parseMac('0011')).toBeNull();
    expect(parseMac('00:11:22:33:44:5g')).toBeNull();
    expect(isMulticastMac(parseMac('01:00:00:00:00:00')!)).toBe(true);
    expect(isMulticastMac(parseMac('fe:ff:ff:ff:ff:ff')!)).toBe(false);
  });
});

describe('MAC table', () => {
  test('a new address and a moved one change forwarding, a refresh does not', () => {
    expect(table.learn(seen(2, 'a'))).toBe(true);
    expect(table.learn(seen(2, 'a'))).toBe(false);
    expect(table.learn(seen(2, 'b'))).toBe(true);
    expect(table.lookup(2, 0)?.owner).toBe('b');
    expect(table.lookup(2, 5)).toBeNull();
    expect(table.stats).toEqual({ learned: 1, moved: 1, expired: 0, evicted: 0 });
  });

  test('multicast sources are not learned', () => {
    expect(table.learn(seen(0x010000000000, 'a'))).toBe(false);
    expect(table.count).toBe(0);
  });

  test('an entry goes when it was not seen for the aging time', () => {
    table.agingMs = 10_000;
    table.learn(seen(1, 'a'));
    clock.advance(6000);
    table.learn(seen(2, 'a'));
    clock.advance(4000);
    expect(table.expire()).toBe(1);
    expect(table.lookup(1, 0)).toBeNull();
    expect(table.lookup(2, 0)).not.toBeNull();
    expect(table.stats.expired).toBe(1);
  });

  test('a full table evicts the oldest entry of the port that has most', () => {
    table.maxEntries = 10;
    table.learn(seen(1, 'quiet'));
    for (let mac = 2; mac <= 30; mac++) table.learn(seen(mac * 2, 'noisy'));
    expect(table.count).toBe(10);
    expect(table.lookup(1, 0)?.owner).toBe('quiet');
    expect(table.lookup(60, 0)).not.toBeNull();
    expect(table.lookup(4, 0)).toBeNull();
    expect(table.stats.evicted).toBe(20);
  });

  test('a moved address counts where it is now', () => {
    table.maxEntries = 4;
    for (const mac of [1, 2, 3]) table.learn(seen(mac, 'a'));
    for (const mac of [1, 2]) table.learn(seen(mac, 'b'));
    table.learn(seen(4, 'b'));
    table.learn(seen(5, 'c'));
    expect(table.entries().map((e) => e.mac)).toEqual([3, 2, 4, 5]);
  });

  test('events are told as coverage counters', () => {
    const events: string[] = [];
    const told = new MacTable<string>(clock, (event) => events.push(event.slice(13)));
    told.addStatic(9, 0, 'a');
    told.learn(seen(9, 'a'));
    told.learn(seen(9, 'b'));
    told.learn(seen(1, 'a'));
    told.learn(seen(1, 'b'));
    clock.advance(1_000_000);
    told.expire();
    expect(events).toEqual(['static_none_move', 'learned', 'moved', 'expired']);
  });

  test('shrinking the table evicts at once', () => {
    for (let mac = 1; mac <= 20; mac++) table.learn(seen(mac, 'a'));
    table.maxEntries = 5;
    expect(table.count).toBe(5);
    expect(table.lookup(20, 0)).not.toBeNull();
  });

  test('static entries neither move, age, get flushed nor evicted', () => {
    table.maxEntries = 10;
    table.addStatic(7, 0, 'a');
    expect(table.learn(seen(7, 'b'))).toBe(false);
    clock.advance(10_000_000);
    table.expire();
    for (let mac = 100; mac < 150; mac++) table.learn(seen(mac, 'a'));
    table.flush(false);
    expect(table.entries().map((e) => [e.mac, e.owner])).toEqual([[7, 'a']]);
    expect(table.staticCount).toBe(1);
    expect(table.removeStatic(7, 1)).toBe(false);
    expect(table.removeStatic(7, 0)).toBe(true);
    expect(table.count).toBe(0);
  });

  test('a gratuitous ARP reflected by a bond does not move an address that was just announced', () => {
    table.learn(seen(1, 'vm', { isGratuitousArp: true }));
    expect(table.learn(seen(1, 'bond', { isGratuitousArp: true, isBond: true }))).toBe(false);
    clock.advance(5001);
    expect(table.learn(seen(1, 'bond', { isGratuitousArp: true, isBond: true }))).toBe(true);
  });

  test('traffic from before a move, counted late, does not move an address back', () => {
    table.learn(seen(1, 'old'));
    clock.advance(1000);
    table.learn(seen(1, 'new'));
    expect(table.learn(seen(1, 'old', { seenMs: clock.now() - 500 }))).toBe(false);
    expect(table.lookup(1, 0)?.owner).toBe('new');
  });

  test('forgetting a port leaves the others', () => {
    table.learn(seen(1, 'a'));
    table.learn(seen(2, 'b'));
    table.addStatic(3, 9, 'a');
    expect(table.flushOwner('a', false)).toBe(1);
    expect(table.flushOwner('a', true)).toBe(1);
    expect(table.entries().map((e) => e.mac)).toEqual([2]);
  });
});
