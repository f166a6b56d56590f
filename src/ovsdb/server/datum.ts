/**
 * Values of columns as the server holds them: sorted keys and, for maps, the values beside them. An atom is a set of one.
 *
 * Data are never changed in place, so rows, transactions and monitors share them freely. Sorting makes equality a
 * walk, and gives sets the order in which ovsdb-server shows them. UUIDs are lower-case texts; integers are
 * numbers, beyond 2^53 bigints: each has one form, so === compares them.
 */
import type { Json } from '../json-stream.ts';
import type { Atom, AtomName } from '../value.ts';
import { type BaseType, countText, type DatumType, isMap } from './datum-type.ts';
import { OvsdbFailure, syntaxError, violation } from './failure.ts';
import { isId } from './members.ts';

export interface Datum {
  readonly keys: readonly Atom[];
  readonly values: readonly Atom[] | null;
}

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (text: string): boolean => text.length === 36 && UUID.test(text);

/** The UUID behind a `named-uuid` of the running transaction. */
export type ResolveName = (name: string) => string;

const DEFAULT_ATOM: { readonly [A in AtomName]: Atom } = {
  integer: 0,
  real: 0,
  boolean: false,
  string: '',
  uuid: ZERO_UUID,
};

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
export const isInt64 = (value: bigint): boolean => value >= MIN_INT64 && value <= MAX_INT64;

/** An <integer>, as a number where that is exact; undefined for what is none. */
function int64Of(json: Json): number | bigint | undefined {
  if (Number.isSafeInteger(json)) return json as number;
  if (typeof json !== 'bigint' && !Number.isInteger(json)) return undefined;
  const value = BigInt(json as number | bigint);
  return isInt64(value) ? value : undefined;
}

export const compareAtoms = (a: Atom, b: Atom): number => (a < b ? -1 : a > b ? 1 : 0);

export const single = (atom: Atom): Datum => ({ keys: [atom], values: null });

export function defaultDatum(type: DatumType): Datum {
  if (type.min === 0) return { keys: [], values: isMap(type) ? [] : null };
  return {
    keys: [DEFAULT_ATOM[type.key.atom]],
    values: type.value === null ? null : [DEFAULT_ATOM[type.value.atom]],
  };
}

export function equalData(a: Datum, b: Datum): boolean {
  if (a === b) return true;
  const n = a.keys.length;
  if (b.keys.length !== n) return false;
  for (let i = 0; i < n; i++) if (a.keys[i] !== b.keys[i]) return false;
  if (a.values !== null && b.values !== null)
    for (let i = 0; i < n; i++) if (a.values[i] !== b.values[i]) return false;
  return true;
}

/** Where `key` is, or the complement of where it would go. */
function find(keys: readonly Atom[], key: Atom): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low < keys.length && keys[low] === key ? low : ~low;
}

/** True when every element of `a` is one of `b`. */
export function includesAll(b: Datum, a: Datum): boolean {
  return a.keys.every((key, i) => holds(b, key, a.values?.[i]));
}

/** True when no element of `a` is one of `b`. */
export function excludesAll(b: Datum, a: Datum): boolean {
  return !a.keys.some((key, i) => holds(b, key, a.values?.[i]));
}

function holds(datum: Datum, key: Atom, value: Atom | undefined): boolean {
  const at = find(datum.keys, key);
  return at >= 0 && (value === undefined || datum.values === null || datum.values[at] === value);
}

/** Pairs in the order of their keys, or null when a key is there twice. */
function sorted(keys: readonly Atom[], values: readonly Atom[] | null): Datum | null {
  const order = keys.map((_, i) => i).sort((a, b) => compareAtoms(keys[a], keys[b]));
  for (let i = 1; i < order.length; i++) if (keys[order[i]] === keys[order[i - 1]]) return null;
  return {
    keys: order.map((i) => keys[i]),
    values: values === null ? null : order.map((i) => values[i]),
  };
}

/** As `sorted` for a result of arithmetic on a set. */
export const sortedSet = (keys: readonly Atom[]): Datum | null => sorted(keys, null);

/** `a` and those elements of `b` whose key `a` lacks. */
export function union(a: Datum, b: Datum): Datum {
  const missing = b.keys.map((_, i) => i).filter((i) => find(a.keys, b.keys[i]) < 0);
  if (missing.length === 0) return a;
  return sorted(
    [...a.keys, ...missing.map((i) => b.keys[i])],
    a.values === null ? null : [...a.values, ...missing.map((i) => b.values?.[i] as Atom)],
  ) as Datum;
}

