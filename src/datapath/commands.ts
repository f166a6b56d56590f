/**
 * What the two threads write into their rings (ring.ts), word by word.
 *
 * Main to worker, first word CommandKind:
 *   PUT_FLOW     id, match words n, program words m, n word indices, n values, n masks, m program words
 *   REMOVE_FLOW  id
 *   EXECUTE      frame bytes, 3 offload words, program words m, key words k, k x (place, value), m program words, frame
 *   ADD_PORT     sequence, text bytes, JSON of AddPort
 *   SET_RECEIVING  the same, of a port that is there: other queues are to be read from now on, or none
 *   REMOVE_PORT  sequence, port
 *   SET_MTU      port, mtu
 *   BARRIER      sequence
 *   INJECT       port, frame bytes, 3 offload words, frame
 *   SET_METER    meter, text bytes, JSON of SetMeter
 *   SET_GRO      port, 0 or 1
 *   SET_POLICING port, text bytes, JSON of SetPolicing
 *   SET_QOS      port, text bytes, JSON of SetQos
 *   SET_PEERS    the list of other workers, which holds shared memory, waits as a message (PeersMessage)
 *   PIN          processor, or -1 for any
 *   STOP
 * Worker to main, first word RecordKind:
 *   UPCALL       reason, cookie kind, COOKIE_WORDS words, frame bytes, 3 offload words, key words k, k x (place, value), frame
 *   TRANSMIT     port, frame bytes, 3 offload words, frame (of a dummy port)
 * Of a key the words that are not 0 are written, and of one in EXECUTE only metadata: the headers are in the frame.
 * Frames and text fill whole words; what is over is not read.
 */

import { CT_STATE, DP_WORDS, PACKET_TYPE } from '../packet/key.ts';
import type { FrameOffload, MeterConfig, PortSpec } from './datapath.ts';
import type { RingPlace } from './device-port.ts';
import type { PolicingConfig } from './policer.ts';
import { COOKIE_WORDS } from './program.ts';
import type { QosConfig } from './qos.ts';

export const CommandKind = {
  PUT_FLOW: 1,
  REMOVE_FLOW: 2,
  EXECUTE: 3,
  ADD_PORT: 4,
  REMOVE_PORT: 5,
  SET_MTU: 6,
  BARRIER: 7,
  INJECT: 8,
  STOP: 9,
  SET_METER: 10,
  SET_POLICING: 11,
  SET_GRO: 12,
  SET_QOS: 13,
  SET_RECEIVING: 14,
  SET_PEERS: 15,
  PIN: 16,
} as const;

export const RecordKind = { UPCALL: 1, TRANSMIT: 2 } as const;

/** Words of the control block that both threads see. */
export const Control = {
  /** 1 while the worker waits in epoll: whoever has a command rings the doorbell. */
  SLEEPING: 0,
  /** 1 when main wants one message for the next records in its ring; the worker takes it back to 0. */
  ARMED: 1,
  /** 1 when commands wait for room: the worker says so once it has made some. */
  WANTS_ROOM: 2,
  WORDS: 16,
} as const;

export interface AddPort {
  port: number;
  name: string;
  /** What to send by, for a worker that has no queue of the port. */
  spec: PortSpec;
  /** Receive queues for this worker; none: it only sends. */
  queues: readonly PortSpec[];
  /** Where to go on in rings that were read before. */
  places: readonly RingPlace[];
}

export interface SetQos {
  config: QosConfig | null;
  /** Where its queues count (Shared). */
  slots: readonly number[];
  /** Worker that holds the frames; others hand theirs over to it. */
  holder: number;
}

export interface SetMeter {
  config: MeterConfig | null;
  /** Which change of the meter this is: the first worker to carry it out fills the buckets (shared-tokens.ts). */
  generation: number;
}

export interface SetPolicing {
  config: PolicingConfig;
  generation: number;
}

/** Another worker, as one sees it. */
export interface Peer {
  index: number;
  /** Rings of frames to it and from it (hand-over.ts). */
  to: SharedArrayBuffer;
  from: SharedArrayBuffer;
  control: SharedArrayBuffer;
  doorbellFd: number;
}

/** Posted to a worker before SET_PEERS. */
export interface PeersMessage {
  peers: Peer[];
}

/** What the worker is started with (workerData). */
export interface WorkerStart {
  /** Number of the worker among those of the datapath. */
  index: number;
  control: SharedArrayBuffer;
  commands: SharedArrayBuffer;
  records: SharedArrayBuffer;
  shared: SharedArrayBuffer;
  /** Token buckets of all workers (shared-tokens.ts). */
  tokens: SharedArrayBuffer;
  doorbellFd: number;
  regionBytes: number;
  /** Salt of the megaflow hash. */
  seed: number;
  /** Whether hot masks get code of their own. */
  generateCode: boolean;
  /** performance.timeOrigin of the main thread: both threads' monotonic times then agree. */
  timeOriginMs: number;
}

/** What the worker posts. `records`: look into the ring; `room`: the command ring has room again. */
export type WorkerMessage =
  | { kind: 'records' }
  | { kind: 'room' }
  | { kind: 'done'; sequence: number; error?: string; places?: readonly RingPlace[] }
  | { kind: 'log'; level: 'err' | 'warn' | 'info' | 'dbg'; text: string };

/** Words of an UPCALL record in front of the offload words; the last one is the frame's length. */
export const UPCALL_HEAD = 4 + COOKIE_WORDS;
export const OFFLOAD_WORDS = 3;
export const wordsOf = (bytes: number): number => (bytes + 3) >>> 2;

export function writeOffload(words: Int32Array, at: number, offload: FrameOffload): void {
  words[at] = offload.flags | (offload.gsoType << 8) | (offload.gsoSize << 16);
  words[at + 1] = offload.headerBytes | (offload.csumStart << 16);
  words[at + 2] = offload.csumOffset;
}

export function readOffload(words: Int32Array, at: number): FrameOffload {
  return {
    flags: words[at] & 0xff,
    gsoType: (words[at] >>> 8) & 0xff,
    gsoSize: words[at] >>> 16,
    headerBytes: words[at + 1] & 0xffff,
    csumStart: words[at + 1] >>> 16,
    csumOffset: words[at + 2] & 0xffff,
  };
}

/** Most words that a key takes with its length. */
export const KEY_WORDS = 1 + 2 * DP_WORDS;

/** Writes the key at keys[from ..] to `at`; returns the words written. With `metadataOnly` without what a frame's headers tell. */
export function writeKey(
  words: Int32Array,
  at: number,
  keys: Uint32Array,
  from: number,
  metadataOnly: boolean,
): number {
  let end = at + 1;
  for (let w = 0; w < DP_WORDS; w++) {
    if (metadataOnly && w === PACKET_TYPE + 1) w = CT_STATE;
    if (keys[from + w] === 0) continue;
    words[end] = w;
    words[end + 1] = keys[from + w];
    end += 2;
  }
  words[at] = (end - at) >>> 1;
  return end - at;
}

/** Fills a dense key of DP_WORDS words; returns the index behind it. */
export function readKey(words: Int32Array, at: number, into: Uint32Array): number {
  into.fill(0);
  const end = at + 1 + 2 * words[at];
  for (let i = at + 1; i < end; i += 2) into[words[i]] = words[i + 1];
  return end;
}
