/** The replica applies an update whole or not at all. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/ovsdb/json-stream.ts';
import { Replica } from '../../src/ovsdb/replica.ts';
import type { UsableColumns } from '../../src/ovsdb/schema.ts';

const A = '00000000-0000-0000-0000-00000000000a';
const B = '00000000-0000-0000-0000-00000000000b';
const usable: UsableColumns = new Map([
  ['Open_vSwitch', ['next_cfg']],
  ['Port', ['name', 'tag']],
]);

describe('Replica', () => {
  let replica: Replica;
  beforeEach(() => {
    replica = new Replica();
    const loaded = replica.load(
      {
        Port: { [A]: { new: { name: 'p1', tag: 10 } } },
        Open_vSwitch: { [B]: { new: { next_cfg: 3 } } },
      },
      usable,
    );
    expect(loaded.ok).toBe(true);
  });

  it('fills columns that were not sent with their defaults', () => {
    expect(replica.row('Port', A)).toMatchObject({
      uuid: A,
      name: 'p1',
      tag: 10,
      trunks: [],
      vlan_mode: null,
    });
    expect(replica.root()?.next_cfg).toBe(3);
    expect(replica.hasColumn('Port', 'tag')).toBe(true);
    expect(replica.hasColumn('Port', 'cvlans')).toBe(false);
  });

  it('tells which columns an update changed', () => {
    const before = replica.row('Port', A);
    const applied = replica.apply({
      Port: { [A]: { old: { tag: 10 }, new: { name: 'p1', tag: ['set', []] } } },
    });
    expect(applied).toEqual({
      ok: true,
      change: {
        initial: false,
        rows: [{ table: 'Port', uuid: A, kind: 'modify', columns: ['tag'] }],
      },
    });
    expect(replica.row('Port', A)?.tag).toBeNull();
    expect(before?.tag).toBe(10);
  });

  it('inserts and deletes', () => {
    expect(
      replica.apply({ Port: { [B]: { new: { name: 'p2' } }, [A]: { old: { name: 'p1' } } } }).ok,
    ).toBe(true);
    expect([...replica.rows('Port').keys()]).toEqual([B]);
  });

  it.each<[string, Json]>([
    ['no object', 7],
    ['an unknown table', { Nonsense: {} }],
    ['a prototype for a table', JSON.parse('{"__proto__": {"x": {"new": {}}}}')],
    ['a table that is no object', { Port: [] }],
    ['a row that is no object', { Port: { [B]: 'x' } }],
    ['an unknown column', { Port: { [B]: { new: { nonsense: 1 } } } }],
    ['a value of the wrong type', { Port: { [A]: { old: {}, new: { tag: 'ten' } } } }],
    [
      'modification of a row that is not there',
      { Port: { [B]: { old: { tag: 1 }, new: { tag: 2 } } } },
    ],
    ['deletion of a row that is not there', { Port: { [B]: { old: { tag: 1 } } } }],
    ['insertion of a row that is there', { Port: { [A]: { new: { tag: 2 } } } }],
    ['neither old nor new', { Port: { [A]: {} } }],
  ])('refuses %s and keeps its state, also what stands in front of the garbage', (_, garbage) => {
    const mixed =
      typeof garbage === 'object'
        ? { Open_vSwitch: { [B]: { old: {}, new: { next_cfg: 4 } } }, ...(garbage as object) }
        : garbage;
    expect(replica.apply(mixed as Json).ok).toBe(false);
    expect(replica.apply(garbage).ok).toBe(false);
    expect(replica.root()?.next_cfg).toBe(3);
    expect(replica.row('Port', A)?.tag).toBe(10);
    expect(replica.rows('Port').size).toBe(1);
  });

  it('keeps rows that a new connection brings unchanged, and tells the rest', () => {
    const port = replica.row('Port', A);
    const loaded = replica.load(
      { Port: { [A]: { new: { name: 'p1', tag: 10 } }, [B]: { new: { name: 'p2' } } } },
      usable,
    );
    expect(replica.row('Port', A)).toBe(port);
    expect(loaded).toMatchObject({
      ok: true,
      change: {
        initial: true,
        rows: [
          { table: 'Port', uuid: B, kind: 'insert' },
          { table: 'Open_vSwitch', uuid: B, kind: 'delete' },
        ],
      },
    });
  });

  it('keeps the old state when the new initial state is garbage', () => {
    expect(replica.load({ Port: { [B]: { new: { tag: {} } } } }, usable).ok).toBe(false);
    expect(replica.row('Port', A)?.name).toBe('p1');
  });
});
