/**
 * What a driver says of its device: speed, duplex, driver name (ethtool(8), linux/ethtool.h), by ioctl SIOCETHTOOL.
 * A device that does not answer gives null: most virtual ones have no speed. And whether the kernel joins the segments that
 * the device receives.
 */
import { addressOf, close, ioctl, socket } from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCETHTOOL = 0x8946;
const ETHTOOL_GSET = 0x1;
const ETHTOOL_GDRVINFO = 0x3;
const ETHTOOL_GGRO = 0x2b;
const ETHTOOL_SGRO = 0x2c;
const IFNAME_BYTES = 16;

export interface LinkSettings {
  /** Bits per second, null when the driver does not know. */
  readonly speedBps: number | null;
  /** null when the driver does not know. */
  readonly fullDuplex: boolean | null;
}

export interface DriverInfo {
  readonly driver_name: string;
  readonly driver_version: string;
  readonly firmware_version: string;
}

export function linkSettings(name: string): LinkSettings | null {
  const command = ask(name, ETHTOOL_GSET, 44);
  if (command === null) return null;
  // struct ethtool_cmd: speed at 12, duplex at 14, speed_hi at 28.
  const mbps = command.getUint16(12, true) | (command.getUint16(28, true) << 16);
  const duplex = command.getUint8(14);
  const known = mbps !== -1 && mbps !== 0xffff && mbps !== 0;
  return {
    speedBps: known ? (mbps >>> 0) * 1_000_000 : null,
    fullDuplex: duplex === 1 ? true : duplex === 0 ? false : null,
  };
}

export function driverInfo(name: string): DriverInfo | null {
  const info = ask(name, ETHTOOL_GDRVINFO, 196);
  if (info === null) return null;
  return {
    driver_name: text(info, 4),
    driver_version: text(info, 36),
    firmware_version: text(info, 68),
  };
}

/** Whether the kernel joins TCP segments that come in by the device (generic receive offload); null when it does not say. */
export function joinsSegments(name: string): boolean | null {
  const value = ask(name, ETHTOOL_GGRO, 8);
  return value === null ? null : value.getUint32(4, true) !== 0;
}

/** Has the kernel join segments, or not. False when it refuses. */
export function setJoinsSegments(name: string, on: boolean): boolean {
  return ask(name, ETHTOOL_SGRO, 8, on ? 1 : 0) !== null && joinsSegments(name) === on;
}

/** Runs one command with one word of argument; its answer, or null when the device or the driver has none. */
function ask(name: string, command: number, bytes: number, argument = 0): DataView | null {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return null;
  try {
    const data = new DataView(new ArrayBuffer(Math.max(bytes, 80)));
    data.setUint32(0, command, true);
    data.setUint32(4, argument, true);
    // struct ifreq: name[16], then a pointer to the command.
    const request = new DataView(new ArrayBuffer(80));
    new TextEncoder().encodeInto(name.slice(0, IFNAME_BYTES - 1), new Uint8Array(request.buffer));
    const at = addressOf(new Uint8Array(data.buffer));
    request.setBigUint64(IFNAME_BYTES, BigInt(at), true);
    return ioctl(fd, SIOCETHTOOL, addressOf(new Uint8Array(request.buffer))) < 0 ? null : data;
  } finally {
    close(fd);
  }
}

/** char[32], zero-terminated. */
function text(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, at, 32);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? 32 : end));
}
