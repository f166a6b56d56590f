/**
 * A JSON-RPC 1.0 session (RFC 7047 section 4) that keeps itself connected.
 *
 * Requests get their reply or an error value, also when the connection goes: none is left hanging, and none
 * is sent again. The peer's echo requests are answered; on TCP a silent peer is probed after 5 s and given
 * another 5 s, while a Unix socket tells of its peer's death by itself. Bytes that are no JSON-RPC end the
 * connection. Memory is bounded in both directions: object size and depth, requests pending, bytes unsent.
 */
import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock, Timer } from '../util/clock.ts';
import type { Logger, LogSource } from '../util/logger.ts';
import { Backoff } from './backoff.ts';
import { jsonText } from './exact-json.ts';
import {
  DEFAULT_JSON_LIMITS,
  isObject,
  type Json,
  type JsonObject,
  JsonStream,
  type JsonStreamLimits,
} from './json-stream.ts';
import { systemText } from './system-text.ts';
import { parseTarget, type Target } from './target.ts';

export type Reply =
  | { readonly ok: true; readonly result: Json }
  /** The peer's error, or why there is no reply. */
  | { readonly ok: false; readonly error: Json };

export interface SessionEvents {
  /** Connected. Requests may be made from here on. */
  opened(): void;
  /** The connection is gone; every pending request has had its error. */
  closed(): void;
  notified(method: string, params: Json): void;
}

/** PEM texts for ssl: targets. */
export interface TlsFiles {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCertificate: string;
}

export interface SessionOptions {
  /** unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT. Used in log lines as it stands. */
  readonly target: string;
  readonly clock: Clock;
  readonly logs: LogSource;
  readonly tls?: TlsFiles;
  /** Silence after which the peer is probed, 0 for never. Default 5000, 0 for unix: targets. */
  readonly probeMs?: number;
  readonly limits?: JsonStreamLimits;
}

const MAX_PENDING = 10_000;
const MAX_UNSENT_BYTES = 64 << 20;

