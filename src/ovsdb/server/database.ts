/**
 * The committed state of one database: tables of rows, with what makes commits cheap (reference counts, indexes).
 *
 * Rows are immutable; a change puts another object in the place. Only a transaction that passed all checks writes here
 * (commit.ts), so a reader always sees a whole state.
 */

import { jsonText } from '../exact-json.ts';
import {
  type Column,
  type DatabaseSchema,
  type TableSchema,
  UUID_COLUMN,
} from './database-schema.ts';
import { type Datum, datumJson } from './datum.ts';

export interface Row {
  /** By Column.index. */
  readonly fields: readonly Datum[];
  /** Strong references from other rows to this one. */
  readonly references: number;
}

export const uuidOf = (row: Row): string => row.fields[UUID_COLUMN].keys[0] as string;

export class Table {
  readonly schema: TableSchema;
  readonly rows = new Map<string, Row>();
  /** Of each index of the schema: text of the values to UUID. */
  readonly indexes: readonly Map<string, string>[];

  constructor(schema: TableSchema) {
    this.schema = schema;
    this.indexes = schema.indexes.map(() => new Map());
  }
}

/** One row's part of a committed transaction. */
export interface RowChange {
  readonly table: Table;
  readonly uuid: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

export class Database {
  readonly schema: DatabaseSchema;
  readonly tables: ReadonlyMap<string, Table>;

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    this.tables = new Map([...schema.tables].map(([name, table]) => [name, new Table(table)]));
  }

  get rowCount(): number {
    let count = 0;
    for (const { rows } of this.tables.values()) count += rows.size;
    return count;
  }
}

/** The values of an index's columns as a text: equal texts mean equal values. */
export const indexKey = (columns: readonly Column[], fields: readonly Datum[]): string =>
  columns.length === 1 && columns[0].type.max === 1 && fields[columns[0].index].keys.length === 1
    ? String(fields[columns[0].index].keys[0])
    : jsonText(columns.map(({ index, type }) => datumJson(fields[index], type)));
