import { describe, expect, test } from 'vitest';
import { BATCH_FRAMES, Batch } from '../../src/datapath/batch.ts';
import { Gro } from '../../src/datapath/gro.ts';
import { extract } from '../../src/packet/extract.ts';
import { Segmenter } from '../../src/packet/segment.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { random32 } from '../ofproto/lab.ts';
import { onesComplement } from '../packet/frame-builder.ts';

const SLOT = 2048;
const u16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n)];

interface Segment {
  readonly ipv6: boolean;
  readonly port: number;
  readonly id: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly timestamp: number;
  readonly payload: number;
}

/** A TCP frame with a timestamp option and right checksums, by code that shares nothing with src/. */
function frameOf(s: Segment): Uint8Array {
  const options = [1, 1, 8, 10, ...u32(s.timestamp), ...u32(7)];
  const data = Array.from({ length: s.payload }, (_, i) => (s.sequence + i) & 255);
  const tcp = Uint8Array.from([
    ...[...u16(s.port), ...u16(80), ...u32(s.sequence), ...u32(s.acknowledgment)],
    ...[0x80, s.flags, ...u16(s.window), 0, 0, 0, 0, ...options, ...data],
  ]);
  const addresses = s.ipv6
    ? [
        ...u32(0x20010db8),
        ...u32(0),
        ...u32(0),
        ...u32(1),
        ...u32(0x20010db8),
        ...u32(0),
        ...u32(0),
        ...u32(2),
      ]
    : [...u32(0x0a000001), ...u32(0x0a000002)];
  const pseudo = Uint8Array.from([...addresses, 0, 6, ...u16(tcp.length)]);
  tcp.set(u16(~onesComplement(pseudo, tcp) & 0xffff), 16);
  const ip = Uint8Array.from(
    s.ipv6
      ? [0x60, 0, 0, 0, ...u16(tcp.length), 6, 64, ...addresses]
      : [0x45, 0, ...u16(20 + tcp.length), ...u16(s.id), 0x40, 0, 64, 6, 0, 0, ...addresses],
  );
  if (!s.ipv6) ip.set(u16(~onesComplement(ip) & 0xffff), 10);
  const type = s.ipv6 ? [0x86, 0xdd] : [0x08, 0x00];
  return Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...type, ...ip, ...tcp]);
}

const region = heapRegion(8 << 20);
const slots = region.allocate(BATCH_FRAMES * SLOT, 64);
const cut = region.allocate(SLOT, 64);
const gro = new Gro(region);
const segmenter = new Segmenter(region);

/** Joins the frames; what then leaves by a port that takes no offload, and how many frames there were between. */
function throughGro(frames: readonly Uint8Array[], isChecked = false) {
  const batch = new Batch();
  frames.forEach((frame, i) => {
    const at = slots + i * SLOT + 256;
    region.bytes.set(frame, at);
    const p = batch.append(1, at, frame.length, 100);
    if (isChecked) batch.offloadFlags[p] = 2;
  });
  gro.merge(batch);
  const left: Uint8Array[] = [];
  for (let p = 0; p < batch.count; p++) {
    const start = batch.start[p];
    if (batch.gsoType[p] === 0) {
      left.push(region.bytes.slice(start, start + batch.length[p]));
      continue;
    }
    expect(extract(region, batch, p)).toBe(true);
    const count = segmenter.begin(batch, p);
    for (let i = 0; i < count; i++) {
      const bytes = segmenter.write(i, cut);
      left.push(region.bytes.slice(cut, cut + bytes));
    }
  }
  return { left, between: batch.count };
}

const hex = (frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => Buffer.from(frame).toString('hex'));

const FIRST: Segment = {
  ...{ ipv6: false, port: 1000, id: 0xfffe, sequence: 0xffffff00, acknowledgment: 5 },
  ...{ flags: 0x10, window: 500, timestamp: 99, payload: 1448 },
};
const next = (s: Segment, more: Partial<Segment> = {}): Segment => ({
  ...s,
  id: (s.id + 1) & 0xffff,
  sequence: (s.sequence + s.payload) >>> 0,
  ...more,
});

describe('joining of segments', () => {
  test.each([false, true])(
    '32 segments of one connection become one frame and again what they were (IPv6: %s)',
    (ipv6) => {
      const list = [{ ...FIRST, ipv6 }];
      while (list.length < 31) list.push(next(list[list.length - 1]));
      list.push(next(list[30], { payload: 700, flags: 0x18 }));
      const frames = list.map(frameOf);
      const { left, between } = throughGro(frames);
      expect(between).toBe(1);
      expect(hex(left)).toEqual(hex(frames));
    },
  );

  test.each<[string, Partial<Segment>]>([
    ['another connection', { port: 1001 }],
    ['a gap', { sequence: 0 }],
    ['another acknowledgment', { acknowledgment: 6 }],
    ['another window', { window: 501 }],
    ['FIN', { flags: 0x11 }],
    ['another timestamp', { timestamp: 100 }],
    ['a longer one', { payload: 1450 }],
    ['no data', { payload: 0 }],
    ['an identification that does not follow', { id: 9 }],
  ])('%s is not joined', (_, more) => {
    const frames = [FIRST, next(FIRST, more)].map(frameOf);
    const { left, between } = throughGro(frames);
    expect(between).toBe(2);
    expect(hex(left)).toEqual(hex(frames));
  });

  test('nothing follows a short segment or PSH', () => {
    for (const last of [{ payload: 100 }, { flags: 0x18 }]) {
      const second = next(FIRST, last);
      const frames = [FIRST, second, next(second)].map(frameOf);
      const { left, between } = throughGro(frames);
      expect(between).toBe(2);
      expect(hex(left)).toEqual(hex(frames));
    }
  });

  test('a damaged segment stays as it is, unless the kernel vouches for it', () => {
    const frames = [FIRST, next(FIRST)].map(frameOf);
    frames[1][200] ^= 1;
    expect(throughGro(frames).between).toBe(2);
    expect(throughGro(frames, true).between).toBe(1);
  });

  test('whatever comes leaves bit by bit and in order', () => {
    const words = random32(77);
    const below = (n: number): number => words() % n;
    let joined = 0;
    for (let round = 0; round < 400; round++) {
      const flows = Array.from({ length: 1 + below(2) }, (_, i) => ({
        ...FIRST,
        ipv6: below(3) === 0,
        port: 1000 + i,
        sequence: words(),
        id: words() & 0xffff,
      }));
      const frames: Uint8Array[] = [];
      const total = 2 + below(BATCH_FRAMES - 1);
      for (let i = 0; i < total; i++) {
        const f = below(6) === 0 ? below(flows.length) : 0;
        const odd: Partial<Segment>[] = [
          { payload: below(1448) },
          { flags: 0x18 },
          { flags: 0x11 },
          { window: 7 },
          { sequence: words() },
        ];
        const one = { ...flows[f], ...(below(8) === 0 ? odd[below(odd.length)] : {}) };
        flows[f] = next(one, { flags: 0x10, payload: 1448 }) as typeof FIRST;
        const frame = frameOf(one);
        if (below(20) === 0) frame[14 + below(frame.length - 14)] ^= 1 << below(8);
        frames.push(frame);
      }
      const { left, between } = throughGro(frames);
      joined += total - between;
      expect(hex(left)).toEqual(hex(frames));
    }
    expect(joined).toBeGreaterThan(1000);
  });
});
