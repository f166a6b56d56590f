import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../src/ofproto/codec/messages.ts';
import type { WireContext } from '../../../src/ofproto/codec/reader.ts';
import { OF11, OF12 } from '../../../src/ofproto/codec/versions.ts';
import { type Recorded, recordedMessages } from './recorded.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/**
 * To monitors of 1.1 and 1.2 the original sends instructions (here clear_actions and write_metadata) where actions belong; its own
 * ovs-ofctl refuses them, too.
 */
const isFaulty = ({ version, bytes }: Recorded): boolean => {
  const text = hexOf(bytes);
  return (
    (version === OF11 || version === OF12) &&
    /^0.13.{28}000023200{7}2/.test(text) &&
    /0005000800000000|00020018/.test(text)
  );
};

describe('messages of the original', () => {
  const all = recordedMessages();

  test('each is understood, and written back byte for byte', () => {
    const wrong: string[] = [];
    for (const one of all) {
      const { where, version, bytes } = one;
      const context: WireContext = { version, flowModTableId: true };
      const got = decodeMessage(bytes, context);
      if (isFaulty(one)) {
        expect(got, where).toEqual({ ok: false, xid: 1, error: 'OFPBAC_BAD_LEN' });
        continue;
      }
      if (!got.ok) {
        wrong.push(`${where}: ${got.error}\n  ${hexOf(bytes)}`);
        continue;
      }
      const again = encodeMessage(got.message, context, got.xid);
      if (hexOf(again) !== hexOf(bytes)) {
        wrong.push(`${where}: ${got.message.kind}\n  ${hexOf(bytes)}\n  ${hexOf(again)}`);
      }
    }
    expect(all.length).toBeGreaterThan(1000);
    expect(wrong).toEqual([]);
  });
});
