/**
 * A database's schema (RFC 7047 section 3.2): read from JSON, written as the server tells it.
 *
 * Every table has two columns that no schema names, `_uuid` and `_version`, at the indices 0 and 1 of each row.
 */
import type { Json, JsonObject } from '../json-stream.ts';
import { type Datum, defaultDatum, readDatum } from './datum.ts';
import { type DatumType, plain, readType, typeJson } from './datum-type.ts';
import { syntaxError } from './failure.ts';
import { isId, Members } from './members.ts';

export interface Column {
  readonly name: string;
  /** Place in a row's fields. */
  readonly index: number;
  readonly type: DatumType;
  readonly isMutable: boolean;
  /** False for ephemeral columns: not in the file. */
  readonly isPersistent: boolean;
  /** Shared by all rows that hold it. */
  readonly initial: Datum;
}

export interface TableSchema {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly byName: ReadonlyMap<string, Column>;
  /** Rows stay without anybody's reference. */
  readonly isRoot: boolean;
  readonly maxRows: number;
  /** Sets of columns whose values no two rows share. */
  readonly indexes: readonly (readonly Column[])[];
  readonly strongColumns: readonly Column[];
  readonly weakColumns: readonly Column[];
}

export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly cksum: string;
  readonly tables: ReadonlyMap<string, TableSchema>;
}

export const UUID_COLUMN = 0;
export const VERSION_COLUMN = 1;

const readEnum = (type: DatumType, json: Json) => readDatum(type, json, null).keys;

const isReference = ({ type: { key, value } }: Column, isWeak: boolean): boolean =>
  (key.refTable !== null && key.isWeak === isWeak) ||
  (value !== null && value.refTable !== null && value.isWeak === isWeak);

function readColumn(name: string, index: number, json: Json): Column {
  const members = new Members(json, `schema for column ${name}`);
  const isMutable = members.optional('mutable', 'boolean') ?? true;
  const isEphemeral = members.optional('ephemeral', 'boolean') ?? false;
  const type = readType(members.required('type', 'type'), readEnum);
  members.finish();
  return { name, index, type, isMutable, isPersistent: !isEphemeral, initial: defaultDatum(type) };
}

function standardColumn(name: string, index: number): Column {
  const type: DatumType = { key: plain('uuid'), value: null, min: 1, max: 1 };
  return { name, index, type, isMutable: false, isPersistent: false, initial: defaultDatum(type) };
}

function readTable(name: string, json: Json): TableSchema {
  const members = new Members(json, `table schema for table ${name}`);
  const columnsJson = members.required('columns', 'object');
  const maxRows = members.optional('maxRows', 'integer') ?? Number.POSITIVE_INFINITY;
  const isRoot = members.optional('isRoot', 'boolean') ?? false;
  const indexesJson = members.optional('indexes', 'array') ?? [];
  members.finish();
  if (maxRows <= 0) throw syntaxError(json, 'maxRows must be at least 1');
  const columns = [
    standardColumn('_uuid', UUID_COLUMN),
    standardColumn('_version', VERSION_COLUMN),
  ];
  for (const [column, columnJson] of Object.entries(columnsJson)) {
    if (!isId(column) || column.startsWith('_'))
      throw syntaxError(json, `name must be a valid id and not begin with "_": ${column}`);
    columns.push(readColumn(column, columns.length, columnJson));
  }
  const byName = new Map(columns.map((column) => [column.name, column]));
  const indexes = indexesJson.map((index) => {
    if (!Array.isArray(index) || index.length === 0)
      throw syntaxError(index, 'array of distinct column names expected');
    return readColumnList(byName, index);
  });
  return {
    name,
    columns,
    byName,
    isRoot,
    maxRows,
    indexes,
    strongColumns: columns.filter((column) => isReference(column, false)),
    weakColumns: columns.filter((column) => isReference(column, true)),
  };
}

/** Columns by name, each once. */
export function readColumnList(byName: ReadonlyMap<string, Column>, json: Json[]): Column[] {
  const columns = new Set<Column>();
  for (const name of json) {
    if (typeof name !== 'string')
      throw syntaxError(json, 'array of distinct column names expected');
    const column = byName.get(name);
    if (column === undefined) throw syntaxError(json, `${name} is not a valid column name`);
    if (columns.has(column)) throw syntaxError(json, 'array of distinct column names expected');
    columns.add(column);
  }
  return [...columns];
}

/** Throws OvsdbFailure for what is no schema. */
export function readSchema(json: Json): DatabaseSchema {
  const members = new Members(json, 'database schema');
  const name = members.required('name', 'id');
  const version = members.optional('version', 'string') ?? '';
  const cksum = members.optional('cksum', 'string') ?? '';
  const tablesJson = members.required('tables', 'object');
  // Written by other versions, of no meaning here.
  members.optional('$schema', 'string');
  members.finish();
  const tables = new Map<string, TableSchema>();
  for (const [table, tableJson] of Object.entries(tablesJson)) {
    if (!isId(table) || table.startsWith('_'))
      throw syntaxError(json, `name must be a valid id and not begin with "_": ${table}`);
    tables.set(table, readTable(table, tableJson));
  }
  for (const table of tables.values()) {
    for (const { name: column, type } of table.columns) {
      for (const base of [type.key, type.value]) {
        if (base !== null && base.refTable !== null && !tables.has(base.refTable))
          throw syntaxError(
            undefined,
            `Table ${table.name} column ${column} refers to undefined table ${base.refTable}.`,
          );
      }
    }
  }
  // A schema that names no root keeps all rows, as schemas did before there were roots.
  if ([...tables.values()].some(({ isRoot }) => isRoot)) return { name, version, cksum, tables };
  const rooted = [...tables].map(([key, table]) => [key, { ...table, isRoot: true }] as const);
  return { name, version, cksum, tables: new Map(rooted) };
}

function columnJson({ type, isMutable, isPersistent }: Column): Json {
  const json: JsonObject = { type: typeJson(type) };
  if (!isMutable) json.mutable = false;
  if (!isPersistent) json.ephemeral = true;
  return json;
}

export function schemaJson(schema: DatabaseSchema): JsonObject {
  const areAllRoots = [...schema.tables.values()].every(({ isRoot }) => isRoot);
  const tables: JsonObject = {};
  for (const table of schema.tables.values()) {
    const columns: JsonObject = {};
    for (const column of table.columns.slice(VERSION_COLUMN + 1))
      columns[column.name] = columnJson(column);
    const json: JsonObject = { columns };
    if (table.maxRows !== Number.POSITIVE_INFINITY) json.maxRows = table.maxRows;
    if (table.isRoot && !areAllRoots) json.isRoot = true;
    if (table.indexes.length > 0)
      json.indexes = table.indexes.map((index) => index.map(({ name }) => name));
    tables[table.name] = json;
  }
  const json: JsonObject = { name: schema.name };
  if (schema.version !== '') json.version = schema.version;
  if (schema.cksum !== '') json.cksum = schema.cksum;
  json.tables = tables;
  return json;
}
