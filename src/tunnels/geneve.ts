/**
 * Geneve (RFC 8926): version u2 and options' length in words u6 @0, flags u8 @1 (O 0x80 control packet, C 0x40 critical
 * options), protocol u16 @2, VNI u24 @4, then options: class u16, type u8 (0x80: critical), reserved u3 and length in words u5.
 *
 * Options pass as they are (packet/tlv-table.ts, the raw form): which of them is a field, and whether one that must be understood
 * is not, is known to translation only.
 */
import { TUN_FLAGS, TUN_ID, TUN_OPTIONS, TUN_OPTIONS_LENGTH } from '../packet/key.ts';
import { TunnelFlag, TunnelRefusal } from './tunnel-words.ts';

const GENEVE_BYTES = 8;
/** Six bits of words. */
const MAX_OPTIONS_BYTES = 252;
const TRANSPARENT_ETHERNET = 0x6558;
const FLAG_O = 0x80;
const FLAG_C = 0x40;
/** Of an option's head. */
const CRITICAL = 0x8000;
const RESERVED = 0xe0;

/** Bytes that encodeGeneve() will write. */
export const geneveBytes = (words: Uint32Array, base: number): number =>
  GENEVE_BYTES + optionsBytes(words, base);

const optionsBytes = (words: Uint32Array, base: number): number =>
  Math.min(words[base + TUN_OPTIONS_LENGTH], MAX_OPTIONS_BYTES) & ~3;

/** Writes the header at `to`, with the options that the frame has; returns its length. */
export function encodeGeneve(view: DataView, to: number, words: Uint32Array, base: number): number {
  const bytes = optionsBytes(words, base);
  let flags = (words[base + TUN_FLAGS] >>> 16) & TunnelFlag.OAM ? FLAG_O : 0;
  for (let at = 0; at < bytes >>> 2; ) {
    const head = words[base + TUN_OPTIONS + at];
    if ((head & CRITICAL) !== 0) flags |= FLAG_C;
    at += 1 + (head & 0x1f);
  }
  for (let i = 0; i < bytes >>> 2; i++) {
    view.setUint32(to + GENEVE_BYTES + 4 * i, words[base + TUN_OPTIONS + i]);
  }
  view.setUint32(to, (bytes << 22) | (flags << 16) | TRANSPARENT_ETHERNET);
  view.setUint32(to + 4, (words[base + TUN_ID + 1] & 0xffffff) << 8);
  return GENEVE_BYTES + bytes;
}

/** Reads a header from `length` bytes at `at`; returns its length or a TunnelRefusal. The words must be clear of options. */
export function decodeGeneve(
  view: DataView,
  at: number,
  length: number,
  words: Uint32Array,
  base: number,
): number {
  if (length < GENEVE_BYTES) return TunnelRefusal.TRUNCATED;
  const head = view.getUint32(at);
  if (head >>> 30 !== 0) return TunnelRefusal.BAD_VERSION;
  const count = (head >>> 24) & 0x3f;
  const bytes = GENEVE_BYTES + count * 4;
  if (length < bytes) return TunnelRefusal.TRUNCATED;
  if ((head & 0xffff) !== TRANSPARENT_ETHERNET) return TunnelRefusal.PROTOCOL;
  words[base + TUN_ID + 1] = view.getUint32(at + 4) >>> 8;
  words[base + TUN_FLAGS] |= TunnelFlag.KEY << 16;
  if (((head >>> 16) & FLAG_O) !== 0) words[base + TUN_FLAGS] |= TunnelFlag.OAM << 16;
  if (count === 0) return bytes;
  const from = at + GENEVE_BYTES;
  for (let i = 0; i < count; ) {
    const option = view.getUint32(from + 4 * i) & ~RESERVED;
    const end = i + 1 + (option & 0x1f);
    if (end > count) return TunnelRefusal.BAD_OPTION;
    words[base + TUN_OPTIONS + i] = option;
    for (i++; i < end; i++) words[base + TUN_OPTIONS + i] = view.getUint32(from + 4 * i);
  }
  words[base + TUN_OPTIONS_LENGTH] = count * 4;
  return bytes;
}
