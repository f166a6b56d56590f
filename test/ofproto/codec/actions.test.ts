import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/flowtable/action.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import { readActions, writeActions } from '../../../src/ofproto/codec/actions.ts';
import { readInstructions, writeInstructions } from '../../../src/ofproto/codec/instructions.ts';
import { namedField } from '../../../src/ofproto/codec/match-fields.ts';
import { OF10, OF11, OF13, OF15, type OfVersion } from '../../../src/ofproto/codec/versions.ts';
import { type Codec, decode, encode } from '../../../src/ofproto/codec/wire.ts';
import { hex, random } from '../../packet/bytes.ts';
import { asHex, vectors } from './vectors.ts';

const tunMetadata = (index: number) => (index < 4 ? { offset: 8 * index, length: 8 } : null);
const contextOf = (version: OfVersion) => ({ version, tunMetadata });

const instructions: Codec<readonly Action[]> = {
  decode: readInstructions,
  encode: writeInstructions,
};

const list: Codec<readonly Action[]> = {
  decode: (r) => readActions(r),
  encode: (w, actions) => void writeActions(w, actions),
};

const all = vectors('actions');

describe('actions that ovs-ofctl sends', () => {
  test('are many', () => {
    expect(all.length).toBeGreaterThan(300);
  });

  test.each(all.map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const got = decode(instructions, v.bytes, contextOf(v.version));
    if (v.text.startsWith('!')) {
      expect(got).toEqual({ ok: false, error: v.text.slice(1) });
      return;
    }
    expect(got).toHaveProperty('value');
    if (!got.ok) return;
    expect(asHex(encode(instructions, got.value, contextOf(v.version)))).toBe(asHex(v.bytes));
  });
});

const errorOf = (codec: Codec<readonly Action[]>, text: string, version: OfVersion = OF13) => {
  const got = decode(codec, hex(text), contextOf(version));
  return got.ok ? got.value.map((a) => a.kind).join(' ') : got.error;
};

