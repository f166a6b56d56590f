/**
 * The text of a database file (ovsdb(5), "Standalone Format"): records of a header line with length and SHA-1, and JSON of that length.
 * The first holds the schema, each other a transaction: {table: {uuid: {column: value}}}, a row null when it goes, and of rows
 * that were there before only the differences (`_is_diff`).
 */
import { createHash } from 'node:crypto';
import { jsonText, parseJson } from '../exact-json.ts';
import type { Json, JsonObject } from '../json-stream.ts';
import { isObject } from '../json-stream.ts';
import type { Database, RowChange, Table } from './database.ts';
import type { TableSchema } from './database-schema.ts';
import {
  applyDifference,
  type Datum,
  datumJson,
  difference,
  equalData,
  isUuid,
  readDatum,
} from './datum.ts';
import { OvsdbFailure, syntaxError } from './failure.ts';
import type { Assignment, Transaction } from './transaction.ts';

const MAGIC = 'OVSDB JSON ';
const HEADER = /^OVSDB JSON (\d{1,10}) ([0-9a-f]{40})$/;
/** A header line is shorter: beyond, there is none. */
const MAX_HEADER_BYTES = 128;
const NEWLINE = 0x0a;

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** A record's bytes. */
export function recordBytes(json: Json): Uint8Array {
  const body = Buffer.from(`${jsonText(json)}\n`);
  return Buffer.concat([Buffer.from(`${MAGIC}${body.length} ${sha1(body)}\n`), body]);
}

export interface ParsedLog {
  readonly records: readonly Json[];
  /** Where each of them ends. */
  readonly ends: readonly number[];
  /** End of the last whole record. */
  readonly goodBytes: number;
  /** Why the bytes behind are none, null when there are no more. */
  readonly problem: string | null;
}

/** Reads records up to the end or the first that is not whole. */
export function parseLog(bytes: Uint8Array): ParsedLog {
  const records: Json[] = [];
  const ends: number[] = [];
  let at = 0;
  let problem: string | null = null;
  while (at < bytes.length) {
    const end = bytes.subarray(at, at + MAX_HEADER_BYTES).indexOf(NEWLINE);
    const header =
      end < 0 ? null : HEADER.exec(Buffer.from(bytes.subarray(at, at + end)).toString('latin1'));
    if (header === null) {
      problem = `parse error at offset ${at} in header line`;
      break;
    }
    const from = at + end + 1;
    const length = Number(header[1]);
    const body = bytes.subarray(from, from + length);
    if (body.length < length) {
      problem = `error reading ${length} bytes starting at offset ${from}: unexpected end of file`;
      break;
    }
    const digest = sha1(body);
    if (digest !== header[2]) {
      problem = `${length} bytes starting at offset ${from} have SHA-1 hash ${digest} but should have hash ${header[2]}`;
      break;
    }
    try {
      records.push(parseJson(Buffer.from(body).toString('utf8')));
    } catch (error) {
      problem = `${length} bytes starting at offset ${from} are not valid JSON (${(error as Error).message})`;
      break;
    }
    at = from + length;
    ends.push(at);
  }
  return { records, ends, goodBytes: at, problem };
}

/** A transaction as a record, null when it changes nothing that is kept. `rows` without `before` make a snapshot. */
export function transactionRecord(
  changes: Iterable<RowChange>,
  comment: string | null,
  wallMs: number,
): JsonObject | null {
  const tables: { [table: string]: JsonObject } = {};
  let isEmpty = true;
  for (const { table, uuid, before, after } of changes) {
    const row = after === null ? null : rowRecord(table.schema, before?.fields, after.fields);
    if (row === undefined) continue;
    isEmpty = false;
    const { name } = table.schema;
    tables[name] ??= {};
    tables[name][uuid] = row;
  }
  if (isEmpty) return null;
  const record: JsonObject = { _date: wallMs, _is_diff: true, ...tables };
  if (comment !== null) record._comment = comment;
  return record;
}

/** The columns to write, undefined for a row of which nothing kept has changed. */
function rowRecord(
  { columns }: TableSchema,
  before: readonly Datum[] | undefined,
  after: readonly Datum[],
): JsonObject | undefined {
  const row: JsonObject = {};
  let isEmpty = before !== undefined;
  for (const { name, index, type, initial, isPersistent } of columns) {
    const old = before?.[index] ?? initial;
    if (!isPersistent || equalData(old, after[index])) continue;
    isEmpty = false;
    // A reader takes what follows a default value for the whole value, also where the default is not empty.
    const told = equalData(old, initial) ? after[index] : difference(old, after[index], type);
    row[name] = datumJson(told, type);
  }
  return isEmpty ? undefined : row;
}

/** Every row as if it were new. */
export function* snapshotOf(db: Database): Generator<RowChange> {
  for (const table of db.tables.values())
    for (const [uuid, after] of table.rows) yield { table, uuid, before: null, after };
}

/** Puts a record's changes into a transaction. Throws OvsdbFailure for one that does not fit the schema. */
export function replay(txn: Transaction, record: Json): void {
  if (!isObject(record)) throw syntaxError(record, 'object expected');
  const isDiff = record._is_diff === true;
  for (const [name, rows] of Object.entries(record)) {
    const table = txn.db.tables.get(name);
    if (table === undefined) {
      if (name === '_date' || name === '_comment' || name === '_is_diff') continue;
      throw new OvsdbFailure('unknown table', `No table named ${name}.`);
    }
    if (!isObject(rows)) throw syntaxError(rows, 'object expected');
    for (const [uuid, row] of Object.entries(rows)) {
      if (!isUuid(uuid)) throw syntaxError(undefined, `"${uuid}" is not a valid UUID`);
      replayRow(txn, { table, uuid: uuid.toLowerCase(), isDiff }, row);
    }
  }
}

function replayRow(
  txn: Transaction,
  { table, uuid, isDiff }: { table: Table; uuid: string; isDiff: boolean },
  json: Json,
): void {
  const before = txn.fieldsOf(table, uuid);
  if (json === null) {
    if (before === undefined)
      throw syntaxError(undefined, `transaction deletes row ${uuid} that does not exist`);
    txn.delete(table, uuid);
    return;
  }
  if (!isObject(json)) throw syntaxError(json, 'row must be JSON object');
  const values: Assignment = Object.entries(json).map(([name, value]) => {
    const column = table.schema.byName.get(name);
    if (column === undefined)
      throw new OvsdbFailure('unknown column', `No column ${name} in table ${table.schema.name}.`);
    const { type, index, initial } = column;
    const old = before?.[index];
    if (!isDiff || old === undefined || equalData(old, initial))
      return [column, readDatum({ ...type, min: 0 }, value, null)] as const;
    // A difference may have more or fewer elements than the column.
    const loose = type.max === 1 ? type : { ...type, min: 0, max: Number.POSITIVE_INFINITY };
    return [column, applyDifference(old, readDatum(loose, value, null), type)] as const;
  });
  if (before === undefined) {
    txn.insert(table, uuid, values);
    return;
  }
  const fields = txn.modify(table, uuid);
  for (const [{ index }, datum] of values) fields[index] = datum;
}
