/**
 * Passive targets: listens, and hands accepted connections over under a name. Nothing listens but what the database asks for and the
 * sockets of the bridge itself, which only their owner can open.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type BoundPath, listenOnPath } from '../../sys/unix-listen.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { systemText } from './system-text.ts';
import { type PassiveTarget, parsePassive } from './target.ts';
import { acceptTls, type TlsFiles } from './tls.ts';

export interface ListenerOptions {
  /** punix:PATH, ptcp:... or pssl:... */
  readonly target: string;
  readonly runDir: string;
  readonly clock: Clock;
  /** Module connmgr. */
  readonly log: Logger;
  /** Module stream_ssl, rate limited: strangers may provoke it. */
  readonly tlsLog: Logger;
  readonly tls: () => TlsFiles | null;
  /** Connections at one time; more are refused. */
  readonly maxConnections: number;
  /** `name` is like tcp:127.0.0.1:40322 or unix#5. */
  readonly accept: (socket: Socket, name: string) => void;
}

const RETRY_MS = 10_000;

export class OpenflowListener {
  readonly target: string;
  private readonly options: ListenerOptions;
  private server: Server | null = null;
  private bound: BoundPath | null = null;
  private retry: Timer | null = null;
  private isClosed = false;
  private accepted = 0;
  private isFailureSaid = false;
  private readonly sockets = new Set<Socket>();
  /** Connections refused because there were too many. */
  refused = 0;

  constructor(options: ListenerOptions) {
    this.options = options;
    this.target = options.target;
  }

  /** Resolves when it listens or has found that it cannot now; then it tries again by itself. */
  async listen(): Promise<void> {
    const { target, runDir, log } = this.options;
    const parsed = parsePassive(target, runDir);
    if (parsed === undefined) {
      log.err(`failed to listen on ${target}: Address family not supported by protocol`);
      return;
    }
    try {
      await this.open(parsed);
      this.isFailureSaid = false;
    } catch (error) {
      if (!this.isFailureSaid) {
        log.err(`failed to listen on ${target}: ${systemText(error as NodeJS.ErrnoException)}`);
      }
      this.isFailureSaid = true;
      if (!this.isClosed) {
        this.retry = this.options.clock.after(RETRY_MS, () => void this.listen());
      }
    }
  }

  private async open(target: PassiveTarget): Promise<void> {
    const accept = (socket: Socket): void => this.accept(socket, target);
    const server = createServer({ noDelay: true }, accept);
    server.maxConnections = this.options.maxConnections;
    server.on('drop', () => {
      this.refused++;
    });
    this.server = server;
    if (target.kind === 'punix') this.bound = await listenOnPath(server, target.path);
    else {
      const { host, port } = target;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: host ?? '0.0.0.0' }, () => {
          server.removeListener('error', reject);
          resolve();
        });
      });
    }
    server.on('error', (error) => this.options.log.info(`accept failed: ${error.message}`));
    if (this.isClosed) this.close();
  }

  private accept(socket: Socket, target: PassiveTarget): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    const number = this.accepted++;
    const { remoteAddress, remotePort } = socket;
    const kind = target.kind.slice(1);
    const host = remoteAddress?.includes(':') ? `[${remoteAddress}]` : remoteAddress;
    const name = target.kind === 'punix' ? `unix#${number}` : `${kind}:${host}:${remotePort}`;
    if (target.kind === 'pssl') this.secure(socket, name);
    else this.options.accept(socket, name);
  }

  /** Keys are those of now: the SSL table may have changed since the port was opened. */
  private secure(raw: Socket, name: string): void {
    raw.on('error', () => {});
    const files = this.options.tls();
    if (files === null) {
      raw.destroy();
      return;
    }
    acceptTls(
      raw,
      files,
      (socket) => {
        if (this.isClosed) socket.destroy();
        else this.options.accept(socket, name);
      },
      (why) => this.options.tlsLog.warn(`${name}: SSL_accept: ${why}`),
    );
  }

  /** Ends the connections that came in here. */
  drop(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Stops listening, and ends the connections that came in here. */
  close(): void {
    this.isClosed = true;
    this.drop();
    this.retry?.cancel();
    this.server?.close();
    this.bound?.remove();
    this.bound = null;
    this.server = null;
  }
}