/** `a` without the elements of `b`: by key alone when `b` has no values. */
export function subtract(a: Datum, b: Datum): Datum {
  const kept = filter(a, (key, value) => !holds(b, key, value ?? undefined));
  return kept.keys.length === a.keys.length ? a : kept;
}

export function filter(datum: Datum, keep: (key: Atom, value: Atom | null) => boolean): Datum {
  const { keys, values } = datum;
  const kept = keys
    .map((_, i) => i)
    .filter((i) => keep(keys[i], values === null ? null : values[i]));
  return {
    keys: kept.map((i) => keys[i]),
    values: values === null ? null : kept.map((i) => values[i]),
  };
}

/**
 * What turns `before` into `after` when applied (ovsdb-server(7), "Update2 Notification"): of a set the elements in one of both,
 * of a map the pairs removed, added or changed, of a scalar or an optional value the new one.
 */
export function difference(before: Datum, after: Datum, type: DatumType): Datum {
  if (type.max === 1) return after;
  if (type.value === null) {
    const gone = before.keys.filter((key) => find(after.keys, key) < 0);
    const come = after.keys.filter((key) => find(before.keys, key) < 0);
    return sorted([...gone, ...come], null) as Datum;
  }
  const keys: Atom[] = [];
  const values: Atom[] = [];
  before.keys.forEach((key, i) => {
    if (find(after.keys, key) < 0) {
      keys.push(key);
      values.push(before.values?.[i] as Atom);
    }
  });
  after.keys.forEach((key, i) => {
    const value = after.values?.[i] as Atom;
    if (!holds(before, key, value)) {
      keys.push(key);
      values.push(value);
    }
  });
  return sorted(keys, values) as Datum;
}

/** The inverse of `difference`. Throws where the result breaks the type's size. */
export function applyDifference(before: Datum, diff: Datum, type: DatumType): Datum {
  let after: Datum;
  if (type.max === 1) after = diff;
  else if (type.value === null) {
    const kept = before.keys.filter((key) => find(diff.keys, key) < 0);
    const come = diff.keys.filter((key) => find(before.keys, key) < 0);
    after = sorted([...kept, ...come], null) as Datum;
  } else {
    const kept = filter(before, (key) => find(diff.keys, key) < 0);
    const come = filter(diff, (key, value) => !holds(before, key, value ?? undefined));
    after = union(kept, come);
  }
  if (!fitsCount(after, type)) throw new OvsdbFailure('syntax error', 'difference of a wrong size');
  return after;
}

export const fitsCount = (datum: Datum, type: DatumType): boolean =>
  datum.keys.length >= type.min && datum.keys.length <= type.max;

function pairOf(json: Json, name: string, isInner: (inner: Json) => boolean): Json | undefined {
  return Array.isArray(json) && json.length === 2 && json[0] === name && isInner(json[1])
    ? json[1]
    : undefined;
}

const isString = (json: Json): json is string => typeof json === 'string';

function readUuid(json: Json, resolve: ResolveName | null): string {
  const text = pairOf(json, 'uuid', isString);
  if (text !== undefined) {
    if (!isUuid(text as string)) throw syntaxError(json, `"${text}" is not a valid UUID`);
    return (text as string).toLowerCase();
  }
  const name = resolve === null ? undefined : pairOf(json, 'named-uuid', isString);
  if (name === undefined) throw syntaxError(json, 'expected ["uuid", <string>]');
  if (!isId(name as string)) throw syntaxError(json, 'named-uuid string is not a valid <id>');
  return (resolve as ResolveName)(name as string);
}

function readAtom(base: BaseType, json: Json, resolve: ResolveName | null): Atom {
  let atom: Atom | undefined;
  switch (base.atom) {
    case 'integer':
      atom = int64Of(json);
      break;
    case 'real':
      if (typeof json === 'number' || typeof json === 'bigint') atom = Number(json);
      break;
    case 'boolean':
      if (typeof json === 'boolean') atom = json;
      break;
    case 'string':
      if (typeof json === 'string') atom = json;
      break;
    case 'uuid':
      atom = readUuid(json, resolve);
      break;
  }
  if (atom === undefined) throw syntaxError(json, `expected ${base.atom}`);
  checkAtom(atom, base);
  // -0 would be told from 0 by nobody but Object.is and JSON.
  return atom === 0 ? 0 : atom;
}

