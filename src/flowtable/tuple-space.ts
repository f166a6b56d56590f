/**
 * The classifier: tuple-space search with priorities, stages and prefix tries.
 *
 * Entries with the same mask share a subtable, a hash table over their masked words. A lookup probes the
 * subtables by descending highest priority and stops when no later one can win. Only the masks of the
 * subtables that were probed become part of the answer's mask, which is what keeps megaflows wide.
 *
 * Within a subtable the words are hashed in stages (metadata, L2, L3, L4: stages.ts). Each stage but the last
 * has a multiset of its running hashes; when a flow's hash is not in it, no entry can match and the words of
 * later stages stay wildcarded. In front of a stage with IP addresses a prefix trie over the whole table tells
 * whether any entry with this subtable's prefix length covers the flow's address, at the cost of the few bits
 * that tell; where transport ports alone rule a flow out, a trie of the subtable does the same for them.
 */
import { CONJ_ID, IPV4_DST, IPV4_SRC, TP } from '../packet/key.ts';
import { type Classified, type Classifier, completeConjunctions } from './classifier.ts';
import {
  coversMask,
  hashMask,
  hashStep,
  type Match,
  matchesWithin,
  overlap,
  sameMask,
  sameMatch,
} from './match.ts';
import { PrefixTrie, prefixLength } from './prefix-trie.ts';
import { STAGES, stageBits } from './stages.ts';

/** A field that a classifier keeps a trie of: whole words. */
export interface PrefixField {
  readonly word: number;
  readonly words: number;
}

/** Flow_Table.prefixes as it is without configuration: ip_dst, ip_src. */
const DEFAULT_PREFIXES: readonly PrefixField[] = [
  { word: IPV4_DST, words: 1 },
  { word: IPV4_SRC, words: 1 },
];

/** A trie of the classifier, and what the lookup at hand has learned from it. */
class FieldTrie {
  readonly field: PrefixField;
  readonly trie = new PrefixTrie();
  /** Bits that the answer depends on; -1 before it was asked in this lookup. */
  consulted = -1;
  /** For prefixes of entries. */
  readonly value: Uint32Array;

  constructor(field: PrefixField) {
    this.field = field;
    this.value = new Uint32Array(field.words);
  }

  /** Prefix length of the match in this field: 0 for none or no prefix. */
  prefixOf(match: Match): number {
    const { word, words } = this.field;
    const masks = new Array<number>(words).fill(0);
    for (let i = 0; i < match.words.length; i++) {
      const at = match.words[i] - word;
      if (at >= 0 && at < words) masks[at] = match.masks[i];
    }
    return Math.max(0, prefixLength(masks));
  }

  /** Counts a prefix in or out; its words stand in the match from place `from` on. */
  count(match: Match, bits: number, from: number, isIn: boolean): void {
    const used = (bits + 31) >>> 5;
    for (let i = 0; i < this.field.words; i++) {
      this.value[i] = i < used ? match.values[from + i] : 0;
    }
    if (isIn) this.trie.insert(this.value, bits);
    else this.trie.remove(this.value, bits);
  }
}

class Subtable<E extends Classified> {
  readonly match: Match;
  /** Places in stage order: word and mask, and where the word stands in a match's arrays. */
  private readonly words: number[] = [];
  private readonly masks: number[] = [];
  private readonly places: number[] = [];
  /** Exclusive ends of the stages, without empty ones; the last is words.length. */
  private readonly stageEnds: number[] = [];
  /** Per stage but the last: running hash -> how many entries have it. */
  private readonly stageHashes: Map<number, number>[] = [];
  /** Per stage, the tries to ask in front of it and the prefix length here. */
  private readonly stageTries: { readonly trie: FieldTrie; readonly bits: number }[][] = [];
  /** Full hash -> entries with that hash, highest priority first. */
  readonly entries = new Map<number, E[]>();
  /** The same in the order in which they came, which is the order of dumps. */
  readonly members = new Set<E>();
  /** How many entries have each priority. */
  private readonly priorities = new Map<number, number>();
  /** Mask of the ports, which stand in the last stage; 0 without them. */
  private readonly portsMask: number;
  private readonly ports: PrefixTrie | null;
  private readonly portsBits: number;
  private readonly portsPlace: number;
  private readonly scratch = new Uint32Array(1);
  maxPriority = -1;
  count = 0;