describe('errors of actions', () => {
  test.each<[string, string, string, OfVersion]>([
    ['an unknown type', '00ff 0008 00000000', 'OFPBAC_BAD_TYPE', OF13],
    ['a type of a later version', '0019 0010 80000606 000000000001 0000', 'OFPBAC_BAD_TYPE', OF10],
    ['no length', '0000 0000 00000000', 'OFPBAC_BAD_LEN', OF13],
    [
      'a length that is no multiple of 8',
      '0000 000c 00000001 00000000 00000000',
      'OFPBAC_BAD_LEN',
      OF13,
    ],
    ['more than there is', '0000 0018 00000001 0000 000000000000', 'OFPBAC_BAD_LEN', OF13],
    ['a length of another action', '0012 0010 00000000 00000000 00000000', 'OFPBAC_BAD_LEN', OF13],
    ['a stranger', 'ffff 0010 00001234 0000000000000000', 'OFPBAC_BAD_VENDOR', OF13],
    [
      'an unknown one of Nicira',
      'ffff 0010 00002320 00fa 000000000000',
      'OFPBAC_BAD_VENDOR_TYPE',
      OF13,
    ],
    ['output to no port', '0000 0010 ffffffff 0000 000000000000', 'OFPBAC_BAD_OUT_PORT', OF13],
    [
      'output to a port of 17 bits',
      '0000 0010 00010000 0000 000000000000',
      'OFPBAC_BAD_OUT_PORT',
      OF13,
    ],
    ['output to a reserved port', '0000 0008 ff00 0000', 'OFPBAC_BAD_OUT_PORT', OF10],
    [
      'enqueue on the controller',
      '000b 0010 fffd 000000000000 00000001',
      'OFPBAC_BAD_OUT_PORT',
      OF10,
    ],
    ['a VLAN id of 13 bits', '0001 0008 1000 0000', 'OFPBAC_BAD_ARGUMENT', OF10],
    ['a priority of 4 bits', '0002 0008 08 000000', 'OFPBAC_BAD_ARGUMENT', OF10],
    ['TOS with ECN bits', '0008 0008 03 000000', 'OFPBAC_BAD_ARGUMENT', OF10],
    ['a tag of no VLAN type', '0011 0008 0800 0000', 'OFPBAC_BAD_ARGUMENT', OF13],
    ['a label of no MPLS type', '0013 0008 0800 0000', 'OFPBAC_BAD_ARGUMENT', OF13],
    [
      'setting an unknown field',
      '0019 0010 8000fe02 0000 000000000000',
      'OFPBAC_BAD_SET_TYPE',
      OF13,
    ],
    [
      'setting with a wrong length',
      '0019 0010 80000604 00000000 00000000',
      'OFPBAC_BAD_SET_LEN',
      OF13,
    ],
    [
      'setting what is read only',
      '0019 0010 00013401 01 00000000000000',
      'OFPBAC_BAD_SET_ARGUMENT',
      OF13,
    ],
    [
      'setting the port of entry',
      '0019 0010 80000004 00000001 00000000',
      'OFPBAC_BAD_SET_ARGUMENT',
      OF13,
    ],
    [
      'setting a part before 1.5',
      '0019 0018 8000070c 000000000001 000000000001 00000000',
      'OFPBAC_BAD_SET_MASK',
      OF13,
    ],
    [
      'setting a VLAN id without its present bit',
      '0019 0010 80000c02 0001 000000000000',
      'OFPBAC_BAD_SET_ARGUMENT',
      OF13,
    ],
    [
      'setting with something behind',
      '0019 0010 80000606 000000000001 0001',
      'OFPBAC_BAD_SET_ARGUMENT',
      OF13,
    ],
    [
      'loading more bits than there are',
      'ffff 0018 00002320 0007 003f 00000004 0000000000000001',
      'OFPBAC_BAD_SET_TYPE',
      OF13,
    ],
    [
      'loading beyond the end',
      'ffff 0018 00002320 0007 043f 00010004 0000000000000001',
      'OFPBAC_BAD_SET_LEN',
      OF13,
    ],
    [
      'loading what does not fit',
      'ffff 0018 00002320 0007 0003 00010004 0000000000000010',
      'OFPBAC_BAD_ARGUMENT',
      OF13,
    ],
    [
      'conjunction with one clause',
      'ffff 0010 00002320 0022 00 01 00000001',
      'NXBAC_BAD_CONJUNCTION',
      OF13,
    ],
    ['nat outside of ct', 'ffff 0010 00002320 0024 0000 0000 0000', 'OFPBAC_BAD_ARGUMENT', OF13],
    [
      'output within ct',
      'ffff 0028 00002320 0023 0001 00000000 0000 ff 000000 0000  0000 0010 00000001 0000 000000000000',
      'OFPBAC_BAD_ARGUMENT',
      OF13,
    ],
    [
      'force without commit',
      'ffff 0018 00002320 0023 0002 00000000 0000 ff 000000 0000',
      'OFPBAC_BAD_ARGUMENT',
      OF13,
    ],
    [
      'a learned flow in table 255',
      'ffff 0020 00002320 0010 0000 0000 0000 0000000000000000 0000 ff 00 0000 0000',
      'OFPBAC_BAD_ARGUMENT',
      OF13,
    ],
    [
      'a learn spec that is cut',
      'ffff 0028 00002320 0010 0000 0000 0000 0000000000000000 0000 01 00 0000 0000 0030 000000000000',
      'OFPBAC_BAD_SET_TYPE',
      OF13,
    ],
    [
      'an instruction outside of flows',
      'ffff 0020 00002320 0016 000000000000 0000000000000001 0000000000000001',
      'OFPBIC_UNSUP_INST',
      OF10,
    ],
    [
      'moving nothing',
      'ffff 0018 00002320 0006 0000 0000 0000 00010004 00010204',
      'OFPBAC_BAD_SET_LEN',
      OF13,
    ],
    [
      'cutting into the Ethernet header',
      'ffff 0010 00002320 0027 0001 0000000d',
      'OFPBAC_BAD_ARGUMENT',
      OF13,
    ],
    [
      'encap of an unknown header',
      'ffff 0010 00002320 002e 0000 00000001',
      'NXBAC_BAD_HEADER_TYPE',
      OF13,
    ],
    [
      'encap with an unknown property',
      'ffff 0018 00002320 002e 0000 0001894f 0005 01 05 02 000000',
      'NXBAC_UNKNOWN_ED_PROP',
      OF13,
    ],
    [
      'encap with a cut TLV',
      'ffff 0018 00002320 002e 0000 0001894f 0004 02 05 02 000000',
      'NXBAC_BAD_ED_PROP',
      OF13,
    ],
    [
      'decap with a property',
      'ffff 0018 00002320 002f 0000 00000000 0000000000000000',
      'NXBAC_UNKNOWN_ED_PROP',
      OF13,
    ],
    [
      'marking outside of ct',
      'ffff 0018 00002320 0007 001f 0001d604 0000000000000001',
      'OFPBAC_BAD_SET_ARGUMENT',
      OF13,
    ],
  ])('%s', (_, text, error, version) => {
    expect(errorOf(list, text, version)).toBe(error);
  });

  test('nesting has a limit', () => {
    let text = '';
    for (let i = 0; i < 100; i++) {
      const length = (text.length / 2 + 16).toString(16).padStart(4, '0');
      text = `ffff${length}00002320002a000000000000${text}`;
    }
    expect(errorOf(list, text)).toBe('OFPBAC_BAD_ARGUMENT');
  });
});

