/**
 * One OpenFlow connection of the client: hello and the version that both sides can, requests with their replies, and barriers.
 *
 * Messages that nobody asked for wait in `received` until somebody calls `next`; a command that only transacts drops them, so that the
 * list cannot grow.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely, type SecureContextOptions } from 'node:tls';
import { versionBitmap } from '../../ofproto/codec/connection-messages.ts';
import { MessageSplitter } from '../../ofproto/codec/framing.ts';
import {
  type DecodedMessage,
  decodeMessage,
  encodeMessage,
  encodeParts,
  type Message,
} from '../../ofproto/codec/messages.ts';
import type { WireContext } from '../../ofproto/codec/reader.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';
import { fail } from './ofctl-error.ts';
import type { Target } from './target.ts';

export interface Received {
  readonly bytes: Uint8Array;
  readonly decoded: DecodedMessage;
}

/** Of a connection by TLS: the key, the certificate and the authority's certificate, as PEM. */
export type Credentials = Pick<SecureContextOptions, 'key' | 'cert' | 'ca'>;

type Settings = Pick<WireContext, 'flowModTableId' | 'tunMetadata'>;

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
};

const highest = (versions: readonly OfVersion[]): OfVersion => Math.max(...versions) as OfVersion;

export class Session {
  /** Of the peer's hello and ours; until then our highest. */
  context: WireContext;
  readonly target: Target;
  private readonly socket: Socket;
  private readonly splitter = new MessageSplitter();
  private readonly received: Received[] = [];
  private wake: () => void = () => {};
  private ended = false;
  private xid = 0;

  private constructor(target: Target, version: OfVersion, credentials: Credentials | null) {
    this.target = target;
    this.context = { version };
    // The peer is known by the authority that signed its certificate, not by its name.
    this.socket =
      credentials === null
        ? connect(target.connect)
        : connectSecurely({
            ...target.connect,
            ...credentials,
            checkServerIdentity: () => undefined,
          });
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('close', () => this.end());
  }

  /** Connects, by TLS when there are credentials, and agrees on one of `versions`. Throws OfctlError. */
  static async open(
    target: Target,
    versions: readonly OfVersion[],
    credentials: Credentials | null = null,
  ): Promise<Session> {
    const session = new Session(target, highest(versions), credentials);
    await session.connected();
    session.send({ kind: 'hello', bitmap: versionBitmap(versions) });
    const hello = await session.next();
    if (hello === null || !hello.decoded.ok || hello.decoded.message.kind !== 'hello') {
      return fail(`${target.failure} (Protocol error)`);
    }
    const peer = hello.bytes[0];
    const { bitmap } = hello.decoded.message;
    const common = versions.filter((v) => (bitmap === null ? v <= peer : (bitmap >> v) & 1));
    if (common.length === 0) {
      session.close();
      const ours = highest(versions);
      return fail(
        `${target.name}: version negotiation failed (we support version 0x0${ours}, peer supports version 0x0${peer})`,
      );
    }
    session.context = { version: highest(common) };
    return session;
  }

  private connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once(this.target.isSecure ? 'secureConnect' : 'connect', resolve);
      this.socket.on('error', (error: NodeJS.ErrnoException) => {
        const text = ERRNO_TEXTS[error.code ?? ''] ?? error.message;
        try {
          fail(`${this.target.failure} (${text})`);
        } catch (told) {
          reject(told);
        }
      });
    });
  }

  get version(): OfVersion {
    return this.context.version;
  }

  set(settings: Settings): void {
    this.context = { ...this.context, ...settings };
  }

  private take(chunk: Uint8Array): void {
    const framed = this.splitter.push(chunk);
    for (const bytes of framed.messages) this.takeMessage(bytes);
    if (!framed.ok) this.socket.destroy();
    this.wake();
  }

  private takeMessage(bytes: Uint8Array): void {
    // A snooped connection may speak any version.
    const version = Math.min(Math.max(bytes[0], 1), 6) as OfVersion;
    const decoded = decodeMessage(bytes, { ...this.context, version });
    if (decoded.ok && decoded.message.kind === 'echoRequest') {
      const { data } = decoded.message;
      this.socket.write(encodeMessage({ kind: 'echoReply', data }, this.context, decoded.xid));
      return;
    }
    this.received.push({ bytes, decoded });
  }

  private end(): void {
    this.ended = true;
    this.wake();
  }

  /** The next message that came; null when the connection ended. */
  async next(): Promise<Received | null> {
    while (this.received.length === 0) {
      if (this.ended) return null;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.received.shift() ?? null;
  }

  nextXid(): number {
    return ++this.xid;
  }

  send(message: Message, xid = this.nextXid(), settings: Partial<WireContext> = {}): number {
    this.socket.write(this.encode(message, xid, settings));
    return xid;
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Throws OfctlError for what the version cannot say. */
  encode(message: Message, xid: number, settings: Partial<WireContext> = {}): Uint8Array {
    try {
      return encodeMessage(message, { ...this.context, ...settings }, xid);
    } catch (error) {
      return fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** All parts of the reply to a request, or the error that came instead. */
  request(message: Message): Promise<readonly Received[]> {
    return this.replyTo(this.send(message));
  }

  /** The same for a request that may need several messages. */
  requestParts(
    message: Message & { readonly entries: readonly unknown[] },
  ): Promise<readonly Received[]> {
    const xid = this.nextXid();
    for (const part of encodeParts(message, this.context, xid)) this.socket.write(part);
    return this.replyTo(xid);
  }

  private async replyTo(xid: number): Promise<readonly Received[]> {
    const parts: Received[] = [];
    for (;;) {
      const one = (await this.next()) ?? this.lost();
      if (one.decoded.xid !== xid) continue;
      parts.push(one);
      if (!one.decoded.ok || one.decoded.message.more !== true) return parts;
    }
  }

  /** Waits until everything sent was done; gives the errors that came meanwhile. */
  async barrier(): Promise<readonly Received[]> {
    const xid = this.send({ kind: 'barrierRequest' });
    const errors: Received[] = [];
    for (;;) {
      const one = (await this.next()) ?? this.lost();
      if (one.decoded.xid === xid) return errors;
      if (!one.decoded.ok || one.decoded.message.kind === 'error') errors.push(one);
    }
  }

  private lost(): never {
    return fail(`${this.target.name}: transaction failed (End of file)`);
  }

  close(): void {
    this.socket.destroy();
  }
}
