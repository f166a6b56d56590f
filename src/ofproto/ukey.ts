/**
 * A ukey: what the main thread keeps of one installed megaflow, to push its statistics, to translate it
 * again after a change, and to print it.
 *
 * The key of the frame that missed is kept whole but sparse: translating again may look at bits that the
 * first translation did not.
 */
import type { FlowId, FlowStats } from '../datapath/datapath.ts';
import { hashStep, type Match } from '../flowtable/match.ts';
import { DP_WORDS } from '../packet/key.ts';
import type { Effect } from './xlate/effect.ts';

export interface Ukey {
  readonly id: FlowId;
  readonly match: Match;
  /** Distinguishes megaflows with the same match over time; printed as ufid. */
  readonly ufid: Ufid;
  program: Int32Array;
  effects: readonly Effect[];
  /** Numbers of frozen states that `program` names. */
  recircIds: readonly number[];
  /** Words of the missed frame's key that are not 0, and their places. */
  readonly keyWords: Uint8Array;
  readonly keyValues: Uint32Array;
  readonly createdMs: number;
  /** Configuration generation that `program` belongs to. */
  generation: number;
  /** Statistics already pushed. */
  packets: number;
  bytes: number;
  usedMs: number;
  tcpFlags: number;
  installed: boolean;
  /** False until the counters of the slot are known to be this megaflow's. */
  settled: boolean;
}

/** Keeps the words of a key that are not 0. */
export function sparseKey(key: Uint32Array): { words: Uint8Array; values: Uint32Array } {
  let n = 0;
  for (let w = 0; w < DP_WORDS; w++) if (key[w] !== 0) n++;
  const words = new Uint8Array(n);
  const values = new Uint32Array(n);
  for (let w = 0, i = 0; w < DP_WORDS; w++) {
    if (key[w] === 0) continue;
    words[i] = w;
    values[i++] = key[w];
  }
  return { words, values };
}

/** The other way: fills a dense flow, whose other words become 0. */
export function denseKey(ukey: Ukey, into: Uint32Array): void {
  into.fill(0);
  for (let i = 0; i < ukey.keyWords.length; i++) into[ukey.keyWords[i]] = ukey.keyValues[i];
}

/** Identity of a match as a 32-bit hash over words, masks and values. */
export function hashMatch(match: Match): number {
  let h = match.words.length;
  for (let i = 0; i < match.words.length; i++) {
    h = hashStep(hashStep(hashStep(h, match.words[i]), match.masks[i]), match.values[i]);
  }
  return h;
}

/** The hash of the match that a dense key has under the mask of another one. */
export function hashKey(like: Match, key: Uint32Array): number {
  const { words, masks } = like;
  let h = words.length;
  for (let i = 0; i < words.length; i++) {
    const value = (key[words[i]] & masks[i]) >>> 0;
    h = hashStep(hashStep(hashStep(h, words[i]), masks[i]), value);
  }
  return h;
}

/** 128 bits in the form of a UUID, from a source of 32-bit random words: made when somebody first asks, which is seldom. */
export class Ufid {
  private readonly random32: () => number;
  private text: string | null;

  constructor(random32: () => number, text: string | null = null) {
    this.random32 = random32;
    this.text = text;
  }

  toString(): string {
    if (this.text === null) {
      let hex = '';
      for (let i = 0; i < 4; i++) hex += (this.random32() >>> 0).toString(16).padStart(8, '0');
      this.text = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    }
    return this.text;
  }
}

export const emptyStats = (): FlowStats => ({ packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 });
