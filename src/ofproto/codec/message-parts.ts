/**
 * Parts that many messages share, built from the codecs of wire.ts: flags by name, forms that changed with a version, property lists,
 * counters and durations of which all ones mean "unknown" (OpenFlow 1.3.5, 7.3.5).
 */
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';
import type { OfErrorName } from './errors.ts';
import { portFromWide, portToWide } from './ports.ts';
import type { Reader } from './reader.ts';
import { OF10, type OfVersion } from './versions.ts';
import { type Codec, mapped, struct, u32, u64 } from './wire.ts';
import type { Writer } from './writer.ts';

/** No body. */
export const nothing = struct({});

/** The form of a version: the last row that began by then. */
export function since<T>(rows: Partial<Readonly<Record<OfVersion, Codec<T>>>>): Codec<T> {
  const byVersion: Codec<T>[] = [];
  let row: Codec<T> | undefined;
  for (const version of [1, 2, 3, 4, 5, 6] as const) {
    row = rows[version] ?? row;
    if (row !== undefined) byVersion[version] = row;
  }
  return {
    decode: (r) => byVersion[r.version].decode(r),
    encode: (w, value) => byVersion[w.version].encode(w, value),
  };
}

/** A list that ends with the message: what a multipart reply can spread over several parts. */
export interface Entries<T> {
  readonly entries: readonly T[];
}

/** The codec of a list keeps the one of its elements, so that parts can be cut between them. */
export interface EntriesCodec<T> extends Codec<Entries<T>> {
  readonly element: Codec<T>;
}

export const entries = <T>(element: Codec<T>): EntriesCodec<T> => ({
  element,
  decode(r) {
    const list: T[] = [];
    while (r.left > 0) {
      const before = r.offset;
      list.push(element.decode(r));
      if (r.offset === before) r.fail('OFPBRC_BAD_LEN');
    }
    return { entries: list };
  },
  encode(w, value) {
    for (const one of value.entries) element.encode(w, one);
  },
});

/** Text "1.3-1.4 0x10" or "1.4+ 0x4" of a flag: versions that have it, and its bit. */
interface FlagRow {
  readonly name: string;
  readonly bit: number;
  readonly first: number;
  readonly last: number;
}

const parseFlag = (name: string, text: string): FlagRow => {
  const [versions, bit] = text.split(' ');
  const first = Number(versions[2]) + 1;
  const last = versions.endsWith('+') ? 6 : Number(versions.at(-1)) + 1;
  return { name, bit: Number(bit), first, last };
};

