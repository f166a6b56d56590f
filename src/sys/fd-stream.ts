/**
 * A Node stream over a descriptor that Node refuses to watch (a netlink socket, say), without a thread and
 * without polling.
 *
 * net.Socket accepts only descriptors whose kind libuv knows, yet once accepted libuv does nothing but epoll_wait
 * and read(2), which every pollable descriptor understands. So the stream is made over one end of a socket pair,
 * and dup2(2) puts the real descriptor in its place before the first read registers it with epoll. One read
 * returns at most 64 KiB and, on a datagram socket, exactly one datagram.
 */
import { Socket } from 'node:net';
import { addressOf, close, dup2, socketpair } from './libc.ts';
import { check } from './system-error.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Watches `fd`, which must be non-blocking and stays the caller's: the stream reads through a duplicate, so both see
 * one queue, and each is closed by its owner. The stream keeps no process alive. Throws SystemError.
 */
export function streamOf(fd: number, about: string): Socket {
  const pair = new Int32Array(2);
  check(
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, addressOf(new Uint8Array(pair.buffer))),
    'socketpair',
    about,
  );
  const socket = new Socket({ fd: pair[0], readable: true, writable: false });
  const placed = dup2(fd, pair[0]);
  close(pair[1]);
  if (placed < 0) {
    socket.destroy();
    check(placed, 'dup2', about);
  }
  socket.unref();
  return socket;
}
