import { describe, expect, it } from 'vitest';
import { Attempt, type RowRef } from '../../../src/cli/vsctl/attempt.ts';
import { assign } from '../../../src/cli/vsctl/change-commands.ts';
import { SCHEMA } from '../../../src/cli/vsctl/schema.ts';
import { Database } from '../../../src/ovsdb/server/database.ts';
import { type Datum, single } from '../../../src/ovsdb/server/datum.ts';
import { countingUuids } from '../../ovsdb/server/support/served.ts';

const BRIDGE = 'aaaaaaaa-0000-4000-8000-000000000001';

/** An attempt on a database with one bridge, whose columns are these. */
function onBridge(values: Readonly<Record<string, Datum>>): { attempt: Attempt; bridge: RowRef } {
  const db = new Database(SCHEMA);
  const table = db.tables.get('Bridge');
  if (table === undefined) throw new Error('no table Bridge');
  const fields = table.schema.columns.map(({ name, initial }) => values[name] ?? initial);
  fields[0] = single(BRIDGE);
  table.rows.set(BRIDGE, { fields, references: 0 });
  return { attempt: new Attempt(db, countingUuids()), bridge: { table, uuid: BRIDGE } };
}

const where = [['_uuid', '==', ['uuid', BRIDGE]]];
const set = (...keys: number[]): Datum => ({ keys, values: null });
const map = (entries: Record<string, string>): Datum => ({
  keys: Object.keys(entries),
  values: Object.values(entries),
});

describe('operations of an attempt', () => {
  it('are none when nothing is to change', () => {
    const { attempt, bridge } = onBridge({ stp_enable: single(true) });
    assign(attempt, bridge, 'stp_enable=true');
    attempt.verifyNamed(bridge, 'name');
    expect(attempt.operations()).toEqual([]);
  });

  it('wait for what was looked at to be as it was', () => {
    const { attempt, bridge } = onBridge({ name: single('br0'), flood_vlans: set(1, 2) });
    attempt.verifyNamed(bridge, 'flood_vlans');
    assign(attempt, bridge, 'stp_enable=true');
    expect(attempt.operations()).toEqual([
      {
        op: 'wait',
        table: 'Bridge',
        timeout: 0,
        where,
        columns: ['flood_vlans'],
        until: '==',
        rows: [{ flood_vlans: ['set', [1, 2]] }],
      },
      { op: 'update', table: 'Bridge', where, row: { stp_enable: true } },
    ]);
  });

  it('add to a set whatever it holds by then', () => {
    const { attempt, bridge } = onBridge({ flood_vlans: set(1) });
    attempt.add(bridge, attempt.column(bridge, 'flood_vlans'), set(5));
    attempt.add(bridge, attempt.column(bridge, 'flood_vlans'), set(6));
    expect(attempt.keys(bridge, 'flood_vlans')).toEqual([1, 5, 6]);
    expect(attempt.operations()).toEqual([
      {
        op: 'mutate',
        table: 'Bridge',
        where,
        mutations: [['flood_vlans', 'insert', ['set', [5, 6]]]],
      },
    ]);
  });

  it('set the whole column where something depends on it', () => {
    const { attempt, bridge } = onBridge({ flood_vlans: set(1) });
    attempt.add(bridge, attempt.column(bridge, 'flood_vlans'), set(5));
    attempt.verifyNamed(bridge, 'flood_vlans');
    expect(attempt.operations()[1]).toEqual({
      op: 'update',
      table: 'Bridge',
      where,
      row: { flood_vlans: ['set', [1, 5]] },
    });
  });

  it('replace single keys of a map', () => {
    const { attempt, bridge } = onBridge({ external_ids: map({ a: '1', b: '2' }) });
    for (const text of ['a=1', 'b=3', 'c=4']) assign(attempt, bridge, `external_ids:${text}`);
    expect(attempt.operations()).toEqual([
      {
        op: 'mutate',
        table: 'Bridge',
        where,
        mutations: [
          ['external_ids', 'delete', ['set', ['b']]],
          [
            'external_ids',
            'insert',
            [
              'map',
              [
                ['b', '3'],
                ['c', '4'],
              ],
            ],
          ],
        ],
      },
    ]);
  });

  it('name rows that they insert, unless the user chose the UUID', () => {
    const { attempt, bridge } = onBridge({});
    const own = attempt.insert(attempt.table('Mirror'));
    const chosen = attempt.insert(attempt.table('Mirror'), 'bbbbbbbb-0000-4000-8000-000000000002');
    attempt.setRefs(bridge, 'mirrors', [own, chosen]);
    const name = attempt.insertName(own.uuid);
    expect(attempt.operations()).toEqual([
      { op: 'insert', table: 'Mirror', 'uuid-name': name, row: {} },
      { op: 'insert', table: 'Mirror', uuid: chosen.uuid, row: {} },
      {
        op: 'update',
        table: 'Bridge',
        where,
        row: {
          mirrors: [
            'set',
            [
              ['named-uuid', name],
              ['uuid', chosen.uuid],
            ],
          ],
        },
      },
    ]);
  });

  it('leave rows of tables that are no roots to the server', () => {
    const { attempt, bridge } = onBridge({});
    attempt.delete(bridge);
    expect(attempt.operations()).toEqual([]);
  });
});
