/** Framing: the same objects however the bytes are cut, and limits that hold. */
import { describe, expect, it } from 'vitest';
import { JsonStream } from '../../src/ovsdb/json-stream.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('JsonStream', () => {
  const objects = [{ a: 1 }, { 'br}ace"s': '}{][\\"\\\\' }, { deep: [[{ x: ['ü€𝄞'] }]] }, {}];
  const text = objects.map((object) => JSON.stringify(object)).join('\n ');

  it('finds the same objects however the bytes are cut', () => {
    const all = bytes(text);
    for (let size = 1; size <= all.length; size++) {
      const stream = new JsonStream();
      const found = [];
      for (let at = 0; at < all.length; at += size)
        found.push(...stream.push(all.subarray(at, at + size)));
      expect(found).toEqual(objects);
      expect(stream.error).toBeNull();
    }
  });

  it('does not depend on the chunk after push has returned', () => {
    const stream = new JsonStream();
    const chunk = bytes('{"key":"val');
    stream.push(chunk);
    chunk.fill(0x5d);
    expect(stream.push(bytes('ue"}'))).toEqual([{ key: 'value' }]);
  });

  it('returns the objects in front of garbage and then stays dead', () => {
    const stream = new JsonStream();
    expect(stream.push(bytes('{"a":1} nonsense {"b":2}'))).toEqual([{ a: 1 }]);
    expect(stream.error).toMatch(/unexpected byte 0x6e/);
    expect(stream.push(bytes('{"c":3}'))).toEqual([]);
  });

  it.each([
    ['an array instead of an object', '[1,2]'],
    ['a number', '17'],
    ['brackets that do not match', '{"a":[}]'],
    ['a bad escape', '{"a":"\\q"}'],
    ['no quotes', '{a:1}'],
  ])('refuses %s', (_, garbage) => {
    const stream = new JsonStream();
    expect(stream.push(bytes(garbage))).toEqual([]);
    expect(stream.error).not.toBeNull();
  });

  it('refuses bytes that are no UTF-8', () => {
    const stream = new JsonStream();
    stream.push(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]));
    expect(stream.error).not.toBeNull();
  });

  it('limits the size of an object, in one chunk or many', () => {
    const long = bytes(`{"a":"${'x'.repeat(100)}"}`);
    const whole = new JsonStream({ maxBytes: 50, maxDepth: 8 });
    expect(whole.push(long)).toEqual([]);
    expect(whole.error).toBe('object longer than 50 bytes');
    const pieces = new JsonStream({ maxBytes: 50, maxDepth: 8 });
    for (const byte of long) pieces.push(Uint8Array.of(byte));
    expect(pieces.error).toBe('object longer than 50 bytes');
    const fits = new JsonStream({ maxBytes: long.length, maxDepth: 8 });
    expect(fits.push(long)).toHaveLength(1);
  });

  it('limits nesting before parsing it', () => {
    const nested = (depth: number) => bytes(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
    const stream = new JsonStream({ maxBytes: 1 << 20, maxDepth: 8 });
    expect(stream.push(nested(8))).toHaveLength(1);
    expect(stream.push(nested(9))).toHaveLength(0);
    expect(stream.error).toBe('nested deeper than 8');
  });
});
