/**
 * The megaflows of one mask: an open-addressing hash table over the live words (those whose mask is not 0).
 *
 * Layout: entries lie one behind the other in `values`, each its masked key words and its flow id, so that both come with one
 * access to memory. The hash table holds entry numbers in `slots` and one byte of each entry's hash in `tags`: most probes that find nothing read one
 * byte and no more, so that even many big subtables stay in the processor's cache.
 *
 * The hash is a sum over words: seed + sum of mix(word & mask) * multiplier of the word, then spread. A sum does not care for order, so
 * what many subtables have in common (`shared`: words that they take whole) is added up once a packet, and each adds its
 * `own` words. It has the same value however words are divided. Multipliers are odd and come from the seed: what is a
 * collision is known to nobody who sends packets.
 */
import { DP_WORDS } from '../packet/key.ts';
import type { ProbeCode } from './probe-code.ts';

export const NO_ENTRY = -1;
/** Values of Subtable.tags that no entry has. */
export const TAG_EMPTY = 0;
const TAG_TOMBSTONE = 1;
const FIRST_TAG = 2;
const WHOLE = 0xffffffff;

export class Subtable {
  /** Indices of live words, ascending, and their masks. */
  readonly words: Int32Array;
  readonly masks: Uint32Array;
  /** Those that are added up for this subtable alone. */
  ownWords: Int32Array;
  ownMasks: Uint32Array;
  /** True when the others are in the sum over the shared words. */
  shares = false;
  /** By slot. */
  slots = new Int32Array(8);
  tags = new Uint8Array(8);
  /** Words of an entry: those of the key, then the flow id. */
  readonly stride: number;
  /** stride words an entry. */
  values: Uint32Array;
  /** Live entries; slots that are not empty. */
  count = 0;
  filled = 0;
  /** Hits since the last sorting, halved then. */
  hits = 0;
  /** Code for this mask, once it is hot. */
  generated: ProbeCode | undefined;
  private readonly salt: HashSalt;
  /** Entries used so far; given-up ones below it, each with the next one in place of its id. */
  private end = 0;
  private free = NO_ENTRY;

  constructor(words: Int32Array, masks: Uint32Array, salt: HashSalt) {
    this.words = words;
    this.masks = masks;
    this.ownWords = words;
    this.ownMasks = masks;
    this.salt = salt;
    this.stride = words.length + 1;
    this.values = new Uint32Array(4 * this.stride);
  }

  /** Divides the words anew: those in `shared` (by word, not 0) are in the sum if this mask takes all of them whole. */
  share(shared: Uint8Array, count: number): void {
    let common = 0;
    for (let i = 0; i < this.words.length; i++) {
      if (shared[this.words[i]] !== 0 && this.masks[i] === WHOLE) common++;
    }
    this.shares = common === count;
    const isOwn = (_: number, i: number) => !this.shares || shared[this.words[i]] === 0;
    this.ownWords = this.words.filter(isOwn);
    this.ownMasks = this.masks.filter(isOwn);
    this.generated = undefined;
  }

  /** The entry that matches keys[base ..], or NO_ENTRY. `sum` is over the shared words, if this subtable shares. */
  probe(keys: Uint32Array, base: number, sum: number): number {
    const { ownWords, ownMasks } = this;
    const multipliers = this.salt.multipliers;
    let h = this.shares ? sum : this.salt.seed;
    for (let i = 0; i < ownWords.length; i++) {
      const word = ownWords[i];
      h = (h + term(keys[base + word] & ownMasks[i], multipliers[word])) | 0;
    }
    h = finish(h);
    const tag = tagOf(h);
    const tags = this.tags;
    const last = tags.length - 1;
    for (let slot = h & last; ; slot = (slot + 1) & last) {
      const found = tags[slot];
      if (found === TAG_EMPTY) return NO_ENTRY;
      if (found === tag && this.same(keys, base, this.slots[slot])) return this.slots[slot];
    }
  }

  /** The flow id of a live entry. */
  idOf(entry: number): number {
    return this.values[entry * this.stride + this.words.length];
  }

