/**
 * TAP devices that the daemon owns (tuntap.rst, if_tun.h).
 *
 * Persistent: a device, its addresses and the namespace it was moved to outlive a killed daemon, and the next one
 * attaches to it again. The descriptor stays with the device when that moves to another network namespace. Every
 * frame carries a virtio-net header, so that the kernel may hand over partial checksums and super-frames and take
 * them back.
 */
import { openSync } from 'node:fs';
import { constants } from 'node:os';
import { addressOf, callAsync, ioctl } from './libc.ts';
import { closeDescriptor, closeDevice } from './packet-socket.ts';
import { SystemError } from './system-error.ts';

const TUNSETIFF = 0x400454ca;
const TUNGETIFF = 0x800454d2;
const TUNSETPERSIST = 0x400454cb;
/** netdevice(7); a TAP's descriptor answers it for its device, wherever that is. */
const SIOCGIFHWADDR = 0x8927;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;

const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;
const IFF_MULTI_QUEUE = 0x0100;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO = 0x02 | 0x04 | 0x08; // TSO4, TSO6, TSO_ECN
const TUN_F_USO = 0x20 | 0x40; // USO4 and USO6, since Linux 6.2, accepted together only

/** IFNAMSIZ, with its final zero. */
const NAME_BYTES = 16;
const IFREQ_BYTES = 40;
const VNET_HEADER_BYTES = 10;

const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;

/** Fits PortSpec (datapath.ts). The caller closes `fd` with closeDescriptor(). */
export interface TapDevice {
  kind: 'tap';
  fd: number;
  vnetHeaderBytes: number;
  mtu: number;
  /** TUN_F_* bits that the kernel took: what it may hand us unfinished. */
  offloadBits: number;
  /** Further queues of the device. */
  queues?: readonly TapDevice[];
}

export interface TapOptions {
  name: string;
  /** MTU that the device will have; setting it on the device is rtnetlink's work. */
  mtu: number;
  /** Also attach to a TAP that exists and that nobody has open (`ip tuntap add`, or one that a killed daemon left). */
  adopt?: boolean;
  /** Runs the opening of the clone device, in the network namespace where the TAP is to be; by default in ours. */
  within?: (open: () => number) => number;
  /** Queues; with more than one the kernel divides frames among them by flow. An existing device keeps to the one that it has. */
  queues?: number;
}

/** Creates the device. Rejects with an Error that says what to do about it. */
export async function openTap(options: TapOptions): Promise<TapDevice> {
  const count = options.queues ?? 1;
  let first: TapDevice;
  try {
    first = await openQueue(options, count > 1);
  } catch (failure) {
    // A device that exists has several queues or one, and is attached to as it is.
    if (!options.adopt || !(failure instanceof WrongKindError)) throw failure;
    return openQueue(options, count <= 1);
  }
  const queues: TapDevice[] = [];
  try {
    const further = { ...options, adopt: true };
    while (queues.length < count - 1) queues.push(await openQueue(further, true));
  } catch (failure) {
    await closeDevice({ ...first, queues });
    throw failure;
  }
  return count > 1 ? { ...first, queues } : first;
}

async function openQueue(options: TapOptions, isOneOfMany: boolean): Promise<TapDevice> {
  const { name, mtu } = options;
  const problem = nameProblem(name);
  if (problem) throw new Error(`${name}: ${problem}`);
  const open = () => openCloneDevice(name);
  const fd = options.within === undefined ? open() : options.within(open);
  try {
    const request = new Uint8Array(new ArrayBuffer(IFREQ_BYTES));
    new TextEncoder().encodeInto(name, request);
    const kind = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isOneOfMany ? IFF_MULTI_QUEUE : 0);
    const flags = kind | (options.adopt ? 0 : IFF_TUN_EXCL);
    new DataView(request.buffer).setUint16(NAME_BYTES, flags, true);
    // Under the routing lock of the kernel, which others may hold for long.
    const result = await callAsync(ioctl, fd, TUNSETIFF, addressOf(request));
    if (result < 0) throw creationFailure(name, -result);

    const headerBytes = new Int32Array(new ArrayBuffer(4));
    headerBytes[0] = VNET_HEADER_BYTES;
    if (ioctl(fd, TUNSETVNETHDRSZ, addressOf(new Uint8Array(headerBytes.buffer))) < 0) {
      throw new SystemError('TUNSETVNETHDRSZ', name);
    }
    return { kind: 'tap', fd, vnetHeaderBytes: VNET_HEADER_BYTES, mtu, offloadBits: offloads(fd) };
  } catch (failure) {
    await closeDescriptor(fd);
    throw failure;
  }
}

/** False once the device behind the descriptor was deleted; true in whatever namespace it lives. */
export function isTapAlive(fd: number): boolean {
  return ioctl(fd, TUNGETIFF, addressOf(new Uint8Array(new ArrayBuffer(IFREQ_BYTES)))) >= 0;
}

/** MAC address of the device behind a descriptor, 48 bits, in whatever namespace it lives; 0 when it is gone. */
export function tapAddress(fd: number): bigint {
  const request = new Uint8Array(new ArrayBuffer(IFREQ_BYTES));
  if (ioctl(fd, SIOCGIFHWADDR, addressOf(request)) < 0) return 0n;
  // struct sockaddr follows the name: family, then the address.
  let mac = 0n;
  for (let i = 0; i < 6; i++) mac = (mac << 8n) | BigInt(request[NAME_BYTES + 2 + i]);
  return mac;
}

/** Whether the device stays when its descriptor is closed. */
export function setTapPersistent(fd: number, persistent: boolean): void {
  ioctl(fd, TUNSETPERSIST, persistent ? 1 : 0);
}

/** Why `name` cannot be a network device's name (dev_valid_name in the kernel); null when it can. */
export function nameProblem(name: string): string | null {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0) return 'a network device needs a name';
  if (bytes >= NAME_BYTES) {
    return `a network device name has at most ${NAME_BYTES - 1} bytes, this one has ${bytes}`;
  }
  if (name === '.' || name === '..' || /[/:\s\0%]/.test(name)) {
    return 'not a possible network device name';
  }
  return null;
}

/** Asks for as much offload as the kernel knows of. */
function offloads(fd: number): number {
  const wishes = [TUN_F_CSUM | TUN_F_TSO | TUN_F_USO, TUN_F_CSUM | TUN_F_TSO, TUN_F_CSUM];
  for (const bits of wishes) if (ioctl(fd, TUNSETOFFLOAD, bits) >= 0) return bits;
  return 0;
}

function openCloneDevice(name: string): number {
  try {
    // Node opens everything close-on-exec.
    return openSync('/dev/net/tun', O_RDWR | O_NONBLOCK);
  } catch (failure) {
    const code = -((failure as NodeJS.ErrnoException).errno ?? -constants.errno.EIO);
    throw new SystemError('open(/dev/net/tun)', name, code);
  }
}

/** The device exists and has another kind, or several queues instead of one, or the reverse. */
class WrongKindError extends Error {}

function creationFailure(name: string, code: number): Error {
  switch (code) {
    case constants.errno.EBUSY:
      return new Error(`${name}: a network device of this name exists already and is in use`);
    case constants.errno.EINVAL:
      return new WrongKindError(
        `${name}: a network device of this name exists already and is no TAP`,
      );
    case constants.errno.EPERM:
      return new Error(`${name}: no permission to create a TAP device (CAP_NET_ADMIN is needed)`);
    default:
      return new SystemError('TUNSETIFF', name, code);
  }
}
