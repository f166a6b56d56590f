/** Each operation of RFC 7047 section 5.2, with the errors in ovsdb-server's words. */
import { describe, expect, it } from 'vitest';
import { isObject, type Json, type JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { serve } from './support/served.ts';
import {
  errorOf,
  insert,
  named,
  SMALL_SCHEMA,
  select,
  setup,
  uuidOf,
} from './support/small-schema.ts';

describe('insert', () => {
  it('fills what is not given with defaults', () => {
    const client = setup();
    client.transact(insert('Root', { name: 'a', few: ['set', [3, 1]] }));
    const [{ rows }] = client.transact(select('Root')) as unknown as [{ rows: JsonObject[] }];
    const { _uuid, _version, ...columns } = rows[0];
    expect([_uuid, _version].every((id) => Array.isArray(id) && id[0] === 'uuid')).toBe(true);
    expect(columns).toEqual({
      name: 'a',
      number: 0,
      flag: false,
      real: 0,
      fixed: '',
      few: ['set', [1, 3]],
      maybe: ['set', []],
      options: ['map', []],
      child: ['set', []],
      likes: ['set', []],
      word: ['set', []],
    });
  });

  it('takes a given UUID once', () => {
    const client = setup();
    const uuid = '8801416b-5bd2-4c97-a2fd-557496128427';
    const op = { op: 'insert', table: 'Single', row: { kind: 'a' }, uuid };
    expect(client.transact(op)).toEqual([{ uuid: ['uuid', uuid] }]);
    expect(errorOf(client.transact(op))[0]).toBe('duplicate uuid');
    const again = client.transact({ op: 'delete', table: 'Single', where: [] }, op);
    expect(errorOf(again)[0]).toBe('duplicate uuid');
  });

  it('lets rows name one another before they exist', () => {
    const client = setup();
    const results = client.transact(
      insert('Root', { name: 'a', child: named('x') }),
      insert('Leaf', { name: 'l' }, 'x'),
    );
    expect(client.transact(select('Root', [], 'child'))).toEqual([
      { rows: [{ child: uuidOf(results[1]) }] },
    ]);
    expect(errorOf(client.transact(insert('Leaf', {}, 'x'), insert('Leaf', {}, 'x')))[0]).toBe(
      'duplicate uuid-name',
    );
  });

  it('checks every constraint', () => {
    const client = setup();
    const wrong: [JsonObject, string, string][] = [
      [{ few: 10 }, 'constraint violation', '10 is not in the valid range 0 to 9 (inclusive)'],
      [
        { few: ['set', [1, 2, 3, 4]] },
        'syntax error',
        'set must have 0 to 3 members but 4 are present',
      ],
      [{ few: ['set', [1, 1]] }, 'ovsdb error', 'set contains duplicate'],
      [
        {
          options: [
            'map',
            [
              ['a', 'b'],
              ['a', 'c'],
            ],
          ],
        },
        'ovsdb error',
        'map contains duplicate key',
      ],
      [{ options: 'x' }, 'syntax error', 'expected ["map", <array>]'],
      [{ word: 'x' }, 'constraint violation', '"x" length 1 is less than minimum allowed length 2'],
      [
        { word: 'äöüäö' },
        'constraint violation',
        '"äöüäö" length 5 is greater than maximum allowed length 4',
      ],
      [{ name: 5 }, 'syntax error', 'expected string'],
      [{ number: 1.5 }, 'syntax error', 'expected integer'],
      [{ flag: 1 }, 'syntax error', 'expected boolean'],
      [{ child: 'x' }, 'syntax error', 'expected ["uuid", <string>]'],
      [{ child: ['uuid', 'x'] }, 'syntax error', '"x" is not a valid UUID'],
      [{ none: 1 }, 'unknown column', 'No column none in table Root.'],
    ];
    for (const [row, tag, details] of wrong)
      expect(errorOf(client.transact(insert('Root', row)))).toEqual([tag, details]);
    expect(errorOf(client.transact(insert('Single', {})))).toEqual([
      'constraint violation',
      '"" is not one of the allowed values ([a, b])',
    ]);
    expect(client.transact(select('Root'))).toEqual([{ rows: [] }]);
  });
});

describe('conditions', () => {
  it('compare', () => {
    const client = setup();
    client.transact(
      insert('Root', {
        name: 'a',
        number: 1,
        maybe: 4,
        few: ['set', [1, 2]],
        options: ['map', [['k', 'v']]],
      }),
      insert('Root', { name: 'b', number: 2 }),
      insert('Root', { name: 'c', number: 3, few: 1 }),
    );
    const names = (...where: Json[]): Json => {
      const [{ rows }] = client.transact(select('Root', where, 'name')) as unknown as [
        { rows: JsonObject[] },
      ];
      return rows.map(({ name }) => name).join('');
    };
    expect(names(['number', '>', 1])).toBe('bc');
    expect(names(['number', '<=', 2], ['number', '!=', 1])).toBe('b');
    expect(names(['number', '<', 2])).toBe('a');
    expect(names(['number', '>=', 3])).toBe('c');
    expect(names(['maybe', '<', 9])).toBe('a');
    expect(names(['maybe', '==', ['set', []]])).toBe('bc');
    expect(names(['few', 'includes', 1])).toBe('ac');
    expect(names(['few', 'includes', ['set', [1, 2]]])).toBe('a');
    expect(names(['few', 'excludes', 1])).toBe('b');
    expect(names(['few', '==', ['set', [2, 1]]])).toBe('a');
    expect(names(['options', 'includes', ['map', [['k', 'v']]]])).toBe('a');
    expect(names(['options', 'excludes', ['map', [['k', 'v']]]])).toBe('bc');
    expect(names(['options', 'includes', ['map', [['k', 'w']]]])).toBe('');
    expect(names(true)).toBe('abc');
    expect(names(false)).toBe('');
    const wrong: [Json, string, string][] = [
      [['x', '==', 1], 'unknown column', 'No column x in table Root.'],
      [['name', '=', 1], 'unknown function', 'No function named =.'],
      [
        ['name', '<', 'x'],
        'syntax error',
        'Type mismatch: "<" operator may not be applied to column name of type string.',
      ],
      [
        ['options', '<', 1],
        'syntax error',
        'Type mismatch: "<" operator may not be applied to column options of type map of (string, string) pairs.',
      ],
      [
        ['few', '<', 1],
        'syntax error',
        'Type mismatch: "<" operator may not be applied to column few of type set of up to 3 integers.',
      ],
      [['name'], 'syntax error', 'Parse error in condition.'],
      [['name', '==', 'constructor', 1], 'syntax error', 'Parse error in condition.'],
      [['constructor', '==', 1], 'unknown column', 'No column constructor in table Root.'],
      [['name', 'constructor', 1], 'unknown function', 'No function named constructor.'],
    ];
    for (const [clause, tag, details] of wrong)
      expect(errorOf(client.transact(select('Root', [clause])))).toEqual([tag, details]);
  });

  it('select tells equal rows once unless they have their UUID', () => {
    const client = setup();
    client.transact(
      insert('Root', { name: 'a', number: 1 }),
      insert('Root', { name: 'b', number: 2 }),
    );
    expect(client.transact(select('Root', [], 'flag'))).toEqual([{ rows: [{ flag: false }] }]);
    const [{ rows }] = client.transact(select('Root', [], '_uuid', 'flag')) as unknown as [
      { rows: Json[] },
    ];
    expect(rows).toHaveLength(2);
    expect(errorOf(client.transact(select('Root', [], 'x')))).toEqual([
      'syntax error',
      'x is not a valid column name',
    ]);
    expect(errorOf(client.transact(select('Root', [], 'flag', 'flag')))[1]).toBe(
      'array of distinct column names expected',
    );
  });
});

describe('update, mutate, delete', () => {
  it('update changes what the condition finds and counts it', () => {
    const client = setup();
    client.transact(
      insert('Root', { name: 'a', number: 1 }),
      insert('Root', { name: 'b', number: 2 }),
    );
    expect(
      client.transact(
        { op: 'update', table: 'Root', where: [], row: { real: 2.5 } },
        select('Root', [['name', '==', 'b']], 'name', 'real'),
      ),
    ).toEqual([{ count: 2 }, { rows: [{ name: 'b', real: 2.5 }] }]);
    expect(
      errorOf(client.transact({ op: 'update', table: 'Root', where: [], row: { fixed: 'x' } })),
    ).toEqual(['constraint violation', 'Cannot update immutable column fixed in table Root.']);
  });

  it('mutate calculates, and adds to and takes from sets and maps', () => {
    const client = setup();
    client.transact(
      insert('Root', {
        name: 'a',
        number: 7,
        real: 1.5,
        few: ['set', [1, 3]],
        options: [
          'map',
          [
            ['a', '1'],
            ['b', '2'],
          ],
        ],
      }),
    );
    const mutated = (column: string, ...mutations: Json[]): Json => {
      const results = client.transact(
        { op: 'mutate', table: 'Root', where: [], mutations },
        select('Root', [], column),
        { op: 'abort' },
      );
      if ((results[0] as JsonObject).error) return errorOf(results);
      return ((results[1] as JsonObject).rows as JsonObject[])[0][column];
    };
    expect(mutated('number', ['number', '+=', 3], ['number', '*=', 2])).toBe(20);
    expect(mutated('number', ['number', '/=', -2])).toBe(-3);
    expect(mutated('number', ['number', '%=', 4], ['number', '-=', 10])).toBe(-7);
    expect(mutated('real', ['real', '/=', 2])).toBe(0.75);
    expect(mutated('few', ['few', '+=', 1])).toEqual(['set', [2, 4]]);
    expect(mutated('few', ['few', 'insert', 2], ['few', 'delete', ['set', [3, 9]]])).toEqual([
      'set',
      [1, 2],
    ]);
    expect(
      mutated('options', [
        'options',
        'insert',
        [
          'map',
          [
            ['a', 'x'],
            ['c', '3'],
          ],
        ],
      ]),
    ).toEqual([
      'map',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ]);
    expect(mutated('options', ['options', 'delete', ['set', ['a', 'z']]])).toEqual([
      'map',
      [['b', '2']],
    ]);
    expect(
      mutated('options', [
        'options',
        'delete',
        [
          'map',
          [
            ['a', '2'],
            ['b', '2'],
          ],
        ],
      ]),
    ).toEqual(['map', [['a', '1']]]);
    expect(mutated('number', ['number', '/=', 0])).toEqual(['domain error', 'Division by zero.']);
    expect(mutated('number', ['number', '*=', 9e18])).toEqual([
      'range error',
      'Result of "*=" operation is out of range.',
    ]);
    expect(mutated('real', ['real', '*=', 1e308], ['real', '*=', 1e308])).toEqual([
      'range error',
      'Result of "*=" operation is out of range.',
    ]);
    expect(mutated('few', ['few', '/=', 9])).toEqual([
      'constraint violation',
      'Result of "/=" operation contains duplicates.',
    ]);
    expect(mutated('few', ['few', '*=', 9])).toEqual([
      'constraint violation',
      '27 is not in the valid range 0 to 9 (inclusive)',
    ]);
    expect(mutated('few', ['few', 'insert', ['set', [4, 5]]])).toEqual([
      'constraint violation',
      'Attempted to store 4 elements in set of up to 3 integers.',
    ]);
    expect(mutated('name', ['name', '+=', 'x'])).toEqual([
      'syntax error',
      'Type mismatch: "+=" operator may not be applied to column name of type string.',
    ]);
    expect(mutated('real', ['real', '%=', 2])).toEqual([
      'syntax error',
      'Type mismatch: "%=" operator may not be applied to column real of type real.',
    ]);
    expect(mutated('number', ['number', 'insert', 2])).toEqual([
      'syntax error',
      'Type mismatch: "insert" operator may not be applied to column number of type integer.',
    ]);
    expect(mutated('number', ['number', 'toString', 2])).toEqual([
      'unknown mutator',
      'No mutator named toString.',
    ]);
    expect(mutated('fixed', ['fixed', 'insert', 'x'])).toEqual([
      'constraint violation',
      'Cannot mutate immutable column fixed in table Root.',
    ]);
  });

  it('an integer has 64 bits, all of them', () => {
    const client = setup();
    const root = (...mutations: Json[]): Json[] =>
      client.transact({ op: 'mutate', table: 'Root', where: [], mutations });
    const stored = (): Json => {
      const [result] = client.transact(select('Root', [], 'number'));
      return isObject(result) && Array.isArray(result.rows) ? result.rows[0] : null;
    };
    client.transact(insert('Root', { name: 'a', number: 2n ** 63n - 2n }));
    expect(stored()).toEqual({ number: 2n ** 63n - 2n });
    root(['number', '+=', 1]);
    expect(stored()).toEqual({ number: 2n ** 63n - 1n });
    expect(errorOf(root(['number', '+=', 1]))).toEqual([
      'range error',
      'Result of "+=" operation is out of range.',
    ]);
    root(['number', '/=', 4096]);
    expect(stored()).toEqual({ number: 2 ** 51 - 1 });
    root(['number', '*=', -4096]);
    expect(stored()).toEqual({ number: -(2n ** 63n) + 4096n });
    for (const wrong of [2n ** 63n, -(2n ** 63n) - 1n, 2 ** 63, 1e300]) {
      const details = errorOf(client.transact(insert('Root', { number: wrong })))[1];
      expect(details).toBe('expected integer');
    }
  });

  it('delete counts, and a failed operation undoes all before it and skips all behind', () => {
    const client = setup();
    client.transact(insert('Root', { name: 'a' }));
    const results = client.transact(
      { op: 'delete', table: 'Root', where: [] },
      { op: 'nonsense' },
      select('Root'),
    );
    expect(results[0]).toEqual({ count: 1 });
    expect(results[1]).toEqual({
      error: 'syntax error',
      details: 'Parsing ovsdb operation 2 of 3 failed: No operation "nonsense"',
      syntax: '{"op":"nonsense"}',
    });
    expect(results[2]).toBeNull();
    expect(client.transact(select('Root', [], 'name'))).toEqual([{ rows: [{ name: 'a' }] }]);
  });

  it('a version changes with its row and only then', () => {
    const client = setup();
    client.transact(insert('Root', { name: 'a' }));
    const version = (): Json =>
      ((client.transact(select('Root', [], '_version'))[0] as JsonObject).rows as JsonObject[])[0];
    const first = version();
    client.transact({ op: 'update', table: 'Root', where: [], row: { name: 'a' } });
    expect(version()).toEqual(first);
    client.transact({ op: 'update', table: 'Root', where: [], row: { name: 'b' } });
    expect(version()).not.toEqual(first);
  });
});

describe('the rest', () => {
  it('abort, comment, commit, assert', () => {
    const client = setup();
    expect(errorOf(client.transact(insert('Root', {}), { op: 'abort' }))).toEqual([
      'aborted',
      'aborted by request',
    ]);
    expect(client.transact(select('Root'))).toEqual([{ rows: [] }]);
    expect(
      client.transact({ op: 'comment', comment: 'x' }, { op: 'commit', durable: true }),
    ).toEqual([{}, {}]);
    expect(errorOf(client.transact({ op: 'assert', lock: 'l' }))).toEqual([
      'not owner',
      'Asserted lock l not held.',
    ]);
    client.call('lock', 'l');
    expect(client.transact({ op: 'assert', lock: 'l' })).toEqual([{}]);
  });

  it('says what is wrong with the form of an operation', () => {
    const client = setup();
    const wrong: [Json, string][] = [
      [5, 'Object expected.'],
      [{}, "Required 'op' member is missing."],
      [{ op: 'select', where: [] }, "Required 'table' member is missing."],
      [{ op: 'select', table: 5, where: [] }, "Type mismatch for member 'table'."],
      [{ op: 'select', table: 'None', where: [], x: 1 }, 'No table named None.'],
      [
        { op: 'select', table: 'Root', where: [], x: 1 },
        "Member 'x' is present but not allowed here.",
      ],
      [
        { op: 'select', table: 'Root', where: [], x: 1, y: 1 },
        "Member 'x' and 1 other member are present but not allowed here.",
      ],
      [{ op: 'commit', durable: 1 }, "Type mismatch for member 'durable'."],
      [{ op: 'toString' }, 'No operation "toString"'],
    ];
    for (const [op, why] of wrong)
      expect(errorOf(client.transact(op))).toEqual([
        'syntax error',
        `Parsing ovsdb operation 1 of 1 failed: ${why}`,
      ]);
  });

  it('wait holds, fails at once, or waits', () => {
    const { clock, client } = serve(SMALL_SCHEMA);
    client.transact(insert('Root', { name: 'a' }));
    const wait = (name: string, until: string, timeout?: number): Json => ({
      op: 'wait',
      table: 'Root',
      where: [],
      columns: ['name'],
      until,
      rows: [{ name }],
      ...(timeout === undefined ? {} : { timeout }),
    });
    expect(client.transact(wait('a', '==', 0))).toEqual([{}]);
    expect(errorOf(client.transact(wait('a', '!=', 0)))).toEqual([
      'timed out',
      '"where" clause test failed',
    ]);
    expect(errorOf(client.transact(wait('a', '~', 0)))[1]).toBe('"until" must be "==" or "!="');
    expect(errorOf(client.transact(wait('a', '==', -1)))[1]).toBe('timeout must be nonnegative');
    const soon = client.send('transact', 'Open_vSwitch', wait('b', '==', 100));
    const never = client.send('transact', 'Open_vSwitch', wait('c', '=='));
    const later = client.send(
      'transact',
      'Open_vSwitch',
      wait('b', '==', 1000),
      insert('Single', { kind: 'a' }),
    );
    clock.advance(100);
    expect(errorOf(client.replyTo(soon)?.result as Json[])).toEqual([
      'timed out',
      '"wait" timed out after 100 ms',
    ]);
    expect(client.replyTo(later)).toBeUndefined();
    client.transact({ op: 'update', table: 'Root', where: [], row: { name: 'b' } });
    expect(((client.replyTo(later) as JsonObject).result as Json[])[0]).toEqual({});
    client.session.receive({ method: 'cancel', params: [never], id: null });
    expect(client.replyTo(never)).toEqual({ id: never, result: null, error: 'canceled' });
  });
});
