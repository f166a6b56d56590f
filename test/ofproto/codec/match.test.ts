import { describe, expect, test } from 'vitest';
import type { Match } from '../../../src/flowtable/match.ts';
import { sameMatch } from '../../../src/flowtable/match.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import {
  matchCodec,
  readNxmMatch,
  readOxmMatch,
  readOxms,
  writeNxmMatch,
} from '../../../src/ofproto/codec/match.ts';
import {
  isValueValid,
  MatchFields,
  matchBits,
  namedField,
} from '../../../src/ofproto/codec/match-fields.ts';
import { placedField } from '../../../src/ofproto/codec/oxm.ts';
import { portFromWide, portToWide } from '../../../src/ofproto/codec/ports.ts';
import { Reader } from '../../../src/ofproto/codec/reader.ts';
import {
  OF_VERSIONS,
  OF10,
  OF11,
  OF12,
  OF13,
  OF15,
  type OfVersion,
} from '../../../src/ofproto/codec/versions.ts';
import { attempt, type Codec, decode, encode } from '../../../src/ofproto/codec/wire.ts';
import { FIELDS } from '../../../src/packet/fields.ts';
import * as K from '../../../src/packet/key.ts';
import { hex, random } from '../../packet/bytes.ts';
import { asHex, vectors } from './vectors.ts';

const tunMetadata = (index: number) =>
  index < 4 ? { offset: 8 * index, length: 4 + index } : null;
const contextOf = (version: OfVersion) => ({ version, tunMetadata });

const nxm = (length: number): Codec<Match> => ({
  decode: (r) => readNxmMatch(r, length).match,
  encode: (w, match) => void writeNxmMatch(w, match),
});

const oxmError = (text: string, version: OfVersion = OF13): string => {
  const body = hex(text);
  const got = attempt(() => readOxms(new Reader(body, contextOf(version))));
  return got.ok ? 'decoded' : got.error;
};

describe('matches that ovs-ofctl sends', () => {
  test.each(vectors('matches').map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const padded = new Uint8Array((v.bytes.length + 7) & ~7);
    padded.set(v.bytes);
    const codec = v.nxm ? nxm(v.bytes.length) : matchCodec;
    const got = decode(codec, v.nxm ? padded : v.bytes, contextOf(v.version));
    expect(got).toHaveProperty('value');
    if (!got.ok) return;
    const again = encode(codec, got.value, contextOf(v.version));
    expect(asHex(again)).toBe(asHex(v.nxm ? padded : v.bytes));
  });
});

