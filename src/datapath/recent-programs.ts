/**
 * Programs that are equal as one array: most flows do what others do, and an array for each would be most of what a flow takes.
 *
 * It remembers the programs asked for lately, one for each place of a hash: what it hands out is shared, and nobody may write to it.
 */

/** Programs remembered, a power of two, and how long they may be. */
const KEPT_BITS = 8;
const LONGEST_KEPT = 32;

export class RecentPrograms {
  private readonly kept: (Int32Array | undefined)[] = [];

  /** The program words[from .. from + count). */
  get(words: Int32Array, from: number, count: number): Int32Array {
    if (count > LONGEST_KEPT) return words.slice(from, from + count);
    let hash = count;
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ words[from + i], 0x9e3779b1);
    const at = hash >>> (32 - KEPT_BITS);
    const known = this.kept[at];
    if (known !== undefined && known.length === count && isAt(known, words, from)) return known;
    // Of its own memory, also when that of `words` is shared.
    const program = new Int32Array(count);
    for (let i = 0; i < count; i++) program[i] = words[from + i];
    this.kept[at] = program;
    return program;
  }
}

const isAt = (program: Int32Array, words: Int32Array, from: number): boolean => {
  for (let i = 0; i < program.length; i++) if (program[i] !== words[from + i]) return false;
  return true;
};
