/**
 * The megaflow cache: tuple space search. One subtable per distinct mask (subtable.ts), probed in the order of their recent
 * hits. Since overlapping megaflows have the same program, the first hit is the answer.
 *
 * In front of the subtables, when there are several, stands the exact-match cache (exact-match.ts).
 *
 * Megaflows of a busy switch have most words in common (port, addresses of the link, type). From time to time the words that
 * most subtables take whole become the `shared` ones, whose part of the hash is added up once a packet instead of once a
 * subtable. Subtables that are hit often get code generated for their mask (probe-code.ts). The loops of subtable.ts are
 * the plain version and the oracle; LookupOptions turns code and cache off.
 */
import type { Frames } from '../packet/frames.ts';
import { DP_WORDS } from '../packet/key.ts';
import { BATCH_FRAMES } from './batch.ts';
import type { FlowId } from './datapath.ts';
import { FLOW_SLOTS } from './datapath.ts';
import { ExactMatchCache, packetHash } from './exact-match.ts';
import type { SharedSum } from './probe-code.ts';
import {
  canGenerate,
  generateProbe,
  generateSharedSum,
  MAX_GENERATED_WORDS,
} from './probe-code.ts';
import { type HashSalt, hashSalt, NO_ENTRY, Subtable, term } from './subtable.ts';

/** Values of Batch.flow besides an id. A frame marked SKIP before the lookup is left alone. */
export const FLOW_MISS = -1;
export const FLOW_SKIP = -2;

/** Lookups (batches) between two sortings of the subtables. */
const SORT_PERIOD = 1024;
/** Sortings at least between two choices of the shared words: a choice makes all generated code anew. */
const SHARE_PERIOD = 64;
/** Of eight subtables, as many take a shared word whole. */
const SHARING_EIGHTHS = 7;
/** Subtables from which on sharing and the exact-match cache pay. */
const MANY_TABLES = 2;
/** Hits between two sortings that are worth a function of its own, and functions made at one sorting. */
const HOT_HITS = 1024;
const GENERATED_AT_ONCE = 8;

export interface LookupOptions {
  /** Code per mask, where this process may make code. */
  readonly generate: boolean;
  readonly frontCache: boolean;
}

const FASTEST: LookupOptions = { generate: true, frontCache: true };

export class MegaflowCache {
  /** Program of each flow id. */
  readonly programs: (Int32Array | undefined)[] = [];
  private tables: Subtable[] = [];
  private readonly byMask = new Map<string, Subtable>();
  /** The subtable of the last flow installed: new flows come in runs of one mask. */
  private lastPut: Subtable | undefined;
  private readonly tableOf: (Subtable | undefined)[] = [];
  private readonly entryOf = new Int32Array(FLOW_SLOTS);
  private readonly salt: HashSalt;
  private readonly options: LookupOptions;
  private readonly front: ExactMatchCache | null;
  /** Words of which the sum is shared: ascending, and by word. */
  private sharedWords = new Int32Array(0);
  private readonly isShared = new Uint8Array(DP_WORDS);
  private sharedSum: SharedSum | null = null;
  /** Of the batch that is looked up. */
  private readonly hashes = new Int32Array(BATCH_FRAMES);
  private lookups = 0;
  private sortings = 0;
  private masksChanged = false;
  /** Subtables probed by all lookups so far. */
  probes = 0;
  /** Lookups that the exact-match cache answered. */
  frontHits = 0;
  private flows = 0;

  /** `seed` makes collisions unpredictable for whoever sends the packets. */
  constructor(seed = 0, options: LookupOptions = FASTEST) {
    this.salt = hashSalt(seed);
    this.options = { ...options, generate: options.generate && canGenerate() };
    this.front = options.frontCache ? new ExactMatchCache() : null;
  }

  get flowCount(): number {
    return this.flows;
  }

  /** Subtables with code of their own. */
  get generatedCount(): number {
    return this.tables.filter((table) => table.generated !== undefined).length;
  }

