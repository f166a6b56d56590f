/** Text of Ethernet, IPv4 and IPv6 addresses in key words, as Open vSwitch prints and reads it. */

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

export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (
    parts.length !== 4 ||
    parts.some((part) => !/^[0-9]{1,3}$/.test(part) || Number(part) > 255)
  ) {
    return undefined;
  }
  return parts.reduce((word, part) => ((word << 8) | Number(part)) >>> 0, 0);
}

/** Four words, or undefined when the text is no IPv6 address. */
export function parseIpv6(text: string): number[] | undefined {
  let rest = text;
  const tail: number[] = [];
  const dotted = /(^|:)([0-9.]*\.[0-9.]*)$/.exec(rest);
  if (dotted) {
    const word = parseIpv4(dotted[2]);
    if (word === undefined) return undefined;
    tail.push(word >>> 16, word & 0xffff);
    rest = rest.slice(0, rest.length - dotted[2].length);
    // What is left ends with the colon before the dotted part.
    rest = rest.endsWith('::') ? rest : rest.slice(0, -1);
  }
  const halves = rest.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string) => (half === '' ? [] : half.split(':'));
  const before = groupsOf(halves[0]);
  const after = halves.length === 2 ? groupsOf(halves[1]) : [];
  if ([...before, ...after].some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const count = before.length + after.length + tail.length;
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined;
  const groups = [
    ...before.map((group) => Number.parseInt(group, 16)),
    ...new Array<number>(8 - count).fill(0),
    ...after.map((group) => Number.parseInt(group, 16)),
    ...tail,
  ];
  return [0, 2, 4, 6].map((i) => ((groups[i] << 16) | groups[i + 1]) >>> 0);
}
