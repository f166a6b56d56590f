/**
 * Any OpenFlow message as ovs-ofctl prints it: its name, version and xid, then what is in it. Kinds without a row in BODIES are shown by
 * their name and their bytes.
 */

import {
  decodeMessage,
  type Message,
  type MessageKind,
  type MessageOf,
} from '../../ofproto/codec/messages.ts';
import type { WireContext } from '../../ofproto/codec/reader.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';
import { formatPort, hexadecimal } from '../../ofproto/text/field-text.ts';
import { formatMatch } from '../../ofproto/text/match-text.ts';
import {
  count,
  type FlowTextOptions,
  flowFilterText,
  flowModText,
  flowStatsText,
  hex,
  seconds,
} from './flow-text.ts';
import {
  actions10Text,
  groupModText,
  groupStatsText,
  groupText,
  meterModText,
  meterStatsText,
  meterText,
} from './group-text.ts';
import { hexdump } from './hexdump.ts';
import { messageName } from './message-names.ts';
import { packetInText, packetOutText, updateText } from './packet-text.ts';
import {
  anyPort,
  portModText,
  portStatsText,
  portText,
  queueDescText,
  queueStatsText,
  queueText,
} from './port-text.ts';
import { groupFeaturesText, tableFeaturesText } from './table-features-text.ts';
import { tableDescText, tableModText, tableStatsText } from './table-text.ts';

export interface MessageTextOptions {
  readonly names: FlowTextOptions;
  readonly context: WireContext;
  readonly stats?: boolean;
}

interface Scene extends MessageTextOptions {
  readonly version: OfVersion;
}

type Bodies = { readonly [K in MessageKind]?: (m: MessageOf<K>, scene: Scene) => string };

const lines = <T>(entries: readonly T[], one: (entry: T) => string): string =>
  `\n${entries.map((entry) => one(entry)).join('')}`;

const groupOptions = (m: { form?: string }, { version, names }: Scene) => ({
  ...names,
  bucketIds: version === 6 || m.form === 'nx',
});

const BUNDLE_TYPES = {
  openRequest: 'OPEN_REQUEST',
  openReply: 'OPEN_REPLY',
  closeRequest: 'CLOSE_REQUEST',
  closeReply: 'CLOSE_REPLY',
  commitRequest: 'COMMIT_REQUEST',
  commitReply: 'COMMIT_REPLY',
  discardRequest: 'DISCARD_REQUEST',
  discardReply: 'DISCARD_REPLY',
} as const;

const TLV_COMMANDS = { add: 'ADD', delete: 'DEL' } as const;

/** Lines of a table, which `%#x` writes: 0 without its prefix. */
function tlvMapsText(maps: MessageOf<'tlvTableReply'>['maps']): string {
  const rows = maps.map(({ optionClass, optionType, optionLength, index }) => {
    const type = hexadecimal(optionType).padStart(5);
    const length = String(optionLength).padStart(7);
    return ` ${hexadecimal(optionClass).padStart(6)} ${type} ${length}  tun_metadata${index}\n`;
  });
  return `  class  type  length  match field\n ------  ----  ------  --------------\n${rows.join('')}`;
}

const CAPABILITIES = [
  ['flowStats', 'FLOW_STATS'],
  ['tableStats', 'TABLE_STATS'],
  ['portStats', 'PORT_STATS'],
  ['stp', 'STP'],
  ['groupStats', 'GROUP_STATS'],
  ['ipReassembly', 'IP_REASM'],
  ['queueStats', 'QUEUE_STATS'],
  ['arpMatchIp', 'ARP_MATCH_IP'],
  ['portBlocked', 'PORT_BLOCKED'],
  ['bundles', 'BUNDLES'],
  ['flowMonitoring', 'FLOW_MONITORING'],
] as const;

const PORT_REASONS = { add: 'ADD', delete: 'DEL', modify: 'MOD' } as const;

const REMOVED = {
  idleTimeout: 'idle',
  hardTimeout: 'hard',
  delete: 'delete',
  groupDelete: 'group_delete',
  meterDelete: 'meter_delete',
  eviction: 'eviction',
} as const;

const FRAGMENTS = {
  normal: 'normal',
  drop: 'drop',
  reassemble: 'reassemble',
  nxMatch: 'nx-match',
} as const;

function features(m: MessageOf<'featuresReply'>, { version }: Scene): string {
  const dpid = m.datapathId.toString(16).padStart(16, '0');
  const auxiliary = m.auxiliaryId === 0 ? '' : `, auxiliary_id:${m.auxiliaryId}`;
  const able = CAPABILITIES.filter(([key]) => m.capabilities[key]).map(([, name]) => name);
  const head = ` dpid:${dpid}\nn_tables:${m.tables}, n_buffers:${m.buffers}${auxiliary}\n`;
  const capabilities = `capabilities: ${able.length === 0 ? '0' : able.join(' ')}\n`;
  const actions = version === 1 ? `actions: ${actions10Text(m.actions)}\n` : '';
  return `${head}${capabilities}${actions}${m.ports.map(portText).join('')}`;
}

