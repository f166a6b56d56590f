import { describe, expect, test } from 'vitest';
import { type Match, matchOf } from '../../../src/flowtable/match.ts';
import { matchCodec, readNxmMatch, writeNxmMatch } from '../../../src/ofproto/codec/match.ts';
import { MatchFields, namedField } from '../../../src/ofproto/codec/match-fields.ts';
import { placedField } from '../../../src/ofproto/codec/oxm.ts';
import { OF13 } from '../../../src/ofproto/codec/versions.ts';
import { type Codec, decode } from '../../../src/ofproto/codec/wire.ts';
import { formatMatch } from '../../../src/ofproto/text/match-text.ts';
import { FLOW_WORDS } from '../../../src/packet/key.ts';
import { presentBit, presentWord } from '../../../src/packet/tlv-table.ts';
import { vectors } from '../codec/vectors.ts';

const nxm = (length: number): Codec<Match> => ({
  decode: (r) => readNxmMatch(r, length).match,
  encode: (w, match) => void writeNxmMatch(w, match),
});

describe('matches are shown as ovs-ofctl shows them', () => {
  const shown = vectors('matches').filter((v) => !v.text.includes('cookie:'));

  test.each(shown.map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const padded = new Uint8Array((v.bytes.length + 7) & ~7);
    padded.set(v.bytes);
    const codec = v.nxm ? nxm(v.bytes.length) : matchCodec;
    const got = decode(codec, v.nxm ? padded : v.bytes, { version: v.version });
    expect(got.ok && formatMatch(got.value)).toBe(v.text);
  });
});

test('priority, ports by name and mapped Geneve options', () => {
  const tunMetadata = () => ({ offset: 0, length: 4 });
  const m = new MatchFields();
  m.set(namedField('in_port'), 3n);
  const f = placedField(namedField('tun_metadata2'), { version: OF13, tunMetadata });
  if (f !== null) m.set(f, 0x12n, 0xffn);
  const portName = () => 'eth0:1';
  expect(formatMatch(m.build(), { priority: 5, portName, tunMetadata })).toBe(
    'priority=5,tun_metadata2=0x12/0xff,in_port="eth0:1"',
  );
});

test('an option that must be absent is not present (NP)', () => {
  const mask = new Uint32Array(FLOW_WORDS);
  mask[presentWord(2)] = presentBit(2);
  const match = matchOf(new Uint32Array(FLOW_WORDS), mask, FLOW_WORDS);
  const tunMetadata = () => ({ offset: 0, length: 4 });
  expect(formatMatch(match, { tunMetadata })).toBe('tun_metadata2=NP');
});
