/** A schema with one of everything, and short words for operations on it. */
import type { Json, JsonObject } from '../../../../src/ovsdb/json-stream.ts';
import { serve } from './served.ts';

export const SMALL_SCHEMA: JsonObject = {
  name: 'Open_vSwitch',
  version: '1.0.0',
  tables: {
    Root: {
      isRoot: true,
      indexes: [['name'], ['number', 'flag']],
      columns: {
        name: { type: 'string' },
        number: { type: 'integer' },
        flag: { type: 'boolean' },
        real: { type: 'real' },
        fixed: { type: 'string', mutable: false },
        few: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 9 }, min: 0, max: 3 } },
        maybe: { type: { key: 'integer', min: 0, max: 1 } },
        options: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        child: { type: { key: { type: 'uuid', refTable: 'Leaf' }, min: 0, max: 'unlimited' } },
        likes: {
          type: { key: { type: 'uuid', refTable: 'Leaf', refType: 'weak' }, min: 0, max: 3 },
        },
        word: { type: { key: { type: 'string', minLength: 2, maxLength: 4 }, min: 0, max: 1 } },
      },
    },
    Leaf: {
      columns: {
        name: { type: 'string' },
        next: { type: { key: { type: 'uuid', refTable: 'Leaf' }, min: 0 } },
      },
    },
    Needy: {
      isRoot: true,
      columns: { one: { type: { key: { type: 'uuid', refTable: 'Leaf', refType: 'weak' } } } },
    },
    Single: {
      isRoot: true,
      maxRows: 1,
      columns: { kind: { type: { key: { type: 'string', enum: ['set', ['a', 'b']] } } } },
    },
  },
};

export const setup = () => serve(SMALL_SCHEMA).client;
export const insert = (table: string, row: JsonObject, name?: string): Json => ({
  op: 'insert',
  table,
  row,
  ...(name === undefined ? {} : { 'uuid-name': name }),
});
export const select = (table: string, where: Json[] = [], ...columns: string[]): Json => ({
  op: 'select',
  table,
  where,
  ...(columns.length > 0 ? { columns } : {}),
});
export const named = (name: string): Json => ['named-uuid', name];
export const uuidOf = (result: Json): Json => (result as JsonObject).uuid;
export const errorOf = (results: Json[]): [Json, Json] => {
  const failed = results.find((result) => (result as JsonObject | null)?.error) as JsonObject;
  return [failed?.error, failed?.details];
};
