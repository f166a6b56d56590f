/**
 * VXLAN (RFC 7348): flags u8 @0 (I 0x08), VNI u24 @4. With the group policy extension (draft-smith-vxlan-group-policy)
 * flag G 0x80 says that byte 1 holds D 0x40 (don't learn) and A 0x08 (policy applied), and bytes 2-3 the group.
 */
import { TUN_FLAGS, TUN_GBP, TUN_ID } from '../packet/key.ts';
import { TunnelFlag, TunnelRefusal } from './tunnel-words.ts';

export const VXLAN_BYTES = 8;

const FLAG_I = 0x08;
const FLAG_G = 0x80;
const GBP_FLAGS = 0x48;

/** Writes the header at `to`; returns its length. `gbp`: the port was configured with exts=gbp. */
export function encodeVxlan(
  view: DataView,
  to: number,
  words: Uint32Array,
  base: number,
  gbp: boolean,
): number {
  const policy = words[base + TUN_GBP];
  if (gbp && policy !== 0) {
    const head = ((FLAG_I | FLAG_G) << 24) | (((policy >>> 8) & GBP_FLAGS) << 16) | (policy >>> 16);
    view.setUint32(to, head);
  } else view.setUint32(to, FLAG_I << 24);
  view.setUint32(to + 4, (words[base + TUN_ID + 1] & 0xffffff) << 8);
  return VXLAN_BYTES;
}

/** Reads a header from `length` bytes at `at`; returns its length or a TunnelRefusal. Reserved bits are ignored (RFC 7348, 5). */
export function decodeVxlan(
  view: DataView,
  at: number,
  length: number,
  words: Uint32Array,
  base: number,
  gbp: boolean,
): number {
  if (length < VXLAN_BYTES) return TunnelRefusal.TRUNCATED;
  const head = view.getUint32(at);
  if (((head >>> 24) & FLAG_I) === 0) return TunnelRefusal.BAD_FLAGS;
  if (gbp && ((head >>> 24) & FLAG_G) !== 0) {
    words[base + TUN_GBP] = (((head & 0xffff) << 16) | (((head >>> 16) & GBP_FLAGS) << 8)) >>> 0;
  }
  words[base + TUN_ID + 1] = view.getUint32(at + 4) >>> 8;
  words[base + TUN_FLAGS] |= TunnelFlag.KEY << 16;
  return VXLAN_BYTES;
}
