/**
 * One client's conversation with the server: its requests, its monitors, its locks. Knows nothing of sockets: messages come in as
 * objects and leave through `send`.
 */
import type { Json, JsonObject } from '../json-stream.ts';
import type { RowChange } from './database.ts';
import { readSchema, schemaJson } from './database-schema.ts';
import type { Cancel, DatabaseServer, HostedDatabase } from './database-server.ts';
import { isUuid, ZERO_UUID } from './datum.ts';
import { canonicalText, OvsdbFailure, syntaxError } from './failure.ts';
import { isId } from './members.ts';
import { Monitor, type MonitorMethod } from './monitor.ts';

export interface SessionLimits {
  readonly maxMonitors: number;
  /** Requests that wait at one time. */
  readonly maxWaiting: number;
  readonly maxLocks: number;
}

const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxMonitors: 100,
  maxWaiting: 1000,
  maxLocks: 100,
};

interface Request {
  readonly method: string;
  readonly params: Json[];
  readonly id: Json;
}

/** Answers with the result, or undefined when the answer comes later. Throws OvsdbFailure or PlainError. */
type Handler = (request: Request) => Json | undefined;

/** An error that is a text on the wire, not an <error>. */
class PlainError extends Error {}

const exhausted = (what: string): OvsdbFailure =>
  new OvsdbFailure('resources exhausted', `too many ${what} in this session`);

export class Session {
  private readonly server: DatabaseServer;
  private readonly limits: SessionLimits;
  private readonly transmit: (message: JsonObject) => void;
  private readonly monitors = new Map<string, { monitor: Monitor; hosted: HostedDatabase }>();
  /** By the text of the request's id. */
  private readonly waiting = new Map<string, Cancel>();
  private readonly stopListening: () => void;
  private readonly disconnect: () => void;
  /** The client understands changes of databases (set_db_change_aware); others are sent away to look anew. */
  private isAware = false;
  private readonly handlers: Readonly<Record<string, Handler>> = {
    echo: ({ params }) => params,
    list_dbs: () => [...this.server.databases.keys()],
    get_schema: (request) => schemaJson(this.databaseOf(request).db.schema),
    get_server_id: () => this.server.serverId,
    set_db_change_aware: (request) => {
      const [isAware] = request.params;
      if (request.params.length !== 1 || typeof isAware !== 'boolean')
        throw badParams(request, 'true or false parameter expected');
      this.isAware = isAware;
      return {};
    },
    convert: (request) => {
      const hosted = this.databaseOf(request);
      const { name } = hosted.db.schema;
      if (request.params.length !== 2) throw syntaxError(request.params, 'array expected');
      const schema = readSchema(request.params[1]);
      if (schema.name !== name)
        throw new OvsdbFailure(
          'invalid parameters',
          `new schema name (${schema.name}) does not match database name (${name})`,
        );
      this.server.convert(hosted, schema);
      return {};
    },
    transact: (request) => this.transact(request),
    monitor: (request) => this.monitor(request, 'monitor'),
    monitor_cond: (request) => this.monitor(request, 'monitor_cond'),
    monitor_cond_since: (request) => this.monitor(request, 'monitor_cond_since'),
    monitor_cond_change: (request) => this.changeMonitor(request),
    monitor_cancel: ({ params }) => {
      if (params.length !== 1) throw new PlainError('invalid parameters');
      if (!this.monitors.delete(canonicalText(params[0]))) throw new PlainError('unknown monitor');
      return {};
    },
    lock: (request) => {
      const name = this.newLock(request);
      return { locked: this.server.locks.lock(this, name) };
    },
    steal: (request) => {
      const name = this.newLock(request);
      this.server.locks.steal(this, name);
      return { locked: true };
    },
    unlock: (request) => {
      const name = lockName(request);
      if (!this.server.locks.isWaiting(this, name))
        throw badParams(request, '"unlock" without "lock" or "steal"');
      this.server.locks.unlock(this, name);
      return {};
    },
  };

  constructor(
    server: DatabaseServer,
    transmit: (message: JsonObject) => void,
    disconnect: () => void,
    limits: SessionLimits = DEFAULT_SESSION_LIMITS,
  ) {
    this.server = server;
    this.disconnect = disconnect;
    this.transmit = transmit;
    this.limits = limits;
    this.stopListening = server.listen({
      committed: (hosted, changes) => this.tellCommit(hosted, changes),
      converted: (hosted) => this.tellConversion(hosted),
    });
  }

  /** The connection is gone: gives up all that it had. */
  close(): void {
    this.stopListening();
    this.monitors.clear();
    for (const cancel of this.waiting.values()) cancel();
    this.waiting.clear();
    this.server.locks.unlockAll(this);
  }

  notify(method: string, params: Json[]): void {
    this.transmit({ id: null, method, params });
  }

  /** Takes a message. Returns what is wrong with it, null when it is one: after an error the connection must end. */
  receive(message: JsonObject): string | null {
    const { method, params, id } = message;
    if (method === undefined || method === null)
      // Replies come to our echo requests only, and tell nothing beyond having come.
      return id === undefined || id === null ? 'neither method nor id' : null;
    if (typeof method !== 'string') return 'method is not JSON string';
    if (!Array.isArray(params)) return `${method} has no params that are an array`;
    if (id === undefined || id === null) {
      if (method === 'cancel' && params.length === 1) this.cancel(params[0]);
      return null;
    }
    this.request({ method, params, id });
    return null;
  }

  private request(request: Request): void {
    const handler = Object.hasOwn(this.handlers, request.method)
      ? this.handlers[request.method]
      : undefined;
    try {
      if (handler === undefined) throw new PlainError('unknown method');
      const result = handler(request);
      if (result !== undefined) this.reply(request.id, result, null);
    } catch (failure) {
      if (failure instanceof PlainError) this.reply(request.id, null, failure.message);
      else if (failure instanceof OvsdbFailure) this.reply(request.id, null, failure.toJson());
      else throw failure;
    }
  }

