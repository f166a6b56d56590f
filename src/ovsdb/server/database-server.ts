/**
 * The databases that are served, and what sessions share: commits, requests that wait for one, locks.
 *
 * Everything happens in one turn of the event loop: a transaction is written down, committed, told to all monitors, and only
 * then answered, so that a client that has its answer has also seen its effect (RFC 7047 section 4.1.6).
 */
import type { Clock, Timer } from '../../util/clock.ts';
import type { Json, JsonObject } from '../json-stream.ts';
import { apply, changesOf, prepare } from './commit.ts';
import { convert } from './convert.ts';
import { Database, type RowChange } from './database.ts';
import { type DatabaseSchema, readSchema, schemaJson } from './database-schema.ts';
import { single } from './datum.ts';
import { History } from './history.ts';
import { Locks } from './locks.ts';
import { execute } from './operations.ts';
import { SERVER_SCHEMA } from './server-schema.ts';
import { type Assignment, Transaction } from './transaction.ts';

/** Where commits are written down. */
export interface Journal {
  /** Throws OvsdbFailure where it cannot. */
  record(changes: readonly RowChange[], comment: string | null, durable: boolean): void;
  /** Writes another database in the place of all that was recorded. Throws OvsdbFailure where it cannot. */
  replace(db: Database): void;
}

/** Hears of commits, after they are in force. */
export interface CommitListener {
  committed(hosted: HostedDatabase, changes: readonly RowChange[]): void;
  /** The database has another schema: what was known of its tables holds no longer. */
  converted(hosted: HostedDatabase): void;
}

/** A conversion puts another database and history into it. */
export interface HostedDatabase {
  db: Database;
  readonly journal: Journal | null;
  history: History;
}

/** A request in execution. */
export interface TransactRequest {
  readonly hosted: HostedDatabase;
  readonly operations: readonly Json[];
  readonly holdsLock: (name: string) => boolean;
  readonly done: (results: Json[]) => void;
  /** It was given up before it was done. */
  readonly canceled: () => void;
}

interface Waiting {
  readonly request: TransactRequest;
  readonly sinceMs: number;
  timer: Timer | null;
}

/** Gives up a request that waits. */
export type Cancel = () => void;

export class DatabaseServer {
  readonly databases = new Map<string, HostedDatabase>();
  readonly locks = new Locks();
  readonly serverId: string;
  private readonly clock: Clock;
  private readonly newUuid: () => string;
  private readonly listeners = new Set<CommitListener>();
  private readonly waiting = new Set<Waiting>();
  private readonly own: HostedDatabase;
  private isRetrying = false;

  constructor(options: { readonly clock: Clock; readonly newUuid: () => string }) {
    this.clock = options.clock;
    this.newUuid = options.newUuid;
    this.serverId = options.newUuid();
    this.own = this.host(new Database(readSchema(SERVER_SCHEMA)), null);
    this.describe(this.own.db.schema);
  }

  /** Serves a database from now on. */
  add(db: Database, journal: Journal | null): HostedDatabase {
    const hosted = this.host(db, journal);
    this.describe(db.schema);
    return hosted;
  }

