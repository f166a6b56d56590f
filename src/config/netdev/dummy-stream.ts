/**
 * Cables between dummy devices, of one daemon or of several: `options:pstream` waits for peers (punix:, ptcp:), `options:stream` goes to
 * one (unix:, tcp:) and tries again when that is lost. What a device sends goes to every peer.
 *
 * On the wire a frame is its length (16 bits, big endian) and its bytes, as Open vSwitch's netdev-dummy has it.
 */
import { createConnection, type Socket } from 'node:net';
import { OpenflowListener } from '../../ofproto/openflow/listener.ts';
import { parseActive } from '../../ofproto/openflow/target.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import { NetdevError } from './netdev.ts';

export interface StreamDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where sockets lie whose paths are not absolute. */
  readonly runDir: string;
}

const LENGTH_BYTES = 2;
const MIN_FRAME_BYTES = 14;
const MAX_FRAME_BYTES = 65_535;
const MAX_PEERS = 64;
/** A peer that does not read loses frames, not the switch its memory. */
const MAX_UNSENT_BYTES = 1 << 20;
const RETRY_MS = 1000;

export class DummyStreams {
  /** Frames that a slow peer or none got. */
  dropped = 0;
  private readonly deps: StreamDeps;
  private readonly receive: (frame: Uint8Array) => void;
  private readonly target: string | null;
  private readonly listener: OpenflowListener | null = null;
  private readonly peers = new Set<Socket>();
  private retry: Timer | null = null;
  private isClosed = false;

  /** `receive` takes frames from peers. Throws NetdevError for a target that is none. */
  constructor(
    name: string,
    options: { readonly stream?: string; readonly pstream?: string },
    deps: StreamDeps,
    receive: (frame: Uint8Array) => void,
  ) {
    this.deps = deps;
    this.receive = receive;
    this.target = options.stream ?? null;
    if (this.target !== null && addressOf(this.target, deps.runDir) === null) {
      throw new NetdevError(`${name}: ${this.target}: not a stream to connect to`);
    }
    if (options.pstream !== undefined) {
      const { clock, log, runDir } = deps;
      this.listener = new OpenflowListener({
        target: options.pstream,
        runDir,
        clock,
        log,
        tlsLog: log,
        tls: () => null,
        maxConnections: MAX_PEERS,
        accept: (socket) => this.join(socket),
      });
    }
  }

  /** Listens, and begins to connect. */
  async open(): Promise<void> {
    await this.listener?.listen();
    this.connect();
  }

  /** As netdev-dummy/conn-state has it. */
  get state(): 'connected' | 'disconnected' | 'unknown' {
    if (this.target === null) return 'unknown';
    return this.peers.size > 0 ? 'connected' : 'disconnected';
  }

  send(frame: Uint8Array): void {
    if (frame.length > MAX_FRAME_BYTES) return;
    let record: Buffer | null = null;
    for (const peer of this.peers) {
      if (peer.writableLength > MAX_UNSENT_BYTES) {
        this.dropped++;
        continue;
      }
      if (record === null) {
        record = Buffer.alloc(LENGTH_BYTES + frame.length);
        record.writeUInt16BE(frame.length, 0);
        record.set(frame, LENGTH_BYTES);
      }
      peer.write(record);
    }
  }

  close(): void {
    this.isClosed = true;
    this.retry?.cancel();
    this.listener?.close();
    for (const peer of this.peers) peer.destroy();
  }

  private connect(): void {
    const address = this.target === null ? null : addressOf(this.target, this.deps.runDir);
    if (address === null || this.isClosed) return;
    const socket = createConnection(address);
    socket.once('connect', () => this.join(socket));
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.isClosed) return;
      this.retry = this.deps.clock.after(RETRY_MS, () => this.connect());
    });
  }

  private join(socket: Socket): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    this.peers.add(socket);
    const reader = new FrameReader(this.receive);
    socket.on('data', (bytes: Buffer) => {
      if (!reader.take(bytes)) socket.destroy();
    });
    socket.on('error', (error) => this.deps.log.info(`stream of a dummy device: ${error.message}`));
    socket.once('close', () => this.peers.delete(socket));
  }
}

/** What to connect to; null for what is no active target in the clear. */
function addressOf(
  target: string,
  runDir: string,
): { path: string } | { host: string; port: number } | null {
  const parsed = parseActive(target, runDir);
  if (parsed === undefined || parsed.kind === 'ssl') return null;
  return parsed.kind === 'unix' ? { path: parsed.path } : { host: parsed.host, port: parsed.port };
}

/** Cuts a stream into frames. It holds one incomplete frame at most. */
export class FrameReader {
  private readonly receive: (frame: Uint8Array) => void;
  private rest: Buffer = Buffer.alloc(0);

  constructor(receive: (frame: Uint8Array) => void) {
    this.receive = receive;
  }

  /** False when the stream makes no sense and must end. */
  take(bytes: Buffer): boolean {
    const all = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    let at = 0;
    while (all.length - at >= LENGTH_BYTES) {
      const length = all.readUInt16BE(at);
      if (length < MIN_FRAME_BYTES) return false;
      if (all.length - at < LENGTH_BYTES + length) break;
      this.receive(new Uint8Array(all.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length)));
      at += LENGTH_BYTES + length;
    }
    this.rest = Buffer.from(all.subarray(at));
    return true;
  }
}
