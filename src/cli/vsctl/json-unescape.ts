/** The inside of a quoted string as JSON has it (RFC 4627 section 2.5), with Open vSwitch's words for what is wrong. */

const SIMPLE: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const isLeading = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isTrailing = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

type Unescaped = { readonly text: string } | { readonly error: string };

/** The code unit of `\uXXXX` whose digits begin at `at`, or what is wrong with it. */
function unitAt(text: string, at: number): number | string {
  const digits = text.slice(at, at + 4);
  if (digits.length < 4) return 'quoted string ends within \\u escape';
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) return 'malformed \\u escape';
  const unit = Number.parseInt(digits, 16);
  return unit === 0 ? 'null bytes not supported in quoted strings' : unit;
}

export function unescapeJson(text: string): Unescaped {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const char = text[i++];
    if (char === '"') return { error: 'quoted string may not include unescaped "' };
    if (char < ' ') {
      const code = char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      return { error: `U+${code} must be escaped in quoted string` };
    }
    if (char !== '\\') {
      out += char;
      continue;
    }
    if (i === text.length) return { error: 'quoted string may not end with backslash' };
    const letter = text[i++];
    if (Object.hasOwn(SIMPLE, letter)) {
      out += SIMPLE[letter];
      continue;
    }
    if (letter !== 'u') return { error: `bad escape \\${letter}` };
    const unit = unitAt(text, i);
    if (typeof unit === 'string') return { error: unit };
    i += 4;
    out += String.fromCharCode(unit);
    if (!isLeading(unit)) continue;
    if (text.slice(i, i + 2) !== '\\u') return { error: 'malformed escaped surrogate pair' };
    const second = unitAt(text, i + 2);
    if (typeof second === 'string') return { error: second };
    if (!isTrailing(second)) {
      return { error: 'second half of escaped surrogate pair is not trailing surrogate' };
    }
    i += 6;
    out += String.fromCharCode(second);
  }
  return { text: out };
}
