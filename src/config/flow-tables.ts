/**
 * Flow_Table rows of a bridge as settings of its tables: names, limits, what gives way at the limit, and prefixes to look at first
 * (ovs-vswitchd.conf.db(5), Flow_Table). Pure; what makes no sense is left out and said.
 */
import type { PrefixField } from '../flowtable/tuple-space.ts';
import { DEFAULT_TABLE, type FlowTableSettings } from '../ofproto/tables/flow-table.ts';
import { parseSubfield } from '../ofproto/text/match-syntax.ts';
import { parsed } from '../ofproto/text/syntax.ts';
import type { Row } from '../ovsdb/schema.ts';
import { fieldByName } from '../packet/fields.ts';

const MAX_PREFIXES = 3;
const WORD_BITS = 32;
/** Fields that the manual page allows in `prefixes`, besides tunnel and connection fields of the same form. */
const NAMES: Readonly<Record<string, string>> = { ip_src: 'ip_src', ip_dst: 'ip_dst' };

/** Where a row asks for nothing, it is as without a row. */
export function flowTableSettings(
  row: Row<'Flow_Table'>,
  complain: (why: string) => void,
): FlowTableSettings {
  const groups = [];
  for (const text of row.groups) {
    const got = parsed(() => parseSubfield(text));
    if (got.ok) groups.push(got.value);
    else complain(`table ${row.name ?? ''}: ${got.error}`);
  }
  const prefixes: PrefixField[] = [];
  for (const name of row.prefixes) {
    const field = fieldByName(NAMES[name] ?? name);
    const isWhole = field !== undefined && field.at >= 0 && field.at % WORD_BITS === 0;
    if (!isWhole || !field.maskable || field.bits % WORD_BITS !== 0) {
      if (name !== 'none') {
        const what = field === undefined ? 'unknown' : 'incompatible';
        complain(`'prefixes' with ${what} field: ${name}`);
      }
    } else if (prefixes.length < MAX_PREFIXES) {
      prefixes.push({ word: field.at / WORD_BITS, words: field.bits / WORD_BITS });
    }
  }
  return {
    name: row.name,
    flowLimit: row.flow_limit,
    overflow: row.overflow_policy === 'evict' ? 'evict' : 'refuse',
    groups,
    prefixes: row.prefixes.length > 0 ? prefixes : DEFAULT_TABLE.prefixes,
  };
}
