/**
 * One attempt at carrying out a command line: what its commands read of the database, what they change, and the operations that say so.
 *
 * Changes lie over the committed state (the embedded server's `Transaction`), so that a later command sees what an earlier one did.
 * What a decision was made from is noted by `verify` and becomes a `wait` operation: when somebody else changed it meanwhile, the
 * server refuses the whole, and the command line is tried again on the newer state.
 */
import type { Json, JsonObject } from '../../ovsdb/json-stream.ts';
import type { Database, Table } from '../../ovsdb/server/database.ts';
import { type Column, UUID_COLUMN, VERSION_COLUMN } from '../../ovsdb/server/database-schema.ts';
import {
  type Datum,
  datumJson,
  equalData,
  single,
  subtract,
  union,
} from '../../ovsdb/server/datum.ts';
import type { BaseType } from '../../ovsdb/server/datum-type.ts';
import { Transaction } from '../../ovsdb/server/transaction.ts';
import type { Atom } from '../../ovsdb/value.ts';
import { fail } from './vsctl-error.ts';

/** A row of the database or of this attempt. */
export interface RowRef {
  readonly table: Table;
  readonly uuid: string;
}

/** What `@name` stands for. */
interface Symbol {
  uuid: string;
  isCreated: boolean;
  isStrong: boolean;
  isWeak: boolean;
}

interface Addition {
  readonly added: Datum;
  /** What the column was set to before, null where it is as it was. */
  readonly written: Datum | null;
}

const whereUuid = (uuid: string): Json => [['_uuid', '==', ['uuid', uuid]]];

export class Attempt {
  readonly db: Database;
  readonly txn: Transaction;
  readonly symbols = new Map<string, Symbol>();
  /** Rows of which the server is to make sure that they are as they were read. */
  private readonly verified = new Map<Table, Map<string, Set<Column>>>();
  /** Rows whose UUID the user chose. */
  private readonly chosen = new Set<string>();
  private readonly inserted = new Set<string>();
  /** Elements to be added to a column of a committed row, whatever else it holds by then. */
  private readonly additions = new Map<Table, Map<string, Map<Column, Addition>>>();
  private readonly newUuid: () => string;
  private expectsNoRoot = false;
  /** Interfaces that commands added, of which the switch is asked whether they work. */
  readonly newInterfaces: RowRef[] = [];
  /** A command waits for another state of the database. */
  mustTryAgain = false;

  constructor(db: Database, newUuid: () => string) {
    this.db = db;
    this.newUuid = newUuid;
    this.txn = new Transaction(db, newUuid);
  }

  table(name: string): Table {
    const table = this.db.tables.get(name);
    if (table === undefined) throw new TypeError(`no table ${name}`);
    return table;
  }

  column(row: RowRef, name: string): Column {
    const column = row.table.schema.byName.get(name);
    if (column === undefined) throw new TypeError(`no column ${row.table.schema.name}.${name}`);
    return column;
  }

  rows(table: Table): RowRef[] {
    return [...this.txn.rowsOf(table)].map((fields) => ({
      table,
      uuid: fields[UUID_COLUMN].keys[0] as string,
    }));
  }

  /** The row of that UUID, undefined when there is none. */
  row(table: Table, uuid: string): RowRef | undefined {
    return this.txn.fieldsOf(table, uuid) === undefined ? undefined : { table, uuid };
  }

  read({ table, uuid }: RowRef, column: Column): Datum {
    return this.txn.fieldsOf(table, uuid)?.[column.index] ?? column.initial;
  }

  verify({ table, uuid }: RowRef, column: Column): void {
    // A row of this attempt is nobody else's.
    if (!table.rows.has(uuid)) return;
    const rows = this.verified.get(table) ?? new Map<string, Set<Column>>();
    this.verified.set(table, rows);
    const columns = rows.get(uuid);
    if (columns === undefined) rows.set(uuid, new Set([column]));
    else columns.add(column);
  }

  write({ table, uuid }: RowRef, column: Column, datum: Datum): void {
    const fields = this.txn.modify(table, uuid);
    fields[column.index] = datum;
    this.additions.get(table)?.get(uuid)?.delete(column);
  }

  /** Gives keys of a map these values, and leaves all others as they are. */
  put(row: RowRef, column: Column, pairs: Datum): void {
    const before = this.read(row, column);
    this.add(row, column, pairs);
    const fields = this.txn.modify(row.table, row.uuid);
    fields[column.index] = union(pairs, before);
  }

