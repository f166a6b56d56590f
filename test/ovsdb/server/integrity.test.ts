/** What must hold when a transaction ends: references, sizes, indexes. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { errorOf, insert, named, select, setup, uuidOf } from './support/small-schema.ts';

describe('references', () => {
  it('a row without references goes, and what only it referred to', () => {
    const client = setup();
    client.transact(
      insert('Leaf', { name: 'end' }, 'end'),
      insert('Leaf', { name: 'middle', next: named('end') }, 'middle'),
      insert('Root', { name: 'a', child: named('middle') }),
      insert('Leaf', { name: 'nobody' }),
    );
    const names = (): Json =>
      ((client.transact(select('Leaf', [], 'name'))[0] as JsonObject).rows as JsonObject[]).map(
        ({ name }) => name,
      );
    expect(names()).toEqual(['end', 'middle']);
    client.transact({ op: 'update', table: 'Root', where: [], row: { child: ['set', []] } });
    expect(names()).toEqual([]);
  });

  it('a strong reference holds its row and needs one', () => {
    const client = setup();
    const [{ uuid }] = client.transact(
      insert('Leaf', { name: 'l' }, 'l'),
      insert('Root', { name: 'a', child: named('l') }),
    ) as unknown as [{ uuid: [string, string] }];
    expect(errorOf(client.transact({ op: 'delete', table: 'Leaf', where: [] }))).toEqual([
      'referential integrity violation',
      `cannot delete Leaf row ${uuid[1]} because of 1 remaining reference(s)`,
    ]);
    const missing = client.transact(insert('Root', { name: 'b', number: 2, child: named('none') }));
    expect(missing).toHaveLength(2);
    expect(errorOf(missing)[1]).toMatch(
      /^Table Root column child row \S+ references nonexistent row \S+ in table Leaf\.$/,
    );
    client.transact(
      { op: 'delete', table: 'Leaf', where: [] },
      { op: 'delete', table: 'Root', where: [] },
    );
    expect(client.transact(select('Leaf'))).toEqual([{ rows: [] }]);
  });

  it('a reference to itself holds no row', () => {
    const client = setup();
    client.transact(insert('Leaf', { name: 'me', next: named('me') }, 'me'));
    expect(client.transact(select('Leaf'))).toEqual([{ rows: [] }]);
  });

  it('weak references to what is gone go, unless the column must not be empty', () => {
    const client = setup();
    const [, leaf] = client.transact(
      insert('Root', { name: 'a', child: named('l'), likes: named('l') }),
      insert('Leaf', { name: 'l' }, 'l'),
      insert('Needy', { one: named('l') }),
    );
    expect(client.transact(select('Root', [], 'likes'))).toEqual([
      { rows: [{ likes: uuidOf(leaf) }] },
    ]);
    const free: Json = { op: 'update', table: 'Root', where: [], row: { child: ['set', []] } };
    expect(errorOf(client.transact(free))[1]).toMatch(
      /^Deletion of 1 weak reference\(s\) to deleted \(or never-existing\) rows from column "one" in "Needy" row \S+ caused this column to become empty/,
    );
    client.transact({ op: 'delete', table: 'Needy', where: [] }, free);
    expect(client.transact(select('Root', [], 'likes'))).toEqual([
      { rows: [{ likes: ['set', []] }] },
    ]);
    expect(errorOf(client.transact(insert('Needy', {})))[1]).toMatch(/contained all-zeros UUID/);
  });
});

describe('limits of tables', () => {
  it('maxRows counts at the end', () => {
    const client = setup();
    client.transact(insert('Single', { kind: 'a' }));
    expect(errorOf(client.transact(insert('Single', { kind: 'b' })))).toEqual([
      'constraint violation',
      'transaction causes "Single" table to contain 2 rows, greater than the schema-defined limit of 1 row(s)',
    ]);
    const swap = client.transact(
      { op: 'delete', table: 'Single', where: [] },
      insert('Single', { kind: 'b' }),
    );
    expect(errorOf(swap)).toEqual([undefined, undefined]);
  });

  it('indexes are unique at the end, not in between', () => {
    const client = setup();
    const [a] = client.transact(insert('Root', { name: 'a' })) as unknown as [
      { uuid: [string, string] },
    ];
    const [error, details] = errorOf(client.transact(insert('Root', { name: 'a', number: 5 })));
    expect(error).toBe('constraint violation');
    expect(details).toContain(
      'Transaction causes multiple rows in "Root" table to have identical values (a) for index on column "name".',
    );
    expect(details).toContain(
      `, with UUID ${a.uuid[1]}, existed in the database before this transaction and was not modified by the transaction.`,
    );
    expect(details).toContain('was inserted by this transaction.');
    expect(errorOf(client.transact(insert('Root', { name: 'z' })))[1]).toContain(
      '(0, false) for index on columns "number" and "flag"',
    );
    const swapped = client.transact(
      { op: 'update', table: 'Root', where: [], row: { name: 'b', number: 3 } },
      insert('Root', { name: 'a' }),
    );
    expect(errorOf(swapped)).toEqual([undefined, undefined]);
  });
});
