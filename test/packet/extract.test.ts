import { describe, expect, test } from 'vitest';
import { extract, keyOf } from '../../src/packet/extract.ts';
import { newFrames } from '../../src/packet/frames.ts';
import * as K from '../../src/packet/key.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { hex, random } from './bytes.ts';

const MACS = '505400000007 505400000005';
const typeOf = (key: Uint32Array) => key[K.ETH_TYPE_PROTO] >>> 16;
const protoOf = (key: Uint32Array) => (key[K.ETH_TYPE_PROTO] >>> 8) & 255;
const fragOf = (key: Uint32Array) => key[K.ETH_TYPE_PROTO] & 255;
const TCP = '1f90 0050 00000001 00000002 5012 ffff 0000 0000';

describe('extract', () => {
  test('TCP over IPv4 fills addresses, ports and flags', () => {
    const key = keyOf(
      hex(`${MACS} 0800 45b8 0028 0001 4000 4006 0000 0a000001 0a000002 ${TCP}`),
      7,
    );
    expect(key[K.IN_PORT]).toBe(7);
    expect(key[K.ETH_DST]).toBe(0x50540000);
    expect(key[K.ETH_DST_SRC]).toBe(0x00075054);
    expect(key[K.ETH_SRC]).toBe(0x00000005);
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x08000600);
    expect(key[K.TOS_TTL]).toBe(0xb8400000);
    expect(key[K.IPV4_SRC]).toBe(0x0a000001);
    expect(key[K.IPV4_DST]).toBe(0x0a000002);
    expect(key[K.TP]).toBe(0x1f900050);
    expect(key[K.TCP_FLAGS]).toBe(0x00120000);
  });

  test('five VLAN tags: two are fields, the third stays the type', () => {
    const key = keyOf(
      hex(`${MACS} 88a8 6064 8100 0065 8100 0066 8100 0067 8100 0068 0800 4500`),
      1,
    );
    expect(key[K.VLAN0]).toBe(0x88a87064);
    expect(key[K.VLAN1]).toBe(0x81001065);
    expect(typeOf(key)).toBe(0x8100);
  });

  test('a tag cut off behind its TPID stays a type', () => {
    const key = keyOf(hex(`${MACS} 8100 0064`), 1);
    expect(key[K.VLAN0]).toBe(0);
    expect(typeOf(key)).toBe(0x8100);
  });

  test('802.2 frames have type 0x05ff, SNAP with OUI 0 its own', () => {
    expect(typeOf(keyOf(hex(`${MACS} 0026 424203 0000000000000000`), 1))).toBe(0x05ff);
    expect(typeOf(keyOf(hex(`${MACS} 0026 aaaa03 000000 0806 0001`), 1))).toBe(0x0806);
    expect(typeOf(keyOf(hex(`${MACS} 0026 aaaa03 00000c 2000 0001`), 1))).toBe(0x05ff);
    expect(typeOf(keyOf(hex(`${MACS} 0026 aaaa03 000000 0100 0001`), 1))).toBe(0x05ff);
  });

  test('IPv4 fragments: the first has ports, a later one has none', () => {
    const first = keyOf(
      hex(`${MACS} 0800 4500 0028 0001 2000 4006 0000 0a000001 0a000002 ${TCP}`),
      1,
    );
    expect([protoOf(first), fragOf(first), first[K.TP]]).toEqual([6, K.FRAG_ANY, 0x1f900050]);
    const later = keyOf(
      hex(`${MACS} 0800 4500 0028 0001 2001 4006 0000 0a000001 0a000002 ${TCP}`),
      1,
    );
    expect([protoOf(later), fragOf(later), later[K.TP]]).toEqual([6, K.FRAG_ANY | K.FRAG_LATER, 0]);
  });

  test.each([
    ['IHL below 5', `44 00 0028 0001 0000 4006 0000 0a000001 0a000002 ${TCP}`],
    ['total length beyond the frame', `45 00 0029 0001 0000 4006 0000 0a000001 0a000002 ${TCP}`],
    ['total length inside the header', `45 00 0013 0001 0000 4006 0000 0a000001 0a000002 ${TCP}`],
    ['cut off header', '45 00 0028 0001 0000 4006 0000 0a000001 0a0000'],
  ])('a bad IPv4 header (%s) leaves the type alone', (_, ip) => {
    const key = keyOf(hex(`${MACS} 0800 ${ip}`), 1);
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x08000000);
    expect(key[K.IPV4_SRC]).toBe(0);
    expect(key[K.TP]).toBe(0);
  });

  test('Ethernet padding is not payload: a TCP header in it is not read', () => {
    const key = keyOf(
      hex(`${MACS} 0800 4500 0014 0001 0000 4006 0000 0a000001 0a000002 ${TCP}`),
      1,
    );
    expect([protoOf(key), key[K.TP]]).toEqual([6, 0]);
  });

  const V6 = '20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002';

  test('IPv6 walks hop-by-hop, routing, destination options and AH to UDP', () => {
    const chain =
      '2b00 000000000000 3c00 000000000000 3300 000000000000 1101 00000000 00000000 0000';
    const key = keyOf(
      hex(`${MACS} 86dd 6b812345 002c 00 40 ${V6} ${chain} 0035 1234 0008 0000`),
      1,
    );
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x86dd1100);
    expect(key[K.TOS_TTL]).toBe(0xb8400000);
    expect(key[K.IPV6_FLABEL]).toBe(0x12345);
    expect(key[K.IPV6_SRC]).toBe(0x20010db8);
    expect(key[K.IPV6_DST + 3]).toBe(2);
    expect(key[K.TP]).toBe(0x00351234);
  });

  test('a later IPv6 fragment has the fragment header as its protocol', () => {
    const key = keyOf(
      hex(`${MACS} 86dd 60000000 0010 2c 40 ${V6} 1100 0008 00000001 0035 1234 0008 0000`),
      1,
    );
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x86dd2c03);
    expect(key[K.TP]).toBe(0);
  });

  test('an endless IPv6 header chain ends at the payload', () => {
    const key = keyOf(
      hex(`${MACS} 86dd 60000000 0010 00 40 ${V6} 0000 000000000000 00ff 000000000000`),
      1,
    );
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x86dd0000);
    expect(key[K.IPV6_DST + 3]).toBe(2);
  });

  test('neighbor solicitation: target, source link-layer address', () => {
    const nd = '87 00 0000 00000000 fe800000 00000000 00000000 00000009 0101 020304050607';
    const key = keyOf(hex(`${MACS} 86dd 60000000 0020 3a ff ${V6} ${nd}`), 1);
    expect(key[K.TP]).toBe(0x00870000);
    expect(key[K.ND_TARGET]).toBe(0xfe800000);
    expect(key[K.ND_TARGET + 3]).toBe(9);
    expect(key[K.ARP_SHA]).toBe(0x02030405);
    expect(key[K.ARP_SHA_THA]).toBe(0x06070000);
    expect(key[K.ND_OPTIONS]).toBe(1 << 24);
  });

  test('ARP: opcode, protocol and hardware addresses', () => {
    const key = keyOf(
      hex(`${MACS} 0806 0001 0800 06 04 0002 000f02030405 01020304 0a0b0c0d0e0f 05060708`),
      1,
    );
    expect(key[K.ETH_TYPE_PROTO]).toBe(0x08060200);
    expect(key[K.IPV4_SRC]).toBe(0x01020304);
    expect(key[K.IPV4_DST]).toBe(0x05060708);
    expect(key[K.ARP_SHA]).toBe(0x000f0203);
    expect(key[K.ARP_SHA_THA]).toBe(0x04050a0b);
    expect(key[K.ARP_THA]).toBe(0x0c0d0e0f);
  });

  test('MPLS: three label stack entries, or to the bottom of the stack', () => {
    const key = keyOf(hex(`${MACS} 8847 00001040 00002140 00003140`), 1);
    expect(Array.from(key.subarray(K.MPLS_LSE, K.MPLS_LSE + 3))).toEqual([0x1040, 0x2140, 0]);
  });

  test('IGMP: type and group', () => {
    const key = keyOf(
      hex(`${MACS} 0800 4500 001c 0001 0000 0102 0000 0a000001 e0000001 1164 0000 e1020304`),
      1,
    );
    expect(key[K.TP]).toBe(0x00110064);
    expect(key[K.IGMP_GROUP]).toBe(0xe1020304);
  });

  test.each([
    ['none', '06', '', 0],
    ['hop-by-hop and authentication', '00', '3300000000000000 0601000000000000 00000000', 0x44],
    ['no next header', '3b', '', 0x1],
    [
      'destination options twice, around routing',
      '3c',
      '2b00000000000000 3c00000000000000 0600000000000000',
      0x28,
    ],
    [
      'destination options a third time',
      '3c',
      '3c00000000000000 3c00000000000000 0600000000000000',
      0x88,
    ],
    ['routing twice', '2b', '2b00000000000000 0600000000000000', 0xa0],
    ['hop-by-hop behind routing', '2b', '0000000000000000 0600000000000000', 0x160],
    ['a fragment', '2c', '0600000100000000', 0x10],
    ['encryption ends the chain', '3c', '3200000000000000', 0xa],
  ])('IPv6 extension headers as OFPIEH bits: %s', (_name, first, chain, bits) => {
    const bytes = hex(`${chain} ${'00'.repeat(20)}`);
    const length = bytes.length.toString(16).padStart(4, '0');
    const head = hex(`${MACS} 86dd 60000000 ${length} ${first} 40 ${'20'.repeat(32)}`);
    const key = keyOf(Uint8Array.from([...head, ...bytes]), 1);
    expect(key[K.ND_OPTIONS]).toBe(bits);
  });

  test('the I-TAG of a backbone frame, in front of which a tag may stand', () => {
    for (const tag of ['', '88a8 000a']) {
      const key = keyOf(hex(`${MACS} ${tag} 88e7 f0000064 ${MACS} 0800`), 1);
      expect(key[K.PBB_ISID]).toBe(0x80000064);
      expect(key[K.ETH_TYPE_PROTO]).toBe(0x88e70000);
    }
    expect(keyOf(hex(`${MACS} 88e7 f00000`), 1)[K.PBB_ISID]).toBe(0);
  });

  test('a slot forgets the cold words of the frame before', () => {
    const region = heapRegion(4096);
    const frames = newFrames(1);
    const mpls = hex(`${MACS} 8847 00001140`);
    region.bytes.set(mpls);
    frames.length[0] = mpls.length;
    extract(region, frames, 0);
    expect(frames.keys[K.MPLS_LSE]).toBe(0x1140);
    region.bytes.set(hex('0800'), 12);
    extract(region, frames, 0);
    expect(frames.keys[K.MPLS_LSE]).toBe(0);
  });

  test('a runt is refused', () => {
    const frames = newFrames(1);
    frames.length[0] = 13;
    expect(extract(heapRegion(4096), frames, 0)).toBe(false);
  });
});

