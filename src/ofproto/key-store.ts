/**
 * The keys of the frames that megaflows were made from, kept for translating them again.
 *
 * A key is mostly zeros: what is kept are its other words, one after another in big shared arrays, and which words those are,
 * a list that keys of one kind of traffic share. A typed array for each key would take five times the memory, and the
 * garbage collector would have to visit it.
 */
import { DP_WORDS } from '../packet/key.ts';

const CHUNK_BITS = 16;
const CHUNK_WORDS = 1 << CHUNK_BITS;

/** Where a key is: `words[i]` of it has the value at `at + i`. */
export interface StoredKey {
  /** Ascending. */
  readonly words: Uint8Array;
  readonly at: number;
}

export class KeyStore {
  private readonly chunks: Uint32Array[] = [];
  /** Words of the last chunk in use. */
  private used = CHUNK_WORDS;
  /** Places given back, by how many words they have. */
  private readonly free: number[][] = Array.from({ length: DP_WORDS + 1 }, () => []);
  /** Of the key that was put last. */
  private shape = new Uint8Array(0);
  private readonly scratchWords = new Uint8Array(DP_WORDS);

  /** Keeps a dense key of DP_WORDS words or more. */
  put(key: Uint32Array): StoredKey {
    const { scratchWords } = this;
    let n = 0;
    for (let w = 0; w < DP_WORDS; w++) if (key[w] !== 0) scratchWords[n++] = w;
    const words = this.shapeOf(n);
    const at = this.place(n);
    const chunk = this.chunks[at >>> CHUNK_BITS];
    const from = at & (CHUNK_WORDS - 1);
    for (let i = 0; i < n; i++) chunk[from + i] = key[words[i]];
    return { words, at };
  }

  /** Gives the room of a key back, which is not to be read any more. */
  drop({ words, at }: StoredKey): void {
    if (words.length > 0) this.free[words.length].push(at);
  }

  /** Fills a dense flow, whose other words become 0. */
  read({ words, at }: StoredKey, into: Uint32Array): void {
    into.fill(0);
    if (words.length === 0) return;
    const chunk = this.chunks[at >>> CHUNK_BITS];
    const from = at & (CHUNK_WORDS - 1);
    for (let i = 0; i < words.length; i++) into[words[i]] = chunk[from + i];
  }

  /** Values of `of`, ascending, into the first places of `into`. */
  pick({ words, at }: StoredKey, of: Uint8Array, into: Uint32Array): void {
    const chunk = this.chunks[at >>> CHUNK_BITS];
    const from = at & (CHUNK_WORDS - 1);
    let k = 0;
    for (let i = 0; i < of.length; i++) {
      while (k < words.length && words[k] < of[i]) k++;
      into[i] = k < words.length && words[k] === of[i] ? chunk[from + k] : 0;
    }
  }

  /** True when a stored key and a dense one are equal under a mask of these words. */
  agrees(
    { words, at }: StoredKey,
    key: Uint32Array,
    maskWords: Uint8Array,
    masks: Uint32Array,
  ): boolean {
    const chunk = this.chunks[at >>> CHUNK_BITS];
    const from = at & (CHUNK_WORDS - 1);
    let k = 0;
    for (let i = 0; i < maskWords.length; i++) {
      const word = maskWords[i];
      while (k < words.length && words[k] < word) k++;
      const stored = k < words.length && words[k] === word ? chunk[from + k] : 0;
      if (((stored ^ key[word]) & masks[i]) !== 0) return false;
    }
    return true;
  }

  /** The first `n` of scratchWords as a list that is not written any more. */
  private shapeOf(n: number): Uint8Array {
    const { shape, scratchWords } = this;
    let same = shape.length === n;
    for (let i = 0; same && i < n; i++) same = shape[i] === scratchWords[i];
    if (!same) this.shape = scratchWords.slice(0, n);
    return this.shape;
  }

  private place(n: number): number {
    const again = this.free[n].pop();
    if (again !== undefined) return again;
    if (this.used + n > CHUNK_WORDS) {
      this.chunks.push(new Uint32Array(CHUNK_WORDS));
      this.used = 0;
    }
    const at = (this.chunks.length - 1) * CHUNK_WORDS + this.used;
    this.used += n;
    return at;
  }
}
