/**
 * Requests that come in several parts (OpenFlow 1.3.5, 7.3.5): table features of many tables are longer than a message. Parts of one request
 * have its xid and, but for the last, the flag "more"; parts without a body are allowed anywhere.
 *
 * What is kept per connection is limited in bytes and in time, with the errors that 1.4 has for it. Parts are decoded as they come, so that
 * a mistake is answered at once, and their entries become one message.
 */
import type { OfErrorName } from './errors.ts';
import { HEADER_BYTES, MULTIPART_FLAGS_OFFSET, MULTIPART_MORE } from './header.ts';
import { type DecodedMessage, decodeMessage, type Message } from './messages.ts';
import type { WireContext } from './reader.ts';
import { OF13 } from './versions.ts';

/** Table features of all tables are about 1 MiB. */
const MOST_BYTES = 4 << 20;
/** Between two parts. */
const PATIENCE_MS = 1000;

const MULTIPART_REQUEST = 18;
const PART_HEADER_BYTES = 16;
const EXPERIMENTER = 0xffff;
const EXPERIMENTER_HEADER_BYTES = 24;

interface Begun {
  readonly type: string;
  readonly bodies: Message[];
  bytes: number;
  dueMs: number;
  /** The part that came last, for the error that a missing one gets. */
  last: Uint8Array;
}

const xidOf = (part: Uint8Array): number => new DataView(part.buffer, part.byteOffset).getUint32(4);

const isRequestPart = (bytes: Uint8Array): boolean =>
  bytes.length >= PART_HEADER_BYTES && bytes[0] >= OF13 && bytes[1] === MULTIPART_REQUEST;

const hasMore = (part: Uint8Array): boolean =>
  (part[MULTIPART_FLAGS_OFFSET + 1] & MULTIPART_MORE) !== 0;

const headerBytes = (part: Uint8Array): number =>
  ((part[HEADER_BYTES] << 8) | part[HEADER_BYTES + 1]) === EXPERIMENTER
    ? EXPERIMENTER_HEADER_BYTES
    : PART_HEADER_BYTES;

/** Multipart type, and of an experimenter's who and which. */
const typeOf = (part: Uint8Array): string => {
  const id = part.subarray(HEADER_BYTES, HEADER_BYTES + 2);
  const experimenter = part.subarray(PART_HEADER_BYTES, headerBytes(part));
  return `${id.join()}/${experimenter.join()}`;
};

/** Messages whose entries are one request's; others stand by themselves, as in Open vSwitch. */
function joined(bodies: readonly Message[]): readonly Message[] {
  const [first, ...others] = bodies;
  if (others.length === 0 || !('entries' in first)) return bodies;
  const entries = bodies.flatMap((body) => ('entries' in body ? [...body.entries] : []));
  return [{ ...first, entries, more: false } as Message];
}

export class MultipartRequests {
  private readonly begun = new Map<number, Begun>();
  private held = 0;

  /** Bytes of parts whose requests are not complete. */
  get pending(): number {
    return this.held;
  }

  /** Takes any message; gives what is complete with it: nothing for a part that others follow. */
  receive(bytes: Uint8Array, context: WireContext, nowMs: number): readonly DecodedMessage[] {
    if (!isRequestPart(bytes)) return [decodeMessage(bytes, context)];
    const xid = xidOf(bytes);
    if (!hasMore(bytes) && !this.begun.has(xid)) return [decodeMessage(bytes, context)];
    return this.part(xid, bytes, context, nowMs);
  }

  private part(
    xid: number,
    bytes: Uint8Array,
    context: WireContext,
    nowMs: number,
  ): readonly DecodedMessage[] {
    const type = typeOf(bytes);
    const begun = this.begun.get(xid) ?? { type, bodies: [], bytes: 0, dueMs: 0, last: bytes };
    this.begun.set(xid, begun);
    begun.bytes += bytes.length;
    this.held += bytes.length;
    begun.dueMs = nowMs + PATIENCE_MS;
    begun.last = bytes;
    if (begun.type !== type) return this.refuse(xid, 'OFPBRC_BAD_STAT');
    if (this.held > MOST_BYTES) return this.refuse(xid, 'OFPBRC_MULTIPART_BUFFER_OVERFLOW');
    const isLast = !hasMore(bytes);
    // A request that needs a body and had none is found wrong when its last part is read.
    if (bytes.length > headerBytes(bytes) || (isLast && begun.bodies.length === 0)) {
      const got = decodeMessage(bytes, context);
      if (!got.ok) return this.refuse(xid, got.error);
      begun.bodies.push(got.message);
    }
    if (!isLast) return [];
    this.forget(xid);
    return joined(begun.bodies).map((message) => ({ ok: true, xid, message }));
  }

  private refuse(xid: number, error: OfErrorName): readonly DecodedMessage[] {
    this.forget(xid);
    return [{ ok: false, xid, error }];
  }

  private forget(xid: number): void {
    this.held -= this.begun.get(xid)?.bytes ?? 0;
    this.begun.delete(xid);
  }

  /** Forgets everything: the connection is over. */
  clear(): void {
    this.begun.clear();
    this.held = 0;
  }

  /** Gives up requests whose next part did not come in time: the last part of each, to answer with OFPBRC_MULTIPART_REQUEST_TIMEOUT. */
  expire(nowMs: number): readonly Uint8Array[] {
    const late: Uint8Array[] = [];
    for (const [xid, { dueMs, last }] of this.begun) {
      if (nowMs < dueMs) continue;
      late.push(last);
      this.forget(xid);
    }
    return late;
  }
}
