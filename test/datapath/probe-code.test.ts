import { expect, test } from 'vitest';
import { generateProbe } from '../../src/datapath/probe-code.ts';
import * as K from '../../src/packet/key.ts';
import { random } from '../packet/bytes.ts';

const EMPTY = -1;
const TOMBSTONE = -2;
const MISS = -9;

/** The hash of the plain loops, step by step. */
function hashOf(values: number[], seed: number): number {
  let h = seed;
  for (const value of values) h = Math.imul((h << 5) ^ (h >>> 27) ^ value, 0x9e3779b1);
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return x ^ (x >>> 13);
}

test('equal hashes are no match: every word is compared, and search goes on behind other entries', () => {
  const next = random(3);
  for (let round = 0; round < 50; round++) {
    const live = next() % 9;
    const words = Int32Array.from({ length: live }, (_, i) => i * 7 + (next() % 7));
    const masks = Uint32Array.from({ length: live }, () => next() | 1);
    const keys = Uint32Array.from({ length: 2 * K.DP_WORDS }, () => next());
    const wanted = Array.from(words, (w, i) => (keys[K.DP_WORDS + w] & masks[i]) >>> 0);
    const seed = next() | 0;
    const h = hashOf(wanted, seed);
    // From where the search begins: as many entries that differ in one word as there are words, a tombstone, the entry.
    const size = 16;
    const ids = new Int32Array(size).fill(EMPTY);
    const hashes = new Int32Array(size).fill(h);
    const values = new Uint32Array(size * live);
    const put = (n: number, id: number, entry: number[]): number => {
      const slot = (h + n) & (size - 1);
      ids[slot] = id;
      values.set(entry, slot * live);
      return slot;
    };
    for (let i = 0; i < live; i++) {
      put(
        i,
        100 + i,
        wanted.map((value, w) => (w === i ? (value ^ (masks[w] & -masks[w])) >>> 0 : value)),
      );
    }
    put(live, TOMBSTONE, wanted);
    const slot = put(live + 1, 7, wanted);
    const probe = generateProbe(
      { words, masks, ids, hashes, values },
      seed,
      EMPTY,
      TOMBSTONE,
      MISS,
    );
    expect(probe(keys, K.DP_WORDS)).toBe(7);
    ids[slot] = EMPTY;
    expect(probe(keys, K.DP_WORDS)).toBe(MISS);
  }
});
