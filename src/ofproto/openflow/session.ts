/**
 * One OpenFlow connection over one socket: says hello, agrees about the version, then hands whole messages up and sends messages down.
 *
 * Memory is bounded both ways: an incoming message by its 16-bit length, what is unsent by MAX_UNSENT. A peer that does not read is no
 * longer read from, either (`isCongested`), so that it cannot ask for more than it takes; when it takes nothing at all for a minute it is
 * let go.
 */
import type { DirectSocket } from '../../sys/direct-socket.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { rateLimited } from '../../util/rate-limit.ts';
import { errorNumbers } from '../codec/errors.ts';
import { MessageSplitter } from '../codec/framing.ts';
import { OF10, OF15, type OfVersion } from '../codec/versions.ts';
import { bitmapText, helloOf, message, newestOf, offered } from './hello.ts';
import type { OpenflowStream } from './stream.ts';
import { END_OF_FILE, PROTOCOL_ERROR, systemText } from './system-text.ts';

/** Answers to requests stop here until the peer has read: it can go on asking afterwards. */
const CONGESTED_BYTES = 512 << 10;
/** A single answer may be long (all flows); more than this unsent ends the connection. */
const MAX_UNSENT_BYTES = 256 << 20;
const UNREAD_MS = 60_000;

/** Messages that are logged a minute. */
const LOGGED_MESSAGES = 600;

const TYPE_ERROR = 1;

/** A peer that is read from this often in so long, or a bit longer, is lively. */
const LIVELY_READS = 16;
const LIVELY_MS = 8;
const LIVELY_AT_MOST_MS = 40;
/** How long a lively peer may keep the event loop, and how many reads. */
const TURN_MS = 1;
const TURN_READS = 256;
/** Waits in vain, each of some 100 microseconds, that it is granted within LIVELY_MS. */
const MAX_VAIN_WAITS = 4;

export interface SessionEvents {
  /** The version is agreed. */
  opened(version: OfVersion): void;
  /** A whole message, header included. Its version is the agreed one, unless its type is hello, error or echo. */
  received(bytes: Uint8Array): void;
  /** The peer reads again: what waited may go on. */
  drained(): void;
  /** It is over, once. `why` is null when this side ended it. `wasOpen`: a version had been agreed. */
  closed(why: string | null, wasOpen: boolean): void;
}

export interface SessionOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Module vconn. */
  readonly log: Logger;
  /** Bits of the versions that may be spoken. */
  readonly versions: number;
  readonly xid: () => number;
  /** Text of a message, for the log. */
  readonly describe?: (bytes: Uint8Array) => string;
  /** How to read and write past the stream; without it, or where it gives null, the stream does. */
  readonly direct?: (stream: OpenflowStream) => DirectSocket | null;
}

export class OpenflowSession {
  readonly name: string;
  /** Null until agreed. */
  version: OfVersion | null = null;
  private readonly socket: OpenflowStream;
  private readonly options: SessionOptions;
  private readonly events: SessionEvents;
  private readonly splitter = new MessageSplitter();
  private readonly messageLog: Logger;
  private isClosed = false;
  private isCorked = false;
  private unreadTimer: Timer | null = null;
  private unreadBytes = 0;
  /** Received while reading is paused, at most one read of the socket. */
  private waiting: Uint8Array[] = [];
  private isPaused = false;
  /** Null where only the stream can be read and written. */
  private readonly direct: DirectSocket | null;
  /** Answers may be put into `direct`: they are sent before the turn is over. */
  private isInTurn = false;
  private isLively = false;
  private reads = 0;
  private vainWaits = 0;
  private readsSinceMs = 0;

