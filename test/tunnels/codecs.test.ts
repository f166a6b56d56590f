/** Encapsulation headers: what the wire format says, byte for byte, and what is refused. */
import { describe, expect, test } from 'vitest';
import {
  TUN_FLAGS,
  TUN_GBP,
  TUN_ID,
  TUN_OPTIONS,
  TUN_OPTIONS_LENGTH,
} from '../../src/packet/key.ts';
import { decodeGeneve, encodeGeneve, geneveBytes } from '../../src/tunnels/geneve.ts';
import { decodeGre, encodeGre, greBytes } from '../../src/tunnels/gre.ts';
import {
  clearTunnel,
  copyTunnel,
  TUNNEL_STRIDE,
  TunnelFlag,
  TunnelRefusal,
} from '../../src/tunnels/tunnel-words.ts';
import { decodeVxlan, encodeVxlan } from '../../src/tunnels/vxlan.ts';
import { hex, random } from '../packet/bytes.ts';
import { DECODERS, decodeAll, outerPacket, popAll } from './decoders.ts';

const BASE = -TUN_ID;
const words = (fields: Record<number, number>): Uint32Array => {
  const w = new Uint32Array(TUNNEL_STRIDE);
  for (const [word, value] of Object.entries(fields)) w[BASE + Number(word)] = value;
  return w;
};
const text = (view: DataView, from: number, bytes: number): string =>
  Buffer.from(view.buffer as ArrayBuffer, from, bytes).toString('hex');
const memory = (): DataView => new DataView(new ArrayBuffer(512));
const viewOf = (digits: string): DataView => new DataView(hex(digits).buffer as ArrayBuffer);
const at = (w: Uint32Array, word: number): number => w[BASE + word];
const KEY = TunnelFlag.KEY << 16;

describe('VXLAN', () => {
  test('a VNI is 24 bits behind the I flag', () => {
    const view = memory();
    expect(encodeVxlan(view, 0, words({ [TUN_ID + 1]: 0x123456 }), BASE, false)).toBe(8);
    expect(text(view, 0, 8)).toBe('0800000012345600');
  });

  test('group policy is written and read only where it is configured', () => {
    const view = memory();
    const policy = words({ [TUN_ID + 1]: 7, [TUN_GBP]: (0x1234 << 16) | (0x48 << 8) });
    encodeVxlan(view, 0, policy, BASE, true);
    expect(text(view, 0, 8)).toBe('8848123400000700');
    const got = words({});
    expect(decodeVxlan(view, 0, 8, got, BASE, true)).toBe(8);
    expect(at(got, TUN_GBP)).toBe(0x12344800);
    const without = words({});
    expect(decodeVxlan(view, 0, 8, without, BASE, false)).toBe(8);
    expect(at(without, TUN_GBP)).toBe(0);
    encodeVxlan(view, 0, policy, BASE, false);
    expect(text(view, 0, 8)).toBe('0800000000000700');
  });

  test('without the I flag, or cut short, it is refused', () => {
    expect(decodeVxlan(viewOf('00000000 00000700'), 0, 8, words({}), BASE, false)).toBe(
      TunnelRefusal.BAD_FLAGS,
    );
    expect(decodeVxlan(viewOf('08000000 000007'), 0, 7, words({}), BASE, false)).toBe(
      TunnelRefusal.TRUNCATED,
    );
  });
});

describe('GRE', () => {
  const FRAME = hex('ffffffffffff 020000000001 0800 4500');
  const encode = (fields: Record<number, number>, sequence: number): [string, DataView, number] => {
    const view = memory();
    new Uint8Array(view.buffer).set(FRAME, 100);
    const w = words(fields);
    const bytes = encodeGre(view, 0, w, BASE, sequence, 100, FRAME.length);
    expect(bytes).toBe(greBytes(w, BASE, sequence >= 0));
    new Uint8Array(view.buffer).copyWithin(bytes, 100, 100 + FRAME.length);
    return [text(view, 0, bytes), view, bytes];
  };

  test('no key, a key, a sequence number', () => {
    expect(encode({}, -1)[0]).toBe('00006558');
    expect(encode({ [TUN_ID + 1]: 5, [TUN_FLAGS]: KEY }, -1)[0]).toBe('2000655800000005');
    expect(encode({ [TUN_FLAGS]: KEY }, 3)[0]).toBe('300065580000000000000003');
  });

  test('a checksum covers header and frame', () => {
    const [, view, bytes] = encode({ [TUN_FLAGS]: KEY | (TunnelFlag.CSUM << 16) }, -1);
    const got = words({});
    expect(decodeGre(view, 0, bytes + FRAME.length, got, BASE)).toBe(12);
    expect(at(got, TUN_FLAGS) >>> 16).toBe(TunnelFlag.KEY | TunnelFlag.CSUM);
    view.setUint8(bytes + 3, 0x12);
    expect(decodeGre(view, 0, bytes + FRAME.length, words({}), BASE)).toBe(
      TunnelRefusal.BAD_CHECKSUM,
    );
  });

  test('a packet without an Ethernet header has the type of its frame', () => {
    const bare = { [TUN_ID + 1]: 5, [TUN_FLAGS]: ((TunnelFlag.BARE | TunnelFlag.KEY) << 16) >>> 0 };
    expect(encode(bare, -1)[0]).toBe('2000080000000005');
    const got = words({});
    expect(decodeGre(viewOf('2000 86dd 00000005'), 0, 8, got, BASE)).toBe(8);
    expect(at(got, TUN_FLAGS) >>> 16).toBe(TunnelFlag.BARE | TunnelFlag.KEY);
    const view = memory();
    new Uint8Array(view.buffer).set(FRAME, 100);
    const checked = words({ [TUN_FLAGS]: ((TunnelFlag.BARE | TunnelFlag.CSUM) << 16) >>> 0 });
    const bytes = encodeGre(view, 0, checked, BASE, -1, 100, FRAME.length);
    new Uint8Array(view.buffer).copyWithin(bytes, 114, 100 + FRAME.length);
    expect(decodeGre(view, 0, bytes + FRAME.length - 14, words({}), BASE)).toBe(bytes);
  });

  test('another version, reserved flags, another payload and a short header are refused', () => {
    const refusal = (digits: string): number =>
      decodeGre(viewOf(digits), 0, hex(digits).length, words({}), BASE);
    expect(refusal('0001 6558 0000 0000')).toBe(TunnelRefusal.BAD_VERSION);
    expect(refusal('4000 6558 0000 0000')).toBe(TunnelRefusal.BAD_FLAGS);
    expect(refusal('0000 88be 4500 0000')).toBe(TunnelRefusal.PROTOCOL);
    expect(refusal('2000 6558 0000')).toBe(TunnelRefusal.TRUNCATED);
    expect(refusal('0000')).toBe(TunnelRefusal.TRUNCATED);
  });
});

