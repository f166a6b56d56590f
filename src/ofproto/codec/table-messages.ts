/** Tables: modification, description, status and statistics (OpenFlow 1.1.0, A.3.4.5; 1.4.1, 7.3.4.1, 7.3.5.5, 7.3.5.16). */
import {
  entries,
  nothing,
  only,
  readProperties,
  readSized,
  since,
  writeProperty,
} from './message-parts.ts';
import type { Reader } from './reader.ts';
import { tableFeatures } from './table-features.ts';
import { OF13, OF14 } from './versions.ts';
import { type Codec, named, pad, struct, u8, u32, u64 } from './wire.ts';
import type { Writer } from './writer.ts';

/** What 1.1 and 1.2 do with a packet that no flow matches. */
const MISSES = ['controller', 'continue', 'drop'] as const;

export interface Vacancy {
  /** Percentages of free room at which events are sent. */
  readonly down: number;
  readonly up: number;
  /** What is free now; 0 in a modification. */
  readonly current: number;
}

export interface TableSettings {
  /** 255 for all, in a modification. */
  readonly tableId: number;
  /** 1.1 and 1.2; else null. */
  readonly miss: (typeof MISSES)[number] | null;
  /** 1.4+. */
  readonly eviction: boolean;
  readonly vacancyEvents: boolean;
  /** OFPTMPEF14_*: other 1, importance 2, lifetime 4; null where not told. */
  readonly evictionFlags: number | null;
  readonly vacancy: Vacancy | null;
}

const MISS_MASK = 3;
const EVICTION = 4;
const VACANCY = 8;

const hasMiss = (version: number): boolean => version < OF13;

function readConfig(r: Reader): Pick<TableSettings, 'miss' | 'eviction' | 'vacancyEvents'> {
  const bits = r.u32();
  return {
    miss: hasMiss(r.version) ? (MISSES[bits & MISS_MASK] ?? 'controller') : null,
    eviction: r.version >= OF14 && (bits & EVICTION) !== 0,
    vacancyEvents: r.version >= OF14 && (bits & VACANCY) !== 0,
  };
}

function writeConfig(w: Writer, value: TableSettings): void {
  let bits = 0;
  if (hasMiss(w.version)) bits = MISSES.indexOf(value.miss ?? 'controller');
  else if (w.version >= OF14) {
    bits = (value.eviction ? EVICTION : 0) | (value.vacancyEvents ? VACANCY : 0);
  }
  w.u32(bits);
}

const EVICTION_PROPERTY = 2;
const VACANCY_PROPERTY = 3;
const vacancyBody = struct({ down: u8, up: u8, current: u8, _pad: pad(1) });

function readSettings(
  r: Reader,
  options: { readonly loose: boolean },
): Pick<TableSettings, 'evictionFlags' | 'vacancy'> {
  let evictionFlags: number | null = null;
  let vacancy: Vacancy | null = null;
  readProperties(
    r,
    ({ type, experimenter }, body) => {
      if (experimenter !== null) return false;
      if (type === EVICTION_PROPERTY) evictionFlags = only(body, u32);
      else if (type === VACANCY_PROPERTY) vacancy = only(body, vacancyBody);
      else return false;
      return true;
    },
    { loose: options.loose, unknown: 'OFPBRC_BAD_TYPE' },
  );
  return { evictionFlags, vacancy };
}

function writeSettings(w: Writer, { evictionFlags, vacancy }: TableSettings): void {
  if (evictionFlags !== null) writeProperty(w, EVICTION_PROPERTY, () => w.u32(evictionFlags));
  if (vacancy !== null) writeProperty(w, VACANCY_PROPERTY, () => vacancyBody.encode(w, vacancy));
}

function isVacancyValid({ down, up, current }: Vacancy): boolean {
  return down <= up && up <= 100 && current === 0;
}

const tableMod: Codec<TableSettings> = {
  decode(r) {
    const tableId = r.u8();
    r.skip(3);
    const config = readConfig(r);
    const settings =
      r.version >= OF14
        ? readSettings(r, { loose: false })
        : { evictionFlags: null, vacancy: null };
    if (settings.vacancy !== null && !isVacancyValid(settings.vacancy)) r.fail('OFPBPC_BAD_VALUE');
    return { tableId, ...config, ...settings };
  },
  encode(w, value) {
    w.u8(value.tableId);
    w.zeros(3);
    writeConfig(w, value);
    if (w.version >= OF14) writeSettings(w, value);
  },
};

