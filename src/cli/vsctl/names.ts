/**
 * Tables and columns as users write them: without regard to case, `-` for `_`, and shortened as far as one name is meant
 * (ovs-vsctl(8), "Identifying Tables, Records, and Columns").
 */
import type { Column, DatabaseSchema, TableSchema } from '../../ovsdb/server/database-schema.ts';
import { VERSION_COLUMN } from '../../ovsdb/server/database-schema.ts';
import { fail } from './vsctl-error.ts';

const folded = (name: string): string => name.toLowerCase().replaceAll('-', '_');

type Match<T> = { readonly one: T } | { readonly many: readonly T[] };

function match<T extends { readonly name: string }>(all: readonly T[], typed: string): Match<T> {
  const exact = all.find(({ name }) => name === typed);
  if (exact !== undefined) return { one: exact };
  const wanted = folded(typed);
  const same = all.find(({ name }) => folded(name) === wanted);
  if (same !== undefined) return { one: same };
  const many = wanted === '' ? [] : all.filter(({ name }) => folded(name).startsWith(wanted));
  return many.length === 1 ? { one: many[0] } : { many };
}

const listed = (all: readonly { readonly name: string }[]): string =>
  all.map(({ name }) => name).join(', ');

const byName = <T extends { readonly name: string }>(all: Iterable<T>): readonly T[] =>
  [...all].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Throws VsctlError. */
export function findTable(schema: DatabaseSchema, typed: string): TableSchema {
  const found = match(byName(schema.tables.values()), typed);
  if ('one' in found) return found.one;
  return fail(
    found.many.length === 0
      ? `unknown table "${typed}"`
      : `"${typed}" matches multiple table names: ${listed(found.many)}`,
  );
}

/** Columns that have names of their own, sorted: neither `_uuid` nor `_version`. */
export const namedColumns = (table: TableSchema): readonly Column[] =>
  byName(table.columns.slice(VERSION_COLUMN + 1));

/** Throws VsctlError. */
export function findColumn(table: TableSchema, typed: string): Column {
  const found = match(namedColumns(table), typed);
  if ('one' in found) return found.one;
  return fail(
    found.many.length === 0
      ? `${table.name} does not contain a column whose name matches "${typed}"`
      : `${table.name} contains more than one column whose name matches "${typed}": ${listed(found.many)}`,
  );
}
