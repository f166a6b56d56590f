/**
 * Which asynchronous messages a controller wants, per role: OpenFlow 1.3's and Nicira's six words, and the properties of 1.4
 * (OpenFlow 1.4.1, 7.3.10). Masks have bit n for reason n of the message they are about.
 */
import { only, readProperties, writeProperty } from './message-parts.ts';
import { OF14 } from './versions.ts';
import { type Codec, u32 } from './wire.ts';

/** In the order of the property types, which come in pairs: first for secondaries, then for the others. */
const KINDS = [
  'packetIn',
  'portStatus',
  'flowRemoved',
  'roleStatus',
  'tableStatus',
  'requestForward',
] as const;
type AsyncKind = (typeof KINDS)[number];

/** Null where nothing is said: the mask stays as it is. */
type AsyncMasks = { readonly [K in AsyncKind]: number | null };

export interface AsyncConfig {
  /** For role primary and equal. */
  readonly primary: AsyncMasks;
  readonly secondary: AsyncMasks;
}

const unsaid = (): Record<AsyncKind, number | null> => ({
  packetIn: null,
  portStatus: null,
  flowRemoved: null,
  roleStatus: null,
  tableStatus: null,
  requestForward: null,
});

/** Reasons that exist. */
const ALLOWED: Readonly<Record<AsyncKind, number>> = {
  packetIn: 0x3f,
  portStatus: 0x7,
  flowRemoved: 0x3f,
  roleStatus: 0x7,
  tableStatus: 0x18,
  requestForward: 0x3,
};
const PACKET_IN_BEFORE_14 = 0x7;

const allowed = (kind: AsyncKind, version: number): number =>
  kind === 'packetIn' && version < OF14 ? PACKET_IN_BEFORE_14 : ALLOWED[kind];

/** Experimenters' types begin here, since both roles have one. */
const FIRST_EXPERIMENTER = 0xfffe;

export const legacyAsync: Codec<AsyncConfig> = {
  decode(r) {
    const primary = unsaid();
    const secondary = unsaid();
    for (const kind of KINDS.slice(0, 3)) {
      primary[kind] = r.u32();
      secondary[kind] = r.u32();
    }
    return { primary, secondary };
  },
  encode(w, value) {
    for (const kind of KINDS.slice(0, 3)) {
      const known = kind === 'packetIn' ? PACKET_IN_BEFORE_14 : ~0;
      w.u32(((value.primary[kind] ?? 0) & known) >>> 0);
      w.u32(((value.secondary[kind] ?? 0) & known) >>> 0);
    }
  },
};

export const asyncProperties: Codec<AsyncConfig> = {
  decode(r) {
    const primary = unsaid();
    const secondary = unsaid();
    readProperties(
      r,
      ({ type, experimenter }, body) => {
        const kind = experimenter === null ? KINDS[type >> 1] : undefined;
        if (kind === undefined) return false;
        const mask = only(body, u32);
        if ((mask & ~allowed(kind, r.version)) !== 0) r.fail('OFPACFC_INVALID');
        (type & 1 ? primary : secondary)[kind] = mask;
        return true;
      },
      { firstExperimenter: FIRST_EXPERIMENTER, unknown: 'OFPACFC_UNSUPPORTED' },
    );
    return { primary, secondary };
  },
  encode(w, value) {
    KINDS.forEach((kind, i) => {
      for (const [type, mask] of [
        [2 * i, value.secondary[kind]],
        [2 * i + 1, value.primary[kind]],
      ] as const) {
        if (mask !== null) writeProperty(w, type, () => w.u32(mask & allowed(kind, w.version)));
      }
    });
  },
};
