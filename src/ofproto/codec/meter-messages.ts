/** Meters: modification, configuration, statistics and abilities (OpenFlow 1.3.5, 7.3.4.4, 7.3.5.12 to 7.3.5.14). */
import type { MeterBand, MeterMod } from '../model.ts';
import { counter, duration, entries, flags, nothing, readSized } from './message-parts.ts';
import type { Reader } from './reader.ts';
import { type Codec, mapped, named, pad, struct, u8, u16, u32 } from './wire.ts';

const BAND_TYPES = { drop: 1, dscpRemark: 2 } as const;
const BAND_BYTES = 16;

const band: Codec<MeterBand> = {
  decode: (r) =>
    readSized(
      r,
      BAND_BYTES,
      (inner) => {
        // All bands are of one size.
        if (inner.left !== BAND_BYTES) r.fail('OFPBRC_BAD_LEN');
        const number = inner.u16();
        if (number !== BAND_TYPES.drop && number !== BAND_TYPES.dscpRemark) {
          r.fail('OFPMMFC_BAD_BAND');
        }
        inner.skip(2);
        const type = number === BAND_TYPES.drop ? 'drop' : 'dscpRemark';
        const rate = inner.u32();
        const burst = inner.u32();
        const precLevel = inner.u8();
        inner.skip(3);
        return { type, rate, burst, precLevel: type === 'drop' ? 0 : precLevel };
      },
      { at: 2 },
    ),
  encode(w, value) {
    w.u16(BAND_TYPES[value.type]);
    w.u16(BAND_BYTES);
    w.u32(value.rate);
    w.u32(value.burst);
    w.u8(value.type === 'drop' ? 0 : value.precLevel);
    w.zeros(3);
  },
};

const meterFlags = flags(
  u16,
  { kbps: '1.3+ 0x1', pktps: '1.3+ 0x2', burst: '1.3+ 0x4', stats: '1.3+ 0x8' },
  'OFPMMFC_BAD_FLAGS',
);

const bandsOf = (r: Reader): MeterBand[] => {
  const bands: MeterBand[] = [];
  while (r.left > 0) bands.push(band.decode(r));
  return bands;
};

const METER_MAX = 0xffff_0000;
const SLOWPATH = 0xffff_fffd;
const CONTROLLER = 0xffff_fffe;
const ALL = 0xffff_ffff;

const isMeterValid = (id: number): boolean =>
  (id >= 1 && id <= METER_MAX) || id === SLOWPATH || id === CONTROLLER;

const command = named(u16, { add: 0, modify: 1, delete: 2 }, 'OFPMMFC_BAD_COMMAND');

/** A delete is read no further than the meter it names, as Open vSwitch does. */
const meterMod: Codec<MeterMod> = {
  decode(r) {
    const what = command.decode(r);
    const rawFlags = r.window(2);
    const meterId = r.u32();
    const none = { kbps: false, pktps: false, burst: false, stats: false };
    if (what === 'delete') {
      r.skip(r.left);
      return { command: what, meterId, flags: none, bands: [] };
    }
    const value = meterFlags.decode(rawFlags);
    if (value.kbps && value.pktps) r.fail('OFPMMFC_BAD_FLAGS');
    const bands = bandsOf(r);
    if (!isMeterValid(meterId)) r.fail('OFPMMFC_INVALID_METER');
    return { command: what, meterId, flags: value, bands };
  },
  encode(w, mod) {
    command.encode(w, mod.command);
    meterFlags.encode(w, mod.flags);
    w.u32(mod.meterId);
    for (const one of mod.bands) band.encode(w, one);
  },
};

export interface MeterConfig {
  readonly meterId: number;
  readonly flags: MeterMod['flags'];
  readonly bands: readonly MeterBand[];
}

const meterConfig: Codec<MeterConfig> = {
  decode: (r) =>
    readSized(r, 8, (inner) => {
      inner.skip(2);
      const value = meterFlags.decode(inner);
      return { flags: value, meterId: inner.u32(), bands: bandsOf(inner) };
    }),
  encode(w, value) {
    const start = w.length;
    w.zeros(2);
    meterFlags.encode(w, value.flags);
    w.u32(value.meterId);
    for (const one of value.bands) band.encode(w, one);
    w.patchU16(start, w.length - start);
  },
};

export interface MeterStats {
  readonly meterId: number;
  readonly flows: number;
  /** Null where unknown. */
  readonly packetsIn: bigint | null;
  readonly bytesIn: bigint | null;
  readonly durationMs: number | null;
  readonly bands: readonly { readonly packets: bigint | null; readonly bytes: bigint | null }[];
}

const bandCounters = struct({ packets: counter, bytes: counter });

const meterStats: Codec<MeterStats> = {
  decode: (r) =>
    readSized(
      r,
      40,
      (inner) => {
        const meterId = inner.u32();
        inner.skip(8);
        const flows = inner.u32();
        const packetsIn = counter.decode(inner);
        const bytesIn = counter.decode(inner);
        const durationMs = duration.decode(inner);
        const bands = [];
        while (inner.left > 0) bands.push(bandCounters.decode(inner));
        return { meterId, flows, packetsIn, bytesIn, durationMs, bands };
      },
      { at: 4 },
    ),
  encode(w, stats) {
    const start = w.length;
    w.u32(stats.meterId);
    w.zeros(8);
    w.u32(stats.flows);
    counter.encode(w, stats.packetsIn);
    counter.encode(w, stats.bytesIn);
    duration.encode(w, stats.durationMs);
    for (const one of stats.bands) bandCounters.encode(w, one);
    w.patchU16(start + 4, w.length - start);
  },
};

/** One meter, or null (OFPM_ALL) for all. */
const meterRequest = struct({
  meterId: mapped<number, number | null>(
    u32,
    (id) => (id === ALL ? null : id),
    (id) => id ?? ALL,
  ),
  _pad: pad(4),
});

const meterFeatures = struct({
  maxMeters: u32,
  /** Bit n for band type n. */
  bandTypes: u32,
  /** OFPMF_*: kbps 1, pktps 2, burst 4, stats 8. */
  capabilities: u32,
  maxBands: u8,
  maxColor: u8,
  _pad: pad(2),
});

const wrapped: Codec<{ readonly meterMod: MeterMod }> = mapped(
  meterMod,
  (value) => ({ meterMod: value }),
  (value) => value.meterMod,
);

export const meterMessages = {
  meterMod: { 'of 1.3+ 29': wrapped },
  meterStatsRequest: { 'request 1.3+ 9': meterRequest },
  meterStatsReply: { 'reply 1.3+ 9': entries(meterStats) },
  meterConfigRequest: { 'request 1.3+ 10': meterRequest },
  meterConfigReply: { 'reply 1.3+ 10': entries(meterConfig) },
  meterFeaturesRequest: { 'request 1.3+ 11': nothing },
  meterFeaturesReply: { 'reply 1.3+ 11': meterFeatures },
} as const;
