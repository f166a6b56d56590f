/**
 * Table modification (OpenFlow 1.1.0, A.3.4.3; 1.4.1, 7.3.4.1): what a miss does in 1.1 and 1.2, eviction and vacancy events since 1.4; and
 * table features that a controller wants (1.3.5, 7.3.5.5), of which only names can change, as in Open vSwitch.
 */
import type { Bridge } from '../bridge.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { TableFeatures } from '../codec/table-features.ts';
import type { TableSettings } from '../codec/table-messages.ts';
import { OF13, OF14, type OfVersion } from '../codec/versions.ts';
import { OFPTT_ALL } from '../model.ts';
import { TABLE_COUNT, TABLE_INTERNAL } from '../tables/flow-table.ts';
import { describeTable, maxEntriesOf } from './table-abilities.ts';

export function tableMod(
  bridge: Bridge,
  wanted: TableSettings,
  version: OfVersion,
): OfErrorName | null {
  const { tableId, miss, eviction, vacancyEvents, vacancy } = wanted;
  if (tableId === TABLE_INTERNAL) return 'OFPTMFC_EPERM';
  const all = bridge.tables.slice(0, TABLE_COUNT);
  const tables = tableId === OFPTT_ALL ? all : all.slice(tableId, tableId + 1);
  if (tables.length === 0) return 'OFPTMFC_BAD_TABLE';
  for (const table of tables) {
    if (version < OF13 && miss !== null) {
      // The last table has nothing to continue with.
      if (miss === 'continue' && table.id === TABLE_COUNT - 1) {
        if (tableId !== OFPTT_ALL) return 'OFPTMFC_BAD_CONFIG';
        continue;
      }
      table.miss = miss;
    }
    if (version >= OF14) {
      table.evictionByController = eviction;
      if (!vacancyEvents) table.vacancy = null;
      else if (vacancy !== null) {
        table.vacancy = { downPercent: vacancy.down, upPercent: vacancy.up };
      }
    }
  }
  bridge.tablesChanged();
  return null;
}

/** Takes over the names of tables; null for success. All that would change anything else is refused, and then nothing is changed. */
export function applyTableFeatures(
  bridge: Bridge,
  wanted: readonly TableFeatures[],
  version: OfVersion,
): OfErrorName | null {
  if (new Set(wanted.map(({ tableId }) => tableId)).size < wanted.length) {
    return 'NXTFFC_DUP_TABLE';
  }
  for (const { tableId, name, command, maxEntries, eviction, vacancyEvents } of wanted) {
    if (tableId >= TABLE_COUNT) return 'OFPTFFC_EPERM';
    const table = bridge.tables[tableId];
    // What the database has named keeps its name.
    const given = table.settings.name;
    if (given !== null && name !== given) return 'OFPTFFC_EPERM';
    const now = describeTable(table);
    const same = eviction === now.eviction && vacancyEvents === now.vacancyEvents;
    if (maxEntries !== maxEntriesOf(table) || (version >= OF14 && !same)) return 'OFPTFFC_EPERM';
    if (command === 'enable' || command === 'disable') return 'OFPTFFC_EPERM';
    // Whoever replaces the pipeline has to name all of it: no table can be taken away.
    if (command === 'replace' && wanted.length < TABLE_COUNT) return 'OFPTFFC_EPERM';
  }
  for (const { tableId, name } of wanted) {
    const table = bridge.tables[tableId];
    if (table.settings.name === null) table.nameByController = name === '' ? null : name;
  }
  bridge.tablesChanged();
  return null;
}
