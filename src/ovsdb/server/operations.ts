/**
 * The operations of `transact` (RFC 7047 section 5.2): reads each, carries it out on a transaction, and tells its result.
 *
 * A `wait` that does not hold yet makes the whole request wait: `execute` answers `blocked`, and is called again from
 * the start after each commit or when time is up.
 */
import { isObject, type Json, type JsonObject } from '../json-stream.ts';
import { apply, changesOf, prepare } from './commit.ts';
import { type Clause, meetsAll, onlyUuid, readCondition } from './condition.ts';
import type { Database, RowChange, Table } from './database.ts';
import { type Column, readColumnList, UUID_COLUMN } from './database-schema.ts';
import {
  checkDatum,
  type Datum,
  datumJson,
  equalData,
  isUuid,
  type ResolveName,
  readDatum,
} from './datum.ts';
import { canonicalText, OvsdbFailure, syntaxError } from './failure.ts';
import { Members } from './members.ts';
import { mutate, readMutations } from './mutation.ts';
import { type Assignment, Transaction } from './transaction.ts';

/** What an execution needs to know of its surroundings. */
export interface Surroundings {
  readonly newUuid: () => string;
  /** True when the requester holds the lock. */
  readonly holdsLock: (name: string) => boolean;
  /** Since the request came. */
  readonly elapsedMs: number;
  /** Writes the transaction down before it is committed. Throws OvsdbFailure where it cannot. */
  readonly record: (
    changes: readonly RowChange[],
    comment: string | null,
    durable: boolean,
  ) => void;
}

export type Outcome =
  | { readonly kind: 'done'; readonly results: Json[]; readonly changes: readonly RowChange[] }
  /** A `wait` does not hold; `timeoutMs` since the request it is to fail. */
  | { readonly kind: 'blocked'; readonly timeoutMs: number };

interface Symbol {
  readonly uuid: string;
  isCreated: boolean;
}

/** The tag by which a wait leaves the execution. */
class Blocked extends Error {}

class Execution {
  readonly txn: Transaction;
  readonly around: Surroundings;
  private readonly symbols = new Map<string, Symbol>();
  isDurable = false;
  /** The soonest that a wait of this request gives up. */
  timeoutMs = Number.POSITIVE_INFINITY;

  constructor(db: Database, around: Surroundings) {
    this.txn = new Transaction(db, around.newUuid);
    this.around = around;
  }

  readonly resolve: ResolveName = (name) => this.symbol(name, null).uuid;

  symbol(name: string, uuid: string | null): Symbol {
    let symbol = this.symbols.get(name);
    if (symbol === undefined) {
      symbol = { uuid: uuid ?? this.around.newUuid(), isCreated: false };
      this.symbols.set(name, symbol);
    }
    return symbol;
  }

  table(members: Members): Table {
    const name = members.required('table', 'id');
    const table = this.txn.db.tables.get(name);
    if (table === undefined) throw members.failed(`No table named ${name}.`);
    return table;
  }

  row(table: Table, json: Json): Assignment {
    if (!isObject(json)) throw syntaxError(json, 'row must be JSON object');
    return Object.entries(json).map(([name, value]) => {
      const column = table.schema.byName.get(name);
      if (column === undefined)
        throw new OvsdbFailure(
          'unknown column',
          `No column ${name} in table ${table.schema.name}.`,
          json,
        );
      return [column, readDatum(column.type, value, this.resolve)] as const;
    });
  }

  where(table: Table, json: Json[]): Clause[] {
    return readCondition(table.schema, json, this.resolve);
  }

  /** Rows that meet all clauses, as a list of its own. */
  query(table: Table, clauses: readonly Clause[]): (readonly Datum[])[] {
    const uuid = onlyUuid(clauses);
    if (uuid !== null) {
      const fields = this.txn.fieldsOf(table, uuid);
      return fields !== undefined && meetsAll(clauses, fields) ? [fields] : [];
    }
    const found: (readonly Datum[])[] = [];
    for (const fields of this.txn.rowsOf(table)) if (meetsAll(clauses, fields)) found.push(fields);
    return found;
  }
}

