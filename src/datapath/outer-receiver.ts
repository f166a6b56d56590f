/**
 * One socket that outer packets arrive at. A message may be a train of packets of one sender that the kernel gathered
 * (UDP_GRO, udp(7)): its packets become frames where they lie, one after the other, and what does not fit a batch waits
 * for the next.
 *
 * Frame i of a batch has its tunnel words (tunnels/tunnel-words.ts) in `words` at i * TUNNEL_STRIDE until the batch is over.
 */
import {
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_IPV6_SRC,
  TUN_SRC,
  TUN_TP,
} from '../packet/key.ts';
import { ETH_HEADER_BYTES } from '../packet/protocol.ts';
import { errno, recvmmsg } from '../sys/libc.ts';
import type { Region } from '../sys/region.ts';
import {
  closeTunnelSocket,
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
  UDP_GRO,
} from '../sys/tunnel-socket.ts';
import {
  clearTunnel,
  isSameTunnel,
  TUNNEL_STRIDE,
  TunnelFlag,
  TunnelRefusal,
} from '../tunnels/tunnel-words.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import { Coalescer } from './coalescer.ts';
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSG_CONTROL_AT,
  MSG_CONTROLLEN_AT,
  MSG_FLAGS_AT,
  MSG_IOV_AT,
  MSG_IOVLEN_AT,
  MSG_LEN_AT,
  setAddress,
} from './frame-buffers.ts';

/** What one call to the kernel takes at most; without trains (GRE) so many segments make a super-frame. */
const MESSAGES = 2 * BATCH_FRAMES;
/** Calls to the kernel in one turn while all that comes is refused. */
const MAX_FETCHES = 4;
const BUFFER_BYTES = 66 * 1024;
/** In front of what is received: room for tags; the inner network header is word-aligned behind 8 bytes of VXLAN. */
const ROOM = 126;
const NAME_BYTES = 32;
const CONTROL_BYTES = 192;
const CMSG_HEADER_BYTES = 16;
const MSG_NAMELEN_AT = 8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const EINTR = 4;
const IPV4_MIN_BYTES = 20;

/**
 * Decodes the encapsulation header of `length` bytes at `at` into words (as tunnel codecs do); returns its length, or
 * below 0 a TunnelRefusal.
 */
export type Decode = (at: number, length: number, words: Uint32Array, base: number) => number;

export interface ReceiverHooks {
  readonly decode: Decode;
  /** A packet was dropped for a TunnelRefusal. */
  refused(reason: number): void;
  oversized(): void;
  failed(): void;
}

export class OuterReceiver {
  readonly fd: number;
  private readonly family: Family;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly hooks: ReceiverHooks;
  /** Raw IPv4 sockets hand the outer IP header over. */
  private readonly hasIpHeader: boolean;
  private readonly isUdp: boolean;
  private readonly memory: number;
  private readonly buffers: number;
  /** Tunnel words that all packets of the message at hand share. */
  private readonly outer = new Uint32Array(TUN_TP + 1);
  private readonly coalescer: Coalescer;
  /** Tunnel words of a packet that may be joined to one before. */
  private readonly following = new Uint32Array(TUNNEL_STRIDE);
  private got = 0;
  /** Messages whose lengths are to be set before the next call. */
  private used = MESSAGES;
  private next = 0;
  /** What is left of the message at hand: offset, end and length of its packets. */
  private at = 0;
  private end = 0;
  private step = 0;
  private isFirst = false;

  /** Takes the descriptor over. */
  constructor(fd: number, family: Family, isUdp: boolean, region: Region, hooks: ReceiverHooks) {
    this.fd = fd;
    this.family = family;
    this.isUdp = isUdp;
    this.hasIpHeader = !isUdp && family === 4;
    this.region = region;
    this.view = region.view;
    this.hooks = hooks;
    this.coalescer = new Coalescer(region);
    const perMessage = MMSGHDR_BYTES + IOVEC_BYTES + NAME_BYTES + CONTROL_BYTES;
    this.memory = region.allocate(MESSAGES * perMessage);
    this.buffers = region.allocate(MESSAGES * BUFFER_BYTES, 4096);
    region.bytes.fill(0, this.memory, this.memory + MESSAGES * perMessage);
    const { view } = this;
    for (let i = 0; i < MESSAGES; i++) {
      const message = this.memory + i * MMSGHDR_BYTES;
      const iovec = this.memory + MESSAGES * MMSGHDR_BYTES + i * IOVEC_BYTES;
      setAddress(view, message, region.address + this.name(i));
      setAddress(view, message + MSG_IOV_AT, region.address + iovec);
      view.setUint32(message + MSG_IOVLEN_AT, 1, true);
      setAddress(view, message + MSG_CONTROL_AT, region.address + this.control(i));
      setAddress(view, iovec, region.address + this.buffer(i));
      view.setUint32(iovec + 8, BUFFER_BYTES - ROOM, true);
    }
  }

