/** One suite over both classifiers, and the fast one against the plain one. */
import { describe, expect, test } from 'vitest';
import type { Classifier } from '../../src/flowtable/classifier.ts';
import { LinearClassifier } from '../../src/flowtable/linear.ts';
import { MATCH_ALL, type Match, MatchBuilder, matches } from '../../src/flowtable/match.ts';
import { TupleSpaceClassifier } from '../../src/flowtable/tuple-space.ts';
import { ETH_DST, FLOW_WORDS, IN_PORT, IPV4_DST, REG, TP } from '../../src/packet/key.ts';

interface Entry {
  priority: number;
  match: Match;
}

/** Words that the random tables match on, one per stage. */
const WORDS = [IN_PORT, ETH_DST, IPV4_DST, TP, REG];
const MASKS = [0xffffffff, 0xff000000, 0x00000001, 0x80000000, 0xffff0000];

/** xorshift32: the same sequence for the same seed. */
function random(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function randomFlow(next: (below: number) => number): Uint32Array {
  const flow = new Uint32Array(FLOW_WORDS);
  for (const w of WORDS) flow[w] = [0, 1, 0x80000001, 0x01000000, 0xffffffff][next(5)];
  return flow;
}

function randomMatch(next: (below: number) => number): Match {
  const values = randomFlow(next);
  const builder = new MatchBuilder();
  for (const w of WORDS) if (next(3) === 0) builder.set(w, values[w], MASKS[next(MASKS.length)]);
  return builder.build();
}

const kinds: [string, () => Classifier<Entry>][] = [
  ['linear', () => new LinearClassifier<Entry>()],
  ['tuple space', () => new TupleSpaceClassifier<Entry>()],
];

describe.each(kinds)('%s classifier', (_name, make) => {
  test('an empty table matches nothing and consults nothing', () => {
    const mask = new Uint32Array(FLOW_WORDS);
    expect(make().lookup(new Uint32Array(FLOW_WORDS), mask)).toBeNull();
    expect(mask.every((w) => w === 0)).toBe(true);
  });

  test('the highest priority wins, whatever the order of insertion', () => {
    const low: Entry = { priority: 1, match: MATCH_ALL };
    const high: Entry = { priority: 9, match: new MatchBuilder().set(IN_PORT, 3).build() };
    const flow = new Uint32Array(FLOW_WORDS);
    for (const order of [
      [low, high],
      [high, low],
    ]) {
      const table = make();
      for (const entry of order) table.insert(entry);
      flow[IN_PORT] = 3;
      expect(table.lookup(flow, null)).toBe(high);
      flow[IN_PORT] = 4;
      expect(table.lookup(flow, null)).toBe(low);
      expect(table.entries()).toEqual([high, low]);
    }
  });

  test('insert replaces an entry of the same match and priority, and says which', () => {
    const table = make();
    const match = new MatchBuilder().set(TP, 80, 0xffff).build();
    const first: Entry = { priority: 5, match };
    const second: Entry = { priority: 5, match };
    expect(table.insert(first)).toBeNull();
    expect(table.insert(second)).toBe(first);
    expect(table.size).toBe(1);
    expect(table.find(match, 5)).toBe(second);
    expect(table.find(match, 4)).toBeNull();
    expect(table.remove(first)).toBe(false);
    expect(table.remove(second)).toBe(true);
    expect(table.size).toBe(0);
  });

  test('a walk is not disturbed by removals', () => {
    const table = make();
    for (let i = 0; i < 10; i++) table.insert({ priority: i, match: MATCH_ALL });
    for (const entry of table.entries()) table.remove(entry);
    expect(table.size).toBe(0);
  });

  test('the answer is the best match, and bits outside the mask do not change it', () => {
    const next = random(7);
    for (let round = 0; round < 60; round++) {
      const table = make();
      const all: Entry[] = [];
      for (let i = 0; i < 25; i++) {
        const entry = { priority: i * 3 + next(2), match: randomMatch(next) };
        if (all.some((e) => e.priority === entry.priority)) continue;
        table.insert(entry);
        all.push(entry);
      }
      for (const gone of all.splice(0, 5)) expect(table.remove(gone)).toBe(true);
      for (let f = 0; f < 10; f++) {
        const flow = randomFlow(next);
        const mask = new Uint32Array(FLOW_WORDS);
        const found = table.lookup(flow, mask);
        const best = all
          .filter((e) => matches(e.match, flow))
          .sort((a, b) => b.priority - a.priority);
        expect(found).toBe(best[0] ?? null);
        for (const w of WORDS) {
          for (let bit = 0; bit < 32; bit++) {
            if ((mask[w] >>> bit) & 1) continue;
            const flipped = flow.slice();
            flipped[w] ^= 1 << bit;
            expect(table.lookup(flipped, null)).toBe(found);
          }
        }
      }
    }
  });
});

describe('tuple space search', () => {
  test('a subtable that cannot win is not consulted', () => {
    const table = new TupleSpaceClassifier<Entry>();
    table.insert({ priority: 10, match: new MatchBuilder().set(IN_PORT, 1).build() });
    table.insert({ priority: 5, match: new MatchBuilder().set(IPV4_DST, 1).build() });
    const flow = new Uint32Array(FLOW_WORDS);
    flow[IN_PORT] = 1;
    const mask = new Uint32Array(FLOW_WORDS);
    table.lookup(flow, mask);
    expect(mask[IN_PORT]).toBe(0xffffffff);
    expect(mask[IPV4_DST]).toBe(0);
  });

  test('a flow that differs in an early stage leaves later stages wildcarded', () => {
    const table = new TupleSpaceClassifier<Entry>();
    table.insert({ priority: 10, match: new MatchBuilder().set(IN_PORT, 1).set(TP, 80).build() });
    const flow = new Uint32Array(FLOW_WORDS);
    flow[IN_PORT] = 2;
    const mask = new Uint32Array(FLOW_WORDS);
    expect(table.lookup(flow, mask)).toBeNull();
    expect(mask[IN_PORT]).toBe(0xffffffff);
    expect(mask[TP]).toBe(0);
  });
});