describe('Geneve', () => {
  const OPTIONS = [0xffff0001, 0xaabbccdd, 0x01028302, 1, 2];

  test('options come and go as they are', () => {
    const view = memory();
    const fields: Record<number, number> = {
      [TUN_ID + 1]: 9,
      [TUN_FLAGS]: TunnelFlag.OAM << 16,
      [TUN_OPTIONS_LENGTH]: 4 * OPTIONS.length,
    };
    for (let i = 0; i < OPTIONS.length; i++) fields[TUN_OPTIONS + i] = OPTIONS[i];
    const sent = words(fields);
    const bytes = encodeGeneve(view, 0, sent, BASE);
    expect(bytes).toBe(geneveBytes(sent, BASE));
    expect(text(view, 0, bytes)).toBe(
      '05c06558 000009 00 ffff 00 01 aabbccdd 0102 83 02 00000001 00000002'.replaceAll(' ', ''),
    );
    const got = words({});
    expect(decodeGeneve(view, 0, bytes, got, BASE)).toBe(bytes);
    expect(at(got, TUN_OPTIONS_LENGTH)).toBe(20);
    expect(OPTIONS.map((_, i) => at(got, TUN_OPTIONS + i))).toEqual(OPTIONS);
    expect(at(got, TUN_FLAGS) >>> 16).toBe(TunnelFlag.OAM | TunnelFlag.KEY);
  });

  test('another version, another payload, and options that claim more length than there is are refused', () => {
    const decode = (digits: string): number =>
      decodeGeneve(viewOf(digits), 0, hex(digits).length, words({}), BASE);
    expect(decode('0100 6558 00000900 0001 81 00')).toBe(12);
    expect(decode('0100 6558 00000900 0001 01 01')).toBe(TunnelRefusal.BAD_OPTION);
    expect(decode('0200 6558 00000900 0001 01 00')).toBe(TunnelRefusal.TRUNCATED);
    expect(decode('4000 6558 00000900')).toBe(TunnelRefusal.BAD_VERSION);
    expect(decode('0000 0800 00000900')).toBe(TunnelRefusal.PROTOCOL);
  });
});

test('copying and clearing reach every word, options included', () => {
  const from = new Uint32Array(TUNNEL_STRIDE).fill(7);
  const to = new Uint32Array(2 * TUNNEL_STRIDE);
  copyTunnel(from, BASE, to, TUNNEL_STRIDE + BASE);
  expect(to[TUNNEL_STRIDE + BASE + TUN_ID]).toBe(7);
  expect(to[2 * TUNNEL_STRIDE - 1]).toBe(7);
  clearTunnel(to, TUNNEL_STRIDE + BASE);
  const kept = [...to].filter((word) => word !== 0).length;
  expect(kept).toBe(0);
});

test('no bytes make a decoder throw or read past the end', () => {
  const next = random(4);
  for (let n = 0; n < 20_000; n++) {
    const bytes = Uint8Array.from({ length: next() % 80 }, () => next());
    // Most random headers fail at once: half of them get a good start.
    if (bytes.length > 4 && n % 2 === 0) bytes.set(DECODERS[n % DECODERS.length].start);
    decodeAll(bytes);
  }
});

test('no packet makes the datapath read past its end, or find a frame that is none', () => {
  const next = random(5);
  let good = 0;
  for (let n = 0; n < 5000; n++) {
    const { start } = DECODERS[next() % DECODERS.length];
    const payload = Uint8Array.from({ length: start.length + (next() % 120) }, () => next());
    if (n % 4 !== 0) payload.set(start);
    const packet = outerPacket(payload, next());
    if (n % 2 === 0) packet[next() % packet.length] ^= next();
    good += popAll(n % 8 === 0 ? packet.subarray(0, next() % packet.length) : packet);
  }
  expect(good).toBeGreaterThan(500);
});