describe('errors of OXM matches', () => {
  test.each([
    ['a field without its prerequisite', '80001604 0a000001', 'OFPBMC_BAD_PREREQ'],
    ['tcp_dst of UDP', '80000a02 0800  80001401 11  80001c02 0050', 'OFPBMC_BAD_PREREQ'],
    [
      'value bits outside the mask',
      '80000508 0000000000000001 0000000000000000',
      'OFPBMC_BAD_FIELD',
    ],
    [
      'value bits outside of a mask',
      '80000510 0000000000000001 00000000000000f0',
      'OFPBMC_BAD_WILDCARDS',
    ],
    ['a field twice', '80000004 00000001 80000004 00000001', 'OFPBMC_DUP_FIELD'],
    [
      'the same place by two names',
      '80000a02 0806 80002a02 0001 80002a02 0001',
      'OFPBMC_DUP_FIELD',
    ],
    ['a VLAN id of 14 bits', '80000c02 2001', 'OFPBMC_BAD_VALUE'],
    ['a DSCP above 63', '80000a02 0800 80001001 40', 'OFPBMC_BAD_VALUE'],
    ['a port that has no 16 bits', '80000004 00010000', 'OFPBMC_BAD_VALUE'],
    ['a field that cannot be masked', '80000b04 0800 ff00', 'OFPBMC_BAD_MASK'],
    ['an unknown field', '8000fe01 00', 'OFPBMC_BAD_FIELD'],
    ['a wrong length', '80000006 000000000001', 'OFPBMC_BAD_FIELD'],
    ['an unknown experimenter', 'ffff0005 00000001 00', 'OFPBMC_BAD_FIELD'],
    ['a cut value', '80000a02 08', 'OFPBMC_BAD_LEN'],
    ['a cut header', '8000', 'OFPBMC_BAD_LEN'],
    ['an experimenter without room', 'ffff0002 0000', 'OFPBMC_BAD_LEN'],
    ['a Geneve option that is not mapped', '00016c04 00000001', 'NXFMFC_INVALID_TLV_FIELD'],
  ])('%s', (_, text, error) => {
    expect(oxmError(text)).toBe(error);
  });

  test('headers of the match structure', () => {
    const error = (text: string, version: OfVersion = OF13) => {
      const got = decode(matchCodec, hex(text), contextOf(version));
      return got.ok ? 'decoded' : got.error;
    };
    expect(error('0002 0004 00000000')).toBe('OFPBMC_BAD_TYPE');
    expect(error('0001 0003 00000000')).toBe('OFPBMC_BAD_LEN');
    expect(error('0001 0009 00000000')).toBe('OFPBMC_BAD_LEN');
    expect(error('0000 0008 00000000', OF11)).toBe('OFPBMC_BAD_LEN');
    expect(error('00')).toBe('OFPBMC_BAD_LEN');
  });

  test('loose reading passes over what it does not know', () => {
    const bytes = hex('8000fe01 00 80001604 0a000001');
    const match = readOxms(new Reader(bytes, contextOf(OF13)), { loose: true });
    expect(MatchFields.of(match).value(namedField('ip_src'))).toBe(0x0a000001n);
  });

  test('packet-out of 1.5 takes no header fields', () => {
    const bytes = hex('0001 000e 80000606 ffffffffffff 0000');
    const got = attempt(() =>
      readOxmMatch(new Reader(bytes, contextOf(OF15)), { pipelineOnly: true }),
    );
    expect(got).toEqual({ ok: false, error: 'OFPBRC_PIPELINE_FIELDS_ONLY' });
  });
});

describe('special fields', () => {
  test('NXM cookies restrict beside the match', () => {
    const bytes = hex('00013d10 0000000000000005 00000000000000ff 00000002 0001 000000000000');
    const got = readNxmMatch(new Reader(bytes, contextOf(OF10)), 26);
    expect([got.cookie, got.cookieMask]).toEqual([5n, 0xffn]);
    const again = encode(
      { decode: () => got.match, encode: (w, m: Match) => void writeNxmMatch(w, m, 5n, 0xffn) },
      got.match,
      contextOf(OF10),
    );
    expect(asHex(again)).toBe('00000002000100013d10000000000000000500000000000000ff000000000000');
  });

  test('a mapped Geneve option lies at its place, and its presence can be asked alone', () => {
    const f = placedField(namedField('tun_metadata1'), contextOf(OF13));
    const bytes = hex('0001 000d 00015205 0102030405 000000');
    const got = decode(matchCodec, bytes, contextOf(OF13));
    expect(got.ok && MatchFields.of(got.value).word(K.TUN_METADATA + 2)).toBe(0x01020304);
    expect(got.ok && f && MatchFields.of(got.value).value(f)).toBe(0x0102030405n);
    expect(got.ok && asHex(encode(matchCodec, got.value, contextOf(OF13)))).toBe(
      '000100100001520501020304050000'.padEnd(32, '0').replace('000100100', '0001000d0'),
    );
  });

  test('an empty mask still implies Ethernet, and ct_state has eight bits', () => {
    const rewritten = (text: string): string => {
      const got = decode(matchCodec, hex(text), contextOf(OF13));
      return got.ok ? asHex(encode(matchCodec, got.value, contextOf(OF13))) : got.error;
    };
    expect(rewritten('0001 000c 80000d04 0000 0000 00000000')).toBe(
      '0001000c800058040000000000000000',
    );
    expect(rewritten('0001 000c 0001d204 00000020 00000000')).toBe(
      '000100100001d30800000020000000ff',
    );
    expect(rewritten('0001 000c 0001d204 00000100 00000000')).toBe('OFPBMC_BAD_VALUE');
  });

  test('ICMP types are as wide as ports of 1.0', () => {
    const modern = decode(
      matchCodec,
      hex('0001 0014 80000a02 0800 80001401 01 80002601 08 00000000'),
      contextOf(OF13),
    );
    const classic = decode(
      matchCodec,
      hex(
        '0038208f 0000 000000000000 000000000000 0000 00 00 0800 00 01 0000 00000000 00000000 0008 0000',
      ),
      contextOf(OF10),
    );
    expect(modern.ok && classic.ok && sameMatch(modern.value, classic.value)).toBe(true);
  });

  test('ports of 32 bits', () => {
    expect(portFromWide(0xfffffffe)).toBe(0xfffe);
    expect(portFromWide(0xff00)).toBeNull();
    expect(portFromWide(5)).toBe(5);
    expect(portToWide(ofPort(0xfff8))).toBe(0xfffffff8);
  });
});

