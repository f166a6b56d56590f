/** One suite over both classifiers, and the fast one against the plain one. */
import { describe, expect, test } from 'vitest';
import type { Classifier, Conjunction } from '../../src/flowtable/classifier.ts';
import { LinearClassifier } from '../../src/flowtable/linear.ts';
import { MATCH_ALL, type Match, MatchBuilder, matches } from '../../src/flowtable/match.ts';
import { TupleSpaceClassifier } from '../../src/flowtable/tuple-space.ts';
import { CONJ_ID, ETH_DST, FLOW_WORDS, IN_PORT, IPV4_DST, REG, TP } from '../../src/packet/key.ts';

interface Entry {
  priority: number;
  match: Match;
  conjunctions?: readonly Conjunction[] | null;
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

  test('an address prefix that no rule has costs the bits that tell, and no more', () => {
    const table = new TupleSpaceClassifier<Entry>();
    const rule = (value: number, mask: number): Entry => ({
      priority: 10,
      match: new MatchBuilder().set(IPV4_DST, value, mask).build(),
    });
    table.insert(rule(0x0a010100, 0xffffff00));
    table.insert(rule(0x0a020000, 0xffff0000));
    const flow = new Uint32Array(FLOW_WORDS);
    const consulted = (address: number): number => {
      flow[IPV4_DST] = address;
      const mask = new Uint32Array(FLOW_WORDS);
      table.lookup(flow, mask);
      return mask[IPV4_DST];
    };
    expect(consulted(0xc0a80001)).toBe(0x80000000);
    expect(consulted(0x0a010101)).toBe(0xffffff00);
    expect(consulted(0x0a020101)).toBe(0xffff0000);
    // 10.3/16 differs from 10.2/16 in bit 16 only.
    expect(consulted(0x0a030101)).toBe(0xffff0000);
  });

  test('ports that no rule has cost the bits that tell', () => {
    const table = new TupleSpaceClassifier<Entry>();
    table.insert({ priority: 10, match: new MatchBuilder().set(TP, 80, 0xffff).build() });
    const flow = new Uint32Array(FLOW_WORDS);
    const mask = new Uint32Array(FLOW_WORDS);
    flow[TP] = 0x12348000;
    expect(table.lookup(flow, mask)).toBeNull();
    expect(mask[TP]).toBe(0x8000);
    flow[TP] = 80;
    expect(table.lookup(flow, mask)).not.toBeNull();
    expect(mask[TP]).toBe(0xffff);
  });
});

describe('against the oracle', () => {
  const PREFIXES = [0, 0x80000000, 0xf0000000, 0xffff0000, 0xffffffff, 0xffff, 0xfff0];
  const ADDRESSES = [0, 0x80000000, 0x8000ffff, 0xf0000001, 0xffff0000, 0x0000ffff];

  test('prefixes, ports and conjunctions find the same, under a mask that holds', () => {
    const next = random(99);
    let conjunctive = 0;
    for (let round = 0; round < 300; round++) {
      const fast = new TupleSpaceClassifier<Entry>();
      const plain = new LinearClassifier<Entry>();
      for (let i = 0; i < 30; i++) {
        const builder = new MatchBuilder();
        for (const w of [IPV4_DST, TP, ETH_DST]) {
          if (next(2)) builder.set(w, ADDRESSES[next(6)], PREFIXES[next(7)]);
        }
        const isClause = next(3) === 0;
        if (!isClause && next(3) === 0) builder.set(CONJ_ID, 1 + next(3));
        const entry: Entry = {
          // Each rule has its own priority but for clauses, which share them.
          priority: isClause ? 500 + next(2) : 2 * i + (i > 20 ? 200 : 0),
          match: builder.build(),
          conjunctions: isClause ? [{ id: 1 + next(3), clause: next(2), clauses: 2 }] : null,
        };
        const [a, b] = [fast.insert(entry), plain.insert(entry)];
        expect(a).toBe(b);
        if (next(8) === 0) expect(fast.remove(entry)).toBe(plain.remove(entry));
      }
      expect(fast.size).toBe(plain.size);
      for (let f = 0; f < 20; f++) {
        const flow = new Uint32Array(FLOW_WORDS);
        for (const w of [IPV4_DST, TP, ETH_DST]) flow[w] = (ADDRESSES[next(6)] ^ next(4)) >>> 0;
        const mask = new Uint32Array(FLOW_WORDS);
        const found = fast.lookup(flow, mask);
        expect(found).toBe(plain.lookup(flow, null));
        if (found?.match.words.includes(CONJ_ID)) conjunctive++;
        for (let again = 0; again < 4; again++) {
          const other = flow.slice();
          for (const w of [IPV4_DST, TP, ETH_DST]) {
            const noise = again < 2 ? 1 << next(32) : next(0xffffffff);
            other[w] = (flow[w] ^ (noise & ~mask[w])) >>> 0;
          }
          expect(fast.lookup(other, null)).toBe(found);
        }
      }
    }
    expect(conjunctive).toBeGreaterThan(100);
  });
});
