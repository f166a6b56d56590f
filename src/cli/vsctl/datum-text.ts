/**
 * Values as users write them (ovs-vsctl(8), "Database Values"): words, quoted strings, `[1, 2]`, `1-4`, `{a=b}`, `@name`.
 *
 * A token ends at one of `:=, []{}!<>` unless quoted; what a token means depends on the column's type. The texts of errors are Open
 * vSwitch's, since scripts show them.
 */

import { integerOf } from '../../ovsdb/exact-json.ts';
import { checkAtom, compareAtoms, type Datum, isInt64, isUuid } from '../../ovsdb/server/datum.ts';
import {
  type BaseType,
  countText,
  type DatumType,
  typeText,
} from '../../ovsdb/server/datum-type.ts';
import { OvsdbFailure } from '../../ovsdb/server/failure.ts';
import type { Atom } from '../../ovsdb/value.ts';
import { unescapeJson } from './json-unescape.ts';
import { fail } from './vsctl-error.ts';

/** The UUID behind `@name` where a reference of this kind is expected. Null where names have no meaning. */
export type ResolveSymbol = ((name: string, base: BaseType) => string) | null;

const DELIMITERS = ':=, []{}!<>';
/** More in one range are refused. */
const MAX_RANGE = 4096;

interface Token {
  readonly text: string;
  /** Where the text goes on. */
  readonly end: number;
}

/** The token that begins at `start`, with its quotes. Throws VsctlError. */
export function readToken(source: string, start: number): Token {
  let text = '';
  let isQuoted = false;
  let i = start;
  for (; i < source.length; i++) {
    const char = source[i];
    if (char === '\\') {
      if (i + 1 === source.length) {
        if (isQuoted) break;
        fail(`${source.slice(start)}: backslash at end of argument`);
      }
      text += isQuoted ? `\\${source[++i]}` : source[++i];
    } else if (!isQuoted && DELIMITERS.includes(char)) {
      return { text, end: i };
    } else {
      if (char === '"') isQuoted = !isQuoted;
      text += char;
    }
  }
  if (isQuoted) fail(`${source.slice(start)}: quoted string extends past end of argument`);
  return { text, end: i };
}

function checked(atom: Atom, base: BaseType): Atom {
  try {
    checkAtom(atom, base);
  } catch (failure) {
    if (!(failure instanceof OvsdbFailure)) throw failure;
    fail(`${failure.tag}: ${failure.message}`);
  }
  return atom;
}

/** strtoll(3) allows a sign and spaces in front. */
const INTEGER = /^\s*[+-]?\d+$/;
const RANGE = /^\s*([+-]?\d+)-([+-]?\d+)$/;

function exactOf(text: string): bigint | null {
  if (!INTEGER.test(text)) return null;
  const exact = BigInt(text.trim().replace(/^\+/, ''));
  return isInt64(exact) ? exact : null;
}

function integerOfText(text: string): Atom | null {
  const exact = exactOf(text);
  return exact === null ? null : integerOf(exact);
}

const TRUE = ['true', 'yes', 'on', '1'];
const FALSE = ['false', 'no', 'off', '0'];

function stringOf(text: string): string {
  if (text === '') {
    fail('An empty string is not valid as input; use "" to represent the empty string');
  }
  if (text[0] !== '"') return text;
  if (text.length < 2 || !text.endsWith('"'))
    fail(`${text}: missing quote at end of quoted string`);
  const inner = unescapeJson(text.slice(1, -1));
  return 'text' in inner ? inner.text : fail(`${text}: ${inner.error}`);
}

function unchecked(base: BaseType, text: string, resolve: ResolveSymbol): Atom {
  switch (base.atom) {
    case 'integer':
      return integerOfText(text) ?? fail(`"${text}" is not a valid integer`);
    case 'real':
      return text.trim() !== '' && Number.isFinite(Number(text))
        ? Number(text)
        : fail(`"${text}" is not a valid real number`);
    case 'boolean':
      if (TRUE.includes(text)) return true;
      if (FALSE.includes(text)) return false;
      return fail(`"${text}" is not a valid boolean (use "true" or "false")`);
    case 'string':
      return stringOf(text);
    case 'uuid':
      if (text.startsWith('@') && resolve !== null) return resolve(text, base);
      return isUuid(text) ? text.toLowerCase() : fail(`"${text}" is not a valid UUID`);
  }
}

/** One atom of a whole text. Throws VsctlError. */
export const readAtomText = (base: BaseType, text: string, resolve: ResolveSymbol): Atom =>
  checked(unchecked(base, text, resolve), base);

