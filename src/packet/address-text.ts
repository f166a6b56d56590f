/** Text of Ethernet, IPv4 and IPv6 addresses in key words, as Open vSwitch prints and reads it. */
import { IPv4, IPv6 } from 'ip-num';

const hex2 = (byte: number): string => (byte & 255).toString(16).padStart(2, '0');

/** `high`: bytes 0-3, `low`: bytes 4-5. */
export function formatMac(high: number, low: number): string {
  return [high >>> 24, high >>> 16, high >>> 8, high, low >>> 8, low].map(hex2).join(':');
}

export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** Four words from words[at], in the form of inet_ntop(3) of glibc. */
export function formatIpv6(words: ArrayLike<number>, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) groups.push(words[at + i] >>> 16, words[at + i] & 0xffff);
  // The first longest run of at least two zero groups is written as "::".
  let best = 0;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      best = i;
      bestLength = length;
    }
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (bestLength < 2) return text(groups);
  // inet_ntop writes IPv4-mapped and IPv4-compatible addresses with a dotted tail.
  if (best === 0 && (bestLength === 6 || (bestLength === 5 && groups[5] === 0xffff))) {
    return `::${bestLength === 5 ? 'ffff:' : ''}${formatIpv4(words[at + 3])}`;
  }
  return `${text(groups.slice(0, best))}::${text(groups.slice(best + bestLength))}`;
}

/** [bytes 0-3, bytes 4-5], or undefined when the text is no Ethernet address. */
export function parseMac(text: string): [number, number] | undefined {
  const parts = text.split(':');
  if (parts.length !== 6 || parts.some((part) => !/^[0-9a-fA-F]{1,2}$/.test(part)))
    return undefined;
  const b = parts.map((part) => Number.parseInt(part, 16));
  return [((b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3]) >>> 0, (b[4] << 8) | b[5]];
}

/** Host order, or undefined when the text is no IPv4 address in dotted quads. */
export function parseIpv4(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  try {
    return Number(new IPv4(text).value);
  } catch {
    return undefined;
  }
}

/** Four words, or undefined when the text is no IPv6 address. A zone (`%eth0`) is none. */
export function parseIpv6(text: string): number[] | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(':')) return undefined;
  try {
    const { value } = new IPv6(text);
    return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn));
  } catch {
    return undefined;
  }
}
