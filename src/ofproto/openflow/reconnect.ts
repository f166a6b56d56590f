/**
 * An OpenFlow connection that keeps itself alive: connects, watches that the peer answers, connects again after a pause that doubles up to
 * `maxBackoffMs`. States, texts and rhythm are those that users of Open vSwitch know (ovs-vswitchd.conf.db(5), Controller, `status`).
 *
 * An accepted connection is the same without connecting: when it is over, it stays so.
 */
import { connect as connectNet, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger, LogSource } from '../../util/logger.ts';
import { rateLimited } from '../../util/rate-limit.ts';
import type { OfVersion } from '../codec/versions.ts';
import { message } from './hello.ts';
import { OpenflowSession, type SessionOptions } from './session.ts';
import type { OpenflowStream } from './stream.ts';
import { END_OF_FILE, PROTOCOL_ERROR, systemText, TIMED_OUT } from './system-text.ts';
import { type ActiveTarget, parseActive } from './target.ts';
import { connectTls, refusal, type TlsFiles, tlsComplaint } from './tls.ts';

export type ReconnectState = 'VOID' | 'BACKOFF' | 'CONNECTING' | 'ACTIVE' | 'IDLE' | 'DISCONNECTED';

export interface ReconnectEvents {
  connected(version: OfVersion): void;
  received(bytes: Uint8Array): void;
  drained(): void;
  /** After `connected`, or for an accepted connection that ends before. */
  disconnected(): void;
  /** The peer has begun to act: see isActing. */
  acting(): void;
  /** An attempt has failed in another way than the one before. */
  failed(): void;
  /** A copy of each message in either direction, when `isWatched`. */
  seen(bytes: Uint8Array): void;
}

export interface ReconnectOptions {
  /** As logs have it: br0<->tcp:127.0.0.1:6653. */
  readonly name: string;
  readonly clock: Clock;
  readonly logs: LogSource;
  /** Bits of versions. */
  readonly versions: number;
  readonly maxBackoffMs: number;
  /** Silence after which the peer is probed, 0 for never. */
  readonly probeMs: number;
  /** Text of a message, for the log. */
  readonly describe?: (bytes: Uint8Array) => string;
  readonly direct?: SessionOptions['direct'];
}

export interface ActiveOptions extends ReconnectOptions {
  readonly target: string;
  readonly runDir: string;
  /** Null where the SSL table has none that will do. */
  readonly tls: () => TlsFiles | null;
}

const MIN_BACKOFF_MS = 1000;
/** Who says anything at all after this time is taken for one that acts. */
const TRUSTED_AFTER_MS = 30_000;
const TYPE_ECHO_REQUEST = 2;
const PROTOCOL_FAMILY = 'Protocol not available';

export class OpenflowReconnect {
  readonly name: string;
  private options: ReconnectOptions;
  private readonly active: ActiveOptions | null;
  private readonly events: ReconnectEvents;
  private readonly log: Logger;
  private readonly vconnLog: Logger;
  private readonly tlsLog: Logger;
  private session: OpenflowSession | null = null;
  private socket: OpenflowStream | null = null;
  private timer: Timer | null = null;
  private backoffMs = 0;
  private backoffDeadlineMs = 0;
  private activityMs = 0;
  private stateMs: number;
  private hasActed = false;
  /** When the peer last acted; at first, when this was made. */
  actedMs: number;
  private nextXid = 1;
  state: ReconnectState = 'VOID';
  lastError: string | null = null;
  /** Clock milliseconds; null before the first. */
  connectedMs: number | null = null;
  disconnectedMs: number | null = null;
  /** Messages are copied to `seen`. */
  isWatched = false;

  private constructor(
    options: ReconnectOptions,
    active: ActiveOptions | null,
    events: ReconnectEvents,
  ) {
    this.options = options;
    this.active = active;
    this.events = events;
    this.name = options.name;
    this.log = options.logs.module('rconn');
    this.vconnLog = options.logs.module('vconn');
    this.tlsLog = rateLimited(options.logs.module('stream_ssl'), options.clock);
    this.stateMs = options.clock.now();
    this.actedMs = this.stateMs;
  }

  /** Connects to a target; start() begins. */
  static to(options: ActiveOptions, events: ReconnectEvents): OpenflowReconnect {
    return new OpenflowReconnect(options, options, events);
  }

  /** Takes a connection that came in. */
  static accepted(
    socket: OpenflowStream,
    options: ReconnectOptions,
    events: ReconnectEvents,
  ): OpenflowReconnect {
    const rconn = new OpenflowReconnect(options, null, events);
    rconn.socket = socket;
    return rconn;
  }

  /** Once, after making it. */
  start(): void {
    if (this.active !== null) this.connect();
    else if (this.socket !== null) {
      this.enter('CONNECTING');
      this.begin(this.socket);
    }
  }

