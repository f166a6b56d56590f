/**
 * What tables can do, as statistics of 1.0 to 1.2 and table features of 1.3+ tell it: every table the same, but for the last, which has
 * none to go on to.
 */
import { FIELDS } from '../../packet/fields.ts';
import type { TableFeatures } from '../codec/table-features.ts';
import type { TableAbilities, TableSettings } from '../codec/table-messages.ts';
import { OF10, OF11, OF12, OF15, type OfVersion } from '../codec/versions.ts';
import { type FlowTable, TABLE_COUNT } from '../tables/flow-table.ts';
import { vacancyPercent } from './vacancy.ts';

const DEFAULT_MAX_ENTRIES = 1_000_000;

/** OFPFW_ALL of 1.0. */
const WILDCARDS_10 = 0x3f_ffffn;
/** OFPIT_*: goto_table 1, write_metadata 2, write_actions 3, apply_actions 4, clear_actions 5, meter 6. */
const INSTRUCTIONS = [1, 2, 3, 4, 5, 6];
/** OFPAT_* numbers of 1.2+ that tables take in both ways. */
const ACTIONS = [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25];

const bitsOf = (numbers: readonly number[]): number =>
  numbers.reduce((bits, n) => (bits | (1 << n)) >>> 0, 0);

/** What translation could set and controllers may not, as in the original. */
const NOT_OFFERED = ['eth_type', 'ip_proto', 'nw_proto', 'mpls_bos'];
const WRITABLE = FIELDS.filter((field) => field.writable && !NOT_OFFERED.includes(field.name));

/** Bits by OXM field number in class OPENFLOW_BASIC. */
const OXM_BASIC = 0x8000;
const oxmBits = (is: (field: (typeof FIELDS)[number]) => boolean): bigint => {
  let bits = 0n;
  for (const field of FIELDS) {
    if (!is(field)) continue;
    for (const id of field.ids) if (id.class === OXM_BASIC) bits |= 1n << BigInt(id.field);
  }
  return bits;
};
const OXM_MATCH = oxmBits(() => true);
const OXM_WRITABLE = oxmBits((field) => WRITABLE.includes(field));
const ALL_64 = 0xffff_ffff_ffff_ffffn;

/** OFPIT_* bits of 1.1 and 1.2 count from bit n for type n. */
const INSTRUCTION_BITS = bitsOf(INSTRUCTIONS.slice(0, 5));

const MISS_BITS = { default: 0, controller: 0, continue: 1, drop: 2 } as const;

/** Fields of OFPFMF_* of 1.1, all that it has. */
const FIELDS_11 = 0xfbffn;
/** OFPAT11_* numbers. */
const ACTIONS_11 = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
];

/** OFPAT10_OUTPUT .. OFPAT10_ENQUEUE. */
export const ACTIONS_10 = 0xfff;

/** Actions by the numbers of a version. */
export const actionBits = (version: OfVersion): number =>
  version === OF10 ? ACTIONS_10 : bitsOf(version === OF11 ? ACTIONS_11 : ACTIONS);

export const maxEntriesOf = (table: FlowTable): number =>
  table.settings.flowLimit ?? DEFAULT_MAX_ENTRIES;

export function tableAbilities(table: FlowTable, version: OfVersion): Partial<TableAbilities> {
  const common = {
    name: table.name ?? '',
    maxEntries: maxEntriesOf(table),
  };
  if (version === OF10) return { ...common, wildcards: WILDCARDS_10 };
  const hasNext = table.id < TABLE_COUNT - 1;
  const instructions = hasNext ? INSTRUCTION_BITS : INSTRUCTION_BITS & ~(1 << 1);
  const config = MISS_BITS[table.miss];
  if (version === OF11) {
    return {
      ...common,
      wildcards: FIELDS_11,
      match: FIELDS_11,
      instructions,
      writeActions: bitsOf(ACTIONS_11),
      applyActions: bitsOf(ACTIONS_11),
      config,
    };
  }
  if (version === OF12) {
    return {
      ...common,
      match: OXM_MATCH,
      wildcards: OXM_MATCH,
      instructions,
      writeActions: bitsOf(ACTIONS),
      applyActions: bitsOf(ACTIONS),
      writeSetFields: OXM_WRITABLE,
      applySetFields: OXM_WRITABLE,
      metadataMatch: ALL_64,
      metadataWrite: ALL_64,
      config,
    };
  }
  return {};
}

const MATCH = FIELDS.map((field) => ({ field, masked: field.maskable }));

/** All that eviction may look at. */
const EVICTION_ALL = 0x7;

/** What table-mods made of a table. */
export function describeTable(table: FlowTable): TableSettings {
  const { vacancy } = table;
  return {
    tableId: table.id,
    miss: null,
    eviction: table.isEvicting,
    evictionFlags: EVICTION_ALL,
    vacancyEvents: vacancy !== null,
    vacancy:
      vacancy === null
        ? null
        : { down: vacancy.downPercent, up: vacancy.upPercent, current: vacancyPercent(table) },
  };
}

export function tableFeaturesOf(table: FlowTable, version: OfVersion): TableFeatures {
  const nextTables: number[] = [];
  for (let id = table.id + 1; id < TABLE_COUNT; id++) nextTables.push(id);
  const flows = {
    // Meters are actions since 1.5.
    instructions: INSTRUCTIONS.filter(
      (type) => (type !== 1 || nextTables.length > 0) && (type !== 6 || version < OF15),
    ),
    nextTables,
    writeActions: ACTIONS,
    applyActions: ACTIONS,
    writeSetFields: WRITABLE,
    applySetFields: WRITABLE,
  };
  return {
    tableId: table.id,
    command: 'replace',
    name: table.name ?? '',
    metadataMatch: ALL_64,
    metadataWrite: ALL_64,
    eviction: table.isEvicting,
    vacancyEvents: table.vacancy !== null,
    maxEntries: maxEntriesOf(table),
    properties: { flows, miss: flows, match: MATCH, wildcards: FIELDS },
  };
}
