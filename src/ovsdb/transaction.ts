/**
 * Builder of the operations of one `transact` request (RFC 7047 section 5.2), typed by the schema.
 *
 * Columns that belong to the switch are written whole (`update`); of a map that users share, single keys are
 * set and deleted by mutation, so that nobody's keys are touched. Updates of one row become one operation.
 */
import type { Json, JsonObject } from './json-stream.ts';
import { type ColumnName, type Columns, columnType, type TableName } from './schema.ts';
import { encodeValue, type Value } from './value.ts';

/** One operation, ready to be sent. */
export type Operation = { readonly op: string } & Readonly<JsonObject>;

const whereUuid = (uuid: string): Json => [['_uuid', '==', ['uuid', uuid]]];

function encodeRow<T extends TableName>(table: T, columns: Partial<Columns<T>>): JsonObject {
  const row: JsonObject = {};
  for (const [column, value] of Object.entries(columns)) {
    row[column] = encodeColumn(table, column, value as Value);
  }
  return row;
}

function encodeColumn(table: TableName, column: string, value: Value): Json {
  const type = columnType(table, column);
  if (type === undefined) throw new TypeError(`no column ${table}.${column}`);
  return encodeValue(type, value);
}

export class Transaction {
  private readonly list: Operation[] = [];
  /** The row object of each update, by table and UUID. */
  private readonly updates = new Map<string, JsonObject>();
  private inserted = 0;

  get operations(): readonly Operation[] {
    return this.list;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Sets columns of a row. A row that has gone meanwhile is no error. */
  update<T extends TableName>(table: T, uuid: string, columns: Partial<Columns<T>>): this {
    const row = encodeRow(table, columns);
    if (Object.keys(row).length === 0) return this;
    const key = `${table} ${uuid}`;
    const earlier = this.updates.get(key);
    if (earlier !== undefined) {
      Object.assign(earlier, row);
      return this;
    }
    this.updates.set(key, row);
    this.list.push({ op: 'update', table, where: whereUuid(uuid), row });
    return this;
  }

  /** Sets keys of a map column and leaves all others as they are. */
  setKeys<T extends TableName>(
    table: T,
    uuid: string,
    column: ColumnName<T>,
    entries: ReadonlyMap<string, string | number>,
  ): this {
    if (entries.size === 0) return this;
    const mutations: Json[] = [
      [column, 'delete', ['set', [...entries.keys()]]],
      [column, 'insert', encodeColumn(table, column, entries)],
    ];
    this.list.push({ op: 'mutate', table, where: whereUuid(uuid), mutations });
    return this;
  }

  /** Deletes keys of a map column. */
  deleteKeys<T extends TableName>(
    table: T,
    uuid: string,
    column: ColumnName<T>,
    keys: readonly string[],
  ): this {
    if (keys.length === 0) return this;
    const mutations: Json[] = [[column, 'delete', ['set', [...keys]]]];
    this.list.push({ op: 'mutate', table, where: whereUuid(uuid), mutations });
    return this;
  }

  /** Inserts a row; the returned name stands for its UUID within this transaction. */
  insert<T extends TableName>(table: T, columns: Partial<Columns<T>>): string {
    const name = `row${this.inserted++}`;
    this.list.push({ op: 'insert', table, row: encodeRow(table, columns), 'uuid-name': name });
    return name;
  }

  delete(table: TableName, uuid: string): this {
    this.list.push({ op: 'delete', table, where: whereUuid(uuid) });
    return this;
  }

  /** Makes the transaction fail, as a conflict, unless the row still holds these values. */
  expect<T extends TableName>(table: T, uuid: string, columns: Partial<Columns<T>>): this {
    const row = encodeRow(table, columns);
    this.list.push({
      op: 'wait',
      timeout: 0,
      table,
      where: whereUuid(uuid),
      columns: Object.keys(row),
      until: '==',
      rows: [row],
    });
    return this;
  }

  /** A line for the database's log (ovsdb-tool show-log). */
  comment(text: string): this {
    this.list.push({ op: 'comment', comment: text });
    return this;
  }
}