/** Reads a <value>. Throws OvsdbFailure; `resolve` is null where names have no meaning. */
export function readDatum(type: DatumType, json: Json, resolve: ResolveName | null): Datum {
  const isList = Array.isArray(json) && json[0] === 'set';
  if (type.value === null && !isList) return single(readAtom(type.key, json, resolve));
  const name = type.value === null ? 'set' : 'map';
  const inner = pairOf(json, name, Array.isArray) as Json[] | undefined;
  if (inner === undefined) throw syntaxError(json, `expected ["${name}", <array>]`);
  const n = inner.length;
  if (n < type.min || n > type.max) {
    throw syntaxError(
      json,
      type.min === 1 && type.max === 1
        ? `${name} must have exactly one member but ${n} are present`
        : `${name} must have ${type.min} to ${countText(type.max)} members but ${n} are present`,
    );
  }
  const keys: Atom[] = [];
  const values: Atom[] | null = type.value === null ? null : [];
  for (const element of inner) {
    if (type.value === null) keys.push(readAtom(type.key, element, resolve));
    else {
      if (!Array.isArray(element) || element.length !== 2)
        throw syntaxError(element, 'expected 2-element array');
      keys.push(readAtom(type.key, element[0], resolve));
      values?.push(readAtom(type.value, element[1], resolve));
    }
  }
  const datum = sorted(keys, values);
  if (datum === null)
    throw new OvsdbFailure(
      'ovsdb error',
      type.value === null ? 'set contains duplicate' : 'map contains duplicate key',
    );
  return datum;
}

const atomJson = (atom: AtomName, value: Atom): Json => (atom === 'uuid' ? ['uuid', value] : value);

export function datumJson(datum: Datum, type: DatumType): Json {
  const { keys, values } = datum;
  if (type.value !== null) {
    const { key, value } = type;
    return [
      'map',
      keys.map((k, i) => [atomJson(key.atom, k), atomJson(value.atom, values?.[i] as Atom)]),
    ];
  }
  if (keys.length === 1) return atomJson(type.key.atom, keys[0]);
  return ['set', keys.map((key) => atomJson(type.key.atom, key))];
}

/** Throws where an atom breaks a constraint; whom a UUID names is looked at when the transaction commits. */
export function checkAtom(atom: Atom, base: BaseType): void {
  if (base.allowed !== null && find(base.allowed, atom) < 0) {
    const valid = base.allowed.map((one) => atomText(one, base.atom)).join(', ');
    const list = base.allowed.length === 1 ? valid : `[${valid}]`;
    throw violation(`${atomText(atom, base.atom)} is not one of the allowed values (${list})`);
  }
  const { min, max } = base;
  if (base.atom === 'string') {
    if (min === 0 && max === Number.POSITIVE_INFINITY) return;
    const length = [...String(atom)].length;
    if (length < min)
      throw violation(`"${atom}" length ${length} is less than minimum allowed length ${min}`);
    if (length > max)
      throw violation(`"${atom}" length ${length} is greater than maximum allowed length ${max}`);
  } else if (base.atom === 'integer' || base.atom === 'real') {
    const number = atom as number | bigint;
    if (number >= min && number <= max) return;
    if (min !== Number.NEGATIVE_INFINITY && max !== Number.POSITIVE_INFINITY)
      throw violation(`${number} is not in the valid range ${min} to ${max} (inclusive)`);
    throw violation(
      number < min
        ? `${number} is less than minimum allowed value ${min}`
        : `${number} is greater than maximum allowed value ${max}`,
    );
  }
}

export function checkDatum(datum: Datum, type: DatumType): void {
  for (const key of datum.keys) checkAtom(key, type.key);
  if (type.value !== null && datum.values !== null)
    for (const value of datum.values) checkAtom(value, type.value);
}

const isBareWord = (text: string): boolean =>
  /^[a-zA-Z_][a-zA-Z0-9_.-]*$/.test(text) && text !== 'true' && text !== 'false';

/** An atom as ovs-vsctl would write it. */
function atomText(value: Atom, atom: AtomName): string {
  return atom === 'string' && !isBareWord(String(value)) ? JSON.stringify(value) : String(value);
}

/** A datum as ovs-vsctl would write it. */
export function datumText(datum: Datum, type: DatumType): string {
  const parts = datum.keys.map((key, i) =>
    type.value === null
      ? atomText(key, type.key.atom)
      : `${atomText(key, type.key.atom)}=${atomText(datum.values?.[i] as Atom, type.value.atom)}`,
  );
  const text = parts.join(', ');
  if (type.max === 1 && parts.length > 0) return text;
  return type.value === null ? `[${text}]` : `{${text}}`;
}
