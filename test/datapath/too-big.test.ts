/** Answers to frames too long for a tunnel's path, and checksums that neighbours never completed. */
import { describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import { markPartialChecksum } from '../../src/datapath/partial-checksum.ts';
import { TOO_BIG_BYTES, tooBig } from '../../src/datapath/too-big.ts';
import { checksumOf, pseudoHeader4, sumBytes } from '../../src/packet/checksum.ts';
import { extract } from '../../src/packet/extract.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { hex } from '../packet/bytes.ts';

const MACS = '020000000002 020000000001';
const ip = (fragment: string, proto = '06', payload = '') =>
  `4500 05dc 0001 ${fragment} 40 ${proto} 0000 0a000001 0a000002 ${payload}`;

function answer(frame: Uint8Array, mtu: number): Uint8Array {
  const region = heapRegion(1 << 16);
  region.bytes.set(frame, 1000);
  const length = tooBig(region, 1000, frame.length, mtu, 5000);
  return region.bytes.slice(5000, 5000 + Math.max(0, length));
}
const padded = (digits: string): Uint8Array => {
  const bytes = new Uint8Array(1514);
  bytes.set(hex(digits));
  return bytes;
};

describe('too big', () => {
  test('IPv4 with DF is answered from its destination, with the MTU and the packet', () => {
    const frame = padded(`${MACS} 8100 000a 0800 ${ip('4000')}`);
    const got = answer(frame, 1450);
    const view = new DataView(got.buffer);
    expect(Buffer.from(got.subarray(0, 18)).toString('hex')).toBe(
      '02000000000102000000000281000' + '00a0800',
    );
    expect(Buffer.from(got.subarray(30, 38)).toString('hex')).toBe('0a0000020a000001');
    expect(checksumOf(sumBytes(view, 18, 20))).toBe(0);
    expect(view.getUint16(38)).toBe(0x0304);
    expect(view.getUint16(38 + 6)).toBe(1450);
    expect(checksumOf(sumBytes(view, 38, got.length - 38))).toBe(0);
    expect(got.subarray(46, 66)).toEqual(frame.subarray(18, 38));
    expect(got.length).toBeLessThanOrEqual(TOO_BIG_BYTES);
  });

  test('IPv6 is answered with packet too big, and never with less than 1280', () => {
    const got = answer(
      padded(`${MACS} 86dd 60000000 05b4 0640 ${'fd'.padEnd(32, '1')} ${'fd'.padEnd(32, '2')}`),
      900,
    );
    const view = new DataView(got.buffer);
    expect(view.getUint8(54)).toBe(2);
    expect(view.getUint32(58)).toBe(1280);
  });

  test('no answer: without DF, to a group, to errors of ICMP, to what is no IP', () => {
    expect(answer(padded(`${MACS} 0800 ${ip('0000')}`), 1450)).toHaveLength(0);
    expect(answer(padded(`ffffffffffff 020000000001 0800 ${ip('4000')}`), 1450)).toHaveLength(0);
    expect(answer(padded(`${MACS} 0800 ${ip('4000', '01', '0304')}`), 1450)).toHaveLength(0);
    expect(answer(padded(`${MACS} 0806 0001`), 1450)).toHaveLength(0);
    expect(answer(hex(`${MACS} 0800 45`), 1450)).toHaveLength(0);
  });
});

describe('partial checksums', () => {
  const mark = (checksum: 'partial' | 'complete'): { marked: boolean; batch: Batch } => {
    const region = heapRegion(1 << 16);
    const tcp = '1388 1389 00000001 00000002 5010 ffff 0000 0000 616263';
    const frame = hex(`${MACS} 0800 4500 002b 0001 4000 40 06 0000 0a000001 0a000002 ${tcp}`);
    region.bytes.set(frame, 1000);
    const pseudo = pseudoHeader4(region.view, 1014, 6, 23);
    const value =
      checksum === 'partial'
        ? ~checksumOf(pseudo) & 0xffff
        : checksumOf(sumBytes(region.view, 1034, 23, pseudo));
    region.view.setUint16(1034 + 16, value);
    const batch = new Batch();
    batch.append(1, 1000, frame.length, 0);
    expect(extract(region, batch, 0)).toBe(true);
    return { marked: markPartialChecksum(region.view, batch, 0), batch };
  };

  test('the sum of the pseudo header alone is one', () => {
    const { marked, batch } = mark('partial');
    expect(marked).toBe(true);
    expect([batch.offloadFlags[0], batch.csumStart[0], batch.csumOffset[0]]).toEqual([1, 34, 16]);
  });

  test('a complete one is left alone', () => {
    expect(mark('complete').marked).toBe(false);
  });
});
