/**
 * Column types with their constraints, as schemas declare them (RFC 7047 section 3.2 <type> and <base-type>).
 *
 * `min` and `max` count elements: scalar 1..1, optional 0..1, everything else a set or, with a `value`, a map.
 */
import { isObject, type Json, type JsonObject } from '../json-stream.ts';
import type { Atom, AtomName } from '../value.ts';
import { syntaxError } from './failure.ts';
import { Members } from './members.ts';

export interface BaseType {
  readonly atom: AtomName;
  /** Allowed values, sorted; null for any. */
  readonly allowed: readonly Atom[] | null;
  /** Of integers and reals the value's range, of strings the length's. */
  readonly min: number;
  readonly max: number;
  /** For uuid: the table whose rows it names. */
  readonly refTable: string | null;
  readonly isWeak: boolean;
}

export interface DatumType {
  readonly key: BaseType;
  readonly value: BaseType | null;
  readonly min: number;
  /** Number.POSITIVE_INFINITY for unlimited. */
  readonly max: number;
}

const ATOMS: readonly string[] = ['integer', 'real', 'boolean', 'string', 'uuid'];
const MAX_COUNT = 0xffff_ffff;

/** Range members by atom type. */
const RANGE: { readonly [A in AtomName]?: readonly [string, string] } = {
  integer: ['minInteger', 'maxInteger'],
  real: ['minReal', 'maxReal'],
  string: ['minLength', 'maxLength'],
};

const lowest = (atom: AtomName): number => (atom === 'string' ? 0 : Number.NEGATIVE_INFINITY);

/** A base type without constraints. */
export const plain = (atom: AtomName): BaseType => ({
  atom,
  allowed: null,
  min: lowest(atom),
  max: Number.POSITIVE_INFINITY,
  refTable: null,
  isWeak: false,
});

function atomName(json: Json): AtomName {
  if (typeof json !== 'string') throw syntaxError(json, 'atomic-type expected');
  if (!ATOMS.includes(json)) throw syntaxError(json, `"${json}" is not an atomic-type`);
  return json as AtomName;
}

/** `enumOf` reads the members of an enum: given from outside, since values are read by types. */
type ReadEnum = (type: DatumType, json: Json) => readonly Atom[];

function readBase(json: Json, readEnum: ReadEnum): BaseType {
  if (!isObject(json)) return plain(atomName(json));
  const members = new Members(json, 'ovsdb type');
  const atom = atomName(members.required('type', 'any'));
  const listed = members.optional('enum', 'any');
  const allowed =
    listed === undefined
      ? null
      : readEnum({ key: plain(atom), value: null, min: 1, max: Number.POSITIVE_INFINITY }, listed);
  let min = lowest(atom);
  let max = Number.POSITIVE_INFINITY;
  const range = RANGE[atom];
  if (range !== undefined) {
    const kind = atom === 'real' ? 'number' : 'integer';
    min = members.optional(range[0], kind) ?? min;
    max = members.optional(range[1], kind) ?? max;
    if (min > max) throw syntaxError(json, `${range[0]} exceeds ${range[1]}`);
  }
  let refTable: string | null = null;
  let isWeak = false;
  if (atom === 'uuid') {
    refTable = members.optional('refTable', 'id') ?? null;
    if (refTable !== null) {
      const kind = members.optional('refType', 'string') ?? 'strong';
      if (kind !== 'strong' && kind !== 'weak')
        throw syntaxError(json, `refType must be "strong" or "weak" (not "${kind}")`);
      isWeak = kind === 'weak';
    }
  }
  members.finish();
  return { atom, allowed, min, max, refTable, isWeak };
}

export function readType(json: Json, readEnum: ReadEnum): DatumType {
  if (!isObject(json)) return { key: readBase(json, readEnum), value: null, min: 1, max: 1 };
  const members = new Members(json, 'ovsdb type');
  const key = readBase(members.required('key', 'type'), readEnum);
  const valueJson = members.optional('value', 'type');
  const value = valueJson === undefined ? null : readBase(valueJson, readEnum);
  const min = members.optional('min', 'integer') ?? 1;
  const maxJson = members.optional('max', 'any') ?? 1;
  members.finish();
  const max = maxJson === 'unlimited' ? Number.POSITIVE_INFINITY : maxJson;
  if (typeof max !== 'number' || (min !== 0 && min !== 1) || max < 1 || max < min)
    throw syntaxError(json, 'ovsdb type fails constraint checks');
  return { key, value, min, max };
}

function baseJson(base: BaseType): Json {
  const json: JsonObject = { type: base.atom };
  if (base.allowed !== null) {
    const { allowed } = base;
    json.enum = allowed.length === 1 ? allowed[0] : ['set', [...allowed]];
  }
  const range = RANGE[base.atom];
  if (range !== undefined) {
    if (base.min !== lowest(base.atom)) json[range[0]] = base.min;
    if (base.max !== Number.POSITIVE_INFINITY) json[range[1]] = base.max;
  }
  if (base.refTable !== null) {
    json.refTable = base.refTable;
    if (base.isWeak) json.refType = 'weak';
  }
  return Object.keys(json).length === 1 ? base.atom : json;
}

/** The shortest JSON of a type: how servers write it. */
export function typeJson(type: DatumType): Json {
  const key = baseJson(type.key);
  if (isScalar(type) && typeof key === 'string') return key;
  const json: JsonObject = { key };
  if (type.value !== null) json.value = baseJson(type.value);
  if (type.min !== 1) json.min = type.min;
  if (type.max !== 1) json.max = type.max === Number.POSITIVE_INFINITY ? 'unlimited' : type.max;
  return json;
}

export const isMap = (type: DatumType): boolean => type.value !== null;
export const isScalar = (type: DatumType): boolean =>
  type.value === null && type.min === 1 && type.max === 1;
export const isOptional = (type: DatumType): boolean =>
  type.value === null && type.min === 0 && type.max === 1;
export const isSet = (type: DatumType): boolean =>
  type.value === null && !(type.min === 1 && type.max === 1);

/** The count for messages: servers hold counts in 32 bits. */
export const countText = (count: number): string =>
  String(count === Number.POSITIVE_INFINITY ? MAX_COUNT : count);

/** A type in words, for messages. */
export function typeText(type: DatumType): string {
  if (isScalar(type)) return type.key.atom;
  let text = type.value === null ? 'set' : 'map';
  if (type.max === Number.POSITIVE_INFINITY)
    text += type.min > 0 ? ` of ${type.min} or more` : ' of';
  else text += type.min > 0 ? ` of ${type.min} to ${type.max}` : ` of up to ${type.max}`;
  return type.value === null
    ? `${text} ${type.key.atom}s`
    : `${text} (${type.key.atom}, ${type.value.atom}) pairs`;
}
