/** Receiving bytes together with descriptors over a unix socket (SCM_RIGHTS, unix(7)). */
import type { Socket } from 'node:net';
import { descriptorOf } from './direct-socket.ts';
import { addressOf, errno, fcntl, recvmsg } from './libc.ts';
import { check } from './system-error.ts';

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** struct cmsghdr: length (8 bytes), level, type; then the descriptors. */
const CMSG_HEAD_BYTES = 16;
const F_DUPFD_CLOEXEC = 1030;
const EINTR = 4;
const EAGAIN = 11;

export interface Received {
  /** 0 when the peer has closed, negative errno on failure. */
  readonly bytes: number;
  /** The caller's to close. */
  readonly fds: number[];
}

/** struct msghdr, one struct iovec, room for a control message. */
const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;

export class UnixMessages {
  private readonly fd: number;
  private readonly maxFds: number;
  private readonly memory: DataView;
  private readonly address: number;

  /** `maxFds`: descriptors that may come with one message; the kernel closes those beyond. */
  constructor(fd: number, maxFds: number) {
    this.fd = fd;
    this.maxFds = maxFds;
    const bytes = MSGHDR_BYTES + IOVEC_BYTES + CMSG_HEAD_BYTES + 4 * maxFds;
    this.memory = new DataView(new ArrayBuffer(bytes));
    this.address = addressOf(new Uint8Array(this.memory.buffer));
  }

  /** Reads up to `length` bytes into `into`, from `at`. Null when nothing is there now. */
  receive(into: Uint8Array, at: number, length: number): Received | null {
    const { memory, address } = this;
    const control = MSGHDR_BYTES + IOVEC_BYTES;
    const word = (offset: number, value: number) =>
      memory.setBigUint64(offset, BigInt(value), true);
    word(0, 0);
    word(8, 0);
    word(16, address + MSGHDR_BYTES);
    word(24, 1);
    word(32, address + control);
    word(40, CMSG_HEAD_BYTES + 4 * this.maxFds);
    word(48, 0);
    word(MSGHDR_BYTES, addressOf(into) + at);
    word(MSGHDR_BYTES + 8, length);
    const n = recvmsg(this.fd, address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
      const code = errno();
      return code === EAGAIN || code === EINTR ? null : { bytes: -code, fds: [] };
    }
    const fds: number[] = [];
    const hasRights =
      Number(memory.getBigUint64(40, true)) >= CMSG_HEAD_BYTES &&
      memory.getInt32(control + 8, true) === SOL_SOCKET &&
      memory.getInt32(control + 12, true) === SCM_RIGHTS;
    if (hasRights) {
      const end = Number(memory.getBigUint64(control, true));
      for (let i = CMSG_HEAD_BYTES; i + 4 <= end; i += 4)
        fds.push(memory.getInt32(control + i, true));
    }
    return { bytes: n, fds };
  }
}

/** A descriptor of the socket's connection that Node knows nothing of; the caller's to close. Throws SystemError. */
export const duplicate = (socket: Socket): number =>
  check(fcntl(descriptorOf(socket), F_DUPFD_CLOEXEC, 0), 'fcntl', 'a unix socket');
