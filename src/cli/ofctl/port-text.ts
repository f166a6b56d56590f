/** Ports and their queues: descriptions and counters. */

import type { OfPort } from '../../flowtable/of-port.ts';
import type { PortStats } from '../../ofproto/codec/port-messages.ts';
import type { QueueDescription, QueueStats } from '../../ofproto/codec/queue-messages.ts';
import type { PortDescription, PortMod } from '../../ofproto/model.ts';
import { formatPort, macText, type NameOptions } from '../../ofproto/text/field-text.ts';
import { count, hex, seconds } from './flow-text.ts';

/** Names of bits in ascending order; what has none is a number. */
function bitNames(bits: number, names: readonly (readonly [number, string])[]): string {
  if (bits === 0) return '0';
  const known = names.filter(([bit]) => (bits & bit) !== 0);
  const rest = known.reduce((left, [bit]) => left & ~bit, bits);
  return [...known.map(([, name]) => name), ...(rest === 0 ? [] : [hex(rest >>> 0)])].join(' ');
}

const CONFIG = [
  [0x01, 'PORT_DOWN'],
  [0x02, 'NO_STP'],
  [0x04, 'NO_RECV'],
  [0x08, 'NO_RECV_STP'],
  [0x10, 'NO_FLOOD'],
  [0x20, 'NO_FWD'],
  [0x40, 'NO_PACKET_IN'],
] as const;

const STATE = [
  [1, 'LINK_DOWN'],
  [2, 'BLOCKED'],
  [4, 'LIVE'],
  [0x100, 'STP_LEARN'],
  [0x200, 'STP_FORWARD'],
  [0x300, 'STP_BLOCK'],
] as const;

const FEATURES = [
  [0x1, '10MB-HD'],
  [0x2, '10MB-FD'],
  [0x4, '100MB-HD'],
  [0x8, '100MB-FD'],
  [0x10, '1GB-HD'],
  [0x20, '1GB-FD'],
  [0x40, '10GB-FD'],
  [0x80, '40GB-FD'],
  [0x100, '100GB-FD'],
  [0x200, '1TB-FD'],
  [0x400, 'OTHER'],
  [0x800, 'COPPER'],
  [0x1000, 'FIBER'],
  [0x2000, 'AUTO_NEG'],
  [0x4000, 'AUTO_PAUSE'],
  [0x8000, 'AUTO_PAUSE_ASYM'],
] as const;

export function portText(port: PortDescription): string {
  const number = formatPort(port.port);
  const features = (
    [
      ['current', port.current],
      ['advertised', port.advertised],
      ['supported', port.supported],
      ['peer', port.peer],
    ] as const
  )
    .filter(([, bits]) => bits !== 0)
    .map(([name, bits]) => `     ${`${name}:`.padEnd(11)} ${bitNames(bits, FEATURES)}\n`)
    .join('');
  const mbps = (kbps: number): number => Math.trunc(kbps / 1000);
  return (
    ` ${number}(${port.name}): addr:${macText(port.hwAddr)}\n` +
    `     config:     ${bitNames(port.config, CONFIG)}\n` +
    `     state:      ${bitNames(port.state, STATE)}\n${features}` +
    `     speed: ${mbps(port.currentSpeedKbps)} Mbps now, ${mbps(port.maxSpeedKbps)} Mbps max\n`
  );
}

export const portModText = (mod: PortMod): string =>
  ` port: ${formatPort(mod.port)}: addr:${macText(mod.hwAddr)}\n` +
  `     config: ${bitNames(mod.config, CONFIG)}\n     mask:   ${bitNames(mod.mask, CONFIG)}\n` +
  `     advertise: ${mod.advertise === 0 ? 'UNCHANGED' : bitNames(mod.advertise, FEATURES)}\n`;

/** Names of Open vSwitch's RFC 2819 counters in the order of the property. */
const RFC2819 =
  '1_to_64 65_to_127 128_to_255 256_to_511 512_to_1023 1024_to_1522 1523_to_max'.split(' ');
const PER_LINE = 3;

function customText(custom: PortStats['custom']): string {
  const told = custom.filter(({ value }) => value !== null);
  if (told.length === 0) return '';
  const texts = told.map(({ name, value }) => `${name}=${value}`);
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += PER_LINE) {
    lines.push(`                      ${texts.slice(i, i + PER_LINE).join(', ')},\n`);
  }
  return `           CUSTOM Statistics\n${lines.join('')}`;
}

function sizesText(rfc2819: PortStats['rfc2819']): string {
  if (rfc2819 === null) return '';
  const side = (label: string, from: number, names: readonly string[]): string => {
    const told = names.flatMap((name, i) =>
      rfc2819[from + i] === null ? [] : [`${name}=${rfc2819[from + i]}`],
    );
    return told.length === 0 ? '' : `           ${label} ${told.join(', ')}\n`;
  };
  return side('rfc2819 rx', 0, RFC2819) + side('rfc2819 tx', RFC2819.length, RFC2819);
}

export function portStatsText(stats: PortStats, names: NameOptions): string {
  const port = formatPort(stats.port, names);
  const duration =
    stats.durationMs === null ? '' : `           duration=${seconds(stats.durationMs)}s\n`;
  return (
    `  port ${stats.port < 10 ? ' ' : ''}${port}: rx pkts=${count(stats.rxPackets)}, bytes=${count(stats.rxBytes)}, ` +
    `drop=${count(stats.rxDropped)}, errs=${count(stats.rxErrors)}, frame=${count(stats.rxFrameErrors)}, ` +
    `over=${count(stats.rxOverErrors)}, crc=${count(stats.rxCrcErrors)}\n` +
    `           tx pkts=${count(stats.txPackets)}, bytes=${count(stats.txBytes)}, ` +
    `drop=${count(stats.txDropped)}, errs=${count(stats.txErrors)}, coll=${count(stats.collisions)}\n` +
    `${duration}${sizesText(stats.rfc2819)}${customText(stats.custom)}`
  );
}

export const queueStatsText = (stats: QueueStats, names: NameOptions): string =>
  `  port ${formatPort(stats.port, names)} queue ${stats.queue}: bytes=${count(stats.txBytes)}, ` +
  `pkts=${count(stats.txPackets)}, errors=${count(stats.txErrors)}, duration=${
    stats.durationMs === null ? '?' : `${seconds(stats.durationMs)}s`
  }\n`;

export const anyPort = (port: OfPort | null, names: NameOptions): string =>
  port === null ? 'ANY' : formatPort(port, names);

/** Of 1000; null for none. */
const rateText = (name: string, rate: number | null): string =>
  rate === null ? '' : ` ${name}:${(rate / 10).toFixed(1)}%`;

export const queueText = (queue: {
  readonly queue: number;
  readonly minRate: number | null;
  readonly maxRate: number | null;
}): string =>
  `queue ${queue.queue}:${rateText('min_rate', queue.minRate)}${rateText('max_rate', queue.maxRate)}\n`;

/** Queues port by port. */
export function queueDescText(queues: readonly QueueDescription[], names: NameOptions): string {
  let text = ' ';
  for (const [i, one] of queues.entries()) {
    if (one.port !== queues[i - 1]?.port) text += `port=${formatPort(one.port, names)}\n`;
    text += queueText(one);
  }
  return text;
}
