/** Table modification (OpenFlow 1.1.0, A.3.4.3; 1.4.1, 7.3.4.1): what a miss does in 1.1 and 1.2, eviction and vacancy events since 1.4. */
import type { Bridge } from '../bridge.ts';
import type { OfErrorName } from '../codec/errors.ts';
import type { TableSettings } from '../codec/table-messages.ts';
import { OF13, OF14, type OfVersion } from '../codec/versions.ts';
import { OFPTT_ALL } from '../model.ts';
import { TABLE_COUNT } from '../tables/flow-table.ts';

export function tableMod(
  bridge: Bridge,
  wanted: TableSettings,
  version: OfVersion,
): OfErrorName | null {
  const { tableId, miss, eviction, vacancyEvents, vacancy } = wanted;
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
