/**
 * Opening an AF_PACKET socket on an interface that somebody else owns (packet(7), packet_mmap.rst).
 *
 * Setting a ring up and closing a socket each wait for a grace period of the kernel (measured: 8-27 ms), so
 * both run on the thread pool: 200 ports overlap their waits, and neither the main thread nor packets stall.
 * The socket has protocol 0 until the last step, so nothing arrives while it is half made.
 *
 * Frames leave by a second socket, which stays at protocol 0. Each frame that the receiver's stack frees wakes whoever waits on the
 * socket that sent it, for room to write; of the receiving socket that is epoll, which then finds out that it was asked for input only
 * (measured: 6 to 9 % of the worker's time under small frames).
 */
import { addressOf, bind, callAsync, close, getsockopt, setsockopt, socket } from './libc.ts';
import { check, SystemError } from './system-error.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const ETH_P_ALL = 0x0003;

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;

const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_AUXDATA = 8;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const TPACKET_V2 = 1;

/**
 * PACKET_RESERVE: tp_mac becomes 146 and the network header 160, so that its words are aligned, and the bytes
 * between struct tpacket2_hdr and the frame are headroom for tags and outer headers.
 */
const RESERVE_BYTES = 70;
/** tp_mac of a frame without VLAN tag when PACKET_RESERVE is RESERVE_BYTES. */
const RING_FRAME_AT = 146;

const SLOT_BYTES = 2048;
/**
 * A TCP window of segments without a loss would take 2048, but a ring counts as the daemon's memory, and on a machine that is not
 * crowded 1024 and 1536 gave the same throughput (doc/adr/0014).
 */
const SLOT_COUNT = 1024;
const LARGEST_SLOT_BYTES = 16384;
const BLOCK_BYTES = 65_536;
/** Super-frames wait in the socket's queue; one takes up to about 90 KiB of kernel memory. */
const RECEIVE_BUFFER_BYTES = 8 << 20;
/** Has to hold the super-frames of a batch while a queueing discipline keeps them. */
const SEND_BUFFER_BYTES = 8 << 20;

/** Fits PortSpec (datapath.ts). The caller closes it with closeDevice(). */
export type PacketSocket = PacketQueue & {
  /** Further receive queues (packet-queues.ts). */
  readonly queues?: readonly PacketQueue[];
};

type PacketQueue =
  | {
      kind: 'packet';
      fd: number;
      sendFd: number;
      slotBytes: number;
      slotCount: number;
      mtu: number;
    }
  | { kind: 'packet-plain'; fd: number; sendFd: number; mtu: number };

export interface PacketSocketOptions {
  /** For error texts. */
  name: string;
  ifindex: number;
  /** Frames up to this size fit one slot; longer ones are fetched from the socket's queue. */
  mtu: number;
  /** Receive slots for frames of the usual MTU; larger slots are fewer, for the same memory. 0: no ring. */
  slotCount?: number;
  /** Called when the socket is ready and receives nothing yet. */
  beforeBind?: (fd: number, name: string) => void;
}

/** Opens, sets up and binds. Rejects with a SystemError that names the interface. */
export async function openPacketSocket(options: PacketSocketOptions): Promise<PacketSocket> {
  const { name, ifindex, mtu } = options;
  const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = check(socket(AF_PACKET, type, 0), 'socket(AF_PACKET)', name);
  let sendFd = -1;
  try {
    sendFd = check(socket(AF_PACKET, type, 0), 'socket(AF_PACKET)', name);
    for (const each of [fd, sendFd]) {
      setNumber(each, SOL_PACKET, PACKET_VNET_HDR, 1, 'PACKET_VNET_HDR', name);
    }
    setNumber(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, 'PACKET_IGNORE_OUTGOING', name);
    // Limits of an unprivileged kernel setting are no reason to fail: the default buffers work, if slowly.
    trySetNumber(sendFd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
    trySetNumber(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
    const ring = await setUpRing(fd, mtu, options.slotCount ?? SLOT_COUNT);
    if (!ring) setNumber(fd, SOL_PACKET, PACKET_AUXDATA, 1, 'PACKET_AUXDATA', name);
    becomePromiscuous(fd, ifindex, name);
    bindTo(sendFd, ifindex, 0, name);
    takeSocketError(sendFd);
    options.beforeBind?.(fd, name);
    bindTo(fd, ifindex, ETH_P_ALL, name);
    // An interface that is down leaves ENETDOWN behind; the kernel hooks the socket in when it comes up.
    takeSocketError(fd);
    return ring
      ? { kind: 'packet', fd, sendFd, ...ring, mtu }
      : { kind: 'packet-plain', fd, sendFd, mtu };
  } catch (failure) {
    await closeDevice({ fd, sendFd });
    throw failure;
  }
}

/** Closes all descriptors of a socket or TAP on the thread pool. Resolves when they are closed. */
export async function closeDevice({ queues = [], ...open }: OpenDevice): Promise<void> {
  const { fd, sendFd = -1 } = open;
  const closing = [fd, sendFd].filter((each) => each >= 0).map(closeDescriptor);
  await Promise.all([...closing, ...queues.map(closeDevice)]);
}

interface OpenDevice {
  readonly fd: number;
  readonly sendFd?: number;
  readonly queues?: readonly OpenDevice[];
}

/** Closes a socket or TAP on the thread pool: the kernel makes closers wait. Resolves when it is closed. */
export async function closeDescriptor(fd: number): Promise<void> {
  const result = await callAsync(close, fd);
  if (result < 0) throw new SystemError('close', `descriptor ${fd}`, -result);
}

/** Returns and clears the socket's pending error (errno, 0 for none); without that, epoll reports it for ever. */
export function takeSocketError(fd: number): number {
  const memory = new DataView(new ArrayBuffer(8));
  memory.setUint32(4, 4, true);
  const at = addressOf(new Uint8Array(memory.buffer));
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, at, at + 4) < 0) return 0;
  return memory.getInt32(0, true);
}

