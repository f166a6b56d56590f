/**
 * A session over a socket: bytes to messages and back, with everything that a peer could do wrong bounded.
 *
 * What is not JSON gets an answer and ends this connection alone. A peer that asks without reading its answers is not read
 * until it does; one that lets updates pile up is cut off. On TCP a silent peer is probed as by ovsdb-server.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { jsonText } from '../exact-json.ts';
import { type JsonObject, JsonStream, type JsonStreamLimits } from '../json-stream.ts';
import type { DatabaseServer } from './database-server.ts';
import { syntaxError } from './failure.ts';
import { Session } from './session.ts';

export interface ConnectionOptions {
  readonly socket: Socket;
  /** For messages: `tcp:127.0.0.1:40322`, `unix#5`. */
  readonly name: string;
  readonly server: DatabaseServer;
  readonly clock: Clock;
  /** Module jsonrpc. */
  readonly log: Logger;
  /** Silence after which the peer is probed, 0 for never. */
  readonly probeMs: number;
  readonly closed: (connection: Connection) => void;
  readonly limits?: ConnectionLimits;
}

export interface ConnectionLimits {
  readonly request: JsonStreamLimits;
  /** Bytes of unread answers from which on no request is read. */
  readonly maxUnreadBytes: number;
  /** Bytes unread with which a connection ends. */
  readonly maxUnsentBytes: number;
}

/** A thousand ports in one transaction are half a megabyte; a table of ten thousand interfaces ten. */
const DEFAULT_LIMITS: ConnectionLimits = {
  request: { maxBytes: 16 << 20, maxDepth: 64 },
  maxUnreadBytes: 1 << 20,
  maxUnsentBytes: 64 << 20,
};

export class Connection {
  readonly name: string;
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly probeMs: number;
  private readonly limits: ConnectionLimits;
  private readonly session: Session;
  private readonly stream: JsonStream;
  private readonly closed: (connection: Connection) => void;
  private activityMs: number;
  private isProbing = false;
  private probeTimer: Timer | null = null;
  private isOpen = true;

  constructor(options: ConnectionOptions) {
    this.name = options.name;
    this.socket = options.socket;
    this.clock = options.clock;
    this.log = options.log;
    this.probeMs = options.probeMs;
    this.closed = options.closed;
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.stream = new JsonStream(this.limits.request);
    this.session = new Session(
      options.server,
      (message) => this.send(message),
      // What the session is about to say goes out first.
      () => queueMicrotask(() => this.close()),
    );
    this.activityMs = this.clock.now();
    this.socket.on('data', (chunk: Buffer) => this.received(chunk));
    this.socket.on('drain', () => this.socket.resume());
    this.socket.on('error', (error) => this.log.dbg(`${this.name}: ${error.message}`));
    this.socket.on('close', () => this.close());
    this.scheduleProbe();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.probeTimer?.cancel();
    this.session.close();
    this.socket.destroySoon();
    this.closed(this);
  }

  private send(message: JsonObject): void {
    if (!this.isOpen) return;
    this.socket.write(jsonText(message));
    const unsent = this.socket.writableLength;
    if (unsent > this.limits.maxUnsentBytes) {
      this.log.warn(`${this.name}: peer leaves ${unsent} bytes unread, disconnecting`);
      this.socket.destroy();
      this.close();
    } else if (unsent > this.limits.maxUnreadBytes) this.socket.pause();
  }

  private received(chunk: Uint8Array): void {
    if (!this.isOpen) return;
    this.activityMs = this.clock.now();
    this.isProbing = false;
    for (const message of this.stream.push(chunk)) {
      const wrong = this.session.receive(message);
      if (!this.isOpen) return;
      if (wrong !== null) {
        this.log.warn(`${this.name}: received bad JSON-RPC message: ${wrong}`);
        this.end(wrong);
        return;
      }
    }
    if (this.stream.error === null) return;
    this.log.warn(`${this.name}: error parsing stream: ${this.stream.error}`);
    this.end(this.stream.error);
  }

  /** Says why and hangs up. */
  private end(why: string): void {
    this.send({ id: null, result: null, error: syntaxError(undefined, why).toJson() });
    this.close();
  }

  private scheduleProbe(): void {
    if (this.probeMs === 0) return;
    const limitMs = this.isProbing ? 2 * this.probeMs : this.probeMs;
    const leftMs = Math.max(limitMs - (this.clock.now() - this.activityMs), 1);
    this.probeTimer = this.clock.after(leftMs, () => this.probe());
  }

  private probe(): void {
    if (!this.isOpen) return;
    const silentMs = this.clock.now() - this.activityMs;
    if (silentMs >= 2 * this.probeMs) {
      this.log.err(
        `${this.name}: no response to inactivity probe after ${this.probeMs / 1000} seconds, disconnecting`,
      );
      this.socket.destroy();
      this.close();
      return;
    }
    if (silentMs >= this.probeMs && !this.isProbing) {
      this.isProbing = true;
      this.send({ method: 'echo', params: [], id: 'echo' });
    }
    this.scheduleProbe();
  }
}
