/**
 * Ways to reach the server: listeners (punix:, ptcp:, pssl:) and connections that it makes itself (unix:, tcp:, ssl:), as
 * `--remote` and the Manager table name them. Each keeps trying: a port that is taken is asked for again later.
 */
import { lstatSync } from 'node:fs';
import { connect as connectNet, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { type BoundPath, listenOnPath } from '../../sys/unix-listen.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { LogSource } from '../../util/logger.ts';
import { Backoff } from '../backoff.ts';
import type { TlsFiles } from '../jsonrpc.ts';
import { systemText } from '../system-text.ts';
import {
  isPassive,
  type PassiveTarget,
  parsePassiveTarget,
  parseTarget,
  type Target,
} from '../target.ts';
import { Connection } from './connection.ts';
import type { DatabaseServer } from './database-server.ts';

export interface RemoteOptions {
  readonly target: string;
  readonly server: DatabaseServer;
  readonly clock: Clock;
  readonly logs: LogSource;
  /** Null where none are configured. Throws when they cannot be read. */
  readonly tls: () => TlsFiles | null;
  /** Silence before a probe; undefined for the default: 5 s, never on Unix sockets. */
  readonly probeMs?: number;
}

export interface Remote {
  readonly target: string;
  readonly isConnected: boolean;
  /** Keys of the status column of Manager (ovs-vswitchd.conf.db(5)). */
  status(): Map<string, string>;
  /** Drops its connections; clients come back by themselves. */
  reconnect(): void;
  close(): void;
}

const DEFAULT_PROBE_MS = 5000;
const RETRY_MS = 10_000;
const MAX_CONNECTIONS = 256;

export function openRemote(options: RemoteOptions): Remote {
  return isPassive(options.target) ? new Listener(options) : new Dialer(options);
}

/** Both sides show certificates. Those of ovs-pki name no host: what is trusted is the private CA. */
const tlsOptions = (files: TlsFiles) => ({
  key: files.privateKey,
  cert: files.certificate,
  ca: files.caCertificate,
  requestCert: true,
  rejectUnauthorized: true,
  checkServerIdentity: () => undefined,
});

function needTls(tls: () => TlsFiles | null): TlsFiles {
  const files = tls();
  if (files === null) throw new Error('private key, certificate and CA are not configured');
  return files;
}

const seconds = (sinceMs: number, clock: Clock): string =>
  String(Math.floor((clock.now() - sinceMs) / 1000));

export class Listener implements Remote {
  readonly target: string;
  private readonly options: RemoteOptions;
  private readonly connections = new Set<Connection>();
  private server: Server | null = null;
  private bound: BoundPath | null = null;
  private port: number | null = null;
  private retry: Timer | null = null;
  private isClosed = false;
  private accepted = 0;
  private said = '';
  /** Resolves once it listens, or has failed to for the first time. */
  readonly ready: Promise<void>;

  constructor(options: RemoteOptions) {
    this.options = options;
    this.target = options.target;
    this.ready = this.listen();
  }

  get isConnected(): boolean {
    return this.connections.size > 0;
  }

  status(): Map<string, string> {
    const status = new Map<string, string>();
    if (this.port !== null) status.set('bound_port', String(this.port));
    if (this.connections.size > 1) status.set('n_connections', String(this.connections.size));
    // A listener does not count time, as by ovsdb-server: a status that changes every second is an update for every client.
    status.set('sec_since_connect', '0');
    status.set('sec_since_disconnect', '0');
    return status;
  }

  reconnect(): void {
    for (const connection of [...this.connections]) connection.close();
  }

  close(): void {
    this.isClosed = true;
    this.retry?.cancel();
    this.server?.close();
    this.bound?.remove();
    this.reconnect();
  }

  private async listen(): Promise<void> {
    const { target, clock, logs } = this.options;
    try {
      const parsed = parsePassiveTarget(target);
      if (parsed === undefined) throw new Error('Address family not supported by protocol');
      await this.open(parsed);
      this.said = '';
    } catch (error) {
      const why = systemText(error as NodeJS.ErrnoException);
      if (why !== this.said)
        logs.module('ovsdb_jsonrpc_server').err(`failed to listen on ${target}: ${why}`);
      this.said = why;
      if (!this.isClosed) this.retry = clock.after(RETRY_MS, () => void this.listen());
    }
  }

  private async open(target: PassiveTarget): Promise<void> {
    const accept = (socket: Socket): void => this.accept(socket, target);
    const server =
      target.kind === 'pssl'
        ? createTlsServer(tlsOptions(needTls(this.options.tls)), accept)
        : createServer({ noDelay: true }, accept);
    server.maxConnections = MAX_CONNECTIONS;
    this.server = server;
    if (target.kind === 'punix') {
      refuseOtherFiles(target.path);
      this.bound = await listenOnPath(server, target.path);
    } else {
      const { host, port } = target;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: host ?? '0.0.0.0' }, () => {
          server.removeListener('error', reject);
          resolve();
        });
      });
      const address = server.address();
      if (address !== null && typeof address === 'object') this.port = address.port;
    }
    const log = this.options.logs.module('ovsdb_jsonrpc_server');
    server.on('error', (error) => log.warn(`${this.target}: accept failed: ${error.message}`));
    if (this.isClosed) this.close();
  }

  private accept(socket: Socket, { kind }: PassiveTarget): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    const { server, clock, logs, probeMs } = this.options;
    const { remoteAddress: address, remotePort } = socket;
    const host = address?.includes(':') ? `[${address}]` : address;
    const connection = new Connection({
      socket,
      name: kind === 'punix' ? `unix#${this.accepted++}` : `${kind.slice(1)}:${host}:${remotePort}`,
      server,
      clock,
      log: logs.module('jsonrpc'),
      probeMs: probeMs ?? (kind === 'punix' ? 0 : DEFAULT_PROBE_MS),
      closed: () => this.connections.delete(connection),
    });
    this.connections.add(connection);
  }
}

