/**
 * A match: masked words of the flow key, sparse. Only words whose mask is not 0 stand in it, as three
 * parallel arrays in ascending word order, so that comparing one costs its length and not FLOW_WORDS.
 *
 * Values are always within their masks, so that two equal matches are equal word for word. The same form
 * goes to the datapath (SparseMatch) and into the classifier.
 */
import { FLOW_WORDS } from '../packet/key.ts';

export interface Match {
  readonly words: Uint8Array;
  readonly values: Uint32Array;
  readonly masks: Uint32Array;
}

/** Matches every flow. */
export const MATCH_ALL: Match = {
  words: new Uint8Array(0),
  values: new Uint32Array(0),
  masks: new Uint32Array(0),
};

/** The match of `values` under `mask`, both dense; only the first `count` words are looked at. */
export function matchOf(values: Uint32Array, mask: Uint32Array, count: number): Match {
  let n = 0;
  for (let w = 0; w < count; w++) if (mask[w] !== 0) n++;
  const match = {
    words: new Uint8Array(n),
    values: new Uint32Array(n),
    masks: new Uint32Array(n),
  };
  for (let w = 0, i = 0; w < count; w++) {
    if (mask[w] === 0) continue;
    match.words[i] = w;
    match.values[i] = values[w] & mask[w];
    match.masks[i] = mask[w];
    i++;
  }
  return match;
}

/** Collects a match field by field; `set` on the same word again adds bits. */
export class MatchBuilder {
  private readonly values = new Uint32Array(FLOW_WORDS);
  private readonly masks = new Uint32Array(FLOW_WORDS);

  set(word: number, value: number, mask = 0xffffffff): this {
    this.values[word] = (this.values[word] & ~mask) | (value & mask);
    this.masks[word] |= mask;
    return this;
  }

  build(): Match {
    return matchOf(this.values, this.masks, FLOW_WORDS);
  }
}

/** True when `flow` has the match's values under its masks. `flow` is dense. */
export function matches(match: Match, flow: Uint32Array): boolean {
  const { words, values, masks } = match;
  for (let i = 0; i < words.length; i++) {
    if ((flow[words[i]] & masks[i]) >>> 0 !== values[i]) return false;
  }
  return true;
}

/** True when both consult exactly the same bits. */
export function sameMask(a: Match, b: Match): boolean {
  if (a.words.length !== b.words.length) return false;
  for (let i = 0; i < a.words.length; i++) {
    if (a.words[i] !== b.words[i] || a.masks[i] !== b.masks[i]) return false;
  }
  return true;
}

export function sameMatch(a: Match, b: Match): boolean {
  if (!sameMask(a, b)) return false;
  for (let i = 0; i < a.values.length; i++) if (a.values[i] !== b.values[i]) return false;
  return true;
}

/** True when `match` has at least the masks of `outer`, and its values under them. */
export function matchesWithin(match: Match, outer: Match): boolean {
  return coversMask(match, outer) && sameWithin(match, outer);
}

/** True when `match` consults every bit that `outer` consults. */
export function coversMask(match: Match, outer: Match): boolean {
  let i = 0;
  for (let o = 0; o < outer.words.length; o++) {
    while (i < match.words.length && match.words[i] < outer.words[o]) i++;
    if (i === match.words.length || match.words[i] !== outer.words[o]) return false;
    if ((outer.masks[o] & ~match.masks[i]) !== 0) return false;
  }
  return true;
}

/** True when the values are equal in all bits that both consult. */
function sameWithin(a: Match, b: Match): boolean {
  let i = 0;
  for (let j = 0; j < b.words.length; j++) {
    while (i < a.words.length && a.words[i] < b.words[j]) i++;
    if (i === a.words.length) return true;
    if (a.words[i] !== b.words[j]) continue;
    if (((a.values[i] ^ b.values[j]) & a.masks[i] & b.masks[j]) !== 0) return false;
  }
  return true;
}

/** True when some flow matches both. */
export const overlap = (a: Match, b: Match): boolean => sameWithin(a, b);

/** Value and mask of one word; mask 0 when the match has nothing there. */
export function wordOf(match: Match, word: number): { value: number; mask: number } {
  const i = match.words.indexOf(word);
  return i < 0 ? { value: 0, mask: 0 } : { value: match.values[i], mask: match.masks[i] };
}

/** ORs the consulted bits into a dense mask. */
export function orMask(match: Match, into: Uint32Array): void {
  for (let i = 0; i < match.words.length; i++) into[match.words[i]] |= match.masks[i];
}

/** Equal for equal masks. */
export function hashMask(match: Match): number {
  let hash = match.words.length;
  for (let i = 0; i < match.words.length; i++) {
    hash = hashStep(hashStep(hash, match.words[i]), match.masks[i]);
  }
  return hash;
}

/** One step of a 32-bit multiplicative hash; start with 0. */
export const hashStep = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
};
