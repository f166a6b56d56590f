import { describe, expect, test } from 'vitest';
import { sctpChecksum } from '../../src/packet/checksum.ts';
import { extract } from '../../src/packet/extract.ts';
import { NEEDS_CSUM, newFrames } from '../../src/packet/frames.ts';
import * as K from '../../src/packet/key.ts';
import { popVlan, pushVlan } from '../../src/packet/push-pop.ts';
import { setWord } from '../../src/packet/rewrite.ts';
import { completeChecksum } from '../../src/packet/segment.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { hex, random } from './bytes.ts';
import { buildFrame, checksumErrors, type FrameShape } from './frame-builder.ts';

function place(frame: Uint8Array) {
  const region = heapRegion(4096);
  const frames = newFrames(1);
  region.bytes.set(frame, 128);
  frames.start[0] = 128;
  frames.room[0] = 64;
  frames.length[0] = frame.length;
  extract(region, frames, 0);
  const bytes = () => region.bytes.slice(frames.start[0], frames.start[0] + frames.length[0]);
  return { region, frames, bytes };
}

const payload = Uint8Array.from({ length: 31 }, (_, i) => i * 7);

describe('VLAN tags', () => {
  test('push goes in front, pop takes the outer one, the frame moves by its start', () => {
    const { frame, l3, l4 } = buildFrame({ proto: 'tcp', payload });
    const { region, frames, bytes } = place(frame);
    frames.offloadFlags[0] = NEEDS_CSUM;
    frames.csumStart[0] = l4;
    expect(pushVlan(region, frames, 0, 0x8100100a)).toBe(true);
    expect(pushVlan(region, frames, 0, 0x88a8b014)).toBe(true);
    expect(bytes().subarray(12, 22)).toEqual(hex('88a8 a014 8100 000a 0800'));
    expect([frames.l3[0], frames.l4[0], frames.csumStart[0]]).toEqual([l3 + 8, l4 + 8, l4 + 8]);
    popVlan(region, frames, 0);
    expect(bytes().subarray(12, 18)).toEqual(hex('8100 000a 0800'));
    popVlan(region, frames, 0);
    expect(bytes()).toEqual(frame);
    popVlan(region, frames, 0);
    expect(bytes()).toEqual(frame);
    expect([frames.l3[0], frames.l4[0], frames.csumStart[0]]).toEqual([l3, l4, l4]);
  });

  test('push refuses without room', () => {
    const { region, frames } = place(buildFrame({ proto: 'tcp', payload }).frame);
    frames.room[0] = 3;
    expect(pushVlan(region, frames, 0, 0x8100100a)).toBe(false);
  });

  test('the VID alone is set under its mask, in the inner tag too', () => {
    const { region, frames, bytes } = place(
      buildFrame({ proto: 'udp', payload, tags: [0x8100e00a, 0x8100600b] }).frame,
    );
    setWord(region, frames, 0, K.VLAN0, 0x64, 0xfff);
    setWord(region, frames, 0, K.VLAN1, 0x65, 0xfff);
    expect(bytes().subarray(12, 20)).toEqual(hex('8100 e064 8100 6065'));
  });
});

const shapes: FrameShape[] = [
  { proto: 'tcp', payload },
  { proto: 'tcp', payload, ipv6: true, tags: [0x8100000a] },
  { proto: 'udp', payload, ipOptions: 2 },
  { proto: 'udp', payload, ipv6: true },
  { proto: 'icmp', payload },
  { proto: 'icmp', payload, ipv6: true },
  { proto: 'tcp', payload, partial: true },
  { proto: 'udp', payload, ipv6: true, partial: true },
];
const settable = [
  ...[K.ETH_DST, K.ETH_DST_SRC, K.ETH_SRC, K.TOS_TTL, K.IPV4_SRC, K.IPV4_DST, K.TP],
  ...[K.IPV6_SRC, K.IPV6_SRC + 3, K.IPV6_DST + 1, K.IPV6_FLABEL],
];

test.each(shapes)(
  'any rewrite of $proto ipv6=$ipv6 partial=$partial can be read back, checksums right',
  (shape) => {
    const next = random(3);
    for (let round = 0; round < 300; round++) {
      const built = buildFrame(shape);
      const { region, frames, bytes } = place(built.frame);
      if (shape.partial) {
        frames.offloadFlags[0] = NEEDS_CSUM;
        frames.csumStart[0] = built.l4;
        frames.csumOffset[0] = shape.proto === 'tcp' ? 16 : 6;
      }
      const wanted = frames.keys.slice();
      for (let n = 0; n < 4; n++) {
        const word = settable[next() % settable.length];
        const value = next();
        let mask = next() % 2 ? 0xffffffff : next();
        if (word === K.TOS_TTL) mask &= 0xffff0000;
        if (word === K.IPV6_FLABEL) mask &= 0xfffff;
        if (word === K.TP && shape.proto === 'icmp') mask &= shape.ipv6 ? 0x000000ff : 0x00ff00ff;
        const isV4Word = word === K.IPV4_SRC || word === K.IPV4_DST;
        const isV6Word = word >= K.IPV6_SRC && word <= K.IPV6_FLABEL;
        setWord(region, frames, 0, word, value | 0, mask | 0);
        if (shape.ipv6 ? isV4Word : isV6Word) continue;
        wanted[word] = (wanted[word] & ~mask) | (value & mask);
      }
      completeChecksum(region, frames, 0);
      expect(checksumErrors(bytes())).toEqual([]);
      extract(region, frames, 0);
      expect(Array.from(frames.keys)).toEqual(Array.from(wanted));
    }
  },
);

