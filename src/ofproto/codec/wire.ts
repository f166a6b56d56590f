/**
 * Wire formats as data. A codec reads and writes one form; the functions here build codecs from codecs, and the
 * TypeScript type of what they carry is inferred (`TypeOf`), so that a format is written down once:
 *
 *     const meterBand = tlv({
 *       drop: { type: 1, body: struct({ rate: u32, burst: u32, _: pad(4) }) },
 *       dscpRemark: { type: 2, body: struct({ rate: u32, burst: u32, precLevel: u8, _: pad(3) }) },
 *     });
 *
 * Formats that are not regular (matches, learn, ct) are written by hand behind the same interface. Every loop either
 * passes bytes or ends: a TLV shorter than its header is an error, and so is a list element of no bytes.
 */
import type { OfErrorName } from './errors.ts';
import { Reader, type WireContext, WireError } from './reader.ts';
import { Writer } from './writer.ts';

export interface Codec<T> {
  /** Throws a WireError. */
  decode(r: Reader): T;
  encode(w: Writer, value: T): void;
}

export type TypeOf<C> = C extends Codec<infer T> ? T : never;

/** What decoding gives: a value, or the error to send. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: OfErrorName };

/** Runs a decoder so that what it finds wrong becomes a value. */
export function attempt<T>(read: () => T): Decoded<T> {
  try {
    return { ok: true, value: read() };
  } catch (e) {
    if (e instanceof WireError) return { ok: false, error: e.code };
    throw e;
  }
}

/** Decodes all of `bytes`; what is left over is a bad length. */
export const decode = <T>(codec: Codec<T>, bytes: Uint8Array, context: WireContext): Decoded<T> =>
  attempt(() => {
    const r = new Reader(bytes, context);
    const value = codec.decode(r);
    r.finish();
    return value;
  });

export function encode<T>(codec: Codec<T>, value: T, context: WireContext): Uint8Array {
  const w = new Writer(context);
  codec.encode(w, value);
  return w.finish();
}

export const u8: Codec<number> = {
  decode: (r) => r.u8(),
  encode: (w, value) => w.u8(value),
};

export const u16: Codec<number> = {
  decode: (r) => r.u16(),
  encode: (w, value) => w.u16(value),
};

export const u32: Codec<number> = {
  decode: (r) => r.u32(),
  encode: (w, value) => w.u32(value),
};

export const u64: Codec<bigint> = {
  decode: (r) => r.u64(),
  encode: (w, value) => w.u64(value),
};

/** `count` bytes that say nothing: written as zero, whatever they are when read. */
export const pad = (count: number): Codec<undefined> => ({
  decode(r) {
    r.skip(count);
    return undefined;
  },
  encode: (w) => w.zeros(count),
});

/** `count` bytes that must be zero. */
export const zeros = (count: number, error: OfErrorName): Codec<undefined> => ({
  decode(r) {
    r.zeros(count, error);
    return undefined;
  },
  encode: (w) => w.zeros(count),
});

/** Exactly `count` bytes. */
export const bytes = (count: number): Codec<Uint8Array> => ({
  decode: (r) => r.copy(count),
  encode: (w, value) => w.put(value),
});

/** All bytes up to the end of the window. */
export const restBytes: Codec<Uint8Array> = {
  decode: (r) => r.rest(),
  encode: (w, value) => w.put(value),
};

/** Text padded with NUL to `count` bytes. */
export const text = (count: number): Codec<string> => ({
  decode: (r) => r.text(count),
  encode: (w, value) => w.text(value, count),
});

type Fields = Readonly<Record<string, Codec<unknown>>>;

/** Fields in order. Those whose names begin with "_" are padding and not part of the value. */
type StructOf<F extends Fields> = {
  readonly [K in keyof F as K extends `_${string}` ? never : K]: TypeOf<F[K]>;
};

export function struct<F extends Fields>(fields: F): Codec<StructOf<F>> {
  const rows = Object.entries(fields);
  return {
    decode(r) {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of rows) {
        const got = codec.decode(r);
        if (!name.startsWith('_')) value[name] = got;
      }
      return value as StructOf<F>;
    },
    encode(w, value) {
      const from = value as Readonly<Record<string, unknown>>;
      for (const [name, codec] of rows) codec.encode(w, from[name]);
    },
  };
}

/** Elements up to the end of the window. */
export const rest = <T>(element: Codec<T>): Codec<readonly T[]> => ({
  decode(r) {
    const values: T[] = [];
    while (r.left > 0) {
      const before = r.offset;
      values.push(element.decode(r));
      if (r.offset === before) r.fail('OFPBRC_BAD_LEN');
    }
    return values;
  },
  encode(w, values) {
    for (const value of values) element.encode(w, value);
  },
});

