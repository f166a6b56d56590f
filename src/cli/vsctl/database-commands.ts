/** The commands that read tables: list, find, get, wait-until, comment (ovs-vsctl(8), "Database Commands"). */
import { type Column, type TableSchema, UUID_COLUMN } from '../../ovsdb/server/database-schema.ts';
import { type Datum, datumText, single } from '../../ovsdb/server/datum.ts';
import type { Attempt, RowRef } from './attempt.ts';
import { readColumnKey } from './column-argument.ts';
import { type Call, command, type Surroundings } from './command.ts';
import { isSatisfied, wantCondition } from './conditions.ts';
import { readAtomText } from './datum-text.ts';
import type { Wanted } from './monitored-database.ts';
import { findColumn, findTable, namedColumns } from './names.ts';
import { findRecord, getRecord, wantRecord } from './records.ts';
import { SCHEMA } from './schema.ts';
import type { TableOutput } from './table-output.ts';
import { fail } from './vsctl-error.ts';

export const tableOf = (call: Call): TableSchema => findTable(SCHEMA, call.args[0]);

/** The row that a command is about: undefined where --if-exists excuses that there is none. */
export function recordOf(call: Call, attempt: Attempt): RowRef | undefined {
  const table = tableOf(call).name;
  return call.options.has('--if-exists')
    ? findRecord(attempt, table, call.args[1])
    : getRecord(attempt, table, call.args[1]);
}

const isUuidName = (name: string): boolean => /^[-_]uuid$/i.test(name);

/** Columns of --columns, or all; `_uuid` among them. */
function listedColumns(call: Call, table: TableSchema): readonly Column[] {
  const given = call.options.get('--columns');
  if (given === undefined || given === null) {
    return [table.columns[UUID_COLUMN], ...namedColumns(table)];
  }
  const names = given.split(/[, ]/).filter((name) => name !== '');
  if (names.length === 0) fail('must specify at least one column name');
  return names.map((name) =>
    isUuidName(name) ? table.columns[UUID_COLUMN] : findColumn(table, name),
  );
}

function wantListed(call: Call, wanted: Wanted): TableSchema {
  const table = tableOf(call);
  wanted.add(table.name);
  for (const { index, name } of listedColumns(call, table)) {
    if (index !== UUID_COLUMN) wanted.add(table.name, name);
  }
  return table;
}

function tableFor(call: Call, attempt: Attempt, rows: readonly RowRef[]): TableOutput {
  const columns = listedColumns(call, tableOf(call));
  return {
    headings: columns.map(({ name }) => name),
    rows: rows.map((row) =>
      columns.map((column) => ({ datum: attempt.read(row, column), type: column.type })),
    ),
  };
}

const list = command({
  name: 'list',
  args: '!TABLE *RECORD',
  options: ['--if-exists', '--columns='],
  usage: 'list TABLE [RECORD]...         rows of TABLE, or those that are named',
  prepare: (call, wanted) => {
    const table = wantListed(call, wanted);
    if (call.args.length > 1) wantRecord(wanted, table.name);
  },
  run: (call, { attempt }) => {
    const { name } = tableOf(call);
    const [, ...records] = call.args;
    const find = call.options.has('--if-exists') ? findRecord : getRecord;
    const rows =
      records.length === 0
        ? attempt.rows(attempt.table(name))
        : records.flatMap((record) => find(attempt, name, record) ?? []);
    call.table = tableFor(call, attempt, rows);
  },
});

const find = command({
  name: 'find',
  args: '!TABLE *COLUMN?:KEY=VALUE',
  options: ['--columns='],
  usage: 'find TABLE [CONDITION]...      rows of TABLE that meet all conditions',
  prepare: (call, wanted) => {
    const table = wantListed(call, wanted);
    for (const condition of call.args.slice(1)) wantCondition(wanted, table, condition);
  },
  run: (call, { attempt }) => {
    const table = attempt.table(tableOf(call).name);
    const conditions = call.args.slice(1);
    const rows = attempt
      .rows(table)
      .filter((row) => conditions.every((one) => isSatisfied(attempt, row, one)));
    call.table = tableFor(call, attempt, rows);
  },
});

