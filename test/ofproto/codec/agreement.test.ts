/** Damaged messages are shown to the original, too: `ovs-ofctl ofp-parse` says what error it sees in each. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeMessage } from '../../../src/ofproto/codec/messages.ts';
import type { OfVersion } from '../../../src/ofproto/codec/versions.ts';
import { random } from '../../packet/bytes.ts';
import { mutated } from './mutate.ts';
import { type Recorded, recordedMessages } from './recorded.ts';

/** Marks our xids in dumps, the rest of which count messages. */
const XID_MARK = 0x7f;

function damaged(corpus: readonly Recorded[], count: number, seed: number): Uint8Array[] {
  const next = random(seed);
  const list: Uint8Array[] = [];
  while (list.length < count) {
    const bytes = mutated(corpus, next);
    if (bytes.length < 8 || bytes[0] < 1 || bytes[0] > 6) continue;
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, XID_MARK * 2 ** 24 + list.length);
    list.push(bytes);
  }
  return list;
}

/** The original's errors, by the number of the message. Behind each stands a dump of the message. */
function originalErrors(messages: readonly Uint8Array[]): Map<number, string> {
  const dir = mkdtempSync(join(tmpdir(), 'of-agreement-'));
  try {
    const file = join(dir, 'stream');
    writeFileSync(file, Buffer.concat(messages));
    const args = ['ofp-parse', file];
    const { stdout } = spawnSync('ovs-ofctl', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    const errors = new Map<number, string>();
    let error: string | undefined;
    for (const line of stdout.split('\n')) {
      const dump = /^00000000 {2}(?:\w\w[ -]){4}7f ((?:\w\w[ -]){3})/.exec(line);
      if (dump !== null && error !== undefined) {
        errors.set(Number.parseInt(dump[1].replace(/\W/g, ''), 16), error);
      }
      error = /\*\*\*decode error: (\w+)\*\*\*/.exec(line)?.[1];
    }
    return errors;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What a switch is sent; of what it sends the original judges some more gently. */
const isFromController = ([version, type]: Uint8Array): boolean =>
  [7, 9, 13, 14, 15, 17, 24, 26, 28, 29].includes(type) || type === (version === 1 ? 16 : 18);

test('damaged requests get the errors of the original', () => {
  const messages = damaged(recordedMessages(), 4000, 21);
  const theirs = originalErrors(messages);
  const different = new Map<string, number>();
  let asked = 0;
  messages.forEach((bytes, i) => {
    if (!isFromController(bytes)) return;
    asked++;
    const got = decodeMessage(bytes, { version: bytes[0] as OfVersion, flowModTableId: true });
    const ours = got.ok ? 'fine' : got.error;
    const expected = theirs.get(i) ?? 'fine';
    const key = `${ours} instead of ${expected}`;
    if (ours !== expected) different.set(key, (different.get(key) ?? 0) + 1);
  });
  expect(asked).toBeGreaterThan(1000);
  expect(theirs.size).toBeGreaterThan(2000);
  // With several mistakes in one message it is a matter of order which is seen first.
  const sum = [...different.values()].reduce((a, b) => a + b, 0);
  expect(sum / asked, JSON.stringify([...different])).toBeLessThan(0.03);
});
