/**
 * Fields that a select group hashes, as OXM entries without mask whose value is the mask that the packet's field is seen under
 * (Netronome's selection method property, which Open vSwitch takes).
 */
import type { Match } from '../../flowtable/match.ts';
import type { HashedField } from '../model.ts';
import { MatchFields } from './match-fields.ts';
import { readOxmEntry, wireOnes, writeOxmEntry } from './oxm.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export function readSelectionFields(r: Reader): HashedField[] {
  const fields: HashedField[] = [];
  const seen = new Set<string>();
  while (r.left > 0) {
    const { field, value, mask } = readOxmEntry(r);
    if (mask !== null) r.fail('OFPBMC_BAD_MASK');
    if (seen.has(field.name)) r.fail('OFPBMC_DUP_FIELD');
    seen.add(field.name);
    // Without a mask bit in the header the value is the mask; a field that cannot be masked is hashed whole.
    if (!field.maskable && value !== wireOnes(field)) r.fail('OFPBMC_BAD_MASK');
    fields.push({ field, mask: value });
  }
  return fields;
}

export function writeSelectionFields(w: Writer, fields: readonly HashedField[]): void {
  for (const { field, mask } of fields) {
    writeOxmEntry(w, { field, value: mask, mask: null }, w.version);
  }
}

/** Their masks as a match, of any value; null when there are none. */
export function maskOfFields(fields: readonly HashedField[]): Match | null {
  if (fields.length === 0) return null;
  const masks = new MatchFields();
  for (const { field, mask } of fields) masks.set(field, 0n, mask);
  return masks.build();
}
