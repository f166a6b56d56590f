/**
 * epoll(7), level-triggered: which of many descriptors has something to say.
 *
 * Each descriptor carries a number of the caller's (a token). Level-triggered because a port takes one batch
 * at a time and leaves the rest for the next round.
 */
import { type CallMemory, callMemory } from './call-memory.ts';
import { close, epollCreate1, epollCtl, epollWait } from './libc.ts';
import { check, SystemError } from './system-error.ts';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EINTR = 4;

export const EPOLLIN = 0x001;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;

/** struct epoll_event is packed on x86 only (eventpoll.h). */
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const DATA_AT = EVENT_BYTES - 8;
const MAX_EVENTS = 64;

export class Epoll {
  readonly fd: number;
  /** MAX_EVENTS results, then one event for epoll_ctl. */
  private readonly memory: CallMemory;
  private readonly events: DataView;
  private readonly address: number;

  /** Throws SystemError when the process is out of descriptors. */
  constructor() {
    this.fd = check(epollCreate1(EPOLL_CLOEXEC), 'epoll_create1', 'epoll');
    this.memory = callMemory((MAX_EVENTS + 1) * EVENT_BYTES);
    this.events = this.memory.view;
    this.address = this.memory.address;
  }

  /** Watches `fd` for input; errors are always reported. Throws SystemError. */
  add(fd: number, token: number): void {
    const at = MAX_EVENTS * EVENT_BYTES;
    this.events.setUint32(at, EPOLLIN, true);
    this.events.setUint32(at + DATA_AT, token, true);
    this.events.setUint32(at + DATA_AT + 4, 0, true);
    check(epollCtl(this.fd, EPOLL_CTL_ADD, fd, this.address + at), 'epoll_ctl', `descriptor ${fd}`);
  }

  /** Forgets `fd`. One that is not watched is no error: it may have been dropped for trouble before. */
  remove(fd: number): void {
    epollCtl(this.fd, EPOLL_CTL_DEL, fd, this.address + MAX_EVENTS * EVENT_BYTES);
  }

  /**
   * Waits up to `timeoutMs` (-1: for ever, 0: not at all). Returns how many results stand in token(i) and
   * flags(i); 0 as well when a signal interrupted the wait. Throws SystemError.
   */
  wait(timeoutMs: number): number {
    const n = epollWait(this.fd, this.address, MAX_EVENTS, timeoutMs);
    if (n >= 0) return n;
    const failure = new SystemError('epoll_wait', 'ports');
    if (failure.errno === EINTR) return 0;
    throw failure;
  }

  token(i: number): number {
    return this.events.getUint32(i * EVENT_BYTES + DATA_AT, true);
  }

  /** EPOLLIN, EPOLLERR, EPOLLHUP. */
  flags(i: number): number {
    return this.events.getUint32(i * EVENT_BYTES, true);
  }

  close(): void {
    close(this.fd);
    this.memory.free();
  }
}
