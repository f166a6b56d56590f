/** Damage to recorded messages, for tests that decoding survives anything. */
import type { Recorded } from './recorded.ts';

/** A message of up to 64 KiB: one of the recorded ones, changed in a way that `next` (a seeded generator) chooses. */
export function mutated(all: readonly Recorded[], next: () => number): Uint8Array {
  const pick = (): Uint8Array => all[next() % all.length].bytes;
  let bytes = pick().slice();
  for (let changes = 1 + (next() % 3); changes > 0; changes--) {
    bytes = change(bytes, next, pick);
  }
  // Mostly the length is made to fit, else nothing behind it would be reached.
  if (next() % 8 !== 0 && bytes.length >= 4) {
    bytes[2] = bytes.length >> 8;
    bytes[3] = bytes.length & 0xff;
  }
  return bytes;
}

const INTERESTING = [0, 1, 3, 4, 7, 8, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];

function change(
  bytes: Uint8Array<ArrayBuffer>,
  next: () => number,
  pick: () => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const at = bytes.length === 0 ? 0 : next() % bytes.length;
  switch (next() % 7) {
    case 0:
      bytes[at] = next();
      return bytes;
    case 1:
      bytes[at] = INTERESTING[next() % INTERESTING.length];
      return bytes;
    case 2:
      bytes[at] ^= 1 << (next() % 8);
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4: {
      // A piece again, so that lists become long.
      const piece = bytes.slice(at, at + 8 * (1 + (next() % 16)));
      return joined([bytes.slice(0, at), piece, bytes.slice(at)]);
    }
    case 5: {
      const other = pick();
      return joined([bytes.slice(0, at), other.slice(next() % (other.length + 1))]);
    }
    default: {
      // Without a piece.
      const end = at + 4 * (1 + (next() % 8));
      return joined([bytes.slice(0, at), bytes.slice(end)]);
    }
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(pieces).subarray(0, 0xffff));
}
