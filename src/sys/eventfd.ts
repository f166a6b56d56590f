/** eventfd(2) as a doorbell between threads: any thread of the process rings, one waits in epoll. */
import { addressOf, close, eventfd, read, write } from './libc.ts';
import { check } from './system-error.ts';

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** Opens a doorbell's descriptor. Throws SystemError when the process is out of descriptors. */
export function openEventfd(): number {
  return check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd', 'wake-up descriptor');
}

/** One end of a doorbell: each thread makes its own from the shared descriptor. */
export class Doorbell {
  readonly fd: number;
  /** Word 0 is written by ring(), word 1 receives what clear() reads. Off-heap, so it never moves. */
  private readonly words = new BigUint64Array(new ArrayBuffer(16));
  private readonly address: number;

  constructor(fd: number) {
    this.fd = fd;
    this.words[0] = 1n;
    this.address = addressOf(new Uint8Array(this.words.buffer));
  }

  /** Makes the descriptor readable. A counter at its limit is readable already, so a refusal is no loss. */
  ring(): void {
    write(this.fd, this.address, 8);
  }

  /** Makes the descriptor unreadable until the next ring. */
  clear(): void {
    read(this.fd, this.address + 8, 8);
  }

  /** Closes the descriptor: done by one end, once the other is gone. */
  close(): void {
    close(this.fd);
  }
}
