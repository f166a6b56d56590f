/**
 * What tables and groups can do (OpenFlow 1.3.5, 7.3.5.5 and 7.3.5.9). A table that can do the same as the one before it is told by "ditto", and names of
 * fields that begin alike are told together: `ip_{src,dst}`, `reg0...reg15`.
 */
import type { MessageOf } from '../../ofproto/codec/messages.ts';
import type {
  TableFeatures,
  TableFlowAbilities,
  TableProperties,
} from '../../ofproto/codec/table-features.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';
import { FIELDS, type Field } from '../../packet/fields.ts';
import { hex } from './flow-text.ts';
import { actions10Text } from './group-text.ts';

/** Where a field's place in the list is not that of the field table: what it stands behind. */
const BEHIND: Readonly<Record<string, string>> = {
  packet_type: 'recirc_id',
  metadata: 'tun_metadata63',
  vlan_tci: 'eth_type',
  nw_tos: 'nw_proto',
  ip_dscp: 'nw_tos',
  nw_ecn: 'ip_dscp',
  nw_ttl: 'nw_ecn',
};

/** Fields that come after all others. */
const LAST = 'nsh_flags nsh_mdtype nsh_np nsh_spi nsh_si nsh_c1 nsh_c2 nsh_c3 nsh_c4 nsh_ttl'.split(
  ' ',
);

const FIRST = 'dp_hash recirc_id packet_type conj_id tun_id tun_src'.split(' ');
const LATER =
  'metadata in_port in_port_oxm skb_priority pkt_mark actset_output ct_state ct_zone ct_mark ct_label'.split(
    ' ',
  );

/** Names in the order of Open vSwitch: the tunnel's, the packet's way, registers, headers. */
function ordered(): readonly string[] {
  const names = FIELDS.map(({ name }) => name).filter((name) => BEHIND[name] === undefined);
  const first = names.filter((name) => name.startsWith('tun_') && !FIRST.includes(name));
  const tracked = names.filter((name) => name.startsWith('ct_') && !LATER.includes(name));
  const begun = new Set([...FIRST, ...first, ...LATER, ...tracked]);
  const others = names.filter((name) => !begun.has(name) && !LAST.includes(name));
  const list = [...begun, ...others, ...LAST];
  for (const [name, before] of Object.entries(BEHIND)) {
    if (!list.includes(name)) list.splice(list.indexOf(before) + 1, 0, name);
  }
  return list;
}

const RANKS = new Map(ordered().map((name, rank) => [name, rank]));

const digitsOf = (name: string): RegExpExecArray | null => /^(.*?)(\d+)$/.exec(name);

/** `a0...a3` for names that count up. */
function counted(names: readonly string[]): string[] {
  const list: string[] = [];
  for (let i = 0; i < names.length; ) {
    const start = digitsOf(names[i]);
    let end = i + 1;
    while (start && names[end] === `${start[1]}${Number(start[2]) + end - i}`) end++;
    list.push(end - i > 1 ? `${names[i]}...${names[end - 1]}` : names[i]);
    i = end;
  }
  return list;
}

/** Names with what they have in common up to an underscore told once. */
function grouped(names: readonly string[]): string[] {
  const list: string[] = [];
  for (let i = 0; i < names.length; ) {
    const prefix = names[i].slice(0, names[i].indexOf('_') + 1);
    let end = i + 1;
    while (prefix !== '' && names[end]?.startsWith(prefix)) end++;
    if (end - i > 1) {
      const rest = names.slice(i, end).map((name) => name.slice(prefix.length));
      list.push(`${prefix}{${counted(grouped(rest)).join(',')}}`);
    } else list.push(names[i]);
    i = end;
  }
  return list;
}

function fieldsText(fields: readonly Field[]): string {
  const names = fields.map(({ name }) => name);
  names.sort((a, b) => (RANKS.get(a) ?? 0) - (RANKS.get(b) ?? 0));
  return counted(grouped([...new Set(names)])).join(' ');
}

/** OFPAT_* since 1.2, in the order of Open vSwitch. */
const ACTIONS = [
  [0, 'output'],
  [22, 'group'],
  [25, 'set_field'],
  [18, 'strip_vlan'],
  [17, 'push_vlan'],
  [23, 'mod_nw_ttl'],
  [24, 'dec_ttl'],
  [15, 'set_mpls_ttl'],
  [16, 'dec_mpls_ttl'],
  [19, 'push_mpls'],
  [20, 'pop_mpls'],
  [21, 'set_queue'],
] as const;

const actionsText = (has: (type: number) => boolean): string =>
  ACTIONS.filter(([type]) => has(type))
    .map(([, name]) => name)
    .join(' ');

/** OFPIT_*. */
const INSTRUCTIONS = [
  [6, 'meter'],
  [4, 'apply_actions'],
  [5, 'clear_actions'],
  [3, 'write_actions'],
  [2, 'write_metadata'],
  [1, 'goto_table'],
] as const;

/** `1-253`, `1,5-7`. */
function rangesText(numbers: readonly number[]): string {
  const list: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i + 1;
    while (numbers[end] === numbers[i] + end - i) end++;
    list.push(end - i > 1 ? `${numbers[i]}-${numbers[end - 1]}` : String(numbers[i]));
    i = end;
  }
  return list.join(',');
}

type Told<T> = readonly [text: string, same: T];

function actionPart(title: string, actions: readonly number[], fields: readonly Field[]): string {
  return (
    `      ${title} features:\n        actions: ${actionsText((type) => actions.includes(type))}\n` +
    `        supported on Set-Field: ${fieldsText(fields)}\n`
  );
}

