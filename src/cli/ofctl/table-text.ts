/** Statistics and settings of tables. Runs of tables that say the same are told once. */
import type { TableSettings, TableStats } from '../../ofproto/codec/table-messages.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';

const ALWAYS_SHOWN = 1;

/** What the original's tables match in 1.0, which says it in bits of a fixed meaning. */
const FIELDS_OF_10 =
  '    matching:\n      exact match or wildcard: in_port eth_{src,dst,type} vlan_{vid,pcp} ip_{src,dst} nw_{proto,tos} tcp_{src,dst}\n';

function abilitiesText(table: TableStats, version: OfVersion): string {
  if (version > 3) return '';
  if (version === 1) return `    max_entries=${table.maxEntries ?? 0}\n${FIELDS_OF_10}`;
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
      i > (version === 2 || version === 3 ? ALWAYS_SHOWN : 0) &&
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

const EVICTION_FLAGS = [
  [1, 'OTHER'],
  [2, 'IMPORTANCE'],
  [4, 'LIFETIME'],
] as const;

const vacancyText = ({ vacancyEvents, vacancy }: TableSettings): string => {
  if (!vacancyEvents) return 'vacancy=off';
  const { down = 0, up = 0, current = 0 } = vacancy ?? {};
  return `vacancy=on vacancy_down=${down}% vacancy_up=${up}% vacancy=${current}%`;
};

export function tableDescText(table: TableSettings): string {
  const flags = table.evictionFlags ?? 0;
  const names = EVICTION_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return (
    `  table ${table.tableId}:\n   eviction=${table.eviction ? 'on' : 'off'} ` +
    `eviction_flags=${names.join('|')}\n   ${vacancyText(table)}\n`
  );
}

export function tableModText(table: TableSettings, version: OfVersion): string {
  const id = table.tableId === 255 ? 'ALL_TABLES' : String(table.tableId);
  const head = `table_id=${id}`;
  if (version < 4) return `${head}, flow_miss_config=${table.miss}`;
  if (version === 4) return head;
  const { vacancy } = table;
  const levels =
    !table.vacancyEvents || vacancy === null
      ? ''
      : ` vacancy:down=${vacancy.down}%, vacancy:up=${vacancy.up}%`;
  return `${head}, eviction=${table.eviction ? 'on' : 'off'}, vacancy=${table.vacancyEvents ? 'on' : 'off'}${levels}`;
}