  /** True when the key at keys[base ..] matches the entry. */
  same(keys: Uint32Array, base: number, entry: number): boolean {
    const { words, masks, values } = this;
    const at = entry * this.stride;
    for (let i = 0; i < words.length; i++) {
      if (((keys[base + words[i]] & masks[i]) ^ values[at + i]) !== 0) return false;
    }
    return true;
  }

  /** True when `values` under this mask are the entry's. */
  holds(entry: number, values: ArrayLike<number>): boolean {
    const at = entry * this.stride;
    for (let i = 0; i < this.words.length; i++) {
      if (((values[i] & this.masks[i]) ^ this.values[at + i]) !== 0) return false;
    }
    return true;
  }

  /** Returns the new entry, which is not there yet. */
  insert(id: number, values: ArrayLike<number>): number {
    if ((this.filled + 1) * 2 > this.tags.length) this.rehash();
    const entry = this.takeEntry();
    const live = this.words.length;
    const at = entry * this.stride;
    for (let i = 0; i < live; i++) this.values[at + i] = values[i] & this.masks[i];
    this.values[at + live] = id;
    this.place(entry);
    this.count++;
    return entry;
  }

  remove(entry: number): void {
    const h = this.hashOf(entry);
    const last = this.tags.length - 1;
    let slot = h & last;
    while (this.slots[slot] !== entry || this.tags[slot] < FIRST_TAG) slot = (slot + 1) & last;
    this.tags[slot] = TAG_TOMBSTONE;
    this.values[entry * this.stride + this.words.length] = this.free;
    this.free = entry;
    this.count--;
  }

  private takeEntry(): number {
    const entry = this.free;
    if (entry !== NO_ENTRY) {
      this.free = this.idOf(entry) | 0;
      return entry;
    }
    if (this.end * this.stride === this.values.length) {
      const values = new Uint32Array(this.values.length * 2);
      values.set(this.values);
      this.values = values;
    }
    return this.end++;
  }

  private hashOf(entry: number): number {
    const { words, values, salt } = this;
    const at = entry * this.stride;
    let h = salt.seed;
    for (let i = 0; i < words.length; i++) {
      h = (h + term(values[at + i] | 0, salt.multipliers[words[i]])) | 0;
    }
    return finish(h);
  }

  private place(entry: number): void {
    const h = this.hashOf(entry);
    const last = this.tags.length - 1;
    let slot = h & last;
    while (this.tags[slot] >= FIRST_TAG) slot = (slot + 1) & last;
    if (this.tags[slot] === TAG_EMPTY) this.filled++;
    this.tags[slot] = tagOf(h);
    this.slots[slot] = entry;
  }

  /** Makes room: twice the size when live entries fill it, else the same size without tombstones. */
  private rehash(): void {
    const { slots, tags } = this;
    const size = this.count * 4 >= tags.length ? tags.length * 2 : tags.length;
    this.slots = new Int32Array(size);
    this.tags = new Uint8Array(size);
    this.filled = 0;
    for (let old = 0; old < tags.length; old++) {
      if (tags[old] >= FIRST_TAG) this.place(slots[old]);
    }
  }
}

/** What makes the hashes of one cache its own. */
export interface HashSalt {
  readonly seed: number;
  /** By key word, odd. */
  readonly multipliers: Int32Array;
}

export function hashSalt(seed: number): HashSalt {
  const multipliers = new Int32Array(DP_WORDS);
  let state = seed | 0;
  for (let word = 0; word < DP_WORDS; word++) {
    // Weyl sequence, spread (as in splitmix).
    state = (state + 0x9e3779b9) | 0;
    multipliers[word] = finish(Math.imul(state ^ (state >>> 16), 0x21f0aaad)) | 1;
  }
  return { seed: seed | 0, multipliers };
}

/** A word's part of the sum. High bits are brought down first, since products only carry upwards: prefixes differ there. */
export const term = (masked: number, multiplier: number): number =>
  Math.imul(masked ^ (masked >>> 15), multiplier);

/** Spreads the sum over all bits. */
export const finish = (h: number): number => {
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return x ^ (x >>> 13);
};

/** The byte of a finished hash that stands in `tags`; slots go by the low bits. */
const tagOf = (h: number): number => {
  const tag = h >>> 24;
  return tag < FIRST_TAG ? tag + FIRST_TAG : tag;
};
