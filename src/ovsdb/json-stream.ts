/**
 * Framing of JSON objects that follow one another on a byte stream without separators (RFC 7047 section 4).
 *
 * A scanner over bytes finds where an object ends (nesting depth, strings, escapes) and only then hands the
 * text to the parser: the cost is linear whatever the chunks are, and neither size nor depth is unbounded.
 * UTF-8 needs no attention while scanning, since no byte of a multi-byte character looks like ASCII. After
 * the first error the stream is dead: there is no way to find the next boundary in garbage.
 */
import { parseJson } from './exact-json.ts';

/** Integers beyond 2^53 are bigints (exact-json.ts). */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

export interface JsonStreamLimits {
  /** Largest single object, bytes. */
  readonly maxBytes: number;
  /** Deepest nesting of objects and arrays. */
  readonly maxDepth: number;
}

/** A monitor's first reply holds a whole database: tens of thousands of interfaces fit. OVSDB nests about ten deep. */
export const DEFAULT_JSON_LIMITS: JsonStreamLimits = { maxBytes: 64 << 20, maxDepth: 128 };

const EMPTY = new Uint8Array(0);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;

const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

export class JsonStream {
  private readonly limits: JsonStreamLimits;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  /** [0, heldBytes) are the bytes so far of the object that is being received: one buffer, however small the chunks. */
  private held = EMPTY;
  private heldBytes = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;
  private failure: string | null = null;

  constructor(limits: JsonStreamLimits = DEFAULT_JSON_LIMITS) {
    this.limits = limits;
  }

  /** Why the stream is dead, null while it lives. */
  get error(): string | null {
    return this.failure;
  }

  /**
   * Takes the next bytes and returns the objects that they complete. Look at `error` afterwards; objects in
   * front of an error are still returned.
   */
  push(chunk: Uint8Array): JsonObject[] {
    const complete: JsonObject[] = [];
    if (this.failure !== null) return complete;
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.depth === 0) {
        if (isSpace(byte)) continue;
        if (byte !== OPEN_BRACE) {
          this.fail(`unexpected byte 0x${byte.toString(16).padStart(2, '0')} between objects`);
          return complete;
        }
        start = i;
        this.depth = 1;
      } else if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inString = false;
      } else if (byte === QUOTE) {
        this.inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (++this.depth > this.limits.maxDepth) {
          this.fail(`nested deeper than ${this.limits.maxDepth}`);
          return complete;
        }
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (--this.depth === 0) {
          const value = this.finish(chunk.subarray(start, i + 1));
          if (value === null) return complete;
          complete.push(value);
          start = i + 1;
        }
      }
    }
    if (this.depth > 0) this.hold(chunk.subarray(start));
    return complete;
  }

  private hold(bytes: Uint8Array): void {
    const total = this.heldBytes + bytes.length;
    if (total > this.limits.maxBytes) {
      this.failTooLong();
      return;
    }
    if (total > this.held.length) {
      const bigger = new Uint8Array(Math.max(2 * this.held.length, total, 4096));
      bigger.set(this.held.subarray(0, this.heldBytes));
      this.held = bigger;
    }
    this.held.set(bytes, this.heldBytes);
    this.heldBytes = total;
  }

  private finish(last: Uint8Array): JsonObject | null {
    let bytes = last;
    if (this.heldBytes > 0 || last.length > this.limits.maxBytes) {
      this.hold(last);
      if (this.failure !== null) return null;
      bytes = this.held.subarray(0, this.heldBytes);
      this.held = EMPTY;
      this.heldBytes = 0;
    }
    try {
      return parseJson(this.decoder.decode(bytes)) as JsonObject;
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  private failTooLong(): void {
    this.fail(`object longer than ${this.limits.maxBytes} bytes`);
  }

  private fail(why: string): void {
    this.failure = why;
    this.held = EMPTY;
    this.heldBytes = 0;
  }
}
