/**
 * Random transactions on the Open_vSwitch schema: mostly sensible, now and then wrong in one place. New rows bring their UUIDs, so two
 * servers that are given the same transactions hold the same rows.
 */

import { jsonText } from '../../../../src/ovsdb/exact-json.ts';
import { isObject, type Json, type JsonObject } from '../../../../src/ovsdb/json-stream.ts';
import {
  type Column,
  readSchema,
  type TableSchema,
} from '../../../../src/ovsdb/server/database-schema.ts';
import type { BaseType } from '../../../../src/ovsdb/server/datum-type.ts';
import { VSWITCH_SCHEMA } from '../../../../src/ovsdb/server/vswitch-schema.ts';
import { random } from '../../../packet/bytes.ts';

const SCHEMA = readSchema(VSWITCH_SCHEMA);
/** Of each table so many UUIDs are used over and over. */
const POOL = 20;
const TABLES = [
  ...'Bridge Bridge Port Port Port Interface Interface Mirror QoS Queue Controller Manager'.split(
    ' ',
  ),
  ...'Flow_Table NetFlow IPFIX SSL Flow_Sample_Collector_Set CT_Timeout_Policy Open_vSwitch'.split(
    ' ',
  ),
];
const WORDS = ['a', 'b', 'br0', 'eth-1', 'x y', '', 'é', '"', 'true', '10'];

/** Integers that no number holds. The lowest of all is left out: ovsdb-server 3.1 ends when it is negated. */
const LARGE = [
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n) + 1n,
] as const;

const isOp = (json: Json, op: string): boolean => isObject(json) && json.op === op;
const isOn = (json: Json, table: string): boolean => isObject(json) && json.table === table;

function rowUuid(table: string, n: number): string {
  const hex = (part: number, digits: number): string => part.toString(16).padStart(digits, '0');
  const index = [...SCHEMA.tables.keys()].indexOf(table) + 1;
  return `${hex(index, 8)}-0000-4000-8000-${hex(n, 12)}`;
}

/**
 * A transaction that writes mirrors does nothing else: ovsdb-server 3.1 forgets to take weak references to a deleted port from a
 * mirror that the same transaction changes.
 */
const isOfMirrors = (json: Json): boolean =>
  isOn(json, 'Mirror') || (isOp(json, 'mutate') && jsonText(json).includes('"mirrors","insert"'));

export class RandomTransactions {
  /** 32 bits a call. */
  private readonly words: () => number;
  private named = 0;

  constructor(seed: number) {
    this.words = random(seed);
  }

