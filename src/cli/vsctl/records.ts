/**
 * How users name rows (ovs-vsctl(8), "Identifying Tables, Records, and Columns"): by UUID, shortened to four digits or more, by a column
 * such as `name`, through a row that refers to them, or as `.` where there is one at most.
 */
import { isUuid } from '../../ovsdb/server/datum.ts';
import type { Attempt, RowRef } from './attempt.ts';
import { readAtomText } from './datum-text.ts';
import type { Wanted } from './monitored-database.ts';
import { fail, VsctlError } from './vsctl-error.ts';

interface RecordName {
  /** The table whose rows have the name. */
  readonly table: string;
  /** The column that holds the name; null where the only row is `.`. */
  readonly column: string | null;
  /** The column through which that row refers to the one that is meant; null when it is that row itself. */
  readonly via: string | null;
}

const own = (table: string, column: string): RecordName => ({ table, column, via: null });
const via = (table: string, reference: string): RecordName => ({
  table,
  column: 'name',
  via: reference,
});

const RECORD_NAMES: Readonly<Record<string, RecordName>> = {
  AutoAttach: via('Bridge', 'auto_attach'),
  Bridge: own('Bridge', 'name'),
  Controller: via('Bridge', 'controller'),
  Flow_Sample_Collector_Set: own('Flow_Sample_Collector_Set', 'id'),
  Flow_Table: own('Flow_Table', 'name'),
  IPFIX: via('Bridge', 'ipfix'),
  Interface: own('Interface', 'name'),
  Manager: own('Manager', 'target'),
  Mirror: own('Mirror', 'name'),
  NetFlow: via('Bridge', 'netflow'),
  Open_vSwitch: { table: 'Open_vSwitch', column: null, via: null },
  Port: own('Port', 'name'),
  QoS: via('Port', 'qos'),
  SSL: { table: 'Open_vSwitch', column: null, via: 'ssl' },
  sFlow: via('Bridge', 'sflow'),
};

/** How --help tells it: a line for each way. */
export function recordNameTexts(table: string): string[] {
  const name = RECORD_NAMES[table];
  const texts = ['by UUID'];
  if (name === undefined) return texts;
  if (name.column === null) texts.push('as "."');
  else if (name.via === null) texts.push(`by "${name.column}"`);
  else texts.push(`via "${name.via}" of ${name.table} with matching "${name.column}"`);
  return texts;
}

/** What finding a row of `table` reads. */
export function wantRecord(wanted: Wanted, table: string): void {
  wanted.add(table);
  const name = RECORD_NAMES[table];
  if (name === undefined) return;
  wanted.add(name.table);
  if (name.column !== null) wanted.add(name.table, name.column);
  if (name.via !== null) wanted.add(name.table, name.via);
}

/** The row that carries the name, undefined when there is none. */
function named(attempt: Attempt, name: RecordName, record: string): RowRef | undefined {
  const table = attempt.table(name.table);
  if (name.column === null) {
    const rows = record === '.' ? attempt.rows(table) : [];
    return rows.length === 1 ? rows[0] : undefined;
  }
  const column = table.schema.byName.get(name.column);
  if (column === undefined) return undefined;
  let wanted: unknown = record;
  if (column.type.key.atom === 'integer') {
    try {
      wanted = readAtomText(column.type.key, record, null);
    } catch (error) {
      if (error instanceof VsctlError) return undefined;
      throw error;
    }
  }
  let found: RowRef | undefined;
  for (const row of attempt.rows(table)) {
    const { keys } = attempt.read(row, column);
    if (keys.length !== 1 || keys[0] !== wanted) continue;
    if (found !== undefined) fail(`multiple rows in ${name.table} match "${record}"`);
    found = row;
  }
  if (found !== undefined) attempt.verify(found, column);
  return found;
}

function byName(attempt: Attempt, table: string, record: string): RowRef | undefined {
  const name = RECORD_NAMES[table];
  if (name === undefined) return undefined;
  const found = named(attempt, name, record);
  if (found === undefined || name.via === null) return found;
  attempt.verifyNamed(found, name.via);
  const rows = attempt.refs(found, name.via);
  return rows.length === 1 ? rows[0] : undefined;
}

const DIGITS = /^[0-9a-f]{4,}(?:-[0-9a-f-]*)?$/i;

function byBeginning(attempt: Attempt, table: string, record: string): RowRef | undefined {
  if (!DIGITS.test(record)) return undefined;
  const start = record.toLowerCase();
  const rows = attempt.rows(attempt.table(table)).filter(({ uuid }) => uuid.startsWith(start));
  if (rows.length > 1) {
    fail(
      `${table} contains 2 or more rows whose UUIDs begin with ${record}: at least ${rows[0].uuid} and ${rows[1].uuid}`,
    );
  }
  return rows[0];
}

/** Undefined when there is none. Throws VsctlError where the name is ambiguous. */
export function findRecord(attempt: Attempt, table: string, record: string): RowRef | undefined {
  if (isUuid(record)) {
    const row = attempt.row(attempt.table(table), record.toLowerCase());
    if (row !== undefined) return row;
  }
  return byName(attempt, table, record) ?? byBeginning(attempt, table, record);
}

/** Throws VsctlError when there is none. */
export const getRecord = (attempt: Attempt, table: string, record: string): RowRef =>
  findRecord(attempt, table, record) ?? fail(`no row "${record}" in table ${table}`);
