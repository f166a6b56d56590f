/**
 * One socket that outer packets leave by, and what is queued on it: one sendmmsg for all. The kernel writes IP (and UDP)
 * headers; a message is [encapsulation header][frame], two iovecs, with what differs from the socket's defaults as control
 * messages (ip(7): IP_TOS, IP_TTL, IP_PKTINFO for the source address; socket(7): SO_MARK; udp(7): UDP_SEGMENT).
 */
import {
  PKT_MARK,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_IPV6_SRC,
  TUN_SRC,
  TUN_TP,
} from '../packet/key.ts';
import { errno, sendmmsg } from '../sys/libc.ts';
import type { Region } from '../sys/region.ts';
import {
  closeTunnelSocket,
  DEFAULT_TTL,
  type Family,
  IP_PKTINFO,
  IP_TOS,
  IP_TTL,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  SOL_IP,
  SOL_IPV6,
  SOL_UDP,
  UDP_SEGMENT,
} from '../sys/tunnel-socket.ts';
import { copyTunnel, TUNNEL_STRIDE } from '../tunnels/tunnel-words.ts';
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSG_CONTROL_AT,
  MSG_CONTROLLEN_AT,
  MSG_IOV_AT,
  MSG_IOVLEN_AT,
  setAddress,
} from './frame-buffers.ts';
import {
  counterIndex,
  type Shared,
  TX_BYTES,
  TX_DROPPED,
  TX_ERRORS,
  TX_PACKETS,
} from './shared.ts';

const SLOTS = 64;
const NAME_BYTES = 32;
const CONTROL_BYTES = 192;
/** Room for a header in front of the frame: the longest Geneve header has 260 bytes. */
export const OUTER_HEADER_BYTES = 264;
const SLOT_BYTES =
  MMSGHDR_BYTES + 2 * IOVEC_BYTES + NAME_BYTES + CONTROL_BYTES + OUTER_HEADER_BYTES;
const CMSG_HEADER_BYTES = 16;
const MSG_NAMELEN_AT = 8;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const AF_INET = 2;
const AF_INET6 = 10;

const EINTR = 4;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;
const ENETUNREACH = 101;
const ENOBUFS = 105;
const EHOSTUNREACH = 113;

const QUEUE_FULL = counterIndex('drop_tx_queue_full');
const TX_ERROR = counterIndex('drop_tx_error');
const UNREACHABLE = counterIndex('drop_tunnel_unreachable');
const NO_ROUTE = counterIndex('drop_tunnel_no_route');
const TOO_LONG = counterIndex('drop_tunnel_mtu_exceeded');

/** Told of a message that the kernel finds too long for the path. */
export type TooLong = (sender: OuterSender, slot: number) => void;

export class OuterSender {
  readonly family: Family;
  private readonly lengths = new Int32Array(SLOTS);
  private readonly packets = new Int32Array(SLOTS);
  /** Tunnel words of each message. */
  readonly words = new Uint32Array(SLOTS * TUNNEL_STRIDE);
  /** Offset and length of the frame that each message is of: of a train, the super-frame. */
  readonly origins = new Int32Array(SLOTS);
  readonly originBytes = new Int32Array(SLOTS);
  private readonly fd: number;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly shared: Shared;
  private readonly statsBase: number;
  private readonly tooLong: TooLong;
  private readonly memory: number;
  private readonly base64 = new Uint32Array(2);
  private queued = 0;

  /** Takes the descriptor over. */
  constructor(
    fd: number,
    family: Family,
    region: Region,
    shared: Shared,
    statsBase: number,
    tooLong: TooLong,
  ) {
    this.fd = fd;
    this.family = family;
    this.region = region;
    this.view = region.view;
    this.shared = shared;
    this.statsBase = statsBase;
    this.tooLong = tooLong;
    this.memory = region.allocate(SLOTS * SLOT_BYTES);
    this.base64[0] = region.address % 2 ** 32;
    this.base64[1] = Math.floor(region.address / 2 ** 32);
    region.bytes.fill(0, this.memory, this.memory + SLOTS * SLOT_BYTES);
    const { view } = this;
    for (let i = 0; i < SLOTS; i++) {
      const message = this.message(i);
      setAddress(view, message, region.address + this.name(i));
      view.setUint32(message + MSG_NAMELEN_AT, family === 4 ? 16 : 28, true);
      setAddress(view, message + MSG_CONTROL_AT, region.address + this.control(i));
      view.setUint16(this.name(i), family === 4 ? AF_INET : AF_INET6, true);
    }
  }

  get isFull(): boolean {
    return this.queued === SLOTS;
  }
  get isEmpty(): boolean {
    return this.queued === 0;
  }

