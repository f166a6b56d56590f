/**
 * A sender of new connections: UDP frames from h1 to h2, each from another source port or to another destination port, at a
 * bounded and even rate. Part of bench:openflow, which starts itself in the host with `--send COUNT --rate N`.
 */
import { readFileSync } from 'node:fs';
import { addressOf, bind, socket, write } from '../src/sys/libc.ts';
import { check } from '../src/sys/system-error.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const TICK_MS = 0.5;

/** Ethernet, IPv4 without options, UDP without a checksum, 18 bytes: 60 in all. */
const FRAME = Uint8Array.from([
  ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
  ...[0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0x66, 0xbc, 10, 0, 0, 1, 10, 0, 0, 2],
  ...[0, 0, 0, 0, 0, 26, 0, 0, ...new Array<number>(18).fill(0x42)],
]);
const PORTS_AT = 34;

/** Sends through eth0 of the namespace it is in, and tells how long that took: seconds on standard output. */
export function sendConnections(count: number, perSecond: number): void {
  const fd = check(socket(AF_PACKET, SOCK_RAW, 0), 'socket(AF_PACKET)', 'eth0');
  // struct sockaddr_ll: family, protocol 0, ifindex; the rest is for those who receive.
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setInt32(4, Number(readFileSync('/sys/class/net/eth0/ifindex', 'utf8')), true);
  check(bind(fd, addressOf(new Uint8Array(address.buffer)), 20), 'bind', 'eth0');
  const frame = FRAME.slice();
  const at = addressOf(frame);
  const view = new DataView(frame.buffer);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  for (let sent = 0; sent < count; ) {
    const elapsedMs = performance.now() - start;
    const due = perSecond > 0 ? Math.min(count, Math.ceil((elapsedMs * perSecond) / 1000)) : count;
    for (; sent < due; sent++) {
      view.setUint16(PORTS_AT, 1024 + (sent % 60_000));
      view.setUint16(PORTS_AT + 2, 20_000 + Math.floor(sent / 60_000));
      write(fd, at, frame.length);
    }
    if (sent < count) Atomics.wait(sleeper, 0, 0, TICK_MS);
  }
  console.log((performance.now() - start) / 1000);
}
