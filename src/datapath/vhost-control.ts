/**
 * What the main thread, which talks with qemu, and the datapath, which moves frames, both know of a vhost-user port: one page of memory.
 *
 * Main writes all but the ring positions, and bumps GENERATION; the datapath looks at that number whenever it takes the port up,
 * and reads the rest anew when it has changed. To take something away (a ring, the guest's memory), main disables the
 * rings, then waits for a barrier of the datapath: after it nobody looks there any more.
 *
 * 32-bit words: GENERATION, ...; from RINGS on RING_WORDS a ring. 64-bit numbers, from byte NUMBERS_AT on: three addresses a ring,
 * then guest address, size and address here of each piece of the guest's memory.
 */
import { viewOf } from '../sys/libc.ts';

export const VHOST_CONTROL_BYTES = 4096;
const NUMBERS_AT = 512;

/** Of the guest's view: it receives by ring 0 and transmits by ring 1 (virtio 1.2, 5.1.2). */
export const GUEST_RECEIVES = 0;
export const GUEST_TRANSMITS = 1;
export const RING_COUNT = 2;
/** VHOST_MEMORY_BASELINE_NREGIONS. */
export const MAX_MEMORY_PIECES = 8;

export const GENERATION = 0;
/** Bytes of the virtio-net header in front of each frame: 10 or 12. */
export const HEADER_BYTES = 1;
/** 1 when the guest takes partial checksums and TCP super-frames. */
export const TAKES_OFFLOAD = 2;
/** 1 when a frame to the guest may fill several buffers. */
export const IS_MERGEABLE = 3;
export const MEMORY_PIECES = 4;
/** Held by who writes into GUEST_RECEIVES: any thread sends, one at a time. */
export const SEND_LOCK = 5;
const RINGS = 8;
const RING_WORDS = 8;

/** Words of a ring. */
export const ENABLED = 0;
export const SIZE = 1;
/** Next entry of the available ring, 16 bits: written by the datapath alone while the ring is enabled. */
export const NEXT_AVAILABLE = 2;
export const KICK_FD = 3;
export const CALL_FD = 4;

/** Addresses of a ring. */
export const DESCRIPTORS = 0;
export const AVAILABLE = 1;
export const USED = 2;
const RING_NUMBERS = 3;

/** Numbers of a piece of memory. */
export const GUEST_ADDRESS = 0;
export const PIECE_BYTES = 1;
export const HOST_ADDRESS = 2;
const PIECE_NUMBERS = 3;

export const ringWord = (ring: number, word: number): number => RINGS + ring * RING_WORDS + word;
export const ringNumber = (ring: number, number: number): number => ring * RING_NUMBERS + number;
export const pieceNumber = (piece: number, number: number): number =>
  RING_COUNT * RING_NUMBERS + piece * PIECE_NUMBERS + number;

export interface VhostControl {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
}

/** The page at `address`, of VHOST_CONTROL_BYTES. Each thread makes its own view. */
export function vhostControl(address: number): VhostControl {
  const memory = viewOf(address, VHOST_CONTROL_BYTES);
  return {
    words: new Int32Array(memory, 0, NUMBERS_AT / 4),
    numbers: new Float64Array(memory, NUMBERS_AT),
  };
}
