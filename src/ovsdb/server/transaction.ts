/**
 * A transaction in the making: what it has changed so far, laid over the committed state, which it does not touch.
 */
import type { Database, Row, Table } from './database.ts';
import { uuidOf } from './database.ts';
import { type Column, UUID_COLUMN, VERSION_COLUMN } from './database-schema.ts';
import { type Datum, single } from './datum.ts';

/** A row that the transaction has looked at or changed. */
export interface Change {
  readonly uuid: string;
  readonly before: Row | null;
  /** Null when the row goes. */
  fields: Datum[] | null;
  /** Strong references that other rows will have to it. Right once `countReferences` ran. */
  references: number;
  /**
   * It counts as a change: told to monitors, with a new version. So does one that the end of the transaction took back (a weak
   * reference to a row that there is not), as by ovsdb-server, but not a look for the sake of references.
   */
  isChanged: boolean;
}

/** Values for some columns of a row. */
export type Assignment = readonly (readonly [Column, Datum])[];

export class Transaction {
  readonly db: Database;
  private readonly newUuid: () => string;
  /** In the order of the first change. */
  readonly changes = new Map<Table, Map<string, Change>>();
  readonly comments: string[] = [];

  constructor(db: Database, newUuid: () => string) {
    this.db = db;
    this.newUuid = newUuid;
  }

  /** The row as this transaction sees it. */
  fieldsOf(table: Table, uuid: string): readonly Datum[] | undefined {
    const change = this.changes.get(table)?.get(uuid);
    if (change !== undefined) return change.fields ?? undefined;
    return table.rows.get(uuid)?.fields;
  }

  /** All rows as this transaction sees them. The transaction must not be changed meanwhile: take a copy for that. */
  *rowsOf(table: Table): Generator<readonly Datum[]> {
    const changes = this.changes.get(table);
    for (const [uuid, row] of table.rows) {
      const change = changes?.get(uuid);
      if (change === undefined) yield row.fields;
      else if (change.fields !== null) yield change.fields;
    }
    if (changes === undefined) return;
    for (const { before, fields } of changes.values())
      if (before === null && fields !== null) yield fields;
  }

  /** False for a UUID that is or was in the table at any point of the transaction. */
  mayCreate(table: Table, uuid: string): boolean {
    return !table.rows.has(uuid) && this.changes.get(table)?.get(uuid) === undefined;
  }

  insert(table: Table, uuid: string, values: Assignment): void {
    const fields = table.schema.columns.map(({ initial }) => initial);
    for (const [{ index }, datum] of values) fields[index] = datum;
    fields[UUID_COLUMN] = single(uuid);
    fields[VERSION_COLUMN] = single(this.newUuid());
    this.changesOf(table).set(uuid, { uuid, before: null, fields, references: 0, isChanged: true });
  }

  /** The row's fields, to be written. */
  modify(table: Table, uuid: string): Datum[] {
    return this.touch(table, uuid)?.fields ?? [];
  }

  delete(table: Table, uuid: string): void {
    const changes = this.changesOf(table);
    if (changes.get(uuid)?.before === null) changes.delete(uuid);
    else {
      const change = this.touch(table, uuid);
      if (change !== undefined) change.fields = null;
    }
  }

  /** The change of a row, begun if there is none; undefined for a row that does not exist. */
  touch(table: Table, uuid: string): Change | undefined {
    const earlier = this.changes.get(table)?.get(uuid);
    if (earlier !== undefined) return earlier;
    const before = table.rows.get(uuid);
    if (before === undefined) return undefined;
    const change: Change = {
      uuid: uuidOf(before),
      before,
      fields: before.fields.slice(),
      references: before.references,
      isChanged: false,
    };
    this.changesOf(table).set(uuid, change);
    return change;
  }

  /** Gives every row that was modified a new version. */
  renewVersion(change: Change): void {
    if (change.fields !== null) change.fields[VERSION_COLUMN] = single(this.newUuid());
  }

  private changesOf(table: Table): Map<string, Change> {
    let changes = this.changes.get(table);
    if (changes === undefined) {
      changes = new Map();
      this.changes.set(table, changes);
    }
    return changes;
  }
}
