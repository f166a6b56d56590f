/**
 * A copy of the database that follows it by `monitor` updates (RFC 7047 section 4.1.6).
 *
 * Rows are immutable objects in one Map per table. An update is decoded and checked whole before anything of
 * it is committed, so a reader always sees the state after some transaction, and garbage changes nothing.
 * The content survives a lost connection: the switch goes on with its last configuration, and the next
 * initial state is compared with it so that equal rows keep their identity.
 */
import { isObject, type Json } from './json-stream.ts';
import {
  columnType,
  isTable,
  type Row,
  SCHEMA,
  TABLES,
  type TableName,
  type UsableColumns,
} from './schema.ts';
import { type ColumnType, decodeValue, defaultValue, sameValue, type Value } from './value.ts';

/** A row as the code that does not know its table sees it. */
type AnyRow = { readonly uuid: string } & { readonly [column: string]: Value };

interface RowChange {
  readonly table: TableName;
  readonly uuid: string;
  readonly kind: 'insert' | 'modify' | 'delete';
  /** Names of the columns that differ; empty for insert and delete. */
  readonly columns: readonly string[];
}

/** What one committed update changed. */
export interface ReplicaChange {
  /** True for the first state after a connection. */
  readonly initial: boolean;
  readonly rows: readonly RowChange[];
}

export type ReplicaResult =
  | { readonly ok: true; readonly change: ReplicaChange }
  | { readonly ok: false; readonly error: string };

/** Read access to the replica: what the pure functions of config/ take. */
export interface Database {
  rows<T extends TableName>(table: T): ReadonlyMap<string, Row<T>>;
  row<T extends TableName>(table: T, uuid: string): Row<T> | undefined;
  /** The one row of the Open_vSwitch table, null in a database that nobody has initialized. */
  root(): Row<'Open_vSwitch'> | null;
  /** False for a column that the server's schema lacks: it reads as its default and must not be written. */
  hasColumn(table: TableName, column: string): boolean;
}

const emptyTables = (): Record<TableName, Map<string, AnyRow>> =>
  Object.fromEntries(TABLES.map((table) => [table, new Map()])) as Record<
    TableName,
    Map<string, AnyRow>
  >;

function defaultRow(table: TableName, uuid: string): AnyRow {
  const row: Record<string, Value> & { uuid: string } = { uuid };
  for (const [column, type] of Object.entries<ColumnType>(SCHEMA[table])) {
    row[column] = defaultValue(type);
  }
  return row;
}

/** `base` with the columns of `json` in place, or an error text. Values that stay the same keep their identity. */
function overlay(table: TableName, base: AnyRow, json: Json): AnyRow | string {
  if (!isObject(json)) return `row ${base.uuid} of ${table} is not an object`;
  const row: Record<string, Value> & { uuid: string } = { ...base };
  for (const [column, wire] of Object.entries(json)) {
    const type = columnType(table, column);
    if (type === undefined) return `unknown column ${table}.${column}`;
    const decoded = decodeValue(type, wire);
    if (!decoded.ok) return `${table}.${column}: ${decoded.error}`;
    if (!sameValue(row[column], decoded.value)) row[column] = decoded.value;
  }
  return row;
}

const changedColumns = (table: TableName, before: AnyRow, after: AnyRow): string[] =>
  Object.keys(SCHEMA[table]).filter((column) => !sameValue(before[column], after[column]));

export class Replica implements Database {
  private tables = emptyTables();
  private usable: ReadonlyMap<TableName, ReadonlySet<string>> = new Map();

  rows<T extends TableName>(table: T): ReadonlyMap<string, Row<T>> {
    return this.tables[table] as ReadonlyMap<string, AnyRow> as unknown as ReadonlyMap<
      string,
      Row<T>
    >;
  }

  row<T extends TableName>(table: T, uuid: string): Row<T> | undefined {
    return this.rows(table).get(uuid);
  }

  root(): Row<'Open_vSwitch'> | null {
    for (const row of this.rows('Open_vSwitch').values()) return row;
    return null;
  }

  hasColumn(table: TableName, column: string): boolean {
    return this.usable.get(table)?.has(column) ?? false;
  }

  /** Replaces everything by the reply to `monitor`. */
  load(initial: Json, usable: UsableColumns): ReplicaResult {
    if (!isObject(initial)) return { ok: false, error: 'initial state is not an object' };
    const tables = emptyTables();
    const rows: RowChange[] = [];
    for (const [table, updates] of Object.entries(initial)) {
      if (!isTable(table)) return { ok: false, error: `unknown table ${table}` };
      if (!isObject(updates)) return { ok: false, error: `${table} is not an object` };
      for (const [uuid, update] of Object.entries(updates)) {
        if (!isObject(update) || update.new === undefined) {
          return { ok: false, error: `row ${uuid} of ${table} has no initial value` };
        }
        const row = overlay(table, defaultRow(table, uuid), update.new);
        if (typeof row === 'string') return { ok: false, error: row };
        const before = this.tables[table].get(uuid);
        const columns = before === undefined ? [] : changedColumns(table, before, row);
        if (before !== undefined && columns.length === 0) {
          tables[table].set(uuid, before);
          continue;
        }
        tables[table].set(uuid, row);
        rows.push({ table, uuid, kind: before === undefined ? 'insert' : 'modify', columns });
      }
    }
    for (const table of TABLES) {
      for (const uuid of this.tables[table].keys()) {
        if (!tables[table].has(uuid)) rows.push({ table, uuid, kind: 'delete', columns: [] });
      }
    }
    this.tables = tables;
    this.usable = new Map([...usable].map(([table, columns]) => [table, new Set(columns)]));
    return { ok: true, change: { initial: true, rows } };
  }

  /** Applies the <table-updates> of an `update` notification, all of it or, with an error, nothing. */
  apply(updates: Json): ReplicaResult {
    if (!isObject(updates)) return { ok: false, error: 'update is not an object' };
    const commits: { table: TableName; uuid: string; row: AnyRow | null }[] = [];
    const rows: RowChange[] = [];
    for (const [table, rowUpdates] of Object.entries(updates)) {
      if (!isTable(table)) return { ok: false, error: `unknown table ${table}` };
      if (!isObject(rowUpdates)) return { ok: false, error: `update of ${table} is not an object` };
      for (const [uuid, update] of Object.entries(rowUpdates)) {
        const about = `row ${uuid} of ${table}`;
        if (!isObject(update)) return { ok: false, error: `update of ${about} is not an object` };
        const before = this.tables[table].get(uuid);
        if (update.new === undefined) {
          if (update.old === undefined) return { ok: false, error: `empty update of ${about}` };
          if (before === undefined) return { ok: false, error: `deletion of unknown ${about}` };
          commits.push({ table, uuid, row: null });
          rows.push({ table, uuid, kind: 'delete', columns: [] });
          continue;
        }
        if (update.old === undefined && before !== undefined) {
          return { ok: false, error: `insertion of existing ${about}` };
        }
        if (update.old !== undefined && before === undefined) {
          return { ok: false, error: `modification of unknown ${about}` };
        }
        const row = overlay(table, before ?? defaultRow(table, uuid), update.new);
        if (typeof row === 'string') return { ok: false, error: row };
        const columns = before === undefined ? [] : changedColumns(table, before, row);
        commits.push({ table, uuid, row });
        rows.push({ table, uuid, kind: before === undefined ? 'insert' : 'modify', columns });
      }
    }
    for (const { table, uuid, row } of commits) {
      if (row === null) this.tables[table].delete(uuid);
      else this.tables[table].set(uuid, row);
    }
    return { ok: true, change: { initial: false, rows } };
  }
}