  /** Null while not connected. */
  get version(): OfVersion | null {
    return this.session?.version ?? null;
  }
  get isConnected(): boolean {
    return this.state === 'ACTIVE' || this.state === 'IDLE';
  }
  /** Connected, and the peer has changed something since, or has stayed for long. */
  get isActing(): boolean {
    return this.isConnected && this.hasActed;
  }
  get isCongested(): boolean {
    return this.session?.isCongested ?? false;
  }
  get unsentBytes(): number {
    return this.session?.unsentBytes ?? 0;
  }

  /** Changes what can be changed while connected. */
  configure(change: Pick<ReconnectOptions, 'maxBackoffMs' | 'probeMs'>): void {
    this.options = { ...this.options, ...change };
    this.backoffMs = Math.min(this.backoffMs, this.options.maxBackoffMs);
    if (this.isConnected) this.watch();
  }

  xid(): number {
    const xid = this.nextXid;
    this.nextXid = xid === 0xffff_ffff ? 1 : xid + 1;
    return xid;
  }

  send(bytes: Uint8Array): void {
    if (!this.isConnected || this.session === null) return;
    if (this.isWatched) this.events.seen(bytes);
    this.session.send(bytes);
  }

  /** The peer has changed something. */
  act(): void {
    this.actedMs = this.options.clock.now();
    if (this.hasActed) return;
    this.hasActed = true;
    this.events.acting();
  }

  pause(): void {
    this.session?.pause();
  }
  resume(): void {
    this.session?.resume();
  }

  /** Gives the connection up; one that was made from here is made again. */
  reconnect(): void {
    if (!this.isConnected && this.state !== 'CONNECTING') return;
    this.log.info(`${this.name}: disconnecting`);
    this.drop(null);
  }

  /** For good. */
  stop(): void {
    this.timer?.cancel();
    this.timer = null;
    this.enter('VOID');
    const { session, socket } = this;
    this.session = null;
    this.socket = null;
    if (session !== null) session.close();
    else socket?.destroy();
  }

  private enter(state: ReconnectState): void {
    this.state = state;
    this.stateMs = this.options.clock.now();
    this.timer?.cancel();
    this.timer = null;
    if (this.log.enabled('dbg')) this.log.dbg(`${this.name}: entering ${state}`);
  }

  /** Attempts are logged until the pause is as long as it gets. */
  private say(text: string, level: 'info' | 'warn' = 'info'): void {
    if (this.active === null) this.log.dbg(`${this.name}: ${text}`);
    else if (this.backoffMs < this.options.maxBackoffMs) this.log[level](`${this.name}: ${text}`);
  }