/** Exactly `count` elements. */
export const times = <T>(element: Codec<T>, count: number): Codec<readonly T[]> => ({
  decode: (r) => Array.from({ length: count }, () => element.decode(r)),
  encode(w, values) {
    for (const value of values) element.encode(w, value);
  },
});

/** The same form under another value. `to` may throw a WireError. */
export const mapped = <A, B>(codec: Codec<A>, to: (a: A) => B, from: (b: B) => A): Codec<B> => ({
  decode: (r) => to(codec.decode(r)),
  encode: (w, value) => codec.encode(w, from(value)),
});

/** A number as one of the given names. */
export function named<N extends string>(
  codec: Codec<number>,
  names: Readonly<Record<N, number>>,
  error: OfErrorName,
): Codec<N> {
  const byNumber = new Map<number, N>();
  for (const name in names) byNumber.set(names[name], name);
  return {
    decode: (r) => byNumber.get(codec.decode(r)) ?? r.fail(error),
    encode: (w, name) => codec.encode(w, names[name]),
  };
}

interface Sizing {
  /** Where its u16 length lies, in bytes from its start. */
  readonly at: number;
  /** Pads to this unit, outside of the length. */
  readonly padding?: number;
  /** The length itself must be a multiple of this; zeros inside of the length make it so. */
  readonly unit?: number;
  /** Error of a bad length, and of anything inside that is cut short. */
  readonly badLength?: OfErrorName;
}

/** Reads the window of a structure that holds its own length; nothing of it is passed within the window yet. */
function sizedWindow(r: Reader, sizing: Sizing): Reader {
  const badLength = sizing.badLength ?? 'OFPBRC_BAD_LEN';
  if (r.left < sizing.at + 2) r.fail(badLength);
  const length = r.peekU16(sizing.at);
  if (length < sizing.at + 2 || length > r.left) r.fail(badLength);
  if (sizing.unit !== undefined && length % sizing.unit !== 0) r.fail(badLength);
  const inner = r.window(length, badLength);
  const over = sizing.padding === undefined ? 0 : length % sizing.padding;
  if (over !== 0 && sizing.padding !== undefined) {
    if (r.left < sizing.padding - over) r.fail(badLength);
    r.skip(sizing.padding - over);
  }
  return inner;
}

function closeSized(w: Writer, start: number, sizing: Sizing): void {
  if (sizing.unit !== undefined) w.padTo(sizing.unit, start);
  w.patchU16(start + sizing.at, w.length - start);
  if (sizing.padding !== undefined) w.padTo(sizing.padding, start);
}

/**
 * A structure that holds its own length at `sizing.at`, where `body` has `pad(2)`; the length counts from the
 * structure's start to its end. What follows the body within the length is passed over.
 */
export const sized = <T>(sizing: Sizing, body: Codec<T>): Codec<T> => ({
  decode: (r) => body.decode(sizedWindow(r, sizing)),
  encode(w, value) {
    const start = w.length;
    body.encode(w, value);
    closeSized(w, start, sizing);
  },
});

type TlvCases = Readonly<Record<string, { readonly type: number; readonly body: Codec<unknown> }>>;

/** One of the cases, with `kind` its name. */
type TlvOf<C extends TlvCases> = {
  [K in keyof C]: { readonly kind: K } & TypeOf<C[K]['body']>;
}[keyof C];

interface TlvOptions extends Omit<Sizing, 'at'> {
  /** Error of a type that has no case. */
  readonly badType?: OfErrorName;
}

/** A u16 type, a u16 length that covers both and the body, and the body, whose type names the kind. */
export function tlv<C extends TlvCases>(cases: C, options: TlvOptions = {}): Codec<TlvOf<C>> {
  const byType = new Map<number, readonly [string, Codec<unknown>]>();
  for (const kind in cases) byType.set(cases[kind].type, [kind, cases[kind].body]);
  const sizing: Sizing = { ...options, at: 2 };
  return {
    decode(r) {
      const inner = sizedWindow(r, sizing);
      const row = byType.get(inner.u16()) ?? r.fail(options.badType ?? 'OFPBRC_BAD_TYPE');
      inner.skip(2);
      const body = row[1].decode(inner);
      if (options.unit === undefined) inner.finish(options.badLength ?? 'OFPBRC_BAD_LEN');
      return { kind: row[0], ...(body as object) } as TlvOf<C>;
    },
    encode(w, value) {
      const row = cases[value.kind];
      const start = w.length;
      w.u16(row.type);
      w.u16(0);
      row.body.encode(w, value);
      closeSized(w, start, sizing);
    },
  };
}
