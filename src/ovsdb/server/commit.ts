/**
 * What must hold when a transaction ends (RFC 7047 section 4.1.3 and 3.2), in the order in which ovsdb-server checks: strong references
 * name rows, rows that nobody refers to go, tables keep their size, weak references to gone rows go, indexes stay unique.
 * `prepare` changes the transaction and may throw; `apply` then cannot fail.
 */
import type { Atom } from '../value.ts';
import { type Database, indexKey, type Row, type RowChange, type Table } from './database.ts';
import { type Column, VERSION_COLUMN } from './database-schema.ts';
import { type Datum, datumText, equalData, filter, ZERO_UUID } from './datum.ts';
import type { BaseType } from './datum-type.ts';
import { OvsdbFailure, violation } from './failure.ts';
import type { Change, Transaction } from './transaction.ts';

type Count = (table: Table, uuid: string, column: Column) => void;

/**
 * Calls `count` for each strong reference of `fields` that `other` lacks, but not for those of a row to itself, which do not count.
 * A bridge of a thousand ports that gets one more costs one.
 */
function eachStrong(
  db: Database,
  table: Table,
  uuid: string,
  fields: readonly Datum[],
  other: readonly Datum[] | null,
  count: Count,
): void {
  for (const column of table.schema.strongColumns) {
    const here = fields[column.index];
    const there = other?.[column.index];
    if (here === there) continue;
    const visit = (base: BaseType | null, atoms: Atoms, others: Atoms | undefined): void => {
      if (base === null || atoms === null || base.refTable === null || base.isWeak) return;
      const target = db.tables.get(base.refTable) as Table;
      const left = new Map<Atom, number>();
      for (const atom of others ?? []) left.set(atom, (left.get(atom) ?? 0) + 1);
      for (const atom of atoms) {
        const spare = left.get(atom) ?? 0;
        if (spare > 0) left.set(atom, spare - 1);
        else if (atom !== uuid) count(target, atom as string, column);
      }
    };
    visit(column.type.key, here.keys, there?.keys);
    visit(column.type.value, here.values, there?.values);
  }
}

type Atoms = readonly Atom[] | null;

function isSame({ before, fields }: Change): boolean {
  if (before === null || fields === null) return false;
  return fields.every((datum, i) => i === VERSION_COLUMN || equalData(before.fields[i], datum));
}

function dropUnchanged(txn: Transaction): void {
  for (const [table, changes] of txn.changes) {
    for (const change of changes.values()) {
      if (isSame(change)) changes.delete(change.uuid);
      else change.isChanged = true;
    }
    if (changes.size === 0) txn.changes.delete(table);
  }
}

function countReferences(txn: Transaction): void {
  const listed = [...txn.changes].map(
    ([table, changes]) => [table, [...changes.values()]] as const,
  );
  for (const [table, changes] of listed) {
    for (const { uuid, before, fields } of changes) {
      if (before !== null)
        eachStrong(txn.db, table, uuid, before.fields, fields, (target, to) => {
          const change = txn.touch(target, to);
          if (change !== undefined) change.references--;
        });
      if (fields === null) continue;
      eachStrong(txn.db, table, uuid, fields, before?.fields ?? null, (target, to, column) => {
        const change = txn.touch(target, to);
        if (change === undefined)
          throw new OvsdbFailure(
            'referential integrity violation',
            `Table ${table.schema.name} column ${column.name} row ${uuid} references nonexistent row ${to} in table ${target.schema.name}.`,
          );
        change.references++;
      });
    }
  }
  for (const [table, changes] of txn.changes) {
    for (const { uuid, fields, references } of changes.values()) {
      if (fields === null && references > 0)
        throw new OvsdbFailure(
          'referential integrity violation',
          `cannot delete ${table.schema.name} row ${uuid} because of ${references} remaining reference(s)`,
        );
    }
  }
}

