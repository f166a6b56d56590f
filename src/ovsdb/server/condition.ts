/**
 * <condition> of RFC 7047 section 5.1: clauses that a row must meet all (`where` of operations) or any (`where` of monitors).
 */
import type { Json } from '../json-stream.ts';
import { type Column, type TableSchema, UUID_COLUMN } from './database-schema.ts';
import {
  compareAtoms,
  type Datum,
  equalData,
  excludesAll,
  includesAll,
  type ResolveName,
  readDatum,
} from './datum.ts';
import { type DatumType, isOptional, isScalar, typeText } from './datum-type.ts';
import { OvsdbFailure, syntaxError } from './failure.ts';

interface Comparison {
  readonly column: Column;
  readonly name: string;
  readonly argument: Datum;
}
/** A comparison, or a constant as monitors allow. */
export type Clause = Comparison | boolean;

/** Order against one number; false for an empty value. */
const ordered =
  (test: (order: number) => boolean) =>
  (field: Datum, argument: Datum): boolean =>
    field.keys.length === 1 && test(compareAtoms(field.keys[0], argument.keys[0]));

const TESTS: Readonly<Record<string, (field: Datum, argument: Datum) => boolean>> = {
  '==': equalData,
  '!=': (field, argument) => !equalData(field, argument),
  includes: (field, argument) => includesAll(field, argument),
  excludes: (field, argument) => excludesAll(field, argument),
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
};

/** The type of a function's argument for a column, or undefined where the function does not apply. */
function argumentType(name: string, type: DatumType): DatumType | undefined {
  switch (name) {
    case '==':
    case '!=':
      return type;
    case 'includes':
      return isScalar(type) ? type : { ...type, min: 0 };
    case 'excludes':
      return isScalar(type) ? type : { ...type, min: 0, max: Number.POSITIVE_INFINITY };
    default: {
      const { atom } = type.key;
      if (!(isScalar(type) || isOptional(type)) || (atom !== 'integer' && atom !== 'real'))
        return undefined;
      return { ...type, min: 1 };
    }
  }
}

function readClause(table: TableSchema, json: Json, resolve: ResolveName | null): Clause {
  if (typeof json === 'boolean') return json;
  if (!Array.isArray(json) || json.length !== 3) throw badClause(json);
  const [columnName, name, argument] = json;
  if (typeof columnName !== 'string' || typeof name !== 'string') throw badClause(json);
  const column = table.byName.get(columnName);
  if (column === undefined)
    throw new OvsdbFailure(
      'unknown column',
      `No column ${columnName} in table ${table.name}.`,
      json,
    );
  if (!Object.hasOwn(TESTS, name))
    throw new OvsdbFailure('unknown function', `No function named ${name}.`);
  const type = argumentType(name, column.type);
  if (type === undefined)
    throw syntaxError(
      json,
      `Type mismatch: "${name}" operator may not be applied to column ${columnName} of type ${typeText(column.type)}.`,
    );
  return { column, name, argument: readDatum(type, argument, resolve) };
}

const badClause = (json: Json) => syntaxError(json, 'Parse error in condition.');

export const readCondition = (
  table: TableSchema,
  json: Json[],
  resolve: ResolveName | null,
): Clause[] => json.map((clause) => readClause(table, clause, resolve));

const meets = (clause: Clause, fields: readonly Datum[]): boolean =>
  typeof clause === 'boolean'
    ? clause
    : TESTS[clause.name](fields[clause.column.index], clause.argument);

export const meetsAll = (clauses: readonly Clause[], fields: readonly Datum[]): boolean =>
  clauses.every((clause) => meets(clause, fields));

/** A monitor's condition; without clauses, every row. */
export const meetsAny = (clauses: readonly Clause[], fields: readonly Datum[]): boolean =>
  clauses.length === 0 || clauses.some((clause) => meets(clause, fields));

/** The UUID that a row must have to meet all clauses, null when any may. */
export function onlyUuid(clauses: readonly Clause[]): string | null {
  for (const clause of clauses) {
    if (typeof clause === 'boolean' || clause.column.index !== UUID_COLUMN) continue;
    if (clause.name === '==' || clause.name === 'includes')
      return clause.argument.keys[0] as string;
  }
  return null;
}
