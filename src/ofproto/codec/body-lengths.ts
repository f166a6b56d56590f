/**
 * How long bodies are: the least number of bytes, and the unit of what may follow (`24+8`: 24, 32, 40 and so on; `12`: exactly 12; `0+1`: any).
 * Checked before anything is decoded, so that a message of the wrong size is OFPBRC_BAD_LEN whatever else is wrong with it, as Open vSwitch
 * has it. By organisation (header.ts) and number, for versions.
 */
import type { Form } from './header.ts';

const LENGTHS: Readonly<Record<Form['organisation'], Readonly<Record<number, string>>>> = {
  of: {
    0: '1.0+ 0+1',
    1: '1.0+ 4+1',
    2: '1.0+ 0+1',
    3: '1.0+ 0+1',
    5: '1.0+ 0',
    6: '1.0-1.0 24+48, 1.1-1.2 24+64, 1.3+ 24',
    7: '1.0+ 0',
    8: '1.0+ 4',
    9: '1.0+ 4',
    10: '1.0-1.0 10+1, 1.1-1.1 16+1, 1.2-1.2 8+1, 1.3+ 16+1',
    11: '1.0-1.0 80, 1.1-1.4 40+8, 1.5+ 16+8',
    12: '1.0-1.0 56, 1.1-1.3 72, 1.4+ 48+8',
    13: '1.0-1.0 8+1, 1.1-1.4 16+1, 1.5+ 8+1',
    14: '1.0-1.0 64+8, 1.1+ 40+8',
    15: '1.1-1.4 8+8, 1.5+ 16+8, 1.0-1.0 24',
    16: '1.1-1.3 32, 1.4+ 24+8',
    17: '1.1-1.3 8, 1.4+ 8+8',
    18: '1.0-1.0 0',
    19: '1.0-1.0 0',
    20: '1.1+ 0, 1.0-1.0 4',
    21: '1.1+ 0, 1.0-1.0 8+8',
    22: '1.1-1.3 8',
    23: '1.1-1.3 8+8',
    24: '1.2+ 16',
    25: '1.2+ 16',
    26: '1.3-1.3 0, 1.4+ 0',
    27: '1.3-1.3 24, 1.4+ 0+8',
    28: '1.3-1.3 24, 1.4+ 0+8',
    29: '1.3+ 8+8',
    30: '1.4+ 16+8',
    31: '1.4+ 8+8',
    32: '1.4+ 8+8',
    33: '1.4+ 8+8',
    34: '1.4+ 8+1',
  },
  nx: {
    10: '1.0+ 4',
    11: '1.0+ 4',
    12: '1.0-1.0 4',
    13: '1.0+ 32+8',
    14: '1.0+ 40+8',
    15: '1.0+ 8',
    16: '1.0+ 4',
    17: '1.0+ 24+1',
    18: '1.0+ 0',
    19: '1.0+ 24',
    20: '1.0+ 8',
    21: '1.0-1.2 4',
    22: '1.0-1.2 0',
    23: '1.0-1.2 0',
    24: '1.0+ 8+8',
    25: '1.0+ 0',
    26: '1.0+ 16+8',
    27: '1.0-1.3 0+8',
    28: '1.0+ 0+8',
    29: '1.0+ 8',
    30: '1.0+ 0+8',
    31: '1.0-1.0 16+8',
    32: '1.0+ 8+8',
    132: '1.0-1.2 8+8',
  },
  onf: {
    1870: '1.3-1.3 4',
    1871: '1.3-1.3 0',
    1872: '1.3-1.3 0',
    1911: '1.3-1.3 16+8',
    2300: '1.3-1.3 8+8',
    2301: '1.3-1.3 8+1',
    2350: '1.3-1.3 8+8',
  },
  request: {
    0: '1.0+ 0',
    1: '1.0-1.0 44, 1.1+ 32+8',
    2: '1.0-1.0 44, 1.1-1.4 32+8, 1.5+ 32+8',
    3: '1.0+ 0',
    4: '1.0-1.0 8, 1.1+ 8',
    5: '1.0-1.0 8, 1.1+ 8',
    6: '1.1+ 8',
    7: '1.1-1.4 0, 1.5+ 8',
    8: '1.2+ 0',
    9: '1.3+ 8',
    10: '1.3+ 8',
    11: '1.3+ 0',
    12: '1.3+ 0+8',
    13: '1.0-1.4 0, 1.5+ 8',
    14: '1.4+ 0',
    15: '1.4+ 8',
    16: '1.4+ 0+8',
  },
  reply: {
    0: '1.0+ 1056',
    1: '1.0-1.0 0+1, 1.1-1.2 0+1, 1.3-1.4 0+1, 1.5+ 0+1',
    2: '1.0-1.4 24, 1.5+ 0+1',
    3: '1.0-1.0 0+64, 1.1-1.1 0+88, 1.2-1.2 0+128, 1.3+ 0+24',
    4: '1.0-1.0 0+104, 1.1-1.2 0+104, 1.3-1.3 0+112, 1.4+ 0+8',
    5: '1.0-1.0 0+32, 1.1-1.2 0+32, 1.3-1.3 0+40, 1.4+ 0+8',
    6: '1.1-1.2 0+8, 1.3+ 0+8',
    7: '1.1+ 0+8',
    8: '1.2+ 40',
    9: '1.3+ 0+8',
    10: '1.3+ 0+8',
    11: '1.3+ 16',
    12: '1.3+ 64+8',
    13: '1.0-1.0 0+48, 1.1-1.3 0+64, 1.4+ 0+8',
    14: '1.4+ 8+8',
    15: '1.4+ 0+8',
    16: '1.4+ 0+8',
  },
  'nx-request': {
    0: '1.0-1.0 8+8',
    1: '1.0-1.0 8+8',
    2: '1.0-1.2 0+8',
    3: '1.0+ 0',
    4: '1.0+ 0',
    7: '1.0-1.0 8',
    8: '1.0-1.0 8',
    9: '1.0-1.1 0',
  },
  'nx-reply': {
    0: '1.0-1.0 0+1',
    1: '1.0-1.0 24',
    2: '1.0-1.2 0+8',
    3: '1.0+ 88',
    4: '1.0+ 0+88',
    7: '1.0-1.0 0+8',
    8: '1.0-1.0 0+8',
    9: '1.0-1.1 40',
  },
  'onf-request': {
    1870: '1.3-1.3 0+8',
  },
  'onf-reply': {
    1870: '1.3-1.3 0+8',
  },
};

