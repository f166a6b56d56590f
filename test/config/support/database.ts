/** A replica in memory, filled as a server would: rows by short names that become UUIDs. */
import type { Json } from '../../../src/ovsdb/json-stream.ts';
import { Replica } from '../../../src/ovsdb/replica.ts';
import {
  type Columns,
  columnType,
  SCHEMA,
  TABLES,
  type TableName,
} from '../../../src/ovsdb/schema.ts';
import { encodeValue, type Value } from '../../../src/ovsdb/value.ts';

/** A UUID for a short name: its bytes in hex. */
export const uuidOf = (name: string): string => {
  const hex = Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

export const strings = (record: Record<string, string>): ReadonlyMap<string, string> =>
  new Map(Object.entries(record));

type Rows = { readonly [T in TableName]?: Readonly<Record<string, Partial<Columns<T>>>> };

/** `omit` names columns (Table.column) that this server lacks. */
export function database(rows: Rows, omit: readonly string[] = []): Replica {
  const initial: { [table: string]: Json } = {};
  for (const table of TABLES) {
    const updates: { [uuid: string]: Json } = {};
    for (const [name, columns] of Object.entries<Partial<Columns<TableName>>>(rows[table] ?? {})) {
      const row: { [column: string]: Json } = {};
      for (const [column, value] of Object.entries<Value>(columns as Record<string, Value>)) {
        const type = columnType(table, column);
        if (type === undefined) throw new Error(`no column ${table}.${column}`);
        row[column] = encodeValue(type, value);
      }
      updates[uuidOf(name)] = { new: row };
    }
    initial[table] = updates;
  }
  const usable = new Map(
    TABLES.map((table) => [
      table,
      Object.keys(SCHEMA[table]).filter((column) => !omit.includes(`${table}.${column}`)),
    ]),
  );
  const replica = new Replica();
  const loaded = replica.load(initial, usable);
  if (!loaded.ok) throw new Error(loaded.error);
  return replica;
}

/** A database with one bridge br0, its local port, and one more port as given. */
export function oneBridge(
  bridge: Partial<Columns<'Bridge'>> = {},
  port: Partial<Columns<'Port'>> = {},
  iface: Partial<Columns<'Interface'>> = {},
  root: Partial<Columns<'Open_vSwitch'>> = {},
): Replica {
  return database({
    Open_vSwitch: { root: { bridges: [uuidOf('br0')], next_cfg: 1, ...root } },
    Bridge: { br0: { name: 'br0', ports: [uuidOf('port-br0'), uuidOf('port-p1')], ...bridge } },
    Port: {
      'port-br0': { name: 'br0', interfaces: [uuidOf('if-br0')] },
      'port-p1': { name: 'p1', interfaces: [uuidOf('if-p1')], ...port },
    },
    Interface: { 'if-br0': { name: 'br0', type: 'internal' }, 'if-p1': { name: 'p1', ...iface } },
  });
}
