import { expect, test } from 'vitest';
import { jsonText, parseJson } from '../../src/ovsdb/exact-json.ts';

test.each<[string, unknown]>([
  ['9007199254740991', 9007199254740991],
  ['9007199254740992', 9007199254740992n],
  ['-9007199254740993', -9007199254740993n],
  ['[9223372036854775807,-9223372036854775808]', [9223372036854775807n, -9223372036854775808n]],
  ['{"a":{"b":[1,12345678901234567890]}}', { a: { b: [1, 12345678901234567890n] } }],
  ['0000000000000001', SyntaxError],
  ['[1,1234567890123456789', SyntaxError],
])('an integer keeps its digits: %s', (text, value) => {
  if (value === SyntaxError) expect(() => parseJson(text)).toThrow(SyntaxError);
  else {
    expect(parseJson(text)).toEqual(value);
    expect(jsonText(parseJson(text))).toBe(text);
  }
});

test.each([
  '"1234567890123456789"',
  '["a\\"1234567890123456789", "\\\\", "1234567890123456789"]',
  '0.1234567890123456789',
  '1234567890123456789.5',
  '1234567890123456789e2',
  '1e-300',
  '{"1234567890123456789":true}',
])('strings and reals are as ever: %s', (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text));
  expect(jsonText(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
});