const uuidIn = (fields: readonly Datum[]): string => fields[UUID_COLUMN].keys[0] as string;

const columnsOf = (table: Table, json: Json[] | undefined): readonly Column[] =>
  json === undefined ? table.schema.columns : readColumnList(table.schema.byName, json);

function rowJson(columns: readonly Column[], fields: readonly Datum[]): JsonObject {
  const row: JsonObject = {};
  for (const { name, index, type } of columns) row[name] = datumJson(fields[index], type);
  return row;
}

const rowText = (columns: readonly Column[], fields: readonly Datum[]): string =>
  canonicalText(rowJson(columns, fields));

type Operation = (x: Execution, members: Members) => JsonObject;

const insert: Operation = (x, members) => {
  const table = x.table(members);
  const given = members.optional('uuid', 'string');
  const name = members.optional('uuid-name', 'id');
  const rowJson = members.required('row', 'object');
  if (given !== undefined) {
    if (!isUuid(given)) throw syntaxError(given, 'bad uuid');
    if (!x.txn.mayCreate(table, given.toLowerCase()))
      throw new OvsdbFailure(
        'duplicate uuid',
        'This UUID would duplicate a UUID already present within the table or deleted within the same transaction.',
        given,
      );
  }
  let uuid = given?.toLowerCase() ?? null;
  if (name !== undefined) {
    const symbol = x.symbol(name, uuid);
    if (symbol.isCreated)
      throw new OvsdbFailure(
        'duplicate uuid-name',
        'This "uuid-name" appeared on an earlier "insert" operation.',
        name,
      );
    symbol.isCreated = true;
    uuid ??= symbol.uuid;
  }
  uuid ??= x.around.newUuid();
  const values = x.row(table, rowJson);
  const assigned = new Set(values.map(([column]) => column));
  for (const column of table.schema.columns) {
    // A default of one element may break the constraints of its column.
    if (!assigned.has(column) && column.initial.keys.length === 1)
      checkDatum(column.initial, column.type);
  }
  x.txn.insert(table, uuid, values);
  return { uuid: ['uuid', uuid] };
};

const select: Operation = (x, members) => {
  const table = x.table(members);
  const where = members.required('where', 'array');
  const columnsJson = members.optional('columns', 'array');
  members.optional('sort', 'array');
  const clauses = x.where(table, where);
  const columns = columnsOf(table, columnsJson);
  const found = x.query(table, clauses);
  if (columns.some(({ index }) => index === UUID_COLUMN))
    return { rows: found.map((fields) => rowJson(columns, fields)) };
  const distinct = new Map(
    found.map((fields) => [rowText(columns, fields), rowJson(columns, fields)]),
  );
  return { rows: [...distinct.values()] };
};

const update: Operation = (x, members) => {
  const table = x.table(members);
  const where = members.required('where', 'array');
  const values = x.row(table, members.required('row', 'object'));
  for (const [{ name, isMutable }] of values) {
    if (!isMutable)
      throw new OvsdbFailure(
        'constraint violation',
        `Cannot update immutable column ${name} in table ${table.schema.name}.`,
        members.json,
      );
  }
  const found = x.query(table, x.where(table, where));
  for (const fields of found) {
    if (values.every(([{ index }, datum]) => equalData(fields[index], datum))) continue;
    const written = x.txn.modify(table, uuidIn(fields));
    for (const [{ index }, datum] of values) written[index] = datum;
  }
  return { count: found.length };
};

const mutateRows: Operation = (x, members) => {
  const table = x.table(members);
  const where = members.required('where', 'array');
  const mutations = readMutations(table.schema, members.required('mutations', 'array'), x.resolve);
  const found = x.query(table, x.where(table, where));
  for (const fields of found) mutate(mutations, x.txn.modify(table, uuidIn(fields)));
  return { count: found.length };
};

const deleteRows: Operation = (x, members) => {
  const where = members.required('where', 'array');
  const table = x.table(members);
  const found = x.query(table, x.where(table, where));
  for (const fields of found) x.txn.delete(table, uuidIn(fields));
  return { count: found.length };
};