/** The request that an error is about, as much of it as came back. */
function quoted(data: Uint8Array, scene: Scene): string {
  if (data.length < 8) return data.length === 0 ? '' : hexdump(data);
  const whole = (data[2] << 8) | data[3];
  if (whole === data.length) return messageText(data, { ...scene, names: {} });
  const name = messageName(data);
  const xid = new DataView(data.buffer, data.byteOffset).getUint32(4);
  const cut = `(***truncated to ${data.length} bytes from ${whole}***)`;
  return `${title(name, data[0], xid)}\n${cut}\n${hexdump(data)}`;
}

function removed({ flow }: MessageOf<'flowRemoved'>, { names }: Scene): string {
  const match = formatMatch(flow.match, { ...names, priority: flow.priority });
  const table = flow.tableId === 255 ? '' : ` table_id=${flow.tableId}`;
  const cookie = flow.cookie === 0n ? '' : ` cookie:${hex(flow.cookie)}`;
  const hard = flow.hardTimeoutSeconds === 0 ? '' : ` hard${flow.hardTimeoutSeconds}`;
  return (
    ` ${match} reason=${REMOVED[flow.reason]}${table}${cookie} duration${seconds(flow.durationMs)}s` +
    ` idle${flow.idleTimeoutSeconds}${hard} pkts${count(flow.packets)} bytes${count(flow.bytes)}\n`
  );
}

const meterName = (id: number | null): string => `meter=${id ?? 'all'}`;

