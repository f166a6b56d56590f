/**
 * The switch's one connection to its database: session, lock, replica, transactions.
 *
 * After each connect: get_schema, lock, monitor. The replica is that of the last connection until the new
 * initial state has arrived whole, so a dead or restarting database changes nothing in the switch. Only the
 * holder of the `ovs_vswitchd` lock may write, and every transaction asserts it (RFC 7047 section 5.2.10):
 * two daemons on one database cannot fight. Like ovs-vswitchd, it does not create the Open_vSwitch row of an
 * empty database (`ovs-vsctl` does) but waits for it: `changed` comes when it is there.
 */

import type { Logger, LogSource } from '../util/logger.ts';
import { isObject, type Json } from './json-stream.ts';
import { errorText, JsonRpcSession, type Reply, type SessionOptions } from './jsonrpc.ts';
import { type Database, Replica, type ReplicaChange } from './replica.ts';
import { readServerSchema, type UsableColumns } from './schema.ts';
import type { Operation } from './transaction.ts';

export interface ClientOptions extends SessionOptions {
  /** Name of the database. Default Open_vSwitch. */
  readonly database?: string;
  /** Name of the lock, null to work without. Default ovs_vswitchd. */
  readonly lock?: string | null;
  /** Process id for the message that another daemon has the lock. */
  readonly pid: number;
}

export type TransactResult =
  | { readonly ok: true; readonly results: readonly Json[] }
  | {
      readonly ok: false;
      /** conflict: an `expect` did not hold, read again; refused: not connected or no lock; failed: the rest. */
      readonly reason: 'conflict' | 'refused' | 'failed';
      readonly error: string;
    };

interface EventMap {
  /** Connected, and the replica holds the database's state. */
  connected: () => void;
  disconnected: () => void;
  /** The lock is ours: from here on, act. */
  locked: () => void;
  /** The lock is no longer ours: stop writing. Also on disconnection. */
  unlocked: () => void;
  /** The replica has a new state. */
  changed: (change: ReplicaChange) => void;
}

type Listeners = { readonly [E in keyof EventMap]: Set<EventMap[E]> };

const MONITOR_ID = 'ts-vswitch';
const MAX_EARLY_UPDATES = 1000;

export class OvsdbClient {
  private readonly replica = new Replica();
  private readonly session: JsonRpcSession;
  private readonly database: string;
  private readonly lock: string | null;
  private readonly pid: number;
  private readonly log: Logger;
  private readonly bridgeLog: Logger;
  private readonly listeners: Listeners = {
    connected: new Set(),
    disconnected: new Set(),
    locked: new Set(),
    unlocked: new Set(),
    changed: new Set(),
  };
  /** Counts connections, so that a reply of an earlier one is recognised. */
  private connection = 0;
  private synced = false;
  private lockHeld = false;
  private lockAnswered = false;
  private version = '';
  /** Updates that arrived in the same read as the initial state, before its promise was seen. */
  private early: Json[] = [];

  constructor(options: ClientOptions) {
    this.database = options.database ?? 'Open_vSwitch';
    this.lock = options.lock === undefined ? 'ovs_vswitchd' : options.lock;
    this.pid = options.pid;
    const logs: LogSource = options.logs;
    this.log = logs.module('ovsdb_idl');
    this.bridgeLog = logs.module('bridge');
    this.session = new JsonRpcSession(options, {
      opened: () => void this.opened(),
      closed: () => this.closed(),
      notified: (method, params) => this.notified(method, params),
    });
  }

  /** The last known state; empty before the first connection. */
  get db(): Database {
    return this.replica;
  }

  /** True while the replica follows the database. */
  get isConnected(): boolean {
    return this.synced;
  }

  get hasLock(): boolean {
    return this.lockHeld;
  }

  /** True when another process holds the lock. */
  get isContended(): boolean {
    return this.lock !== null && this.lockAnswered && !this.lockHeld;
  }

  /** True when the switch may act: it has seen the database and nobody else drives it. */
  get mayAct(): boolean {
    return this.synced && this.lockHeld;
  }

  /** Version of the server's schema, for Open_vSwitch.db_version; '' before the first connection. */
  get schemaVersion(): string {
    return this.version;
  }

  start(): void {
    this.session.start();
  }

  stop(): void {
    this.session.stop();
  }

  /** Calls `listener` at each event until the returned function is called. */
  on<E extends keyof EventMap>(event: E, listener: EventMap[E]): () => void {
    this.listeners[event].add(listener);
    return () => void this.listeners[event].delete(listener);
  }

  /** Carries operations out, all or none. By the time of a success, the replica has their effect. */
  async transact(operations: readonly Operation[]): Promise<TransactResult> {
    if (!this.synced) return { ok: false, reason: 'refused', error: 'not connected' };
    if (!this.lockHeld) return { ok: false, reason: 'refused', error: 'not owner of the lock' };
    const params: Json[] = [this.database, ...operations];
    if (this.lock !== null) params.push({ op: 'assert', lock: this.lock });
    return readTransactReply(await this.session.request('transact', params));
  }