/** Random frames whose headers are mostly sensible, so that deep code is reached. */
function randomFrame(next: () => number): Uint8Array {
  const bytes = new Uint8Array(14 + (next() % 120));
  for (let i = 0; i < bytes.length; i++) bytes[i] = next();
  const types = [0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x0026, 0x8035, 0x88e7];
  let at = 12;
  for (let tag = 0; tag < 5 && at + 2 <= bytes.length; tag++) {
    const type = types[next() % types.length];
    bytes[at] = type >> 8;
    bytes[at + 1] = type & 255;
    if (type !== 0x8100 && type !== 0x88a8) break;
    at += 4;
  }
  at += 2;
  if (at + 8 <= bytes.length) {
    const left = bytes.length - at;
    const protos = [0, 1, 2, 6, 17, 43, 44, 51, 58, 60, 132];
    if (bytes[at - 2] === 0x08 && next() % 4) {
      bytes[at] = 0x45 + (next() % 3);
      bytes[at + 2] = 0;
      bytes[at + 3] = left - (next() % 3);
      if (at + 9 < bytes.length) bytes[at + 9] = protos[next() % protos.length];
      if (next() % 2) bytes[at + 6] = bytes[at + 7] = 0;
    } else if (bytes[at - 2] === 0x86 && next() % 4) {
      bytes[at + 4] = 0;
      bytes[at + 5] = Math.max(0, left - 40 - (next() % 3));
      bytes[at + 6] = protos[next() % protos.length];
      for (let i = at + 40; i + 1 < bytes.length; i += 8) {
        if (next() % 2) bytes[i] = protos[next() % protos.length];
        if (next() % 2) bytes[i + 1] = next() % 2;
        if (next() % 8 === 0) bytes[i] = 135;
      }
    }
  }
  return bytes;
}

test('fuzz: no frame throws, and no key depends on bytes outside of the frame', () => {
  const next = random(1);
  const region = heapRegion(1024);
  const frames = newFrames(1);
  for (let round = 0; round < 30_000; round++) {
    const frame = randomFrame(next);
    // Right up to the end of the region: a read beyond it throws.
    const at = round % 2 ? region.bytes.length - frame.length : 300;
    let before: Uint32Array | undefined;
    for (const guard of [0x00, 0xff]) {
      region.bytes.fill(guard);
      region.bytes.set(frame, at);
      frames.start[0] = at;
      frames.length[0] = frame.length;
      const parsed = extract(region, frames, 0);
      if (!parsed || frames.l4[0] > frame.length) expect.unreachable(`round ${round}`);
      if (before?.some((word, i) => word !== frames.keys[i])) expect(frames.keys).toEqual(before);
      before = frames.keys.slice();
      // What the frames before left in the slot is gone.
      const fresh = keyOf(frame, 0);
      if (fresh.some((word, i) => word !== frames.keys[i])) expect(frames.keys).toEqual(fresh);
    }
  }
});
