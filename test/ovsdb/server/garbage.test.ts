/** Requests in which something was replaced by something else: every one is answered, none ends the server or breaks the database. */
import { expect, it } from 'vitest';
import { isObject, type Json, type JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { type Database, indexKey } from '../../../src/ovsdb/server/database.ts';
import { random } from '../../packet/bytes.ts';
import { RandomTransactions } from './support/random-transactions.ts';
import { serve } from './support/served.ts';

const JUNK: Json[] = [
  ...[null, true, 0, -1, 1.5, 1e300, 2 ** 63, '', 'x', 'constructor', '__proto__', '_uuid'],
  ...([[], {}, ['set', []], ['map', []], ['uuid', 'x'], ['named-uuid', 'row0']] as Json[]),
  ...([['named-uuid', 5], ['set', [['set', []]]], ['map', [[1]]], { op: 'wait' }] as Json[]),
];

it('10,000 requests, half of them damaged, are answered', () => {
  const words = random(3);
  const below = (n: number): number => words() % n;
  const { client, db } = serve();
  const transactions = new RandomTransactions(5);
  /** `json` with one random place exchanged. */
  const damaged = (json: Json, depth = 0): Json => {
    const children = Array.isArray(json)
      ? json.length
      : isObject(json)
        ? Object.keys(json).length
        : 0;
    if (children === 0 || (depth > 1 && below(4) === 0)) return JUNK[below(JUNK.length)];
    const at = below(children);
    if (Array.isArray(json))
      return json.map((item, i) => (i === at ? damaged(item, depth + 1) : item));
    const entries = Object.entries(json as JsonObject);
    if (below(10) === 0) return Object.fromEntries([...entries, ['extra', 1]]);
    return Object.fromEntries(
      entries.flatMap(([name, value], i): [string, Json][] =>
        i !== at ? [[name, value]] : below(8) === 0 ? [] : [[name, damaged(value, depth + 1)]],
      ),
    );
  };
  const others: [string, Json[]][] = [
    ['monitor', ['Open_vSwitch', 'm', { Port: { columns: ['name'], select: { modify: true } } }]],
    [
      'monitor_cond',
      ['Open_vSwitch', 'c', { Port: [{ columns: ['name'], where: [['tag', '==', 3]] }] }],
    ],
    [
      'monitor_cond_since',
      ['Open_vSwitch', 's', { Port: [{}] }, '00000000-0000-0000-0000-000000000000'],
    ],
    ['monitor_cond_change', ['c', 'c', { Port: [{ where: [['tag', '<', 3]] }] }]],
    ['monitor_cancel', ['m']],
    ['lock', ['l']],
    ['unlock', ['l']],
    ['get_schema', ['Open_vSwitch']],
    ['echo', [{}]],
  ];
  for (const [method, params] of others) client.send(method, ...params);
  for (let i = 0; i < 10_000; i++) {
    const isTransaction = below(4) > 0;
    const [method, params] = isTransaction
      ? ['transact', ['Open_vSwitch', ...transactions.next()]]
      : others[below(others.length)];
    let bad = params as Json;
    // Half of them stay whole, or the database would stay empty.
    for (let times = below(2) * (1 + below(3)); times > 0; times--) bad = damaged(bad);
    client.received.length = 0;
    const wrong = client.session.receive({ method: method as string, params: bad, id: `${i}` });
    const isAnswered = client.received.some(({ id }) => id === `${i}`);
    // A wait without an end is the one request that need not be answered.
    if (wrong === null && !isAnswered) expect(JSON.stringify(bad)).toContain('"wait"');
  }
  expect(db.rowCount).toBeGreaterThan(10);
  expect(referencesOf(db)).toEqual(countedReferences(db));
  for (const { rows, indexes, schema } of db.tables.values()) {
    indexes.forEach((index, i) => {
      const keys = [...rows].map(([uuid, { fields }]) => [
        indexKey(schema.indexes[i], fields),
        uuid,
      ]);
      expect(new Map(index)).toEqual(new Map(keys as [string, string][]));
      expect(index.size).toBe(rows.size);
    });
  }
});

/** The counts that the rows hold. */
function referencesOf(db: Database): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { rows } of db.tables.values())
    for (const [uuid, { references }] of rows) if (references > 0) counts[uuid] = references;
  return counts;
}

/** The same, counted anew. */
function countedReferences(db: Database): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { rows, schema } of db.tables.values()) {
    for (const [uuid, { fields }] of rows) {
      for (const { index, type } of schema.strongColumns) {
        const { keys, values } = fields[index];
        const targets = type.key.refTable === null ? (values ?? []) : keys;
        for (const to of targets)
          if (to !== uuid) counts[to as string] = (counts[to as string] ?? 0) + 1;
      }
    }
  }
  return counts;
}
