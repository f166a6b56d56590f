import { describe, expect, test } from 'vitest';
import { OF13 } from '../../../src/ofproto/codec/versions.ts';
import {
  bytes,
  type Codec,
  decode,
  encode,
  mapped,
  named,
  pad,
  rest,
  restBytes,
  sized,
  struct,
  type TypeOf,
  text,
  times,
  tlv,
  u8,
  u16,
  u32,
  u64,
  zeros,
} from '../../../src/ofproto/codec/wire.ts';
import { hex, random } from '../../packet/bytes.ts';

const context = { version: OF13 } as const;

const band = tlv(
  {
    drop: { type: 1, body: struct({ rate: u32, burst: u32, _: pad(4) }) },
    dscpRemark: { type: 2, body: struct({ rate: u32, burst: u32, precLevel: u8, _: pad(3) }) },
  },
  { badType: 'OFPMMFC_BAD_BAND', unit: 8 },
);

const everything = struct({
  command: named(u16, { add: 0, modify: 1, delete: 2 }, 'OFPFMFC_BAD_COMMAND'),
  cookie: u64,
  name: text(8),
  _zeros: zeros(2, 'OFPBRC_BAD_LEN'),
  address: bytes(6),
  triple: times(u8, 3),
  half: mapped(
    u8,
    (n) => n / 2,
    (n) => n * 2,
  ),
  inner: sized({ at: 0, padding: 8 }, struct({ _length: pad(2), table: u8, data: restBytes })),
  bands: rest(band),
});
type Everything = TypeOf<typeof everything>;

const example: Everything = {
  command: 'modify',
  cookie: 0x123456789abcdef0n,
  name: 'eth0',
  address: hex('0a 0b 0c 0d 0e 0f'),
  triple: [1, 2, 3],
  half: 4,
  inner: { table: 9, data: hex('aa bb') },
  bands: [
    { kind: 'drop', rate: 1000, burst: 5 },
    { kind: 'dscpRemark', rate: 7, burst: 0, precLevel: 2 },
  ],
};

const wire = hex(`
  0001 123456789abcdef0 65746830 00000000 0000 0a0b0c0d0e0f 01 02 03 08
  0005 09 aabb 000000
  0001 0010 000003e8 00000005 00000000
  0002 0010 00000007 00000000 02 000000`);

const errorOf = <T>(codec: Codec<T>, text: string): string => {
  const got = decode(codec, hex(text), context);
  return got.ok ? 'decoded' : got.error;
};

describe('wire formats', () => {
  test('a structure of every form is written and read', () => {
    expect(Buffer.from(encode(everything, example, context))).toEqual(Buffer.from(wire));
    expect(decode(everything, wire, context)).toEqual({ ok: true, value: example });
  });

  test('every truncation is an error value', () => {
    for (let n = 0; n < wire.length; n++) {
      const got = decode(everything, wire.subarray(0, n), context);
      // Bands may be left out whole.
      expect(got.ok, `${n} bytes`).toBe(n === wire.length - 32 || n === wire.length - 16);
    }
  });

  test('lengths that cannot be end decoding instead of looping', () => {
    expect(errorOf(rest(band), '0001 0000')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(rest(band), '0001 0003')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(rest(band), '0001 0018 000003e8 00000005 00000000')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(rest(band), '0001 000c 000003e8 00000005')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(rest(band), '0009 0008 00000000')).toBe('OFPMMFC_BAD_BAND');
    expect(errorOf(rest(struct({})), '00')).toBe('OFPBRC_BAD_LEN');
    expect(errorOf(u16, '000000')).toBe('OFPBRC_BAD_LEN');
  });

  test('names and zeros are checked', () => {
    const color = named(u8, { red: 0, blue: 2 }, 'OFPBPC_BAD_VALUE');
    expect(errorOf(color, '01')).toBe('OFPBPC_BAD_VALUE');
    expect(errorOf(zeros(2, 'NXBRC_MUST_BE_ZERO'), '0001')).toBe('NXBRC_MUST_BE_ZERO');
  });

  test('noise is either refused or written back as it came, padding aside', () => {
    const next = random(1);
    let accepted = 0;
    for (let i = 0; i < 5_000; i++) {
      const noise = wire.slice();
      for (let k = next() % 4; k > 0; k--) noise[next() % noise.length] = next() & 0x7f;
      const got = decode(everything, noise, context);
      if (!got.ok) continue;
      accepted++;
      const again = decode(everything, encode(everything, got.value, context), context);
      expect(again).toEqual(got);
    }
    expect(accepted).toBeGreaterThan(300);
  });

  test('the writer grows', () => {
    const long = new Uint8Array(5000).fill(7);
    expect(encode(struct({ a: u8, b: restBytes }), { a: 1, b: long }, context)).toHaveLength(5001);
  });
});