  /** Adds elements to a set or a map; values of keys that are there are replaced, unless the column is verified or set as a whole. */
  add(row: RowRef, column: Column, added: Datum): void {
    const { table, uuid } = row;
    const before = this.read(row, column);
    const earlier = this.additions.get(table)?.get(uuid)?.get(column);
    const committed = table.rows.get(uuid)?.fields[column.index];
    this.write(row, column, union(before, added));
    if (committed === undefined) return;
    const rows = this.additions.get(table) ?? new Map<string, Map<Column, Addition>>();
    this.additions.set(table, rows);
    const columns = rows.get(uuid) ?? new Map<Column, Addition>();
    rows.set(uuid, columns);
    const all = earlier === undefined ? added : union(added, earlier.added);
    const own = equalData(before, committed) ? null : before;
    columns.set(column, { added: all, written: earlier === undefined ? own : earlier.written });
  }

  /** A new row, with the defaults; `uuid` only where the user chose one. */
  insert(table: Table, uuid: string | null = null): RowRef {
    const own = uuid ?? this.newUuid();
    if (uuid !== null) this.chosen.add(uuid);
    this.inserted.add(own);
    this.txn.insert(table, own, []);
    return { table, uuid: own };
  }

  /** As `insert` for a row that `@name` stands for. */
  insertNamed(table: Table, uuid: string): RowRef {
    this.inserted.add(uuid);
    this.txn.insert(table, uuid, []);
    return { table, uuid };
  }

  /** The row of an empty database, provided that nobody else makes one. */
  insertRoot(): RowRef {
    const row = this.insert(this.table('Open_vSwitch'));
    this.expectsNoRoot = true;
    return row;
  }

  delete({ table, uuid }: RowRef): void {
    if (this.txn.fieldsOf(table, uuid) !== undefined) this.txn.delete(table, uuid);
  }

  symbol(name: string): Symbol {
    let symbol = this.symbols.get(name);
    if (symbol === undefined) {
      symbol = { uuid: this.newUuid(), isCreated: false, isStrong: false, isWeak: false };
      this.symbols.set(name, symbol);
    }
    return symbol;
  }

  readonly resolve = (name: string, base: BaseType): string => {
    const symbol = this.symbol(name);
    if (base.refTable !== null) {
      if (base.isWeak) symbol.isWeak = true;
      else symbol.isStrong = true;
    }
    return symbol.uuid;
  };

  // Shorthands for columns whose type is known.

  /** Values of a column by name. */
  keys(row: RowRef, name: string): readonly Atom[] {
    return this.read(row, this.column(row, name)).keys;
  }

  /** The one value of a scalar or optional column. */
  value(row: RowRef, name: string): Atom | undefined {
    return this.keys(row, name)[0];
  }

  text(row: RowRef, name: string): string {
    return String(this.value(row, name) ?? '');
  }

  /** A map column of strings. */
  entries(row: RowRef, name: string): Map<string, string> {
    const { keys, values } = this.read(row, this.column(row, name));
    return new Map(keys.map((key, i) => [String(key), String(values?.[i])]));
  }

  /** Rows that a column refers to and that are there. */
  refs(row: RowRef, name: string): RowRef[] {
    const column = this.column(row, name);
    const base = column.type.value ?? column.type.key;
    const table = this.table(base.refTable ?? '');
    const { keys, values } = this.read(row, column);
    return (values ?? keys).flatMap((uuid) => this.row(table, uuid as string) ?? []);
  }

  verifyNamed(row: RowRef, ...names: readonly string[]): void {
    for (const name of names) this.verify(row, this.column(row, name));
  }

