/**
 * Netlink messages (netlink(7)): building, walking, and a socket for requests.
 *
 * The kernel answers a route netlink request inside the send call, so a request is a plain synchronous function. Numbers
 * are in host order; attributes and messages are aligned to 4 bytes.
 */
import { addressOf, bind, close, recv, send, setsockopt, socket } from './libc.ts';
import { check, SystemError } from './system-error.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x001;
export const NLM_F_ACK = 0x004;
export const NLM_F_DUMP = 0x300;

const HEADER_BYTES = 16;
/** Larger than any datagram of a dump (the kernel makes them up to 32 KiB when the reader's buffer allows). */
const RECEIVE_BYTES = 64 << 10;

const align4 = (n: number): number => (n + 3) & ~3;

/** One attribute: type, and bytes, a number (u32) or a string (with its final zero). */
export type Attribute = readonly [type: number, value: Uint8Array | number | string];

/** The bytes of a request: header, fixed part, attributes. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  fixed: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array<ArrayBuffer> {
  const payloads = attributes.map(([, value]) => attributeBytes(value));
  const total = payloads.reduce((n, p) => n + align4(4 + p.length), HEADER_BYTES + fixed.length);
  const bytes = new Uint8Array(new ArrayBuffer(Math.max(total, 80)));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, total, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(fixed, HEADER_BYTES);
  let at = HEADER_BYTES + fixed.length;
  for (let i = 0; i < payloads.length; i++) {
    view.setUint16(at, 4 + payloads[i].length, true);
    view.setUint16(at + 2, attributes[i][0], true);
    bytes.set(payloads[i], at + 4);
    at += align4(4 + payloads[i].length);
  }
  return bytes.subarray(0, total);
}

function attributeBytes(value: Uint8Array | number | string): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(`${value}\0`);
  if (typeof value !== 'number') return value;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** One received message: its type, and where its payload lies. */
export interface Message {
  readonly type: number;
  readonly sequence: number;
  /** Payload: fixed part, then attributes. */
  readonly body: DataView;
}

/** The messages of a datagram; a length that leaves the datagram ends the walk. */
export function* messagesIn(datagram: Uint8Array): Generator<Message> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at + HEADER_BYTES <= view.byteLength) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > view.byteLength) return;
    yield {
      type: view.getUint16(at + 4, true),
      sequence: view.getUint32(at + 8, true),
      body: new DataView(view.buffer, view.byteOffset + at + HEADER_BYTES, length - HEADER_BYTES),
    };
    at += align4(length);
  }
}

/** The attributes that start at byte `from` of a message body, by type (the last of a kind wins). */
export function attributesOf(body: DataView, from: number): Map<number, DataView> {
  const found = new Map<number, DataView>();
  let at = from;
  while (at + 4 <= body.byteLength) {
    const length = body.getUint16(at, true);
    if (length < 4 || at + length > body.byteLength) break;
    const type = body.getUint16(at + 2, true) & 0x3fff;
    found.set(type, new DataView(body.buffer, body.byteOffset + at + 4, length - 4));
    at += align4(length);
  }
  return found;
}

/** A zero-terminated string attribute. */
export function textOf(attribute: DataView): string {
  const bytes = new Uint8Array(attribute.buffer, attribute.byteOffset, attribute.byteLength);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A route netlink socket in the calling thread's network namespace. */
export class NetlinkSocket {
  readonly fd: number;
  private readonly buffer = new Uint8Array(new ArrayBuffer(RECEIVE_BYTES));
  private readonly address = addressOf(this.buffer);
  private sequence = 0;

  /** `groups`: bit mask of multicast groups to join (RTMGRP_*); 0 for a socket of requests. Throws SystemError. */
  constructor(groups = 0, receiveBytes = 0) {
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.fd = check(socket(AF_NETLINK, type, NETLINK_ROUTE), 'socket(AF_NETLINK)', 'rtnetlink');
    const address = new DataView(new ArrayBuffer(80));
    address.setUint16(0, AF_NETLINK, true);
    address.setUint32(8, groups, true);
    const at = addressOf(new Uint8Array(address.buffer));
    check(bind(this.fd, at, 12), 'bind', 'rtnetlink');
    if (receiveBytes > 0) {
      address.setUint32(0, receiveBytes, true);
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, at, 4);
    }
  }

  /**
   * The next waiting datagram, valid until the next call; null when none waits. Throws SystemError, with ENOBUFS when
   * events were lost.
   */
  receive(): Uint8Array | null {
    const length = Number(recv(this.fd, this.address, RECEIVE_BYTES, 0));
    if (length >= 0) return this.buffer.subarray(0, length);
    const failure = new SystemError('recv', 'rtnetlink');
    if (failure.errno === 11 || failure.errno === 4) return null;
    throw failure;
  }

  /** Sends a request and hands each answer to `each`. Throws SystemError (named `about`) when the kernel refuses. */
  request(
    type: number,
    flags: number,
    fixed: Uint8Array,
    attributes: readonly Attribute[],
    about: string,
    each: (message: Message) => void = () => {},
  ): void {
    const sequence = ++this.sequence;
    const bytes = encodeMessage(type, flags | NLM_F_REQUEST, sequence, fixed, attributes);
    check(Number(send(this.fd, addressOf(bytes), bytes.length, 0)), 'send', about);
    for (;;) {
      const datagram = this.receive();
      if (datagram === null) return;
      for (const message of messagesIn(datagram)) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_DONE) return;
        if (message.type === NLMSG_ERROR) {
          const code = -message.body.getInt32(0, true);
          if (code !== 0) throw new SystemError('rtnetlink request', about, code);
          return;
        }
        each(message);
        if ((flags & (NLM_F_DUMP | NLM_F_ACK)) === 0) return;
      }
    }
  }

  close(): void {
    close(this.fd);
  }
}