/** Deletes rows of tables that are no roots and that nobody refers to, and then what only those referred to. */
function collectGarbage(txn: Transaction): void {
  const queue: [Table, Change][] = [];
  for (const [table, changes] of txn.changes)
    for (const change of changes.values()) queue.push([table, change]);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [table, change] = next;
    const { uuid, fields } = change;
    if (table.schema.isRoot || fields === null || change.references > 0) continue;
    change.fields = null;
    eachStrong(txn.db, table, uuid, fields, null, (target, to) => {
      const other = txn.touch(target, to);
      if (other === undefined) return;
      other.references--;
      if (other.references === 0) queue.push([target, other]);
    });
  }
}

function checkSizes(txn: Transaction): void {
  for (const [table, changes] of txn.changes) {
    const { maxRows, name } = table.schema;
    let count = table.rows.size;
    for (const { before, fields } of changes.values()) {
      if (before === null && fields !== null) count++;
      else if (before !== null && fields === null) count--;
    }
    if (count > maxRows)
      throw violation(
        `transaction causes "${name}" table to contain ${count} rows, greater than the schema-defined limit of ${maxRows} row(s)`,
      );
  }
}

function touchReferrers(txn: Transaction): void {
  const gone = new Map<string, Set<string>>();
  for (const [table, changes] of txn.changes)
    for (const { uuid, before, fields } of changes.values())
      if (before !== null && fields === null) {
        const { name } = table.schema;
        gone.set(name, (gone.get(name) ?? new Set()).add(uuid));
      }
  if (gone.size === 0) return;
  const names = (base: BaseType | null, atoms: readonly unknown[] | null): boolean => {
    const targets = base?.isWeak ? gone.get(base.refTable as string) : undefined;
    return targets !== undefined && (atoms ?? []).some((atom) => targets.has(atom as string));
  };
  for (const table of txn.db.tables.values()) {
    const columns = table.schema.weakColumns.filter(({ type: { key, value } }) =>
      [key, value].some((base) => base?.isWeak && gone.has(base.refTable as string)),
    );
    if (columns.length === 0) continue;
    for (const [uuid, row] of table.rows) {
      const refers = columns.some(({ index, type: { key, value } }) => {
        const { keys, values } = row.fields[index];
        return names(key, keys) || names(value, values);
      });
      if (refers) txn.touch(table, uuid);
    }
  }
}

function removeDanglingWeak(txn: Transaction): void {
  touchReferrers(txn);
  const exists = (base: BaseType | null, atom: unknown): boolean =>
    !base?.isWeak ||
    txn.fieldsOf(txn.db.tables.get(base.refTable as string) as Table, atom as string) !== undefined;
  for (const [table, changes] of txn.changes) {
    for (const change of changes.values()) {
      if (change.fields === null) continue;
      for (const column of table.schema.weakColumns) {
        const { key, value } = column.type;
        const held = change.fields[column.index];
        const kept = filter(held, (k, v) => exists(key, k) && (v === null || exists(value, v)));
        const lost = held.keys.length - kept.keys.length;
        if (lost === 0) continue;
        change.fields[column.index] = kept;
        change.isChanged = true;
        if (kept.keys.length < column.type.min) throw emptied(table, column, change, held, lost);
      }
    }
  }
}

function emptied(table: Table, column: Column, change: Change, held: Datum, lost: number) {
  const { name } = table.schema;
  const isNew = change.before === null;
  if (isNew && [...held.keys, ...(held.values ?? [])].includes(ZERO_UUID))
    return violation(
      `Weak reference column "${column.name}" in "${name}" row ${change.uuid} (inserted within this transaction) contained all-zeros UUID (probably as the default value for this column) but deleting this value caused a constraint volation because this column is not allowed to be empty.`,
    );
  return violation(
    `Deletion of ${lost} weak reference(s) to deleted (or never-existing) rows from column "${column.name}" in "${name}" row ${change.uuid} ${isNew ? '(inserted within this transaction) ' : ''}caused this column to become empty, but constraints on this column disallow an empty column.`,
  );
}