/** `--id=@name` of get. */
function nameRow(attempt: Attempt, name: string, row: RowRef): void {
  if (!name.startsWith('@')) fail(`row id "${name}" does not begin with "@"`);
  const symbol = attempt.symbols.get(name) ?? null;
  if (symbol?.isCreated === true) fail(`row id "${name}" may only be specified on one --id option`);
  if (symbol !== null) {
    fail(`row id "${name}" specified on "get" command was used before it was defined`);
  }
  attempt.symbols.set(name, {
    uuid: row.uuid,
    isCreated: true,
    // The row has its place in the database already.
    isStrong: true,
    isWeak: false,
  });
}

/** One value, as get prints it. */
function valueText(
  call: Call,
  attempt: Attempt,
  row: RowRef,
  column: Column,
  key: string | null,
): string {
  attempt.verify(row, column);
  const datum = attempt.read(row, column);
  const { type } = column;
  if (key === null) return `${datumText(datum, type)}\n`;
  if (type.value === null) {
    return fail(`cannot specify key to get for non-map column ${column.name}`);
  }
  const atom = readAtomText(type.key, key, attempt.resolve);
  const at = datum.keys.indexOf(atom);
  if (at >= 0) {
    const value: Datum = single(datum.values?.[at] ?? '');
    return `${datumText(value, { key: type.value, value: null, min: 1, max: 1 })}\n`;
  }
  if (call.options.has('--if-exists')) return '\n';
  const [, record] = call.args;
  return fail(
    `no key "${key}" in ${row.table.schema.name} record "${record}" column ${column.name}`,
  );
}

const get = command({
  name: 'get',
  args: '!TABLE !RECORD *COLUMN?:KEY',
  options: ['--if-exists', '--id='],
  usage: 'get TABLE RECORD [COLUMN[:KEY]]...  values of columns of a row',
  prepare: (call, wanted) => {
    const table = tableOf(call);
    if (call.options.has('--id') && call.options.has('--if-exists')) {
      fail('--if-exists and --id may not be specified together');
    }
    wantRecord(wanted, table.name);
    for (const argument of call.args.slice(2)) {
      if (!isUuidName(argument)) wanted.add(table.name, readColumnKey(table, argument).column.name);
    }
  },
  run: (call, { attempt, warnOfTables, isTerminal }) => {
    const table = tableOf(call);
    const row = recordOf(call, attempt);
    if (row === undefined) return;
    const id = call.options.get('--id');
    const columns = call.args.slice(2);
    if (id !== undefined && id !== null) nameRow(attempt, id, row);
    else if (columns.length === 0 && isTerminal) {
      warnOfTables('"get" command without row arguments or "--id" is possibly erroneous');
    }
    for (const argument of columns) {
      if (isUuidName(argument)) call.output += `${row.uuid}\n`;
      else {
        const { column, key } = readColumnKey(table, argument);
        call.output += valueText(call, attempt, row, column, key);
      }
    }
  },
});

const waitUntil = command({
  name: 'wait-until',
  args: '!TABLE !RECORD *COLUMN?:KEY=VALUE',
  usage: 'wait-until TABLE RECORD [CONDITION]...  wait for a row that meets all conditions',
  prepare: (call, wanted) => {
    const table = tableOf(call);
    wantRecord(wanted, table.name);
    for (const condition of call.args.slice(2)) wantCondition(wanted, table, condition);
  },
  run: (call, { attempt }) => {
    const row = findRecord(attempt, tableOf(call).name, call.args[1]);
    const conditions = call.args.slice(2);
    if (row === undefined || !conditions.every((one) => isSatisfied(attempt, row, one))) {
      attempt.mustTryAgain = true;
    }
  },
});

const comment = command({
  name: 'comment',
  args: '*ARG',
  usage: "comment [ARG]...               nothing but a note in the database's log",
  prepare: () => {},
  run: (_call: Call, _around: Surroundings) => {},
});

export const readingCommands = [list, find, get, waitUntil, comment];
