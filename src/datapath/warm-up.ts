/**
 * Frames through a throwaway switch before the first real one, so that V8 has compiled the way through the datapath: loop,
 * ports, lookup, execution and the system calls. Without it the first hundreds of frames run interpreted (measured: a cold
 * ping takes 0.33 ms, a warm one 0.16).
 *
 * Two packet ports on plain memory in place of kernel rings; their descriptors are ends of socket pairs, so that the loop
 * really waits for them and sendmmsg really sends. Nothing of it is left behind, and its statistics are its own.
 */
import { IN_PORT } from '../packet/key.ts';
import { Doorbell, openEventfd } from '../sys/eventfd.ts';
import { addressOf, close, recv, send, socketpair } from '../sys/libc.ts';
import { mappedRegion } from '../sys/mapped-region.ts';
import { check } from '../sys/system-error.ts';
import { DatapathCore } from './core.ts';
import type { PortNo } from './datapath.ts';
import { FrameBuffers } from './frame-buffers.ts';
import { Loop } from './loop.ts';
import { PacketPort } from './packet-port.ts';
import { ProgramBuilder } from './program.ts';
import { Shared } from './shared.ts';

/** Enough for the optimising compiler (it is asked after some hundred calls); about 40 ms. */
const ROUNDS = 4000;
const SLOTS = 32;
const SLOT_BYTES = 2048;
const FRAME_AT = 146;
const REGION_BYTES = 64 << 20;
/** Megaflows by what they match, as a learning switch makes them. */
const FLOW_WORDS = [IN_PORT];

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

/** A port of the throwaway switch, and the far end of its wire. */
interface Wire {
  readonly port: PacketPort;
  readonly far: number;
  slot: number;
}

export function warmUp(): void {
  const region = mappedRegion(REGION_BYTES);
  const memory = {
    ...region,
    mapRing: (_fd: number, bytes: number) => region.allocate(bytes, 4096),
    unmapRing: (offset: number) => region.free(offset),
  };
  const shared = new Shared();
  const core = new DatapathCore(
    memory,
    shared,
    () => true,
    () => Math.floor(performance.now()),
  );
  const buffers = new FrameBuffers(memory);
  const doorbell = new Doorbell(openEventfd());
  const frames = [tcpFrame(), udpFrame(), arpFrame()];
  const byte = new Uint8Array(new ArrayBuffer(256));
  const byteAt = addressOf(byte);
  let round = 0;

  /** Called in every round of the loop: empties the wires, and puts the next frame into a ring. */
  const waiting = (): boolean => {
    for (const { port, far } of wires) {
      while (recv(far, byteAt, byte.length, 0) > 0);
      while (recv(port.fd, byteAt, byte.length, 0) > 0);
    }
    if (round++ >= ROUNDS) return true;
    const wire = wires[round & 1];
    const frame = frames[round % frames.length];
    const slot = wire.port.ringAt + wire.slot * SLOT_BYTES;
    wire.slot = (wire.slot + 1) % SLOTS;
    region.bytes.set(frame, slot + FRAME_AT);
    region.view.setUint32(slot + 4, frame.length, true);
    region.view.setUint32(slot + 8, frame.length, true);
    region.view.setUint16(slot + 12, FRAME_AT, true);
    region.view.setUint32(slot, 1, true);
    send(wire.far, byteAt, 1, 0);
    return false;
  };
  const loop = new Loop(
    core,
    doorbell,
    {
      waiting,
      take: () => loop.stop(),
      report: () => {},
      deviceGone: () => {},
      setSleeping: () => {},
    },
    () => performance.now(),
  );
  const wires: Wire[] = [1, 2].map((portNo) => {
    const [near, far] = socketPair();
    shared.assignPort(portNo as PortNo);
    const spec = {
      kind: 'packet',
      fd: near,
      slotBytes: SLOT_BYTES,
      slotCount: SLOTS,
      mtu: 1500,
    } as const;
    const port = new PacketPort(portNo as PortNo, 'warm-up', spec, memory, buffers, shared);
    core.attach(port);
    loop.addPort(port);
    const program = new ProgramBuilder();
    program.output(3 - portNo);
    const match = { words: FLOW_WORDS, values: [portNo], masks: [0xffffffff] };
    core.putFlow(portNo, match, program.take());
    return { port, far, slot: 0 };
  });
  loop.run();
  for (const { port, far } of wires) {
    port.close();
    close(port.fd);
    close(far);
  }
  doorbell.close();
  region.close();
}

/** Two connected, non-blocking datagram sockets. */
function socketPair(): readonly [number, number] {
  const pair = new Int32Array(new ArrayBuffer(128));
  const type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const at = addressOf(new Uint8Array(pair.buffer));
  check(socketpair(AF_UNIX, type, 0, at), 'socketpair', 'warm-up');
  return [pair[0], pair[1]];
}

const ethernet = (type: number) => [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, type >> 8, type & 0xff];
const ipv4 = (proto: number, payload: number) => [
  ...[0x45, 0, 0, 20 + payload, 0, 0, 0x40, 0, 64, proto, 0, 0],
  ...[192, 0, 2, 1, 192, 0, 2, 2],
];
const zeros = (count: number) => new Array<number>(count).fill(0);

const tcpFrame = () =>
  Uint8Array.from([
    ...ethernet(0x0800),
    ...ipv4(6, 20),
    ...[0, 1, 0, 2, ...zeros(8), 0x50, 0x10, ...zeros(6)],
  ]);
const udpFrame = () =>
  Uint8Array.from([...ethernet(0x0800), ...ipv4(17, 8), 0, 1, 0, 2, 0, 8, 0, 0]);
const arpFrame = () => Uint8Array.from([...ethernet(0x0806), 0, 1, 8, 0, 6, 4, 0, 1, ...zeros(20)]);