const BODIES: Bodies = {
  hello: (m, { version }) => {
    // Without a bitmap all versions up to the header's are meant.
    const bitmap = m.bitmap ?? (2 << version) - 2;
    const versions = [1, 2, 3, 4, 5, 6].filter((v) => (bitmap >> v) & 1);
    return `\n version bitmap: ${versions.map((v) => `0x0${v}`).join(', ')}\n`;
  },
  error: (m, scene) => ` ${m.error ?? 'unknown error'}\n${quoted(m.data, scene)}`,
  echoRequest: (m) => ` ${m.data.length} bytes of payload\n${hexdump(m.data)}`,
  echoReply: (m) => ` ${m.data.length} bytes of payload\n${hexdump(m.data)}`,
  featuresReply: features,
  getConfigReply: (m) => ` frags=${FRAGMENTS[m.fragments]} miss_send_len=${m.missSendLength}\n`,
  setConfig: (m) => ` frags=${FRAGMENTS[m.fragments]} miss_send_len=${m.missSendLength}\n`,
  featuresRequest: () => '\n',
  getConfigRequest: () => '\n',
  barrierRequest: () => '\n',
  barrierReply: () => '\n',
  setFlowFormat: (m) => ` format=${m.flowFormat}\n`,
  flowModTableId: (m) => ` ${m.enabled ? 'enable' : 'disable'}\n`,
  setControllerId: (m) => ` id=${m.controllerId}\n`,
  portDescRequest: () => '\n',
  portDescReply: (m) => lines(m.entries, portText),
  portStatus: (m) => ` ${PORT_REASONS[m.reason]}:${portText(m.port)}`,
  portMod: portModText,
  portStatsReply: (m, { names }) =>
    ` ${m.entries.length} ports\n${m.entries.map((one) => portStatsText(one, names)).join('')}`,
  queueStatsRequest: (m, { names }) =>
    ` port=${m.port === null ? 'ANY' : formatPort(m.port, names)} queue=${m.queue ?? 'ALL'}\n`,
  queueStatsReply: (m, { names }) =>
    ` ${m.entries.length} queues\n${m.entries.map((one) => queueStatsText(one, names)).join('')}`,
  flowMod: (m, { names }) => ` ${flowModText(m.flowMod, names)}\n`,
  flowRemoved: removed,
  flowStatsRequest: (m, { names }) => `${flowFilterText(m.filter, names)}\n`,
  aggregateRequest: (m, { names }) => `${flowFilterText(m.filter, names)}\n`,
  flowStatsReply: (m, { names, stats }) =>
    lines(
      m.entries,
      (one) => `${flowStatsText(one, names, { stats: stats ?? true, ages: true })}\n`,
    ),
  aggregateReply: (m) =>
    ` packet_count=${count(m.packets)} byte_count=${count(m.bytes)} flow_count=${m.flows}\n`,
  groupMod: (m, scene) => groupModText(m.groupMod, groupOptions(m, scene)),
  groupDescReply: (m, scene) =>
    lines(m.entries, (one) => ` ${groupText(one, groupOptions(m, scene))}\n`),
  groupStatsReply: (m) => lines(m.entries, groupStatsText),
  meterMod: (m) => meterModText(m.meterMod),
  meterConfigReply: (m) => `\n${m.entries.map(meterText).join('\n')}`,
  meterStatsReply: (m) => `\n${m.entries.map(meterStatsText).join('\n')}`,
  meterConfigRequest: (m) => ` ${meterName(m.meterId)}\n`,
  meterStatsRequest: (m) => ` ${meterName(m.meterId)}\n`,
  groupStatsRequest: (m) => ` group_id=${m.groupId ?? 'ALL'}\n`,
  meterFeaturesReply: (m) =>
    `\nmax_meter:${m.maxMeters} max_bands:${m.maxBands} max_color:${m.maxColor}\n` +
    `band_types:${(m.bandTypes & 2) !== 0 ? ' drop' : ''}${(m.bandTypes & 4) !== 0 ? ' dscp_remark' : ''}\n` +
    `capabilities:${['kbps', 'pktps', 'burst', 'stats'].map((name, bit) => ((m.capabilities >> bit) & 1 ? ` ${name}` : '')).join('')}\n`,
  tableFeaturesReply: (m, { version }) => `\n${tableFeaturesText(m.entries, version)}`,
  tableFeaturesRequest: (m, { version }) => `\n${tableFeaturesText(m.entries, version)}`,
  tableDescReply: (m) => `\n${m.entries.map(tableDescText).join('\n')}`,
  tableMod: (m, { version }) => ` ${tableModText(m.table, version)}\n`,
  groupFeaturesReply: (m, { version }) => groupFeaturesText(m, version),
  descReply: (m) =>
    `\nManufacturer: ${m.manufacturer}\nHardware: ${m.hardware}\nSoftware: ${m.software}\n` +
    `Serial Num: ${m.serial}\nDP Description: ${m.datapath}\n`,
  queueConfigRequest: (m, { names }) => ` port=${anyPort(m.port, names)}\n`,
  queueConfigReply: (m, { names }) =>
    ` port=${anyPort(m.port, names)}\n${m.queues.map(queueText).join('')}`,
  queueDescRequest: (m, { names }) =>
    ` port=${anyPort(m.port, names)}${m.queue === null ? '' : ` queue=${m.queue}`}\n`,
  queueDescReply: (m, { names }) => queueDescText(m.entries, names),
  ipfixBridgeRequest: () => '\n',
  ipfixFlowRequest: () => '\n',
  tlvTableMod: (m) =>
    m.command === 'clear'
      ? '\n CLEAR\n'
      : `\n ${TLV_COMMANDS[m.command]} mapping table:\n${tlvMapsText(m.maps)}`,
  tlvTableReply: (m) => {
    const used = m.maps.reduce((bytes, { optionLength }) => bytes + optionLength, 0);
    const head = `\n max option space=${m.maxOptionSpace} max fields=${m.maxFields}\n`;
    return `${head} allocated option space=${used}\n\n mapping table:\n${tlvMapsText(m.maps)}`;
  },
  ctFlushZone: (m) => ` zone_id=${m.zone}\n`,
  tableStatsReply: (m, { version }) => tableStatsText(m.entries, version),
  packetIn: packetInText,
  packetOut: (m, { names }) => packetOutText(m.packetOut, names),
  flowMonitorReply: (m, { names }) => lines(m.entries, (one) => updateText(one, names)),
  flowMonitorPaused: () => '\n',
  flowMonitorResumed: () => '\n',
  bundleControl: (m) =>
    `\n bundle_id=${hexadecimal(m.bundleId)} type=${BUNDLE_TYPES[m.type]} flags=${
      [...(m.flags & 1 ? ['atomic'] : []), ...(m.flags & 2 ? ['ordered'] : [])].join(' ') || '0'
    }\n`,
  bundleAdd: (m, scene) =>
    `\n bundle_id=${hexadecimal(m.bundleId)} flags=${
      [...(m.flags & 1 ? ['atomic'] : []), ...(m.flags & 2 ? ['ordered'] : [])].join(' ') || '0'
    }\n${messageText(m.bundled, scene)}`,
};

const title = (name: string, version: number, xid: number): string =>
  `${name}${version === 1 ? '' : ` (OF1.${version - 1})`} (xid=${hex(xid)}):`;

/** A row has the kind of its key, which the compiler cannot follow. */
const bodyText = (message: Message, scene: Scene): string | undefined =>
  (BODIES[message.kind] as ((m: Message, scene: Scene) => string) | undefined)?.(message, scene);

/** A header of a multipart request that says nothing more; Nicira's are the longest. */
const EMPTY_BYTES = 24;

/** A whole message with its header, as lines of text. */
export function messageText(bytes: Uint8Array, options: MessageTextOptions): string {
  const version = Math.min(Math.max(bytes[0], 1), 6) as OfVersion;
  const decoded = decodeMessage(bytes, { ...options.context, version });
  const head = title(messageName(bytes), version, decoded.xid);
  if (!decoded.ok) return `${head} ***decode error: ${decoded.error}***\n${hexdump(bytes)}`;
  const body = bodyText(decoded.message, { ...options, version });
  const isEmpty = bytes.length <= EMPTY_BYTES && Object.keys(decoded.message).length === 1;
  return `${head}${body ?? (isEmpty ? '\n' : `\n${hexdump(bytes)}`)}`;
}
