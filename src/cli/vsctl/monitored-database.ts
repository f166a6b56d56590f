/**
 * The part of the database that a command line concerns, kept up to date by a monitor (ovsdb-server(7), "Monitor_cond").
 *
 * Its state is the embedded server's `Database`, without constraints: what a server says is taken as it is. Only the columns that were
 * asked for are there, others have their defaults. Columns that an older server lacks are left out.
 */
import { isObject, type Json, type JsonObject } from '../../ovsdb/json-stream.ts';
import { Database, type Table } from '../../ovsdb/server/database.ts';
import {
  type Column,
  type DatabaseSchema,
  UUID_COLUMN,
  VERSION_COLUMN,
} from '../../ovsdb/server/database-schema.ts';
import { applyDifference, type Datum, readDatum, single } from '../../ovsdb/server/datum.ts';
import { type DatumType, plain } from '../../ovsdb/server/datum-type.ts';
import { type Connection, replyErrorText } from './connection.ts';
import { ConnectionFailure } from './connection-failure.ts';

/** Columns by table name: what a command line reads. */
export class Wanted {
  readonly tables = new Map<string, Set<string>>();

  /** Rows of a table, and columns of them. */
  add(table: string, ...columns: readonly string[]): void {
    const all = this.tables.get(table) ?? new Set();
    this.tables.set(table, all);
    for (const column of columns) all.add(column);
  }
}

const MONITOR_ID = 'ts-vsctl';
const DATABASE = 'Open_vSwitch';

/** A column's type as its values arrive: anything of the right kind, in any number. */
const lenient = ({ key, value }: DatumType): DatumType => ({
  key: plain(key.atom),
  value: value === null ? null : plain(value.atom),
  min: 0,
  max: Number.POSITIVE_INFINITY,
});

type Known = { readonly [column: string]: Json };

/** Names of the tables of a schema, with their columns. */
function columnsOf(schema: Json): ReadonlyMap<string, Known> {
  const tables = new Map<string, Known>();
  if (!isObject(schema) || !isObject(schema.tables)) return tables;
  for (const [name, table] of Object.entries(schema.tables)) {
    if (isObject(table) && isObject(table.columns)) tables.set(name, table.columns);
  }
  return tables;
}

const requestsOf = (wanted: Wanted, known: ReadonlyMap<string, Known> | null): JsonObject => {
  const requests: JsonObject = {};
  for (const [table, columns] of wanted.tables) {
    const there = known?.get(table);
    if (known !== null && there === undefined) continue;
    const asked = [...columns].filter((column) => there === undefined || column in there);
    requests[table] = [{ columns: asked }];
  }
  return requests;
};

export class MonitoredDatabase {
  readonly db: Database;
  readonly connection: Connection;
  private readonly lenientTypes = new Map<Column, DatumType>();
  /** Fields of a row of which nothing is known. */
  private readonly initial = new Map<Table, readonly Datum[]>();
  /** Counts states, so that one can wait for another. */
  version = 0;
  private changed: () => void = () => {};

  private constructor(schema: DatabaseSchema, connection: Connection) {
    this.db = new Database(schema);
    this.connection = connection;
  }

  /** Throws ConnectionFailure. */
  static async load(
    schema: DatabaseSchema,
    connection: Connection,
    wanted: Wanted,
  ): Promise<MonitoredDatabase> {
    const state = new MonitoredDatabase(schema, connection);
    // Updates may come in one read with the initial state, before whoever waits for that has seen it.
    const early: Json[] = [];
    connection.notified = (method, params) => {
      if (method !== 'update2' || !Array.isArray(params)) return;
      if (state.version === 0) early.push(params[1]);
      else state.apply(params[1]);
    };
    const monitor = (known: ReadonlyMap<string, Known> | null) =>
      connection.request('monitor_cond', [DATABASE, MONITOR_ID, requestsOf(wanted, known)]);
    let reply = await monitor(null);
    if (!reply.ok) {
      // Some column may be one that this server does not have.
      const told = await connection.request('get_schema', [DATABASE]);
      if (!told.ok) throw new ConnectionFailure(replyErrorText(told.error));
      reply = await monitor(columnsOf(told.result));
    }
    if (!reply.ok) throw new ConnectionFailure(replyErrorText(reply.error));
    state.apply(reply.result);
    for (const updates of early) state.apply(updates);
    return state;
  }

  /** Resolves when there is a state of a later version. */
  async newerThan(version: number): Promise<void> {
    while (this.version <= version) {
      const why = await Promise.race([
        new Promise<null>((resolve) => {
          this.changed = () => resolve(null);
        }),
        this.connection.ended,
      ]);
      if (why !== null) throw new ConnectionFailure(why);
    }
  }

  private apply(updates: Json | undefined): void {
    if (!isObject(updates)) return;
    for (const [name, rows] of Object.entries(updates)) {
      const table = this.db.tables.get(name);
      if (table === undefined || !isObject(rows)) continue;
      for (const [uuid, change] of Object.entries(rows)) {
        if (isObject(change)) this.applyRow(table, uuid, change);
      }
    }
    this.version++;
    this.changed();
  }

  private applyRow(table: Table, uuid: string, change: JsonObject): void {
    if ('delete' in change) {
      table.rows.delete(uuid);
      return;
    }
    const { modify } = change;
    const before = table.rows.get(uuid);
    const told = modify ?? change.initial ?? change.insert;
    if (!isObject(told)) return;
    const fields = (
      modify !== undefined && before !== undefined ? before.fields : this.initialFields(table)
    ).slice();
    fields[UUID_COLUMN] = single(uuid);
    for (const [name, json] of Object.entries(told)) {
      const column = table.schema.byName.get(name);
      if (column === undefined || column.index <= VERSION_COLUMN) continue;
      const datum = this.read(column, json);
      fields[column.index] =
        modify === undefined ? datum : applyDifference(fields[column.index], datum, column.type);
    }
    table.rows.set(uuid, { fields, references: 0 });
  }

  private initialFields(table: Table): readonly Datum[] {
    const known = this.initial.get(table);
    if (known !== undefined) return known;
    const fields = table.schema.columns.map(({ initial }) => initial);
    this.initial.set(table, fields);
    return fields;
  }

  private read(column: Column, json: Json): Datum {
    // Most are a lone atom: of some hundred thousand values it counts.
    if (typeof json !== 'object') return single(json);
    if (Array.isArray(json) && json[0] === 'uuid') return single(json[1] as string);
    const type = this.lenientTypes.get(column) ?? lenient(column.type);
    this.lenientTypes.set(column, type);
    return readDatum(type, json, null);
  }
}