  /** From 0 to 1. */
  private random(): number {
    return this.words() / 2 ** 32;
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  private chance(p: number): boolean {
    return this.random() < p;
  }

  /** Operations of one transaction. */
  next(): Json[] {
    this.named = 0;
    const count = 1 + this.below(4) + (this.chance(0.1) ? 6 : 0);
    const operations = Array.from({ length: count }, () => this.operations()).flat();
    const writesMirror = operations.some((one) => isOn(one, 'Mirror') && !isOp(one, 'select'));
    if (writesMirror) operations.splice(0, operations.length, ...operations.filter(isOfMirrors));
    if (this.chance(0.2)) operations.unshift({ op: 'comment', comment: this.pick(WORDS) });
    if (this.chance(0.03)) operations.push({ op: 'abort' });
    if (this.chance(0.02)) operations.push({ op: 'assert', lock: 'nobodys' });
    return operations;
  }

  private table(): TableSchema {
    return SCHEMA.tables.get(this.pick(TABLES)) as TableSchema;
  }

  private uuid(table: string): string {
    return rowUuid(table, 1 + this.below(POOL));
  }

  private operations(): Json[] {
    const table = this.table();
    const { name } = table;
    const where = this.where(table);
    const kind = this.random();
    if (kind < 0.12) return this.addPort();
    if (kind < 0.3) return this.attached(table);
    if (kind < 0.4) return [this.insert(table)];
    if (kind < 0.6) return [{ op: 'update', table: name, where, row: this.row(table, true) }];
    if (kind < 0.78)
      return [{ op: 'mutate', table: name, where, mutations: [this.mutation(table)] }];
    if (kind < 0.82) return [{ op: 'delete', table: name, where: this.where(table, true) }];
    if (kind < 0.95) {
      const columns = ['_uuid', ...this.columns(table).map((column) => column.name)];
      return [{ op: 'select', table: name, where, columns }];
    }
    if (kind < 0.98) return [this.wait(table)];
    return [this.pick<Json>([{ op: 'x' }, {}, { op: 'select', table: 'No', where: [] }])];
  }

  private insert(table: TableSchema, row = this.row(table, false)): JsonObject {
    const uuid = this.uuid(table.name);
    return { op: 'insert', table: table.name, row, uuid };
  }

  /** An insertion, and the reference that keeps the row. */
  private attached(table: TableSchema): Json[] {
    const insert = this.insert(table);
    const name = `row${this.named++}`;
    insert['uuid-name'] = name;
    const operations: Json[] = [insert];
    const holders: [string, string][] = [];
    for (const holder of SCHEMA.tables.values())
      for (const column of holder.strongColumns)
        if (column.type.value === null && column.type.key.refTable === table.name)
          holders.push([holder.name, column.name]);
    if (holders.length === 0) return operations;
    const [holder, column] = this.pick(holders);
    const where = this.chance(0.7) ? [] : this.where(SCHEMA.tables.get(holder) as TableSchema);
    const reference: Json = ['named-uuid', name];
    operations.push(
      this.chance(0.85)
        ? { op: 'mutate', table: holder, where, mutations: [[column, 'insert', reference]] }
        : { op: 'update', table: holder, where, row: { [column]: reference } },
    );
    return operations;
  }

  /** What ovs-vsctl add-port asks for. */
  private addPort(): Json[] {
    const [interfaceName, portName] = [`row${this.named++}`, `row${this.named++}`];
    const name = `n${this.below(30)}`;
    const inserted = (table: string, row: JsonObject, uuidName: string): JsonObject => ({
      op: 'insert',
      table,
      uuid: this.uuid(table),
      'uuid-name': uuidName,
      row: { ...row, name },
    });
    return [
      inserted('Interface', { type: this.pick(WORDS) }, interfaceName),
      inserted('Port', { interfaces: ['named-uuid', interfaceName] }, portName),
      {
        op: 'mutate',
        table: 'Bridge',
        where: this.chance(0.5) ? [] : [['_uuid', '==', ['uuid', this.uuid('Bridge')]]],
        mutations: [['ports', 'insert', ['named-uuid', portName]]],
      },
    ];
  }

  private columns(table: TableSchema): readonly Column[] {
    const count = 1 + this.below(3);
    const all = table.columns.slice(2);
    return [...new Set(Array.from({ length: count }, () => this.pick(all)))];
  }

  private row(table: TableSchema, isUpdate: boolean): JsonObject {
    const row: JsonObject = {};
    let isWrong = false;
    for (const column of this.columns(table)) {
      if (isUpdate && !column.isMutable && !this.chance(0.05)) continue;
      // One wrong value at most: which of two is told depends on the order of a hash table.
      const wrong: boolean = !isWrong && this.chance(0.03);
      isWrong ||= wrong;
      row[column.name] = wrong
        ? this.pick<Json>([-7, ['set', 5], 'zz', null, 1.5])
        : this.value(column);
    }
    const { targets } = isUpdate ? {} : Object.fromEntries(table.byName);
    if (targets !== undefined && !Object.hasOwn(row, 'targets')) row.targets = this.value(targets);
    if (!isUpdate && table.byName.get('name')?.isMutable === false && this.chance(0.9))
      row.name = `n${this.below(30)}`;
    return isWrong && Object.keys(row).length > 1 ? this.onlyWrong(row) : row;
  }

  /** The last column alone. */
  private onlyWrong(row: JsonObject): JsonObject {
    const [name, value] = Object.entries(row)[Object.keys(row).length - 1];
    return { [name]: value };
  }

  private value({ type }: Column, max = type.max): Json {
    const { key, value, min } = type;
    if (value === null && min === 1 && max === 1) return this.atom(key);
    // ovsdb-server 3.1 cannot read its own file where such a set held its default, one empty string.
    const mayBeDefault = min === 0 || max === 1;
    const wanted = Math.min(min + this.below(4), max);
    if (value !== null) {
      const pairs = new Map<string, Json>();
      for (let i = 0; i < wanted; i++) {
        const k = this.atom(key);
        pairs.set(jsonText(k), [k, this.atom(value)]);
      }
      return ['map', [...pairs.values()]];
    }
    const atoms = new Map<string, Json>();
    for (let i = 0; i < wanted; i++) {
      const atom = this.atom(key);
      if (atom === '' && !mayBeDefault) continue;
      atoms.set(jsonText(atom), atom);
    }
    return atoms.size === 1 && this.chance(0.5)
      ? [...atoms.values()][0]
      : ['set', [...atoms.values()]];
  }

  private atom(base: BaseType): Json {
    if (base.allowed !== null) return this.pick(base.allowed);
    switch (base.atom) {
      case 'uuid':
        // One port alone is referred to weakly, for the reason told at isOfMirrors: it may forget the second of two, too.
        if (base.isWeak) return ['uuid', rowUuid('Port', this.chance(0.7) ? 1 : POOL + 1)];
        return ['uuid', this.uuid(base.refTable ?? 'Port')];
      case 'boolean':
        return this.chance(0.5);
      case 'string':
        return this.pick(WORDS);
      default: {
        if (base.max === Number.POSITIVE_INFINITY && base.atom === 'integer' && this.chance(0.1))
          return this.pick(LARGE);
        const low = Math.max(base.min, -3);
        return low + this.below(Math.min(base.max - low, 9));
      }
    }
  }

  private where(table: TableSchema, isNarrow = false): Json[] {
    if (!isNarrow && this.chance(0.3)) return [];
    if (this.chance(isNarrow ? 0.9 : 0.5))
      return [['_uuid', '==', ['uuid', this.uuid(table.name)]]];
    const column = this.pick(table.columns.slice(2));
    const test = this.pick(['==', '!=', 'includes', 'excludes', '<', '>=']);
    return [[column.name, test, this.value(column)]];
  }

  private mutation(table: TableSchema): Json {
    const column = this.pick(table.columns.slice(2));
    const isNumber = column.type.key.atom === 'integer' && column.type.value === null;
    const mutator = isNumber
      ? this.pick(['+=', '-=', '*=', '/=', '%='])
      : this.pick(['insert', 'delete', 'insert', 'delete', '+=']);
    // Zero is left out: a negative number times zero kills ovsdb-server 3.1 (SIGFPE).
    const argument = isNumber ? this.pick([-1, 1, 2, 3]) : this.value(column);
    return [column.name, mutator, argument];
  }

  private wait(table: TableSchema): Json {
    const columns = this.columns(table).map(({ name }) => name);
    const row: JsonObject = {};
    for (const name of columns) row[name] = this.value(table.byName.get(name) as Column);
    const until = this.pick(['==', '!=', '!=', '!=']);
    return {
      op: 'wait',
      table: table.name,
      where: this.where(table),
      columns,
      until,
      rows: [row],
      timeout: 0,
    };
  }
}
