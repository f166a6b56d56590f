/**
 * The words of ovs-ofctl's flow syntax: `key`, `key=value`, `key:value` and `key(arguments)->rest`, separated by commas or
 * blanks outside of parentheses. Errors are thrown as SyntaxFault within this folder and become values at its edge.
 */
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';

/** The text is not understood; the message names the bad word. */
class SyntaxFault extends Error {}

export function fault(message: string): never {
  throw new SyntaxFault(message);
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

export function parsed<T>(read: () => T): Parsed<T> {
  try {
    return { ok: true, value: read() };
  } catch (e) {
    if (e instanceof SyntaxFault) return { ok: false, error: e.message };
    throw e;
  }
}

/** How names of ports and tables are understood; null for an unknown one. */
export interface NameLookup {
  readonly portByName?: (name: string) => OfPort | null;
  readonly tableByName?: (name: string) => number | null;
}

/** Splits where `separator` matches outside of parentheses and brackets; empty pieces are kept. */
function splitOutside(text: string, separator: RegExp): string[] {
  const pieces: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (depth === 0 && separator.test(c)) {
      pieces.push(text.slice(start, i));
      start = i + 1;
    }
  }
  if (depth !== 0) fault(`${text}: unbalanced parentheses`);
  pieces.push(text.slice(start));
  return pieces;
}

/** Arguments by commas, each without blanks around it; none for an empty text. */
export const splitArguments = (text: string): string[] =>
  text.trim() === '' ? [] : splitOutside(text, /,/).map((piece) => piece.trim());

export interface Word {
  readonly key: string;
  /** What stands behind "=", ":" or in parentheses; null for nothing. */
  readonly value: string | null;
  /** What follows "->". */
  readonly target: string | null;
}

const WORD = /^([^:=(\s]+)(?:[:=](.*)|\((.*)\)(?:->(.*))?)?$/s;

function word(text: string): Word {
  const found = WORD.exec(text) ?? fault(`${text}: syntax error`);
  const [, key, value, inner, target] = found;
  if (value !== undefined) {
    const arrow = value.indexOf('->');
    if (arrow < 0) return { key, value, target: null };
    return { key, value: value.slice(0, arrow), target: value.slice(arrow + 2) };
  }
  return { key, value: inner ?? null, target: target ?? null };
}

/** The words of a list. */
export const words = (text: string): Word[] =>
  splitOutside(text, /[,\s]/)
    .filter((piece) => piece !== '')
    .map(word);

/** A number, decimal or 0x; null for other text. */
export function integer(text: string): bigint | null {
  const digits = text.trim();
  return /^(0[xX][0-9a-fA-F]+|\d+)$/.test(digits) ? BigInt(digits) : null;
}

/** A number of at most `bits` bits. */
export function bigNumber(text: string, what: string, bits = 64): bigint {
  const value = integer(text);
  if (value !== null && value >> BigInt(bits) === 0n) return value;
  return fault(bits > 16 ? `invalid numeric format ${text}` : `invalid ${what} "${text}"`);
}

export const smallNumber = (text: string, what: string, bits = 16): number =>
  Number(bigNumber(text, what, bits));

const PORTS: Readonly<Record<string, number>> = {
  in_port: 0xfff8,
  table: 0xfff9,
  normal: 0xfffa,
  flood: 0xfffb,
  all: 0xfffc,
  controller: 0xfffd,
  local: 0xfffe,
  any: 0xffff,
  none: 0xffff,
  unset: 0xfff7,
};

/** A port by number, reserved name, or name of an interface. Null when it is none of these. */
export function portOf(text: string, names: NameLookup): OfPort | null {
  const reserved = PORTS[text.toLowerCase()];
  if (reserved !== undefined) return ofPort(reserved);
  if (/^\d+$/.test(text) || /^0x[0-9a-f]+$/i.test(text)) {
    const n = Number(text);
    if (n <= 0xffff) return ofPort(n);
    return n >= 0xffffff00 && n <= 0xffffffff ? ofPort(n - 0xffff0000) : null;
  }
  const name = text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return names.portByName?.(name) ?? null;
}

export const knownPort = (text: string, names: NameLookup): OfPort =>
  portOf(text, names) ?? fault(`${text}: unknown port`);

export function tableOf(text: string, names: NameLookup): number {
  if (/^\d+$/.test(text) && Number(text) <= 0xff) return Number(text);
  return names.tableByName?.(text) ?? fault(`unknown table "${text}"`);
}

export const number32 = (text: string, what: string): number => smallNumber(text, what, 32);

/** Keys and values of `a=1,b,c(2)`. */
export const options = (text: string | null): Map<string, string> =>
  new Map(words(text ?? '').map(({ key, value }) => [key, value ?? '']));

/** What must stand behind a word. */
export const need = (w: Word): string => w.value ?? fault(`${w.key}: argument required`);
