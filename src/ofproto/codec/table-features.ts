/**
 * Table features (OpenFlow 1.3.5, 7.3.5.5): what a table can do, for its flows and for its table-miss flow. In a request they say what the
 * table shall be able to do. Where the second kind is absent it equals the first.
 */
import { type Field, fieldByOxm } from '../../packet/fields.ts';
import { OFPTT_ALL } from '../model.ts';
import { readProperties, readSized, writeProperty } from './message-parts.ts';
import { writeOxmHeader } from './oxm.ts';
import type { Reader } from './reader.ts';
import { OF14, OF15 } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

export interface TableFlowAbilities {
  /** OFPIT_* numbers. */
  readonly instructions: readonly number[];
  readonly nextTables: readonly number[];
  /** OFPAT_* numbers, which are the same since 1.2. */
  readonly writeActions: readonly number[];
  readonly applyActions: readonly number[];
  readonly writeSetFields: readonly Field[];
  readonly applySetFields: readonly Field[];
}

export interface TableProperties {
  readonly flows: TableFlowAbilities;
  /** Of the table-miss flow. */
  readonly miss: TableFlowAbilities;
  readonly match: readonly { readonly field: Field; readonly masked: boolean }[];
  /** Fields that a match need not have. */
  readonly wildcards: readonly Field[];
}

const COMMANDS = ['replace', 'modify', 'enable', 'disable'] as const;

export interface TableFeatures {
  readonly tableId: number;
  /** 1.5; before always replace. */
  readonly command: (typeof COMMANDS)[number];
  readonly name: string;
  readonly metadataMatch: bigint;
  readonly metadataWrite: bigint;
  /** 1.4+. */
  readonly eviction: boolean;
  readonly vacancyEvents: boolean;
  readonly maxEntries: number;
  /** Null for none at all, which 1.5 allows. */
  readonly properties: TableProperties | null;
}

const FEATURES_BYTES = 64;
const NAME_BYTES = 32;
const EVICTION = 4;
const VACANCY = 8;

/** Property types; the table-miss flow's are one more, but for match and wildcards, which have none. */
const INSTRUCTIONS = 0;
const NEXT_TABLES = 2;
const WRITE_ACTIONS = 4;
const APPLY_ACTIONS = 6;
const MATCH = 8;
const WILDCARDS = 10;
const WRITE_SET_FIELDS = 12;
const APPLY_SET_FIELDS = 14;
const REQUIRED = [
  INSTRUCTIONS,
  NEXT_TABLES,
  WRITE_ACTIONS,
  APPLY_ACTIONS,
  MATCH,
  WILDCARDS,
  WRITE_SET_FIELDS,
  APPLY_SET_FIELDS,
];
const FIRST_EXPERIMENTER = 0xfffe;

/** Instructions and actions by their headers alone; an experimenter's has its number behind it and is not one that we know. */
function readIds(r: Reader): number[] {
  const ids: number[] = [];
  while (r.left > 0) {
    if (r.left < 4) r.fail('OFPBPC_BAD_LEN');
    const id = r.u16();
    const length = r.u16();
    if (length < 4) r.fail('OFPBPC_BAD_LEN');
    r.skip(length - 4);
    if (id !== 0xffff) ids.push(id);
  }
  return ids;
}

function writeIds(w: Writer, ids: readonly number[]): void {
  for (const id of ids) {
    w.u16(id);
    w.u16(4);
  }
}

const CLASS_EXPERIMENTER = 0xffff;

function readFields(r: Reader): { readonly field: Field; readonly masked: boolean }[] {
  const list = [];
  while (r.left > 0) {
    if (r.left < 4) r.fail('OFPBMC_BAD_LEN');
    const oxmClass = r.u16();
    const type = r.u8();
    r.skip(1);
    const id = { class: oxmClass, field: type >> 1 };
    const field = fieldByOxm(
      oxmClass === CLASS_EXPERIMENTER ? { ...id, experimenter: r.u32() } : id,
    );
    list.push({ field: field ?? r.fail('OFPBMC_BAD_FIELD'), masked: (type & 1) !== 0 });
  }
  return list;
}

/** Where masks mean nothing. */
function readPlainFields(r: Reader): Field[] {
  return readFields(r).map(({ field, masked }) => (masked ? r.fail('OFPBMC_BAD_MASK') : field));
}

interface Draft {
  instructions: readonly number[];
  nextTables: readonly number[];
  writeActions: readonly number[];
  applyActions: readonly number[];
  writeSetFields: readonly Field[];
  applySetFields: readonly Field[];
}

const draft = (): Draft => ({
  instructions: [],
  nextTables: [],
  writeActions: [],
  applyActions: [],
  writeSetFields: [],
  applySetFields: [],
});

const READERS: Readonly<Record<number, (body: Reader, into: Draft) => void>> = {
  [INSTRUCTIONS]: (body, into) => {
    into.instructions = readIds(body);
  },
  [NEXT_TABLES]: (body, into) => {
    into.nextTables = [...body.rest()];
  },
  [WRITE_ACTIONS]: (body, into) => {
    into.writeActions = readIds(body);
  },
  [APPLY_ACTIONS]: (body, into) => {
    into.applyActions = readIds(body);
  },
  [WRITE_SET_FIELDS]: (body, into) => {
    into.writeSetFields = readPlainFields(body);
  },
  [APPLY_SET_FIELDS]: (body, into) => {
    into.applySetFields = readPlainFields(body);
  },
};