  /** Where the header of the next message is to be written; the caller has made sure that it is not full. */
  get nextHeader(): number {
    return this.header(this.queued);
  }

  /**
   * Queues a message of one packet: `headerBytes` at nextHeader, then the frame of `bytes` at `start`, which must stay until
   * flush(). `keys` at `base`: the key of the frame, whose tunnel words say where to.
   */
  push(keys: Uint32Array, base: number, headerBytes: number, start: number, bytes: number): void {
    const i = this.queued;
    const iovecs = this.iovecs(i);
    this.writeIovec(iovecs, this.header(i), headerBytes);
    this.writeIovec(iovecs + IOVEC_BYTES, start, bytes);
    this.packets[i] = 1;
    this.queue(keys, base, iovecs, 2, bytes, start, bytes, 0);
  }

  /**
   * Queues a message that lies in pieces: `count` iovecs at `iovecs`, of `packets` packets with `bytes` in all, each of `segmentBytes` but
   * a shorter last one. They and what they refer to must stay until flush(). The packets are of the super-frame of
   * `originBytes` at `origin`.
   */
  pushTrain(
    keys: Uint32Array,
    base: number,
    iovecs: number,
    count: number,
    bytes: number,
    origin: number,
    originBytes: number,
    segmentBytes: number,
    packets: number,
  ): void {
    this.packets[this.queued] = packets;
    const segment = packets > 1 ? segmentBytes : 0;
    this.queue(keys, base, iovecs, count, bytes, origin, originBytes, segment);
  }

  /** Writes a struct iovec of `length` bytes at region offset `from`. */
  writeIovec(at: number, from: number, length: number): void {
    this.writeAddress(at, from);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint32(at + 12, 0, true);
  }

  private writeAddress(at: number, offset: number): void {
    const low = this.base64[0] + offset;
    const high = this.base64[1];
    this.view.setUint32(at, low, true);
    this.view.setUint32(at + 4, low > 0xffffffff ? high + 1 : high, true);
  }

  private queue(
    keys: Uint32Array,
    base: number,
    iovecs: number,
    iovecCount: number,
    bytes: number,
    origin: number,
    originBytes: number,
    segmentBytes: number,
  ): void {
    const { view } = this;
    const i = this.queued++;
    const message = this.message(i);
    this.lengths[i] = bytes;
    this.origins[i] = origin;
    this.originBytes[i] = originBytes;
    copyTunnel(keys, base, this.words, i * TUNNEL_STRIDE - TUN_ID);
    this.writeAddress(message + MSG_IOV_AT, iovecs);
    view.setUint32(message + MSG_IOVLEN_AT, iovecCount, true);
    const name = this.name(i);
    view.setUint16(name + 2, keys[base + TUN_TP] & 0xffff);
    if (this.family === 4) view.setUint32(name + 4, keys[base + TUN_DST]);
    else
      for (let w = 0; w < 4; w++) view.setUint32(name + 8 + 4 * w, keys[base + TUN_IPV6_DST + w]);
    this.setControl(i, keys, base, segmentBytes);
  }

  private setControl(i: number, keys: Uint32Array, base: number, segmentBytes: number): void {
    const flags = keys[base + TUN_FLAGS];
    const tos = (flags >>> 8) & 255;
    const ttl = flags & 255;
    const isFour = this.family === 4;
    const level = isFour ? SOL_IP : SOL_IPV6;
    const from = this.control(i);
    let at = from;
    if (tos !== 0) at = this.number(at, level, isFour ? IP_TOS : IPV6_TCLASS, tos);
    if (ttl !== DEFAULT_TTL && ttl !== 0) {
      at = this.number(at, level, isFour ? IP_TTL : IPV6_HOPLIMIT, ttl);
    }
    const mark = keys[base + PKT_MARK];
    if (mark !== 0) at = this.number(at, SOL_SOCKET, SO_MARK, mark);
    if (segmentBytes !== 0) {
      this.head(at, CMSG_HEADER_BYTES + 2, SOL_UDP, UDP_SEGMENT);
      this.view.setUint16(at + CMSG_HEADER_BYTES, segmentBytes, true);
      at += CMSG_HEADER_BYTES + 8;
    }
    if (isFour && keys[base + TUN_SRC] !== 0) {
      // struct in_pktinfo: ifindex, the source to use, destination.
      this.head(at, CMSG_HEADER_BYTES + 12, SOL_IP, IP_PKTINFO);
      this.view.setUint32(at + CMSG_HEADER_BYTES, 0);
      this.view.setUint32(at + CMSG_HEADER_BYTES + 4, keys[base + TUN_SRC]);
      this.view.setUint32(at + CMSG_HEADER_BYTES + 8, 0);
      at += CMSG_HEADER_BYTES + 16;
    } else if (!isFour && this.hasSource(keys, base)) {
      this.head(at, CMSG_HEADER_BYTES + 20, SOL_IPV6, IPV6_PKTINFO);
      for (let w = 0; w < 4; w++) {
        this.view.setUint32(at + CMSG_HEADER_BYTES + 4 * w, keys[base + TUN_IPV6_SRC + w]);
      }
      this.view.setUint32(at + CMSG_HEADER_BYTES + 16, 0);
      at += CMSG_HEADER_BYTES + 24;
    }
    this.view.setUint32(this.message(i) + MSG_CONTROLLEN_AT, at - from, true);
  }

