/**
 * A ukey: what the main thread keeps of one installed megaflow, to push its statistics, to translate it
 * again after a change, and to print it.
 *
 * The key of the frame that missed is kept whole: translating again may look at bits that the first translation did not.
 * There may be 200,000 of these, so that what many have in common (mask, program, effects) is one object, and the rest
 * is as small as it can be.
 */
import type { FlowId } from '../datapath/datapath.ts';
import { hashStep, type Match } from '../flowtable/match.ts';
import type { KeyStore, StoredKey } from './key-store.ts';
import type { Effect } from './xlate/effect.ts';

/** The bits that a megaflow matches. Equal ones are the same object within a FlowCache. */
export interface UkeyMask {
  /** Words that are not 0, ascending, and their bits. */
  readonly words: Uint8Array;
  readonly masks: Uint32Array;
  /** Hash of the two: where hashes of keys begin. */
  readonly seed: number;
  /** Megaflows that have it. */
  users: number;
}

export class Ukey {
  readonly id: FlowId;
  readonly mask: UkeyMask;
  readonly key: StoredKey;
  private readonly keys: KeyStore;
  private readonly random32: () => number;
  private ufidText: string | null;
  program: Int32Array;
  effects: readonly Effect[];
  /** Numbers of frozen states that `program` names. */
  recircIds: readonly number[];
  readonly createdMs: number;
  /** Configuration generation that `program` belongs to. */
  generation: number;
  /** Statistics already pushed. */
  packets = 0;
  bytes = 0;
  usedMs = 0;
  tcpFlags = 0;
  installed = true;
  /** False until the counters of the slot are known to be this megaflow's. */
  settled: boolean;

  /** `ufid` null: one is made when somebody first asks. */
  constructor(
    id: FlowId,
    mask: UkeyMask,
    keys: KeyStore,
    key: StoredKey,
    program: Int32Array,
    effects: readonly Effect[],
    recircIds: readonly number[],
    createdMs: number,
    generation: number,
    settled: boolean,
    random32: () => number,
    ufid: string | null,
  ) {
    this.id = id;
    this.mask = mask;
    this.keys = keys;
    this.key = key;
    this.program = program;
    this.effects = effects;
    this.recircIds = recircIds;
    this.createdMs = createdMs;
    this.generation = generation;
    this.settled = settled;
    this.random32 = random32;
    this.ufidText = ufid;
  }

  /** Made anew each time. Of an installed megaflow only. */
  get match(): Match {
    const { words, masks } = this.mask;
    const values = new Uint32Array(words.length);
    this.keys.pick(this.key, words, values);
    for (let i = 0; i < words.length; i++) values[i] &= masks[i];
    return { words, values, masks };
  }

  /** True when the megaflow covers a frame with this key. */
  covers(key: Uint32Array): boolean {
    return this.keys.agrees(this.key, key, this.mask.words, this.mask.masks);
  }

  /** Fills a dense flow with the key of the frame that missed; other words become 0. */
  fill(into: Uint32Array): void {
    this.keys.read(this.key, into);
  }

  /** 128 random bits in the form of a UUID: they distinguish megaflows with the same match over time. */
  get ufid(): string {
    if (this.ufidText === null) {
      let hex = '';
      for (let i = 0; i < 4; i++) hex += (this.random32() >>> 0).toString(16).padStart(8, '0');
      this.ufidText = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    }
    return this.ufidText;
  }
}

/** The hash of what a dense key has under a mask. */
export function hashKey({ words, masks, seed }: UkeyMask, key: Uint32Array): number {
  let h = seed;
  for (let i = 0; i < words.length; i++) h = hashStep(h, key[words[i]] & masks[i]);
  return h;
}
