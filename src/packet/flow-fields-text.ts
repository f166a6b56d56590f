/**
 * Pieces of flow text that its parts share: numbers, flags and the fields of one header, each with its mask unless
 * that is complete.
 */
import { formatIpv4, formatIpv6, formatMac } from './address-text.ts';
import * as K from './key.ts';

export const TCP_FLAG_NAMES = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];
export const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
export const TUNNEL_FLAG_NAMES = ['oam', 'df', 'csum', 'key'];

/** The mask of text without masks. */
export const FULL = new Uint32Array(K.DP_WORDS).fill(0xffffffff);

/** One text that is being made. */
export interface FlowText {
  readonly key: ArrayLike<number>;
  readonly mask: ArrayLike<number>;
  /** Fields that nothing consulted are written as well, with a mask of 0. */
  readonly verbose: boolean;
}

/** C's "%#x", which writes 0 without a prefix. */
export const hex = (value: number): string =>
  value === 0 ? '0' : `0x${(value >>> 0).toString(16)}`;
/** C's "0x%x", which writes 0 as 0x0. */
export const hex0 = (value: number): string => `0x${(value >>> 0).toString(16)}`;
export const decimal = (value: number): string => String(value >>> 0);

/** One header's fields. */
export class Fields {
  readonly parts: string[] = [];
  private readonly text: FlowText;

  constructor(text: FlowText) {
    this.text = text;
  }

  /** The bits `full << shift` of a word. */
  add(
    name: string,
    word: number,
    shift: number,
    full: number,
    format: (value: number) => string,
    formatMask = hex,
  ): void {
    const { key, mask, verbose } = this.text;
    const bits = ((mask[word] >>> shift) & full) >>> 0;
    if (bits === 0 && !verbose) return;
    const tail = bits === full ? '' : `/${formatMask(bits)}`;
    this.parts.push(`${name}=${format(((key[word] >>> shift) & full) >>> 0)}${tail}`);
  }

  ipv4(name: string, word: number): void {
    this.add(name, word, 0, 0xffffffff, formatIpv4, formatIpv4);
  }

  ipv6(name: string, at: number): void {
    const { key, mask, verbose } = this.text;
    const bits = wide(mask, at, 4);
    if (bits === 0n && !verbose) return;
    const tail = bits === (1n << 128n) - 1n ? '' : `/${formatIpv6(mask, at)}`;
    this.parts.push(`${name}=${formatIpv6(key, at)}${tail}`);
  }

  /** An Ethernet address in two words: in the low half of the first (`lowFirst`) or the high half of the second. */
  mac(name: string, first: number, second: number, lowFirst: boolean): void {
    const { key, mask, verbose } = this.text;
    const high = (w: ArrayLike<number>) =>
      lowFirst ? ((w[first] << 16) | (w[second] >>> 16)) >>> 0 : w[first] >>> 0;
    const low = (w: ArrayLike<number>) => (lowFirst ? w[second] & 0xffff : w[second] >>> 16);
    if (high(mask) === 0 && low(mask) === 0 && !verbose) return;
    const isFull = high(mask) === 0xffffffff && low(mask) === 0xffff;
    const tail = isFull ? '' : `/${formatMac(high(mask), low(mask))}`;
    this.parts.push(`${name}=${formatMac(high(key), low(key))}${tail}`);
  }

  /** `name(field=value,...)` unless there are no fields. */
  appendTo(parts: string[], name: string): void {
    if (this.parts.length > 0) parts.push(`${name}(${this.parts.join(',')})`);
  }
}

/** `count` words as one number, the first one most significant. */
export function wide(words: ArrayLike<number>, at: number, count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i++) value = (value << 32n) | BigInt(words[at + i] >>> 0);
  return value;
}

/** Names of the bits that are set, joined by "|", as in tcp_flags(syn|ack); the rest as a number. */
export function flagNames(value: number, names: readonly string[]): string {
  if (value === 0) return '0';
  const parts = names.filter((_, bit) => (value & (1 << bit)) !== 0);
  const rest = (value & ~((1 << names.length) - 1)) >>> 0;
  if (rest !== 0) parts.push(hex0(rest));
  return parts.join('|');
}

/** +set-clear for each bit of the mask; 0/0 for none. */
export function maskedFlags(value: number, mask: number, names: readonly string[]): string {
  if (mask === 0) return '0/0';
  let text = '';
  for (let bit = 0; bit < 32; bit++) {
    if ((mask & (1 << bit)) === 0) continue;
    text += `${(value & (1 << bit)) !== 0 ? '+' : '-'}${names[bit] ?? hex0(1 << bit)}`;
  }
  return text;
}
