import { describe, expect, test } from 'vitest';
import { type DecodedMessage, encodeMessage } from '../../../src/ofproto/codec/messages.ts';
import { MultipartRequests } from '../../../src/ofproto/codec/multipart-requests.ts';
import type { TableFeatures } from '../../../src/ofproto/codec/table-features.ts';
import { OF10, OF13 } from '../../../src/ofproto/codec/versions.ts';
import { hex } from '../../packet/bytes.ts';

const context = { version: OF13 } as const;
const abilities = {
  instructions: [1, 4],
  nextTables: [1, 2],
  writeActions: [0],
  applyActions: [0],
  writeSetFields: [],
  applySetFields: [],
};

const table = (tableId: number): TableFeatures => ({
  tableId,
  command: 'replace',
  name: `table ${tableId}`,
  metadataMatch: 0n,
  metadataWrite: 0n,
  eviction: false,
  vacancyEvents: false,
  maxEntries: 10,
  properties: { flows: abilities, miss: abilities, match: [], wildcards: [] },
});

const part = (xid: number, more: boolean, ...ids: number[]): Uint8Array =>
  encodeMessage({ kind: 'tableFeaturesRequest', more, entries: ids.map(table) }, context, xid);

const tablesOf = (got: readonly DecodedMessage[]): number[][] =>
  got.map((one) =>
    one.ok && one.message.kind === 'tableFeaturesRequest'
      ? one.message.entries.map(({ tableId }) => tableId)
      : [-1],
  );

const errorsOf = (got: readonly DecodedMessage[]): string[] =>
  got.map((one) => (one.ok ? 'none' : one.error));

describe('requests in parts', () => {
  test('become one, whatever comes between', () => {
    const requests = new MultipartRequests();
    expect(requests.receive(part(7, true, 0, 1), context, 0)).toEqual([]);
    expect(requests.receive(part(8, true, 5), context, 0)).toEqual([]);
    expect(requests.receive(hex('04 05 0008 00000009'), context, 0)).toMatchObject([
      { ok: true, message: { kind: 'featuresRequest' } },
    ]);
    expect(requests.receive(part(7, true), context, 0)).toEqual([]);
    expect(tablesOf(requests.receive(part(7, false, 2), context, 0))).toEqual([[0, 1, 2]]);
    expect(tablesOf(requests.receive(part(8, false), context, 0))).toEqual([[5]]);
    expect(requests.pending).toBe(0);
  });

  test('of one part are what they are', () => {
    const requests = new MultipartRequests();
    expect(tablesOf(requests.receive(part(7, false, 4), context, 0))).toEqual([[4]]);
    expect(tablesOf(requests.receive(part(7, false), context, 0))).toEqual([[]]);
    expect(
      requests.receive(hex('01 10 000c 00000001 0000 0001'), { version: OF10 }, 0),
    ).toMatchObject([{ ok: true, message: { kind: 'descRequest', more: true } }]);
  });

  test('that need a body and have none', () => {
    const requests = new MultipartRequests();
    expect(requests.receive(hex('04 12 0010 00000007 0004 0001 00000000'), context, 0)).toEqual([]);
    const last = hex('04 12 0010 00000007 0004 0000 00000000');
    expect(errorsOf(requests.receive(last, context, 0))).toEqual(['OFPBRC_BAD_LEN']);
    expect(requests.pending).toBe(0);
  });

  test('are refused when they change, are wrong, are too long or stop', () => {
    const requests = new MultipartRequests();
    requests.receive(part(7, true, 0), context, 0);
    const other = hex('04 12 0010 00000007 0000 0000 00000000');
    expect(errorsOf(requests.receive(other, context, 0))).toEqual(['OFPBRC_BAD_STAT']);

    requests.receive(part(7, true, 0), context, 0);
    expect(errorsOf(requests.receive(part(7, true, 255), context, 0))).toEqual([
      'OFPTFFC_BAD_TABLE',
    ]);
    expect(requests.pending).toBe(0);

    const long = part(7, true, ...Array.from({ length: 200 }, (_, i) => i));
    let got: readonly DecodedMessage[] = [];
    for (let sent = 0; sent <= 5 << 20 && got.length === 0; sent += long.length) {
      got = requests.receive(long, context, 0);
    }
    expect(errorsOf(got)).toEqual(['OFPBRC_MULTIPART_BUFFER_OVERFLOW']);
    expect(requests.pending).toBe(0);

    requests.receive(part(8, true, 0), context, 0);
    requests.receive(part(9, true, 0), context, 500);
    expect(requests.expire(999)).toEqual([]);
    expect(requests.expire(1000)).toEqual([part(8, true, 0)]);
    expect(requests.expire(1500)).toHaveLength(1);
    expect(requests.pending).toBe(0);
  });
});