/** Frames that the kernel dropped since the last call because the ring or the queue was full. */
export function takePacketDrops(fd: number): number {
  const memory = new DataView(new ArrayBuffer(16));
  memory.setUint32(12, 12, true);
  const at = addressOf(new Uint8Array(memory.buffer));
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, at, at + 12) < 0) return 0;
  return memory.getUint32(4, true);
}

/** The ring's shape, or null when the kernel has no memory for it or no such option. */
async function setUpRing(
  fd: number,
  mtu: number,
  count: number,
): Promise<{ slotBytes: number; slotCount: number } | null> {
  if (count <= 0) return null;
  let slotBytes = SLOT_BYTES;
  while (slotBytes < LARGEST_SLOT_BYTES && RING_FRAME_AT + mtu + 18 > slotBytes) slotBytes *= 2;
  const ringBytes = Math.max(1, Math.round((count * SLOT_BYTES) / BLOCK_BYTES)) * BLOCK_BYTES;
  if (!trySetNumber(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2)) return null;
  if (!trySetNumber(fd, SOL_PACKET, PACKET_RESERVE, RESERVE_BYTES)) return null;
  if (!trySetNumber(fd, SOL_PACKET, PACKET_COPY_THRESH, 1)) return null;
  // struct tpacket_req: block size, blocks, frame size, frames. Kept alive by this frame until the call is over.
  const request = new Uint32Array(new ArrayBuffer(16));
  request[0] = BLOCK_BYTES;
  request[1] = ringBytes / BLOCK_BYTES;
  request[2] = slotBytes;
  request[3] = ringBytes / slotBytes;
  const at = addressOf(new Uint8Array(request.buffer));
  const result = await callAsync(setsockopt, fd, SOL_PACKET, PACKET_RX_RING, at, 16);
  return result < 0 ? null : { slotBytes: request[2], slotCount: request[3] };
}

function becomePromiscuous(fd: number, ifindex: number, name: string): void {
  // struct packet_mreq: ifindex, type, address length, address[8].
  const request = new DataView(new ArrayBuffer(16));
  request.setInt32(0, ifindex, true);
  request.setUint16(4, PACKET_MR_PROMISC, true);
  const at = addressOf(new Uint8Array(request.buffer));
  const result = setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, at, 16);
  check(result, 'PACKET_ADD_MEMBERSHIP', name);
}

function bindTo(fd: number, ifindex: number, protocol: number, name: string): void {
  // struct sockaddr_ll; the protocol is in network order.
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, protocol, false);
  address.setInt32(4, ifindex, true);
  check(bind(fd, addressOf(new Uint8Array(address.buffer)), 20), 'bind', name);
}

function trySetNumber(fd: number, level: number, option: number, value: number): boolean {
  const memory = new Int32Array(new ArrayBuffer(4));
  memory[0] = value;
  return setsockopt(fd, level, option, addressOf(new Uint8Array(memory.buffer)), 4) >= 0;
}

function setNumber(
  fd: number,
  level: number,
  option: number,
  value: number,
  call: string,
  name: string,
): void {
  if (!trySetNumber(fd, level, option, value)) throw new SystemError(call, name);
}