  get maskCount(): number {
    return this.tables.length;
  }

  /**
   * Installs or replaces a flow. `words` ascend; only words with a mask other than 0 may stand in it.
   * Returns true when the id had the same match already, so that only its program changed.
   */
  put(
    id: FlowId,
    words: ArrayLike<number>,
    values: ArrayLike<number>,
    masks: ArrayLike<number>,
    program: Int32Array,
  ): boolean {
    const before = this.tableOf[id];
    const table = this.subtable(words, masks);
    const same = before === table && table.holds(this.entryOf[id], values);
    if (!same) {
      // First in, then out: a subtable that is emptied goes away.
      const entry = table.insert(id, values);
      this.remove(id);
      this.entryOf[id] = entry;
      this.tableOf[id] = table;
      this.flows++;
    }
    this.programs[id] = program;
    return same;
  }

  /** Removes a flow; false when there is none with this id. */
  remove(id: FlowId): boolean {
    const table = this.tableOf[id];
    if (table === undefined) return false;
    table.remove(this.entryOf[id]);
    this.tableOf[id] = undefined;
    this.programs[id] = undefined;
    this.flows--;
    if (table.count === 0) {
      this.byMask.delete(maskKey(table.words, table.masks));
      if (this.lastPut === table) this.lastPut = undefined;
      this.tables = this.tables.filter((other) => other !== table);
      this.masksChanged = true;
    }
    return true;
  }

  /** Writes the flow id or FLOW_MISS to flow[p] for every p < count, except where it is FLOW_SKIP. */
  lookup(frames: Frames, flow: Int32Array, count: number): void {
    if (++this.lookups >= SORT_PERIOD) this.sort();
    const keys = frames.keys;
    const front = this.front;
    if (front === null || this.tables.length < MANY_TABLES) {
      for (let p = 0; p < count; p++) {
        if (flow[p] !== FLOW_SKIP) flow[p] = this.search(keys, p * DP_WORDS);
      }
      return;
    }
    // In short loops one after the other: the processor waits for the memory of several packets at once.
    const hashes = this.hashes;
    const seed = this.salt.seed;
    for (let p = 0; p < count; p++) hashes[p] = packetHash(keys, p * DP_WORDS, seed);
    for (let p = 0; p < count; p++) {
      if (flow[p] !== FLOW_SKIP) flow[p] = front.guess(hashes[p]);
    }
    let hits = 0;
    for (let p = 0; p < count; p++) {
      const id = flow[p];
      if (id === FLOW_SKIP) continue;
      if (this.holds(id, keys, p * DP_WORDS)) hits++;
      else flow[p] = FLOW_MISS;
    }
    this.frontHits += hits;
    this.probes += hits;
    for (let p = 0; p < count; p++) {
      if (flow[p] !== FLOW_MISS) continue;
      const id = this.search(keys, p * DP_WORDS);
      flow[p] = id;
      if (id >= 0) front.put(hashes[p], id);
    }
  }

  /** The flow that matches the key at keys[base ..], or FLOW_MISS. The caches in front are not asked. */
  find(keys: Uint32Array, base: number): number {
    return this.search(keys, base);
  }

  /** True when flow `id` exists and matches. */
  private holds(id: number, keys: Uint32Array, base: number): boolean {
    if (id < 0) return false;
    const table = this.tableOf[id];
    if (table === undefined) return false;
    const generated = table.generated;
    const entry = this.entryOf[id];
    return generated === undefined
      ? table.same(keys, base, entry)
      : generated.same(keys, base, entry);
  }

  private search(keys: Uint32Array, base: number): number {
    const tables = this.tables;
    const sum = this.sharedSum === null ? this.plainSum(keys, base) : this.sharedSum(keys, base);
    for (let t = 0; t < tables.length; t++) {
      const table = tables[t];
      const generated = table.generated;
      const entry =
        generated === undefined ? table.probe(keys, base, sum) : generated.probe(keys, base, sum);
      if (entry !== NO_ENTRY) {
        table.hits++;
        this.probes += t + 1;
        return table.idOf(entry);
      }
    }
    this.probes += tables.length;
    return FLOW_MISS;
  }

