/**
 * Bundles that a connection has pending: messages to be carried out together (OpenFlow 1.4.1, 6.8). What goes wrong with a bundle ends it,
 * as by Open vSwitch; one that nobody adds to for a while is forgotten.
 */
import type { Clock, Timer } from '../../util/clock.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { Message } from '../codec/messages.ts';

export const BUNDLE_ATOMIC = 1;
const BUNDLE_ORDERED = 2;
const KNOWN_FLAGS = BUNDLE_ATOMIC | BUNDLE_ORDERED;

const MAX_BUNDLES = 64;
const CHECK_MS = 1000;
const MAX_MESSAGES = 1 << 20;
/** As they came, in all bundles of a connection. */
const MAX_BYTES = 128 << 20;
/** What an error quotes of a message. */
const HEAD_BYTES = 64;
const HEADS_IN_BLOCK = 1024;
const DEFAULT_BUNDLE_IDLE_MS = 10_000;

export interface BundledMessage {
  readonly message: Message;
  readonly xid: number;
}

/** The beginnings of many messages, for errors: one array each would cost more than the messages. */
class Heads {
  private readonly blocks: Uint8Array[] = [];
  private count = 0;

  push(bytes: Uint8Array): void {
    const at = this.count++ % HEADS_IN_BLOCK;
    if (at === 0) this.blocks.push(new Uint8Array(HEADS_IN_BLOCK * HEAD_BYTES));
    const block = this.blocks[this.blocks.length - 1];
    const from = at * HEAD_BYTES;
    const end = Math.min(bytes.length, HEAD_BYTES);
    for (let i = 0; i < end; i++) block[from + i] = bytes[i];
  }

  /** Message `i`, or as much of it as an error quotes. */
  at(i: number): Uint8Array {
    const from = (i % HEADS_IN_BLOCK) * HEAD_BYTES;
    const head = this.blocks[Math.floor(i / HEADS_IN_BLOCK)].slice(from, from + HEAD_BYTES);
    return head.subarray(0, (head[2] << 8) | head[3]);
  }
}

interface Bundle {
  readonly flags: number;
  isClosed: boolean;
  readonly messages: BundledMessage[];
  readonly heads: Heads;
  bytes: number;
  /** The message that began it, for the error of its end. */
  readonly opening: Uint8Array;
  usedMs: number;
}

/** What is committed; `heads` are the messages' beginnings. */
export type TakenBundle = Pick<Bundle, 'messages' | 'heads'>;

export class Bundles {
  idleMs = DEFAULT_BUNDLE_IDLE_MS;
  private readonly clock: Clock;
  private readonly expired: (opening: Uint8Array) => void;
  private readonly pending = new Map<number, Bundle>();
  private timer: Timer | null = null;

  /** `expired` hears of a bundle given up, by the message that began it. */
  constructor(clock: Clock, expired: (opening: Uint8Array) => void) {
    this.clock = clock;
    this.expired = expired;
  }

  open(id: number, flags: number, opening: Uint8Array): OfErrorName | null {
    if ((flags & ~KNOWN_FLAGS) !== 0) return 'OFPBFC_BAD_FLAGS';
    if (this.pending.delete(id)) return 'OFPBFC_BAD_ID';
    return this.make(id, flags, opening) === null ? 'OFPBFC_OUT_OF_BUNDLES' : null;
  }

  close(id: number, flags: number): OfErrorName | null {
    const bundle = this.pending.get(id);
    if (bundle === undefined) return 'OFPBFC_BAD_ID';
    if (bundle.isClosed) return this.fail(id, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) return this.fail(id, 'OFPBFC_BAD_FLAGS');
    bundle.isClosed = true;
    this.use(bundle);
    return null;
  }

  /** Adds to a bundle, which need not have been opened. `bytes` is the message as it came, and not kept. */
  add(
    id: number,
    flags: number,
    message: Message,
    xid: number,
    bytes: Uint8Array,
  ): OfErrorName | null {
    if ((flags & ~KNOWN_FLAGS) !== 0) return 'OFPBFC_BAD_FLAGS';
    const bundle = this.pending.get(id) ?? this.make(id, flags, bytes.subarray(0, HEAD_BYTES));
    if (bundle === null) return 'OFPBFC_OUT_OF_BUNDLES';
    if (bundle.isClosed) return this.fail(id, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) return this.fail(id, 'OFPBFC_BAD_FLAGS');
    if (bundle.messages.length >= MAX_MESSAGES || this.held() + bytes.length > MAX_BYTES) {
      return this.fail(id, 'OFPBFC_MSG_TOO_MANY');
    }
    bundle.messages.push({ message, xid });
    bundle.heads.push(bytes);
    bundle.bytes += bytes.length;
    this.use(bundle);
    return null;
  }

  /** Bytes in bundles, of which there are few. */
  private held(): number {
    let held = 0;
    for (const { bytes } of this.pending.values()) held += bytes;
    return held;
  }

  /** Takes a bundle out to commit it. */
  take(id: number, flags: number): TakenBundle | OfErrorName {
    const bundle = this.pending.get(id);
    if (bundle === undefined) return 'OFPBFC_BAD_ID';
    this.pending.delete(id);
    return bundle.flags === flags ? bundle : 'OFPBFC_BAD_FLAGS';
  }

  discard(id: number): OfErrorName | null {
    return this.pending.delete(id) ? null : 'OFPBFC_BAD_ID';
  }

  clear(): void {
    this.pending.clear();
    this.timer?.cancel();
    this.timer = null;
  }

  private make(id: number, flags: number, opening: Uint8Array): Bundle | null {
    if (this.pending.size >= MAX_BUNDLES) return null;
    const usedMs = this.clock.now();
    const bundle: Bundle = {
      flags,
      isClosed: false,
      messages: [],
      heads: new Heads(),
      bytes: 0,
      opening: opening.slice(),
      usedMs,
    };
    this.pending.set(id, bundle);
    this.watch();
    return bundle;
  }

  private fail(id: number, error: OfErrorName): OfErrorName {
    this.pending.delete(id);
    return error;
  }

  private use(bundle: Bundle): void {
    bundle.usedMs = this.clock.now();
  }

  private watch(): void {
    this.timer ??= this.clock.after(CHECK_MS, () => {
      this.timer = null;
      const now = this.clock.now();
      for (const [id, bundle] of this.pending) {
        if (now - bundle.usedMs < this.idleMs) continue;
        this.pending.delete(id);
        this.expired(bundle.opening);
      }
      if (this.pending.size > 0) this.watch();
    });
  }
}
