import { describe, expect, test } from 'vitest';
import { MessageSplitter } from '../../../src/ofproto/codec/framing.ts';
import { hex, random } from '../../packet/bytes.ts';

const A = hex('04 02 0008 00000001');
const B = hex('04 02 000c 00000002 aabbccdd');
const LONGEST = new Uint8Array(0xffff);
LONGEST.set([4, 2, 0xff, 0xff]);

const text = (messages: readonly Uint8Array[]): string[] =>
  messages.map((m) => Buffer.from(m).toString('hex'));

describe('a byte stream', () => {
  test('is cut into messages wherever its pieces begin', () => {
    const stream = Buffer.concat([A, B, LONGEST, A, B]);
    const next = random(3);
    for (let round = 0; round < 50; round++) {
      const splitter = new MessageSplitter();
      const got: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const count = 1 + (next() % (round < 25 ? 20 : 30_000));
        const result = splitter.push(stream.subarray(at, at + count));
        expect(result.ok).toBe(true);
        got.push(...result.messages);
        at += count;
      }
      expect(text(got)).toEqual(text([A, B, LONGEST, A, B]));
      expect(splitter.pending).toBe(0);
    }
  });

  test('ends with a length below a header, after what was whole', () => {
    const splitter = new MessageSplitter();
    const got = splitter.push(Buffer.concat([A, hex('04 02 0007 00000003')]));
    expect(got.ok).toBe(false);
    expect(text(got.messages)).toEqual(text([A]));
  });

  test('keeps no more than one message that is not whole', () => {
    const splitter = new MessageSplitter();
    splitter.push(LONGEST.subarray(0, 0xfffe));
    expect(splitter.pending).toBe(0xfffe);
    expect(text(splitter.push(Uint8Array.of(0, 4, 2)).messages)).toEqual(text([LONGEST]));
    expect(splitter.pending).toBe(2);
  });

  test('gives views of which slice() is a copy, also of what a socket gives', () => {
    const chunk = Buffer.from(A);
    const [message] = new MessageSplitter().push(chunk).messages;
    const kept = message.slice();
    chunk.fill(0);
    expect(text([kept])).toEqual(text([A]));
    expect(message.every((byte) => byte === 0)).toBe(true);
  });
});
