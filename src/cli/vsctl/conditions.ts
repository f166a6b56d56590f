/** Conditions of find and wait-until: COLUMN[:KEY] OPERATOR VALUE (ovs-vsctl(8), "find"). */
import type { TableSchema } from '../../ovsdb/server/database-schema.ts';
import {
  compareAtoms,
  type Datum,
  equalData,
  excludesAll,
  includesAll,
} from '../../ovsdb/server/datum.ts';
import type { Atom } from '../../ovsdb/value.ts';
import type { Attempt, RowRef } from './attempt.ts';
import { readColumnKeyValue } from './column-argument.ts';
import { readAtomText, readDatumText } from './datum-text.ts';
import type { Wanted } from './monitored-database.ts';
import { fail } from './vsctl-error.ts';

function compareLists(a: readonly Atom[], b: readonly Atom[]): number {
  for (let i = 0; i < a.length; i++) {
    const order = compareAtoms(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** By the number of elements, then by keys, then by values. */
const order = (a: Datum, b: Datum): number =>
  a.keys.length - b.keys.length ||
  compareLists(a.keys, b.keys) ||
  compareLists(a.values ?? [], b.values ?? []);

const isProper = (a: Datum, b: Datum): boolean => a.keys.length < b.keys.length;

const TESTS: Readonly<Record<string, (a: Datum, b: Datum) => boolean>> = {
  '=': (a, b) => order(a, b) === 0,
  '!=': (a, b) => order(a, b) !== 0,
  '<': (a, b) => order(a, b) < 0,
  '>': (a, b) => order(a, b) > 0,
  '<=': (a, b) => order(a, b) <= 0,
  '>=': (a, b) => order(a, b) >= 0,
  '{=}': equalData,
  '{!=}': (a, b) => !equalData(a, b),
  '{<}': (a, b) => isProper(a, b) && includesAll(b, a),
  '{>}': (a, b) => isProper(b, a) && includesAll(a, b),
  '{<=}': (a, b) => includesAll(b, a),
  '{>=}': (a, b) => includesAll(a, b),
  '{in}': (a, b) => includesAll(b, a),
  '{not-in}': (a, b) => excludesAll(b, a),
};

/** In the order in which messages list them. */
const OPERATORS = Object.keys(TESTS);

/** What looking at a condition reads. Throws VsctlError. */
export function wantCondition(wanted: Wanted, table: TableSchema, condition: string): void {
  wanted.add(table.name, readColumnKeyValue(table, condition, OPERATORS).column.name);
}

const NOTHING: Datum = { keys: [], values: null };

/** Throws VsctlError. */
export function isSatisfied(attempt: Attempt, row: RowRef, condition: string): boolean {
  const { schema } = row.table;
  const { column, key, operator, value } = readColumnKeyValue(schema, condition, OPERATORS);
  const has = attempt.read(row, column);
  const { type } = column;
  if (key === null) return TESTS[operator](has, readDatumText(type, value, attempt.resolve));
  if (type.value === null) {
    return fail(`cannot specify key to check for non-map column ${column.name}`);
  }
  const at = has.keys.indexOf(readAtomText(type.key, key, attempt.resolve));
  const found = at < 0 ? NOTHING : { keys: [has.values?.[at] as Atom], values: null };
  const asked = readDatumText({ ...type, key: type.value, value: null }, value, attempt.resolve);
  if (at < 0 && !operator.startsWith('{')) return false;
  return TESTS[operator](found, asked);
}