  private hasSource(keys: Uint32Array, base: number): boolean {
    for (let w = 0; w < 4; w++) if (keys[base + TUN_IPV6_SRC + w] !== 0) return true;
    return false;
  }

  private head(at: number, bytes: number, level: number, type: number): void {
    this.view.setUint32(at, bytes, true);
    this.view.setUint32(at + 4, 0, true);
    this.view.setUint32(at + 8, level, true);
    this.view.setUint32(at + 12, type, true);
  }

  private number(at: number, level: number, type: number, value: number): number {
    this.head(at, CMSG_HEADER_BYTES + 4, level, type);
    this.view.setUint32(at + CMSG_HEADER_BYTES, value, true);
    return at + CMSG_HEADER_BYTES + 8;
  }

  /**
   * Sends all. A message that the kernel refuses is counted under its reason and skipped. The first error may be of a packet before, of
   * which ICMP told meanwhile (ip(7), IP_RECVERR): it is this message's when it comes again.
   */
  flush(): void {
    const count = this.queued;
    if (count === 0) return;
    const { counters, ports } = this.shared;
    const messages = this.region.address + this.memory;
    let done = 0;
    let pending = 0;
    while (done < count) {
      const sent = sendmmsg(this.fd, messages + done * MMSGHDR_BYTES, count - done, MSG_DONTWAIT);
      if (sent > 0) {
        for (let i = done; i < done + sent; i++) {
          ports[this.statsBase + TX_PACKETS] += this.packets[i];
          ports[this.statsBase + TX_BYTES] += this.lengths[i];
        }
        done += sent;
        if (pending !== 0 && pending !== EMSGSIZE) counters[UNREACHABLE]++;
        pending = 0;
        continue;
      }
      const code = errno();
      if (code === EINTR) continue;
      if (pending === 0 && code !== EAGAIN && code !== ENOBUFS) {
        pending = code;
        continue;
      }
      pending = 0;
      const lost = this.packets[done];
      switch (code) {
        case EMSGSIZE:
          this.refuse(done);
          break;
        case ENETUNREACH:
        case EHOSTUNREACH:
          counters[NO_ROUTE] += lost;
          ports[this.statsBase + TX_DROPPED] += lost;
          break;
        case EAGAIN:
        case ENOBUFS:
          counters[QUEUE_FULL] += lost;
          ports[this.statsBase + TX_DROPPED] += lost;
          break;
        default:
          // Older kernels say so of trains whose packets are too long.
          if (code === EINVAL && lost > 1) this.refuse(done);
          else {
            counters[TX_ERROR] += lost;
            ports[this.statsBase + TX_ERRORS] += lost;
          }
      }
      done++;
    }
    this.queued = 0;
  }

  private refuse(i: number): void {
    this.shared.counters[TOO_LONG] += this.packets[i];
    this.shared.ports[this.statsBase + TX_DROPPED] += this.packets[i];
    this.tooLong(this, i);
  }

  close(): void {
    this.region.free(this.memory);
    closeTunnelSocket(this.fd);
  }

  private message(i: number): number {
    return this.memory + i * MMSGHDR_BYTES;
  }
  private iovecs(i: number): number {
    return this.memory + SLOTS * MMSGHDR_BYTES + i * (2 * IOVEC_BYTES);
  }
  private name(i: number): number {
    return this.memory + SLOTS * (MMSGHDR_BYTES + 2 * IOVEC_BYTES) + i * NAME_BYTES;
  }
  private control(i: number): number {
    const before = MMSGHDR_BYTES + 2 * IOVEC_BYTES + NAME_BYTES;
    return this.memory + SLOTS * before + i * CONTROL_BYTES;
  }
  private header(i: number): number {
    const before = MMSGHDR_BYTES + 2 * IOVEC_BYTES + NAME_BYTES + CONTROL_BYTES;
    return this.memory + SLOTS * before + i * OUTER_HEADER_BYTES;
  }
}