  private reply(id: Json, result: Json, error: Json): void {
    this.transmit({ id, result, error });
  }

  private databaseOf(request: Request): HostedDatabase {
    const { method, params } = request;
    const [name] = params;
    if (typeof name !== 'string')
      throw syntaxError(params, `${method} request params must begin with <db-name>`);
    const hosted = this.server.databases.get(name);
    if (hosted === undefined)
      throw new OvsdbFailure(
        'unknown database',
        `${method} request specifies unknown database ${name}`,
        params,
      );
    return hosted;
  }

  private transact(request: Request): undefined {
    const hosted = this.databaseOf(request);
    const key = canonicalText(request.id);
    if (this.waiting.has(key)) throw badParams(request, 'duplicate request ID');
    if (this.waiting.size >= this.limits.maxWaiting) throw exhausted('waiting requests');
    let isDone = false;
    const cancel = this.server.transact({
      hosted,
      operations: request.params.slice(1),
      holdsLock: (name) => this.server.locks.isOwner(this, name),
      done: (results) => {
        isDone = true;
        this.waiting.delete(key);
        this.reply(request.id, results, null);
      },
      canceled: () => {
        this.waiting.delete(key);
        this.reply(request.id, null, 'canceled');
      },
    });
    if (!isDone) this.waiting.set(key, cancel);
    return undefined;
  }

  private cancel(id: Json): void {
    const key = canonicalText(id);
    const cancel = this.waiting.get(key);
    if (cancel === undefined) return;
    cancel();
    this.waiting.delete(key);
    this.reply(id, null, 'canceled');
  }

  private monitor(request: Request, method: MonitorMethod): Json {
    const hosted = this.databaseOf(request);
    const { params } = request;
    const wanted = method === 'monitor_cond_since' ? 4 : 3;
    if (method === 'monitor' ? params.length < wanted : params.length !== wanted)
      throw syntaxError(params, 'invalid parameters');
    const [, id, requests, last] = params;
    const key = canonicalText(id);
    if (this.monitors.has(key)) throw syntaxError(id, 'duplicate monitor ID');
    if (this.monitors.size >= this.limits.maxMonitors) throw exhausted('monitors');
    const monitor = new Monitor(id, method, hosted.db, requests);
    let missed: RowChange[] | null = null;
    if (method === 'monitor_cond_since') {
      if (typeof last !== 'string') throw syntaxError(last, 'last-txn-id must be string');
      if (!isUuid(last)) throw syntaxError(last, 'last-txn-id must be UUID format.');
      if (last !== ZERO_UUID) missed = hosted.history.since(last.toLowerCase());
    }
    this.monitors.set(key, { monitor, hosted });
    if (method !== 'monitor_cond_since') return monitor.initial();
    const updates = missed === null ? monitor.initial() : (monitor.update(missed) ?? {});
    return [missed !== null, hosted.history.lastId, updates];
  }

  private changeMonitor({ params }: Request): Json {
    if (params.length !== 3) throw syntaxError(params, 'invalid parameters');
    const [id, newId, requests] = params;
    const entry = this.monitors.get(canonicalText(id));
    if (entry === undefined || entry.monitor.method === 'monitor')
      throw syntaxError(id, 'unknown monitor session');
    const [key, newKey] = [canonicalText(id), canonicalText(newId)];
    if (newKey !== key && this.monitors.has(newKey))
      throw syntaxError(newId, 'duplicate monitor ID');
    const updates = entry.monitor.changeConditions(requests);
    if (newKey !== key) {
      this.monitors.delete(key);
      this.monitors.set(newKey, entry);
      entry.monitor.id = newId;
    }
    if (updates !== null) this.tellUpdates(entry.monitor, entry.hosted, updates);
    return {};
  }

  private tellCommit(hosted: HostedDatabase, changes: readonly RowChange[]): void {
    for (const { monitor, hosted: of } of this.monitors.values()) {
      if (of !== hosted) continue;
      const updates = monitor.update(changes);
      if (updates !== null) this.tellUpdates(monitor, hosted, updates);
    }
  }

  private tellConversion(hosted: HostedDatabase): void {
    if (!this.isAware) {
      this.disconnect();
      return;
    }
    for (const [key, { monitor, hosted: of }] of this.monitors) {
      if (of !== hosted) continue;
      this.monitors.delete(key);
      this.notify('monitor_canceled', [monitor.id]);
    }
  }

  private tellUpdates(monitor: Monitor, { history }: HostedDatabase, updates: JsonObject): void {
    const { id, method } = monitor;
    if (method === 'monitor') this.notify('update', [id, updates]);
    else if (method === 'monitor_cond') this.notify('update2', [id, updates]);
    else this.notify('update3', [id, history.lastId, updates]);
  }

  /** The name of a lock that this session neither has nor waits for. */
  private newLock(request: Request): string {
    const name = lockName(request);
    const { locks } = this.server;
    if (locks.isWaiting(this, name))
      throw syntaxError(request.params, `must issue "unlock" before new "${request.method}"`);
    if (locks.countOf(this) >= this.limits.maxLocks) throw exhausted('locks');
    return name;
  }
}

const badParams = ({ method, params }: Request, why: string): OvsdbFailure =>
  syntaxError(params, `${method}: ${why}`);

function lockName({ method, params }: Request): string {
  const [name] = params;
  if (params.length !== 1 || typeof name !== 'string' || !isId(name))
    throw syntaxError(params, `${method} request params must be <id>`);
  return name;
}
