/** The <value> codec of RFC 7047: round trips of random values, and wrong types as error values. */
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/ovsdb/json-stream.ts';
import {
  type Atom,
  type AtomName,
  type ColumnType,
  decodeValue,
  defaultValue,
  encodeValue,
  sameValue,
  type Value,
} from '../../src/ovsdb/value.ts';

/** xorshift32: the same values in every run. */
function seeded(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const ATOMS: readonly AtomName[] = ['integer', 'real', 'boolean', 'string', 'uuid'];

function randomAtom(atom: AtomName, random: (below: number) => number): Atom {
  switch (atom) {
    case 'integer':
      return random(0xffffffff) * (random(2) ? 1 : -1) * (random(3) ? 1 : 4096);
    case 'real':
      return random(0xffffff) / 256;
    case 'boolean':
      return random(2) === 1;
    case 'string':
      return String.fromCodePoint(...Array.from({ length: random(8) }, () => 1 + random(0x800)));
    case 'uuid': {
      const hex = Array.from({ length: 32 }, () => random(16).toString(16)).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    }
  }
}

function randomCase(random: (below: number) => number): { type: ColumnType; value: Value } {
  const atom = ATOMS[random(ATOMS.length)];
  const many = () => [
    ...new Set(Array.from({ length: random(5) }, () => randomAtom(atom, random))),
  ];
  switch (random(4)) {
    case 0:
      return { type: { kind: 'atom', atom }, value: randomAtom(atom, random) };
    case 1:
      return {
        type: { kind: 'optional', atom },
        value: random(2) ? randomAtom(atom, random) : null,
      };
    case 2:
      return { type: { kind: 'set', atom }, value: many() };
    default: {
      const value = ATOMS[random(ATOMS.length)];
      const map = new Map(many().map((key) => [key, randomAtom(value, random)]));
      return { type: { kind: 'map', key: atom, value }, value: map };
    }
  }
}

describe('the <value> codec', () => {
  it('gives back what it encoded, over the wire, for values of every type', () => {
    const random = seeded(4711);
    for (let i = 0; i < 3000; i++) {
      const { type, value } = randomCase(random);
      const wire: Json = JSON.parse(JSON.stringify(encodeValue(type, value)));
      const decoded = decodeValue(type, wire);
      expect(decoded).toEqual({ ok: true, value });
      expect(decoded.ok && sameValue(decoded.value, value)).toBe(true);
    }
  });

  it('never throws, and accepts nothing of another type', () => {
    const random = seeded(99);
    for (let i = 0; i < 3000; i++) {
      const a = randomCase(random);
      const b = randomCase(random);
      const decoded = decodeValue(a.type, encodeValue(b.type, b.value));
      if (decoded.ok)
        expect(decodeValue(a.type, encodeValue(a.type, decoded.value))).toEqual(decoded);
    }
  });

  it('reads a lone atom as a set and a set of one as an atom', () => {
    expect(decodeValue({ kind: 'set', atom: 'string' }, 'x')).toEqual({ ok: true, value: ['x'] });
    expect(decodeValue({ kind: 'atom', atom: 'integer' }, ['set', [5]])).toEqual({
      ok: true,
      value: 5,
    });
    expect(decodeValue({ kind: 'optional', atom: 'integer' }, ['set', []])).toEqual({
      ok: true,
      value: null,
    });
  });

  it.each<[ColumnType, Json]>([
    [{ kind: 'atom', atom: 'integer' }, 1.5],
    [{ kind: 'atom', atom: 'integer' }, '1'],
    [{ kind: 'atom', atom: 'string' }, ['set', ['a', 'b']]],
    [{ kind: 'atom', atom: 'uuid' }, ['uuid', 'not-one']],
    [{ kind: 'atom', atom: 'uuid' }, '97c8b0a8-6ba3-4ee5-afad-6fb88eee19ac'],
    [{ kind: 'optional', atom: 'string' }, ['set', ['a', 'b']]],
    [{ kind: 'set', atom: 'boolean' }, ['set', [true, null]]],
    [{ kind: 'set', atom: 'string' }, ['map', []]],
    [{ kind: 'map', key: 'string', value: 'string' }, { a: 'b' }],
    [{ kind: 'map', key: 'string', value: 'string' }, ['map', [['a']]]],
    [{ kind: 'map', key: 'string', value: 'integer' }, ['map', [['a', 'b']]]],
  ])('refuses for %j the value %j', (type, json) => {
    expect(decodeValue(type, json).ok).toBe(false);
  });

  it('names a row of the same transaction by its uuid-name', () => {
    expect(encodeValue({ kind: 'set', atom: 'uuid' }, ['row0'])).toEqual([
      'set',
      [['named-uuid', 'row0']],
    ]);
  });

  it('takes sets and maps as equal whatever their order', () => {
    expect(sameValue(['a', 'b'], ['b', 'a'])).toBe(true);
    expect(sameValue(['a', 'b'], ['b', 'c'])).toBe(false);
    expect(
      sameValue(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
        new Map([
          ['b', 2],
          ['a', 1],
        ]),
      ),
    ).toBe(true);
    expect(sameValue(new Map([['a', 1]]), new Map([['a', 2]]))).toBe(false);
    expect(sameValue(null, defaultValue({ kind: 'optional', atom: 'string' }))).toBe(true);
  });
});