/** Whoever may write the database must not have files removed by naming their path. */
function refuseOtherFiles(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket())
    throw Object.assign(new Error('File exists'), { code: 'EEXIST' });
}

class Dialer implements Remote {
  readonly target: string;
  private readonly options: RemoteOptions;
  private readonly backoff: Backoff;
  private readonly parsed: Target | string;
  private socket: Socket | null = null;
  private connection: Connection | null = null;
  private timer: Timer | null = null;
  private isClosed = false;
  private connectedMs: number | null = null;
  private disconnectedMs: number | null = null;
  private lastError: string | null = null;

  constructor(options: RemoteOptions) {
    this.options = options;
    this.target = options.target;
    this.parsed = parseTarget(options.target);
    this.backoff = new Backoff(options.target, options.logs.module('reconnect'));
    this.dial();
  }

  get isConnected(): boolean {
    return this.connection !== null;
  }

  status(): Map<string, string> {
    const { clock } = this.options;
    const status = new Map<string, string>();
    const isTrying = this.socket !== null;
    status.set('state', this.isConnected ? 'ACTIVE' : isTrying ? 'CONNECTING' : 'BACKOFF');
    if (this.lastError !== null && !this.isConnected) status.set('last_error', this.lastError);
    if (this.connectedMs !== null)
      status.set('sec_since_connect', seconds(this.connectedMs, clock));
    if (this.disconnectedMs !== null)
      status.set('sec_since_disconnect', seconds(this.disconnectedMs, clock));
    return status;
  }

  reconnect(): void {
    this.connection?.close();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    this.socket?.destroy();
    this.connection?.close();
  }

  private dial(): void {
    this.timer = null;
    if (this.isClosed) return;
    this.backoff.say('connecting...');
    const { parsed } = this;
    if (typeof parsed === 'string') {
      this.failed('Address family not supported by protocol', 0);
      return;
    }
    let socket: Socket;
    try {
      socket = this.open(parsed);
    } catch (error) {
      this.failed((error as Error).message, 0);
      return;
    }
    this.socket = socket;
    const attempt = this.options.clock.after(this.backoff.attemptMs, () => {
      if (this.connection === null) socket.destroy(new Error('Connection timed out'));
    });
    let why: string | null = null;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = systemText(error);
    });
    socket.once('close', () => {
      attempt.cancel();
      if (this.connection === null) this.failed(why ?? 'closed', 0);
    });
    socket.once(parsed.kind === 'ssl' ? 'secureConnect' : 'connect', () => {
      attempt.cancel();
      this.connected(socket, parsed);
    });
  }

  private open(target: Target): Socket {
    if (target.kind === 'unix') return connectNet({ path: target.path });
    const { host, port } = target;
    if (target.kind === 'tcp') return connectNet({ host, port, noDelay: true });
    return connectTls({ host, port, ...tlsOptions(needTls(this.options.tls)) });
  }

  private connected(socket: Socket, { kind }: Target): void {
    const { server, clock, logs, probeMs } = this.options;
    logs.module('reconnect').info(`${this.target}: connected`);
    const sinceMs = clock.now();
    this.connectedMs = sinceMs;
    this.lastError = null;
    this.connection = new Connection({
      socket,
      name: this.target,
      server,
      clock,
      log: logs.module('jsonrpc'),
      probeMs: probeMs ?? (kind === 'unix' ? 0 : DEFAULT_PROBE_MS),
      closed: () => {
        this.connection = null;
        this.disconnectedMs = clock.now();
        this.failed('connection closed', clock.now() - sinceMs);
      },
    });
  }

  private failed(why: string, activeMs: number): void {
    this.socket = null;
    if (this.isClosed) return;
    this.lastError = why;
    this.backoff.say(activeMs > 0 ? why : `connection attempt failed (${why})`);
    this.timer = this.options.clock.after(this.backoff.next(activeMs), () => this.dial());
  }
}