  private connect(): void {
    const { active } = this;
    if (active === null) return;
    this.say('connecting...');
    this.enter('CONNECTING');
    const target = parseActive(active.target, active.runDir);
    const tls = target?.kind === 'ssl' ? active.tls() : null;
    if (target === undefined || (target.kind === 'ssl' && tls === null)) {
      this.failed(
        target === undefined ? 'Address family not supported by protocol' : PROTOCOL_FAMILY,
      );
      return;
    }
    const socket =
      tls === null || target.kind === 'unix' ? open(target) : this.openTls(target, tls);
    this.socket = socket;
    let failure: string | null = null;
    const onClose = (): void => {
      if (this.socket === socket) this.failed(failure ?? END_OF_FILE);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = tlsComplaint(error) === null ? systemText(error) : PROTOCOL_ERROR;
    });
    socket.on('close', onClose);
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      if (this.socket !== socket) {
        socket.destroy();
        return;
      }
      const why = tls === null ? null : refusal(socket as TLSSocket, tls.authority);
      if (why === null) {
        socket.off('close', onClose);
        this.begin(socket);
      } else {
        this.tlsLog.warn(`${this.name}: SSL_connect: ${why}`);
        failure = PROTOCOL_ERROR;
        socket.destroy();
      }
    });
    this.limitAttempt();
  }

  private openTls(target: { host: string; port: number }, files: TlsFiles): TLSSocket {
    const socket = connectTls(target.host, target.port, files);
    socket.on('error', (error) => {
      const complaint = tlsComplaint(error);
      if (complaint !== null) this.tlsLog.warn(`${this.name}: ${complaint}`);
    });
    return socket;
  }

  private limitAttempt(): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(Math.max(MIN_BACKOFF_MS, this.backoffMs), () => {
      this.say('connection timed out', 'warn');
      const { session } = this;
      if (session === null) {
        this.failed(TIMED_OUT, true);
        return;
      }
      this.session = null;
      session.close();
      this.failed(TIMED_OUT, true);
    });
  }

  private begin(socket: OpenflowStream): void {
    const { clock, versions, describe, direct } = this.options;
    // The connection itself has no name but the peer's.
    const name = this.name.slice(this.name.indexOf('<->') + 3);
    if (this.timer === null) this.limitAttempt();
    const session = new OpenflowSession(
      socket,
      {
        name,
        clock,
        log: this.vconnLog,
        versions,
        xid: () => this.xid(),
        ...(describe === undefined ? {} : { describe }),
        ...(direct === undefined ? {} : { direct }),
      },
      {
        opened: (version) => {
          if (this.session === session) this.opened(version);
        },
        received: (bytes) => {
          if (this.session === session) this.received(bytes);
        },
        drained: () => {
          if (this.session === session) this.events.drained();
        },
        closed: (why, wasOpen) => {
          if (this.session !== session) return;
          if (wasOpen) this.lost(why);
          else this.failed(why ?? END_OF_FILE);
        },
      },
    );
    this.session = session;
  }

  private opened(version: OfVersion): void {
    this.say('connected');
    const now = this.options.clock.now();
    this.enter('ACTIVE');
    this.connectedMs = now;
    this.hasActed = false;
    this.activityMs = now;
    this.backoffDeadlineMs = now + this.backoffMs;
    this.watch();
    this.events.connected(version);
  }

  private received(bytes: Uint8Array): void {
    const now = this.options.clock.now();
    this.activityMs = now;
    if (this.hasActed || now - (this.connectedMs ?? now) >= TRUSTED_AFTER_MS) this.act();
    if (this.state === 'IDLE') {
      this.enter('ACTIVE');
      this.watch();
    }
    if (this.isWatched) this.events.seen(bytes);
    this.events.received(bytes);
  }

  /** Arms the probe: one timer that is late rather than moved with every message. */
  private watch(): void {
    this.timer?.cancel();
    this.timer = null;
    const { probeMs, clock } = this.options;
    if (probeMs === 0) return;
    const baseMs = this.state === 'IDLE' ? this.stateMs : Math.max(this.activityMs, this.stateMs);
    this.timer = clock.after(Math.max(1, baseMs + probeMs - clock.now()), () => this.probe());
  }

  private probe(): void {
    const { probeMs, clock } = this.options;
    const silentMs = clock.now() - Math.max(this.activityMs, this.stateMs);
    if (this.state === 'ACTIVE') {
      if (silentMs >= probeMs) {
        this.log.dbg(
          `${this.name}: idle ${Math.floor((clock.now() - this.activityMs) / 1000)} seconds, sending inactivity probe`,
        );
        this.enter('IDLE');
        const version = this.version ?? 1;
        this.send(message(version, TYPE_ECHO_REQUEST, this.xid(), new Uint8Array(0)));
      }
      this.watch();
    } else if (clock.now() - this.stateMs >= probeMs) {
      this.log.err(
        `${this.name}: no response to inactivity probe after ${Math.floor((clock.now() - this.stateMs) / 1000)} seconds, disconnecting`,
      );
      this.drop(TIMED_OUT);
    } else this.watch();
  }

  private drop(why: string | null): void {
    const { session } = this;
    const wasConnected = this.isConnected;
    this.session = null;
    session?.close();
    if (session === null) this.socket?.destroy();
    this.socket = null;
    if (why !== null) this.lastError = why;
    this.afterwards(wasConnected);
  }

  /** The session ended by itself. */
  private lost(why: string | null): void {
    if (why === END_OF_FILE) {
      const text = `${this.name}: connection closed by peer`;
      if (this.active === null) this.log.dbg(text);
      else this.log.info(text);
    } else if (why !== null) {
      this.log.warn(`${this.name}: connection dropped (${why})`);
    }
    this.drop(why);
  }

  private failed(why: string, isSaid = false): void {
    if (!isSaid) this.say(`connection failed (${why})`, 'warn');
    const isNew = why !== this.lastError;
    this.drop(why);
    if (isNew) this.events.failed();
  }

  private afterwards(wasConnected: boolean): void {
    const { clock, maxBackoffMs } = this.options;
    const now = clock.now();
    if (wasConnected) this.disconnectedMs = now;
    if (this.active === null) {
      this.enter('DISCONNECTED');
      this.events.disconnected();
      return;
    }
    if (wasConnected && now >= this.backoffDeadlineMs) this.backoffMs = MIN_BACKOFF_MS;
    else if (this.backoffMs < maxBackoffMs / 2) {
      this.backoffMs = Math.max(MIN_BACKOFF_MS, 2 * this.backoffMs);
      this.log.info(`${this.name}: waiting ${this.backoffMs / 1000} seconds before reconnect`);
    } else {
      if (this.backoffMs < maxBackoffMs) {
        this.log.info(
          `${this.name}: continuing to retry connections in the background but suppressing further logging`,
        );
      }
      this.backoffMs = maxBackoffMs;
    }
    this.enter('BACKOFF');
    this.timer = clock.after(this.backoffMs, () => this.connect());
    if (wasConnected) this.events.disconnected();
  }
}

const open = (target: ActiveTarget): Socket =>
  connectNet(target.kind === 'unix' ? { path: target.path } : { ...target, noDelay: true });
