/**
 * The messages of the vhost-user protocol (QEMU's docs/interop/vhost-user): what a back-end for a network device has to
 * understand.
 *
 * A message is a header of three 32-bit words (request, flags, payload bytes), then the payload; all is in the machine's byte order, which
 * is little-endian wherever this runs.
 */

import { MAX_MEMORY_PIECES } from '../../../datapath/vhost-control.ts';

export const HEADER_BYTES = 12;
/** The longest payload that has a meaning here: a memory table; others say theirs and are refused. */
export const MAX_PAYLOAD_BYTES = 4096;
/** The most descriptors that come with one: of a memory table. */
export const MAX_FDS = MAX_MEMORY_PIECES;

const VERSION = 1;
const VERSION_MASK = 3;
const IS_REPLY = 4;
const NEEDS_REPLY = 8;

export const Request = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  RESET_OWNER: 4,
  SET_MEM_TABLE: 5,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  GET_PROTOCOL_FEATURES: 15,
  SET_PROTOCOL_FEATURES: 16,
  GET_QUEUE_NUM: 17,
  SET_VRING_ENABLE: 18,
} as const;

/** Bits of the features of virtio-net (virtio 1.2, 5.1.3) and of the transport. */
export const Feature = {
  CSUM: 1n << 0n,
  GUEST_CSUM: 1n << 1n,
  GUEST_TSO4: 1n << 7n,
  GUEST_TSO6: 1n << 8n,
  GUEST_ECN: 1n << 9n,
  HOST_TSO4: 1n << 11n,
  HOST_TSO6: 1n << 12n,
  HOST_ECN: 1n << 13n,
  MRG_RXBUF: 1n << 15n,
  PROTOCOL_FEATURES: 1n << 30n,
  VERSION_1: 1n << 32n,
} as const;

/** VHOST_USER_PROTOCOL_F_REPLY_ACK: a front-end may ask for an answer to any message. */
export const PROTOCOL_F_REPLY_ACK = 1n << 3n;

/** VHOST_USER_VRING_NOFD_MASK: no descriptor comes with the message. */
const NO_FD = 0x100;

export interface Head {
  readonly request: number;
  readonly needsReply: boolean;
  readonly payloadBytes: number;
}

/** Null for what is no message of this protocol. */
export function readHead(bytes: DataView): Head | null {
  const flags = bytes.getUint32(4, true);
  const payloadBytes = bytes.getUint32(8, true);
  if ((flags & VERSION_MASK) !== VERSION || payloadBytes > MAX_PAYLOAD_BYTES) return null;
  return {
    request: bytes.getUint32(0, true),
    needsReply: (flags & NEEDS_REPLY) !== 0,
    payloadBytes,
  };
}

/** The reply to `request` with a payload. */
export function reply(request: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, request, true);
  view.setUint32(4, VERSION | IS_REPLY, true);
  view.setUint32(8, payload.length, true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function u64Payload(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** struct vhost_vring_state. */
export function stateOf(payload: DataView): { ring: number; value: number } | null {
  if (payload.byteLength < 8) return null;
  return { ring: payload.getUint32(0, true), value: payload.getUint32(4, true) };
}

export function statePayload(ring: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ring, true);
  view.setUint32(4, value, true);
  return bytes;
}

export function u64Of(payload: DataView): bigint | null {
  return payload.byteLength < 8 ? null : payload.getBigUint64(0, true);
}

/** A ring and whether a descriptor comes with it (SET_VRING_KICK, CALL, ERR). */
export function ringFdOf(payload: DataView): { ring: number; hasFd: boolean } | null {
  const value = u64Of(payload);
  if (value === null) return null;
  return { ring: Number(value & 0xffn), hasFd: (value & BigInt(NO_FD)) === 0n };
}

/** struct vhost_vring_addr: addresses in the front-end's own address space. */
export interface RingAddresses {
  readonly ring: number;
  readonly descriptors: number;
  readonly used: number;
  readonly available: number;
}

export function ringAddressesOf(payload: DataView): RingAddresses | null {
  if (payload.byteLength < 40) return null;
  const address = (at: number): number => Number(payload.getBigUint64(at, true));
  return {
    ring: payload.getUint32(0, true),
    descriptors: address(8),
    used: address(16),
    available: address(24),
  };
}

/** A piece of the guest's memory, as a table of SET_MEM_TABLE has it. */
export interface MemoryPiece {
  readonly guestAddress: number;
  readonly bytes: number;
  /** Where the front-end has it. */
  readonly userAddress: number;
  /** Where in its descriptor it begins. */
  readonly offset: number;
}

const PIECE_BYTES = 32;

export function memoryTableOf(payload: DataView): MemoryPiece[] | null {
  if (payload.byteLength < 8) return null;
  const count = payload.getUint32(0, true);
  if (count > MAX_FDS || payload.byteLength < 8 + count * PIECE_BYTES) return null;
  return Array.from({ length: count }, (_, i) => {
    const number = (word: number): number =>
      Number(payload.getBigUint64(8 + i * PIECE_BYTES + word * 8, true));
    return { guestAddress: number(0), bytes: number(1), userAddress: number(2), offset: number(3) };
  });
}
