import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/flowtable/action.ts';
import { readActions, writeActions } from '../../../src/ofproto/codec/actions.ts';
import { readInstructions, writeInstructions } from '../../../src/ofproto/codec/instructions.ts';
import {
  OF_VERSIONS,
  OF10,
  OF13,
  OF15,
  type OfVersion,
} from '../../../src/ofproto/codec/versions.ts';
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
    expect(got).toHaveProperty('value');
    if (!got.ok) return;
    expect(asHex(encode(instructions, got.value, contextOf(v.version)))).toBe(asHex(v.bytes));
  });
});
