/**
 * Internet checksums (RFC 1071), their incremental update (RFC 1624) and SCTP's CRC32c (RFC 9260).
 *
 * A "sum" is an unfolded ones-complement sum below 2^53; `fold` makes 16 bits of it; a checksum field holds the
 * complement. A frame with a partial checksum holds the folded, not complemented sum of its pseudo header.
 */

/** Sum of `length` bytes (at most MAX_FRAME_BYTES) from `at`, as 16-bit big-endian words, zero-padded, plus `initial`. */
export function sumBytes(view: DataView, at: number, length: number, initial = 0): number {
  // Two halves: each stays below 2^31 for 64 KiB, so that the loop is plain integer arithmetic.
  let high = 0;
  let low = 0;
  let i = at;
  const end = at + length;
  for (const end4 = end - 3; i < end4; i += 4) {
    const word = view.getUint32(i);
    high += word >>> 16;
    low += word & 0xffff;
  }
  if (i + 1 < end) {
    low += view.getUint16(i);
    i += 2;
  }
  if (i < end) high += view.getUint8(i) << 8;
  return initial + high + low;
}

/** Folds a sum to 16 bits. */
function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}

/** What belongs into a checksum field whose bytes were 0 in the sum. */
export const checksumOf = (sum: number): number => ~fold(sum) & 0xffff;

/** Sum of the IPv4 pseudo header (RFC 9293 section 3.1) of the header at `ip`. */
export function pseudoHeader4(
  view: DataView,
  ip: number,
  proto: number,
  transportBytes: number,
): number {
  return (
    view.getUint16(ip + 12) +
    view.getUint16(ip + 14) +
    view.getUint16(ip + 16) +
    view.getUint16(ip + 18) +
    proto +
    transportBytes
  );
}

/** Sum of the IPv6 pseudo header (RFC 8200 section 8.1) of the header at `ip`. */
export function pseudoHeader6(
  view: DataView,
  ip: number,
  proto: number,
  transportBytes: number,
): number {
  return sumBytes(view, ip + 8, 32, proto + (transportBytes >>> 16) + (transportBytes & 0xffff));
}

/** A checksum after a 16-bit word changed from `before` to `after`: HC' = ~(~HC + ~m + m'), RFC 1624 equation 3. */
export function update16(checksum: number, before: number, after: number): number {
  let s = (~checksum & 0xffff) + (~before & 0xffff) + after;
  s = (s & 0xffff) + (s >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/** The same for a 32-bit word on an even offset. */
export function update32(checksum: number, before: number, after: number): number {
  return update16(update16(checksum, before >>> 16, after >>> 16), before & 0xffff, after & 0xffff);
}

const CRC32C = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  CRC32C[i] = c;
}

/** CRC32c of an SCTP packet with its checksum field (bytes 8 to 11) taken as 0; the value as stored, big-endian. */
export function sctpChecksum(view: DataView, at: number, length: number): number {
  let c = 0xffffffff;
  for (let i = 0; i < length; i++) {
    const byte = i >= 8 && i < 12 ? 0 : view.getUint8(at + i);
    c = CRC32C[(c ^ byte) & 255] ^ (c >>> 8);
  }
  c = ~c;
  // Stored least significant byte first.
  return ((c << 24) | ((c & 0xff00) << 8) | ((c >>> 8) & 0xff00) | (c >>> 24)) >>> 0;
}
