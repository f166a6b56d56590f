/**
 * Code generated for one mask: the hash and the comparison of a subtable with its words and masks as constants, loops
 * unrolled. The plain loops in megaflow.ts do the same and are the oracle.
 *
 * Only numbers go into the source text. V8 compiles such a function in some tens of microseconds, which is why only
 * subtables that are hit often get one.
 */

/** What a probe needs of its subtable; the arrays change when it grows. */
export interface ProbeTable {
  readonly words: Int32Array;
  readonly masks: Uint32Array;
  readonly ids: Int32Array;
  readonly hashes: Int32Array;
  readonly values: Uint32Array;
}

/** Flow id of the entry that matches keys[base ..], or a negative number. */
export type Probe = (keys: Uint32Array, base: number) => number;

/** Longer ones are left to the loops: the code would be big and the gain small. */
export const MAX_GENERATED_WORDS = 32;

/** Hash steps as in megaflow.ts; `empty` and `tombstone` are the ids of unused slots. */
export function generateProbe(
  table: ProbeTable,
  seed: number,
  empty: number,
  tombstone: number,
  miss: number,
): Probe {
  const live = table.words.length;
  const lines = [`let h = ${seed | 0};`];
  const same: string[] = [];
  for (let i = 0; i < live; i++) {
    lines.push(`const k${i} = keys[base + ${table.words[i]}] & ${table.masks[i] | 0};`);
    lines.push(`h = Math.imul((h << 5) ^ (h >>> 27) ^ k${i}, 0x9e3779b1);`);
    same.push(`(k${i} ^ values[at + ${i}])`);
  }
  const body = `'use strict';
return function probe(keys, base) {
  ${lines.join('\n  ')}
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = x ^ (x >>> 13);
  const ids = table.ids;
  const hashes = table.hashes;
  const last = ids.length - 1;
  for (let slot = h & last; ; slot = (slot + 1) & last) {
    const id = ids[slot];
    if (id === ${empty}) return ${miss};
    if (id === ${tombstone} || hashes[slot] !== h) continue;
    const values = table.values;
    const at = slot * ${live};
    if ((${same.join(' | ') || '0'}) === 0) return id;
  }
};`;
  return new Function('table', body)(table) as Probe;
}
