/**
 * The sender of the benchmarks: UDP frames through eth0 of the network namespace it runs in, of a given size, from a given
 * number of flows, at an even and bounded rate or as fast as they go.
 *
 * A benchmark starts itself as this sender in a host: `ip netns exec h1 node BENCH.js --send JSON`. sendmmsg takes 64 frames
 * a call, so that the sender costs little beyond what the kernel does for each frame.
 */
import { readFileSync } from 'node:fs';
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSG_IOV_AT,
  MSG_IOVLEN_AT,
  setAddress,
} from '../src/datapath/frame-buffers.ts';
import { addressOf, bind, sendmmsg, socket } from '../src/sys/libc.ts';
import { mappedRegion } from '../src/sys/mapped-region.ts';
import { check } from '../src/sys/system-error.ts';

export interface Load {
  /** Frames in all, and the longest time it may take; whatever comes first ends it. */
  readonly count: number;
  readonly seconds: number;
  /** Frames a second; 0 for as many as go. */
  readonly perSecond: number;
  /** Of a frame, without its checksum: 60 are 64 on a wire. */
  readonly bytes: number;
  /** Flows that take turns; 0 gives each frame one of its own. */
  readonly flows: number;
  /** Flow n goes to destination port 1 + n % destinations. */
  readonly destinations: number;
  /** Source address as a number; with `isSpread`, of the first flow, and each flow has the next. */
  readonly source: number;
  readonly isSpread: boolean;
  /** Destination address as a number. By default nobody's: the far end throws the frame away for little. */
  readonly target: number;
}

/** One flow of small frames as fast as they go, for ten seconds. */
export const LOAD: Load = {
  count: 4_000_000_000,
  seconds: 10,
  perSecond: 0,
  bytes: 60,
  flows: 1,
  destinations: 1,
  source: 0x0a000001,
  isSpread: false,
  target: 0x0a000003,
};

const AF_PACKET = 17;
const SOCK_RAW = 3;
const TICK_MS = 0.5;
const BURST = 64;
const FRAME_STRIDE = 2048;

const IP_AT = 14;
const SOURCE_AT = IP_AT + 12;
const TARGET_AT = IP_AT + 16;
const UDP_AT = IP_AT + 20;
/** Source ports of flows that share a destination port. */
const FIRST_PORT = 1024;
const PORTS = 60_000;
/** Destination ports that flows with all source ports taken go on with, apart. */
const PORT_STEP = 1000;

/** Ethernet, IPv4 without options, UDP without a checksum; addresses and ports change from frame to frame. */
const HEADERS = [
  ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
  ...[0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0],
];

/** Folded one's complement sum of the IPv4 header — RFC 1071. */
const headerSum = (view: DataView, at: number): number => {
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(at + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
};

/** Called first by a program whose measurements send: sends instead of measuring when it was started with `--send`. */
export function sendIfAsked(): void {
  if (process.argv[2] !== '--send') return;
  console.log(sendFrames(JSON.parse(process.argv[3]) as Load));
  process.exit(0);
}

/** Sends what `load` says and returns the seconds that it took. */
function sendFrames(load: Load): number {
  const fd = check(socket(AF_PACKET, SOCK_RAW, 0), 'socket(AF_PACKET)', 'eth0');
  // struct sockaddr_ll: family, protocol 0, ifindex; the rest is for those who receive.
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setInt32(4, Number(readFileSync('/sys/class/net/eth0/ifindex', 'utf8')), true);
  check(bind(fd, addressOf(new Uint8Array(address.buffer)), 20), 'bind', 'eth0');

  const region = mappedRegion(2 * BURST * FRAME_STRIDE);
  const messages = region.allocate(BURST * MMSGHDR_BYTES);
  const iovecs = region.allocate(BURST * IOVEC_BYTES);
  const frames = region.allocate(BURST * FRAME_STRIDE);
  const { view } = region;
  for (let i = 0; i < BURST; i++) {
    const frame = frames + i * FRAME_STRIDE;
    region.bytes.set(HEADERS, frame);
    region.bytes.fill(0x42, frame + HEADERS.length, frame + load.bytes);
    view.setUint16(frame + IP_AT + 2, load.bytes - IP_AT);
    view.setUint32(frame + TARGET_AT, load.target);
    view.setUint16(frame + UDP_AT + 4, load.bytes - UDP_AT);
    const message = messages + i * MMSGHDR_BYTES;
    const iovec = iovecs + i * IOVEC_BYTES;
    setAddress(view, message + MSG_IOV_AT, region.address + iovec);
    view.setUint32(message + MSG_IOVLEN_AT, 1, true);
    setAddress(view, iovec, region.address + frame);
    view.setUint32(iovec + 8, load.bytes, true);
  }

  const dress = (frame: number, flow: number): void => {
    view.setUint32(frame + SOURCE_AT, load.source + (load.isSpread ? flow : 0));
    view.setUint16(frame + IP_AT + 10, 0);
    view.setUint16(frame + IP_AT + 10, headerSum(view, frame + IP_AT));
    view.setUint16(frame + UDP_AT, FIRST_PORT + (flow % PORTS));
    const step = Math.floor(flow / PORTS) * PORT_STEP;
    view.setUint16(frame + UDP_AT + 2, (1 + (flow % load.destinations) + step) & 0xffff);
  };

  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  const endMs = start + load.seconds * 1000;
  let sent = 0;
  while (sent < load.count) {
    const now = performance.now();
    if (now >= endMs) break;
    const due =
      load.perSecond > 0 ? Math.ceil(((now - start) * load.perSecond) / 1000) : sent + 16 * BURST;
    while (sent < Math.min(due, load.count)) {
      const burst = Math.min(BURST, due - sent, load.count - sent);
      for (let i = 0; i < burst; i++) {
        const n = sent + i;
        dress(frames + i * FRAME_STRIDE, load.flows === 0 ? n : n % load.flows);
      }
      const done = sendmmsg(fd, region.address + messages, burst, 0);
      // ENOBUFS: the far end's queue is full, and the frame lost as on any wire.
      sent += done > 0 ? done : 1;
    }
    if (load.perSecond > 0) Atomics.wait(sleeper, 0, 0, TICK_MS);
  }
  return (performance.now() - start) / 1000;
}
