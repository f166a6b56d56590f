/**
 * Log patterns: the `%` escapes that ovs-appctl(8) lists under vlog/set, compiled once per pattern.
 *
 * A pattern becomes a list of functions from a message to text; formatting a line is running them in order.
 */

/** What a pattern may show of one message. */
export interface LogMessage {
  /** Milliseconds since the epoch. */
  wallMs: number;
  /** Serial number within this process, from 1. */
  serial: number;
  module: string;
  /** Upper case: EMER ERR WARN INFO DBG. */
  level: string;
  text: string;
  /** Milliseconds since the process started. */
  uptimeMs: number;
  /** RFC 5424 PRI. */
  priority: number;
}

/** What a pattern may show of the process. */
export interface LogOrigin {
  application: string;
  hostname: string;
  pid: number;
  /** Empty for the main process, else `monitor` and the like. */
  subprogram: string;
}

export type LogFormat = (message: LogMessage) => string;

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const two = (n: number, fill = '0'): string => String(n).padStart(2, fill);

/** The parts of strftime(3) that a log pattern uses, and `#`: one more digit of the fraction of a second. */
function formatTime(template: string, wallMs: number, utc: boolean): string {
  // A local time is the UTC time of a moment shifted by the zone's offset.
  const zoneMin = utc ? 0 : new Date(wallMs).getTimezoneOffset();
  const t = new Date(wallMs - zoneMin * 60_000);
  const one = (letter: string): string => {
    switch (letter) {
      case 'Y':
        return String(t.getUTCFullYear());
      case 'y':
        return two(t.getUTCFullYear() % 100);
      case 'm':
        return two(t.getUTCMonth() + 1);
      case 'd':
        return two(t.getUTCDate());
      case 'e':
        return two(t.getUTCDate(), ' ');
      case 'H':
        return two(t.getUTCHours());
      case 'I':
        return two(t.getUTCHours() % 12 || 12);
      case 'p':
        return t.getUTCHours() < 12 ? 'AM' : 'PM';
      case 'M':
        return two(t.getUTCMinutes());
      case 'S':
        return two(t.getUTCSeconds());
      case 'b':
      case 'h':
        return MONTHS[t.getUTCMonth()].slice(0, 3);
      case 'B':
        return MONTHS[t.getUTCMonth()];
      case 'a':
        return DAYS[t.getUTCDay()].slice(0, 3);
      case 'A':
        return DAYS[t.getUTCDay()];
      case 'T':
        return `${one('H')}:${one('M')}:${one('S')}`;
      case 'F':
        return `${one('Y')}-${one('m')}-${one('d')}`;
      case 's':
        return String(Math.floor(wallMs / 1000));
      case 'z': {
        const minutes = Math.abs(zoneMin);
        return `${zoneMin > 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
      }
      case 'Z':
        return utc ? 'UTC' : '';
      case '%':
        return '%';
      default:
        return `%${letter}`;
    }
  };
  const fraction = String(t.getUTCMilliseconds()).padStart(3, '0');
  let digit = 0;
  return template.replace(/%(.)|#/g, (_whole, letter: string | undefined) =>
    letter === undefined ? (fraction[digit++] ?? '0') : one(letter),
  );
}

/** Compiles a pattern. An escape that is not known shows nothing, as in the original. */
export function compilePattern(pattern: string, origin: LogOrigin): LogFormat {
  const parts: LogFormat[] = [];
  const escapes = /%(-)?(0)?(\d+)?(?:([dD])\{([^}]*)\}|(.))/gs;
  let at = 0;
  for (const found of pattern.matchAll(escapes)) {
    const literal = pattern.slice(at, found.index);
    if (literal !== '') parts.push(() => literal);
    at = found.index + found[0].length;
    const [, left, zero, width, dateLetter, template, letter] = found;
    const expand = expansion(dateLetter ?? letter, template, origin);
    const columns = Math.min(Number(width ?? 0), 256);
    const fill = zero === undefined ? ' ' : '0';
    parts.push(
      columns === 0
        ? expand
        : left === undefined
          ? (message) => expand(message).padStart(columns, fill)
          : (message) => expand(message).padEnd(columns, fill),
    );
  }
  const rest = pattern.slice(at);
  if (rest !== '') parts.push(() => rest);
  return (message) => {
    let line = '';
    for (const part of parts) line += part(message);
    return line;
  };
}

function expansion(letter: string, template: string | undefined, origin: LogOrigin): LogFormat {
  switch (letter) {
    case 'A':
      return () => origin.application;
    case 'B':
      return (message) => String(message.priority);
    case 'c':
      return (message) => message.module;
    case 'd':
      return (message) => formatTime(template ?? '%Y-%m-%d %H:%M:%S', message.wallMs, false);
    case 'D':
      return (message) => formatTime(template ?? '%Y-%m-%d %H:%M:%S', message.wallMs, true);
    case 'E':
      return () => origin.hostname;
    case 'm':
      return (message) => message.text;
    case 'N':
      return (message) => String(message.serial);
    case 'n':
      return () => '\n';
    case 'p':
      return (message) => message.level;
    case 'P':
      return () => String(origin.pid);
    case 'r':
      return (message) => String(message.uptimeMs);
    case 't':
      return () => origin.subprogram || 'main';
    case 'T':
      return () => (origin.subprogram === '' ? '' : `(${origin.subprogram})`);
    case '%':
      return () => '%';
    default:
      return () => '';
  }
}