describe('any match', () => {
  const next = random(7);
  const bits = (count: number): bigint => {
    let value = 0n;
    for (let i = 0; i < count; i += 32) value = (value << 32n) | BigInt(next());
    return value & ((1n << BigInt(count)) - 1n);
  };

  /** Fields in random order that never lack what they need, as a controller would send them. */
  function randomMatch(): Match {
    const m = new MatchFields();
    const set = (name: string, value: number) => m.set(namedField(name), BigInt(value));
    set('eth_type', [0x800, 0x86dd, 0x806, 0x8847, 0x894f, 0x1234][next() % 6]);
    if (m.isIp && next() % 2) set('nw_proto', [1, 6, 17, 58, 132, 47][next() % 6]);
    for (let i = 0; i < 12; i++) {
      const f = FIELDS[next() % FIELDS.length];
      const named = f.name.startsWith('ct_') || f.at < 0 || f.ids.length === 0;
      if (named || f.name.startsWith('tun_erspan') || f.name.startsWith('nsh_')) continue;
      if (!m.allows(f.prerequisite) || m.has(f)) continue;
      if (['packet_type', 'in_port_oxm', 'actset_output', 'vlan_tci'].includes(f.name)) continue;
      const mask = f.maskable && next() % 2 ? bits(matchBits(f)) : null;
      if (mask === 0n || f.name === 'tun_flags') continue;
      const value = bits(matchBits(f)) & (mask ?? -1n);
      if (isValueValid(f, value)) m.set(f, value, mask);
    }
    return m.build();
  }

  test('comes back from every form of OXM and from NXM', () => {
    for (let i = 0; i < 2000; i++) {
      const match = randomMatch();
      for (const version of [OF12, OF13, OF15] as const) {
        const bytes = encode(matchCodec, match, contextOf(version));
        const got = decode(matchCodec, bytes, contextOf(version));
        expect(got.ok && sameMatch(got.value, match), `${version} ${asHex(bytes)}`).toBe(true);
      }
    }
  });

  test('noise gives a value or an error, and a value is stable', () => {
    for (let i = 0; i < 4000; i++) {
      const version = OF_VERSIONS[next() % 6];
      const base = encode(matchCodec, randomMatch(), contextOf(version));
      for (let k = next() % 4; k > 0; k--) base[next() % base.length] = next();
      const got = decode(matchCodec, base, contextOf(version));
      if (!got.ok) continue;
      const once = encode(matchCodec, got.value, contextOf(version));
      const again = decode(matchCodec, once, contextOf(version));
      if (again.ok)
        expect(asHex(encode(matchCodec, again.value, contextOf(version)))).toBe(asHex(once));
    }
  });
});

test('a VLAN ID without a tag, as NXM can say it, is written in OXM so that it can be read', () => {
  const got = decode(nxm(6), hex('00000802 0800 0000'), contextOf(OF10));
  if (!got.ok) throw new Error(got.error);
  const wire = encode(matchCodec, got.value, contextOf(OF13));
  expect(decode(matchCodec, wire, contextOf(OF13))).toMatchObject({ ok: true });
});
