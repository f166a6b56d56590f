/**
 * The megaflow cache: tuple space search. One subtable per distinct mask; in it an open-addressing hash table
 * over the live words (those whose mask is not 0).
 *
 * A subtable stores per entry only the live words of the key. Subtables are probed in the order of their recent hits.
 * Since overlapping megaflows have the same program, the first hit is the answer.
 *
 * In front of the subtables, when there are several, stands a cache by a hash of the words that tell flows apart: it
 * names a flow to try first. A flow that it names is compared like any other, so a collision costs a comparison and
 * an entry is never wrong.
 *
 * Subtables that are hit often get code generated for their mask (probe-code.ts). The loops here are the plain version
 * and the oracle; LookupOptions turns either off.
 */
import type { Frames } from '../packet/frames.ts';
import {
  DP_WORDS,
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_SRC,
  RECIRC_ID,
  TP,
  VLAN0,
} from '../packet/key.ts';
import type { FlowId } from './datapath.ts';
import { FLOW_SLOTS } from './datapath.ts';
import type { Probe } from './probe-code.ts';
import { generateProbe, MAX_GENERATED_WORDS } from './probe-code.ts';

/** Values of Batch.flow besides an id. A frame marked SKIP before the lookup is left alone. */
export const FLOW_MISS = -1;
export const FLOW_SKIP = -2;

const EMPTY = -1;
const TOMBSTONE = -2;
/** Lookups (batches) between two sortings of the subtables. */
const SORT_PERIOD = 1024;

export interface LookupOptions {
  /** Code per mask. */
  readonly generate: boolean;
  readonly frontCache: boolean;
}

const FASTEST: LookupOptions = { generate: true, frontCache: true };

/** Entries of the front cache: 32 KiB. */
const FRONT_ENTRIES = 8192;
/** Subtables from which on the front cache is asked. */
const FRONT_TABLES = 2;
/** Hits between two sortings that are worth a function of its own, and functions made at one sorting. */
const HOT_HITS = 1024;
const GENERATED_AT_ONCE = 8;

class Subtable {
  /** Indices of live words, ascending, and their masks. */
  readonly words: Int32Array;
  readonly masks: Uint32Array;
  /** Entries by slot: flow id, EMPTY or TOMBSTONE; hash; `words.length` key words. */
  ids: Int32Array;
  hashes: Int32Array;
  values: Uint32Array;
  /** Live entries; live entries and tombstones. */
  count = 0;
  filled = 0;
  /** Hits since the last sorting, halved then. */
  hits = 0;
  /** Code for this mask, once it is hot. */
  generated: Probe | undefined;

  constructor(words: Int32Array, masks: Uint32Array) {
    this.words = words;
    this.masks = masks;
    this.ids = new Int32Array(8).fill(EMPTY);
    this.hashes = new Int32Array(8);
    this.values = new Uint32Array(8 * words.length);
  }
}

/** One step of the hash; `finish` spreads the high bits down. */
const mix = (h: number, word: number): number =>
  Math.imul((h << 5) ^ (h >>> 27) ^ word, 0x9e3779b1);
const finish = (h: number): number => {
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return x ^ (x >>> 13);
};

export class MegaflowCache {
  /** Program of each flow id. */
  readonly programs: (Int32Array | undefined)[] = [];
  private tables: Subtable[] = [];
  private readonly byMask = new Map<string, Subtable>();
  private readonly tableOf: (Subtable | undefined)[] = [];
  private readonly slotOf = new Int32Array(FLOW_SLOTS);
  private readonly seed: number;
  private lookups = 0;
  /** Subtables probed by all lookups so far. */
  probes = 0;
  private flows = 0;

  private readonly options: LookupOptions;
  /** Flow ids by the hash of a key; what they name may be gone or another flow by now. */
  private readonly front: Int32Array;

