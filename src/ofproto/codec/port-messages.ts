/** Messages about ports: status, modification, description and statistics (OpenFlow 1.3.5, 7.4.3, 7.3.4.3, 7.3.5.6, 7.3.5.7). */
import type { OfPort } from '../../flowtable/of-port.ts';
import type { PortMod } from '../model.ts';
import {
  counter,
  duration,
  entries,
  mac,
  nothing,
  only,
  portOrAny,
  readProperties,
  readSized,
  since,
  writeExperimenterProperty,
  writeProperty,
} from './message-parts.ts';
import { phyPort, portConfig, portFeatures } from './port-codec.ts';
import { portNumber } from './ports.ts';
import type { Reader } from './reader.ts';
import { type Codec, mapped, named, pad, struct, u8 } from './wire.ts';

const portStatus = struct({
  reason: named(u8, { add: 0, delete: 1, modify: 2 }, 'NXBRC_BAD_REASON'),
  _pad: pad(7),
  port: phyPort,
});

const settings = { config: portConfig, mask: portConfig };

const portMod10 = struct({
  port: portNumber,
  hwAddr: mac,
  ...settings,
  advertise: portFeatures,
  _pad: pad(4),
});

const wideHead = { port: portNumber, _pad: pad(4), hwAddr: mac, _pad2: pad(2), ...settings };

const portMod11 = struct({ ...wideHead, advertise: portFeatures, _pad3: pad(4) });

const portMod14Head = struct(wideHead);
const ETHERNET = 0;

const portMod14: Codec<PortMod> = {
  decode(r) {
    const head = portMod14Head.decode(r);
    let advertise = 0;
    readProperties(r, ({ type, experimenter }, body) => {
      if (type !== ETHERNET || experimenter !== null) return false;
      advertise = only(body, portFeatures);
      return true;
    });
    return { ...head, advertise };
  },
  encode(w, value) {
    portMod14Head.encode(w, value);
    if (value.advertise !== 0) {
      writeProperty(w, ETHERNET, () => portFeatures.encode(w, value.advertise));
    }
  },
};

/** Bits of config outside of the mask say nothing. */
const withinMask = (mod: PortMod): PortMod => ({ ...mod, config: mod.config & mod.mask });

const portMod: Codec<PortMod> = mapped<PortMod, PortMod>(
  since({ 1: portMod10, 2: portMod11, 5: portMod14 }),
  withinMask,
  (mod) => mod,
);

/** Null where unknown. */
type Counter = bigint | null;

export interface PortStats {
  readonly port: OfPort;
  readonly rxPackets: Counter;
  readonly txPackets: Counter;
  readonly rxBytes: Counter;
  readonly txBytes: Counter;
  readonly rxDropped: Counter;
  readonly txDropped: Counter;
  readonly rxErrors: Counter;
  readonly txErrors: Counter;
  readonly rxFrameErrors: Counter;
  readonly rxOverErrors: Counter;
  readonly rxCrcErrors: Counter;
  readonly collisions: Counter;
  /** Null for unknown; 1.3+. */
  readonly durationMs: number | null;
  /** The 21 counters of RFC 2819 that Open vSwitch adds in 1.4+, in the order of that property; null without. */
  readonly rfc2819: readonly Counter[] | null;
  /** Counters of a device by their names; 1.4+. */
  readonly custom: readonly { readonly name: string; readonly value: Counter }[];
}

/** Experimenter Intel, which defined these properties. */
const INTEL = 0xaa01;
const RFC2819 = 1;
const RFC2819_COUNT = 21;
const CUSTOM = 2;

const errors = {
  rxFrameErrors: counter,
  rxOverErrors: counter,
  rxCrcErrors: counter,
  collisions: counter,
};
const counters = {
  rxPackets: counter,
  txPackets: counter,
  rxBytes: counter,
  txBytes: counter,
  rxDropped: counter,
  txDropped: counter,
  rxErrors: counter,
  txErrors: counter,
};
const notInOld = { rfc2819: null, custom: [] } as const;

