/** Arguments of the form COLUMN[:KEY] and COLUMN[:KEY]OPERATOR VALUE. */
import type { Column, TableSchema } from '../../ovsdb/server/database-schema.ts';
import { readToken } from './datum-text.ts';
import { findColumn } from './names.ts';
import { fail } from './vsctl-error.ts';

export interface ColumnKey {
  readonly column: Column;
  /** As written, null when there is none. */
  readonly key: string | null;
}

export interface ColumnKeyValue extends ColumnKey {
  readonly operator: string;
  readonly value: string;
}

function readColumnPart(table: TableSchema, argument: string): ColumnKey & { end: number } {
  const name = readToken(argument, 0);
  if (name.text === '') fail(`${argument}: missing column name`);
  const column = findColumn(table, name.text);
  if (argument[name.end] !== ':') return { column, key: null, end: name.end };
  const key = readToken(argument, name.end + 1);
  return { column, key: key.text, end: key.end };
}

/** Throws VsctlError. */
export function readColumnKey(table: TableSchema, argument: string): ColumnKey {
  const { column, key, end } = readColumnPart(table, argument);
  if (end < argument.length) {
    fail(`${argument}: trailing garbage "${argument.slice(end)}" in argument`);
  }
  return { column, key };
}

const listed = (operators: readonly string[]): string =>
  operators
    .map((one, i) => `${i === 0 ? '' : i === operators.length - 1 ? ', or ' : ', '}"${one}"`)
    .join('');

/** The longest of `operators` counts. Throws VsctlError. */
export function readColumnKeyValue(
  table: TableSchema,
  argument: string,
  operators: readonly string[] = ['='],
): ColumnKeyValue {
  const { column, key, end } = readColumnPart(table, argument);
  let operator = '';
  for (const one of operators) {
    const after = end + one.length;
    if (one.length > operator.length && argument.startsWith(one, end) && after < argument.length) {
      operator = one;
    }
  }
  if (operator === '') {
    fail(`${argument}: argument does not end in ${listed(operators)} followed by a value.`);
  }
  return { column, key, operator, value: argument.slice(end + operator.length) };
}
