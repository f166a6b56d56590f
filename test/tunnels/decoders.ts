/** Every decapsulation behind one call, for tests that throw bytes at all of them. */
import { TUN_ID } from '../../src/packet/key.ts';
import { decodeErspan } from '../../src/tunnels/erspan.ts';
import { decodeGeneve } from '../../src/tunnels/geneve.ts';
import { decodeGre } from '../../src/tunnels/gre.ts';
import { TUNNEL_STRIDE } from '../../src/tunnels/tunnel-words.ts';
import { decodeVxlan } from '../../src/tunnels/vxlan.ts';

type Decode = (view: DataView, length: number, words: Uint32Array, base: number) => number;

/** `start`: first bytes of a header that is good so far. */
export const DECODERS: readonly { name: string; start: readonly number[]; decode: Decode }[] = [
  {
    name: 'vxlan',
    start: [0x08],
    decode: (view, length, words, base) => decodeVxlan(view, 0, length, words, base, false),
  },
  {
    name: 'vxlan gbp',
    start: [0x88],
    decode: (view, length, words, base) => decodeVxlan(view, 0, length, words, base, true),
  },
  {
    name: 'gre',
    start: [0xb0, 0, 0x65, 0x58],
    decode: (view, length, words, base) => decodeGre(view, 0, length, words, base),
  },
  {
    name: 'geneve',
    start: [0x04, 0, 0x65, 0x58],
    decode: (view, length, words, base) => decodeGeneve(view, 0, length, words, base),
  },
  {
    name: 'erspan',
    start: [0x10, 0, 0x88, 0xbe],
    decode: (view, length, words, base) => decodeErspan(view, 0, length, words, base),
  },
];

/** Runs all decoders on exactly these bytes. Throws when one does, or answers with an impossible length. */
export function decodeAll(bytes: Uint8Array): void {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (const { name, decode } of DECODERS) {
    const words = new Uint32Array(TUNNEL_STRIDE);
    const got = decode(view, copy.length, words, -TUN_ID);
    if (got > copy.length || got === 0) throw new Error(`${name} answered ${got}`);
  }
}
