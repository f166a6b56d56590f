/**
 * A client's view of a database that follows its commits (RFC 7047 section 4.1.5, ovsdb-server(7) "Monitor_cond", "Monitor_cond_since").
 *
 * Three dialects: `monitor` tells old and new values, `monitor_cond` differences of rows that meet conditions, and `monitor_cond_since`
 * the same with the id of the transaction, from which a client that lost its connection may go on.
 */
import { isObject, type Json, type JsonObject } from '../json-stream.ts';
import { type Clause, meetsAny, readCondition } from './condition.ts';
import type { Database, Row, RowChange, Table } from './database.ts';
import { type Column, UUID_COLUMN } from './database-schema.ts';
import { datumJson, difference, equalData } from './datum.ts';
import { syntaxError } from './failure.ts';
import { Members } from './members.ts';

export type MonitorMethod = 'monitor' | 'monitor_cond' | 'monitor_cond_since';

const KINDS = ['initial', 'insert', 'delete', 'modify'] as const;
type Kind = (typeof KINDS)[number];
type Select = ReadonlySet<Kind>;

interface MonitoredColumn {
  readonly column: Column;
  readonly select: Select;
}

interface MonitoredTable {
  readonly columns: readonly MonitoredColumn[];
  readonly select: Select;
  where: readonly Clause[];
}

const ALL: Select = new Set(KINDS);

function readSelect(json: Json | undefined, table: string): Select {
  if (json === undefined) return ALL;
  const members = new Members(json, `table ${table} select`);
  const select = new Set(KINDS.filter((kind) => members.optional(kind, 'boolean') ?? true));
  members.finish();
  return select;
}

/** One <monitor-request>; its columns are added to `columns`. */
function readRequest(
  { schema }: Table,
  json: Json,
  columns: Map<Column, MonitoredColumn>,
  isConditional: boolean,
): { select: Select; where: Clause[] } {
  const members = new Members(json, `table ${schema.name}`);
  const where = isConditional ? (members.optional('where', 'array') ?? []) : [];
  const names = members.optional('columns', 'array');
  const selectJson = members.optional('select', 'object');
  members.finish();
  const select = readSelect(selectJson, schema.name);
  const add = (column: Column): void => {
    if (columns.has(column))
      throw syntaxError(names, `column ${column.name} mentioned more than once`);
    columns.set(column, { column, select });
  };
  if (names === undefined) {
    for (const column of schema.columns) if (column.index !== UUID_COLUMN) add(column);
  } else {
    for (const name of names) {
      if (typeof name !== 'string') throw syntaxError(names, 'array of column names expected');
      const column = schema.byName.get(name);
      if (column === undefined) throw syntaxError(names, `${name} is not a valid column name`);
      add(column);
    }
  }
  return { select, where: readCondition(schema, where, null) };
}

function tableOf(db: Database, name: string): Table {
  const table = db.tables.get(name);
  if (table === undefined) throw syntaxError(undefined, `no table named ${name}`);
  return table;
}

export class Monitor {
  id: Json;
  readonly method: MonitorMethod;
  readonly db: Database;
  private readonly tables = new Map<Table, MonitoredTable>();

  /** Reads <monitor-requests>. Throws OvsdbFailure. */
  constructor(id: Json, method: MonitorMethod, db: Database, requests: Json) {
    this.id = id;
    this.method = method;
    this.db = db;
    if (!isObject(requests)) throw syntaxError(requests, 'monitor-requests must be object');
    for (const [name, json] of Object.entries(requests)) {
      const table = tableOf(db, name);
      const columns = new Map<Column, MonitoredColumn>();
      const parts = (Array.isArray(json) ? json : [json]).map((part) =>
        readRequest(table, part, columns, method !== 'monitor'),
      );
      this.tables.set(table, {
        columns: [...columns.values()],
        select: new Set(parts.flatMap(({ select }) => [...select])),
        where: parts.flatMap(({ where }) => where),
      });
    }
  }

  /** All rows, as the reply to the request tells them. */
  initial(): JsonObject {
    const updates: JsonObject = {};
    for (const [table, monitored] of this.tables) {
      const rows: JsonObject = {};
      for (const [uuid, row] of table.rows) {
        const update = this.rowUpdate(monitored, null, row, 'initial');
        if (update !== null) rows[uuid] = update;
      }
      if (Object.keys(rows).length > 0) updates[table.schema.name] = rows;
    }
    return updates;
  }

