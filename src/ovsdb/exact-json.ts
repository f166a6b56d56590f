/**
 * JSON whose integers keep their 64 bits (RFC 7047 section 3.1, <integer>): those beyond 2^53 are bigints, all others numbers.
 *
 * Nearly no text has one, and a search for a long row of digits outside of strings costs little beside JSON.parse. Where there is one, it is
 * handed through JSON.parse as a string behind a mark that nobody else knows.
 */
import { randomUUID } from 'node:crypto';
import type { Json } from './json-stream.ts';

const LONG_DIGITS = /\d{16}/;
/** Strings, which are left alone, and long integers; what has a fraction or an exponent is a real. */
const TOKENS = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?[1-9]\d{15,}(?![\d.eE])/g;
const QUOTE = 0x22;
/** A new one for each process: no peer can write it. */
const MARK = `${randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

/** Throws SyntaxError. */
export function parseJson(text: string): Json {
  if (!LONG_DIGITS.test(text)) return JSON.parse(text) as Json;
  const marked = text.replace(TOKENS, (token) =>
    token.charCodeAt(0) === QUOTE ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK)
      ? integerOf(BigInt(value.slice(MARK.length)))
      : value,
  ) as Json;
}

/** The integer as a number if that is exact. */
export const integerOf = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;

export function jsonText(json: Json): string {
  try {
    return JSON.stringify(json);
  } catch (error) {
    // JSON.stringify refuses bigints.
    if (!(error instanceof TypeError)) throw error;
  }
  const text = JSON.stringify(json, (_, value: unknown) =>
    typeof value === 'bigint' ? MARK + value : value,
  );
  return text.replaceAll(MARKED, '$1');
}