/** Bits as booleans; bits that have no name in the version are `error`, or passed over without one. */
export function flags<F extends Readonly<Record<string, string>>>(
  codec: Codec<number>,
  names: F,
  error?: OfErrorName,
): Codec<{ readonly [K in keyof F]: boolean }> {
  const rows = Object.entries(names).map(([name, text]) => parseFlag(name, text));
  const has = (row: FlagRow, version: number): boolean =>
    row.first <= version && version <= row.last;
  return {
    decode(r) {
      let bits = codec.decode(r);
      const value: Record<string, boolean> = {};
      for (const row of rows) {
        value[row.name] ||= has(row, r.version) && (bits & row.bit) !== 0;
        if (value[row.name] && has(row, r.version)) bits &= ~row.bit;
      }
      if (bits !== 0 && error !== undefined) r.fail(error);
      return value as { readonly [K in keyof F]: boolean };
    },
    encode(w, value) {
      let bits = 0;
      for (const row of rows) if (value[row.name] && has(row, w.version)) bits |= row.bit;
      codec.encode(w, bits >>> 0);
    },
  };
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** 64 bits; null for unknown. */
export const counter: Codec<bigint | null> = mapped<bigint, bigint | null>(
  u64,
  (n) => (n === ALL_ONES ? null : n),
  (n) => n ?? ALL_ONES,
);

/** Seconds and nanoseconds, both u32, as milliseconds; null for unknown. */
export const duration: Codec<number | null> = {
  decode(r) {
    const seconds = r.u32();
    const nanoseconds = r.u32();
    if (seconds === 0xffff_ffff && nanoseconds === 0xffff_ffff) return null;
    return seconds * 1000 + Math.trunc(nanoseconds / 1e6);
  },
  encode(w, ms) {
    w.u32(ms === null ? 0xffff_ffff : Math.trunc(ms / 1000));
    w.u32(ms === null ? 0xffff_ffff : Math.trunc(ms % 1000) * 1e6);
  },
};

/** The same where a thing has existed for some time for sure. */
export const knownDuration: Codec<number> = mapped<number | null, number>(
  duration,
  (ms) => ms ?? 0,
  (ms) => ms,
);

/** 48 bits. */
export const mac: Codec<bigint> = {
  decode: (r) => r.uint(6),
  encode: (w, value) => w.uint(value, 6),
};

/** OFPP_NONE of 1.0, OFPP_ANY since 1.1. */
const ANY_PORT = ofPort(0xffff);

/** A port, null for any or none. Throws `error` for a number that no port can have. */
export const portOrAny = (error: OfErrorName = 'OFPBAC_BAD_OUT_PORT'): Codec<OfPort | null> => ({
  decode(r) {
    const port = r.version === OF10 ? ofPort(r.u16()) : (portFromWide(r.u32()) ?? r.fail(error));
    return port === ANY_PORT ? null : port;
  },
  encode(w, port) {
    if (w.version === OF10) w.u16(port ?? ANY_PORT);
    else w.u32(portToWide(port ?? ANY_PORT));
  },
});

/** The same in 32 bits, as Nicira's group messages have it in every version. */
export const portOrAny32 = (error: OfErrorName): Codec<OfPort | null> => ({
  decode(r) {
    const port = portFromWide(r.u32()) ?? r.fail(error);
    return port === ANY_PORT ? null : port;
  },
  encode: (w, port) => w.u32(portToWide(port ?? ANY_PORT)),
});

/** A port or any port in 16 bits, as in Nicira messages of every version. */
export const portOrAny16: Codec<OfPort | null> = {
  decode(r) {
    const port = ofPort(r.u16());
    return port === ANY_PORT ? null : port;
  },
  encode: (w, port) => w.u16(port ?? ANY_PORT),
};

/** u32 of which all ones mean any. */
export const idOrAny: Codec<number | null> = mapped<number, number | null>(
  u32,
  (id) => (id === 0xffff_ffff ? null : id),
  (id) => id ?? 0xffff_ffff,
);

/** One property: `experimenter` is set for an experimenter's, and then `type` is its exp_type. */
export interface Property {
  readonly type: number;
  readonly experimenter: number | null;
}

/** Types from here on are experimenters' in most lists; asynchronous configuration and table features begin one earlier. */
const FIRST_EXPERIMENTER = 0xffff;

/**
 * Reads properties to the end of the window (OpenFlow 1.4.1, 7.2.1.2): u16 type, u16 length, body, and padding to 8 outside of the length.
 * `visit` reads the body from a window of its own and says whether it knows the property.
 */
export function readProperties(
  r: Reader,
  visit: (property: Property, body: Reader) => boolean | undefined,
  options: {
    readonly firstExperimenter?: number;
    readonly unknown?: OfErrorName;
    readonly loose?: boolean;
    /** Padding to this. */
    readonly align?: number;
  } = {},
): void {
  const align = options.align ?? 8;
  while (r.left > 0) {
    if (r.left < 4) r.fail('OFPBPC_BAD_LEN');
    const type = r.peekU16();
    const length = r.peekU16(2);
    const padded = Math.ceil(length / align) * align;
    if (length < 4 || padded > r.left) r.fail('OFPBPC_BAD_LEN');
    const body = r.window(length, 'OFPBPC_BAD_LEN');
    r.skip(padded - length);
    body.skip(4);
    let property: Property = { type, experimenter: null };
    if (type >= (options.firstExperimenter ?? FIRST_EXPERIMENTER)) {
      const experimenter = body.u32();
      // Number 0 could not be told from the standard's own properties.
      if (experimenter === 0) r.fail('OFPBPC_BAD_EXPERIMENTER');
      property = { type: body.u32(), experimenter };
    }
    if (visit(property, body) || options.loose) continue;
    r.fail(
      property.experimenter === null
        ? (options.unknown ?? 'OFPBPC_BAD_TYPE')
        : 'OFPBPC_BAD_EXP_TYPE',
    );
  }
}

/** Writes a property, its length and the padding to 8. */
export function writeProperty(w: Writer, type: number, body: () => void, align = 8): void {
  const start = w.length;
  w.u16(type);
  w.u16(0);
  body();
  w.patchU16(start + 2, w.length - start);
  w.padTo(align, start);
}

export function writeExperimenterProperty(
  w: Writer,
  experimenter: number,
  type: number,
  body: () => void,
): void {
  writeProperty(w, 0xffff, () => {
    w.u32(experimenter);
    w.u32(type);
    body();
  });
}

/** The whole of a property's body as one codec, nothing left over. */
export function only<T>(body: Reader, codec: Codec<T>): T {
  const value = codec.decode(body);
  body.finish('OFPBPC_BAD_LEN');
  return value;
}

/** A structure that begins with its own length in u16, within which `body` lies; what is shorter than `least` is refused. */
export function readSized<T>(
  r: Reader,
  least: number,
  body: (inner: Reader) => T,
  options: { readonly at?: number; readonly error?: OfErrorName } = {},
): T {
  const error = options.error ?? 'OFPBRC_BAD_LEN';
  const at = options.at ?? 0;
  if (r.left < at + 2) r.fail(error);
  const length = r.peekU16(at);
  if (length < least || length > r.left) r.fail(error);
  return body(r.window(length, error));
}