  /** What a commit changed of what is monitored, null for nothing. */
  update(changes: readonly RowChange[]): JsonObject | null {
    const updates: { [table: string]: JsonObject } = {};
    let isEmpty = true;
    for (const { table, uuid, before, after } of changes) {
      const monitored = this.tables.get(table);
      if (monitored === undefined) continue;
      const update = this.rowUpdate(monitored, before, after, 'insert');
      if (update === null) continue;
      isEmpty = false;
      const { name } = table.schema;
      updates[name] ??= {};
      updates[name][uuid] = update;
    }
    return isEmpty ? null : updates;
  }

  /** Replaces conditions and tells what comes and goes with that. Throws OvsdbFailure and changes nothing then. */
  changeConditions(requests: Json): JsonObject | null {
    if (!isObject(requests))
      throw syntaxError(undefined, 'monitor-cond-change-requests must be object');
    const wanted: [Table, MonitoredTable, Clause[]][] = [];
    for (const [name, json] of Object.entries(requests)) {
      const table = tableOf(this.db, name);
      const monitored = this.tables.get(table);
      if (monitored === undefined)
        throw syntaxError(undefined, `no table named ${name} in monitor session`);
      if (!Array.isArray(json))
        throw syntaxError(undefined, `table ${name} no monitor-cond-change JSON array`);
      for (const part of json) {
        const members = new Members(part, `table ${name}`);
        const columns = members.optional('columns', 'array');
        const where = members.optional('where', 'array') ?? [];
        members.finish();
        if (columns !== undefined) throw syntaxError(part, 'changing columns is unsupported');
        wanted.push([table, monitored, readCondition(table.schema, where, null)]);
      }
    }
    const updates: JsonObject = {};
    for (const [table, monitored, where] of wanted) {
      const rows: JsonObject = {};
      const old = monitored.where;
      for (const [uuid, row] of table.rows) {
        const was = meetsAny(old, row.fields);
        const is = meetsAny(where, row.fields);
        if (was === is) continue;
        const update = this.conditionalUpdate(
          monitored,
          was ? row : null,
          is ? row : null,
          'insert',
        );
        if (update !== null) rows[uuid] = update;
      }
      monitored.where = where;
      if (Object.keys(rows).length > 0) updates[table.schema.name] = rows;
    }
    return Object.keys(updates).length > 0 ? updates : null;
  }

  private rowUpdate(
    monitored: MonitoredTable,
    before: Row | null,
    after: Row | null,
    appears: 'initial' | 'insert',
  ): JsonObject | null {
    if (this.method === 'monitor') return plainUpdate(monitored, before, after, appears);
    const { where } = monitored;
    const was = before !== null && meetsAny(where, before.fields) ? before : null;
    const is = after !== null && meetsAny(where, after.fields) ? after : null;
    return this.conditionalUpdate(monitored, was, is, appears);
  }

  private conditionalUpdate(
    { columns, select }: MonitoredTable,
    before: Row | null,
    after: Row | null,
    appears: 'initial' | 'insert',
  ): JsonObject | null {
    if (after === null) return before === null || !select.has('delete') ? null : { delete: null };
    const row: JsonObject = {};
    if (before === null) {
      if (!select.has(appears)) return null;
      for (const { column, select: wanted } of columns) {
        const datum = after.fields[column.index];
        if (wanted.has(appears) && !equalData(datum, column.initial))
          row[column.name] = datumJson(datum, column.type);
      }
      return { [appears]: row };
    }
    let isChanged = false;
    for (const { column, select: wanted } of columns) {
      const [old, now] = [before.fields[column.index], after.fields[column.index]];
      if (!wanted.has('modify') || equalData(old, now)) continue;
      isChanged = true;
      row[column.name] = datumJson(difference(old, now, column.type), column.type);
    }
    return isChanged ? { modify: row } : null;
  }
}

function plainUpdate(
  { columns, select }: MonitoredTable,
  before: Row | null,
  after: Row | null,
  appears: 'initial' | 'insert',
): JsonObject | null {
  const kind: Kind = before === null ? appears : after === null ? 'delete' : 'modify';
  if (!select.has(kind)) return null;
  const old: JsonObject = {};
  const now: JsonObject = {};
  let isChanged = kind !== 'modify';
  for (const { column, select: wanted } of columns) {
    if (!wanted.has(kind)) continue;
    const { name, index, type } = column;
    const isEqual =
      before !== null && after !== null && equalData(before.fields[index], after.fields[index]);
    if (before !== null && !isEqual) {
      isChanged = true;
      old[name] = datumJson(before.fields[index], type);
    }
    if (after !== null) now[name] = datumJson(after.fields[index], type);
  }
  if (!isChanged) return null;
  const update: JsonObject = {};
  if (before !== null) update.old = old;
  if (after !== null) update.new = now;
  return update;
}