  /** `socket` is connected. */
  constructor(socket: OpenflowStream, options: SessionOptions, events: SessionEvents) {
    this.socket = socket;
    this.options = options;
    this.events = events;
    this.name = options.name;
    this.messageLog = rateLimited(options.log, options.clock, LOGGED_MESSAGES);
    this.direct = options.direct?.(socket) ?? null;
    let failure: string | null = null;
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = systemText(error);
    });
    socket.on('close', () => this.end(failure ?? END_OF_FILE));
    socket.on('drain', () => this.drained());
    this.write(helloOf(options.versions, options.xid()));
  }

  /** Bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.socket.writableLength + (this.direct?.unsent ?? 0);
  }
  get isCongested(): boolean {
    return this.socket.writableLength > CONGESTED_BYTES;
  }

  send(bytes: Uint8Array): void {
    if (this.version !== null) this.write(bytes);
  }

  /** Ends it from this side, after what was sent has gone out. */
  close(why: string | null = null): void {
    if (this.isClosed) return;
    this.direct?.flush();
    this.socket.destroySoon();
    this.end(why);
  }

  /** Reads no more until resume(). */
  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused || this.isClosed) return;
    this.isPaused = false;
    const messages = this.waiting;
    this.waiting = [];
    this.deliver(messages);
    if (!this.isPaused) this.socket.resume();
  }

  private write(bytes: Uint8Array): void {
    const { socket } = this;
    if (this.isClosed || socket.destroyed) return;
    if (this.direct !== null && this.isInTurn) {
      if (this.direct.put(bytes)) {
        this.logMessage('sent (Success)', bytes);
        return;
      }
      this.direct.flush();
    }
    if (!this.isCorked) {
      // What one turn produces is one write.
      this.isCorked = true;
      socket.cork();
      process.nextTick(() => {
        this.isCorked = false;
        socket.uncork();
      });
    }
    this.logMessage('sent (Success)', bytes);
    socket.write(bytes);
    if (socket.writableLength > MAX_UNSENT_BYTES) {
      this.options.log.warn(`${this.name}: peer does not read, dropped`);
      this.abort('No buffer space available');
    } else if (socket.writableNeedDrain && this.unreadTimer === null) this.watch();
  }

  /** A peer must take something within each minute. */
  private watch(): void {
    this.unreadBytes = this.socket.bytesWritten;
    this.unreadTimer = this.options.clock.after(UNREAD_MS, () => {
      this.unreadTimer = null;
      // bytesWritten counts what waits here, too.
      if (this.socket.writableLength === 0) return;
      const taken = this.socket.bytesWritten - this.socket.writableLength;
      if (taken > this.unreadBytes) this.watch();
      else {
        this.options.log.warn(`${this.name}: peer does not read, dropped`);
        this.abort('Connection timed out');
      }
    });
    this.unreadBytes -= this.socket.writableLength;
  }

  private drained(): void {
    this.unreadTimer?.cancel();
    this.unreadTimer = null;
    if (!this.isClosed) this.events.drained();
  }

  private abort(why: string): void {
    this.socket.destroy();
    this.end(why);
  }

  private end(why: string | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unreadTimer?.cancel();
    this.waiting = [];
    this.events.closed(why, this.version !== null);
  }

  /** What the stream has read, and what a lively peer sends right after. */
  private take(chunk: Buffer): void {
    this.digest(chunk);
    const { direct } = this;
    if (direct === null) return;
    const { clock } = this.options;
    const now = clock.now();
    this.count(now);
    if (!this.isLively) return;
    for (let reads = 0; reads < TURN_READS && clock.now() - now <= TURN_MS; reads++) {
      if (this.isClosed || this.isPaused) return;
      const next = this.vainWaits < MAX_VAIN_WAITS ? direct.receiveSoon() : direct.receive();
      if (next === null) {
        this.vainWaits++;
        return;
      }
      this.reads++;
      this.digest(next);
    }
  }

  private count(now: number): void {
    const passedMs = now - this.readsSinceMs;
    if (passedMs >= LIVELY_MS) {
      this.isLively = this.reads >= LIVELY_READS && passedMs <= LIVELY_AT_MOST_MS;
      this.readsSinceMs = now;
      this.reads = 0;
      this.vainWaits = 0;
    }
    this.reads++;
  }

  private digest(chunk: Uint8Array): void {
    if (this.isClosed) return;
    const framed = this.splitter.push(chunk);
    this.isInTurn = true;
    this.deliver(framed.messages);
    this.isInTurn = false;
    this.direct?.flush();
    if (framed.ok || this.isClosed) return;
    this.options.log.warn(`${this.name}: received too short ofp_header, dropped`);
    this.abort(PROTOCOL_ERROR);
  }

  private deliver(messages: readonly Uint8Array[]): void {
    for (let i = 0; i < messages.length; i++) {
      if (this.isClosed) return;
      if (this.isPaused) {
        this.waiting.push(...messages.slice(i));
        return;
      }
      this.handle(messages[i]);
    }
  }

  private handle(bytes: Uint8Array): void {
    this.logMessage('received', bytes);
    if (this.version === null) {
      this.agree(bytes);
      return;
    }
    // Hello, error and echo may come in any version.
    if (bytes[0] !== this.version && bytes[1] > 3) {
      this.options.log.err(
        `${this.name}: received OpenFlow version 0x${hex(bytes[0])} != expected ${hex(this.version)}`,
      );
      const theirs = Math.min(Math.max(bytes[0], OF10), OF15) as OfVersion;
      this.refuse('OFPBRC_BAD_VERSION', theirs, bytes, bytes.subarray(0, 64));
      return;
    }
    this.events.received(bytes);
  }

  /** What passes is worth its text only to who asked for it. */
  private logMessage(what: string, bytes: Uint8Array): void {
    const { log, describe } = this.options;
    if (describe === undefined || !log.enabled('dbg')) return;
    this.messageLog.dbg(`${this.name}: ${what}: ${describe(bytes).trimEnd()}`);
  }

  private agree(bytes: Uint8Array): void {
    const { log, versions } = this.options;
    const peer = offered(bytes);
    if (peer === null) {
      log.warn(`${this.name}: received message of type ${bytes[1]} while expecting hello`);
      this.close(PROTOCOL_ERROR);
      return;
    }
    const version = newestOf(versions & peer);
    if (version === undefined) {
      log.warn(
        `${this.name}: version negotiation failed (we support ${bitmapText(versions)}, peer supports ${bitmapText(peer)})`,
      );
      const text = `We support ${bitmapText(versions)}, you support ${bitmapText(peer)}, no common versions.`;
      const ours = newestOf(versions) ?? 1;
      this.refuse('OFPHFC_INCOMPATIBLE', ours, bytes, new TextEncoder().encode(text));
      this.close(PROTOCOL_ERROR);
      return;
    }
    log.dbg(
      `${this.name}: negotiated OpenFlow version 0x${hex(version)} (we support ${bitmapText(versions)}, peer supports ${bitmapText(peer)})`,
    );
    this.version = version;
    this.events.opened(version);
  }

  private refuse(
    error: 'OFPHFC_INCOMPATIBLE' | 'OFPBRC_BAD_VERSION',
    version: OfVersion,
    request: Uint8Array,
    data: Uint8Array,
  ): void {
    const { type, code } = errorNumbers(error, version);
    const body = new Uint8Array(4 + data.length);
    new DataView(body.buffer).setUint32(0, type * 0x10000 + code);
    body.set(data, 4);
    const xid = new DataView(request.buffer, request.byteOffset).getUint32(4);
    this.write(message(version, TYPE_ERROR, xid, body));
  }
}

const hex = (version: number): string => version.toString(16).padStart(2, '0');
