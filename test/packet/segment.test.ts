import { describe, expect, test } from 'vitest';
import { extract } from '../../src/packet/extract.ts';
import {
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CSUM,
  newFrames,
} from '../../src/packet/frames.ts';
import { completeChecksum, Segmenter } from '../../src/packet/segment.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { random } from './bytes.ts';
import { buildFrame, checksumErrors, type FrameShape } from './frame-builder.ts';

const region = heapRegion(1 << 18);
const SPACE = 1 << 17;

function place(shape: FrameShape, gsoType: number, gsoSize: number) {
  const built = buildFrame({ ...shape, partial: true });
  const frames = newFrames(1);
  region.bytes.fill(0xa5);
  region.bytes.set(built.frame, 64);
  frames.start[0] = 64;
  frames.length[0] = built.frame.length;
  frames.offloadFlags[0] = NEEDS_CSUM;
  frames.csumStart[0] = built.l4;
  frames.csumOffset[0] = shape.proto === 'tcp' ? 16 : 6;
  frames.gsoType[0] = gsoType;
  frames.gsoSize[0] = gsoSize;
  extract(region, frames, 0);
  return { frames, ...built };
}

function segmentsOf(frames: ReturnType<typeof newFrames>): Uint8Array[] {
  const segmenter = new Segmenter(region);
  const count = segmenter.begin(frames, 0);
  const segments: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = segmenter.write(i, SPACE);
    segments.push(region.bytes.slice(SPACE, SPACE + bytes));
  }
  return segments;
}

const u16 = (bytes: Uint8Array, at: number) => (bytes[at] << 8) | bytes[at + 1];
const cases: [string, Omit<FrameShape, 'payload'>, number][] = [
  ['TCP over IPv4', { proto: 'tcp', tcpFlags: 0x99 }, GSO_TCPV4],
  [
    'TCP over IPv4 with options, two tags',
    { proto: 'tcp', ipOptions: 3, tags: [0x88a80001, 0x81000002] },
    GSO_TCPV4 | GSO_ECN,
  ],
  [
    'TCP over IPv6, a tag',
    { proto: 'tcp', ipv6: true, tags: [0x81000002], tcpFlags: 0x18 },
    GSO_TCPV6,
  ],
  ['UDP over IPv4', { proto: 'udp' }, GSO_UDP_L4],
  ['UDP over IPv6', { proto: 'udp', ipv6: true }, GSO_UDP_L4],
];

describe('segmentation', () => {
  test.each(cases)(
    '%s: the segments are whole frames and their payloads make the original',
    (_, shape, gso) => {
      const next = random(5);
      for (const [bytes, size] of [
        [5000, 1448],
        [2896, 1448],
        [100, 1448 % 90],
        [1, 1],
        [60_000, 1400],
        [999, 7],
      ]) {
        const payload = Uint8Array.from({ length: bytes }, () => next());
        const { frames, l3, l4 } = place({ ...shape, payload }, gso, size);
        const header = l4 + (shape.proto === 'tcp' ? 20 : 8);
        const segments = segmentsOf(frames);
        expect(segments.length).toBe(Math.ceil(bytes / size));
        let at = 0;
        segments.forEach((segment, i) => {
          const errors = checksumErrors(segment);
          if (errors.length > 0) expect(errors).toEqual([]);
          const part = segment.subarray(header);
          if (part.some((b, k) => b !== payload[at + k])) expect.unreachable(`segment ${i}`);
          const last = i === segments.length - 1;
          if (shape.proto === 'tcp') {
            expect(new DataView(segment.buffer).getUint32(l4 + 4)).toBe(9 + at);
            const flags = shape.tcpFlags ?? 0x10;
            expect(segment[l4 + 13]).toBe(flags & ~(last ? 0 : 0x09) & ~(i === 0 ? 0 : 0x80));
          }
          if (!shape.ipv6) expect(u16(segment, l3 + 4)).toBe((0xfffe + i) & 0xffff);
          at += part.length;
        });
        expect(at).toBe(bytes);
      }
    },
  );

  test.each([
    ['a size of 0', (f: ReturnType<typeof newFrames>) => (f.gsoSize[0] = 0)],
    ['a size beyond the frame', (f: ReturnType<typeof newFrames>) => (f.gsoSize[0] = 9000)],
    [
      'a type that does not fit the frame',
      (f: ReturnType<typeof newFrames>) => (f.gsoType[0] = GSO_TCPV6),
    ],
    ['an unknown type', (f: ReturnType<typeof newFrames>) => (f.gsoType[0] = 3)],
    ['no transport header', (f: ReturnType<typeof newFrames>) => (f.l4[0] = 0)],
  ])('%s cannot be cut', (_, spoil) => {
    const { frames } = place({ proto: 'tcp', payload: new Uint8Array(5000) }, GSO_TCPV4, 1448);
    spoil(frames);
    expect(new Segmenter(region).begin(frames, 0)).toBe(0);
  });

  test('a TCP header longer than the frame cannot be cut', () => {
    const { frames, l4 } = place({ proto: 'tcp', payload: new Uint8Array(10) }, GSO_TCPV4, 8);
    region.bytes[64 + l4 + 12] = 0xf0;
    expect(new Segmenter(region).begin(frames, 0)).toBe(0);
  });
});

