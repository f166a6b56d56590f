/**
 * Token buckets that all workers draw from: those of meters and of policers, so that a rate holds however many threads take part.
 *
 * Layout: Int32 word 0 is the number of workers; then for each slot 2 Int32 (lock, generation) and CELLS Float64 (time of the
 * last charge, tokens). Slots 0 to METER_SLOTS - 1 are meters, the others ports by number. Memory is zero until touched.
 *
 * A bucket is held by whoever has its lock while some hundred nanoseconds of arithmetic run; a single worker takes none. Who
 * waits too long (the holder's thread lost its processor) goes on without: a miscount is better than a stalled datapath.
 *
 * The generation says which change of the configuration filled the buckets. Workers hear of a change at different times: the
 * first one fills them, and one that still has the old configuration lets frames pass for that moment.
 */
import { MAX_BANDS, METER_SLOTS } from './datapath.ts';

/** Time, and a bucket for each band. */
const CELLS = 1 + MAX_BANDS;
const SLOTS = METER_SLOTS + 65_536;
/** In front of the locks: whole cells, to keep what follows aligned. */
const HEAD_WORDS = 2;
/** Looks at a lock that is held: some hundred microseconds. */
const PATIENCE = 1 << 14;

/** Bytes that the buffer of a SharedTokens needs. */
export const TOKENS_BYTES = 4 * HEAD_WORDS + SLOTS * (8 + 8 * CELLS);

export const meterSlot = (id: number): number => id;
export const portSlot = (portNo: number): number => METER_SLOTS + portNo;

export class SharedTokens {
  private readonly words: Int32Array;
  private readonly buffer: ArrayBufferLike;

  /** `buffer`: TOKENS_BYTES zero bytes; a SharedArrayBuffer when several threads make a SharedTokens of it. */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(TOKENS_BYTES)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, HEAD_WORDS + 2 * SLOTS);
  }

  /** Main thread: more than one worker takes tokens from now on, or no longer. */
  setWorkers(count: number): void {
    Atomics.store(this.words, 0, count);
  }

  /** The time of the last charge, then the tokens of `slot`. */
  cells(slot: number): Float64Array {
    return new Float64Array(this.buffer, 4 * HEAD_WORDS + 8 * SLOTS + 8 * CELLS * slot, CELLS);
  }

  /** Keeps others away from the slot until leave(). True while the slot is of this generation. */
  enter(slot: number, generation: number): boolean {
    const { words } = this;
    const at = HEAD_WORDS + 2 * slot;
    if (words[0] > 1) {
      for (let n = 0; n < PATIENCE; n++) {
        if (Atomics.compareExchange(words, at, 0, 1) === 0) break;
      }
    }
    return words[at + 1] === generation;
  }

  leave(slot: number): void {
    if (this.words[0] > 1) Atomics.store(this.words, HEAD_WORDS + 2 * slot, 0);
  }

  /** Between enter() and leave(): the cells hold what belongs to this generation. */
  setGeneration(slot: number, generation: number): void {
    this.words[HEAD_WORDS + 2 * slot + 1] = generation;
  }
}
