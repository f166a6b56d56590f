import { describe, expect, test } from 'vitest';
import { readInstructions } from '../../../src/ofproto/codec/instructions.ts';
import { Reader } from '../../../src/ofproto/codec/reader.ts';
import { attempt } from '../../../src/ofproto/codec/wire.ts';
import { formatActions } from '../../../src/ofproto/text/actions-text.ts';
import { vectors } from '../codec/vectors.ts';

describe('actions are shown as ovs-ofctl shows them', () => {
  const shown = vectors('actions').filter((v) => v.text.startsWith('actions='));

  test.each(shown.map((v) => [`${v.form} ${v.text}`, v] as const))('%s', (_, v) => {
    const got = attempt(() => readInstructions(new Reader(v.bytes, { version: v.version })));
    expect(got.ok && `actions=${formatActions(got.value)}`).toBe(v.text);
  });
});