  /** Tries that count the prefixes of the entries here, their length, and where a match has the value. */
  readonly prefixes: { readonly trie: FieldTrie; readonly bits: number; readonly from: number }[] =
    [];

  constructor(match: Match, tries: readonly FieldTrie[]) {
    this.match = match;
    for (const trie of tries) {
      const bits = trie.prefixOf(match);
      const from = match.words.indexOf(trie.field.word);
      if (bits > 0) this.prefixes.push({ trie, bits, from });
    }
    for (let stage = 0; stage < STAGES; stage++) {
      const asked: { trie: FieldTrie; bits: number }[] = [];
      for (let i = 0; i < match.words.length; i++) {
        const mask = (match.masks[i] & stageBits(match.words[i], stage)) >>> 0;
        if (mask === 0) continue;
        this.words.push(match.words[i]);
        this.masks.push(mask);
        this.places.push(i);
        const prefix = this.prefixes.find((p) => p.from === i);
        if (prefix) asked.push(prefix);
      }
      if (this.words.length === (this.stageEnds.at(-1) ?? 0)) continue;
      this.stageEnds.push(this.words.length);
      this.stageTries.push(asked);
    }
    for (let s = 0; s + 1 < this.stageEnds.length; s++) this.stageHashes.push(new Map());
    const at = this.words.indexOf(TP);
    this.portsMask = at < 0 ? 0 : this.masks[at];
    // A mask of tp_dst alone is no prefix of the word, but its zeros are the same for all entries.
    this.portsBits = at < 0 ? 0 : 32 - trailingZeros(this.portsMask);
    this.ports = at < 0 ? null : new PrefixTrie();
    this.portsPlace = at < 0 ? 0 : this.places[at];
  }

  add(entry: E): void {
    const hash = this.tally(entry.match, 1);
    const list = this.entries.get(hash);
    if (list) {
      let i = 0;
      while (i < list.length && list[i].priority >= entry.priority) i++;
      list.splice(i, 0, entry);
    } else {
      this.entries.set(hash, [entry]);
    }
    this.members.add(entry);
    this.count++;
    this.priorities.set(entry.priority, (this.priorities.get(entry.priority) ?? 0) + 1);
    if (entry.priority > this.maxPriority) this.maxPriority = entry.priority;
    if (this.ports !== null) {
      this.scratch[0] = entry.match.values[this.portsPlace];
      this.ports.insert(this.scratch, this.portsBits);
    }
  }

  /** Returns whether the entry was here. */
  delete(entry: E): boolean {
    const hash = this.hashOf(entry.match, this.words.length);
    const list = this.entries.get(hash);
    const i = list ? list.indexOf(entry) : -1;
    if (!list || i < 0) return false;
    list.splice(i, 1);
    if (list.length === 0) this.entries.delete(hash);
    this.members.delete(entry);
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
    if (this.ports !== null) {
      this.scratch[0] = entry.match.values[this.portsPlace];
      this.ports.remove(this.scratch, this.portsBits);
    }
    return true;
  }

  hasPriority(priority: number): boolean {
    return this.priorities.has(priority);
  }

  /** Hash of the first `end` places of a match. */
  hashOf(match: Match, end: number): number {
    let hash = 0;
    for (let i = 0; i < end; i++) {
      hash = hashStep(hash, match.values[this.places[i]] & this.masks[i]);
    }
    return hash;
  }

  fullHash(match: Match): number {
    return this.hashOf(match, this.words.length);
  }

  /** Counts a match in or out of the stages; returns its full hash. */
  private tally(match: Match, change: 1 | -1): number {
    for (let s = 0; s < this.stageHashes.length; s++) {
      const hash = this.hashOf(match, this.stageEnds[s]);
      const n = (this.stageHashes[s].get(hash) ?? 0) + change;
      if (n > 0) this.stageHashes[s].set(hash, n);
      else this.stageHashes[s].delete(hash);
    }
    return this.hashOf(match, this.words.length);
  }