function actionsOf(able: TableFlowAbilities): string {
  const write = actionPart('Write-Actions', able.writeActions, able.writeSetFields);
  const apply = actionPart('Apply-Actions', able.applyActions, able.applySetFields);
  const body = (text: string): string => text.slice(text.indexOf('\n'));
  return body(write) === body(apply)
    ? `      Write-Actions and Apply-Actions features:${body(write)}`
    : write + apply;
}

function instructionsOf(able: TableFlowAbilities): string {
  const next =
    able.nextTables.length === 0 ? '' : `      next tables: ${rangesText(able.nextTables)}\n`;
  const names = INSTRUCTIONS.filter(([type]) => able.instructions.includes(type));
  return `${next}      instructions: ${names.map(([, name]) => name).join(' ')}\n`;
}

function abilitiesText(p: TableProperties, before: TableProperties | null): string {
  const one = (able: TableFlowAbilities, previous: TableFlowAbilities | undefined): string => {
    const actions = actionsOf(able);
    const same = previous !== undefined && actionsOf(previous) === actions;
    return instructionsOf(able) + (same ? '      (same actions)\n' : actions);
  };
  const flows = one(p.flows, before?.flows);
  const miss = one(p.miss, before?.miss);
  if (flows === miss) return `    instructions (table miss and others):\n${flows}`;
  return `    instructions (other than table miss):\n${flows}    instructions (table miss):\n${miss}`;
}

function matchingOf(p: TableProperties): string {
  const wild = new Set(p.wildcards);
  const kinds: Told<boolean>[] = [
    ['arbitrary mask', true],
    ['exact match or wildcard', false],
  ];
  const lines = kinds.map(([title, masked]) => {
    const fields = p.match.filter((one) => one.masked === masked && wild.has(one.field));
    return fields.length === 0 ? '' : `      ${title}: ${fieldsText(fields.map((f) => f.field))}\n`;
  });
  const must = p.match.filter(({ field }) => !wild.has(field)).map(({ field }) => field);
  return (
    lines.join('') + (must.length === 0 ? '' : `      must exact match: ${fieldsText(must)}\n`)
  );
}

function tableText(t: TableFeatures, before: TableFeatures | null, version: OfVersion): string {
  let text = `    metadata: match=${hex(t.metadataMatch)} write=${hex(t.metadataWrite)}\n`;
  if (version >= 5) {
    text += `    eviction: ${t.eviction ? '' : 'not '}supported\n`;
    text += `    vacancy events: ${t.vacancyEvents ? '' : 'not '}supported\n`;
  }
  text += `    max_entries=${t.maxEntries}\n`;
  if (t.properties === null) return text;
  text += abilitiesText(t.properties, before?.properties ?? null);
  const matching = matchingOf(t.properties);
  const same = before?.properties && matchingOf(before.properties) === matching;
  return text + (same ? '    (same matching)\n' : `    matching:\n${matching}`);
}

/** All that a table says but for its number and name; that a table cannot go to itself or back is no difference. */
function essence(t: TableFeatures, last: number, version: OfVersion): string {
  const { properties } = t;
  if (properties === null) return tableText(t, null, version);
  const ahead = (able: TableFlowAbilities): TableFlowAbilities => ({
    ...able,
    nextTables: able.nextTables.filter((id) => id > last),
  });
  const { flows, miss } = properties;
  const own = { ...properties, flows: ahead(flows), miss: ahead(miss) };
  return tableText({ ...t, properties: own }, null, version);
}

/** Tables of all parts of a reply. */
export function tableFeaturesText(tables: readonly TableFeatures[], version: OfVersion): string {
  let text = '';
  let inRun = false;
  for (let i = 0; i < tables.length; ) {
    const t = tables[i];
    const before = i === 0 ? null : tables[i - 1];
    const isSame = (at: number): boolean =>
      essence(tables[at], tables[at].tableId, version) ===
      essence(tables[at - 1], tables[at].tableId, version);
    const name = t.name === '' ? '' : ` ("${t.name}")`;
    if (before !== null && isSame(i)) {
      let end = i + 1;
      if (name === '') {
        while (end < tables.length && tables[end].name === '' && isSame(end)) end++;
        const last = tables[end - 1].tableId;
        text +=
          end - i > 1
            ? `  tables ${t.tableId}...${last}: ditto\n`
            : `  table ${t.tableId}: ditto\n`;
      } else text += `${inRun ? '\n' : ''}  table ${t.tableId}${name}: ditto\n`;
      inRun = name === '';
      i = end;
      continue;
    }
    text += `${inRun ? '\n' : ''}  table ${t.tableId}${name}:\n${tableText(t, before, version)}\n`;
    inRun = false;
    i++;
  }
  return inRun ? `${text}\n` : text;
}

const GROUP_TYPES = ['all', 'select', 'indirect', 'fast failover'];

export function groupFeaturesText(m: MessageOf<'groupFeaturesReply'>, version: OfVersion): string {
  const types = GROUP_TYPES.map((type, i) => {
    const bits = m.actions[i];
    const actions =
      version === 1 ? actions10Text(bits) : actionsText((one) => ((bits >>> one) & 1) === 1);
    return `    ${type} group:\n       max_groups=${hex(m.maxGroups[i])}\n       actions: ${actions}\n`;
  });
  return `\n Group table:\n    Types:  ${hex(m.types)}\n    Capabilities:  ${hex(m.capabilities)}\n${types.join('')}`;
}
