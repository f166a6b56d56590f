/**
 * The megaflow cache: tuple space search. One subtable per distinct mask; in it an open-addressing hash table
 * over the live words (those whose mask is not 0).
 *
 * A subtable stores per entry only the live words of the key. Subtables are probed in the order of their recent hits.
 * Since overlapping megaflows have the same program, the first hit is the answer.
 *
 * This is the plain version: loops over live words. Code generated per mask would be measured against it and
 * checked by it.
 */
import type { Frames } from '../packet/frames.ts';
import { DP_WORDS } from '../packet/key.ts';
import type { FlowId } from './datapath.ts';
import { FLOW_SLOTS } from './datapath.ts';

/** Values of Batch.flow besides an id. A frame marked SKIP before the lookup is left alone. */
export const FLOW_MISS = -1;
export const FLOW_SKIP = -2;

const EMPTY = -1;
const TOMBSTONE = -2;
/** Lookups (batches) between two sortings of the subtables. */
const SORT_PERIOD = 1024;

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

  /** `seed` makes collisions unpredictable for whoever sends the packets. */
  constructor(seed = 0) {
    this.seed = seed | 0;
  }

  get flowCount(): number {
    return this.flows;
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
    const tables = this.tables;
    for (let t = 0; t < tables.length; t++) {
      const id = this.probe(tables[t], keys, base);
      if (id >= 0) {
        tables[t].hits++;
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
    this.tables.sort((a, b) => b.hits - a.hits);
    for (const table of this.tables) table.hits >>>= 1;
  }
}

function freeSlot(table: Subtable, hash: number): number {
  const last = table.ids.length - 1;
  let slot = hash & last;
  while (table.ids[slot] >= 0) slot = (slot + 1) & last;
  return slot;
}

const maskKey = (words: Int32Array, masks: Uint32Array): string =>
  `${words.join(',')}/${masks.join(',')}`;
