/** Shares of queues over simulated time: each queue always has frames, or as many as it is offered. */
import { describe, expect, test } from 'vitest';
import { Htb, type HtbConfig } from '../../src/datapath/htb.ts';

const FRAME_BITS = 1500 * 8;
const MBIT = 1_000_000;

const config = (
  maxRate: number,
  ...queues: { min: number; max?: number; priority?: number; burst?: number }[]
): HtbConfig => ({
  kind: 'htb',
  maxRate,
  burstBits: 1564 * 8,
  queues: queues.map(({ min, max, priority, burst }, id) => ({
    id,
    minRate: min,
    maxRate: max ?? maxRate,
    burstBits: burst ?? 1564 * 8,
    priority: priority ?? 0,
  })),
});

/** Rates in Mbit/s that queues get when `wanting` always have frames of `bits`, looked after every `stepMs`. */
function rates(
  wanted: HtbConfig,
  wanting: number[],
  { forMs = 10_000, stepMs = 1, bits = FRAME_BITS } = {},
): number[] {
  const htb = new Htb(wanted, 0);
  const sent = wanted.queues.map(() => 0);
  for (const i of wanting) htb.activate(i, 0);
  for (let now = 0; now < forMs; now += stepMs) {
    htb.refill(now);
    for (let i = htb.next(); i >= 0; i = htb.next()) {
      htb.charge(i, bits);
      sent[i] += bits;
    }
  }
  return sent.map((total) => total / forMs / 1000);
}

describe('HTB', () => {
  test.each([0.1, 1, 7, 40])('keeps a maximum exactly when looked after every %f ms', (stepMs) => {
    const one = config(100 * MBIT, { min: 12_000 }, { min: 12_000, max: 10 * MBIT });
    expect(rates(one, [1], { stepMs })[1]).toBeCloseTo(10, 1);
  });

  test('keeps it with super-frames, each of which is a debt of 50 ms', () => {
    const one = config(100 * MBIT, { min: 12_000, max: 10 * MBIT });
    const [rate] = rates(one, [0], { bits: 64_000 * 8 });
    expect(rate).toBeGreaterThan(9.9);
    expect(rate).toBeLessThan(10.2);
  });

  test('gives every queue its guarantee, and the rest in proportion to the guarantees', () => {
    const [a, b] = rates(config(10 * MBIT, { min: 2 * MBIT }, { min: 6 * MBIT }), [0, 1]);
    expect(a).toBeCloseTo(2 + (2 * 2) / 8, 1);
    expect(b).toBeCloseTo(6 + (2 * 6) / 8, 1);
  });

  test('lends all that others leave, up to the maximum', () => {
    const shape = config(10 * MBIT, { min: 2 * MBIT }, { min: 6 * MBIT, max: 8 * MBIT });
    expect(rates(shape, [0])[0]).toBeCloseTo(10, 1);
    expect(rates(shape, [1])[1]).toBeCloseTo(8, 1);
  });

  test('lends to the smallest priority number first', () => {
    const shape = config(
      10 * MBIT,
      { min: MBIT, priority: 2 },
      { min: MBIT, priority: 1, max: 6 * MBIT },
      { min: MBIT, priority: 3 },
    );
    const [second, first, third] = rates(shape, [0, 1, 2]);
    expect(first).toBeCloseTo(6, 1);
    expect(second).toBeCloseTo(3, 1);
    expect(third).toBeCloseTo(1, 1);
  });

  test('never gives more than the port has when guarantees do not exceed it', () => {
    const shape = config(10 * MBIT, { min: 12_000 }, { min: 12_000 }, { min: 12_000 });
    const all = rates(shape, [0, 1, 2]);
    expect(all.reduce((sum, one) => sum + one)).toBeCloseTo(10, 1);
    for (const one of all) expect(one).toBeCloseTo(10 / 3, 1);
  });

  test('saves a burst up while idle, and no more', () => {
    const burst = 100_000;
    const htb = new Htb(config(100 * MBIT, { min: 12_000, max: MBIT, burst }), 0);
    const sendable = (now: number) => {
      htb.activate(0, now);
      htb.refill(now);
      let bits = 0;
      while (htb.next() >= 0) {
        htb.charge(0, 1000);
        bits += 1000;
      }
      htb.deactivate(0);
      return bits;
    };
    // The port itself has 12.5 kbit saved up, the queue's own guarantee gives the rest of its burst.
    expect(sendable(0)).toBe(burst + 1000);
    // Buckets are 1000 bits in debt: nothing before a millisecond.
    expect(sendable(0)).toBe(0);
    expect(sendable(1_000_000)).toBe(burst + 1000);
  });

  test('says exactly when the next frame may go', () => {
    const htb = new Htb(config(10 * MBIT, { min: 12_000, max: MBIT }), 0);
    htb.activate(0, 0);
    let now = 0;
    let sent = 0;
    for (let n = 0; n < 1000; n++) {
      htb.refill(now);
      while (htb.next() >= 0) {
        htb.charge(0, FRAME_BITS);
        sent += FRAME_BITS;
      }
      const wait = htb.waitMs();
      expect(wait).toBeGreaterThan(0);
      now += wait + 1e-9;
    }
    expect(sent / now / 1000).toBeCloseTo(1, 2);
    htb.deactivate(0);
    expect(htb.waitMs()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a thread that slept for a minute makes up for a tenth of a second', () => {
    const htb = new Htb(config(10 * MBIT, { min: 12_000, max: MBIT }), 0);
    htb.activate(0, 0);
    htb.refill(60_000);
    let bits = 0;
    while (htb.next() >= 0) {
      htb.charge(0, 1000);
      bits += 1000;
    }
    expect(bits).toBeLessThanOrEqual(0.1 * MBIT + 1000);
  });
});