const tableDescription: Codec<TableSettings> = {
  decode: (r) =>
    readSized(r, 8, (inner) => {
      inner.skip(2);
      const tableId = inner.u8();
      inner.skip(1);
      return { tableId, ...readConfig(inner), ...readSettings(inner, { loose: true }) };
    }),
  encode(w, value) {
    const start = w.length;
    w.zeros(2);
    w.u8(value.tableId);
    w.zeros(1);
    writeConfig(w, value);
    writeSettings(w, value);
    w.patchU16(start, w.length - start);
  },
};

const tableStatus = struct({
  reason: named(u8, { vacancyDown: 3, vacancyUp: 4 }, 'OFPBPC_BAD_VALUE'),
  _pad: pad(7),
  table: tableDescription,
});

/**
 * What a table can do as the versions before 1.3 say it within statistics: bit maps by the version's own numbers of fields, instructions
 * and actions (1.3+ has table features for it). Unused ones are 0.
 */
export interface TableAbilities {
  readonly name: string;
  readonly maxEntries: number;
  /** Fields that can be left out: OFPFW_* in 1.0, OFPFMF_* in 1.1, OXM bits in 1.2. */
  readonly wildcards: bigint;
  readonly match: bigint;
  readonly instructions: number;
  readonly writeActions: number;
  readonly applyActions: number;
  readonly writeSetFields: bigint;
  readonly applySetFields: bigint;
  readonly metadataMatch: bigint;
  readonly metadataWrite: bigint;
  /** OFPTC_*. */
  readonly config: number;
}

export interface TableStats extends Partial<TableAbilities> {
  readonly tableId: number;
  readonly active: number;
  readonly lookups: bigint;
  readonly matched: bigint;
}

const NAME_BYTES = 32;
const counts = { active: u32, lookups: u64, matched: u64 };

/** An ability that is not told is written as 0. */
const orZero: Codec<number> = { decode: (r) => r.u32(), encode: (w, value) => w.u32(value ?? 0) };
const orZero32: Codec<bigint> = {
  decode: (r) => BigInt(r.u32()),
  encode: (w, value) => w.u32(Number(value ?? 0n)),
};
const orZero64: Codec<bigint> = {
  decode: (r) => r.u64(),
  encode: (w, value) => w.u64(value ?? 0n),
};
const name: Codec<string> = {
  decode: (r) => r.text(NAME_BYTES),
  encode: (w, value) => w.text(value ?? '', NAME_BYTES),
};

const tableStats: Codec<TableStats> = since<TableStats>({
  1: struct({
    tableId: u8,
    _pad: pad(3),
    name,
    wildcards: orZero32,
    maxEntries: orZero,
    ...counts,
  }),
  2: struct({
    tableId: u8,
    _pad: pad(7),
    name,
    wildcards: orZero32,
    match: orZero32,
    instructions: orZero,
    writeActions: orZero,
    applyActions: orZero,
    config: orZero,
    maxEntries: orZero,
    ...counts,
  }),
  3: struct({
    tableId: u8,
    _pad: pad(7),
    name,
    match: orZero64,
    wildcards: orZero64,
    writeActions: orZero,
    applyActions: orZero,
    writeSetFields: orZero64,
    applySetFields: orZero64,
    metadataMatch: orZero64,
    metadataWrite: orZero64,
    instructions: orZero,
    config: orZero,
    maxEntries: orZero,
    ...counts,
  }),
  4: struct({ tableId: u8, _pad: pad(3), ...counts }),
});

const wrap: Codec<{ readonly table: TableSettings }> = {
  decode: (r) => ({ table: tableMod.decode(r) }),
  encode: (w, value) => tableMod.encode(w, value.table),
};

export const tableMessages = {
  tableMod: { 'of 1.1+ 17': wrap },
  tableStatus: { 'of 1.4+ 31': tableStatus },
  tableStatsRequest: { 'request 1.0+ 3': nothing },
  tableStatsReply: { 'reply 1.0+ 3': entries(tableStats) },
  tableDescRequest: { 'request 1.4+ 14': nothing },
  tableDescReply: { 'reply 1.4+ 14': entries(tableDescription) },
  /** Without entries it asks, with them it sets. */
  tableFeaturesRequest: { 'request 1.3+ 12': entries(tableFeatures) },
  tableFeaturesReply: { 'reply 1.3+ 12': entries(tableFeatures) },
} as const;
