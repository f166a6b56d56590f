/** The main thread's side of the megaflow cache, against plain maps of the same. */
import { describe, expect, test } from 'vitest';
import { KeyStore, type StoredKey } from '../../src/ofproto/key-store.ts';
import { Ukey, type UkeyMask } from '../../src/ofproto/ukey.ts';
import { UkeyIndex } from '../../src/ofproto/ukey-index.ts';
import { DP_WORDS } from '../../src/packet/key.ts';
import { random32 } from './lab.ts';

/** Keys with few words, from few values, so that some are equal under a mask. */
const randomKey = (random: () => number): Uint32Array => {
  const key = new Uint32Array(DP_WORDS);
  const words = random() % 20;
  for (let i = 0; i < words; i++) key[random() % DP_WORDS] = random() % 3 === 0 ? random() : 7;
  return key;
};

describe('KeyStore', () => {
  test('gives back what was put, while others come and go', () => {
    const random = random32(5);
    const store = new KeyStore();
    const kept: { key: Uint32Array; at: StoredKey }[] = [];
    const dense = new Uint32Array(DP_WORDS + 10);
    for (let i = 0; i < 20_000; i++) {
      if (kept.length > 300) {
        const [gone] = kept.splice(random() % kept.length, 1);
        dense.fill(1);
        store.read(gone.at, dense);
        expect([...dense.subarray(0, DP_WORDS)]).toEqual([...gone.key]);
        expect(dense[DP_WORDS]).toBe(0);
        store.drop(gone.at);
      }
      const key = randomKey(random);
      kept.push({ key, at: store.put(key) });
    }
  });

  test('compares and picks under a mask as a dense key would', () => {
    const random = random32(6);
    const store = new KeyStore();
    let equal = 0;
    for (let i = 0; i < 5000; i++) {
      const key = randomKey(random);
      const at = store.put(key);
      const words = Uint8Array.from([...new Set([random() % 40, 40 + (random() % 60), 145])]);
      const masks = Uint32Array.from(words, () => (random() % 2 === 0 ? 0xff : 0xffffffff));
      const other = random() % 2 === 0 ? randomKey(random) : key.slice();
      other[random() % DP_WORDS] ^= random() % 2;
      const want = words.every((word, n) => ((key[word] ^ other[word]) & masks[n]) === 0);
      if (want) equal++;
      expect(store.agrees(at, other, words, masks)).toBe(want);
      const picked = new Uint32Array(words.length);
      store.pick(at, words, picked);
      expect([...picked]).toEqual([...words].map((word) => key[word]));
    }
    expect(equal).toBeGreaterThan(1000);
    expect(equal).toBeLessThan(4500);
  });
});

test('UkeyIndex finds by mask and key, and keeps the order of installation', () => {
  const random = random32(7);
  const store = new KeyStore();
  const index = new UkeyIndex();
  const masks = [3, 5, 9].map(
    (word): UkeyMask => ({
      words: Uint8Array.from([0, word]),
      masks: Uint32Array.from([0xffffffff, 0xff]),
      // The same for all: only the objects tell them apart.
      seed: 1,
      users: 0,
    }),
  );
  const order: { ukey: Ukey; key: Uint32Array }[] = [];
  const free = Array.from({ length: 400 }, (_, i) => i);
  for (let i = 0; i < 20_000; i++) {
    if (order.length > 0 && (free.length === 0 || random() % 2 === 0)) {
      const [{ ukey, key }] = order.splice(random() % order.length, 1);
      index.delete(ukey);
      free.push(ukey.id);
      expect(index.find(ukey.mask, key)).toBeNull();
    } else {
      const mask = masks[random() % masks.length];
      const key = new Uint32Array(DP_WORDS);
      key[0] = random() % 500;
      key[mask.words[1]] = random() & 0xff;
      const there = order.find(
        (one) =>
          one.ukey.mask === mask &&
          one.key[0] === key[0] &&
          one.key[mask.words[1]] === key[mask.words[1]],
      );
      expect(index.find(mask, key)).toBe(there?.ukey ?? null);
      if (there !== undefined) continue;
      const id = free.pop() as number;
      const program = new Int32Array(0);
      const at = store.put(key);
      const ukey = new Ukey(id, mask, store, at, program, [], [], 0, 1, true, random, null);
      index.add(ukey, key);
      order.push({ ukey, key });
    }
    expect(index.size).toBe(order.length);
  }
  expect(index.list()).toEqual(order.map(({ ukey }) => ukey));
});