  /** Writes keys, sorted here, as a set. */
  set(row: RowRef, name: string, keys: readonly Atom[]): void {
    const sorted = [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.write(row, this.column(row, name), { keys: sorted, values: null });
  }

  setMap(row: RowRef, name: string, entries: ReadonlyMap<Atom, Atom>): void {
    const keys = [...entries.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const values = keys.map((key) => entries.get(key) as Atom);
    this.write(row, this.column(row, name), { keys, values });
  }

  setRefs(row: RowRef, name: string, rows: readonly RowRef[]): void {
    this.set(
      row,
      name,
      rows.map(({ uuid }) => uuid),
    );
  }

  // What goes to the server.

  private name(uuid: string): string {
    return `row${uuid.replaceAll('-', '_')}`;
  }

  /** References to rows that the transaction inserts go by name. */
  private json(datum: Datum, { type }: Column): Json {
    const json = datumJson(datum, type);
    if (type.key.atom !== 'uuid' && type.value?.atom !== 'uuid') return json;
    const named = (part: Json): Json => {
      if (!Array.isArray(part)) return part;
      const [tag, uuid] = part;
      if (tag !== 'uuid' || typeof uuid !== 'string') return part.map(named);
      const isNew = this.inserted.has(uuid) && !this.chosen.has(uuid);
      return isNew ? ['named-uuid', this.name(uuid)] : part;
    };
    return named(json);
  }

  private waits(): JsonObject[] {
    const waits: JsonObject[] = [];
    if (this.expectsNoRoot) {
      const table = 'Open_vSwitch';
      waits.push({ op: 'wait', table, timeout: 0, where: [], until: '==', rows: [] });
    }
    for (const [table, rows] of this.verified) {
      for (const [uuid, columns] of rows) {
        const row: JsonObject = {};
        const fields = table.rows.get(uuid)?.fields;
        for (const column of columns) {
          row[column.name] = datumJson(fields?.[column.index] ?? column.initial, column.type);
        }
        waits.push({
          op: 'wait',
          table: table.schema.name,
          timeout: 0,
          where: whereUuid(uuid),
          columns: Object.keys(row),
          until: '==',
          rows: [row],
        });
      }
    }
    return waits;
  }

  /** Additions that stay additions, by column: those of columns that nothing depends on. */
  private additionsTo(table: Table, uuid: string): ReadonlyMap<Column, Addition> {
    const verified = this.verified.get(table)?.get(uuid);
    const all = this.additions.get(table)?.get(uuid) ?? [];
    return new Map([...all].filter(([column]) => verified?.has(column) !== true));
  }

  /** Mutations that say so: of a map, keys that have other values go first. */
  private mutations(
    additions: ReadonlyMap<Column, Addition>,
    old: readonly Datum[] | undefined,
  ): Json[] {
    return [...additions].flatMap(([column, { added, written }]): Json[] => {
      const { name, type } = column;
      if (type.value === null) {
        const elements = added.keys.map((key) => this.json(single(key), column));
        return [[name, 'insert', ['set', elements]]];
      }
      const before = written ?? old?.[column.index] ?? column.initial;
      const fresh = subtract(added, before);
      const stale = fresh.keys.filter((key) => before.keys.includes(key));
      const keyType = { ...column, type: { ...type, value: null } };
      return [
        ...(stale.length === 0
          ? []
          : [[name, 'delete', ['set', stale.map((key) => this.json(single(key), keyType))]]]),
        ...(fresh.keys.length === 0 ? [] : [[name, 'insert', this.json(fresh, column)]]),
      ];
    });
  }

  private changes(): JsonObject[] {
    const changes: JsonObject[] = [];
    for (const [table, rows] of this.txn.changes) {
      for (const { uuid, before, fields } of rows.values()) {
        const old = before?.fields;
        const where = whereUuid(uuid);
        const head = { table: table.schema.name };
        if (fields === null) {
          // Rows of other tables go when nobody refers to them.
          if (table.schema.isRoot) changes.push({ op: 'delete', ...head, where });
          continue;
        }
        const row: JsonObject = {};
        const additions = this.additionsTo(table, uuid);
        for (const column of table.schema.columns.slice(VERSION_COLUMN + 1)) {
          const addition = additions.get(column);
          if (addition?.written === null) continue;
          const datum = addition?.written ?? fields[column.index];
          if (equalData(datum, old?.[column.index] ?? column.initial)) continue;
          row[column.name] = this.json(datum, column);
        }
        if (old !== undefined) {
          if (Object.keys(row).length > 0) changes.push({ op: 'update', ...head, where, row });
          const mutations = this.mutations(additions, old);
          if (mutations.length > 0) changes.push({ op: 'mutate', ...head, where, mutations });
        } else if (this.chosen.has(uuid)) changes.push({ op: 'insert', ...head, uuid, row });
        else changes.push({ op: 'insert', ...head, 'uuid-name': this.name(uuid), row });
      }
    }
    return changes;
  }

  /** Operations of the transaction: none when nothing is to be changed. */
  operations(): JsonObject[] {
    const changes = this.changes();
    return changes.length === 0 ? [] : [...this.waits(), ...changes];
  }

  /** The name under which a row is inserted, for its UUID in the reply. */
  insertName(uuid: string): string {
    return this.name(uuid);
  }

  /** Throws VsctlError for names that nothing was created for; gives warnings about rows that nobody refers to. */
  checkSymbols(): string[] {
    const warnings: string[] = [];
    for (const [name, { isCreated, isStrong, isWeak }] of this.symbols) {
      if (!isCreated) {
        fail(
          `row id "${name}" is referenced but never created (e.g. with "-- --id=${name} create ...")`,
        );
      }
      if (isStrong) continue;
      const what = isWeak
        ? 'only a weak reference to it was inserted'
        : 'no reference to it was inserted';
      warnings.push(
        `row id "${name}" was created but ${what}, so it will not actually appear in the database`,
      );
    }
    return warnings;
  }
}

export const firstRow = (attempt: Attempt, table: string): RowRef | undefined => {
  for (const row of attempt.rows(attempt.table(table))) return row;
  return undefined;
};
