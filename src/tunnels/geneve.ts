/**
 * Geneve (RFC 8926): version u2 and options' length in words u6 @0, flags u8 @1 (O 0x80 control packet, C 0x40 critical
 * options), protocol u16 @2, VNI u24 @4, then options: class u16, type u8 (0x80: critical), length in words u5.
 *
 * Which option is which tun_metadata field is a table of the switch's (NXT_TLV_TABLE_MOD); an option that is not in it is
 * passed over, unless it is critical: then the packet is dropped (RFC 8926, 3.5).
 */
import { TUN_FLAGS, TUN_ID, TUN_METADATA, TUN_METADATA_PRESENT } from '../packet/key.ts';
import { TunnelFlag, TunnelRefusal } from './tunnel-words.ts';

export const GENEVE_PORT = 6081;
const GENEVE_BYTES = 8;
/** The longest header: 63 words of options. */
export const GENEVE_MAX_BYTES = GENEVE_BYTES + 252;

const TRANSPARENT_ETHERNET = 0x6558;
const FLAG_O = 0x80;
const FLAG_C = 0x40;
const CRITICAL = 0x80;
const OPTION_BYTES = 4;

/** An option that is seen as a tun_metadata field. */
export interface GeneveOption {
  readonly optionClass: number;
  readonly type: number;
  /** Bytes of the value: a multiple of 4, at most 124. */
  readonly lengthBytes: number;
  /** N of tun_metadataN. */
  readonly index: number;
  /** Place of the value behind TUN_METADATA, bytes, a multiple of 4. */
  readonly offsetBytes: number;
}

/** Bytes of one option's header and value. */
export const optionBytes = (option: GeneveOption): number => OPTION_BYTES + option.lengthBytes;

const isPresent = (words: Uint32Array, base: number, index: number): boolean =>
  ((words[base + TUN_METADATA_PRESENT + (index < 32 ? 1 : 0)] >>> (index & 31)) & 1) !== 0;

/** Writes the header at `to`, with the options that the frame has; returns its length. */
export function encodeGeneve(
  view: DataView,
  to: number,
  words: Uint32Array,
  base: number,
  options: readonly GeneveOption[],
): number {
  let at = to + GENEVE_BYTES;
  let flags = (words[base + TUN_FLAGS] >>> 16) & TunnelFlag.OAM ? FLAG_O : 0;
  const any =
    words[base + TUN_METADATA_PRESENT] !== 0 || words[base + TUN_METADATA_PRESENT + 1] !== 0;
  for (let i = 0; any && i < options.length; i++) {
    const option = options[i];
    if (!isPresent(words, base, option.index)) continue;
    const bytes = optionBytes(option);
    if (at + bytes > to + GENEVE_MAX_BYTES) break;
    if ((option.type & CRITICAL) !== 0) flags |= FLAG_C;
    view.setUint32(
      at,
      (option.optionClass << 16) | (option.type << 8) | (option.lengthBytes >>> 2),
    );
    const from = base + TUN_METADATA + (option.offsetBytes >>> 2);
    for (let w = 0; w < option.lengthBytes >>> 2; w++) {
      view.setUint32(at + OPTION_BYTES + 4 * w, words[from + w]);
    }
    at += bytes;
  }
  const optionWords = (at - to - GENEVE_BYTES) >>> 2;
  view.setUint32(to, (optionWords << 24) | (flags << 16) | TRANSPARENT_ETHERNET);
  view.setUint32(to + 4, (words[base + TUN_ID + 1] & 0xffffff) << 8);
  return at - to;
}

/** Reads a header from `length` bytes at `at`; returns its length or a TunnelRefusal. */
export function decodeGeneve(
  view: DataView,
  at: number,
  length: number,
  words: Uint32Array,
  base: number,
  options: readonly GeneveOption[],
): number {
  if (length < GENEVE_BYTES) return TunnelRefusal.TRUNCATED;
  const head = view.getUint32(at);
  if (head >>> 30 !== 0) return TunnelRefusal.BAD_VERSION;
  const bytes = GENEVE_BYTES + ((head >>> 24) & 0x3f) * 4;
  if (length < bytes) return TunnelRefusal.TRUNCATED;
  if ((head & 0xffff) !== TRANSPARENT_ETHERNET) return TunnelRefusal.PROTOCOL;
  words[base + TUN_ID + 1] = view.getUint32(at + 4) >>> 8;
  words[base + TUN_FLAGS] |= TunnelFlag.KEY << 16;
  if (((head >>> 16) & FLAG_O) !== 0) words[base + TUN_FLAGS] |= TunnelFlag.OAM << 16;
  for (let from = at + GENEVE_BYTES; from < at + bytes; ) {
    if (from + OPTION_BYTES > at + bytes) return TunnelRefusal.BAD_OPTION;
    const option = view.getUint32(from);
    const valueBytes = (option & 0x1f) * 4;
    if (from + OPTION_BYTES + valueBytes > at + bytes) return TunnelRefusal.BAD_OPTION;
    if (!readOption(view, from, option, valueBytes, words, base, options)) {
      return TunnelRefusal.CRITICAL_OPTION;
    }
    from += OPTION_BYTES + valueBytes;
  }
  return bytes;
}

/** False for an option that must be understood and is not. */
function readOption(
  view: DataView,
  from: number,
  head: number,
  valueBytes: number,
  words: Uint32Array,
  base: number,
  options: readonly GeneveOption[],
): boolean {
  for (let i = 0; i < options.length; i++) {
    const option = options[i];
    if (((option.optionClass << 16) | (option.type << 8)) >>> 8 !== head >>> 8) continue;
    if (option.lengthBytes !== valueBytes) continue;
    words[base + TUN_METADATA_PRESENT + (option.index < 32 ? 1 : 0)] |= 1 << (option.index & 31);
    const to = base + TUN_METADATA + (option.offsetBytes >>> 2);
    for (let w = 0; w < valueBytes >>> 2; w++) {
      words[to + w] = view.getUint32(from + OPTION_BYTES + 4 * w);
    }
    return true;
  }
  return ((head >>> 8) & CRITICAL) === 0;
}