  private emit<E extends keyof EventMap>(event: E, ...args: Parameters<EventMap[E]>): void {
    for (const listener of [...this.listeners[event]]) {
      (listener as (...args: Parameters<EventMap[E]>) => void)(...args);
    }
  }

  private async opened(): Promise<void> {
    const connection = ++this.connection;
    const schemaReply = this.session.request('get_schema', [this.database]);
    const lockReply = this.lock === null ? null : this.session.request('lock', [this.lock]);
    const schema = await schemaReply;
    if (connection !== this.connection) return;
    if (!schema.ok) return this.resync(`get_schema failed: ${errorText(schema.error)}`);
    const read = readServerSchema(schema.result);
    if (typeof read === 'string') return this.resync(read);
    if (read.incompatible.length > 0) {
      this.log.info(
        `${this.database}: columns missing or of another type in the database: ${read.incompatible.join(', ')}`,
      );
    }
    if (lockReply !== null) {
      const lock = await lockReply;
      if (connection !== this.connection) return;
      if (!lock.ok) return this.resync(`lock failed: ${errorText(lock.error)}`);
      if (!isObject(lock.result) || typeof lock.result.locked !== 'boolean') {
        return this.resync('reply to lock is not one');
      }
      this.lockAnswered = true;
      // A `locked` notification may have come in between.
      if (lock.result.locked) this.lockHeld = true;
      else if (!this.lockHeld) this.sayContended();
    } else {
      this.lockHeld = true;
    }
    const initial = await this.session.request('monitor', [
      this.database,
      MONITOR_ID,
      monitorRequests(read.usable),
    ]);
    if (connection !== this.connection) return;
    if (!initial.ok) return this.resync(`monitor failed: ${errorText(initial.error)}`);
    const loaded = this.replica.load(initial.result, read.usable);
    if (!loaded.ok) return this.resync(`initial state: ${loaded.error}`);
    this.version = read.version;
    this.synced = true;
    const early = this.early;
    this.early = [];
    for (const updates of early) {
      // Not told as changes of their own: the initial change below makes everybody read everything.
      const applied = this.replica.apply(updates);
      if (!applied.ok) return this.resync(`bad update: ${applied.error}`);
    }
    this.emit('connected');
    if (this.lockHeld) this.emit('locked');
    this.emit('changed', loaded.change);
  }

  private closed(): void {
    this.connection++;
    const { synced, lockHeld } = this;
    this.synced = false;
    this.lockHeld = false;
    this.lockAnswered = false;
    this.early = [];
    if (lockHeld && synced) this.emit('unlocked');
    if (synced) this.emit('disconnected');
  }

  private notified(method: string, params: Json): void {
    if (!Array.isArray(params)) return;
    switch (method) {
      case 'update':
        if (params[0] !== MONITOR_ID || params.length !== 2) {
          this.resync('update that no monitor asked for');
        } else if (this.synced) {
          this.apply(params[1]);
        } else if (this.early.length < MAX_EARLY_UPDATES) {
          this.early.push(params[1]);
        } else {
          this.resync('updates before the initial state');
        }
        break;
      case 'locked':
        if (params[0] === this.lock) this.gotLock();
        break;
      case 'stolen':
        if (params[0] === this.lock) this.lostLock();
        break;
      default:
        this.log.dbg(`ignoring notification ${method}`);
    }
  }

  private gotLock(): void {
    if (this.lockHeld) return;
    this.lockHeld = true;
    if (this.synced) this.emit('locked');
  }

  private lostLock(): void {
    if (!this.lockHeld) return;
    this.lockHeld = false;
    this.sayContended();
    if (this.synced) this.emit('unlocked');
  }

  private sayContended(): void {
    this.bridgeLog.err(
      `another ovs-vswitchd process is running, disabling this process (pid ${this.pid}) until it goes away`,
    );
  }

  private apply(updates: Json): void {
    const applied = this.replica.apply(updates);
    if (!applied.ok) this.resync(`bad update: ${applied.error}`);
    else if (applied.change.rows.length > 0) this.emit('changed', applied.change);
  }

  /** What the server says makes no sense: begin anew. */
  private resync(why: string): void {
    this.log.warn(`${this.database}: ${why}`);
    this.session.reconnect('Protocol error');
  }
}

function monitorRequests(usable: UsableColumns): Json {
  const requests: { [table: string]: Json } = {};
  for (const [table, columns] of usable) requests[table] = { columns: [...columns] };
  return requests;
}

function readTransactReply(reply: Reply): TransactResult {
  if (!reply.ok) return { ok: false, reason: 'failed', error: errorText(reply.error) };
  if (!Array.isArray(reply.result)) {
    return { ok: false, reason: 'failed', error: 'reply to transact is not an array' };
  }
  for (const result of reply.result) {
    if (!isObject(result) || result.error === undefined) continue;
    const error = errorText(result);
    if (result.error === 'timed out') return { ok: false, reason: 'conflict', error };
    if (result.error === 'not owner') return { ok: false, reason: 'refused', error };
    return { ok: false, reason: 'failed', error };
  }
  return { ok: true, results: reply.result };
}