  /** Appends frames to the batch until it is full or none waits; their words go into `words`. Returns how many. */
  receive(batch: Batch, inPort: number, words: Uint32Array): number {
    const before = batch.count;
    let fetches = 0;
    while (batch.count < BATCH_FRAMES) {
      if (this.at < this.end) {
        this.takePacket(batch, inPort, words);
        continue;
      }
      if (this.next < this.got) {
        this.open(this.next++);
        continue;
      }
      // Buffers hold frames of this batch: they are free for other packets once it is over. Garbage ends, too: other
      // ports have their turn.
      if (batch.count > before || fetches++ === MAX_FETCHES || !this.fetch()) break;
    }
    return batch.count - before;
  }

  /** True when packets wait that the kernel does not know of any more. */
  get hasLeft(): boolean {
    return this.at < this.end || this.next < this.got;
  }

  close(): void {
    this.region.free(this.memory);
    this.region.free(this.buffers);
    closeTunnelSocket(this.fd);
  }

  private fetch(): boolean {
    const view = this.view;
    // The kernel has written over those that it filled.
    for (let i = 0; i < this.used; i++) {
      const message = this.memory + i * MMSGHDR_BYTES;
      view.setUint32(message + MSG_NAMELEN_AT, NAME_BYTES, true);
      view.setUint32(message + MSG_CONTROLLEN_AT, CONTROL_BYTES, true);
    }
    const got = recvmmsg(this.fd, this.region.address + this.memory, MESSAGES, MSG_DONTWAIT, 0);
    this.next = 0;
    this.got = Math.max(got, 0);
    this.used = Math.max(this.got, 1);
    if (got < 0) {
      const code = errno();
      if (code !== EAGAIN && code !== EINTR) this.hooks.failed();
    }
    return got > 0;
  }

  /** Reads addresses and control messages of message i, whose packets are then taken. */
  private open(i: number): void {
    const view = this.view;
    const message = this.memory + i * MMSGHDR_BYTES;
    if ((view.getUint32(message + MSG_FLAGS_AT, true) & MSG_TRUNC) !== 0) {
      this.hooks.oversized();
      return;
    }
    const outer = this.outer;
    outer.fill(0);
    const name = this.name(i);
    const length = view.getUint32(message + MSG_LEN_AT, true);
    this.at = this.buffer(i);
    this.end = this.at + length;
    this.step = length;
    this.isFirst = true;
    if (this.isUdp) outer[TUN_TP] = (view.getUint16(name + 2) << 16) >>> 0;
    if (this.family === 4) outer[TUN_SRC] = view.getUint32(name + 4);
    else for (let w = 0; w < 4; w++) outer[TUN_IPV6_SRC + w] = view.getUint32(name + 8 + 4 * w);
    this.readControl(i, view.getUint32(message + MSG_CONTROLLEN_AT, true));
    if (this.hasIpHeader && !this.readIpHeader()) {
      this.end = this.at;
      this.hooks.refused(TunnelRefusal.TRUNCATED);
    }
  }

  private readControl(i: number, bytes: number): void {
    const view = this.view;
    const outer = this.outer;
    let at = this.control(i);
    const end = at + Math.min(bytes, CONTROL_BYTES);
    while (at + CMSG_HEADER_BYTES <= end) {
      const length = view.getUint32(at, true);
      if (length < CMSG_HEADER_BYTES || at + length > end) return;
      const level = view.getUint32(at + 8, true);
      const type = view.getUint32(at + 12, true);
      const data = at + CMSG_HEADER_BYTES;
      if (level === SOL_UDP) {
        if (type === UDP_GRO) this.step = Math.max(1, view.getUint32(data, true));
      } else if (level === SOL_IP) {
        if (type === IP_PKTINFO) outer[TUN_DST] = view.getUint32(data + 8);
        else if (type === IP_TTL) outer[TUN_FLAGS] |= view.getUint8(data);
        else if (type === IP_TOS) outer[TUN_FLAGS] |= view.getUint8(data) << 8;
      } else if (level === SOL_IPV6) {
        if (type === IPV6_PKTINFO) {
          for (let w = 0; w < 4; w++) outer[TUN_IPV6_DST + w] = view.getUint32(data + 4 * w);
        } else if (type === IPV6_HOPLIMIT) outer[TUN_FLAGS] |= view.getUint8(data);
        else if (type === IPV6_TCLASS) outer[TUN_FLAGS] |= view.getUint8(data) << 8;
      }
      at += (length + 7) & ~7;
    }
  }