describe('instructions', () => {
  test.each<[string, string, string]>([
    ['unknown', '0009 0008 00000000', 'OFPBIC_UNKNOWN_INST'],
    ['of an experimenter', 'ffff 0008 00000001', 'OFPBIC_BAD_EXPERIMENTER'],
    ['twice', '0005 0008 00000000 0005 0008 00000000', 'OFPBIC_DUP_INST'],
    ['too short', '0001 0004 00', 'OFPBIC_BAD_LEN'],
    ['cut', '0001 0010 00000000', 'OFPBIC_BAD_LEN'],
    ['too long', '0001 0010 00000000 0000000000000000', 'OFPBIC_BAD_LEN'],
    [
      'a set with learn',
      '0003 0028 00000000 ffff 0020 00002320 0010 0000 0000 0000 0000000000000000 0000 01 00 0000 0000',
      'OFPBAC_BAD_TYPE',
    ],
  ])('%s', (_, text, error) => {
    expect(errorOf(instructions, text)).toBe(error);
  });

  test('are put in the order in which they are executed', () => {
    const text =
      '0001 0008 05 000000  0004 0008 00000000  0005 0008 00000000  0006 0008 00000007  0002 0018 00000000 0000000000000005 00000000000000ff';
    expect(errorOf(instructions, text)).toBe('meter clearActions writeMetadata gotoTable');
    expect(errorOf(instructions, '0006 0008 00000007', OF11)).toBe('OFPBIC_UNKNOWN_INST');
  });
});

describe('one model for all versions', () => {
  const inVersion = (
    actions: readonly Action[],
    version: OfVersion,
    flow = { hasVlan: false, ipProto: 6 },
  ) => {
    const bytes = encode(list, actions, { ...contextOf(version), flow });
    return errorOf(list, asHex(bytes), version);
  };

  test('setters of 1.0 become set-fields', () => {
    const actions: readonly Action[] = [
      { kind: 'setVlanVid', vid: 5, pushIfNeeded: true },
      { kind: 'setTpDst', port: 80 },
      { kind: 'setIpTos', tos: 8 },
      { kind: 'setTunnel', id: 5n, is64: false },
    ];
    expect(inVersion(actions, OF10)).toBe('setVlanVid setTpDst setIpTos setTunnel');
    expect(inVersion(actions, OF11)).toBe('pushVlan setVlanVid setTpDst setIpTos setTunnel');
    expect(inVersion(actions, OF13)).toBe('pushVlan setField setField setField setField');
    expect(inVersion(actions, OF13, { hasVlan: true, ipProto: 17 })).toBe(
      'setField setField setField setField',
    );
  });

  test('set-fields become what the version has', () => {
    const field = namedField('reg0');
    const part: Action = { kind: 'setField', field, value: 0x0f01n, mask: 0xff0fn };
    expect(inVersion([part], OF13)).toBe('load load');
    expect(inVersion([part], OF15)).toBe('setField');
    expect(inVersion([{ kind: 'load', dst: { field, offset: 4, bits: 4 }, value: 3n }], OF15)).toBe(
      'setField',
    );
    const tci: Action = {
      kind: 'setField',
      field: namedField('vlan_tci'),
      value: 0x3005n,
      mask: 0xffffn,
    };
    expect(inVersion([tci], OF10)).toBe('setVlanVid setVlanPcp');
    expect(inVersion([{ ...tci, value: 0n }], OF11)).toBe('stripVlan');
  });

  test('enqueue of 1.0 becomes three actions', () => {
    const enqueue: Action = { kind: 'enqueue', port: ofPort(1), queue: 5 };
    expect(inVersion([enqueue], OF10)).toBe('enqueue');
    expect(inVersion([enqueue], OF13)).toBe('setQueue output popQueue');
  });

  test('what a version cannot say is left out', () => {
    expect(inVersion([{ kind: 'pushPbb', ethType: 0x88e7 }, { kind: 'exit' }], OF10)).toBe('exit');
  });
});

test('noise gives a value or an error, and a value is stable', () => {
  const next = random(5);
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    const v = all[next() % all.length];
    const noise = v.bytes.slice();
    for (let k = next() % 4; k > 0; k--) noise[next() % noise.length] = next();
    const got = decode(instructions, noise, contextOf(v.version));
    if (!got.ok) continue;
    accepted++;
    const once = encode(instructions, got.value, contextOf(v.version));
    const again = decode(instructions, once, contextOf(v.version));
    expect(again.ok, `${v.form} ${asHex(noise)} ${asHex(once)}`).toBe(true);
    if (again.ok)
      expect(asHex(encode(instructions, again.value, contextOf(v.version)))).toBe(asHex(once));
  }
  expect(accepted).toBeGreaterThan(3000);
});
