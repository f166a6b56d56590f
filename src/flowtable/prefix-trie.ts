/**
 * A prefix trie: which prefixes of a field occur in a table, asked by a value.
 *
 * The answer is the lengths of all prefixes on the value's path, and how many bits had to be looked at to know
 * that there are no others. A classifier asks it before a subtable: when no rule has a prefix of the subtable's
 * length for this value, the subtable cannot match, and only those few bits become part of the megaflow's mask
 * instead of the whole address.
 *
 * Binary and path-compressed: a node stands for the bits [from, from + bits) of the prefixes below it. There are about two
 * nodes a prefix, so that they are kept small: words are plain signed numbers, not a typed array each.
 */
interface Node {
  /** The prefix from its first bit on, as words. */
  readonly v0: number;
  readonly v1: number;
  readonly v2: number;
  readonly v3: number;
  from: number;
  bits: number;
  /** Entries whose prefix ends here. */
  count: number;
  zero: Node | null;
  one: Node | null;
}

const wordOf = (node: Node, i: number): number =>
  i === 0 ? node.v0 : i === 1 ? node.v1 : i === 2 ? node.v2 : node.v3;

const nodeOf = (value: Uint32Array, from: number, bits: number, count: number): Node => ({
  v0: value[0] | 0,
  // Words that a shorter field does not have are undefined, and so 0.
  v1: value[1] | 0,
  v2: value[2] | 0,
  v3: value[3] | 0,
  from,
  bits,
  count,
  zero: null,
  one: null,
});

const bitAt = (words: Uint32Array, base: number, bit: number): number =>
  (words[base + (bit >>> 5)] >>> (31 - (bit & 31))) & 1;

/** How many bits from `from` on, at most `limit`, are equal in `node` and in `b` from word `base`. */
function equalBits(node: Node, b: Uint32Array, base: number, from: number, limit: number): number {
  let same = 0;
  while (same < limit) {
    const bit = from + same;
    const inWord = bit & 31;
    const differs = ((wordOf(node, bit >>> 5) ^ b[base + (bit >>> 5)]) << inWord) >>> 0;
    const run = Math.min(Math.clz32(differs), 32 - inWord);
    same += run;
    if (run < 32 - inWord) break;
  }
  return Math.min(same, limit);
}

export class PrefixTrie {
  private root: Node | null = null;
  /** Words of the last lookup's answer: bit `n - 1` (most significant first) is set for a prefix of n bits. */
  readonly lengths = new Uint32Array(4);

  get isEmpty(): boolean {
    return this.root === null;
  }

  /** Counts a prefix in. `bits` is 1 or more. */
  insert(value: Uint32Array, bits: number): void {
    this.root = this.insertAt(this.root, value, 0, bits);
  }

  private insertAt(node: Node | null, value: Uint32Array, from: number, end: number): Node {
    if (node === null) {
      return nodeOf(value, from, end - from, 1);
    }
    const same = equalBits(node, value, 0, from, Math.min(node.bits, end - from));
    if (same < node.bits) {
      const upper = nodeOf(value, from, same, 0);
      node.from += same;
      node.bits -= same;
      if (((wordOf(node, node.from >>> 5) >>> (31 - (node.from & 31))) & 1) === 0)
        upper.zero = node;
      else upper.one = node;
      node = upper;
    }
    const at = from + same;
    if (at === end) node.count++;
    else if (bitAt(value, 0, at) === 0) node.zero = this.insertAt(node.zero, value, at, end);
    else node.one = this.insertAt(node.one, value, at, end);
    return node;
  }

  /** Counts a prefix out that was counted in. */
  remove(value: Uint32Array, bits: number): void {
    this.root = this.removeAt(this.root, value, bits);
  }

  private removeAt(node: Node | null, value: Uint32Array, end: number): Node | null {
    if (node === null) return null;
    const at = node.from + node.bits;
    if (at === end) node.count--;
    else if (bitAt(value, 0, at) === 0) node.zero = this.removeAt(node.zero, value, end);
    else node.one = this.removeAt(node.one, value, end);
    if (node.count > 0 || (node.zero !== null && node.one !== null)) return node;
    const only = node.zero ?? node.one;
    if (only !== null) {
      // Its value has the bits of both.
      only.from = node.from;
      only.bits += node.bits;
    }
    return only;
  }

  /**
   * Looks up the value at words[base]. Returns how many of its bits the answer depends on, and leaves the
   * answer in `lengths`. `width` is the field's size in bits.
   */
  lookup(words: Uint32Array, base: number, width: number): number {
    const { lengths } = this;
    lengths.fill(0);
    let node = this.root;
    let isLeaf = true;
    let matched = 0;
    while (node !== null) {
      const same = equalBits(node, words, base, matched, node.bits);
      matched += same;
      if (same < node.bits) return matched + 1;
      if (node.count > 0 && matched > 0)
        lengths[(matched - 1) >>> 5] |= 1 << (31 - ((matched - 1) & 31));
      if (matched >= width) return width;
      isLeaf = node.zero === null && node.one === null;
      node = bitAt(words, base, matched) === 0 ? node.zero : node.one;
    }
    // A branch that does not exist: the bit that would lead to the other one counts, if that exists.
    return isLeaf ? matched : matched + 1;
  }

  /** True when the last lookup found a prefix of this length. */
  found(bits: number): boolean {
    return ((this.lengths[(bits - 1) >>> 5] >>> (31 - ((bits - 1) & 31))) & 1) === 1;
  }
}

/** Length of the prefix that `mask` (one word after another) is, 0 for none, -1 for a mask that is no prefix. */
export function prefixLength(mask: ArrayLike<number>): number {
  let bits = 0;
  let ended = false;
  for (let i = 0; i < mask.length; i++) {
    const m = mask[i] >>> 0;
    if (ended) {
      if (m !== 0) return -1;
      continue;
    }
    const ones = Math.clz32(~m);
    if (ones < 32 && (m << ones) >>> 0 !== 0) return -1;
    bits += ones;
    if (ones < 32) ended = true;
  }
  return bits;
}
