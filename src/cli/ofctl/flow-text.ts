/** Flows, their sums and their modifications as ovs-ofctl(8), "Table Entry Output", shows them. */
import { OF10 } from '../../ofproto/codec/versions.ts';
import type { FlowFilter, FlowFlags, FlowMod, FlowStatsEntry } from '../../ofproto/model.ts';
import { NO_BUFFER, OFPTT_ALL } from '../../ofproto/model.ts';
import { formatActions } from '../../ofproto/text/actions-text.ts';
import {
  formatPort,
  formatTable,
  hexadecimal,
  type NameOptions,
} from '../../ofproto/text/field-text.ts';
import { formatMatch } from '../../ofproto/text/match-text.ts';

/** Names, and where Geneve options lie in the key. */
export type FlowTextOptions = NameOptions & Parameters<typeof formatMatch>[1];

const FLAG_NAMES: readonly (readonly [keyof FlowFlags, string])[] = [
  ['sendFlowRemoved', 'send_flow_rem'],
  ['checkOverlap', 'check_overlap'],
  ['resetCounts', 'reset_counts'],
  ['noPacketCounts', 'no_packet_counts'],
  ['noByteCounts', 'no_byte_counts'],
  ['hiddenFields', 'allow_hidden_fields'],
  ['noReadonly', 'no_readonly_table'],
];

const flagWords = (flags: FlowFlags): string =>
  FLAG_NAMES.filter(([key]) => flags[key])
    .map(([, name]) => `${name} `)
    .join('');

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

export const seconds = (ms: number | null): string => (ms === null ? '?' : (ms / 1000).toFixed(3));

const UNKNOWN = 0xffff_ffff_ffff_ffffn;
export const count = (value: bigint | null): string =>
  value === null || value === UNKNOWN ? '?' : String(value);

/** A text that ends in a blank needs no other one. */
const spaced = (text: string): string => (text.endsWith(' ') ? text : `${text} `);

interface StatsOptions {
  readonly stats: boolean;
  /** Ages are told in one kind of reply only. */
  readonly ages: boolean;
}

/** One line without its end. */
export function flowStatsText(
  flow: FlowStatsEntry,
  names: FlowTextOptions,
  { stats, ages }: StatsOptions,
): string {
  let head = ' ';
  if (stats || flow.cookie !== 0n) head += `cookie=${hex(flow.cookie)}, `;
  if (stats) head += `duration=${seconds(flow.durationMs)}s, `;
  if (stats || flow.tableId !== 0) head += `table=${formatTable(flow.tableId, names)}, `;
  if (stats) head += `n_packets=${flow.packets}, n_bytes=${flow.bytes}, `;
  if (flow.idleTimeoutSeconds !== 0) head += `idle_timeout=${flow.idleTimeoutSeconds}, `;
  if (flow.hardTimeoutSeconds !== 0) head += `hard_timeout=${flow.hardTimeoutSeconds}, `;
  head += flagWords(flow.flags);
  if (flow.importance !== 0) head += `importance=${flow.importance}, `;
  if (stats && ages) head += agesText(flow);
  const match = formatMatch(flow.match, { ...names, priority: flow.priority });
  return `${spaced(head + match)}actions=${formatActions(flow.actions, names)}`;
}

function agesText({ idleAgeMs, hardAgeMs, durationMs }: FlowStatsEntry): string {
  const idle = idleAgeMs === null ? '' : `idle_age=${Math.trunc(idleAgeMs / 1000)}, `;
  if (hardAgeMs === null) return idle;
  const hard = Math.trunc(hardAgeMs / 1000);
  return hard === Math.trunc(durationMs / 1000) ? idle : `${idle}hard_age=${hard}, `;
}

const COMMANDS = {
  add: 'ADD',
  modify: 'MOD',
  modifyStrict: 'MOD_STRICT',
  delete: 'DEL',
  deleteStrict: 'DEL_STRICT',
} as const;

export function flowModText(mod: FlowMod, names: FlowTextOptions): string {
  let text = `${COMMANDS[mod.command]} `;
  // OpenFlow 1.0 itself knows no tables, and always resets counters.
  const old = mod.version === OF10;
  if (mod.tableId !== 0 && !(old && mod.tableId === OFPTT_ALL))
    text += `table:${formatTable(mod.tableId, names)} `;
  text = spaced(text + formatMatch(mod.match, { ...names, priority: mod.priority }));
  if (mod.newCookie !== null && mod.newCookie !== 0n) text += `cookie:${hex(mod.newCookie)} `;
  if (mod.cookieMask !== 0n) text += `cookie:${hex(mod.cookie)}/${hex(mod.cookieMask)} `;
  if (mod.idleTimeoutSeconds !== 0) text += `idle:${mod.idleTimeoutSeconds} `;
  if (mod.hardTimeoutSeconds !== 0) text += `hard:${mod.hardTimeoutSeconds} `;
  if (mod.importance !== 0) text += `importance:${mod.importance} `;
  if (mod.bufferId !== NO_BUFFER) text += `buf:${hex(mod.bufferId)} `;
  if (mod.outPort !== null) text += `out_port:${formatPort(mod.outPort, names)} `;
  if (mod.outGroup !== null) text += `out_group:${mod.outGroup} `;
  const flags = old ? { ...mod.flags, resetCounts: false } : mod.flags;
  return `${text}${flagWords(flags)}actions=${formatActions(mod.actions, names)}`;
}

export function flowFilterText(filter: FlowFilter, names: FlowTextOptions): string {
  const table = filter.tableId === 255 ? '' : ` table=${formatTable(filter.tableId, names)}`;
  const port = filter.outPort === null ? '' : ` out_port=${formatPort(filter.outPort, names)}`;
  return `${table}${port} ${formatMatch(filter.match, names)}`;
}

/** As diff-flows prints a flow: `table=1 priority=5,tcp cookie=0x1 actions=drop`, only what is not the default. */
export function flowVersionText(
  flow: Pick<
    FlowStatsEntry,
    | 'tableId'
    | 'match'
    | 'priority'
    | 'cookie'
    | 'idleTimeoutSeconds'
    | 'hardTimeoutSeconds'
    | 'importance'
    | 'actions'
  >,
  names: FlowTextOptions,
): string {
  const table = flow.tableId === 0 ? '' : `table=${formatTable(flow.tableId, names)} `;
  const match = formatMatch(flow.match, { ...names, priority: flow.priority });
  const cookie = flow.cookie === 0n ? '' : ` cookie=${hexadecimal(flow.cookie)}`;
  const idle = flow.idleTimeoutSeconds === 0 ? '' : ` idle_timeout=${flow.idleTimeoutSeconds}`;
  const hard = flow.hardTimeoutSeconds === 0 ? '' : ` hard_timeout=${flow.hardTimeoutSeconds}`;
  const importance = flow.importance === 0 ? '' : ` importance=${flow.importance}`;
  const actions = formatActions(flow.actions, names);
  return `${table}${match}${cookie}${idle}${hard}${importance} actions=${actions}`;
}
