/**
 * The classifier: tuple-space search with priorities and stages.
 *
 * Entries with the same mask share a subtable, a hash table over their masked words. A lookup probes the
 * subtables by descending highest priority and stops when no later one can win. Only the masks of the
 * subtables that were probed become part of the answer's mask, which is what keeps megaflows wide.
 *
 * Within a subtable the words are hashed in stages (metadata, L2, L3, L4, pipeline registers). Each stage
 * but the last has a multiset of its running hashes; when a flow's hash is not in it, no entry can match
 * and the words of later stages stay wildcarded: a rule on TCP ports does not cost a megaflow per
 * connection for flows that differ already in L2. Prefix tries fit in front of the stages.
 */
import { ETH_DST, FLOW_WORDS, OF_IN_PORT, TOS_TTL, TP } from '../packet/key.ts';
import type { Classified, Classifier } from './classifier.ts';
import { hashStep, type Match, maskKey, sameMatch } from './match.ts';

/** First word of each stage after the first; pipeline words come last because their hash is cheap to share. */
const STAGE_STARTS = [ETH_DST, TOS_TTL, TP, OF_IN_PORT, FLOW_WORDS];

class Subtable<E extends Classified> {
  readonly key: string;
  readonly words: Uint8Array;
  readonly masks: Uint32Array;
  /** Exclusive ends of the stages as indices into `words`, without empty stages; the last is words.length. */
  readonly stageEnds: number[] = [];
  /** Per stage but the last: running hash -> how many entries have it. */
  readonly stageHashes: Map<number, number>[] = [];
  /** Full hash -> entries with that hash, highest priority first. */
  readonly entries = new Map<number, E[]>();
  /** How many entries have each priority. */
  private readonly priorities = new Map<number, number>();
  maxPriority = -1;
  count = 0;

  constructor(match: Match, key: string) {
    this.key = key;
    this.words = match.words;
    this.masks = match.masks;
    for (const start of STAGE_STARTS) {
      let end = 0;
      while (end < match.words.length && match.words[end] < start) end++;
      if (end > (this.stageEnds.at(-1) ?? 0)) this.stageEnds.push(end);
    }
    for (let s = 0; s + 1 < this.stageEnds.length; s++) this.stageHashes.push(new Map());
  }

  add(entry: E): void {
    const list = this.entries.get(this.tally(entry.match, 1));
    if (list) {
      let i = 0;
      while (i < list.length && list[i].priority >= entry.priority) i++;
      list.splice(i, 0, entry);
    } else {
      this.entries.set(hashOf(entry.match, entry.match.words.length), [entry]);
    }
    this.count++;
    this.priorities.set(entry.priority, (this.priorities.get(entry.priority) ?? 0) + 1);
    if (entry.priority > this.maxPriority) this.maxPriority = entry.priority;
  }

  /** Returns whether the entry was here. */
  delete(entry: E): boolean {
    const hash = hashOf(entry.match, entry.match.words.length);
    const list = this.entries.get(hash);
    const i = list ? list.indexOf(entry) : -1;
    if (!list || i < 0) return false;
    list.splice(i, 1);
    if (list.length === 0) this.entries.delete(hash);
    this.tally(entry.match, -1);
    this.count--;
    const left = this.priorities.get(entry.priority)! - 1;
    if (left > 0) {
      this.priorities.set(entry.priority, left);
    } else {
      this.priorities.delete(entry.priority);
      if (entry.priority === this.maxPriority) {
        this.maxPriority = -1;
        for (const p of this.priorities.keys()) if (p > this.maxPriority) this.maxPriority = p;
      }
    }
    return true;
  }

  /** Counts a match in or out of the stages; returns its full hash. */
  private tally(match: Match, change: 1 | -1): number {
    for (let s = 0; s < this.stageHashes.length; s++) {
      const hash = hashOf(match, this.stageEnds[s]);
      const n = (this.stageHashes[s].get(hash) ?? 0) + change;
      if (n > 0) this.stageHashes[s].set(hash, n);
      else this.stageHashes[s].delete(hash);
    }
    return hashOf(match, match.words.length);
  }

  /** Best entry here, ORing the stages that had to be looked at into `mask`. */
  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null {
    const { words, masks, stageEnds } = this;
    let hash = 0;
    let i = 0;
    for (let s = 0; s < stageEnds.length; s++) {
      for (; i < stageEnds[s]; i++) {
        const w = words[i];
        hash = hashStep(hash, flow[w] & masks[i]);
        if (mask) mask[w] |= masks[i];
      }
      if (s + 1 < stageEnds.length && !this.stageHashes[s].has(hash)) return null;
    }
    const list = this.entries.get(hash);
    if (!list) return null;
    for (const entry of list) if (this.equal(entry.match.values, flow)) return entry;
    return null;
  }

  private equal(values: Uint32Array, flow: Uint32Array): boolean {
    for (let i = 0; i < values.length; i++) {
      if ((flow[this.words[i]] & this.masks[i]) >>> 0 !== values[i]) return false;
    }
    return true;
  }
}

/** Hash of the first `end` words of a match. */
function hashOf(match: Match, end: number): number {
  let h = 0;
  for (let i = 0; i < end; i++) h = hashStep(h, match.values[i]);
  return h;
}

export class TupleSpaceClassifier<E extends Classified> implements Classifier<E> {
  private readonly byMask = new Map<string, Subtable<E>>();
  /** By maxPriority, highest first; equal ones in the order in which they were made. */
  private sorted: Subtable<E>[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null {
    let best: E | null = null;
    for (const subtable of this.sorted) {
      if (best !== null && best.priority >= subtable.maxPriority) break;
      const found = subtable.lookup(flow, mask);
      if (found !== null && (best === null || found.priority > best.priority)) best = found;
    }
    return best;
  }

  find(match: Match, priority: number): E | null {
    const list = this.byMask.get(maskKey(match))?.entries.get(hashOf(match, match.words.length));
    return list?.find((e) => e.priority === priority && sameMatch(e.match, match)) ?? null;
  }

  insert(entry: E): E | null {
    const key = maskKey(entry.match);
    let subtable = this.byMask.get(key);
    const old = subtable ? this.find(entry.match, entry.priority) : null;
    if (!subtable) {
      subtable = new Subtable<E>(entry.match, key);
      this.byMask.set(key, subtable);
      this.sorted.push(subtable);
    }
    const before = subtable.maxPriority;
    if (old) {
      subtable.delete(old);
      this.count--;
    }
    subtable.add(entry);
    this.count++;
    if (subtable.maxPriority !== before) this.sort();
    return old;
  }

  remove(entry: E): boolean {
    const subtable = this.byMask.get(maskKey(entry.match));
    if (!subtable) return false;
    const before = subtable.maxPriority;
    if (!subtable.delete(entry)) return false;
    this.count--;
    if (subtable.count === 0) {
      this.byMask.delete(subtable.key);
      this.sorted = this.sorted.filter((s) => s !== subtable);
    } else if (subtable.maxPriority !== before) {
      this.sort();
    }
    return true;
  }

  entries(): E[] {
    const all: E[] = [];
    for (const subtable of this.sorted) {
      for (const list of subtable.entries.values()) for (const entry of list) all.push(entry);
    }
    return all.sort((a, b) => b.priority - a.priority);
  }

  private sort(): void {
    this.sorted.sort((a, b) => b.maxPriority - a.maxPriority);
  }
}
