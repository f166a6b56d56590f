import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../src/ofproto/codec/messages.ts';
import type { WireContext } from '../../../src/ofproto/codec/reader.ts';
import { OF11 } from '../../../src/ofproto/codec/versions.ts';
import { recordedMessages } from './recorded.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('messages of the original', () => {
  const all = recordedMessages();

  test('each is understood, and written back byte for byte', () => {
    const wrong: string[] = [];
    for (const { where, version, bytes } of all) {
      const context: WireContext = { version, flowModTableId: true };
      const got = decodeMessage(bytes, context);
      if (!got.ok) {
        wrong.push(`${where}: ${got.error}\n  ${hexOf(bytes)}`);
        continue;
      }
      const again = encodeMessage(got.message, context, got.xid);
      // Open vSwitch tells flows in 1.1 with matches of 1.2; the specification's are 1.1's.
      if (version === OF11 && got.message.kind === 'flowStatsReply') {
        expect(decodeMessage(again, context)).toEqual(got);
      } else if (hexOf(again) !== hexOf(bytes)) {
        wrong.push(`${where}: ${got.message.kind}\n  ${hexOf(bytes)}\n  ${hexOf(again)}`);
      }
    }
    expect(all.length).toBeGreaterThan(1000);
    expect(wrong).toEqual([]);
  });
});
