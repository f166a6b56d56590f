/**
 * A database of one schema as one of another, as `ovsdb-tool convert` does: tables and columns of the same name are taken over, others are
 * left out or begin with their defaults.
 */
import { apply, prepare } from './commit.ts';
import { Database } from './database.ts';
import { type DatabaseSchema, VERSION_COLUMN } from './database-schema.ts';
import { datumJson, readDatum } from './datum.ts';
import { Transaction } from './transaction.ts';

/** True when `a` is a lower version than `b`; versions are numbers with dots. */
export function isOlder(a: string, b: string): boolean {
  const [as, bs] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(as.length, bs.length); i++) {
    const difference = (as[i] ?? 0) - (bs[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Throws OvsdbFailure where a value does not fit its new column. */
export function convert(from: Database, schema: DatabaseSchema, newUuid: () => string): Database {
  const db = new Database(schema);
  const txn = new Transaction(db, newUuid);
  for (const [name, table] of db.tables) {
    const old = from.tables.get(name);
    if (old === undefined) continue;
    const pairs = table.schema.columns.slice(VERSION_COLUMN + 1).flatMap((column) => {
      const source = old.schema.byName.get(column.name);
      return source === undefined ? [] : [[column, source] as const];
    });
    for (const [uuid, { fields }] of old.rows) {
      const values = pairs.map(([column, source]) => {
        const json = datumJson(fields[source.index], source.type);
        return [column, readDatum(column.type, json, null)] as const;
      });
      txn.insert(table, uuid, values);
    }
  }
  prepare(txn);
  apply(txn);
  return db;
}
