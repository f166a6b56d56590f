/**
 * Kernel sockets that tunnels' outer packets go through: UDP (udp(7)) and raw IP (raw(7)), so that the kernel's routes,
 * neighbours, source addresses, fragmentation, filters and IPsec policies apply to them.
 *
 * Nothing here blocks: sockets of the internet family have no grace period to wait for when they are opened or closed.
 */
import { addressOf, bind, close, connect, errno, getsockopt, setsockopt, socket } from './libc.ts';
import { SystemError } from './system-error.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const IPPROTO_UDP = 17;
const IPPROTO_GRE = 47;

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_NO_CHECK = 11;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_REUSEPORT = 15;

export const SOL_IP = 0;
export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_PKTINFO = 8;
const IP_MTU_DISCOVER = 10;
const IP_RECVERR = 11;
const IP_RECVTTL = 12;
const IP_RECVTOS = 13;
const IP_MTU = 14;
export const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MTU_DISCOVER = 23;
const IPV6_MTU = 24;
const IPV6_RECVERR = 25;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;
const IPV6_RECVTCLASS = 66;
export const IPV6_TCLASS = 67;
export const SOL_UDP = 17;
const UDP_NO_CHECK6_RX = 102;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** IP_MTU_DISCOVER: never set DF, or always and refuse what is too long for the path. */
const PMTUDISC_DONT = 0;
const PMTUDISC_DO = 2;

const SEND_BUFFER_BYTES = 8 << 20;
const RECEIVE_BUFFER_BYTES = 8 << 20;
const EADDRINUSE = 98;
/** Hop limit of outer packets unless a message says another. */
export const DEFAULT_TTL = 64;

/** 4 or 6. */
export type Family = 4 | 6;

/** What carries the packets: a UDP port, or GRE. */
export interface TunnelSocketOptions {
  /** UDP port; 0 for GRE. */
  readonly udpPort: number;
  readonly family: Family;
}

const open = (family: Family, isUdp: boolean): number => {
  const type = (isUdp ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = socket(family === 4 ? AF_INET : AF_INET6, type, isUdp ? IPPROTO_UDP : IPPROTO_GRE);
  if (fd < 0)
    throw new SystemError(isUdp ? 'socket(UDP)' : 'socket(GRE)', `IPv${family} tunnel socket`);
  return fd;
};

/** Opens the socket that all packets to a UDP port, or all of GRE, arrive at. Throws SystemError. */
export function openTunnelReceiver({ udpPort, family }: TunnelSocketOptions): number {
  const isUdp = udpPort !== 0;
  const fd = open(family, isUdp);
  set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  if (family === 6) {
    set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
    set(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
    set(fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
    // RFC 6935: tunnels may do without a checksum over IPv6, too.
    if (isUdp) set(fd, SOL_UDP, UDP_NO_CHECK6_RX, 1);
  } else if (isUdp) {
    set(fd, SOL_IP, IP_PKTINFO, 1);
    set(fd, SOL_IP, IP_RECVTTL, 1);
    set(fd, SOL_IP, IP_RECVTOS, 1);
  }
  if (!isUdp) return fd;
  set(fd, SOL_UDP, UDP_GRO, 1);
  if (bindAny(fd, family, udpPort) >= 0) return fd;
  const code = errno();
  close(fd);
  const who = code === EADDRINUSE ? ': another tunnel endpoint has it' : '';
  throw new SystemError(`bind${who}`, `UDP port ${udpPort}`, code);
}

/**
 * Opens a socket to send by. What ICMP says of its packets is a later send's error (IP_RECVERR). From UDP port `sourcePort` (0: GRE, or any port) or the next free one up to `lastPort`. `df`: packets
 * too long for their path are refused (EMSGSIZE) instead of fragmented. `checksum`: of UDP, which IPv6 always has. Throws
 * SystemError.
 */
export function openTunnelSender(
  family: Family,
  isUdp: boolean,
  df: boolean,
  checksum: boolean,
  sourcePort: number,
  lastPort: number,
): number {
  const fd = open(family, isUdp);
  set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
  const discover = df ? PMTUDISC_DO : PMTUDISC_DONT;
  if (family === 4) {
    set(fd, SOL_IP, IP_MTU_DISCOVER, discover);
    set(fd, SOL_IP, IP_TTL, DEFAULT_TTL);
    set(fd, SOL_IP, IP_RECVERR, 1);
  } else {
    set(fd, SOL_IPV6, IPV6_MTU_DISCOVER, discover);
    set(fd, SOL_IPV6, IPV6_UNICAST_HOPS, DEFAULT_TTL);
    set(fd, SOL_IPV6, IPV6_RECVERR, 1);
    set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
  }
  if (!isUdp) {
    // Only for sending: what it receives, it must not keep.
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1);
    return fd;
  }
  if (!checksum && family === 4) set(fd, SOL_SOCKET, SO_NO_CHECK, 1);
  // The same port serves for packets with and without DF and checksum.
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1);
  for (let port = sourcePort; port <= lastPort; port++)
    if (bindAny(fd, family, port) >= 0) return fd;
  if (bindAny(fd, family, 0) >= 0) return fd;
  const failure = new SystemError('bind', 'tunnel source port');
  close(fd);
  throw failure;
}

/** MTU of the path to an address (4 or 16 bytes), as the kernel knows it by now; 0 when it cannot tell. */
export function pathMtu(family: Family, address: Uint8Array): number {
  const fd = socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const name = socketAddress(family, 9);
  name.set(address, family === 4 ? 4 : 8);
  const memory = new DataView(new ArrayBuffer(16));
  memory.setUint32(8, 4, true);
  const at = addressOf(new Uint8Array(memory.buffer));
  let mtu = 0;
  if (connect(fd, addressOf(name), name.length) >= 0) {
    const [level, option] = family === 4 ? [SOL_IP, IP_MTU] : [SOL_IPV6, IPV6_MTU];
    if (getsockopt(fd, level, option, at, at + 8) >= 0) mtu = memory.getUint32(0, true);
  }
  close(fd);
  return mtu;
}

/** Clears and returns the error that is pending on a socket. */
export function takeError(fd: number): number {
  const memory = new DataView(new ArrayBuffer(16));
  memory.setUint32(8, 4, true);
  const at = addressOf(new Uint8Array(memory.buffer));
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, at, at + 8) < 0 ? errno() : memory.getUint32(0, true);
}

export const closeTunnelSocket = (fd: number): void => void close(fd);

/** struct sockaddr_in or sockaddr_in6 of any address. */
function socketAddress(family: Family, port: number): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(family === 4 ? 80 : 112)).subarray(
    0,
    family === 4 ? 16 : 28,
  );
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  return bytes;
}

function bindAny(fd: number, family: Family, port: number): number {
  const name = socketAddress(family, port);
  return bind(fd, addressOf(name), name.length);
}

/** A setting that an older kernel or a lack of privilege refuses is done without. */
function set(fd: number, level: number, option: number, value: number): void {
  const memory = new Int32Array(new ArrayBuffer(80));
  memory[0] = value;
  setsockopt(fd, level, option, addressOf(new Uint8Array(memory.buffer)), 4);
}