test('a UDP checksum of 0 means none and stays 0', () => {
  const { frame, l4 } = buildFrame({ proto: 'udp', payload });
  frame[l4 + 6] = frame[l4 + 7] = 0;
  const { region, frames, bytes } = place(frame);
  setWord(region, frames, 0, K.IPV4_SRC, 0x01020304, -1);
  setWord(region, frames, 0, K.TP, 53, 0xffff);
  expect([bytes()[l4 + 6], bytes()[l4 + 7]]).toEqual([0, 0]);
});

test('SCTP ports: CRC32c follows, and a wrong one stays wrong', () => {
  const { frame, l4 } = buildFrame({ proto: 'sctp', payload });
  const view = new DataView(frame.buffer);
  view.setUint32(l4 + 8, sctpChecksum(view, l4, frame.length - l4));
  const { region, frames, bytes } = place(frame);
  setWord(region, frames, 0, K.TP, 0x00500051, -1);
  const after = new DataView(bytes().buffer);
  expect(after.getUint32(l4)).toBe(0x00500051);
  expect(after.getUint32(l4 + 8)).toBe(sctpChecksum(after, l4, frame.length - l4));
});

test('ARP: opcode and all four addresses', () => {
  const { region, frames, bytes } = place(
    hex(
      'ffffffffffff 505400000005 0806 0001 0800 06 04 0001 505400000005 0a000001 000000000000 0a000002',
    ),
  );
  setWord(region, frames, 0, K.ETH_TYPE_PROTO, 2 << 8, 0xff00);
  setWord(region, frames, 0, K.ARP_SHA, 0x01020304, -1);
  setWord(region, frames, 0, K.ARP_SHA_THA, 0x05061112, -1);
  setWord(region, frames, 0, K.ARP_THA, 0x13141516, -1);
  setWord(region, frames, 0, K.IPV4_SRC, 0x0b000001, -1);
  setWord(region, frames, 0, K.IPV4_DST, 0x0b000002, -1);
  expect(bytes().subarray(14)).toEqual(
    hex('0001 0800 06 04 0002 010203040506 0b000001 111213141516 0b000002'),
  );
});

test('neighbor solicitation: target and source link-layer address with the ICMPv6 checksum', () => {
  const body = hex('00000000 fe800000 00000000 00000000 00000009 0101 020304050607');
  const built = buildFrame({ proto: 'icmp', ipv6: true, payload: new Uint8Array(24) });
  built.frame.set(hex('8700 0000'), built.l4);
  built.frame.set(body, built.l4 + 4);
  const { region, frames, bytes } = place(built.frame);
  frames.offloadFlags[0] = 0;
  const view = region.view;
  const wrongBefore = checksumErrors(bytes());
  expect(wrongBefore).toEqual(['transport checksum']);
  // Make it right by completing it as a partial one.
  const at = frames.start[0] + built.l4;
  view.setUint16(at + 2, 0);
  frames.csumStart[0] = built.l3 + 8;
  const sum = checksumWithPseudo(bytes(), built.l3, built.l4);
  view.setUint16(at + 2, sum);
  expect(checksumErrors(bytes())).toEqual([]);
  setWord(region, frames, 0, K.ND_TARGET, 0x20010db8, -1);
  setWord(region, frames, 0, K.ARP_SHA, 0x0a0b0c0d, -1);
  setWord(region, frames, 0, K.ARP_SHA_THA, 0x0e0f0000, 0xffff0000 | 0);
  expect(checksumErrors(bytes())).toEqual([]);
  extract(region, frames, 0);
  expect(frames.keys[K.ND_TARGET]).toBe(0x20010db8);
  expect(frames.keys[K.ARP_SHA]).toBe(0x0a0b0c0d);
  expect(frames.keys[K.ARP_SHA_THA]).toBe(0x0e0f0000);
});

function checksumWithPseudo(frame: Uint8Array, l3: number, l4: number): number {
  let sum = 58 + frame.length - l4;
  for (let i = l3 + 8; i < frame.length; i += 2) sum += (frame[i] << 8) | frame[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

test('with a routing header the checksum does not follow the destination address', () => {
  const addresses = '20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002';
  const { region, frames, bytes } = place(
    hex(
      `505400000007 505400000005 86dd 60000000 0010 2b 40 ${addresses} 1100 0000 00000000 0035 1234 0008 abcd`,
    ),
  );
  setWord(region, frames, 0, K.IPV6_DST, 0x30010db8, -1);
  expect(bytes().subarray(-2)).toEqual(hex('abcd'));
  setWord(region, frames, 0, K.IPV6_SRC, 0x30010db8, -1);
  expect(bytes().subarray(-2)).toEqual(hex('9bcd'));
});

test('fuzz: rewriting headers that are not there, or broken, stays inside of the frame', () => {
  const next = random(11);
  const region = heapRegion(1024);
  const frames = newFrames(1);
  for (let round = 0; round < 20_000; round++) {
    region.bytes.fill(0xa5);
    const length = 16 + (next() % 80);
    for (let i = 0; i < length; i++) region.bytes[200 + i] = next();
    region.bytes.set([hex('0800 45'), hex('86dd 60'), hex('0806'), hex('8100')][next() % 4], 212);
    frames.start[0] = 200;
    frames.length[0] = length;
    frames.room[0] = 0;
    extract(region, frames, 0);
    frames.offloadFlags[0] = next() & 1;
    frames.csumStart[0] = next() % 100;
    for (let word = K.ETH_DST; word < K.HOT_WORDS; word++)
      setWord(region, frames, 0, word, next() | 0, next() | 0);
    const guard = region.bytes.findIndex((b, i) => b !== 0xa5 && (i < 200 || i >= 200 + length));
    if (guard >= 0) expect.unreachable(`round ${round} wrote at ${guard}`);
  }
});
