/** Ingress policing: buckets by themselves, against a plain count over a long time. */
import { describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import { Policer, type PolicingConfig, wirePackets } from '../../src/datapath/policer.ts';
import { SharedTokens } from '../../src/datapath/shared-tokens.ts';

const batchOf = (bytes: number, gsoSize = 0): Batch => {
  const batch = new Batch();
  const p = batch.append(1, 0, bytes, 0);
  batch.gsoType[p] = gsoSize > 0 ? 1 : 0;
  batch.gsoSize[p] = gsoSize;
  batch.headerBytes[p] = gsoSize > 0 ? 66 : 0;
  return batch;
};
const policerOf = (config: PolicingConfig, tokens = new SharedTokens(), generation = 1) =>
  new Policer(config, 0, tokens, 1, generation);
const unlimited = { rateKbps: 0, burstKb: 0, ratePps: 0, burstPackets: 0 };

describe('a policer', () => {
  test('lets the burst through at once, then the rate', () => {
    // 1 Mbit/s with a bucket of 10 kbit: ten frames of 125 bytes, then one a millisecond.
    const policer = policerOf({ ...unlimited, rateKbps: 1000, burstKb: 10 });
    const batch = batchOf(125);
    const passed = (times: number, now: number) =>
      Array.from({ length: times }, () => policer.admits(batch, 0, now)).filter(Boolean).length;
    expect(passed(20, 0)).toBe(10);
    expect(passed(20, 3)).toBe(3);
    expect(passed(20, 2)).toBe(0);
    expect(passed(20, 100_000)).toBe(10);
  });

  test('counts packets beside bits: the smaller limit holds', () => {
    const policer = policerOf({ rateKbps: 1, burstKb: 1000, ratePps: 1000, burstPackets: 5 });
    const batch = batchOf(60);
    let passed = 0;
    for (let i = 0; i < 10; i++) if (policer.admits(batch, 0, 0)) passed++;
    expect(passed).toBe(5);
    expect(policer.admits(batch, 0, 2)).toBe(true);
  });

  test('takes a super-frame for the packets that it becomes', () => {
    expect(wirePackets(batchOf(66 + 3 * 1448, 1448), 0)).toBe(3);
    expect(wirePackets(batchOf(66 + 3 * 1448 + 1, 1448), 0)).toBe(4);
    expect(wirePackets(batchOf(1500), 0)).toBe(1);
    const policer = policerOf({ ...unlimited, ratePps: 1, burstPackets: 3 });
    expect(policer.admits(batchOf(66 + 4 * 1448, 1448), 0, 0)).toBe(false);
    expect(policer.admits(batchOf(66 + 3 * 1448, 1448), 0, 0)).toBe(true);
  });
});
