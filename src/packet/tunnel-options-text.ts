/**
 * Raw options of Geneve (tlv-table.ts) in flow text: `{class=0xffff,type=0x80,len=4,0xa/0xf}` one after the other. A value that nothing
 * consulted is left out; a whole mask is not written.
 */
import { type FlowText, hex, wide } from './flow-fields-text.ts';
import { TUN_OPTIONS, TUN_OPTIONS_LENGTH } from './key.ts';

const MAX_WORDS = 63;
const MAX_VALUE_BYTES = 124;

/** Without the parentheses around all options. */
export function formatOptions({ key, mask, verbose }: FlowText): string {
  const end = TUN_OPTIONS + Math.min(key[TUN_OPTIONS_LENGTH] >>> 2, MAX_WORDS);
  let text = '';
  for (let at = TUN_OPTIONS; at < end; ) {
    const count = Math.min(key[at] & 0x1f, end - at - 1);
    const parts: string[] = [];
    const head = (name: string, shift: number, full: number, show: (n: number) => string): void => {
      const bits = (mask[at] >>> shift) & full;
      if (bits === 0 && !verbose) return;
      const scale = name === 'len' ? 4 : 1;
      const tail = bits === full ? '' : `/${hex(bits)}`;
      parts.push(`${name}=${show(((key[at] >>> shift) & full) * scale)}${tail}`);
    };
    head('class', 16, 0xffff, hex);
    head('type', 8, 0xff, hex);
    head('len', 0, 0x1f, String);
    const bits = wide(mask, at + 1, count);
    if (count > 0 && (verbose || bits !== 0n)) {
      const isWhole = bits === (1n << BigInt(32 * count)) - 1n;
      parts.push(`${hexBytes(wide(key, at + 1, count))}${isWhole ? '' : `/${hexBytes(bits)}`}`);
    }
    text += `{${parts.join(',')}}`;
    at += 1 + count;
  }
  return text;
}

const hexBytes = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

const OPTION = /\{class=([^,}]+),type=([^,}]+),len=(\d+)(?:,([^}/]*)(?:\/([^}]*))?)?\}/y;

/** Reads options into a key and its mask; false for text that is none. */
export function parseOptions(text: string, key: Uint32Array, mask: Uint32Array): boolean {
  let at = TUN_OPTIONS;
  OPTION.lastIndex = 0;
  while (OPTION.lastIndex < text.length) {
    const found = OPTION.exec(text);
    if (found === null) return false;
    const [, classText, typeText, lengthText, valueText, maskText] = found;
    const [optionClass, classMask] = masked(classText, 0xffff);
    const [type, typeMask] = masked(typeText, 0xff);
    const length = Number(lengthText);
    const value = bigOf(valueText ?? '0');
    const bits = maskText === undefined ? (1n << BigInt(8 * length)) - 1n : bigOf(maskText);
    if (!(optionClass <= 0xffff && type <= 0xff) || value === null || bits === null) return false;
    if (length % 4 !== 0 || length > MAX_VALUE_BYTES) return false;
    if (value >> BigInt(8 * length) !== 0n || bits >> BigInt(8 * length) !== 0n) return false;
    const count = length >>> 2;
    if (at + 1 + count > TUN_OPTIONS + MAX_WORDS) return false;
    key[at] = (optionClass << 16) | (type << 8) | count;
    mask[at] = (classMask << 16) | (typeMask << 8) | 0x1f;
    for (let i = 0; i < count; i++) {
      const shift = BigInt(32 * (count - 1 - i));
      key[at + 1 + i] = Number((value >> shift) & 0xffffffffn);
      // A length without a value is what nothing looked at.
      mask[at + 1 + i] = valueText === undefined ? 0 : Number((bits >> shift) & 0xffffffffn);
    }
    at += 1 + count;
  }
  key[TUN_OPTIONS_LENGTH] = 4 * (at - TUN_OPTIONS);
  mask[TUN_OPTIONS_LENGTH] = 0xffffffff;
  return true;
}

function masked(text: string, full: number): [value: number, mask: number] {
  const [value, mask] = text.split('/');
  return [Number(value), mask === undefined ? full : Number(mask) & full];
}

const bigOf = (text: string): bigint | null =>
  /^(0x[0-9a-f]+|\d+)$/i.test(text) ? BigInt(text) : null;