  /** Entries that match, highest priority first, ORing what had to be looked at into `mask`. Null for none. */
  lookup(flow: Uint32Array, mask: Uint32Array | null): E[] | null {
    const { words, masks, stageEnds } = this;
    let hash = 0;
    let i = 0;
    for (let s = 0; s < stageEnds.length; s++) {
      for (const { trie, bits } of this.stageTries[s]) {
        if (this.isRuledOut(trie, bits, flow, mask)) return null;
      }
      const isLast = s + 1 === stageEnds.length;
      const from = i;
      for (; i < stageEnds[s]; i++) hash = hashStep(hash, flow[words[i]] & masks[i]);
      if (isLast) {
        const found = this.equalOnes(this.entries.get(hash), flow);
        if (found === null && mask !== null && this.ports !== null) {
          this.scratch[0] = flow[TP] & this.portsMask;
          const bits = this.ports.lookup(this.scratch, 0, 32);
          mask[TP] |= this.portsMask & prefixMask(bits);
          for (let j = from; j < i; j++) if (words[j] !== TP) mask[words[j]] |= masks[j];
          return null;
        }
        if (mask !== null) for (let j = from; j < i; j++) mask[words[j]] |= masks[j];
        return found;
      }
      if (mask !== null) for (let j = from; j < i; j++) mask[words[j]] |= masks[j];
      if (!this.stageHashes[s].has(hash)) return null;
    }
    // Without any word every flow matches.
    return this.entries.get(0) ?? null;
  }

  private isRuledOut(
    trie: FieldTrie,
    bits: number,
    flow: Uint32Array,
    mask: Uint32Array | null,
  ): boolean {
    const { word, words } = trie.field;
    if (trie.consulted < 0) trie.consulted = trie.trie.lookup(flow, word, 32 * words);
    // Never more bits than the subtable itself would cost.
    if (trie.trie.found(bits) || trie.consulted > bits) return false;
    if (mask !== null) {
      for (let left = trie.consulted, w = word; left > 0; left -= 32, w++) {
        mask[w] |= prefixMask(Math.min(32, left));
      }
    }
    return true;
  }

  /** Those of one hash that have the flow's values. */
  private equalOnes(list: E[] | undefined, flow: Uint32Array): E[] | null {
    if (list === undefined) return null;
    if (list.length === 1) return this.equal(list[0].match.values, flow) ? list : null;
    const same = list.filter((e) => this.equal(e.match.values, flow));
    return same.length > 0 ? same : null;
  }

  private equal(values: Uint32Array, flow: Uint32Array): boolean {
    const { words, masks } = this.match;
    for (let i = 0; i < values.length; i++) {
      if ((flow[words[i]] & masks[i]) >>> 0 !== values[i]) return false;
    }
    return true;
  }
}

const trailingZeros = (word: number): number => 31 - Math.clz32(word & -word);
const prefixMask = (bits: number): number => (bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0);

export class TupleSpaceClassifier<E extends Classified> implements Classifier<E> {
  /** Subtables by the hash of their masks. */
  private readonly byMask = new Map<number, Subtable<E>[]>();
  /** In the order in which they were made. */
  private readonly made = new Set<Subtable<E>>();
  /** By maxPriority, highest first; equal ones in the order in which they were made. */
  private sorted: Subtable<E>[] = [];
  private readonly tries: readonly FieldTrie[];
  private count = 0;
  /** Entries with conjunctions. */
  private clauses = 0;

  constructor(prefixes: readonly PrefixField[] = DEFAULT_PREFIXES) {
    this.tries = prefixes.map((field) => new FieldTrie(field));
  }

  get size(): number {
    return this.count;
  }

  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null {
    for (const trie of this.tries) trie.consulted = -1;
    return this.clauses === 0
      ? this.lookupHard(flow, mask)
      : this.lookupWithConjunctions(flow, mask);
  }

  /** The best entry that is no clause. */
  private lookupHard(flow: Uint32Array, mask: Uint32Array | null): E | null {
    let best: E | null = null;
    for (const subtable of this.sorted) {
      if (best !== null && best.priority >= subtable.maxPriority) break;
      const list = subtable.lookup(flow, mask);
      if (list === null) continue;
      let found: E | undefined = list[0];
      if (this.clauses > 0) found = list.find((e) => !e.conjunctions);
      if (found && (best === null || found.priority > best.priority)) best = found;
    }
    return best;
  }

