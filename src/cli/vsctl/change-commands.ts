/** The commands that change rows of any table: set, add, remove, clear, create, destroy (ovs-vsctl(8), "Database Commands"). */
import type { Column, TableSchema } from '../../ovsdb/server/database-schema.ts';
import { type Datum, isUuid, subtract, union } from '../../ovsdb/server/datum.ts';
import type { DatumType } from '../../ovsdb/server/datum-type.ts';
import type { Attempt, RowRef } from './attempt.ts';
import { readColumnKeyValue } from './column-argument.ts';
import { type Call, command } from './command.ts';
import { recordOf, tableOf } from './database-commands.ts';
import { readAtomText, readDatumText } from './datum-text.ts';
import type { Wanted } from './monitored-database.ts';
import { findColumn } from './names.ts';
import { wantRecord } from './records.ts';
import { fail } from './vsctl-error.ts';

/** Throws VsctlError for a column that only new rows may set. */
function checkMutable({ table, uuid }: RowRef, column: Column): void {
  if (column.isMutable || !table.rows.has(uuid)) return;
  fail(`cannot modify read-only column ${column.name} in table ${table.schema.name}`);
}

/** What an assignment reads. Throws VsctlError. */
export function wantAssignment(wanted: Wanted, table: TableSchema, argument: string): void {
  wanted.add(table.name, readColumnKeyValue(table, argument).column.name);
}

/** Carries out COLUMN[:KEY]=VALUE on a row. Throws VsctlError. */
export function assign(attempt: Attempt, row: RowRef, argument: string): void {
  const { column, key, value } = readColumnKeyValue(row.table.schema, argument);
  const { type } = column;
  checkMutable(row, column);
  if (key === null) {
    attempt.write(row, column, readDatumText(type, value, attempt.resolve));
    return;
  }
  if (type.value === null) fail(`cannot specify key to set for non-map column ${column.name}`);
  const pair: Datum = {
    keys: [readAtomText(type.key, key, attempt.resolve)],
    values: [readAtomText(type.value, value, attempt.resolve)],
  };
  attempt.put(row, column, pair);
}

const set = command({
  name: 'set',
  args: '!TABLE !RECORD +COLUMN?:KEY=VALUE',
  options: ['--if-exists'],
  usage: 'set TABLE RECORD COLUMN[:KEY]=VALUE...  set columns of a row',
  prepare: (call, wanted) => {
    const table = tableOf(call);
    wantRecord(wanted, table.name);
    for (const argument of call.args.slice(2)) wantAssignment(wanted, table, argument);
  },
  run: (call, { attempt }) => {
    const row = recordOf(call, attempt);
    if (row === undefined) return;
    for (const argument of call.args.slice(2)) assign(attempt, row, argument);
  },
});

const things = ({ value }: DatumType): string => (value === null ? 'values' : 'pairs');

function wantColumn(call: Call, wanted: Wanted): void {
  const table = tableOf(call);
  wantRecord(wanted, table.name);
  wanted.add(table.name, findColumn(table, call.args[2]).name);
}

/** The column that add and remove change. Throws VsctlError. */
function changedColumn(call: Call, row: RowRef): Column {
  const column = findColumn(row.table.schema, call.args[2]);
  checkMutable(row, column);
  return column;
}

const add = command({
  name: 'add',
  args: '!TABLE !RECORD !COLUMN +?KEY=VALUE',
  options: ['--if-exists'],
  usage: 'add TABLE RECORD COLUMN [KEY=]VALUE...  add values to a column of a row',
  prepare: wantColumn,
  run: (call, { attempt, isLast }) => {
    const row = recordOf(call, attempt);
    if (row === undefined) return;
    const column = changedColumn(call, row);
    const { type } = column;
    const some = { ...type, min: 1, max: Number.POSITIVE_INFINITY };
    const added = call.args.slice(3).map((text) => readDatumText(some, text, attempt.resolve));
    if (isLast) {
      // The server counts: it knows what the column holds by then.
      for (const datum of added) attempt.add(row, column, datum);
      return;
    }
    const all = added.reduce(union, attempt.read(row, column));
    if (all.keys.length > type.max) {
      fail(
        `"add" operation would put ${all.keys.length} ${things(type)} in column ${column.name} of table ${row.table.schema.name} but the maximum number is ${type.max}`,
      );
    }
    attempt.verify(row, column);
    attempt.write(row, column, all);
  },
});

/** Elements to remove: of a map, keys alone or pairs. */
function removed(type: DatumType, text: string, attempt: Attempt): Datum {
  const any = { ...type, min: 1, max: Number.POSITIVE_INFINITY };
  if (type.value === null || text.includes('=')) return readDatumText(any, text, attempt.resolve);
  return readDatumText({ ...any, value: null }, text, attempt.resolve);
}

