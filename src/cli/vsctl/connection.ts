/**
 * A connection to a database server: JSON-RPC 1.0 (RFC 7047 section 4) with as many requests at a time as one likes.
 *
 * It connects once, or waits to be called where the target is a passive one; who wants it again opens another. The daemon's session
 * (src/ovsdb/jsonrpc.ts) keeps itself connected and logs, which a command that runs for a moment has no use for.
 */
import { connect, createServer, type Socket } from 'node:net';
import { jsonText } from '../../ovsdb/exact-json.ts';
import {
  DEFAULT_JSON_LIMITS,
  isObject,
  type Json,
  type JsonObject,
  JsonStream,
} from '../../ovsdb/json-stream.ts';
import { systemText } from '../../ovsdb/system-text.ts';
import { isPassive, parsePassiveTarget, parseTarget } from '../../ovsdb/target.ts';
import { ConnectionFailure } from './connection-failure.ts';
import { contextOptions, secured } from './secure-socket.ts';
import type { TlsSettings } from './tls-settings.ts';

export type Reply =
  | { readonly ok: true; readonly result: Json }
  | { readonly ok: false; readonly error: Json };

/** A database's first answer may be large: 10,000 rows of all columns take some 20 MB. */
const LIMITS = { ...DEFAULT_JSON_LIMITS, maxBytes: 1 << 30 };

/** What OVS's stream library answers for a name that no kind of stream has. */
const NO_SUCH_KIND = 'Address family not supported by protocol';

export class Connection {
  /** Called for each notification. */
  notified: (method: string, params: Json) => void = () => {};
  private readonly socket: Socket;
  private readonly stream = new JsonStream(LIMITS);
  private readonly pending = new Map<number, (reply: Reply | null) => void>();
  private failure: string | null = null;
  private nextId = 1;
  /** Resolves, with the reason, when the connection is gone. */
  readonly ended: Promise<string>;

  private constructor(socket: Socket) {
    this.socket = socket;
    let end: (why: string) => void;
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = systemText(error);
    });
    socket.on('close', () => {
      end(this.failure ?? 'End of file');
      const waiting = [...this.pending.values()];
      this.pending.clear();
      for (const resolve of waiting) resolve(null);
    });
  }

  /** Throws ConnectionFailure. */
  static async open(target: string, tls: TlsSettings): Promise<Connection> {
    const socket = isPassive(target) ? await accepted(target, tls) : await connected(target, tls);
    return new Connection(socket);
  }

  /** Throws ConnectionFailure when the connection goes before the reply comes. */
  async request(method: string, params: Json[]): Promise<Reply> {
    const id = this.nextId++;
    const reply = await new Promise<Reply | null>((resolve) => {
      this.pending.set(id, resolve);
      if (this.socket.destroyed) resolve(null);
      else this.socket.write(jsonText({ method, params, id }));
    });
    if (reply === null) throw new ConnectionFailure(await this.ended);
    return reply;
  }

  close(): void {
    this.socket.destroy();
  }

  private received(chunk: Buffer): void {
    for (const message of this.stream.push(chunk)) this.handle(message);
    if (this.stream.error === null) return;
    this.failure = 'Protocol error';
    this.socket.destroy();
  }

  private handle(message: JsonObject): void {
    const { method, id, result, error } = message;
    if (typeof method === 'string') {
      const params = message.params ?? [];
      if (method === 'echo') {
        this.socket.write(jsonText({ result: params, error: null, id: id ?? null }));
      } else if (id === undefined || id === null) this.notified(method, params);
      return;
    }
    const resolve = typeof id === 'number' ? this.pending.get(id) : undefined;
    if (resolve === undefined) return;
    this.pending.delete(id as number);
    if (error !== undefined && error !== null) resolve({ ok: false, error });
    else resolve({ ok: true, result: result ?? null });
  }
}

async function connected(target: string, tls: TlsSettings): Promise<Socket> {
  const parsed = parseTarget(target);
  if (typeof parsed === 'string') throw new ConnectionFailure(NO_SUCH_KIND);
  const context = parsed.kind === 'ssl' ? contextOptions(tls) : null;
  const socket = await new Promise<Socket>((resolve, reject) => {
    const { kind } = parsed;
    const begun =
      kind === 'unix'
        ? connect({ path: parsed.path })
        : connect({ host: parsed.host, port: parsed.port, noDelay: true });
    const failed = (error: NodeJS.ErrnoException): void =>
      reject(new ConnectionFailure(systemText(error)));
    begun.once('error', failed);
    begun.once('connect', () => {
      begun.off('error', failed);
      resolve(begun);
    });
  });
  return context === null ? socket : await secured(socket, tls, context, false);
}

/** The first who calls. */
async function accepted(target: string, tls: TlsSettings): Promise<Socket> {
  const parsed = parsePassiveTarget(target);
  if (parsed === undefined) throw new ConnectionFailure(NO_SUCH_KIND);
  const context = parsed.kind === 'pssl' ? contextOptions(tls) : null;
  const socket = await new Promise<Socket>((resolve, reject) => {
    const server = createServer((caller) => {
      server.close();
      resolve(caller);
    });
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ConnectionFailure(systemText(error))),
    );
    if (parsed.kind === 'punix') server.listen(parsed.path);
    else server.listen({ port: parsed.port, host: parsed.host ?? '0.0.0.0' });
  });
  return context === null ? socket : await secured(socket, tls, context, true);
}

/** The text of an error of a reply. */
export const replyErrorText = (error: Json): string =>
  isObject(error) || Array.isArray(error) ? jsonText(error) : String(error);
