/** Values of fields, ports and flags in the notation of ovs-fields(7), as ovs-ofctl prints them. */
import type { Subfield } from '../../flowtable/action.ts';
import type { OfPort } from '../../flowtable/of-port.ts';
import { formatIpv4, formatIpv6, formatMac } from '../../packet/address-text.ts';
import type { Field } from '../../packet/fields.ts';
import { portFromWide } from '../codec/ports.ts';
import { subfieldName } from './field-names.ts';

/** How to name ports and tables; null where there is only the number. */
export interface NameOptions {
  readonly portName?: (port: OfPort) => string | null;
  readonly tableName?: (table: number) => string | null;
}

const RESERVED_PORTS: Readonly<Record<number, string>> = {
  65527: 'UNSET',
  65528: 'IN_PORT',
  65529: 'TABLE',
  65530: 'NORMAL',
  65531: 'FLOOD',
  65532: 'ALL',
  65533: 'CONTROLLER',
  65534: 'LOCAL',
  65535: 'ANY',
};

export const TCP_FLAG_NAMES = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
export const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
/** Of the flags of a tunnel those that OpenFlow knows. */
export const OPENFLOW_TUNNEL_FLAG_NAMES = ['oam'];

/** A name that is not a letter followed by letters and digits stands in quotes (ovs-ofctl(8), --names). */
const quoted = (name: string): string =>
  /^[A-Za-z][A-Za-z0-9]*$/.test(name) ? name : JSON.stringify(name);

export function formatPort(port: OfPort, names: NameOptions = {}): string {
  const reserved = RESERVED_PORTS[port];
  if (reserved !== undefined) return reserved;
  const name = names.portName?.(port) ?? null;
  return name === null ? String(port) : quoted(name);
}

export function formatTable(table: number, names: NameOptions = {}): string {
  const name = names.tableName?.(table) ?? null;
  return name === null ? String(table) : quoted(name);
}

/** "0x1f", and "0" for zero, as C's %#x. */
export const hexadecimal = (value: number | bigint): string =>
  Number(value) === 0 ? '0' : `0x${value.toString(16)}`;

/** `+syn-ack` under a mask; `syn|ack` when all flags are asked for. */
export function formatFlags(
  flagNames: readonly string[],
  value: number,
  mask: number,
  all: number,
): string {
  const nameOf = (bit: number): string => flagNames[bit] ?? '[Unknown]';
  const bits = Array.from({ length: 32 }, (_, i) => i);
  if (mask === all) {
    const named = flagNames.filter((_, bit) => (value >>> bit) & 1);
    const rest = flagNames.length < 32 ? (value >>> flagNames.length) << flagNames.length : 0;
    if (rest !== 0) named.push(hexadecimal(rest >>> 0));
    return named.length === 0 ? '0' : named.join('|');
  }
  if (mask === 0) return '0/0';
  return bits
    .filter((bit) => (mask >>> bit) & 1)
    .map((bit) => `${(value >>> bit) & 1 ? '+' : '-'}${nameOf(bit)}`)
    .join('');
}

const word = (value: bigint, index: number): number =>
  Number((value >> BigInt(32 * index)) & 0xffffffffn);

export const ipv4Text = (value: bigint): string => formatIpv4(Number(value));

export const ipv6Text = (value: bigint): string =>
  formatIpv6([word(value, 3), word(value, 2), word(value, 1), word(value, 0)], 0);

export const macText = (value: bigint): string =>
  formatMac(Number(value >> 16n), Number(value & 0xffffn));

/** Length of a mask of leading ones, null for another mask. */
function prefixLength(mask: bigint, bits: number): number | null {
  const open = ((1n << BigInt(bits)) - 1n) ^ mask;
  if ((open & (open + 1n)) !== 0n) return null;
  return bits - open.toString(2).length + (open === 0n ? 1 : 0);
}

function address(value: bigint, mask: bigint, bits: number, text: (v: bigint) => string): string {
  const length = prefixLength(mask, bits);
  if (length === bits) return text(value);
  return `${text(value)}/${length ?? text(mask)}`;
}

const FRAGMENTS: Readonly<Record<string, string>> = {
  '0/3': 'no',
  '1/3': 'first',
  '3/3': 'later',
  '0/1': 'no',
  '1/1': 'yes',
  '0/2': 'not_later',
  '2/2': 'later',
};

export const fragmentText = (value: bigint, mask: bigint): string =>
  FRAGMENTS[`${value & mask}/${mask}`] ?? '<error>';

export function packetTypeText(value: bigint, mask: bigint): string {
  const type = (mask & 0xffffn) === 0n ? '*' : hexadecimal(value & 0xffffn);
  return `(${value >> 16n},${type})`;
}

/** A value as match fields and set_field show it; `mask` null for a whole one. */
export function formatValue(
  f: Field,
  value: bigint,
  mask: bigint | null,
  names: NameOptions = {},
): string {
  const all = (1n << BigInt(f.bits)) - 1n;
  const m = mask ?? all;
  if (m === 0n) return 'ANY';
  switch (f.format) {
    case 'ethernet':
      return m === all ? macText(value) : `${macText(value)}/${macText(m)}`;
    case 'ipv4':
      return address(value, m, 32, ipv4Text);
    case 'ipv6':
      return address(value, m, 128, ipv6Text);
    case 'frag':
      return fragmentText(value, m);
    case 'tcp flags':
      return formatFlags(TCP_FLAG_NAMES, Number(value), Number(m), 0xfff);
    case 'tunnel flags':
      return formatFlags(OPENFLOW_TUNNEL_FLAG_NAMES, Number(value), Number(m), 1);
    case 'ct state':
      return formatFlags(CT_STATE_NAMES, Number(value), Number(m), 0xffff);
    case 'port16':
      return formatPort(Number(value) as OfPort, names);
    case 'port32':
      return formatPort(portFromWide(Number(value)) ?? (0xffff as OfPort), names);
    case 'packet type':
      return packetTypeText(value, m);
    case 'decimal':
      return m === all ? String(value) : `${value}/${hexadecimal(m)}`;
    case 'hexadecimal':
      return m === all ? hexadecimal(value) : `${hexadecimal(value)}/${hexadecimal(m)}`;
  }
}

/** `NXM_NX_REG0[]`, `NXM_NX_REG0[0..15]`, `NXM_OF_VLAN_TCI[12]`. */
export function formatSubfield({ field, offset, bits }: Subfield): string {
  const whole = offset === 0 && bits >= field.bits;
  const range = whole ? '' : bits === 1 ? String(offset) : `${offset}..${offset + bits - 1}`;
  return `${subfieldName(field)}[${range}]`;
}
