/**
 * The words of a flow key that say how a frame was, or is to be, encapsulated: TUN_ID up to the end of what a datapath
 * matches (packet/key.ts), without NSH, which lies among them but is a header of the frame. Geneve options are in their raw form.
 *
 * Codecs read and write them as `words[base + TUN_...]`. A store of TUNNEL_STRIDE words a frame serves as well as a whole
 * key: its base is `p * TUNNEL_STRIDE - TUN_ID`.
 */
import { DP_WORDS, NSH, TUN_ID, TUN_OPTIONS, TUN_OPTIONS_LENGTH } from '../packet/key.ts';

/** Bits of TUN_FLAGS >>> 16. BARE: the packet has no Ethernet header inside, the frame has one that is made up; no text shows it. */
export const TunnelFlag = { OAM: 1, DF: 2, CSUM: 4, KEY: 8, BARE: 16 } as const;

/** Words from TUN_ID to the end of the key. */
export const TUNNEL_STRIDE = DP_WORDS - TUN_ID;

/** Why an outer header is refused: what decoders return instead of a length. */
export const TunnelRefusal = {
  TRUNCATED: -1,
  BAD_FLAGS: -2,
  BAD_VERSION: -3,
  BAD_CHECKSUM: -4,
  BAD_OPTION: -5,
  PROTOCOL: -6,
} as const;

/** True for a word of NSH, which lies among those of the tunnel. */
export const isNsh = (word: number): boolean => word >= NSH && word < TUN_OPTIONS_LENGTH;

/** Makes a frame one that came through no tunnel. */
export function clearTunnel(words: Uint32Array, base: number): void {
  for (let i = TUN_ID; i < NSH; i++) words[base + i] = 0;
  // Options are cleared only where some were: they are three quarters of the words.
  if (words[base + TUN_OPTIONS_LENGTH] === 0) return;
  words[base + TUN_OPTIONS_LENGTH] = 0;
  for (let i = TUN_OPTIONS; i < DP_WORDS; i++) words[base + i] = 0;
}

/** Copies what one frame has to another. */
export function copyTunnel(
  from: Uint32Array,
  fromBase: number,
  to: Uint32Array,
  toBase: number,
): void {
  for (let i = TUN_ID; i < NSH; i++) to[toBase + i] = from[fromBase + i];
  const before = to[toBase + TUN_OPTIONS_LENGTH];
  const length = from[fromBase + TUN_OPTIONS_LENGTH];
  to[toBase + TUN_OPTIONS_LENGTH] = length;
  if (length === 0 && before === 0) return;
  for (let i = TUN_OPTIONS; i < DP_WORDS; i++) to[toBase + i] = from[fromBase + i];
}

/** True when two frames came through the same tunnel with the same outer fields and options. */
export function isSameTunnel(
  a: Uint32Array,
  aBase: number,
  b: Uint32Array,
  bBase: number,
): boolean {
  for (let i = TUN_ID; i < NSH; i++) if (a[aBase + i] !== b[bBase + i]) return false;
  const length = a[aBase + TUN_OPTIONS_LENGTH];
  if (length !== b[bBase + TUN_OPTIONS_LENGTH]) return false;
  if (length === 0) return true;
  for (let i = TUN_OPTIONS; i < DP_WORDS; i++) if (a[aBase + i] !== b[bBase + i]) return false;
  return true;
}
