/**
 * Writes one message into one buffer that doubles when it is full. Lengths are written as zero first and patched when
 * what they cover is complete, so that nothing is encoded twice or copied together.
 */
import type { WireContext } from './reader.ts';
import type { OfVersion } from './versions.ts';

const encoder = new TextEncoder();

export class Writer {
  readonly version: OfVersion;
  readonly context: WireContext;
  private buffer: Uint8Array;
  private view: DataView;
  private used = 0;

  constructor(context: WireContext, capacity = 256) {
    this.context = context;
    this.version = context.version;
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.used;
  }

  private room(count: number): number {
    const at = this.used;
    this.used += count;
    if (this.used > this.buffer.length) {
      const bigger = new Uint8Array(Math.max(this.buffer.length * 2, this.used));
      bigger.set(this.buffer);
      this.buffer = bigger;
      this.view = new DataView(bigger.buffer);
    }
    return at;
  }

  u8(value: number): void {
    const at = this.room(1);
    this.view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.room(2);
    this.view.setUint16(at, value);
  }

  u32(value: number): void {
    const at = this.room(4);
    this.view.setUint32(at, value);
  }

  u64(value: bigint): void {
    const at = this.room(8);
    this.view.setBigUint64(at, value);
  }

  /** The low `count` bytes of `value`, big-endian. */
  uint(value: bigint, count: number): void {
    const at = this.room(count);
    for (let i = count - 1, left = value; i >= 0; i--, left >>= 8n) {
      this.buffer[at + i] = Number(left & 0xffn);
    }
  }

  zeros(count: number): void {
    this.room(count);
  }

  put(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** Text in `count` bytes: cut or padded with NUL, always with one NUL at the end. */
  text(value: string, count: number): void {
    const at = this.room(count);
    encoder.encodeInto(value, this.buffer.subarray(at, at + count - 1));
  }

  /** Zeros until the bytes since `start` are a multiple of `unit`. */
  padTo(unit: number, start: number): void {
    const over = (this.used - start) % unit;
    if (over !== 0) this.room(unit - over);
  }

  patchU8(at: number, value: number): void {
    this.view.setUint8(at, value);
  }

  patchU16(at: number, value: number): void {
    this.view.setUint16(at, value);
  }

  /** What was written; a copy of exactly its length. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.used);
  }
}
