/** Groups and meters: what they are and what they counted. */
import type { GroupStats } from '../../ofproto/codec/group-messages.ts';
import type { MeterConfig, MeterStats } from '../../ofproto/codec/meter-messages.ts';
import type {
  Bucket,
  GroupMod,
  GroupType,
  MeterMod,
  SelectionMethod,
} from '../../ofproto/model.ts';
import { formatActions } from '../../ofproto/text/actions-text.ts';
import { formatPort, formatValue, type NameOptions } from '../../ofproto/text/field-text.ts';
import { count, seconds } from './flow-text.ts';

const TYPES: Readonly<Record<GroupType, string>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  fastFailover: 'ff',
};

export interface GroupTextOptions extends NameOptions {
  /** OpenFlow 1.5 and Nicira's messages tell ids of buckets. */
  readonly bucketIds: boolean;
}

function bucketText(bucket: Bucket, type: GroupType, options: GroupTextOptions): string {
  const usual = type === 'select' ? 1 : 0;
  return [
    ...(options.bucketIds ? [`bucket_id:${bucket.bucketId}`] : []),
    ...(bucket.weight === usual ? [] : [`weight:${bucket.weight}`]),
    ...(bucket.watchPort === null ? [] : [`watch_port:${formatPort(bucket.watchPort, options)}`]),
    ...(bucket.watchGroup === null ? [] : [`watch_group:${bucket.watchGroup}`]),
    `actions=${formatActions(bucket.actions, options)}`,
  ].join(',');
}

function selectionText(selection: SelectionMethod | null): string {
  if (selection === null || selection.method === '') return '';
  const param = selection.param === 0n ? '' : `,selection_method_param=${selection.param}`;
  const fields = selection.named.map(({ field, mask }) => {
    const all = (1n << BigInt(field.bits)) - 1n;
    return mask === all ? field.name : `${field.name}=${formatValue(field, mask, null)}`;
  });
  const isSingle = fields.length === 1 && !fields[0].includes('=');
  const text = isSingle ? `,fields=${fields[0]}` : `,fields(${fields.join(',')})`;
  const list = fields.length === 0 ? '' : text;
  return `,selection_method=${selection.method}${param}${list}`;
}

export function groupText(
  group: Pick<GroupMod, 'groupId' | 'buckets' | 'selection'> & { readonly type: GroupType | null },
  options: GroupTextOptions,
): string {
  const type = group.type === null ? '' : `,type=${TYPES[group.type]}`;
  const buckets = group.buckets.map(
    (b) => `,bucket=${bucketText(b, group.type ?? 'all', options)}`,
  );
  return `group_id=${group.groupId}${type}${selectionText(group.selection)}${buckets.join('')}`;
}

const COMMANDS: Readonly<Record<GroupMod['command'], string>> = {
  add: 'ADD',
  modify: 'MOD',
  addOrModify: 'ADD_OR_MOD',
  delete: 'DEL',
  insertBucket: 'INSERT_BUCKET',
  removeBucket: 'REMOVE_BUCKET',
};

const BUCKETS: Readonly<Record<number, string>> = {
  4294967293: 'first',
  4294967294: 'last',
  4294967295: 'all',
};

/** Commands on buckets say which, and nothing of the group but its number. */
export function groupModText(mod: GroupMod, options: GroupTextOptions): string {
  const { command, commandBucketId: id } = mod;
  const onBuckets = command === 'insertBucket' || command === 'removeBucket';
  const which = onBuckets ? `command_bucket_id:${BUCKETS[id] ?? id},` : '';
  return `\n ${COMMANDS[command]} ${which}${groupText(onBuckets ? { ...mod, type: null } : mod, options)}\n`;
}

export function groupStatsText(stats: GroupStats): string {
  const duration = stats.durationMs === null ? '' : `duration=${seconds(stats.durationMs)}s,`;
  const counts = (of: { packets: bigint | null; bytes: bigint | null }): string =>
    `packet_count=${count(of.packets)},byte_count=${count(of.bytes)}`;
  const buckets = stats.buckets.map((bucket, i) => `,bucket${i}:${counts(bucket)}`);
  return ` group_id=${stats.groupId},${duration}ref_count=${stats.references},${counts(stats)}${buckets.join('')}\n`;
}

const METERS: Readonly<Record<number, string>> = {
  4294967293: 'slowpath',
  4294967294: 'controller',
  4294967295: 'all',
};

const meterName = (id: number): string => METERS[id] ?? String(id);

const METER_FLAGS = ['kbps', 'pktps', 'burst', 'stats'] as const;

const flagText = (flags: MeterMod['flags']): string =>
  METER_FLAGS.filter((name) => flags[name])
    .map((name) => `${name} `)
    .join('');

export function meterText({ meterId, flags, bands }: MeterConfig): string {
  const lines = bands.map(({ type, rate, burst, precLevel }) => {
    const size = flags.burst ? ` burst_size=${burst}` : '';
    return type === 'drop'
      ? `\ntype=drop rate=${rate}${size}`
      : `\ntype=dscp_remark rate=${rate}${size} prec_level=${precLevel}`;
  });
  return `meter=${meterName(meterId)} ${flagText(flags)}bands=${lines.join('')}\n`;
}

export function meterModText(mod: MeterMod): string {
  const command = { add: 'ADD', modify: 'MOD', delete: 'DEL' }[mod.command];
  return ` ${command} ${meterText(mod)}`;
}

export function meterStatsText(stats: MeterStats): string {
  const bands = stats.bands.map(
    (band, i) => `${i}: packet_count:${count(band.packets)} byte_count:${count(band.bytes)}\n`,
  );
  return (
    `meter:${meterName(stats.meterId)} flow_count:${stats.flows} packet_in_count:${count(stats.packetsIn)} ` +
    `byte_in_count:${count(stats.bytesIn)} duration:${seconds(stats.durationMs)}s bands:\n${bands.join('')}`
  );
}

const ACTIONS_10 = [
  'output set_vlan_vid set_vlan_pcp strip_vlan mod_dl_src mod_dl_dst',
  'mod_nw_src mod_nw_dst mod_nw_tos mod_tp_src mod_tp_dst enqueue',
]
  .join(' ')
  .split(' ');
/** In the order in which they are shown. */
const ACTIONS_10_ORDER = [0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** OFPAT10_* bits by the names of the actions. */
export const actions10Text = (bits: number): string =>
  ACTIONS_10_ORDER.filter((bit) => (bits >>> bit) & 1)
    .map((bit) => ACTIONS_10[bit])
    .join(' ');