  /** Takes the outer header off; false when the packet is too short to have one. */
  private readIpHeader(): boolean {
    const view = this.view;
    const { at, outer } = this;
    if (this.end - at < IPV4_MIN_BYTES) return false;
    const bytes = (view.getUint8(at) & 15) * 4;
    if (bytes < IPV4_MIN_BYTES || at + bytes > this.end) return false;
    outer[TUN_FLAGS] = (view.getUint8(at + 1) << 8) | view.getUint8(at + 8);
    outer[TUN_SRC] = view.getUint32(at + 12);
    outer[TUN_DST] = view.getUint32(at + 16);
    this.at += bytes;
    this.step = this.end - this.at;
    return true;
  }

  private takePacket(batch: Batch, inPort: number, words: Uint32Array): void {
    const at = this.at;
    const bytes = Math.min(this.step, this.end - at);
    this.at += bytes;
    const base = batch.count * TUNNEL_STRIDE - TUN_ID;
    this.describe(words, base);
    const header = this.hooks.decode(at, bytes, words, base);
    if (header < 0) {
      this.hooks.refused(header);
      return;
    }
    if (((words[base + TUN_FLAGS] >>> 16) & TunnelFlag.BARE) !== 0) {
      this.appendBare(batch, inPort, at, bytes, header);
      return;
    }
    // In front of the first packet of a message there is room of our own, in front of others only their own header.
    const room = header + (this.isFirst ? ROOM : 0);
    this.isFirst = false;
    const p = batch.append(inPort, at + header, bytes - header, room);
    if (this.hasLeft) this.joinFollowing(batch, p, at, header, words, base);
  }

  /** A packet of layer 3 becomes a frame with addresses of 0, the type from GRE's header. Such a one is alone in its message. */
  private appendBare(
    batch: Batch,
    inPort: number,
    at: number,
    bytes: number,
    header: number,
  ): void {
    const { view } = this;
    const start = at + header - ETH_HEADER_BYTES;
    const type = view.getUint16(at + 2);
    for (let i = 0; i < 12; i += 4) view.setUint32(start + i, 0);
    view.setUint16(start + 12, type);
    this.isFirst = false;
    batch.append(
      inPort,
      start,
      bytes - header + ETH_HEADER_BYTES,
      ROOM + header - ETH_HEADER_BYTES,
    );
  }

  /**
   * Packets that go on where frame p, the packet at `first` less its header, ends become one frame with it: of the same message, and of
   * those behind it that came through the same tunnel (tunnel words: `words` at `base`).
   */
  private joinFollowing(
    batch: Batch,
    p: number,
    first: number,
    header: number,
    words: Uint32Array,
    base: number,
  ): void {
    const { coalescer, following } = this;
    if (!coalescer.begin(batch.start[p], batch.length[p])) return;
    let reference = first;
    let outerBytes = header;
    for (;;) {
      // A train has one sender: what else its packets have in common shows in their headers.
      while (this.at < this.end) {
        const bytes = Math.min(this.step, this.end - this.at);
        const isSame = bytes > outerBytes && this.hasSameHeader(reference, this.at, outerBytes);
        if (!isSame || !coalescer.join(this.at + outerBytes, bytes - outerBytes)) {
          coalescer.finish(batch, p);
          return;
        }
        this.at += bytes;
      }
      if (!coalescer.canGrow || this.next === this.got) break;
      this.open(this.next++);
      const bytes = Math.min(this.step, this.end - this.at);
      if (bytes <= 0) break;
      this.describe(following, -TUN_ID);
      outerBytes = this.hooks.decode(this.at, bytes, following, -TUN_ID);
      // What is refused is counted when its turn comes.
      if (outerBytes < 0 || !isSameTunnel(words, base, following, -TUN_ID)) break;
      if (!coalescer.join(this.at + outerBytes, bytes - outerBytes)) break;
      reference = this.at;
      this.at += bytes;
      this.isFirst = false;
    }
    coalescer.finish(batch, p);
  }

  /** Makes `words` at `base` what is known of the message at hand. */
  private describe(words: Uint32Array, base: number): void {
    const { outer } = this;
    clearTunnel(words, base);
    for (let word = TUN_SRC; word <= TUN_TP; word++) words[base + word] = outer[word];
  }

  private hasSameHeader(a: number, b: number, bytes: number): boolean {
    for (let i = 0; i < bytes; i += 4) {
      if (this.view.getUint32(a + i) !== this.view.getUint32(b + i)) return false;
    }
    return true;
  }

  private buffer(i: number): number {
    return this.buffers + i * BUFFER_BYTES + ROOM;
  }
  private name(i: number): number {
    return this.memory + MESSAGES * (MMSGHDR_BYTES + IOVEC_BYTES) + i * NAME_BYTES;
  }
  private control(i: number): number {
    return this.memory + MESSAGES * (MMSGHDR_BYTES + IOVEC_BYTES + NAME_BYTES) + i * CONTROL_BYTES;
  }
}