const BAD_FEATURES = 'OFPTFFC_BAD_FEATURES';

function readTableProperties(r: Reader): TableProperties | null {
  if (r.left === 0 && r.version >= OF15) return null;
  const flows = draft();
  const told: Partial<Draft> = {};
  const miss = draft();
  let match: TableProperties['match'] = [];
  let wildcards: readonly Field[] = [];
  const seen = new Set<number>();
  readProperties(
    r,
    ({ type, experimenter }, body) => {
      if (experimenter !== null) return false;
      if (seen.has(type)) r.fail(BAD_FEATURES);
      seen.add(type);
      if (type === MATCH) match = readFields(body);
      else if (type === WILDCARDS) wildcards = readPlainFields(body);
      else {
        const isMiss = (type & 1) !== 0;
        const read = READERS[type & ~1];
        if (read === undefined) return false;
        read(body, isMiss ? miss : flows);
      }
      return true;
    },
    { firstExperimenter: FIRST_EXPERIMENTER },
  );
  if (REQUIRED.some((type) => !seen.has(type))) r.fail(BAD_FEATURES);
  for (const [type, key] of KEYS) {
    if (seen.has(type + 1)) Object.assign(told, { [key]: miss[key] });
  }
  return { flows, miss: { ...flows, ...told }, match, wildcards };
}

/** In the order in which Open vSwitch writes them. */
const KEYS = [
  [INSTRUCTIONS, 'instructions'],
  [NEXT_TABLES, 'nextTables'],
  [WRITE_ACTIONS, 'writeActions'],
  [WRITE_SET_FIELDS, 'writeSetFields'],
  [APPLY_ACTIONS, 'applyActions'],
  [APPLY_SET_FIELDS, 'applySetFields'],
] as const;

function writeFields(w: Writer, fields: readonly Field[]): void {
  for (const field of fields) writeOxmHeader(w, field, false, w.version);
}

function writeAbilities(w: Writer, abilities: TableFlowAbilities, isMiss: boolean): void {
  for (const [type, key] of KEYS) {
    writeProperty(w, isMiss ? type + 1 : type, () => {
      if (key === 'nextTables') w.put(Uint8Array.from(abilities.nextTables));
      else if (key === 'writeSetFields' || key === 'applySetFields') {
        writeFields(w, abilities[key]);
      } else writeIds(w, abilities[key]);
    });
  }
}

function writeTableProperties(w: Writer, properties: TableProperties): void {
  writeAbilities(w, properties.flows, false);
  writeAbilities(w, properties.miss, true);
  writeProperty(w, MATCH, () => {
    for (const { field, masked } of properties.match) {
      writeOxmHeader(w, field, masked, w.version);
    }
  });
  writeProperty(w, WILDCARDS, () => writeFields(w, properties.wildcards));
}

export const tableFeatures: Codec<TableFeatures> = {
  decode(r) {
    if (r.left < FEATURES_BYTES || r.peekU16() % 8 !== 0) r.fail('OFPBPC_BAD_LEN');
    return readSized(r, FEATURES_BYTES, readTableFeatures, { error: 'OFPBPC_BAD_LEN' });
  },
  encode(w, value) {
    const start = w.length;
    w.zeros(2);
    w.u8(value.tableId);
    w.u8(w.version >= OF15 ? COMMANDS.indexOf(value.command) : 0);
    w.zeros(4);
    w.text(value.name, NAME_BYTES);
    w.u64(value.metadataMatch);
    w.u64(value.metadataWrite);
    const bits = (value.eviction ? EVICTION : 0) | (value.vacancyEvents ? VACANCY : 0);
    w.u32(w.version >= OF14 ? bits : 0);
    w.u32(value.maxEntries);
    if (value.properties !== null) writeTableProperties(w, value.properties);
    w.patchU16(start, w.length - start);
  },
};

function readTableFeatures(r: Reader): TableFeatures {
  r.skip(2);
  const tableId = r.u8();
  const commandNumber = r.u8();
  const command = r.version >= OF15 ? COMMANDS[commandNumber] : 'replace';
  if (command === undefined) r.fail('OFPTFFC_BAD_COMMAND');
  if (tableId === OFPTT_ALL) r.fail('OFPTFFC_BAD_TABLE');
  r.skip(4);
  const name = r.text(NAME_BYTES);
  const metadataMatch = r.u64();
  const metadataWrite = r.u64();
  const capabilities = r.u32();
  const bits = r.version >= OF14 ? capabilities : 0;
  const maxEntries = r.u32();
  return {
    tableId,
    command,
    name,
    metadataMatch,
    metadataWrite,
    eviction: (bits & EVICTION) !== 0,
    vacancyEvents: (bits & VACANCY) !== 0,
    maxEntries,
    properties: readTableProperties(r),
  };
}
