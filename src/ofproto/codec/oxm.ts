/**
 * OXM and NXM entries: `class:16 field:7 hasmask:1 length:8`, for class 0xffff an experimenter (which the length
 * counts), then value and mask (OpenFlow 1.3.5, 7.2.3). Which field a type stands for is in the field table; this file
 * knows only how entries look, and which of a field's types a version prefers.
 */
import {
  FIELDS,
  type Field,
  fieldByOxm,
  type OxmId,
  tunMetadataIndex,
} from '../../packet/fields.ts';
import { TUN_METADATA } from '../../packet/key.ts';
import type { OfErrorName } from './errors.ts';
import type { Reader, WireContext } from './reader.ts';
import { OF12, OF13, OF14, OF15, type OfVersion } from './versions.ts';
import type { Writer } from './writer.ts';

/** Which types to write: a version's, or Nicira's wherever there is one (`nxm`, in NXT_ messages). */
export type OxmFlavour = OfVersion | 'nxm';

const CLASS_BASIC = 0x8000;
const CLASS_PACKET_REGS = 0x8001;
const CLASS_EXPERIMENTER = 0xffff;
const ONF = 0x4f4e4600;

const BASIC_SINCE: Readonly<Record<number, OfVersion>> = {
  36: OF13,
  37: OF13,
  38: OF13,
  39: OF13,
  41: OF14,
  42: OF15,
  43: OF15,
  44: OF15,
};

/** The version that brought a type; 0 for Nicira's. */
function since(id: OxmId): number {
  if (id.class === CLASS_BASIC) return BASIC_SINCE[id.field] ?? OF12;
  if (id.class === CLASS_PACKET_REGS) return OF13;
  return id.experimenter === ONF ? OF13 : 0;
}

function preferred(f: Field, version: number): OxmId | null {
  let best: OxmId | null = null;
  let oldest: OxmId | null = null;
  for (const id of f.ids) {
    if (oldest === null || since(id) < since(oldest)) oldest = id;
    if (since(id) <= version && (best === null || since(id) > since(best))) best = id;
  }
  return best ?? oldest;
}

const byFlavour = new Map<Field, readonly (OxmId | null)[]>(
  FIELDS.map((f) => [f, [0, 1, 2, 3, 4, 5, 6].map((version) => preferred(f, version))]),
);

/** The type to write a field with: the newest that the version knows, else the oldest. Null if it has none. */
function oxmIdOf(f: Field, flavour: OxmFlavour): OxmId | null {
  const row = byFlavour.get(f) ?? byFlavour.get(baseField(f));
  return row?.[flavour === 'nxm' ? 0 : flavour] ?? null;
}

const TUN_METADATA_FIELDS = FIELDS.filter((f) => f.at < 0);

/** The row of the field table that a mapped tun_metadata field came from. */
const baseField = (f: Field): Field => {
  const index = tunMetadataIndex(f);
  return index === undefined ? f : TUN_METADATA_FIELDS[index];
};

/** The field with its place in the key: tun_metadata as long as its option is. Null for one that is not mapped. */
export function placedField(f: Field, context: WireContext): Field | null {
  const index = tunMetadataIndex(f);
  if (index === undefined || f.at >= 0) return f;
  const place = context.tunMetadata?.(index);
  if (place === undefined || place === null) return null;
  return {
    ...f,
    bytes: place.length,
    bits: 8 * place.length,
    at: TUN_METADATA * 32 + 8 * place.offset,
  };
}

export interface OxmHeader {
  readonly id: OxmId;
  /** Null for an unknown field. */
  readonly field: Field | null;
  /** A known field of a wrong length. */
  readonly badLength: boolean;
  readonly hasMask: boolean;
  /** Bytes that follow the header: value and, with hasMask, mask. */
  readonly payload: number;
}

/** True if what errors on unknown fields call them is an action's, false a match's. */
type Use = 'match' | 'action';

