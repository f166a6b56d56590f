/** Queues: statistics, and what is configured, by the message of 1.0 to 1.3 and the multipart of 1.4+. */
import { OFPP_ALL, type OfPort, ofPort } from '../../flowtable/of-port.ts';
import {
  counter,
  duration,
  entries,
  idOrAny,
  portOrAny,
  readProperties,
  readSized,
  since,
  writeProperty,
} from './message-parts.ts';
import { portNumber } from './ports.ts';
import type { Reader } from './reader.ts';
import { OF12, OF14 } from './versions.ts';
import { type Codec, pad, rest, sized, struct, u32 } from './wire.ts';
import type { Writer } from './writer.ts';

const OFPP_NONE = ofPort(0xffff);
const BAD_PORT = 'OFPQOFC_BAD_PORT';
/** OpenFlow 1.0 asks for the queues of all ports with OFPP_ALL, later versions with OFPP_ANY. */
const portOrAll: Codec<OfPort | null> = {
  decode(r) {
    const port = ofPort(r.u16());
    return port === OFPP_ALL || port === OFPP_NONE ? null : port;
  },
  encode: (w, port) => w.u16(port ?? OFPP_ALL),
};
const queueRequest = since({
  1: struct({ port: portOrAll, _pad: pad(2), queue: idOrAny }),
  2: struct({ port: portOrAny(BAD_PORT), queue: idOrAny }),
});

const counts = { txBytes: counter, txPackets: counter, txErrors: counter };

export interface QueueStats {
  readonly port: OfPort;
  readonly queue: number;
  /** Null where unknown. */
  readonly txBytes: bigint | null;
  readonly txPackets: bigint | null;
  readonly txErrors: bigint | null;
  /** Null for unknown; 1.3+. */
  readonly durationMs: number | null;
}

type OldStats = Omit<QueueStats, 'durationMs'>;
const old = (codec: Codec<OldStats>): Codec<QueueStats> => ({
  decode: (r) => ({ ...codec.decode(r), durationMs: null }),
  encode: (w, value) => codec.encode(w, value),
});

const timed = { port: portNumber, queue: u32, ...counts, durationMs: duration };

const queueStats: Codec<QueueStats> = since({
  1: old(struct({ port: portNumber, _pad: pad(2), queue: u32, ...counts })),
  2: old(struct({ port: portNumber, queue: u32, ...counts })),
  4: struct(timed),
  5: sized({ at: 0 }, struct({ _length: pad(2), _pad: pad(6), ...timed })),
});

export interface QueueDescription {
  readonly port: OfPort;
  readonly queue: number;
  /** In tenths of a percent of the port's rate, above 1000 for none; null when not configured. */
  readonly minRate: number | null;
  readonly maxRate: number | null;
}

const MIN_RATE = 1;
const MAX_RATE = 2;

interface Rates {
  readonly minRate: number | null;
  readonly maxRate: number | null;
}

/** Before 1.4 properties have 4 bytes of padding in front of the rate and 6 after it, both inside of the length. */
function readRates(r: Reader): Rates {
  let minRate: number | null = null;
  let maxRate: number | null = null;
  readProperties(
    r,
    ({ type, experimenter }, body) => {
      if (experimenter !== null || (type !== MIN_RATE && type !== MAX_RATE)) return false;
      if (r.version < OF14) body.skip(4);
      const rate = body.u16();
      if (type === MIN_RATE) minRate = rate;
      else maxRate = rate;
      return true;
    },
    { loose: true },
  );
  return { minRate, maxRate };
}

function writeRates(w: Writer, rates: Rates): void {
  for (const [type, rate] of [
    [MIN_RATE, rates.minRate],
    [MAX_RATE, rates.maxRate],
  ] as const) {
    if (rate === null) continue;
    writeProperty(w, type, () => {
      if (w.version < OF14) w.zeros(4);
      w.u16(rate);
      w.zeros(w.version < OF14 ? 6 : 2);
    });
  }
}

type Queue = Omit<QueueDescription, 'port'> & { readonly port: OfPort | null };

/** A queue in the reply of 1.0 to 1.3. Since 1.2 it names its port; before, `port` is that of the reply. */
const configuredQueue = (port: OfPort | null): Codec<Queue> => ({
  decode(r) {
    const at = r.version < OF12 ? 4 : 8;
    return readSized(
      r,
      at + 4,
      (inner) => {
        const queue = inner.u32();
        const own = at === 4 ? null : portOrAny(BAD_PORT).decode(inner);
        inner.skip(at === 4 ? 4 : 8);
        return { port: own ?? port, queue, ...readRates(inner) };
      },
      { at },
    );
  },
  encode(w, value) {
    const start = w.length;
    w.u32(value.queue);
    if (w.version >= OF12) portOrAny().encode(w, value.port);
    const at = w.length;
    w.zeros(w.version < OF12 ? 4 : 8);
    writeRates(w, value);
    w.patchU16(at, w.length - start);
  },
});

const configPad = since({ 1: pad(6), 2: pad(4) });

interface QueueConfig {
  readonly port: OfPort | null;
  readonly queues: readonly Queue[];
}

const queueConfig: Codec<QueueConfig> = {
  decode(r) {
    const port = portOrAny(BAD_PORT).decode(r);
    configPad.decode(r);
    return { port, queues: rest(configuredQueue(port)).decode(r) };
  },
  encode(w, value) {
    portOrAny().encode(w, value.port);
    configPad.encode(w, undefined);
    rest(configuredQueue(value.port)).encode(w, value.queues);
  },
};

const queueDescription: Codec<QueueDescription> = {
  decode: (r) =>
    readSized(
      r,
      16,
      (inner) => {
        const port = portNumber.decode(inner);
        const queue = inner.u32();
        inner.skip(8);
        return { port, queue, ...readRates(inner) };
      },
      { at: 8 },
    ),
  encode(w, value) {
    const start = w.length;
    portNumber.encode(w, value.port);
    w.u32(value.queue);
    w.zeros(8);
    writeRates(w, value);
    w.patchU16(start + 8, w.length - start);
  },
};

const configRequest = since({
  1: struct({ port: portOrAny(BAD_PORT), _pad: pad(2) }),
  2: struct({ port: portOrAny(BAD_PORT), _pad: pad(4) }),
});

export const queueMessages = {
  queueStatsRequest: { 'request 1.0+ 5': queueRequest },
  queueStatsReply: { 'reply 1.0+ 5': entries(queueStats) },
  queueConfigRequest: { 'of 1.0-1.0 20': configRequest, 'of 1.1-1.3 22': configRequest },
  queueConfigReply: { 'of 1.0-1.0 21': queueConfig, 'of 1.1-1.3 23': queueConfig },
  queueDescRequest: { 'request 1.4+ 15': queueRequest },
  queueDescReply: { 'reply 1.4+ 15': entries(queueDescription) },
} as const;
