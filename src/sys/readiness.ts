/**
 * Hears on Node's event loop that a descriptor has become readable, and leaves what is there to be read by others: bytes of a
 * unix socket come with descriptors, which Node's own reading would lose.
 *
 * Node watches streams only, and reads what it watches. So it is given a stream (fd-stream.ts) over an epoll descriptor that watches the
 * real one: that becomes readable with it, and cannot be read, so all that Node learns is an error, once. The stream
 * is made anew for the next time: some microseconds, for messages that are rare.
 */
import type { Socket } from 'node:net';
import { Epoll } from './epoll.ts';
import { streamOf } from './fd-stream.ts';

export class Readiness {
  private readonly epoll = new Epoll();
  private readonly about: string;
  private readonly ready: () => void;
  private stream: Socket | null = null;
  private isClosed = false;

  /** Calls `ready` when `fd` is readable, and again after each `rearm` when it still or again is. Throws SystemError. */
  constructor(fd: number, about: string, ready: () => void) {
    this.about = about;
    this.ready = ready;
    this.epoll.add(fd, 0);
    this.rearm();
  }

  /** Waits for the next time. Throws SystemError. */
  rearm(): void {
    if (this.isClosed || this.stream !== null) return;
    const stream = streamOf(this.epoll.fd, this.about);
    this.stream = stream;
    stream.on('error', () => {
      if (this.stream !== stream) return;
      this.stream = null;
      this.ready();
    });
    stream.resume();
  }

  /** The descriptor itself stays its owner's. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { stream } = this;
    this.stream = null;
    stream?.destroy();
    this.epoll.close();
  }
}
