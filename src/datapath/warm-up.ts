/**
 * Frames through the datapath before the first real one, so that V8 has compiled the way through it: loop, ports, lookup,
 * execution and the system calls. Without it the first hundreds of frames run interpreted (measured: a cold ping takes
 * 0.33 ms, a warm one 0.16).
 *
 * It must be the worker's own core and loop: code compiled for other objects is thrown away at the first frame that
 * meets these. Two packet ports stand on plain memory in place of kernel rings, socket pairs are their wires, and a third
 * port drives them. Nothing stays behind: ports and megaflows are removed, counters set to zero.
 */
import { DP_WORDS, ETH_DST, ETH_DST_SRC, ETH_SRC, ETH_TYPE_PROTO, IN_PORT } from '../packet/key.ts';
import { addressOf, close, recv, send, socketpair } from '../sys/libc.ts';
import type { MappedRegion } from '../sys/mapped-region.ts';
import { check } from '../sys/system-error.ts';
import { BATCH_FRAMES, Batch } from './batch.ts';
import type { DatapathCore } from './core.ts';
import type { PortNo } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import type { FrameBuffers } from './frame-buffers.ts';
import type { Loop } from './loop.ts';
import { PacketPort } from './packet-port.ts';
import { ProgramBuilder } from './program.ts';
import type { Shared } from './shared.ts';

/** Enough for the optimising compiler (it is asked after some hundred calls); about 40 ms. */
const ROUNDS = 4000;
const SLOTS = 32;
const SLOT_BYTES = 2048;
const FRAME_AT = 146;
/** Numbers that no port has: what they count goes to nobody (Shared, slot 0). */
const FIRST_PORT = 65_530;
const DRIVER_PORT = 65_529 as PortNo;
/** A megaflow as a learning switch makes it. */
const FLOW_WORDS = [IN_PORT, ETH_DST, ETH_DST_SRC, ETH_SRC, ETH_TYPE_PROTO];
const FLOW_MASKS = [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffff0000];

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

interface Worker {
  readonly region: MappedRegion;
  readonly shared: Shared;
  readonly core: DatapathCore;
  readonly loop: Loop;
  readonly buffers: FrameBuffers;
}

/** A port of the throwaway switch, its ring, and the far end of its wire. */
interface Wire {
  readonly port: PacketPort;
  readonly ring: number;
  readonly far: number;
  slot: number;
}

/** Run with no command waiting, before loop.run() for good. */
export function warmUp(worker: Worker): void {
  const { region, shared, core, loop, buffers } = worker;
  const frames = [tcpFrame(), udpFrame(), arpFrame()];
  const wires = [0, 1].map((i): Wire => {
    const [near, far] = socketPair();
    const portNo = (FIRST_PORT + i) as PortNo;
    const ring = region.allocate(SLOTS * SLOT_BYTES, 4096);
    const spec = {
      kind: 'packet',
      fd: near,
      sendFd: near,
      slotBytes: SLOT_BYTES,
      slotCount: SLOTS,
      mtu: 1500,
    } as const;
    const port = new PacketPort(portNo, 'warm-up', spec, region, buffers, shared, ring);
    core.attach(port);
    loop.addPort(port);
    frames.forEach((frame, n) => {
      const view = new DataView(frame.buffer);
      const type = view.getUint16(12) << 16;
      const values = [portNo, view.getUint32(0), view.getUint32(4), view.getUint32(8), type];
      const program = new ProgramBuilder();
      program.output(FIRST_PORT + 1 - i);
      const match = { words: FLOW_WORDS, values, masks: FLOW_MASKS };
      core.putFlow(i * frames.length + n, match, program.take());
    });
    return { port, ring, far, slot: 0 };
  });
  const driver = new Driver(region, loop, wires, frames);
  loop.addPort(driver);
  core.attach(driver);
  loop.run();

  loop.removePort(driver);
  core.detach(DRIVER_PORT);
  driver.close();
  for (const { port, far } of wires) {
    loop.removePort(port);
    core.detach(port.portNo);
    port.close();
    close(port.fd);
    close(far);
  }
  for (let id = 0; id < wires.length * frames.length; id++) core.removeFlow(id);
  missSome(core);
  shared.counters.fill(0);
  shared.lookups.fill(0);
}

/** Lookups that find nothing, of frames that look like many flows. */
function missSome(core: DatapathCore): void {
  const batch = new Batch();
  for (let round = 0; round < 100; round++) {
    for (let p = 0; p < BATCH_FRAMES; p++) {
      batch.keys[p * DP_WORDS + IN_PORT] = FIRST_PORT;
      batch.keys[p * DP_WORDS + ETH_SRC] = round * BATCH_FRAMES + p;
      batch.flow[p] = -1;
    }
    core.cache.lookup(batch, batch.flow, BATCH_FRAMES);
  }
}

/** The port that is always ready and never has a frame: each time it is asked, it feeds another one. */
class Driver implements DevicePort {
  readonly portNo = DRIVER_PORT;
  readonly name = 'warm-up driver';
  readonly fd: number;
  mtu = 1500;
  readonly takesOffload = true;
  private readonly far: number;
  private readonly region: MappedRegion;
  private readonly loop: Loop;
  private readonly wires: readonly Wire[];
  private readonly frames: readonly Uint8Array[];
  private readonly bytes = new Uint8Array(new ArrayBuffer(256));
  private readonly bytesAt = addressOf(this.bytes);
  private round = 0;

  constructor(
    region: MappedRegion,
    loop: Loop,
    wires: readonly Wire[],
    frames: readonly Uint8Array[],
  ) {
    [this.fd, this.far] = socketPair();
    this.region = region;
    this.loop = loop;
    this.wires = wires;
    this.frames = frames;
    send(this.far, this.bytesAt, 1, 0);
  }

  receive(): number {
    const { region, round } = this;
    for (const { port, far } of this.wires) {
      while (recv(far, this.bytesAt, this.bytes.length, 0) > 0);
      while (recv(port.fd, this.bytesAt, this.bytes.length, 0) > 0);
    }
    if (this.round++ === ROUNDS) this.loop.stop();
    const wire = this.wires[round & 1];
    const frame = this.frames[round % this.frames.length];
    const slot = wire.ring + wire.slot * SLOT_BYTES;
    wire.slot = (wire.slot + 1) % SLOTS;
    region.bytes.set(frame, slot + FRAME_AT);
    region.view.setUint32(slot + 4, frame.length, true);
    region.view.setUint32(slot + 8, frame.length, true);
    region.view.setUint16(slot + 12, FRAME_AT, true);
    region.view.setUint32(slot, 1, true);
    send(wire.far, this.bytesAt, 1, 0);
    return 0;
  }

  hasFrame(): boolean {
    return false;
  }
  send(): void {}
  flush(): void {}
  release(): void {}
  onDeviceError(): boolean {
    return true;
  }
  collectDrops(): void {}
  close(): void {
    close(this.fd);
    close(this.far);
  }
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
