/**
 * Reading and writing a connected net.Socket's descriptor with recv(2) and send(2), beside Node's own reading of it.
 *
 * A request and its answer through Node's streams cost a turn of the event loop, a buffer and a callback each. Who exchanges
 * a hundred thousand of them takes the next one here instead, and goes back to the loop now and then. Both ways share one queue in the
 * kernel and one thread, so nothing gets out of order as long as nothing waits in the stream's own buffers.
 *
 * What is received lies in slabs that are never written twice: a view of it stays good, and keeps its slab.
 */
import type { Duplex } from 'node:stream';
import { addressOf, ppoll, recv, send } from './libc.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const TIMESPEC_BYTES = 16;

const SLAB_BYTES = 64 << 10;
/** A slab with less room than this is given up. */
const LEAST_ROOM = 4 << 10;
const OUT_BYTES = 16 << 10;
/** About as long as a process takes to wake up and ask again. */
const WAIT_NS = 100_000;
/** Looks before it sleeps: some 15 microseconds, within which a peer on another processor has the next request ready. */
const LOOKS = 30;

/** The descriptor of a socket of Node's, which has no public name there. */
export const descriptorOf = (socket: Duplex): number => {
  const { _handle } = socket as Duplex & { readonly _handle?: { readonly fd?: number } | null };
  return _handle?.fd ?? -1;
};

export class DirectSocket {
  private readonly socket: Duplex;
  private readonly fd: number;
  private slab = new Uint8Array(0);
  private slabAddress = 0;
  private at = 0;
  private readonly out = new Uint8Array(OUT_BYTES);
  private readonly outAddress = addressOf(this.out);
  /** struct timespec, then struct pollfd. */
  private readonly waiting = new Int32Array(6);
  private readonly waitAddress = addressOf(new Uint8Array(this.waiting.buffer));
  /** Bytes that put() took and flush() has not sent. */
  unsent = 0;

  private constructor(socket: Duplex, fd: number) {
    this.socket = socket;
    this.fd = fd;
    this.waiting[2] = WAIT_NS;
    this.waiting[4] = fd;
    this.waiting[5] = POLLIN;
  }

  /** Null for a socket whose bytes are not the connection's (TLS), and for one without a descriptor. */
  static of(socket: Duplex): DirectSocket | null {
    if ('encrypted' in socket) return null;
    const fd = descriptorOf(socket);
    return fd < 0 ? null : new DirectSocket(socket, fd);
  }

  /** What has come; null when there is nothing now, or nothing more ever: which of them, and why, the stream tells. */
  receive(): Uint8Array | null {
    if (this.socket.destroyed) return null;
    if (SLAB_BYTES - this.at < LEAST_ROOM || this.slabAddress === 0) {
      this.slab = new Uint8Array(SLAB_BYTES);
      this.slabAddress = addressOf(this.slab);
      this.at = 0;
    }
    const { at } = this;
    const n = recv(this.fd, this.slabAddress + at, SLAB_BYTES - at, MSG_DONTWAIT);
    if (n <= 0) return null;
    this.at = at + n;
    return this.slab.subarray(at, at + n);
  }

  /** The same, and waits a moment for it: WAIT_NS, and LOOKS looks before. */
  receiveSoon(): Uint8Array | null {
    for (let looks = 0; looks < LOOKS; looks++) {
      const bytes = this.receive();
      if (bytes !== null) return bytes;
    }
    if (this.socket.destroyed) return null;
    const { waitAddress } = this;
    return ppoll(waitAddress + TIMESPEC_BYTES, 1, waitAddress, 0) > 0 ? this.receive() : null;
  }

  /** Takes bytes to send, unless they are too many, or others wait in the stream: then nothing is taken. */
  put(bytes: Uint8Array): boolean {
    if (this.socket.writableLength > 0 || this.unsent + bytes.length > OUT_BYTES) return false;
    this.out.set(bytes, this.unsent);
    this.unsent += bytes.length;
    return true;
  }

  /** Sends what put() took. What the kernel has no room for, or refuses, the stream gets. */
  flush(): void {
    const { unsent } = this;
    if (unsent === 0) return;
    this.unsent = 0;
    if (this.socket.destroyed) return;
    const n = send(this.fd, this.outAddress, unsent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < unsent) this.socket.write(this.out.slice(Math.max(n, 0), unsent));
  }
}