  /** `seed` makes collisions unpredictable for whoever sends the packets. */
  constructor(seed = 0, options: LookupOptions = FASTEST) {
    this.seed = seed | 0;
    this.options = options;
    this.front = new Int32Array(options.frontCache ? FRONT_ENTRIES : 1).fill(FLOW_MISS);
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
    const same = this.hasMatch(id, words, values, masks);
    if (!same) {
      this.remove(id);
      const table = this.subtable(words, masks);
      this.insert(table, id, values);
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
    table.ids[this.slotOf[id]] = TOMBSTONE;
    table.count--;
    this.tableOf[id] = undefined;
    this.programs[id] = undefined;
    this.flows--;
    if (table.count === 0) {
      this.byMask.delete(maskKey(table.words, table.masks));
      this.tables = this.tables.filter((other) => other !== table);
    }
    return true;
  }

  /** Writes the flow id or FLOW_MISS to flow[p] for every p < count, except where it is FLOW_SKIP. */
  lookup(frames: Frames, flow: Int32Array, count: number): void {
    if (++this.lookups >= SORT_PERIOD) this.sort();
    const keys = frames.keys;
    for (let p = 0; p < count; p++) {
      if (flow[p] !== FLOW_SKIP) flow[p] = this.find(keys, p * DP_WORDS);
    }
  }

  /** The flow that matches the key at keys[base ..], or FLOW_MISS. */
  find(keys: Uint32Array, base: number): number {
    if (!this.options.frontCache || this.tables.length < FRONT_TABLES) {
      return this.search(keys, base);
    }
    const hash = frontHash(keys, base, this.seed);
    const front = this.front;
    const first = hash & (FRONT_ENTRIES - 1);
    let guess = front[first];
    if (guess >= 0 && this.holds(guess, keys, base)) {
      this.probes++;
      return guess;
    }
    const second = (hash >>> 16) & (FRONT_ENTRIES - 1);
    guess = front[second];
    if (guess >= 0 && this.holds(guess, keys, base)) {
      this.probes++;
      return guess;
    }
    const id = this.search(keys, base);
    if (front[first] < 0 || front[second] >= 0) front[first] = id;
    else front[second] = id;
    return id;
  }

  /** True when flow `id` exists and matches. */
  private holds(id: number, keys: Uint32Array, base: number): boolean {
    const table = this.tableOf[id];
    if (table === undefined) return false;
    const { words, masks, values } = table;
    const at = this.slotOf[id] * words.length;
    for (let i = 0; i < words.length; i++) {
      if (((keys[base + words[i]] & masks[i]) ^ values[at + i]) !== 0) return false;
    }
    return true;
  }

  private search(keys: Uint32Array, base: number): number {
    const tables = this.tables;
    for (let t = 0; t < tables.length; t++) {
      const table = tables[t];
      const generated = table.generated;
      const id = generated === undefined ? this.probe(table, keys, base) : generated(keys, base);
      if (id >= 0) {
        table.hits++;
        this.probes += t + 1;
        return id;
      }
    }
    this.probes += tables.length;
    return FLOW_MISS;
  }

  private probe(table: Subtable, keys: Uint32Array, base: number): number {
    const words = table.words;
    const masks = table.masks;
    const live = words.length;
    let h = this.seed;
    for (let i = 0; i < live; i++) h = mix(h, keys[base + words[i]] & masks[i]);
    h = finish(h);
    const ids = table.ids;
    const hashes = table.hashes;
    const values = table.values;
    const last = ids.length - 1;
    for (let slot = h & last; ; slot = (slot + 1) & last) {
      const id = ids[slot];
      if (id === EMPTY) return FLOW_MISS;
      if (id === TOMBSTONE || hashes[slot] !== h) continue;
      const at = slot * live;
      let i = 0;
      while (i < live && ((keys[base + words[i]] & masks[i]) ^ values[at + i]) === 0) i++;
      if (i === live) return id;
    }
  }

  private hasMatch(
    id: FlowId,
    words: ArrayLike<number>,
    values: ArrayLike<number>,
    masks: ArrayLike<number>,
  ): boolean {
    const table = this.tableOf[id];
    if (table === undefined || table.words.length !== words.length) return false;
    const at = this.slotOf[id] * words.length;
    for (let i = 0; i < words.length; i++) {
      const mask = masks[i] >>> 0;
      if (table.words[i] !== words[i] || table.masks[i] !== mask) return false;
      if (table.values[at + i] !== (values[i] & mask) >>> 0) return false;
    }
    return true;
  }

  private subtable(words: ArrayLike<number>, masks: ArrayLike<number>): Subtable {
    const liveWords = Int32Array.from(words);
    const liveMasks = Uint32Array.from(masks);
    const key = maskKey(liveWords, liveMasks);
    let table = this.byMask.get(key);
    if (table === undefined) {
      table = new Subtable(liveWords, liveMasks);
      this.byMask.set(key, table);
      this.tables.push(table);
    }
    return table;
  }

  private insert(table: Subtable, id: FlowId, values: ArrayLike<number>): void {
    if ((table.filled + 1) * 2 > table.ids.length) this.rebuild(table);
    const live = table.words.length;
    let h = this.seed;
    for (let i = 0; i < live; i++) h = mix(h, values[i] & table.masks[i]);
    h = finish(h);
    const slot = freeSlot(table, h);
    if (table.ids[slot] === EMPTY) table.filled++;
    table.ids[slot] = id;
    table.hashes[slot] = h;
    for (let i = 0; i < live; i++) table.values[slot * live + i] = values[i] & table.masks[i];
    table.count++;
    this.slotOf[id] = slot;
  }

  /** Makes room: twice the size when live entries fill it, else the same size without tombstones. */
  private rebuild(table: Subtable): void {
    const { ids, hashes, values } = table;
    const live = table.words.length;
    const size = table.count * 4 >= ids.length ? ids.length * 2 : ids.length;
    table.ids = new Int32Array(size).fill(EMPTY);
    table.hashes = new Int32Array(size);
    table.values = new Uint32Array(size * live);
    for (let old = 0; old < ids.length; old++) {
      if (ids[old] < 0) continue;
      const slot = freeSlot(table, hashes[old]);
      table.ids[slot] = ids[old];
      table.hashes[slot] = hashes[old];
      for (let i = 0; i < live; i++) table.values[slot * live + i] = values[old * live + i];
      this.slotOf[ids[old]] = slot;
    }
    table.filled = table.count;
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
    let room = this.options.generate ? GENERATED_AT_ONCE : 0;
    for (const table of tables) {
      const isHot = table.hits >= HOT_HITS && table.words.length <= MAX_GENERATED_WORDS;
      if (isHot && room > 0 && table.generated === undefined) {
        table.generated = generateProbe(table, this.seed, EMPTY, TOMBSTONE, FLOW_MISS);
        room--;
      }
      table.hits >>>= 1;
    }
  }
}

/** Of the words that differ between the flows of common protocols; any words would be right. */
function frontHash(keys: Uint32Array, base: number, seed: number): number {
  let h = seed;
  h = mix(h, keys[base + IN_PORT] ^ (keys[base + RECIRC_ID] << 16));
  h = mix(h, keys[base + ETH_DST] ^ keys[base + ETH_DST_SRC]);
  h = mix(h, keys[base + ETH_SRC]);
  h = mix(h, keys[base + VLAN0] ^ keys[base + ETH_TYPE_PROTO]);
  h = mix(h, keys[base + IPV4_SRC] ^ keys[base + IPV6_SRC + 3]);
  h = mix(h, keys[base + IPV4_DST] ^ keys[base + IPV6_DST + 3]);
  h = mix(h, keys[base + TP]);
  return finish(h);
}

function freeSlot(table: Subtable, hash: number): number {
  const last = table.ids.length - 1;
  let slot = hash & last;
  while (table.ids[slot] >= 0) slot = (slot + 1) & last;
  return slot;
}

const maskKey = (words: Int32Array, masks: Uint32Array): string =>
  `${words.join(',')}/${masks.join(',')}`;
