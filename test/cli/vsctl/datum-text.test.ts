import { describe, expect, it, test } from 'vitest';
import { readColumnKey, readColumnKeyValue } from '../../../src/cli/vsctl/column-argument.ts';
import { readAtomText, readDatumText } from '../../../src/cli/vsctl/datum-text.ts';
import { unescapeJson } from '../../../src/cli/vsctl/json-unescape.ts';
import { findColumn, findTable } from '../../../src/cli/vsctl/names.ts';
import { SCHEMA } from '../../../src/cli/vsctl/schema.ts';
import { datumText } from '../../../src/ovsdb/server/datum.ts';

const column = (table: string, name: string) => findColumn(findTable(SCHEMA, table), name);

/** What a text means for a column, written as it would be printed. */
function read(table: string, name: string, text: string): string {
  const { type } = column(table, name);
  return datumText(readDatumText(type, text, null), type);
}

describe('values', () => {
  test.each([
    ['Port', 'tag', '5', '5'],
    ['Port', 'tag', '[]', '[]'],
    ['Port', 'tag', ' [ 5 ] ', '5'],
    ['Port', 'trunks', '3,1 2', '[1, 2, 3]'],
    ['Port', 'trunks', '7-9,1', '[1, 7, 8, 9]'],
    ['Port', 'trunks', '1,', '[1]'],
    ['Bridge', 'stp_enable', 'on', 'true'],
    ['Bridge', 'external_ids', 'a=b,"c d"="e\\"f" g = h', '{a=b, "c d"="e\\"f", g=h}'],
    ['Bridge', 'external_ids', '{}', '{}'],
    ['Bridge', 'external_ids', 'a=b\\ c', '{a="b c"}'],
    ['Interface', 'cfm_mpid', '9223372036854775807', '9223372036854775807'],
    ['Interface', 'type', '""', '""'],
    [
      'Bridge',
      'external_ids',
      'u=00000000-0000-0000-0000-000000000000',
      '{u="00000000-0000-0000-0000-000000000000"}',
    ],
  ])('%s.%s: %s is %s', (table, name, text, expected) => {
    expect(read(table, name, text)).toBe(expected);
  });

  test.each([
    ['Port', 'tag', '', 'use "[]" to specify the empty set'],
    ['Bridge', 'external_ids', '', 'use "{}" to specify the empty map'],
    ['Port', 'tag', '1,2', '1,2: 2 value(s) specified but the maximum number is 1'],
    ['Port', 'tag', 'x', '"x" is not a valid integer or range'],
    ['Port', 'tag', '9', undefined],
    [
      'Port',
      'tag',
      '4096',
      'constraint violation: 4096 is not in the valid range 0 to 4095 (inclusive)',
    ],
    ['Port', 'trunks', '1,1', '1,1: set contains duplicate value'],
    ['Port', 'trunks', '3-1', '"3-1" is not a valid range. Range end cannot be before start.'],
    ['Port', 'trunks', '[1', '[1: missing "]" at end of data'],
    ['Port', 'trunks', '[1]2', '[1]2: trailing garbage after "]"'],
    ['Port', 'trunks', ',1', ',1: unexpected "," parsing set of up to 4096 integers'],
    ['Bridge', 'external_ids', 'a:b', 'a:b: syntax error at ":" expecting "="'],
    ['Bridge', 'external_ids', 'a=b,a=c', 'a=b,a=c: map contains duplicate key'],
    ['Bridge', 'external_ids', 'a="b', '"b: quoted string extends past end of argument'],
    ['Bridge', 'stp_enable', 'maybe', '"maybe" is not a valid boolean (use "true" or "false")'],
    ['Bridge', 'mirrors', 'abc', '"abc" is not a valid UUID'],
    ['Bridge', 'mirrors', '@m', '"@m" is not a valid UUID'],
    [
      'Bridge',
      'fail_mode',
      'no',
      'constraint violation: no is not one of the allowed values ([secure, standalone])',
    ],
    [
      'Interface',
      'cfm_mpid',
      '9223372036854775808',
      '"9223372036854775808" is not a valid integer or range',
    ],
  ])('%s.%s: %s gives %s', (table, name, text, message) => {
    if (message === undefined) expect(read(table, name, text)).toBe(text);
    else expect(() => read(table, name, text)).toThrow(message);
  });

  it('takes the row behind a name where there is one', () => {
    const { key } = column('Bridge', 'mirrors').type;
    expect(readAtomText(key, '@m', (name) => `uuid of ${name}`)).toBe('uuid of @m');
  });

  it('refuses ranges that would fill memory', () => {
    const { type } = column('Interface', 'cfm_remote_mpids');
    expect(() => readDatumText(type, '1-4097', null)).toThrow(
      'Range size cannot be larger than 4096.',
    );
    expect(readDatumText(type, '1-4096', null).keys).toHaveLength(4096);
  });
});

