import { afterEach, describe, expect, test, vi } from 'vitest';
import { FLOW_MISS, FLOW_SKIP, MegaflowCache } from '../../src/datapath/megaflow.ts';
import { newFrames } from '../../src/packet/frames.ts';
import * as K from '../../src/packet/key.ts';
import { random } from '../packet/bytes.ts';

const program = (n: number) => Int32Array.of((2 << 8) | 1, n);

describe('megaflow cache', () => {
  test('a flow matches under its mask only', () => {
    const cache = new MegaflowCache();
    cache.put(5, [K.IN_PORT, K.IPV4_DST], [1, 0x0a000000], [0xffffffff, 0xff000000], program(1));
    const key = new Uint32Array(K.DP_WORDS);
    key[K.IN_PORT] = 1;
    key[K.IPV4_DST] = 0x0affffff;
    expect(cache.find(key, 0)).toBe(5);
    key[K.IPV4_DST] = 0x0bffffff;
    expect(cache.find(key, 0)).toBe(FLOW_MISS);
  });

  test('the empty match takes every frame', () => {
    const cache = new MegaflowCache();
    cache.put(0, [], [], [], program(1));
    expect(cache.find(new Uint32Array(K.DP_WORDS).fill(7), 0)).toBe(0);
  });

  test('the same match again changes the program alone, another match the whole flow', () => {
    const cache = new MegaflowCache();
    expect(cache.put(1, [K.TP], [80], [0xffff], program(1))).toBe(false);
    expect(cache.put(1, [K.TP], [80], [0xffff], program(2))).toBe(true);
    expect(cache.programs[1]).toEqual(program(2));
    expect(cache.put(1, [K.TP], [81], [0xffff], program(2))).toBe(false);
    expect(cache.flowCount).toBe(1);
    const key = new Uint32Array(K.DP_WORDS);
    key[K.TP] = 80;
    expect(cache.find(key, 0)).toBe(FLOW_MISS);
    key[K.TP] = 81;
    expect(cache.find(key, 0)).toBe(1);
  });

  test('removing the last flow of a mask removes the mask', () => {
    const cache = new MegaflowCache();
    cache.put(1, [K.TP], [80], [0xffff], program(1));
    expect(cache.maskCount).toBe(1);
    expect(cache.remove(1)).toBe(true);
    expect(cache.remove(1)).toBe(false);
    expect([cache.maskCount, cache.flowCount]).toEqual([0, 0]);
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test('flows are found where code may not be made from strings', () => {
  vi.stubGlobal('Function', () => {
    throw new EvalError('Code generation from strings disallowed for this context');
  });
  const cache = new MegaflowCache(1, { generate: true, frontCache: true });
  cache.put(0, [K.TP], [1], [0xffff], program(1));
  cache.put(1, [K.IN_PORT], [1], [0xffffffff], program(1));
  const frames = newFrames(32);
  for (let p = 0; p < 32; p++) frames.keys[p * K.DP_WORDS + K.TP] = 0x30001;
  const flow = new Int32Array(32).fill(FLOW_MISS);
  for (let n = 0; n < 4096; n++) cache.lookup(frames, flow.fill(FLOW_MISS), 32);
  expect([...new Set(flow)]).toEqual([0]);
  expect(cache.generatedCount).toBe(0);
});

test.each([
  { generate: false, frontCache: false },
  { generate: true, frontCache: false },
  { generate: false, frontCache: true },
  { generate: true, frontCache: true },
])('a linear search agrees through random inserts, replacements and removals (%j)', (options) => {
  const next = random(7);
  const cache = new MegaflowCache(next(), options);
  const frames = newFrames(32);
  const flow = new Int32Array(32);
  const shapes = [
    { words: [K.IN_PORT], masks: [0xffffffff] },
    { words: [K.IN_PORT, K.ETH_DST], masks: [0xffffffff, 0xffffffff] },
    { words: [K.ETH_DST, K.IPV4_DST], masks: [0xffffffff, 0xffff0000] },
    { words: [K.IPV4_DST], masks: [0x80000007] },
    { words: [K.TP], masks: [0xffffffff] },
    { words: [K.DP_WORDS - 1], masks: [0xf0] },
  ];
  // Small values, so that matches overlap and repeat.
  const value = () => ((next() & 1) << 31) | (next() % 24);
  type Entry = { words: number[]; values: number[]; masks: number[] };
  const linear = new Map<number, Entry>();
  const matches = (e: Entry, key: Uint32Array) =>
    e.words.every((w, i) => ((key[w] ^ e.values[i]) & e.masks[i]) === 0);
  const key = new Uint32Array(2 * K.DP_WORDS);
  for (let round = 0; round < 20_000; round++) {
    const id = next() % 200;
    const choice = next() % 8;
    if (choice < 2) {
      const shape = shapes[next() % shapes.length];
      const entry = { ...shape, values: shape.words.map(value) };
      cache.put(id, entry.words, entry.values, entry.masks, program(id));
      linear.set(id, entry);
    } else if (choice === 2) {
      expect(cache.remove(id)).toBe(linear.delete(id));
    }
    for (const shape of shapes) for (const w of shape.words) key[K.DP_WORDS + w] = value();
    if (round % 5000 === 2500) {
      // So many lookups that subtables become hot and get code of their own.
      for (let p = 0; p < 32; p++) {
        for (const shape of shapes) {
          for (const w of shape.words) frames.keys[p * K.DP_WORDS + w] = value();
        }
      }
      flow.fill(FLOW_MISS);
      for (let n = 0; n < 4096; n++) cache.lookup(frames, flow, 32);
      const generated = cache.generatedCount;
      if (options.generate) expect(generated).toBeGreaterThan(0);
      else expect(generated).toBe(0);
    }
    // The batch's way, exact-match cache in front, and the one without it. Twice: the second time it may be cached.
    frames.keys.set(key.subarray(K.DP_WORDS), 3 * K.DP_WORDS);
    flow.fill(FLOW_SKIP);
    for (let n = 0; n < 2; n++) {
      flow[3] = FLOW_MISS;
      cache.lookup(frames, flow, 4);
      check(flow[3], round);
    }
    expect(flow[0]).toBe(FLOW_SKIP);
    check(cache.find(key, K.DP_WORDS), round);
    if (round % 16 === 0) {
      // A whole batch of different frames, some of them left alone.
      for (let p = 0; p < 32; p++) {
        flow[p] = p % 5 === 1 ? FLOW_SKIP : FLOW_MISS;
        for (const shape of shapes) {
          for (const w of shape.words) frames.keys[p * K.DP_WORDS + w] = value();
        }
      }
      cache.lookup(frames, flow, 32);
      for (let p = 0; p < 32; p++) {
        if (p % 5 === 1) expect(flow[p]).toBe(FLOW_SKIP);
        else check(flow[p], round, frames.keys.subarray(p * K.DP_WORDS, (p + 1) * K.DP_WORDS));
      }
    }
  }
  expect(cache.flowCount).toBe(linear.size);
  expect(cache.maskCount).toBe(
    new Set([...linear.values()].map((e) => `${e.words}/${e.masks}`)).size,
  );

  function check(
    found: number,
    round: number,
    frame: Uint32Array = key.subarray(K.DP_WORDS),
  ): void {
    if (found >= 0) {
      const entry = linear.get(found);
      if (entry === undefined || !matches(entry, frame)) expect.unreachable(`round ${round}`);
    } else if ([...linear.values()].some((entry) => matches(entry, frame))) {
      expect.unreachable(`missed in round ${round}`);
    }
  }
});