describe('checksum completion', () => {
  test.each([
    { proto: 'tcp', payload: Uint8Array.of(1, 2, 3) },
    { proto: 'udp', payload: Uint8Array.of(1, 2, 3, 4), tags: [0x81000001] },
    { proto: 'udp', payload: new Uint8Array(0), ipv6: true },
  ] satisfies FrameShape[])('a partial $proto checksum becomes right', (shape) => {
    const { frames, frame } = place(shape, 0, 0);
    expect(completeChecksum(region, frames, 0)).toBe(true);
    expect(checksumErrors(region.bytes.slice(64, 64 + frame.length))).toEqual([]);
    expect(frames.offloadFlags[0] & NEEDS_CSUM).toBe(0);
  });

  test('a sum of 0 is written as 0xffff: 0 would say that there is none', () => {
    const { frames, frame, l4 } = place({ proto: 'udp', payload: new Uint8Array(2) }, 0, 0);
    // Find the payload that makes the sum 0.
    completeChecksum(region, frames, 0);
    const sum = u16(region.bytes, 64 + l4 + 6);
    const again = place({ proto: 'udp', payload: Uint8Array.of(sum >> 8, sum & 255) }, 0, 0);
    completeChecksum(region, again.frames, 0);
    expect(u16(region.bytes, 64 + l4 + 6)).toBe(0xffff);
    expect(checksumErrors(region.bytes.slice(64, 64 + frame.length))).toEqual([]);
  });

  test('an offset outside of the frame is refused', () => {
    const { frames, frame } = place({ proto: 'tcp', payload: new Uint8Array(3) }, 0, 0);
    frames.csumStart[0] = frame.length - frames.csumOffset[0] - 1;
    expect(completeChecksum(region, frames, 0)).toBe(false);
    frames.csumStart[0] = 65_535;
    frames.csumOffset[0] = 65_535;
    expect(completeChecksum(region, frames, 0)).toBe(false);
  });
});

test('fuzz: random metadata on random frames never writes outside of frame and space', () => {
  const next = random(9);
  const segmenter = new Segmenter(region);
  for (let round = 0; round < 3000; round++) {
    const shape = cases[next() % cases.length][1];
    const { frames, frame } = place({ ...shape, payload: new Uint8Array(next() % 3000) }, 0, 0);
    const spoiled = 64 + 14 + (next() % Math.min(70, frame.length - 14));
    if (next() % 2) region.bytes[spoiled] = next();
    frames.gsoType[0] = [1, 4, 5, 0x81, 3, 0xff][next() % 6];
    frames.gsoSize[0] = next() % 2 ? next() : next() % 2000;
    frames.csumStart[0] = next() % 2 ? next() : next() % 100;
    extract(region, frames, 0);
    const count = segmenter.begin(frames, 0);
    for (let i = 0; i < Math.min(count, 20); i++) {
      const bytes = segmenter.write(i, SPACE);
      if (bytes > segmenter.segmentBytes || bytes > frame.length)
        expect.unreachable(`round ${round}`);
    }
    completeChecksum(region, frames, 0);
    if (region.bytes[63] !== 0xa5 || region.bytes[64 + frame.length] !== 0xa5)
      expect.unreachable(`round ${round}`);
    if (region.bytes[SPACE + 70_000] !== 0xa5 || region.bytes[SPACE - 1] !== 0xa5)
      expect.unreachable(`round ${round}`);
  }
});