const wait: Operation = (x, members) => {
  const timeoutMs = members.optional('timeout', 'integer');
  const where = members.required('where', 'array');
  const columnsJson = members.optional('columns', 'array');
  const until = members.required('until', 'string');
  const rows = members.required('rows', 'array');
  const table = x.table(members);
  const clauses = x.where(table, where);
  const columns = columnsOf(table, columnsJson);
  if (timeoutMs !== undefined && timeoutMs < 0)
    throw syntaxError(timeoutMs, 'timeout must be nonnegative');
  x.timeoutMs = Math.min(x.timeoutMs, timeoutMs ?? Number.POSITIVE_INFINITY);
  if (until !== '==' && until !== '!=') throw syntaxError(until, '"until" must be "==" or "!="');
  const expected = new Set(
    rows.map((row) => {
      const fields = table.schema.columns.map(({ initial }) => initial);
      for (const [{ index }, datum] of x.row(table, row)) fields[index] = datum;
      return rowText(columns, fields);
    }),
  );
  const actual = new Set(x.query(table, clauses).map((fields) => rowText(columns, fields)));
  const isEqual = actual.size === expected.size && [...actual].every((row) => expected.has(row));
  if (isEqual === (until === '==')) return {};
  const { elapsedMs } = x.around;
  if (timeoutMs === undefined || elapsedMs < timeoutMs) throw new Blocked();
  throw new OvsdbFailure(
    'timed out',
    elapsedMs > 0 ? `"wait" timed out after ${elapsedMs} ms` : '"where" clause test failed',
  );
};

const OPERATIONS: Readonly<Record<string, Operation>> = {
  insert,
  select,
  update,
  mutate: mutateRows,
  delete: deleteRows,
  wait,
  commit: (x, members) => {
    if (members.required('durable', 'boolean')) x.isDurable = true;
    return {};
  },
  abort: () => {
    throw new OvsdbFailure('aborted', 'aborted by request');
  },
  comment: (x, members) => {
    x.txn.comments.push(members.required('comment', 'string'));
    return {};
  },
  assert: (x, members) => {
    const lock = members.required('lock', 'id');
    if (!x.around.holdsLock(lock))
      throw new OvsdbFailure('not owner', `Asserted lock ${lock} not held.`);
    return {};
  },
};

/** Operations that change nothing, the only ones that databases of the server itself allow. */
const READ_ONLY = new Set(['select', 'wait', 'commit', 'abort', 'comment', 'assert']);

function run(x: Execution, json: Json, position: string): JsonObject {
  const members = new Members(json, `ovsdb operation ${position}`);
  const name = members.required('op', 'id');
  let result: JsonObject | null = null;
  let failure: unknown = null;
  try {
    const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
    if (operation === undefined) throw members.failed(`No operation "${name}"`);
    result = operation(x, members);
  } catch (thrown) {
    failure = thrown;
  }
  // What is wrong with the form of an operation counts more than what came of it.
  if (failure === null || failure instanceof OvsdbFailure) members.finish();
  if (failure !== null) throw failure;
  const database = x.txn.db.schema.name;
  if (database.startsWith('_') && !READ_ONLY.has(name))
    throw new OvsdbFailure(
      'not allowed',
      `${name} operation not allowed on table in reserved database ${database}`,
    );
  return result as JsonObject;
}

/** Carries out operations on `db`, all or none. Never throws for anything a client can send. */
export function execute(db: Database, operations: readonly Json[], around: Surroundings): Outcome {
  const x = new Execution(db, around);
  const results: Json[] = [];
  const total = operations.length;
  try {
    operations.forEach((json, i) => {
      results.push(run(x, json, `${i + 1} of ${total}`));
    });
    prepare(x.txn);
    const changes = changesOf(x.txn);
    const { comments } = x.txn;
    around.record(changes, comments.length > 0 ? comments.join('\n') : null, x.isDurable);
    apply(x.txn);
    return { kind: 'done', results, changes };
  } catch (failure) {
    if (failure instanceof Blocked) return { kind: 'blocked', timeoutMs: x.timeoutMs };
    if (!(failure instanceof OvsdbFailure)) throw failure;
    results.push(failure.toJson());
    while (results.length < total) results.push(null);
    return { kind: 'done', results, changes: [] };
  }
}