  listen(listener: CommitListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Answers now, or when what a `wait` waits for came or its time is up; the returned function gives up. */
  transact(request: TransactRequest): Cancel {
    const waiting: Waiting = { request, sinceMs: this.clock.now(), timer: null };
    this.waiting.add(waiting);
    this.attempt(waiting);
    return () => this.forget(waiting);
  }

  /** A transaction of the server itself, such as a status. Throws OvsdbFailure when it breaks a constraint. */
  change(hosted: HostedDatabase, edit: (txn: Transaction) => void): void {
    const txn = new Transaction(hosted.db, this.newUuid);
    edit(txn);
    prepare(txn);
    const changes = changesOf(txn);
    hosted.journal?.record(changes, null, false);
    apply(txn);
    this.told(hosted, changes);
    this.retry();
  }

  /**
   * Gives a database another schema (ovsdb-server(7), "Schema Conversion"); what waits for it is canceled. Throws OvsdbFailure, and
   * then nothing has changed.
   */
  convert(hosted: HostedDatabase, schema: DatabaseSchema): void {
    const db = convert(hosted.db, schema, this.newUuid);
    hosted.journal?.replace(db);
    for (const waiting of [...this.waiting]) {
      if (waiting.request.hosted !== hosted) continue;
      this.forget(waiting);
      waiting.request.canceled();
    }
    hosted.db = db;
    hosted.history = new History(this.newUuid);
    for (const listener of [...this.listeners]) listener.converted(hosted);
    this.describe(schema);
  }

  private host(db: Database, journal: Journal | null): HostedDatabase {
    const hosted = { db, journal, history: new History(this.newUuid) };
    this.databases.set(db.schema.name, hosted);
    return hosted;
  }

  /** The row of `_Server` that tells clients of a database (ovsdb-server(5)). */
  private describe(schema: DatabaseSchema): void {
    this.change(this.own, (txn) => {
      const table = txn.db.tables.get('Database');
      if (table === undefined) return;
      const values: JsonObject = {
        name: schema.name,
        model: 'standalone',
        connected: true,
        leader: true,
        schema: JSON.stringify(schemaJson(schema)),
      };
      const row: Assignment = table.schema.columns.flatMap((column) =>
        Object.hasOwn(values, column.name)
          ? [[column, single(values[column.name] as string | boolean)] as const]
          : [],
      );
      const name = table.schema.byName.get('name');
      const former = [...table.rows].find(
        ([, { fields }]) => name !== undefined && fields[name.index].keys[0] === schema.name,
      );
      if (former === undefined) txn.insert(table, this.newUuid(), row);
      else {
        const fields = txn.modify(table, former[0]);
        for (const [{ index }, datum] of row) fields[index] = datum;
      }
    });
  }

  private attempt(waiting: Waiting): void {
    const { request, sinceMs } = waiting;
    const { hosted } = request;
    const outcome = execute(hosted.db, request.operations, {
      newUuid: this.newUuid,
      holdsLock: request.holdsLock,
      elapsedMs: this.clock.now() - sinceMs,
      record: (changes, comment, durable) => hosted.journal?.record(changes, comment, durable),
    });
    if (outcome.kind === 'blocked') {
      const { timeoutMs } = outcome;
      if (waiting.timer === null && timeoutMs !== Number.POSITIVE_INFINITY) {
        const left = Math.max(sinceMs + timeoutMs - this.clock.now(), 1);
        waiting.timer = this.clock.after(Math.min(left, MAX_TIMER_MS), () => {
          waiting.timer = null;
          if (this.waiting.has(waiting)) this.attempt(waiting);
        });
      }
      return;
    }
    this.forget(waiting);
    this.told(hosted, outcome.changes);
    request.done(outcome.results);
    if (outcome.changes.length > 0) this.retry();
  }

  private forget(waiting: Waiting): void {
    waiting.timer?.cancel();
    this.waiting.delete(waiting);
  }

  private told(hosted: HostedDatabase, changes: readonly RowChange[]): void {
    if (changes.length === 0) return;
    hosted.history.add(changes);
    for (const listener of [...this.listeners]) listener.committed(hosted, changes);
  }

  /** Tries what waits again, and again while that commits something. */
  private retry(): void {
    if (this.isRetrying) return;
    this.isRetrying = true;
    try {
      let before: number;
      do {
        before = this.waiting.size;
        for (const waiting of [...this.waiting])
          if (this.waiting.has(waiting)) this.attempt(waiting);
      } while (this.waiting.size < before);
    } finally {
      this.isRetrying = false;
    }
  }
}

/** setTimeout takes 31 bits; a later time is looked at again then. */
const MAX_TIMER_MS = 2 ** 31 - 1;