describe('columns of arguments', () => {
  const port = findTable(SCHEMA, 'port');

  it('takes the longest operator that has a value behind it', () => {
    const operators = ['=', '<', '<=', '{<=}'];
    const parts = (text: string) => {
      const { column, key, operator, value } = readColumnKeyValue(port, text, operators);
      return [column.name, key, operator, value];
    };
    expect(parts('tag<=5')).toEqual(['tag', null, '<=', '5']);
    expect(parts('tag<=')).toEqual(['tag', null, '<', '=']);
    expect(parts('ext:"a b"{<=}x=y')).toEqual(['external_ids', '"a b"', '{<=}', 'x=y']);
  });

  test.each([
    ['tag', 'tag: argument does not end in "=" followed by a value.'],
    ['=x', '=x: missing column name'],
    ['s=1', 'Port contains more than one column whose name matches "s": statistics, status'],
    ['xx=1', 'Port does not contain a column whose name matches "xx"'],
  ])('%s: %s', (text, message) => {
    expect(() => readColumnKeyValue(port, text)).toThrow(message);
  });

  it('refuses what stands behind a key', () => {
    expect(() => readColumnKey(port, 'external_ids:a:b')).toThrow(
      'external_ids:a:b: trailing garbage ":b" in argument',
    );
  });

  it('knows tables by their beginnings', () => {
    expect(findTable(SCHEMA, 'netf').name).toBe('NetFlow');
    expect(findTable(SCHEMA, 'ct-zone').name).toBe('CT_Zone');
    expect(() => findTable(SCHEMA, 'ct')).toThrow(
      '"ct" matches multiple table names: CT_Timeout_Policy, CT_Zone',
    );
    expect(() => findTable(SCHEMA, 'xx')).toThrow('unknown table "xx"');
  });
});

describe('escapes', () => {
  test.each([
    ['a\\n\\t\\\\\\"\\/', 'a\n\t\\"/'],
    ['\\u0041\\u00e9', 'Aé'],
    ['\\ud83d\\ude00', '😀'],
  ])('%s', (text, expected) => {
    expect(unescapeJson(text)).toEqual({ text: expected });
  });

  test.each([
    ['a"b', 'quoted string may not include unescaped "'],
    ['\\q', 'bad escape \\q'],
    ['\\', 'quoted string may not end with backslash'],
    ['\\u12', 'quoted string ends within \\u escape'],
    ['\\uzzzz', 'malformed \\u escape'],
    ['\\u0000', 'null bytes not supported in quoted strings'],
    ['\\ud83d', 'malformed escaped surrogate pair'],
    ['\\ud83d\\u0041', 'second half of escaped surrogate pair is not trailing surrogate'],
    ['a\tb', 'U+0009 must be escaped in quoted string'],
  ])('%s: %s', (text, error) => {
    expect(unescapeJson(text)).toEqual({ error });
  });
});