export class JsonRpcSession {
  private readonly name: string;
  private readonly target: Target | string;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly rpcLog: Logger;
  private readonly tls: TlsFiles | undefined;
  private readonly probeMs: number;
  private readonly limits: JsonStreamLimits;
  private readonly backoff: Backoff;
  private readonly events: SessionEvents;
  private readonly pending = new Map<number, (reply: Reply) => void>();
  private socket: Socket | null = null;
  private isOpen = false;
  private stopped = true;
  private nextId = 1;
  private connectedMs = 0;
  private activityMs = 0;
  private probing = false;
  private retryTimer: Timer | null = null;
  private attemptTimer: Timer | null = null;
  private probeTimer: Timer | null = null;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.name = options.target;
    this.target = parseTarget(options.target);
    this.clock = options.clock;
    this.log = options.logs.module('reconnect');
    this.rpcLog = options.logs.module('jsonrpc');
    this.tls = options.tls;
    const onUnix = typeof this.target !== 'string' && this.target.kind === 'unix';
    this.probeMs = options.probeMs ?? (onUnix ? 0 : 5000);
    this.limits = options.limits ?? DEFAULT_JSON_LIMITS;
    this.backoff = new Backoff(this.name, this.log);
    this.events = events;
  }

  get connected(): boolean {
    return this.isOpen;
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.connect();
  }

  /** Closes for good; pending requests get an error. */
  stop(): void {
    this.stopped = true;
    this.retryTimer?.cancel();
    this.drop(null);
  }

  /** Gives the connection up, saying why, and connects again after a pause. */
  reconnect(why: string): void {
    if (this.socket === null) return;
    this.drop(`connection dropped (${why})`);
  }

  request(method: string, params: Json[]): Promise<Reply> {
    if (!this.isOpen) return Promise.resolve({ ok: false, error: 'not connected' });
    if (this.pending.size >= MAX_PENDING) {
      return Promise.resolve({ ok: false, error: 'too many requests without reply' });
    }
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.pending.set(id, resolve);
      if (this.rpcLog.enabled('dbg')) {
        this.rpcLog.dbg(
          `${this.name}: send request, method="${method}", params=${JSON.stringify(params)}, id=${id}`,
        );
      }
      this.send({ method, params, id });
    });
  }

  private connect(): void {
    if (this.stopped) return;
    this.retryTimer = null;
    this.backoff.say('connecting...');
    if (typeof this.target === 'string') {
      this.attemptFailed(this.target);
      return;
    }
    let socket: Socket;
    try {
      socket = this.open(this.target);
    } catch (error) {
      // Bad PEM texts throw here.
      this.attemptFailed(error instanceof Error ? error.message : String(error));
      return;
    }
    this.socket = socket;
    const stream = new JsonStream(this.limits);
    let failure: string | null = null;
    this.attemptTimer = this.clock.after(this.backoff.attemptMs, () => {
      if (this.socket === socket) this.drop('connection attempt timed out');
    });
    socket.once(this.target.kind === 'ssl' ? 'secureConnect' : 'connect', () => {
      if (this.socket === socket) this.opened();
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.socket === socket) this.received(stream, chunk);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = systemText(error);
    });
    socket.on('close', () => {
      if (this.socket !== socket) return;
      if (!this.isOpen) this.drop(`connection attempt failed (${failure ?? 'closed'})`);
      else if (failure === null) this.drop('connection closed by peer');
      else this.drop(`connection dropped (${failure})`);
    });
  }

  private open(target: Target): Socket {
    if (target.kind === 'unix') return connectNet({ path: target.path });
    const { host, port } = target;
    if (target.kind === 'tcp') return connectNet({ host, port, noDelay: true });
    if (this.tls === undefined)
      throw new Error('private key, certificate and CA are not configured');
    return connectTls({
      host,
      port,
      key: this.tls.privateKey,
      cert: this.tls.certificate,
      ca: this.tls.caCertificate,
      // Certificates of ovs-pki name no host; the private CA is what is trusted.
      checkServerIdentity: () => undefined,
    });
  }

  private opened(): void {
    this.attemptTimer?.cancel();
    this.attemptTimer = null;
    this.isOpen = true;
    this.connectedMs = this.clock.now();
    this.activityMs = this.connectedMs;
    this.probing = false;
    this.log.info(`${this.name}: connected`);
    this.scheduleProbe();
    this.events.opened();
  }

  private attemptFailed(why: string): void {
    this.backoff.say(`connection attempt failed (${why})`);
    this.retryTimer = this.clock.after(this.backoff.next(0), () => this.connect());
  }

  /** Ends the present connection or attempt, `why` for the log. */
  private drop(why: string | null): void {
    const { socket } = this;
    if (socket === null) return;
    const wasOpen = this.isOpen;
    this.socket = null;
    this.isOpen = false;
    this.attemptTimer?.cancel();
    this.attemptTimer = null;
    this.probeTimer?.cancel();
    this.probeTimer = null;
    socket.destroy();
    if (why !== null) this.backoff.say(why);
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const resolve of waiting) resolve({ ok: false, error: 'connection lost' });
    if (wasOpen) this.events.closed();
    if (this.stopped) return;
    const activeMs = wasOpen ? this.clock.now() - this.connectedMs : 0;
    this.retryTimer = this.clock.after(this.backoff.next(activeMs), () => this.connect());
  }

  private scheduleProbe(): void {
    if (this.probeMs === 0) return;
    this.probeTimer?.cancel();
    const since = this.clock.now() - this.activityMs;
    const limit = this.probing ? 2 * this.probeMs : this.probeMs;
    this.probeTimer = this.clock.after(Math.max(limit - since, 1), () => this.probe());
  }

  private probe(): void {
    if (!this.isOpen) return;
    const silentMs = this.clock.now() - this.activityMs;
    if (silentMs >= 2 * this.probeMs) {
      this.log.err(
        `${this.name}: no response to inactivity probe after ${this.probeMs / 1000} seconds, disconnecting`,
      );
      this.drop(null);
      return;
    }
    if (silentMs >= this.probeMs && !this.probing) {
      this.probing = true;
      this.send({ method: 'echo', params: [], id: 'echo' });
    }
    this.scheduleProbe();
  }

  private send(message: JsonObject): void {
    const { socket } = this;
    if (socket === null) return;
    socket.write(jsonText(message));
    if (socket.writableLength > MAX_UNSENT_BYTES) this.drop('peer does not read, dropped');
  }

  private received(stream: JsonStream, chunk: Buffer): void {
    this.activityMs = this.clock.now();
    this.probing = false;
    const { socket } = this;
    for (const message of stream.push(chunk)) {
      const error = this.handle(message);
      // A handler may have closed the connection: what is left of its bytes no longer counts.
      if (this.socket !== socket) return;
      if (error !== null) {
        this.rpcLog.warn(`${this.name}: received bad JSON-RPC message: ${error}`);
        this.drop('connection dropped (Protocol error)');
        return;
      }
    }
    if (stream.error !== null) {
      this.rpcLog.warn(`${this.name}: error parsing stream: ${stream.error}`);
      this.drop('connection dropped (Protocol error)');
    }
  }

  /** Returns what is wrong with a message, null when it was taken. */
  private handle(message: JsonObject): string | null {
    const { method, id } = message;
    if (typeof method === 'string') {
      const params = message.params ?? [];
      if (!Array.isArray(params)) return 'params is not an array';
      if (id !== undefined && id !== null) {
        if (method === 'echo') this.send({ result: params, error: null, id });
        else this.send({ result: null, error: 'unknown method', id });
        return null;
      }
      this.debug('received notification', message);
      this.events.notified(method, params);
      return null;
    }
    if (method !== undefined && method !== null) return 'method is not a string';
    if (id === undefined || id === null) return 'neither method nor id';
    if (message.result === undefined && message.error === undefined)
      return 'neither result nor error';
    if (id === 'echo') return null;
    this.debug('received reply', message);
    const resolve = typeof id === 'number' ? this.pending.get(id) : undefined;
    if (resolve === undefined) {
      this.rpcLog.dbg(`${this.name}: unexpected reply, id=${JSON.stringify(id)}`);
      return null;
    }
    this.pending.delete(id as number);
    const { error } = message;
    if (error !== undefined && error !== null) resolve({ ok: false, error });
    else resolve({ ok: true, result: message.result ?? null });
    return null;
  }

  private debug(what: string, message: JsonObject): void {
    if (!this.rpcLog.enabled('dbg')) return;
    const { method, params, result, error, id } = message;
    const parts = Object.entries({ method, params, result, error, id })
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    this.rpcLog.dbg(`${this.name}: ${what}, ${parts.join(', ')}`);
  }
}

/** An error of a reply as a text. */
export function errorText(error: Json): string {
  if (typeof error === 'string') return error;
  if (isObject(error) && typeof error.error === 'string') {
    return typeof error.details === 'string' ? `${error.error}: ${error.details}` : error.error;
  }
  return JSON.stringify(error);
}
