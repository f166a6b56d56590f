import { expect, test } from 'vitest';
import type { Message } from '../../../src/ofproto/codec/messages.ts';
import { Bundles } from '../../../src/ofproto/openflow/bundles.ts';
import { Lab } from '../lab.ts';

const MESSAGE: Message = { kind: 'barrierRequest' };
/** A message of a length, which its header tells. */
const bytesOf = (length: number, xid: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint16(2, length);
  new DataView(bytes.buffer).setUint32(4, xid);
  return bytes;
};
const made = (): Bundles => new Bundles(new Lab().clock, () => {});

test('errors can quote each message, up to 64 bytes of it', () => {
  const bundles = made();
  for (let i = 0; i < 3000; i++) {
    expect(bundles.add(1, 0, MESSAGE, i, bytesOf(8 + (i % 100), i))).toBeNull();
  }
  const taken = bundles.take(1, 0);
  if (typeof taken === 'string') throw new Error(taken);
  expect(taken.messages).toHaveLength(3000);
  for (const i of [0, 55, 56, 57, 1023, 1024, 2999]) {
    expect(taken.heads.at(i)).toEqual(bytesOf(8 + (i % 100), i).subarray(0, 64));
  }
});

test('bundles of a connection hold 128 MiB together, and the one that wants more is ended', () => {
  const bundles = made();
  const big = bytesOf(0xffff, 1);
  for (let i = 0; i < 2048; i++) expect(bundles.add(i % 2, 0, MESSAGE, i, big)).toBeNull();
  expect(bundles.add(1, 0, MESSAGE, 1, big)).toBe('OFPBFC_MSG_TOO_MANY');
  expect(bundles.take(1, 0)).toBe('OFPBFC_BAD_ID');
  expect(bundles.add(0, 0, MESSAGE, 1, big)).toBeNull();
});