const portStats10 = struct({ port: portNumber, _pad: pad(6), ...counters, ...errors });
const portStats11 = struct({ port: portNumber, _pad: pad(4), ...counters, ...errors });
const portStats13 = struct({
  port: portNumber,
  _pad: pad(4),
  ...counters,
  ...errors,
  durationMs: duration,
});
const portStats14 = struct({
  _length: pad(4),
  port: portNumber,
  durationMs: duration,
  ...counters,
});
const PORT_STATS14_BYTES = 80;
const ethernet = struct({ _pad: pad(4), ...errors });

type OldStats = Omit<PortStats, 'durationMs' | 'rfc2819' | 'custom'>;

const old = (codec: Codec<OldStats>): Codec<PortStats> => ({
  decode: (r) => ({ ...codec.decode(r), durationMs: null, ...notInOld }),
  encode: (w, value) => codec.encode(w, value),
});

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function readCustom(body: Reader): PortStats['custom'] {
  body.skip(2);
  const list = [];
  // The count is a claim of up to 65535, the window what there is: reading ends with the first of both.
  for (let left = body.u16(); left > 0; left--) {
    list.push({ name: decoder.decode(body.copy(body.u8())), value: counter.decode(body) });
  }
  return list;
}

function readPortStats14(r: Reader): PortStats {
  const head = portStats14.decode(r);
  let ether = {
    rxFrameErrors: null as Counter,
    rxOverErrors: null as Counter,
    rxCrcErrors: null as Counter,
    collisions: null as Counter,
  };
  let rfc2819: readonly Counter[] | null = null;
  let custom: PortStats['custom'] = [];
  readProperties(
    r,
    ({ type, experimenter }, body) => {
      if (experimenter === null && type === ETHERNET) ether = only(body, ethernet);
      else if (experimenter !== INTEL) return false;
      else if (type === RFC2819) {
        body.skip(4);
        rfc2819 = Array.from({ length: RFC2819_COUNT }, () => counter.decode(body));
      } else if (type === CUSTOM) custom = readCustom(body);
      return true;
    },
    { loose: true },
  );
  return { ...head, ...ether, rfc2819, custom };
}

const portStatsProperties: Codec<PortStats> = {
  decode: (r) => readSized(r, PORT_STATS14_BYTES, readPortStats14),
  encode(w, value) {
    const start = w.length;
    portStats14.encode(w, value);
    writeProperty(w, ETHERNET, () => ethernet.encode(w, value));
    const { rfc2819, custom } = value;
    if (rfc2819 !== null) {
      writeExperimenterProperty(w, INTEL, RFC2819, () => {
        w.zeros(4);
        for (const one of rfc2819) counter.encode(w, one);
      });
    }
    if (custom.length > 0) {
      writeExperimenterProperty(w, INTEL, CUSTOM, () => {
        w.zeros(2);
        w.u16(custom.length);
        for (const one of custom) {
          const name = encoder.encode(one.name).subarray(0, 255);
          w.u8(name.length);
          w.put(name);
          counter.encode(w, one.value);
        }
      });
    }
    w.patchU16(start, w.length - start);
  },
};

const portStats: Codec<PortStats> = since({
  1: old(portStats10),
  2: old(portStats11),
  4: mapped<Omit<PortStats, 'rfc2819' | 'custom'>, PortStats>(
    portStats13,
    (stats) => ({ ...stats, ...notInOld }),
    (stats) => stats,
  ),
  5: portStatsProperties,
});

/** One port, or null for all. */
const portRequest = since({
  1: struct({ port: portOrAny(), _pad: pad(6) }),
  2: struct({ port: portOrAny(), _pad: pad(4) }),
});

const allPorts: Codec<{ readonly port: OfPort | null }> = mapped(
  nothing,
  () => ({ port: null }),
  () => ({}),
);

export const portMessages = {
  portStatus: { 'of 1.0+ 12': portStatus },
  portMod: { 'of 1.0-1.0 15': portMod, 'of 1.1+ 16': portMod },
  portDescRequest: { 'request 1.0-1.4 13': allPorts, 'request 1.5+ 13': portRequest },
  portDescReply: { 'reply 1.0+ 13': entries(phyPort) },
  portStatsRequest: { 'request 1.0+ 4': portRequest },
  portStatsReply: { 'reply 1.0+ 4': entries(portStats) },
} as const;
