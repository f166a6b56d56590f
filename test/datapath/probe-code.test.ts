import { expect, test } from 'vitest';
import { generateProbe, generateSharedSum } from '../../src/datapath/probe-code.ts';
import { hashSalt, NO_ENTRY, Subtable, term } from '../../src/datapath/subtable.ts';
import * as K from '../../src/packet/key.ts';
import { random } from '../packet/bytes.ts';

test('generated code and the loops find the same entries, however words are shared', () => {
  const next = random(3);
  for (let round = 0; round < 60; round++) {
    const salt = hashSalt(next());
    const live = next() % 9;
    const words = Int32Array.from({ length: live }, (_, i) => i * 7 + (next() % 7));
    const masks = Uint32Array.from({ length: live }, () => (next() % 2 ? 0xffffffff : next() | 1));
    const table = new Subtable(words, masks, salt);
    // Some of the words, or words that this mask does not take whole, or a word that it does not have.
    const shared = new Uint8Array(K.DP_WORDS);
    for (let i = 0; i < live; i++) {
      if (next() % 2 && (masks[i] === 0xffffffff || next() % 4 === 0)) shared[words[i]] = 1;
    }
    if (next() % 8 === 0) shared[K.DP_WORDS - 1] = 1;
    const list = Array.from(shared.keys()).filter((word) => shared[word] !== 0);
    table.share(shared, list.length);
    if (list.some((word) => !words.includes(word))) expect(table.shares).toBe(false);

    const keys = new Uint32Array(3 * K.DP_WORDS);
    const base = K.DP_WORDS;
    const entries: number[][] = [];
    for (let n = 0; n < 40; n++) {
      // Few values, so that some keys are there and some are not, and differ in one word only.
      const values = Array.from(words, () => (next() % 3) * 0x40000001);
      if (entries.some((other) => other.every((v, i) => ((v ^ values[i]) & masks[i]) === 0)))
        continue;
      entries.push(values);
      table.insert(1000 + entries.length - 1, values);
    }
    const removed = new Set<number>();
    for (let i = 0; i < entries.length; i += 3) {
      table.remove(i);
      removed.add(i);
    }
    const code = generateProbe(table, salt);
    const sumOf = generateSharedSum(list, salt);
    for (let n = 0; n < 100; n++) {
      for (let i = 0; i < live; i++) keys[base + words[i]] = (next() % 3) * 0x40000001;
      let plain = salt.seed;
      for (const word of list)
        plain = (plain + term(keys[base + word] | 0, salt.multipliers[word])) | 0;
      const summed = sumOf(keys, base);
      const wanted = entries.findIndex(
        (entry, e) =>
          !removed.has(e) && entry.every((v, i) => ((v ^ keys[base + words[i]]) & masks[i]) === 0),
      );
      const seen = [summed, table.probe(keys, base, plain), code.probe(keys, base, plain)];
      if (wanted >= 0) seen.push(table.idOf(wanted) - 1000);
      expect(seen).toEqual([plain, wanted, wanted, wanted].slice(0, seen.length));
      const differ = entries.findIndex(
        (_, e) => code.same(keys, base, e) !== table.same(keys, base, e),
      );
      expect(differ).toBe(-1);
    }
  }
});

test('a subtable takes given-up entries again and stays small under churn', () => {
  const salt = hashSalt(5);
  const table = new Subtable(Int32Array.of(K.TP), Uint32Array.of(0xffffffff), salt);
  const entries: number[] = [];
  for (let n = 0; n < 20_000; n++) {
    entries.push(table.insert(n, [n]));
    if (entries.length > 10) table.remove(entries.shift() as number);
  }
  expect(table.count).toBe(10);
  expect(table.values.length).toBeLessThanOrEqual(16 * table.stride);
  expect(table.tags.length).toBeLessThanOrEqual(64);
  const keys = new Uint32Array(K.DP_WORDS);
  for (let n = 19_985; n < 20_000; n++) {
    keys[K.TP] = n;
    const found = table.probe(keys, 0, 0);
    expect(found === NO_ENTRY ? -1 : table.idOf(found)).toBe(n < 19_990 ? -1 : n);
  }
});
