/** Statistics of tables. Runs of tables that say the same are told once. */
import type { TableStats } from '../../ofproto/codec/table-messages.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';

const ALWAYS_SHOWN = 1;

function abilitiesText(table: TableStats, version: OfVersion): string {
  if (version > 3) return '';
  return `    max_entries=${table.maxEntries ?? 0}\n`;
}

const same = (a: TableStats, b: TableStats, abilities: (t: TableStats) => string): boolean =>
  a.active === b.active &&
  a.lookups === b.lookups &&
  a.matched === b.matched &&
  abilities(a) === abilities(b);

/** With what 1.0 to 1.2 say about abilities cut to the number of entries. */
export function tableStatsText(tables: readonly TableStats[], version: OfVersion): string {
  const abilities = (table: TableStats): string => abilitiesText(table, version);
  let text = '\n';
  for (let i = 0; i < tables.length; i++) {
    const table = tables[i];
    const previous: TableStats | undefined = tables[i - 1];
    let end = i;
    while (
      i > ALWAYS_SHOWN &&
      end < tables.length &&
      same(tables[end], previous as TableStats, abilities)
    )
      end++;
    if (i > 0) text += '\n';
    if (end > i) {
      const range = `${table.tableId}...${tables[end - 1].tableId}`;
      text += end - i === 1 ? `  table ${table.tableId}: ditto\n` : `  tables ${range}: ditto\n`;
      i = end - 1;
      continue;
    }
    text += `  table ${table.tableId}:\n`;
    text += `    active=${table.active}, lookup=${table.lookups}, matched=${table.matched}\n`;
    const repeats = previous !== undefined && abilities(previous) === abilities(table);
    if (abilities(table) !== '') text += repeats ? '    (same features)\n' : abilities(table);
  }
  return text;
}
