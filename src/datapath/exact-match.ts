/**
 * The exact-match cache in front of the megaflow subtables: by a hash of the words that tell flows apart, which megaflow took
 * such a packet last.
 *
 * Layout: sets of two entries of two words, hash and flow id; a set is one cache line at most. What an entry names may be
 * gone or another flow by now: whoever asks compares the packet with it, so a collision or an old entry costs a
 * comparison and is never wrong. The newer entry of a set stands first and pushes the other one back.
 */
import {
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  IN_PORT,
  IPV4_DST,
  IPV4_SRC,
  IPV6_DST,
  IPV6_SRC,
  MPLS_LSE,
  RECIRC_ID,
  TP,
  TUN_ID,
  VLAN0,
} from '../packet/key.ts';
import { finish } from './subtable.ts';

/** 256 KiB, of which a page costs memory when flows fall into it. */
const SETS = 16_384;
const ENTRY_WORDS = 2;
const SET_WORDS = 2 * ENTRY_WORDS;

export class ExactMatchCache {
  /** At setOf(hash): hash, id, hash, id. */
  private readonly entries = new Int32Array(SETS * SET_WORDS);

  /** The flow that packets of this hash had last, -1 when none is known. */
  guess(hash: number): number {
    const entries = this.entries;
    const at = setOf(hash);
    if (entries[at] === hash) return entries[at + 1];
    return entries[at + ENTRY_WORDS] === hash ? entries[at + ENTRY_WORDS + 1] : -1;
  }

  /** Makes `id` what packets of this hash meet first. */
  put(hash: number, id: number): void {
    const entries = this.entries;
    const at = setOf(hash);
    if (entries[at] !== hash) {
      entries[at + ENTRY_WORDS] = entries[at];
      entries[at + ENTRY_WORDS + 1] = entries[at + 1];
      entries[at] = hash;
    }
    entries[at + 1] = id;
  }
}

const setOf = (hash: number): number => (hash & (SETS - 1)) * SET_WORDS;

/** Of the words in which flows of common protocols differ; any words would be right. */
export function packetHash(keys: Uint32Array, base: number, seed: number): number {
  const link =
    Math.imul(keys[base + IN_PORT] ^ (keys[base + RECIRC_ID] << 16) ^ seed, 0x2c1b3c6d) +
    Math.imul(keys[base + ETH_DST] ^ keys[base + ETH_DST_SRC], 0x297a2d39) +
    Math.imul(keys[base + ETH_SRC] ^ keys[base + TUN_ID + 1], 0x1b56c4e9);
  const network =
    Math.imul(keys[base + IPV4_SRC] ^ keys[base + IPV6_SRC + 3], 0x7feb352d) +
    Math.imul(keys[base + IPV4_DST] ^ keys[base + IPV6_DST + 3], 0x846ca68b);
  const rest =
    Math.imul(keys[base + VLAN0] ^ keys[base + ETH_TYPE_PROTO], 0x31848bab) +
    Math.imul(keys[base + TP] ^ keys[base + MPLS_LSE], 0x9e3779b1);
  return finish((link | 0) + (network | 0) + (rest | 0));
}
