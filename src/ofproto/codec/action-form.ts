/**
 * How an action looks on the wire: one form for each kind and encoding of it, in the tables of actions-standard.ts,
 * actions-nicira.ts and actions-nested.ts. A form has a body codec, whose value is the action without its kind, and says
 * in which versions it is understood. Where a kind has several forms, the first that the version knows and that
 * `accepts` the action is written; all that the version knows are read.
 */
import type { Action, ActionKind, ActionOf, Subfield } from '../../flowtable/action.ts';
import type { Field } from '../../packet/fields.ts';
import { fieldByOxm } from '../../packet/fields.ts';
import { placedField, readFieldName, writeOxmHeader } from './oxm.ts';
import type { Reader } from './reader.ts';
import type { OfVersion } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

export const NICIRA = 0x2320;
export const ONF = 0x4f4e4600;

/** What an action without its kind is made of. */
export type BodyOf<K extends ActionKind> = Omit<ActionOf<K>, 'kind'>;

export interface ActionForm {
  readonly kind: ActionKind;
  readonly first: OfVersion;
  readonly last: OfVersion;
  /** 0 for the standard's own. */
  readonly vendor: number;
  readonly type: number;
  /** Length of the whole action, or the least for one that may be longer. */
  readonly length: number;
  readonly mayBeLonger: boolean;
  readonly body: Codec<unknown>;
  accepts?(action: Action, version: OfVersion): boolean;
}

interface FormOptions<K extends ActionKind> {
  readonly mayBeLonger?: boolean;
  readonly accepts?: (action: ActionOf<K>, version: OfVersion) => boolean;
}

function form<K extends ActionKind>(
  kind: K,
  vendor: number,
  versions: readonly [OfVersion, OfVersion],
  type: number,
  length: number,
  body: Codec<BodyOf<K>>,
  options: FormOptions<K>,
): ActionForm {
  const { accepts } = options;
  const base = {
    kind,
    vendor,
    first: versions[0],
    last: versions[1],
    type,
    length,
    mayBeLonger: options.mayBeLonger ?? false,
    body,
  };
  if (accepts === undefined) return base;
  return {
    ...base,
    accepts: (action, version) => action.kind === kind && accepts(action as ActionOf<K>, version),
  };
}

/** A form of the standard. */
export const standard = <K extends ActionKind>(
  kind: K,
  versions: readonly [OfVersion, OfVersion],
  type: number,
  length: number,
  body: Codec<BodyOf<K>>,
  options: FormOptions<K> = {},
): ActionForm => form(kind, 0, versions, type, length, body, options);

/** A form of Nicira's, by its subtype. */
export const nicira = <K extends ActionKind>(
  kind: K,
  versions: readonly [OfVersion, OfVersion],
  subtype: number,
  length: number,
  body: Codec<BodyOf<K>>,
  options: FormOptions<K> = {},
): ActionForm => form(kind, NICIRA, versions, subtype, length, body, options);

/** A form of ONF's, by its subtype. */
export const onf = <K extends ActionKind>(
  kind: K,
  versions: readonly [OfVersion, OfVersion],
  subtype: number,
  length: number,
  body: Codec<BodyOf<K>>,
  options: FormOptions<K> = {},
): ActionForm => form(kind, ONF, versions, subtype, length, body, options);

/** A body of no bytes. */
export const nothing: Codec<Record<never, never>> = { decode: () => ({}), encode: () => {} };

const CLASS_EXPERIMENTER = 0xffff;

/** A field by its 32-bit NXM header. An unknown one is OFPBAC_BAD_SET_TYPE. */
export const nxmHeader: Codec<Field> = {
  decode(r) {
    const oxmClass = r.u16();
    const type = r.u8();
    const length = r.u8();
    if (oxmClass === CLASS_EXPERIMENTER || (type & 1) !== 0) r.fail('OFPBAC_BAD_SET_TYPE');
    const known =
      fieldByOxm({ class: oxmClass, field: type >> 1 }) ?? r.fail('OFPBAC_BAD_SET_TYPE');
    const f = placedField(known, r.context) ?? r.fail('NXFMFC_INVALID_TLV_FIELD');
    if (known.at >= 0 && length !== f.bytes) r.fail('OFPBAC_BAD_SET_TYPE');
    return f;
  },
  encode: (w, f) => writeOxmHeader(w, f, false, 'nxm'),
};

/** True for a field that a 32-bit NXM header can name; others need their experimenter. */
export const hasNxmHeader = (f: Field): boolean =>
  f.ids.some((id) => id.class !== CLASS_EXPERIMENTER);

/** Bits that actions see of a field: all 16 of arp_op, of which the key has the low half. */
export const actionBits = (f: Field): number => (f.name === 'arp_op' ? 16 : f.bits);

export function checkSource(r: Reader, s: Subfield): Subfield {
  if (s.bits === 0 || s.offset + s.bits > actionBits(s.field)) r.fail('OFPBAC_BAD_SET_LEN');
  return s;
}

export function checkDestination(r: Reader, s: Subfield): Subfield {
  checkSource(r, s);
  if (!s.field.writable) r.fail('OFPBAC_BAD_SET_ARGUMENT');
  return s;
}

/** `offset << 6 | bits - 1`. */
export const readRange = (r: Reader): { readonly offset: number; readonly bits: number } => {
  const packed = r.u16();
  return { offset: packed >>> 6, bits: (packed & 0x3f) + 1 };
};

export const writeRange = (w: Writer, s: Subfield): void => w.u16((s.offset << 6) | (s.bits - 1));

/** A field by its complete header, as sources and destinations of newer actions are. */
export const oxmHeader: Codec<Field> = {
  decode: (r) => readFieldName(r),
  encode: (w, f) => writeOxmHeader(w, f, false, 'nxm'),
};
