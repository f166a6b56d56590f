/**
 * The words of a flow key that say how a frame was, or is to be, encapsulated: TUN_ID up to the end of what a datapath
 * matches (packet/key.ts), without NSH, which lies among them but is a header of the frame.
 *
 * Codecs read and write them as `words[base + TUN_...]`. A store of TUNNEL_STRIDE words a frame serves as well as a whole
 * key: its base is `p * TUNNEL_STRIDE - TUN_ID`.
 */
import { DP_WORDS, NSH, TUN_ID, TUN_METADATA, TUN_METADATA_PRESENT } from '../packet/key.ts';

/** Bits of TUN_FLAGS >>> 16. */
export const TunnelFlag = { OAM: 1, DF: 2, CSUM: 4, KEY: 8 } as const;

/** Words from TUN_ID to the end of the key. */
export const TUNNEL_STRIDE = DP_WORDS - TUN_ID;

/** Why an outer header is refused: what decoders return instead of a length. */
export const TunnelRefusal = {
  TRUNCATED: -1,
  BAD_FLAGS: -2,
  BAD_VERSION: -3,
  BAD_CHECKSUM: -4,
  BAD_OPTION: -5,
  CRITICAL_OPTION: -6,
  PROTOCOL: -7,
} as const;

/** Makes a frame one that came through no tunnel. */
export function clearTunnel(words: Uint32Array, base: number): void {
  for (let i = TUN_ID; i < NSH; i++) words[base + i] = 0;
  // Options are cleared only where some were: they are three quarters of the words.
  if (words[base + TUN_METADATA_PRESENT] === 0 && words[base + TUN_METADATA_PRESENT + 1] === 0) {
    return;
  }
  words[base + TUN_METADATA_PRESENT] = 0;
  words[base + TUN_METADATA_PRESENT + 1] = 0;
  for (let i = TUN_METADATA; i < DP_WORDS; i++) words[base + i] = 0;
}

/** Copies what one frame has to another. */
export function copyTunnel(
  from: Uint32Array,
  fromBase: number,
  to: Uint32Array,
  toBase: number,
): void {
  for (let i = TUN_ID; i < NSH; i++) to[toBase + i] = from[fromBase + i];
  const high = from[fromBase + TUN_METADATA_PRESENT];
  const low = from[fromBase + TUN_METADATA_PRESENT + 1];
  to[toBase + TUN_METADATA_PRESENT] = high;
  to[toBase + TUN_METADATA_PRESENT + 1] = low;
  if (high === 0 && low === 0) return;
  for (let i = TUN_METADATA; i < DP_WORDS; i++) to[toBase + i] = from[fromBase + i];
}
