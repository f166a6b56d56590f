/** `show`: the configuration as a tree of rows, each with the columns that say most. */
import { type Datum, datumText } from '../../ovsdb/server/datum.ts';
import type { DatumType } from '../../ovsdb/server/datum-type.ts';
import type { Attempt, RowRef } from './attempt.ts';
import { command } from './command.ts';

interface Shown {
  /** The column by which a row is told; null for its UUID. */
  readonly name: string | null;
  readonly columns: readonly string[];
}

const SHOWN: Readonly<Record<string, Shown>> = {
  Open_vSwitch: { name: null, columns: ['manager_options', 'bridges', 'ovs_version'] },
  Bridge: { name: 'name', columns: ['controller', 'fail_mode', 'datapath_type', 'ports'] },
  Port: { name: 'name', columns: ['tag', 'trunks', 'interfaces'] },
  Interface: { name: 'name', columns: ['type', 'options', 'error'] },
  Controller: { name: 'target', columns: ['is_connected'] },
  Manager: { name: 'target', columns: ['is_connected'] },
};

const STEP = 4;

/** What a column has when nobody set it is not shown. */
const isDefault = ({ keys }: Datum, { key }: DatumType): boolean =>
  keys.length === 0 ||
  (keys.length === 1 && (key.atom === 'string' ? keys[0] === '' : keys[0] === false));

function showRow(attempt: Attempt, row: RowRef, indent: number, seen: Set<string>): string {
  const table = row.table.schema.name;
  const { name, columns } = SHOWN[table];
  const pad = ' '.repeat(indent);
  const title =
    name === null
      ? `${row.uuid}`
      : `${table} ${datumText(attempt.read(row, attempt.column(row, name)), attempt.column(row, name).type)}`;
  let text = `${pad}${title}\n`;
  if (seen.has(row.uuid)) return text;
  seen.add(row.uuid);
  for (const columnName of columns) {
    const column = attempt.column(row, columnName);
    const { refTable } = column.type.key;
    if (refTable !== null && refTable in SHOWN) {
      for (const below of attempt.refs(row, columnName)) {
        text += showRow(attempt, below, indent + STEP, seen);
      }
      continue;
    }
    const datum = attempt.read(row, column);
    if (isDefault(datum, column.type)) continue;
    text += `${pad}${' '.repeat(STEP)}${columnName}: ${datumText(datum, column.type)}\n`;
  }
  seen.delete(row.uuid);
  return text;
}

const show = command({
  name: 'show',
  args: '',
  usage: 'show                           what is configured, in brief',
  prepare: (_call, wanted) => {
    for (const [table, { name, columns }] of Object.entries(SHOWN)) {
      wanted.add(table, ...columns, ...(name === null ? [] : [name]));
    }
  },
  run: (call, { attempt }) => {
    for (const row of attempt.rows(attempt.table('Open_vSwitch'))) {
      call.output += showRow(attempt, row, 0, new Set());
    }
  },
});

const init = command({
  name: 'init',
  args: '',
  usage: 'init                           make an empty database one of a switch',
  prepare: () => {},
  run: () => {},
});

export const showCommands = [init, show];
