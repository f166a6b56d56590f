/**
 * Reads one message. A reader is a window [offset, end) over the message's bytes; whoever reads a length narrows a
 * new window from it, so that no inner structure can see past the one it lies in.
 *
 * What is wrong with the bytes is told by throwing a WireError from deep inside; `decode` in wire.ts catches it, so
 * that outside of this folder an error is a value. A window that is too short throws its own `shortError`, because
 * the same truncation is OFPBAC_BAD_LEN within an action and OFPBRC_BAD_LEN elsewhere.
 */
import type { Action } from '../../flowtable/action.ts';
import type { TunMetadataPlace } from '../../packet/tlv-table.ts';
import type { OfErrorName } from './errors.ts';
import type { OfVersion } from './versions.ts';

/** The bytes are not what the specification asks; `code` names the error to send. */
export class WireError extends Error {
  readonly code: OfErrorName;

  constructor(code: OfErrorName) {
    super(code);
    this.code = code;
  }
}

/** Lists of actions by their bytes, so that flows by the hundred thousand that do the same share one. */
export interface KnownLists<T> {
  find(bytes: string): T | undefined;
  keep(bytes: string, list: T): void;
}

/** What decoding needs to know besides the bytes. */
export interface WireContext {
  /** Of instructions of flow-mods; what is found there was read in this version before. */
  readonly instructions?: KnownLists<readonly Action[]>;
  readonly version: OfVersion;
  /** Flow-mod commands of 1.0 and Nicira have the table in their high byte (NXT_FLOW_MOD_TABLE_ID). */
  readonly flowModTableId?: boolean;
  /** Place of tun_metadata0..63, null for one that is not mapped; without it none is. */
  readonly tunMetadata?: (index: number) => TunMetadataPlace | null;
  /**
   * What the flow of the actions to be written matches. OpenFlow 1.0's VLAN and port setters need it to become set-fields: a tag
   * is pushed first unless there is one, and the protocol chooses among TCP's, UDP's and SCTP's port.
   */
  readonly flow?: { readonly hasVlan: boolean; readonly ipProto: number };
}

const decoder = new TextDecoder();

export class Reader {
  readonly version: OfVersion;
  readonly context: WireContext;
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;
  /** How many actions this window lies within. */
  depth = 0;
  private readonly shortError: OfErrorName;
  private readonly view: DataView;

  constructor(
    bytes: Uint8Array,
    context: WireContext,
    offset = 0,
    end = bytes.length,
    shortError: OfErrorName = 'OFPBRC_BAD_LEN',
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ) {
    this.bytes = bytes;
    this.context = context;
    this.version = context.version;
    this.offset = offset;
    this.end = end;
    this.shortError = shortError;
    this.view = view;
  }

  get left(): number {
    return this.end - this.offset;
  }

  /** Throws unless `count` bytes are left. */
  need(count: number): void {
    if (count > this.end - this.offset) throw new WireError(this.shortError);
  }

  private take(count: number): number {
    this.need(count);
    const at = this.offset;
    this.offset += count;
    return at;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2));
  }

  u32(): number {
    return this.view.getUint32(this.take(4));
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8));
  }

  /** A big-endian number of 1 to 4 bytes. */
  number(count: number): number {
    let value = 0;
    for (let at = this.take(count), last = this.offset; at < last; at++) {
      value = (value << 8) | this.bytes[at];
    }
    return value >>> 0;
  }

  /** A big-endian number of `count` bytes. */
  uint(count: number): bigint {
    let value = 0n;
    for (let at = this.take(count), last = this.offset; at < last; at++) {
      value = (value << 8n) | BigInt(this.bytes[at]);
    }
    return value;
  }

  /** The u16 that lies `ahead` bytes after the offset, without passing it. */
  peekU16(ahead = 0): number {
    this.need(ahead + 2);
    return this.view.getUint16(this.offset + ahead);
  }

  skip(count: number): void {
    this.take(count);
  }

  /** Passes over `count` bytes that must be zero. */
  zeros(count: number, error: OfErrorName): void {
    for (let at = this.take(count); at < this.offset; at++) {
      if (this.bytes[at] !== 0) throw new WireError(error);
    }
  }

  /** What is left, as a key of a map: one character a byte. */
  restKey(): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + this.offset, this.left).toString('latin1');
  }

  /** A view, for what is read on at once and not kept. */
  look(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** A copy, so that a kept value does not keep the message. */
  copy(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.slice(at, at + count);
  }

  rest(): Uint8Array {
    return this.copy(this.left);
  }

  /** Text padded with NUL to `count` bytes. */
  text(count: number): string {
    const at = this.take(count);
    let end = at;
    while (end < this.offset && this.bytes[end] !== 0) end++;
    return decoder.decode(this.bytes.subarray(at, end));
  }

  /** A window over the next `count` bytes, which this reader passes. */
  window(count: number, shortError: OfErrorName = this.shortError): Reader {
    this.need(count);
    const at = this.take(count);
    const inner = new Reader(this.bytes, this.context, at, at + count, shortError, this.view);
    inner.depth = this.depth;
    return inner;
  }

  /** A window over what is left, read by another context; this reader passes it. */
  windowIn(context: WireContext): Reader {
    const at = this.take(this.left);
    const inner = new Reader(this.bytes, context, at, this.end, this.shortError, this.view);
    inner.depth = this.depth;
    return inner;
  }

  /** Throws unless everything was read. */
  finish(error: OfErrorName = this.shortError): void {
    if (this.offset !== this.end) throw new WireError(error);
  }

  fail(code: OfErrorName): never {
    throw new WireError(code);
  }
}