interface BodyLength {
  readonly first: number;
  readonly last: number;
  readonly least: number;
  /** 0 for nothing more. */
  readonly unit: number;
}

/** Version "1.3" of the text as the number in headers, 4. */
const wireVersion = (text: string): number => Number(text[2]) + 1;

function parse(text: string): BodyLength {
  const [versions, length] = text.split(' ');
  const [least, unit = '0'] = length.split('+');
  return {
    first: wireVersion(versions),
    last: versions.endsWith('+') ? 6 : wireVersion(versions.slice(-3)),
    least: Number(least),
    unit: Number(unit),
  };
}

/** True if a body of `bytes` can be one of this form in this version. */
export type LengthCheck = (bytes: number) => boolean;

/** The check of a form; a form without a length is a mistake in the tables. */
export function lengthCheck(
  form: Pick<Form, 'organisation' | 'number'>,
  version: number,
): LengthCheck {
  const rows = (LENGTHS[form.organisation][form.number] ?? '').split(', ').map(parse);
  const row = rows.find(({ first, last }) => first <= version && version <= last);
  if (row === undefined) throw new Error(`no length of ${form.organisation} ${form.number}`);
  const { least, unit } = row;
  if (unit === 0) return (bytes) => bytes === least;
  return (bytes) => bytes >= least && (bytes - least) % unit === 0;
}