function checkIndexes(txn: Transaction): void {
  for (const [table, changes] of txn.changes) {
    table.schema.indexes.forEach((columns, i) => {
      const seen = new Map<string, Change>();
      for (const change of changes.values()) {
        if (change.fields === null) continue;
        const key = indexKey(columns, change.fields);
        const twin = seen.get(key);
        if (twin !== undefined) throw duplicate(table, columns, twin, change);
        seen.set(key, change);
        const uuid = table.indexes[i].get(key);
        if (uuid === undefined || changes.has(uuid)) continue;
        const before = table.rows.get(uuid) as Row;
        const fields = [...before.fields];
        const other: Change = { uuid, before, fields, references: 0, isChanged: false };
        throw duplicate(table, columns, other, change);
      }
    });
  }
}

/** The values of an index's columns, for people. */
const valuesText = (columns: readonly Column[], fields: readonly Datum[]): string =>
  columns.map(({ index, type }) => datumText(fields[index], type)).join(', ');

/** `column "a"`, `columns "a" and "b"`. */
function columnsText(columns: readonly Column[]): string {
  const names = columns.map(({ name }) => `"${name}"`);
  if (names.length === 1) return `column ${names[0]}`;
  if (names.length === 2) return `columns ${names.join(' and ')}`;
  return `columns ${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`;
}

function historyOf(columns: readonly Column[], change: Change): string {
  const { before } = change;
  if (before === null) return 'was inserted by this transaction.';
  if (!change.isChanged)
    return 'existed in the database before this transaction and was not modified by the transaction.';
  const fields = change.fields ?? before.fields;
  if (columns.every(({ index }) => equalData(before.fields[index], fields[index])))
    return "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index.";
  return `had the following index values before the transaction: ${valuesText(columns, before.fields)}.`;
}

function duplicate(table: Table, columns: readonly Column[], one: Change, other: Change) {
  const [a, b] = one.uuid < other.uuid ? [other, one] : [one, other];
  return violation(
    `Transaction causes multiple rows in "${table.schema.name}" table to have identical values (${valuesText(columns, a.fields ?? [])}) for index on ${columnsText(columns)}.  First row, with UUID ${a.uuid}, ${historyOf(columns, a)}  Second row, with UUID ${b.uuid}, ${historyOf(columns, b)}`,
  );
}

/** Completes and checks a transaction. Throws OvsdbFailure; afterwards `txn` is what will be. */
export function prepare(txn: Transaction): void {
  dropUnchanged(txn);
  if (txn.changes.size === 0) return;
  countReferences(txn);
  collectGarbage(txn);
  checkSizes(txn);
  removeDanglingWeak(txn);
  checkIndexes(txn);
  for (const changes of txn.changes.values())
    for (const change of changes.values())
      if (change.before !== null && change.isChanged) txn.renewVersion(change);
}

/** What a prepared transaction changes, without rows whose count of references alone changed. */
export function changesOf(txn: Transaction): RowChange[] {
  const list: RowChange[] = [];
  for (const [table, changes] of txn.changes) {
    for (const change of changes.values()) {
      const { uuid, before, fields, references, isChanged } = change;
      if (fields === null ? before === null : !isChanged) continue;
      list.push({ table, uuid, before, after: fields === null ? null : { fields, references } });
    }
  }
  return list;
}

/** Makes a prepared transaction the committed state. */
export function apply(txn: Transaction): void {
  for (const [table, changes] of txn.changes) {
    for (const { before } of changes.values())
      if (before !== null) forgetIndexes(table, before.fields);
    for (const { uuid, fields, references } of changes.values()) {
      if (fields === null) {
        table.rows.delete(uuid);
        continue;
      }
      table.rows.set(uuid, { fields, references });
      table.schema.indexes.forEach((columns, i) => {
        table.indexes[i].set(indexKey(columns, fields), uuid);
      });
    }
  }
}

function forgetIndexes(table: Table, fields: readonly Datum[]): void {
  table.schema.indexes.forEach((columns, i) => {
    table.indexes[i].delete(indexKey(columns, fields));
  });
}