  private plainSum(keys: Uint32Array, base: number): number {
    const words = this.sharedWords;
    const multipliers = this.salt.multipliers;
    let h = this.salt.seed;
    for (let i = 0; i < words.length; i++) {
      h = (h + term(keys[base + words[i]] | 0, multipliers[words[i]])) | 0;
    }
    return h;
  }

  private subtable(words: ArrayLike<number>, masks: ArrayLike<number>): Subtable {
    if (this.lastPut !== undefined && hasMask(this.lastPut, words, masks)) return this.lastPut;
    const liveWords = Int32Array.from(words);
    const liveMasks = Uint32Array.from(masks);
    const key = maskKey(liveWords, liveMasks);
    let table = this.byMask.get(key);
    if (table === undefined) {
      table = new Subtable(liveWords, liveMasks, this.salt);
      table.share(this.isShared, this.sharedWords.length);
      this.byMask.set(key, table);
      this.tables.push(table);
      this.masksChanged = true;
    }
    this.lastPut = table;
    return table;
  }

  private sort(): void {
    this.lookups = 0;
    const tables = this.tables;
    // By insertion: nearly sorted already, and nothing is allocated.
    for (let i = 1; i < tables.length; i++) {
      const table = tables[i];
      let at = i;
      for (; at > 0 && tables[at - 1].hits < table.hits; at--) tables[at] = tables[at - 1];
      tables[at] = table;
    }
    this.sortings++;
    const isFirst = this.sharedWords.length === 0 && tables.length >= MANY_TABLES;
    if (this.masksChanged && (isFirst || this.sortings >= SHARE_PERIOD)) this.share();
    let room = this.options.generate ? GENERATED_AT_ONCE : 0;
    for (let t = 0; t < tables.length; t++) {
      const table = tables[t];
      const isHot = table.hits >= HOT_HITS && table.words.length <= MAX_GENERATED_WORDS;
      if (isHot && room > 0 && table.generated === undefined) {
        table.generated = generateProbe(table, this.salt);
        room--;
      }
      table.hits >>>= 1;
    }
  }

  /** Chooses the shared words: those that nearly all subtables take whole. */
  private share(): void {
    this.sortings = 0;
    this.masksChanged = false;
    const tables = this.tables;
    const counts = new Int32Array(DP_WORDS);
    for (const { words, masks } of tables) {
      for (let i = 0; i < words.length; i++) if (masks[i] === 0xffffffff) counts[words[i]]++;
    }
    const enough =
      tables.length < MANY_TABLES
        ? Number.POSITIVE_INFINITY
        : (tables.length * SHARING_EIGHTHS) / 8;
    const chosen: number[] = [];
    for (let word = 0; word < DP_WORDS; word++) if (counts[word] >= enough) chosen.push(word);
    if (chosen.join() === this.sharedWords.join()) return;
    this.sharedWords = Int32Array.from(chosen);
    this.isShared.fill(0);
    for (const word of chosen) this.isShared[word] = 1;
    this.sharedSum = this.options.generate ? generateSharedSum(chosen, this.salt) : null;
    for (const table of tables) table.share(this.isShared, chosen.length);
  }
}

const hasMask = (table: Subtable, words: ArrayLike<number>, masks: ArrayLike<number>): boolean => {
  if (table.words.length !== words.length) return false;
  for (let i = 0; i < words.length; i++) {
    if (table.words[i] !== words[i] || table.masks[i] !== masks[i] >>> 0) return false;
  }
  return true;
};

const maskKey = (words: Int32Array, masks: Uint32Array): string =>
  `${words.join(',')}/${masks.join(',')}`;
