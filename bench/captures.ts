/**
 * Captures for the replay: files of classic pcap (pcap-savefile(5)) are read, and mixtures of our own made.
 *
 * A mixture is drawn from a seed, so that two runs replay the same packets.
 */
import { readFileSync } from 'node:fs';
import { PcapWriter } from '../src/util/pcap.ts';
import { VirtualClock } from '../src/util/virtual-clock.ts';
import { buildFrame, type FrameShape } from '../test/packet/frame-builder.ts';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** Microseconds, nanoseconds. */
const MAGICS = [0xa1b2c3d4, 0xa1b23c4d];
const LINKTYPE_ETHERNET = 1;
/** More are left out: the replay keeps all in memory. */
const MAX_FRAMES = 1 << 18;

/** The frames of a capture, those that it holds whole. Throws an Error that says what is wrong with the file. */
export function readCapture(path: string): Uint8Array[] {
  const bytes = readFileSync(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FILE_HEADER_BYTES) throw new Error(`${path}: too short for a capture`);
  const little = MAGICS.includes(view.getUint32(0, true));
  if (!little && !MAGICS.includes(view.getUint32(0))) {
    throw new Error(`${path}: not a classic pcap file (editcap -F pcap makes one)`);
  }
  const link = view.getUint32(20, little) & 0xfffffff;
  if (link !== LINKTYPE_ETHERNET) throw new Error(`${path}: link type ${link} is not Ethernet`);
  const frames: Uint8Array[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= bytes.length && frames.length < MAX_FRAMES) {
    const captured = view.getUint32(at + 8, little);
    const whole = view.getUint32(at + 12, little);
    at += RECORD_HEADER_BYTES;
    if (at + captured > bytes.length) break;
    if (captured === whole) frames.push(bytes.subarray(at, at + captured));
    at += captured;
  }
  if (frames.length === 0) throw new Error(`${path}: no whole frame in it`);
  return frames;
}

export function writeCapture(path: string, frames: Iterable<Uint8Array>): void {
  const writer = new PcapWriter(path, new VirtualClock());
  for (const frame of frames) writer.write(frame);
  writer.close();
}

/** Whole numbers below 2^32, Park and Miller's generator twice over. */
function numbers(seed: number): () => number {
  let state = seed;
  const step = () => {
    state = (state * 48_271) % 0x7fffffff;
    return state;
  };
  return () => ((step() << 16) ^ step()) >>> 0;
}

/** Shapes of the mixture with their shares of 16, and payloads that make the sizes of the "simple IMIX". */
const SHAPES: readonly [number, FrameShape['proto'], Partial<FrameShape>][] = [
  [7, 'tcp', {}],
  [5, 'udp', {}],
  [2, 'tcp', { ipv6: true }],
  [1, 'udp', { tags: [0x8100_0064] }],
  [1, 'icmp', {}],
];
const PAYLOADS = [6, 6, 6, 6, 6, 6, 6, 516, 516, 516, 516, 1440];

/** `count` frames of `flows` flows: TCP, UDP, ICMP, a part IPv6, a part tagged, in sizes of 60, 570 and 1500 bytes. */
export function mixture(count: number, flows: number, seed = 1): Uint8Array[] {
  const next = numbers(seed);
  const shapes = SHAPES.flatMap(([share, proto, rest]) =>
    new Array(share).fill({ proto, ...rest }),
  );
  const kinds = Array.from({ length: flows }, () => shapes[next() % shapes.length] as FrameShape);
  return Array.from({ length: count }, (_, i) => {
    // The first frames name all flows.
    const flow = i < flows ? i : next() % flows;
    const payload = new Uint8Array(PAYLOADS[next() % PAYLOADS.length]);
    const shape = kinds[flow] as FrameShape;
    return stamped({ ...shape, payload }, flow);
  });
}

/** `count` UDP frames of 60 bytes, each a flow of its own or of one of `flows`. */
export function smallFrames(count: number, flows: number): Uint8Array[] {
  const payload = new Uint8Array(18);
  return Array.from({ length: count }, (_, i) => stamped({ proto: 'udp', payload }, i % flows));
}

/** The flow's number goes into the source port and the low bytes of the source address. */
function stamped(shape: FrameShape, flow: number): Uint8Array {
  const { frame, l3, l4 } = buildFrame(shape);
  const source = l3 + (shape.ipv6 ? 20 : 13);
  frame[source] = flow >>> 16;
  frame[source + 1] = flow >>> 8;
  frame[source + 2] = flow;
  if (shape.proto !== 'icmp') {
    frame[l4] = flow >>> 8;
    frame[l4 + 1] = flow;
  }
  return frame;
}