  private lookupWithConjunctions(flow: Uint32Array, mask: Uint32Array | null): E | null {
    let hard: E | null = null;
    const soft: E[] = [];
    for (const subtable of this.sorted) {
      if (hard !== null && hard.priority >= subtable.maxPriority) break;
      for (const entry of subtable.lookup(flow, mask) ?? []) {
        if (hard !== null && entry.priority <= hard.priority) break;
        if (entry.conjunctions) soft.push(entry);
        else hard = entry;
      }
    }
    soft.sort((a, b) => b.priority - a.priority);
    for (let i = 0; i < soft.length; ) {
      const { priority } = soft[i];
      if (hard !== null && priority <= hard.priority) break;
      let end = i;
      while (end < soft.length && soft[end].priority === priority) end++;
      for (const id of completeConjunctions(soft.slice(i, end))) {
        const saved = flow[CONJ_ID];
        flow[CONJ_ID] = id;
        const found = this.lookupHard(flow, mask);
        flow[CONJ_ID] = saved;
        if (found !== null) return found;
      }
      i = end;
    }
    return hard;
  }

  sharing(match: Match): Match {
    const like = this.subtableOf(match)?.match;
    return like ? { words: like.words, values: match.values, masks: like.masks } : match;
  }

  find(match: Match, priority: number): E | null {
    const subtable = this.subtableOf(match);
    return subtable ? this.findIn(subtable, match, priority) : null;
  }

  private subtableOf(match: Match): Subtable<E> | undefined {
    return this.byMask.get(hashMask(match))?.find((s) => sameMask(s.match, match));
  }

  private findIn(subtable: Subtable<E>, match: Match, priority: number): E | null {
    const list = subtable.entries.get(subtable.fullHash(match));
    return list?.find((e) => e.priority === priority && sameMatch(e.match, match)) ?? null;
  }

  insert(entry: E): E | null {
    let subtable = this.subtableOf(entry.match);
    const old = subtable ? this.findIn(subtable, entry.match, entry.priority) : null;
    if (!subtable) {
      subtable = new Subtable<E>(entry.match, this.tries);
      const key = hashMask(entry.match);
      const same = this.byMask.get(key);
      if (same) same.push(subtable);
      else this.byMask.set(key, [subtable]);
      this.made.add(subtable);
      this.sorted.push(subtable);
    }
    const before = subtable.maxPriority;
    if (old) this.drop(subtable, old);
    subtable.add(entry);
    this.count++;
    if (entry.conjunctions) this.clauses++;
    for (const { trie, bits, from } of subtable.prefixes) trie.count(entry.match, bits, from, true);
    if (subtable.maxPriority !== before) this.sort();
    return old;
  }

  remove(entry: E): boolean {
    const subtable = this.subtableOf(entry.match);
    if (!subtable) return false;
    const before = subtable.maxPriority;
    if (!this.drop(subtable, entry)) return false;
    if (subtable.count === 0) {
      const key = hashMask(entry.match);
      const left = this.byMask.get(key)!.filter((s) => s !== subtable);
      if (left.length > 0) this.byMask.set(key, left);
      else this.byMask.delete(key);
      this.made.delete(subtable);
      this.sorted = this.sorted.filter((s) => s !== subtable);
    } else if (subtable.maxPriority !== before) {
      this.sort();
    }
    return true;
  }

  private drop(subtable: Subtable<E>, entry: E): boolean {
    if (!subtable.delete(entry)) return false;
    this.count--;
    if (entry.conjunctions) this.clauses--;
    for (const { trie, bits, from } of subtable.prefixes) {
      trie.count(entry.match, bits, from, false);
    }
    return true;
  }

  entries(): E[] {
    const all: E[] = [];
    for (const subtable of this.made) for (const entry of subtable.members) all.push(entry);
    return all.sort((a, b) => b.priority - a.priority);
  }

  within(match: Match): E[] {
    const exact = this.subtableOf(match);
    const all: E[] = [];
    for (const subtable of this.made) {
      if (!coversMask(subtable.match, match)) continue;
      if (subtable === exact) {
        // The same mask: only one place to look.
        const list = subtable.entries.get(subtable.fullHash(match)) ?? [];
        for (const entry of list) if (sameMatch(entry.match, match)) all.push(entry);
        continue;
      }
      for (const entry of subtable.members) {
        if (matchesWithin(entry.match, match)) all.push(entry);
      }
    }
    return all;
  }

  overlaps(match: Match, priority: number): boolean {
    for (const subtable of this.sorted) {
      if (!subtable.hasPriority(priority)) continue;
      for (const e of subtable.members) {
        if (e.priority === priority && overlap(e.match, match)) return true;
      }
    }
    return false;
  }

  private sort(): void {
    this.sorted.sort((a, b) => b.maxPriority - a.maxPriority);
  }
}
