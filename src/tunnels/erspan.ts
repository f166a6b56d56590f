/**
 * ERSPAN inside GRE with a sequence number (draft-foschiano-erspan): version u4, VLAN u12, class u3, encapsulation u2, truncated u1 and
 * session u10, then type II: index u32 @4; type III: timestamp u32 @4, group tag u16 @8, and u16 @10 with the hardware id's upper two
 * bits at 8, its lower four at 4 and the direction at 3. In flows type II is version 1 and type III version 2.
 */
import { TUN_ERSPAN_GTPU, TUN_ERSPAN_IDX, TUN_FLAGS, TUN_ID } from '../packet/key.ts';
import { TunnelFlag, TunnelRefusal } from './tunnel-words.ts';

const PROTOCOL = [0, 0x88be, 0x22eb];
const FLAG_S = 0x1000;
const GRE_BYTES = 8;
const BYTES = [0, GRE_BYTES + 8, GRE_BYTES + 12];
const SESSION = 0x3ff;

/** Writes GRE's and ERSPAN's headers at `to`, sequence number and timestamp 0; returns their length, 0 for what has no such header. */
export function encodeErspan(view: DataView, to: number, words: Uint32Array, base: number): number {
  const settings = words[base + TUN_ERSPAN_GTPU];
  const version = settings >>> 28;
  const session = words[base + TUN_ID + 1];
  if ((version !== 1 && version !== 2) || session > SESSION || words[base + TUN_ID] !== 0) return 0;
  view.setUint32(to, (FLAG_S << 16) | PROTOCOL[version]);
  view.setUint32(to + 4, 0);
  view.setUint32(to + 8, (version << 28) | session);
  if (version === 1) view.setUint32(to + 12, words[base + TUN_ERSPAN_IDX]);
  else {
    const hardwareId = (settings >>> 16) & 0x3f;
    const direction = (settings >>> 24) & 1;
    view.setUint32(to + 12, 0);
    const low = ((hardwareId >>> 4) << 8) | ((hardwareId & 15) << 4) | (direction << 3);
    view.setUint32(to + 16, low);
  }
  return BYTES[version];
}

/** Reads GRE's and ERSPAN's headers from `length` bytes at `at`; returns their length or a TunnelRefusal. */
export function decodeErspan(
  view: DataView,
  at: number,
  length: number,
  words: Uint32Array,
  base: number,
): number {
  if (length < BYTES[1]) return TunnelRefusal.TRUNCATED;
  const head = view.getUint32(at);
  if (head >>> 16 !== FLAG_S) return TunnelRefusal.BAD_FLAGS;
  const first = view.getUint32(at + GRE_BYTES);
  const version = first >>> 28;
  if (version !== 1 && version !== 2) return TunnelRefusal.BAD_VERSION;
  if ((head & 0xffff) !== PROTOCOL[version]) return TunnelRefusal.PROTOCOL;
  if (length < BYTES[version]) return TunnelRefusal.TRUNCATED;
  words[base + TUN_ID + 1] = first & SESSION;
  words[base + TUN_FLAGS] |= TunnelFlag.KEY << 16;
  if (version === 1) {
    words[base + TUN_ERSPAN_GTPU] = 1 << 28;
    words[base + TUN_ERSPAN_IDX] = view.getUint32(at + 12) & 0xfffff;
  } else {
    const low = view.getUint16(at + 18);
    const hardwareId = (((low >>> 8) & 3) << 4) | ((low >>> 4) & 15);
    words[base + TUN_ERSPAN_GTPU] = (2 << 28) | (((low >>> 3) & 1) << 24) | (hardwareId << 16);
  }
  return BYTES[version];
}