/** The numbers of `first-last`, both ends checked; null where the text is no range. */
function rangeOf(base: BaseType, text: string): readonly Atom[] | null {
  const match = RANGE.exec(text);
  if (match === null) return null;
  const first = exactOf(match[1]);
  const last = exactOf(match[2]);
  if (first === null || last === null) return null;
  checked(integerOf(first), base);
  checked(integerOf(last), base);
  if (last < first) fail(`"${text}" is not a valid range. Range end cannot be before start.`);
  if (last - first >= MAX_RANGE) {
    fail(`"${text}" is not a valid range. Range size cannot be larger than ${MAX_RANGE}.`);
  }
  const length = Number(last - first) + 1;
  return Array.from({ length }, (_, i) => integerOf(first + BigInt(i)));
}

/** An element of a set, or several where integers come as a range. */
function elementsOf(base: BaseType, text: string, resolve: ResolveSymbol): readonly Atom[] {
  if (base.atom !== 'integer') return [readAtomText(base, text, resolve)];
  const range = rangeOf(base, text);
  if (range !== null) return range;
  const one = integerOfText(text) ?? fail(`"${text}" is not a valid integer or range`);
  return [checked(one, base)];
}

class Reader {
  readonly source: string;
  readonly type: DatumType;
  at = 0;
  readonly keys: Atom[] = [];
  readonly values: Atom[] = [];

  constructor(source: string, type: DatumType) {
    this.source = source;
    this.type = type;
  }

  skipSpaces(): string {
    while (/\s/.test(this.source[this.at] ?? '')) this.at++;
    return this.source[this.at] ?? '';
  }

  token(): string {
    const { text, end } = readToken(this.source, this.at);
    if (end === this.at) {
      fail(
        this.at === this.source.length
          ? `unexpected end of input parsing ${typeText(this.type)}`
          : `${this.source}: unexpected "${this.source[this.at]}" parsing ${typeText(this.type)}`,
      );
    }
    this.at = end;
    return text;
  }

  element(resolve: ResolveSymbol): void {
    const { key, value } = this.type;
    const keyText = this.token();
    if (value === null) {
      this.keys.push(...elementsOf(key, keyText, resolve));
      return;
    }
    this.keys.push(readAtomText(key, keyText, resolve));
    const sign = this.skipSpaces();
    // At the end of the text there is a null byte, where the original's message stops.
    if (sign === '') fail(`${this.source}: syntax error at "`);
    if (sign !== '=') fail(`${this.source}: syntax error at "${sign}" expecting "="`);
    this.at++;
    this.skipSpaces();
    this.values.push(readAtomText(value, this.token(), resolve));
  }
}

function sorted(keys: readonly Atom[], values: readonly Atom[] | null, source: string): Datum {
  const order = keys.map((_, i) => i).sort((a, b) => compareAtoms(keys[a], keys[b]));
  if (order.some((at, i) => i > 0 && keys[at] === keys[order[i - 1]])) {
    fail(
      `${source}: ${values === null ? 'set contains duplicate value' : 'map contains duplicate key'}`,
    );
  }
  return {
    keys: order.map((i) => keys[i]),
    values: values === null ? null : order.map((i) => values[i]),
  };
}

/** A column's value. Throws VsctlError. */
export function readDatumText(type: DatumType, source: string, resolve: ResolveSymbol): Datum {
  const isMap = type.value !== null;
  const reader = new Reader(source, type);
  const first = reader.skipSpaces();
  let close = '';
  if (first === (isMap ? '{' : '[')) {
    close = isMap ? '}' : ']';
    reader.at++;
  } else if (first === '') {
    fail(isMap ? 'use "{}" to specify the empty map' : 'use "[]" to specify the empty set');
  }
  for (let next = reader.skipSpaces(); next !== '' && next !== close; next = reader.skipSpaces()) {
    reader.element(resolve);
    if (reader.skipSpaces() === ',') reader.at++;
  }
  if (close !== '') {
    if (reader.skipSpaces() !== close) fail(`${source}: missing "${close}" at end of data`);
    reader.at++;
    if (reader.skipSpaces() !== '') fail(`${source}: trailing garbage after "${close}"`);
  }
  const count = reader.keys.length;
  const things = isMap ? 'pair(s)' : 'value(s)';
  if (count < type.min) {
    fail(`${source}: ${count} ${things} specified but the minimum number is ${type.min}`);
  }
  if (count > type.max) {
    fail(
      `${source}: ${count} ${things} specified but the maximum number is ${countText(type.max)}`,
    );
  }
  return sorted(reader.keys, isMap ? reader.values : null, source);
}