/** Reads a header. An unknown field is for the caller to judge. */
export function readOxmHeader(r: Reader): OxmHeader {
  if (r.left < 4) r.fail('OFPBMC_BAD_LEN');
  const oxmClass = r.u16();
  const type = r.u8();
  const length = r.u8();
  const hasMask = (type & 1) !== 0;
  let payload = length;
  let id: OxmId = { class: oxmClass, field: type >> 1 };
  if (oxmClass === CLASS_EXPERIMENTER) {
    if (length < 4 || r.left < 4) r.fail('OFPBMC_BAD_LEN');
    payload -= 4;
    id = { ...id, experimenter: r.u32() };
  }
  const known = fieldByOxm(id);
  if (known === undefined) return { id, field: null, badLength: false, hasMask, payload };
  const width = hasMask ? payload / 2 : payload;
  const fits =
    known.at < 0 ? Number.isInteger(width) && width <= known.bytes : width === known.bytes;
  if (!fits) return { id, field: null, badLength: true, hasMask, payload };
  const field = placedField(known, r.context) ?? r.fail('NXFMFC_INVALID_TLV_FIELD');
  return { id, field, badLength: false, hasMask, payload };
}

const unknownField = (header: OxmHeader, use: Use): OfErrorName => {
  if (use === 'match') return 'OFPBMC_BAD_FIELD';
  return header.badLength ? 'OFPBAC_BAD_SET_LEN' : 'OFPBAC_BAD_SET_TYPE';
};

/** Reads the header of a field that is named only, as sources and destinations of actions are. */
export function readFieldName(r: Reader, use: Use = 'match'): Field {
  const header = readOxmHeader(r);
  if (header.field === null) r.fail(unknownField(header, use));
  if (header.hasMask) r.fail('OFPBMC_BAD_MASK');
  return header.field;
}

export interface OxmEntry {
  readonly field: Field;
  readonly value: bigint;
  /** Null when the entry has none. */
  readonly mask: bigint | null;
}

/** The rest of an entry whose header was read: `width` bytes of value and perhaps as many of mask. */
export function readOxmPayload(
  r: Reader,
  header: OxmHeader,
): { readonly value: bigint; readonly mask: bigint | null } {
  if (r.left < header.payload) r.fail('OFPBMC_BAD_LEN');
  if (!header.hasMask) return { value: r.uint(header.payload), mask: null };
  const width = header.payload >> 1;
  const value = r.uint(width);
  const mask = r.uint(width);
  if (header.payload & 1) r.skip(1);
  if ((value & ~mask) !== 0n) r.fail('OFPBMC_BAD_WILDCARDS');
  return { value, mask };
}

/** Reads an entry of a known field. */
export function readOxmEntry(r: Reader, use: Use = 'match'): OxmEntry {
  const header = readOxmHeader(r);
  if (header.field === null) r.fail(unknownField(header, use));
  return { field: header.field, ...readOxmPayload(r, header) };
}

export function writeOxmHeader(w: Writer, f: Field, hasMask: boolean, flavour: OxmFlavour): void {
  const id = oxmIdOf(f, flavour);
  if (id === null) return;
  const length = hasMask ? 2 * f.bytes : f.bytes;
  w.u16(id.class);
  w.u8((id.field << 1) | (hasMask ? 1 : 0));
  if (id.experimenter === undefined) {
    w.u8(length);
  } else {
    w.u8(length + 4);
    w.u32(id.experimenter);
  }
}

export function writeOxmEntry(w: Writer, entry: OxmEntry, flavour: OxmFlavour): void {
  writeOxmHeader(w, entry.field, entry.mask !== null, flavour);
  w.uint(entry.value, entry.field.bytes);
  if (entry.mask !== null) w.uint(entry.mask, entry.field.bytes);
}

/** The low `8 * bytes` bits set: the mask of a whole value on the wire. */
export const wireOnes = (f: Field): bigint => (1n << BigInt(8 * f.bytes)) - 1n;