const remove = command({
  name: 'remove',
  args: '!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE',
  options: ['--if-exists'],
  usage: 'remove TABLE RECORD COLUMN VALUE...  remove values, keys or pairs from a column',
  prepare: wantColumn,
  run: (call, { attempt }) => {
    const row = recordOf(call, attempt);
    if (row === undefined) return;
    const column = changedColumn(call, row);
    const { type } = column;
    let datum = attempt.read(row, column);
    for (const text of call.args.slice(3)) datum = subtract(datum, removed(type, text, attempt));
    if (datum.keys.length < type.min) {
      fail(
        `"remove" operation would put ${datum.keys.length} ${things(type)} in column ${column.name} of table ${row.table.schema.name} but the minimum number is ${type.min}`,
      );
    }
    attempt.verify(row, column);
    attempt.write(row, column, datum);
  },
});

const clear = command({
  name: 'clear',
  args: '!TABLE !RECORD +COLUMN',
  options: ['--if-exists'],
  usage: 'clear TABLE RECORD COLUMN...   empty columns of a row',
  prepare: (call, wanted) => {
    const table = tableOf(call);
    wantRecord(wanted, table.name);
    for (const name of call.args.slice(2)) {
      wanted.add(table.name, findColumn(table, name).name);
    }
  },
  run: (call, { attempt }) => {
    const row = recordOf(call, attempt);
    if (row === undefined) return;
    for (const name of call.args.slice(2)) {
      const column = findColumn(row.table.schema, name);
      checkMutable(row, column);
      if (column.type.min > 0) {
        fail(
          `"clear" operation cannot be applied to column ${column.name} of table ${row.table.schema.name}, which is not allowed to be empty`,
        );
      }
      attempt.write(row, column, { keys: [], values: column.type.value === null ? null : [] });
    }
  },
});

/** The row of `--id=`: a name that others use, or a UUID. */
function insertWithId(attempt: Attempt, table: TableSchema, id: string): RowRef {
  const into = attempt.table(table.name);
  if (isUuid(id)) return attempt.insert(into, id.toLowerCase());
  if (!id.startsWith('@')) fail(`row id "${id}" does not begin with "@"`);
  const symbol = attempt.symbol(id);
  if (symbol.isCreated) fail(`row id "${id}" may only be specified on one --id option`);
  symbol.isCreated = true;
  // Rows of root tables stay without anybody's reference.
  if (table.isRoot) symbol.isStrong = true;
  return attempt.insertNamed(into, symbol.uuid);
}

const create = command({
  name: 'create',
  args: '!TABLE +COLUMN?:KEY=VALUE',
  options: ['--id='],
  usage: 'create TABLE COLUMN[:KEY]=VALUE...  create a row',
  prepare: (call, wanted) => {
    const table = tableOf(call);
    wanted.add(table.name);
    for (const argument of call.args.slice(1)) readColumnKeyValue(table, argument);
  },
  run: (call, { attempt, warnOfTables }) => {
    const table = tableOf(call);
    const id = call.options.get('--id');
    let row: RowRef;
    if (id !== undefined && id !== null) row = insertWithId(attempt, table, id);
    else {
      if (!table.isRoot) {
        warnOfTables(
          `applying "create" command to table ${table.name} without --id option will have no effect`,
        );
      }
      row = attempt.insert(attempt.table(table.name));
    }
    for (const argument of call.args.slice(1)) assign(attempt, row, argument);
    call.created = row.uuid;
  },
});

const destroy = command({
  name: 'destroy',
  args: '!TABLE *RECORD',
  options: ['--if-exists', '--all'],
  usage: 'destroy TABLE RECORD...        delete rows',
  prepare: (call, wanted) => {
    const isAll = call.options.has('--all');
    const records = call.args.slice(1);
    if (isAll && records.length > 0)
      fail('--all and records argument should not be specified together');
    if (isAll && call.options.has('--if-exists')) {
      fail('--all and --if-exists should not be specified together');
    }
    wantRecord(wanted, tableOf(call).name);
  },
  run: (call, { attempt, warnOfTables }) => {
    const { name } = tableOf(call);
    const records = call.args.slice(1);
    if (call.options.has('--all')) {
      for (const row of attempt.rows(attempt.table(name))) attempt.delete(row);
      return;
    }
    if (records.length === 0) warnOfTables('either --all or records argument should be specified');
    for (let i = 0; i < records.length; i++) {
      const row = recordOf({ ...call, args: [name, records[i]] }, attempt);
      if (row !== undefined) attempt.delete(row);
    }
  },
});

export const changingCommands = [set, add, remove, clear, create, destroy];
