/**
 * Ethernet and IP over GRE (RFC 2784, key and sequence number RFC 2890; NVGRE, RFC 7637, is GRE with a key).
 *
 * flags and version u16 @0 (C 0x8000, K 0x2000, S 0x1000), protocol u16 @2, then as the flags say: checksum u16 and reserved
 * u16, key u32, sequence number u32.
 */
import { checksumOf, sumBytes } from '../packet/checksum.ts';
import { TUN_FLAGS, TUN_ID } from '../packet/key.ts';
import { ETH_HEADER_BYTES, ETH_TYPE_IPV4, ETH_TYPE_IPV6 } from '../packet/protocol.ts';
import { TunnelFlag, TunnelRefusal } from './tunnel-words.ts';

/** EtherType of bridged Ethernet. */
const TRANSPARENT_ETHERNET = 0x6558;
const FLAG_C = 0x8000;
const FLAG_K = 0x2000;
const FLAG_S = 0x1000;
const VERSION = 0x0007;

/** Bytes that encodeGre() will write. */
export function greBytes(words: Uint32Array, base: number, hasSequence: boolean): number {
  const flags = words[base + TUN_FLAGS] >>> 16;
  let bytes = 4;
  if ((flags & TunnelFlag.CSUM) !== 0) bytes += 4;
  if ((flags & TunnelFlag.KEY) !== 0) bytes += 4;
  return hasSequence ? bytes + 4 : bytes;
}

/**
 * Writes the header at `to`; returns its length. The frame it is for is `frameBytes` at `frame`, without its Ethernet header where
 * the flag BARE says so: a checksum covers it.
 * `sequence`: the number to write, -1 for none.
 */
export function encodeGre(
  view: DataView,
  to: number,
  words: Uint32Array,
  base: number,
  sequence: number,
  frame: number,
  frameBytes: number,
): number {
  const wanted = words[base + TUN_FLAGS] >>> 16;
  let flags = 0;
  let at = to + 4;
  const checksum = (wanted & TunnelFlag.CSUM) !== 0;
  const isBare = (wanted & TunnelFlag.BARE) !== 0;
  const protocol = isBare ? view.getUint16(frame + ETH_HEADER_BYTES - 2) : TRANSPARENT_ETHERNET;
  if (checksum) {
    flags |= FLAG_C;
    view.setUint32(at, 0);
    at += 4;
  }
  if ((wanted & TunnelFlag.KEY) !== 0) {
    flags |= FLAG_K;
    view.setUint32(at, words[base + TUN_ID + 1]);
    at += 4;
  }
  if (sequence >= 0) {
    flags |= FLAG_S;
    view.setUint32(at, sequence);
    at += 4;
  }
  view.setUint32(to, (flags << 16) | protocol);
  if (checksum) {
    const skipped = isBare ? ETH_HEADER_BYTES : 0;
    // The header is a multiple of 4 bytes: the two sums add up.
    const sum = sumBytes(view, to, at - to, sumBytes(view, frame + skipped, frameBytes - skipped));
    view.setUint16(to + 4, checksumOf(sum));
  }
  return at - to;
}

/** Reads a header from `length` bytes at `at`; returns its length or a TunnelRefusal. */
export function decodeGre(
  view: DataView,
  at: number,
  length: number,
  words: Uint32Array,
  base: number,
): number {
  if (length < 4) return TunnelRefusal.TRUNCATED;
  const flags = view.getUint16(at);
  if ((flags & VERSION) !== 0) return TunnelRefusal.BAD_VERSION;
  if ((flags & ~(FLAG_C | FLAG_K | FLAG_S)) !== 0) return TunnelRefusal.BAD_FLAGS;
  const protocol = view.getUint16(at + 2);
  const isBare = protocol === ETH_TYPE_IPV4 || protocol === ETH_TYPE_IPV6;
  if (protocol !== TRANSPARENT_ETHERNET && !isBare) return TunnelRefusal.PROTOCOL;
  let bytes = 4;
  if ((flags & FLAG_C) !== 0) bytes += 4;
  const key = bytes;
  if ((flags & FLAG_K) !== 0) bytes += 4;
  if ((flags & FLAG_S) !== 0) bytes += 4;
  if (length < bytes) return TunnelRefusal.TRUNCATED;
  if ((flags & FLAG_C) !== 0) {
    if (checksumOf(sumBytes(view, at, length)) !== 0) return TunnelRefusal.BAD_CHECKSUM;
    words[base + TUN_FLAGS] |= TunnelFlag.CSUM << 16;
  }
  if ((flags & FLAG_K) !== 0) {
    words[base + TUN_FLAGS] |= TunnelFlag.KEY << 16;
    words[base + TUN_ID + 1] = view.getUint32(at + key);
  }
  if (isBare) words[base + TUN_FLAGS] |= TunnelFlag.BARE << 16;
  return bytes;
}
