/**
 * Code generated for masks: hash and comparison of a subtable with its words, masks and multipliers as constants, loops
 * unrolled. The plain loops in subtable.ts do the same and are the oracle.
 *
 * Only numbers go into the source text. V8 compiles such a function in some tens of microseconds, which is why only
 * subtables that are hit often get one.
 */
import type { HashSalt, Subtable } from './subtable.ts';
import { NO_ENTRY, TAG_EMPTY } from './subtable.ts';

/** Code for a subtable as it is divided into shared and own words now; it sees the table grow. */
export interface ProbeCode {
  /** As Subtable.probe. */
  readonly probe: (keys: Uint32Array, base: number, sum: number) => number;
  /** As Subtable.same. */
  readonly same: (keys: Uint32Array, base: number, entry: number) => boolean;
}

/** The sum over the shared words of keys[base ..]. */
export type SharedSum = (keys: Uint32Array, base: number) => number;

/** Longer masks are left to the loops: the code would be big and the gain small. */
export const MAX_GENERATED_WORDS = 32;

/** True unless this process may not make code from strings (node --disallow-code-generation-from-strings). */
export function canGenerate(): boolean {
  try {
    return new Function('return true')();
  } catch {
    return false;
  }
}

const add = (masked: string, salt: HashSalt, word: number): string =>
  `t = ${masked}; h = (h + Math.imul(t ^ (t >>> 15), ${salt.multipliers[word]})) | 0;`;

export function generateSharedSum(words: ArrayLike<number>, salt: HashSalt): SharedSum {
  const lines = Array.from(words, (word) => add(`keys[base + ${word}] | 0`, salt, word));
  const body = `'use strict';
return function sharedSum(keys, base) {
  let h = ${salt.seed}, t = 0;
  ${lines.join('\n  ')}
  return h;
};`;
  return new Function(body)() as SharedSum;
}

export function generateProbe(table: Subtable, salt: HashSalt): ProbeCode {
  const masked = (word: number, mask: number): string =>
    mask === 0xffffffff ? `keys[base + ${word}] | 0` : `keys[base + ${word}] & ${mask | 0}`;
  const terms = Array.from(table.ownWords, (word, i) =>
    add(masked(word, table.ownMasks[i]), salt, word),
  );
  const same = Array.from(
    table.words,
    (word, i) => `((${masked(word, table.masks[i])}) ^ values[at + ${i}])`,
  );
  const body = `'use strict';
function same(keys, base, entry) {
  const values = table.values;
  const at = entry * ${table.stride};
  return (${same.join(' | ') || '0'}) === 0;
}
function probe(keys, base, sum) {
  let h = ${table.shares ? 'sum' : salt.seed}, t = 0;
  ${terms.join('\n  ')}
  t = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = t ^ (t >>> 13);
  let tag = h >>> 24;
  if (tag < 2) tag += 2;
  const tags = table.tags;
  const last = tags.length - 1;
  for (let slot = h & last; ; slot = (slot + 1) & last) {
    const found = tags[slot];
    if (found === ${TAG_EMPTY}) return ${NO_ENTRY};
    if (found === tag) {
      const entry = table.slots[slot];
      if (same(keys, base, entry)) return entry;
    }
  }
}
return { probe, same };`;
  return new Function('table', body)(table) as ProbeCode;
}
