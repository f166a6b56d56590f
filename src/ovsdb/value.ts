/**
 * Values of OVSDB columns (RFC 7047 section 5.1) as TypeScript values.
 *
 * | column type          | TypeScript                | on the wire                               |
 * |----------------------|---------------------------|-------------------------------------------|
 * | atom                 | number, string, boolean   | the atom, a UUID as ["uuid", "..."]       |
 * | optional (0..1)      | atom or null              | the atom or ["set", []]                   |
 * | set                  | array                     | the atom or ["set", [...]]                |
 * | map                  | Map                       | ["map", [[key, value], ...]]              |
 *
 * Integers are JavaScript numbers: exact up to 2^53, which no column of this schema passes in practice, rounded beyond.
 * Decoding never throws; what the server says wrongly becomes an error text.
 */
import { jsonText } from './exact-json.ts';
import type { Json } from './json-stream.ts';

export type AtomName = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

type AtomOf<A extends AtomName> = A extends 'integer' | 'real'
  ? number
  : A extends 'boolean'
    ? boolean
    : string;

/** A bigint only where it is an integer beyond 2^53, and only in the server. */
export type Atom = number | bigint | boolean | string;

export type ColumnType =
  | { readonly kind: 'atom'; readonly atom: AtomName }
  | { readonly kind: 'optional'; readonly atom: AtomName }
  | { readonly kind: 'set'; readonly atom: AtomName }
  | { readonly kind: 'map'; readonly key: AtomName; readonly value: AtomName };

/** The TypeScript type of a column's values. */
export type ValueOf<T extends ColumnType> = T extends {
  kind: 'map';
  key: infer K extends AtomName;
  value: infer V extends AtomName;
}
  ? ReadonlyMap<AtomOf<K>, AtomOf<V>>
  : T extends { kind: 'set'; atom: infer A extends AtomName }
    ? readonly AtomOf<A>[]
    : T extends { kind: 'optional'; atom: infer A extends AtomName }
      ? AtomOf<A> | null
      : T extends { kind: 'atom'; atom: infer A extends AtomName }
        ? AtomOf<A>
        : never;

/** Any column's value. */
export type Value = Atom | null | readonly Atom[] | ReadonlyMap<Atom, Atom>;

export type Decoded =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: string };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const isUuid = (text: string): boolean => UUID.test(text);

const show = (json: Json): string => {
  const text = jsonText(json);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
};

const bad = (json: Json, expected: string): Decoded => ({
  ok: false,
  error: `${show(json)} where ${expected} was expected`,
});

/** undefined when `json` is no atom of that type. */
function decodeAtom(atom: AtomName, json: Json): Atom | undefined {
  switch (atom) {
    case 'integer':
      return typeof json === 'bigint' || Number.isInteger(json) ? Number(json) : undefined;
    case 'real':
      return typeof json === 'number' || typeof json === 'bigint' ? Number(json) : undefined;
    case 'boolean':
      return typeof json === 'boolean' ? json : undefined;
    case 'string':
      return typeof json === 'string' ? json : undefined;
    case 'uuid':
      return Array.isArray(json) &&
        json.length === 2 &&
        json[0] === 'uuid' &&
        typeof json[1] === 'string' &&
        isUuid(json[1])
        ? json[1]
        : undefined;
  }
}

/** The elements of <set>, of which a lone atom is the short form; undefined for something else. */
function decodeSet(atom: AtomName, json: Json): Atom[] | undefined {
  if (Array.isArray(json) && json.length === 2 && json[0] === 'set' && Array.isArray(json[1])) {
    const elements: Atom[] = [];
    for (const element of json[1]) {
      const decoded = decodeAtom(atom, element);
      if (decoded === undefined) return undefined;
      elements.push(decoded);
    }
    return elements;
  }
  const single = decodeAtom(atom, json);
  return single === undefined ? undefined : [single];
}

/** Decodes an RFC 7047 <value> as a column of type `type`. */
export function decodeValue(type: ColumnType, json: Json): Decoded {
  if (type.kind === 'map') {
    if (!Array.isArray(json) || json.length !== 2 || json[0] !== 'map' || !Array.isArray(json[1])) {
      return bad(json, 'a map');
    }
    const map = new Map<Atom, Atom>();
    for (const pair of json[1]) {
      if (!Array.isArray(pair) || pair.length !== 2) return bad(pair, 'a key-value pair');
      const key = decodeAtom(type.key, pair[0]);
      const value = decodeAtom(type.value, pair[1]);
      if (key === undefined || value === undefined) {
        return bad(pair, `a ${type.key}-${type.value} pair`);
      }
      map.set(key, value);
    }
    return { ok: true, value: map };
  }
  const elements = decodeSet(type.atom, json);
  if (elements === undefined) return bad(json, `${type.kind} ${type.atom}`);
  switch (type.kind) {
    case 'set':
      return { ok: true, value: elements };
    case 'optional':
      if (elements.length > 1) return bad(json, `at most one ${type.atom}`);
      return { ok: true, value: elements.length === 0 ? null : elements[0] };
    case 'atom':
      if (elements.length !== 1) return bad(json, `one ${type.atom}`);
      return { ok: true, value: elements[0] };
  }
}

/** A row that the same transaction inserts is named by an identifier, which cannot look like a UUID. */
const encodeAtom = (atom: AtomName, value: Atom): Json =>
  atom === 'uuid' ? [isUuid(String(value)) ? 'uuid' : 'named-uuid', value] : value;

/** Encodes a value as an RFC 7047 <value>. */
export function encodeValue(type: ColumnType, value: Value): Json {
  if (type.kind === 'map') {
    const pairs: Json[] = [];
    for (const [k, v] of value as ReadonlyMap<Atom, Atom>) {
      pairs.push([encodeAtom(type.key, k), encodeAtom(type.value, v)]);
    }
    return ['map', pairs];
  }
  if (type.kind === 'set') {
    return ['set', (value as readonly Atom[]).map((element) => encodeAtom(type.atom, element))];
  }
  if (value === null) return ['set', []];
  return encodeAtom(type.atom, value as Atom);
}

/** What a column holds that nobody has set (RFC 7047 section 5.2.1, insert). */
export function defaultValue(type: ColumnType): Value {
  switch (type.kind) {
    case 'map':
      return new Map();
    case 'set':
      return [];
    case 'optional':
      return null;
    case 'atom':
      switch (type.atom) {
        case 'integer':
        case 'real':
          return 0;
        case 'boolean':
          return false;
        case 'string':
          return '';
        case 'uuid':
          return '00000000-0000-0000-0000-000000000000';
      }
  }
}

/** Equality of two values of one column; order in sets and maps does not count. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) if (b.get(key) !== value) return false;
    return true;
  }
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  if (a.every((element, i) => element === b[i])) return true;
  const elements = new Set<Atom>(b);
  return elements.size === b.length && a.every((element) => elements.has(element));
}
