/** <mutation> of RFC 7047 section 5.1: arithmetic on numbers, insertion into and deletion from sets and maps. */
import { integerOf } from '../exact-json.ts';
import type { Json } from '../json-stream.ts';
import type { Atom } from '../value.ts';
import type { Column, TableSchema } from './database-schema.ts';
import {
  checkAtom,
  type Datum,
  fitsCount,
  isInt64,
  type ResolveName,
  readDatum,
  sortedSet,
  subtract,
  union,
} from './datum.ts';
import { type DatumType, isMap, isScalar, isSet, plain, typeText } from './datum-type.ts';
import { OvsdbFailure, syntaxError, violation } from './failure.ts';

export interface Mutation {
  readonly column: Column;
  readonly name: string;
  readonly argument: Datum;
}

interface Operator {
  readonly integer: (x: bigint, y: bigint) => bigint;
  /** Null where reals have none. */
  readonly real: ((x: number, y: number) => number) | null;
  readonly divides?: boolean;
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  '+=': { integer: (x, y) => x + y, real: (x, y) => x + y },
  '-=': { integer: (x, y) => x - y, real: (x, y) => x - y },
  '*=': { integer: (x, y) => x * y, real: (x, y) => x * y },
  '/=': { integer: (x, y) => x / y, real: (x, y) => x / y, divides: true },
  '%=': { integer: (x, y) => x % y, real: null, divides: true },
};

/** Reads the arguments; map keys alone are enough to delete by. */
function readArgument(
  { column, name, operator }: { column: Column; name: string; operator: Operator | undefined },
  json: Json[],
  resolve: ResolveName | null,
): Datum {
  const { type } = column;
  const mismatch = () =>
    syntaxError(
      json,
      `Type mismatch: "${name}" operator may not be applied to column ${column.name} of type ${typeText(type)}.`,
    );
  if (operator !== undefined) {
    const { atom } = type.key;
    const applies = atom === 'integer' || (atom === 'real' && operator.real !== null);
    if (!applies || !(isScalar(type) || isSet(type))) throw mismatch();
    return readDatum({ key: plain(atom), value: null, min: 1, max: 1 }, json[2], resolve);
  }
  if (!isSet(type) && !isMap(type)) throw mismatch();
  const max = name === 'delete' ? Number.POSITIVE_INFINITY : type.max;
  const wanted: DatumType = { ...type, min: 0, max };
  if (name === 'insert' || !isMap(type)) return readDatum(wanted, json[2], resolve);
  try {
    return readDatum(wanted, json[2], resolve);
  } catch (failure) {
    if (!(failure instanceof OvsdbFailure)) throw failure;
    return readDatum({ ...wanted, value: null }, json[2], resolve);
  }
}

function readMutation(table: TableSchema, json: Json, resolve: ResolveName | null): Mutation {
  const bad = () => syntaxError(json, 'Parse error in mutation.');
  if (!Array.isArray(json) || json.length !== 3) throw bad();
  const [columnName, name] = json;
  if (typeof columnName !== 'string' || typeof name !== 'string') throw bad();
  const column = table.byName.get(columnName);
  if (column === undefined)
    throw new OvsdbFailure(
      'unknown column',
      `No column ${columnName} in table ${table.name}.`,
      json,
    );
  if (!column.isMutable)
    throw new OvsdbFailure(
      'constraint violation',
      `Cannot mutate immutable column ${columnName} in table ${table.name}.`,
      json,
    );
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (operator === undefined && name !== 'insert' && name !== 'delete')
    throw new OvsdbFailure('unknown mutator', `No mutator named ${name}.`);
  return { column, name, argument: readArgument({ column, name, operator }, json, resolve) };
}

export const readMutations = (
  table: TableSchema,
  json: Json[],
  resolve: ResolveName | null,
): Mutation[] => json.map((one) => readMutation(table, one, resolve));

function calculate(name: string, atom: string, x: number | bigint, y: number | bigint): Atom {
  const operator = OPERATORS[name];
  if (operator.divides && Number(y) === 0)
    throw new OvsdbFailure('domain error', 'Division by zero.');
  if (atom === 'real' && operator.real !== null) {
    const result = operator.real(Number(x), Number(y));
    if (Number.isFinite(result)) return result;
  } else {
    const result = operator.integer(BigInt(x), BigInt(y));
    if (isInt64(result)) return integerOf(result);
  }
  throw new OvsdbFailure('range error', `Result of "${name}" operation is out of range.`);
}

function mutated({ column: { type }, name, argument }: Mutation, datum: Datum): Datum {
  if (Object.hasOwn(OPERATORS, name)) {
    const y = argument.keys[0] as number | bigint;
    const keys = datum.keys.map((x) => calculate(name, type.key.atom, x as number | bigint, y));
    for (const key of keys) checkAtom(key, type.key);
    const result = sortedSet(keys);
    if (result === null) throw violation(`Result of "${name}" operation contains duplicates.`);
    return result;
  }
  const result = name === 'insert' ? union(datum, argument) : subtract(datum, argument);
  if (!fitsCount(result, type))
    throw violation(`Attempted to store ${result.keys.length} elements in ${typeText(type)}.`);
  return result;
}

/** Carries mutations out, one after the other, on `fields`. Throws OvsdbFailure. */
export function mutate(mutations: readonly Mutation[], fields: Datum[]): void {
  for (const mutation of mutations) {
    const { index } = mutation.column;
    fields[index] = mutated(mutation, fields[index]);
  }
}
