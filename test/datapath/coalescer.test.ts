/** Joining: what was cut apart comes together as it was; what does not belong stays by itself. */
import { describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import { Coalescer } from '../../src/datapath/coalescer.ts';
import { extract } from '../../src/packet/extract.ts';
import { GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM } from '../../src/packet/frames.ts';
import { Segmenter } from '../../src/packet/segment.ts';
import { heapRegion, type Region } from '../../src/sys/region.ts';
import { hex, random } from '../packet/bytes.ts';

const MACS = '020000000002 020000000001';
const TCP = '1388 1389 00000001 00000002 8010 ffff 0000 0000 0101080a 00000005 00000006';
const IPV4 = `${MACS} 0800 4500 0000 0001 4000 4006 0000 0a000001 0a000002 ${TCP}`;
const IPV6 = `${MACS} 86dd 60000000 0000 0640 ${'fd'.padEnd(32, '1')} ${'fd'.padEnd(32, '2')} ${TCP}`;
const HEADER = 8;

/** Cuts a super-frame of `bytes` payload; returns the segments, as they lie in a train behind headers of 8 bytes. */
function train(headers: string, bytes: number, size: number) {
  const region = heapRegion(1 << 20);
  const head = hex(headers);
  const isIpv6 = headers === IPV6;
  const next = random(bytes);
  const frame = new Uint8Array(head.length + bytes);
  frame.set(head);
  for (let i = head.length; i < frame.length; i++) frame[i] = next();
  const view = new DataView(frame.buffer);
  view.setUint16(isIpv6 ? 18 : 16, frame.length - (isIpv6 ? 54 : 14));
  region.bytes.set(frame, 1000);
  const batch = new Batch();
  const p = batch.append(1, 1000, frame.length, 0);
  batch.offloadFlags[p] = NEEDS_CSUM;
  batch.gsoType[p] = isIpv6 ? GSO_TCPV6 : GSO_TCPV4;
  batch.gsoSize[p] = size;
  batch.headerBytes[p] = head.length;
  expect(extract(region, batch, p)).toBe(true);
  const segmenter = new Segmenter(region);
  const count = segmenter.begin(batch, p);
  const places: { start: number; length: number }[] = [];
  let at = 200_000;
  for (let i = 0; i < count; i++) {
    const length = segmenter.write(i, at + HEADER);
    places.push({ start: at + HEADER, length });
    at += HEADER + length;
  }
  return { region, frame, places, head };
}

function joined(region: Region, places: readonly { start: number; length: number }[]) {
  const coalescer = new Coalescer(region);
  const batch = new Batch();
  const p = batch.append(1, places[0].start, places[0].length, HEADER);
  let count = 1;
  if (coalescer.begin(places[0].start, places[0].length)) {
    while (count < places.length && coalescer.join(places[count].start, places[count].length)) {
      count++;
    }
  }
  coalescer.finish(batch, p);
  return { batch, count };
}

describe.each([
  ['IPv4', IPV4],
  ['IPv6', IPV6],
])('%s', (_, headers) => {
  test('segments become the super-frame that they were', () => {
    for (const [bytes, size] of [
      [30_000, 1398],
      [2796, 1398],
      [1399, 1398],
      [64_000, 1000],
    ]) {
      const { region, frame, places, head } = train(headers, bytes, size);
      const { batch, count } = joined(region, places);
      expect(count).toBe(places.length);
      expect(batch.length[0]).toBe(frame.length);
      const got = region.bytes.slice(places[0].start, places[0].start + frame.length);
      expect(got.subarray(head.length)).toEqual(frame.subarray(head.length));
      expect(batch.gsoSize[0]).toBe(size);
      expect(batch.headerBytes[0]).toBe(head.length);
      // It can be cut again: the metadata fits.
      expect(extract(region, batch, 0)).toBe(true);
      expect(new Segmenter(region).begin(batch, 0)).toBe(places.length);
    }
  });

  test('a damaged segment, a gap, another port and another flag end it', () => {
    const l4 = headers === IPV6 ? 54 : 34;
    const damages: ((region: Region, at: number) => void)[] = [
      (region, at) => region.view.setUint8(at + l4 + 40, region.view.getUint8(at + l4 + 40) ^ 1),
      (region, at) => region.view.setUint32(at + l4 + 4, 77),
      (region, at) => region.view.setUint16(at + l4, 99),
      (region, at) => region.view.setUint8(at + l4 + 13, 0x11),
      (region, at) => region.view.setUint8(at + 5, 9),
    ];
    for (const damage of damages) {
      const { region, places } = train(headers, 10_000, 1398);
      damage(region, places[3].start);
      const { batch, count } = joined(region, places);
      expect(count).toBe(3);
      expect(batch.gsoSize[0]).toBe(1398);
    }
  });

  test('a single segment stays as it came', () => {
    const { region, places } = train(headers, 1398, 1398);
    const before = region.bytes.slice(places[0].start, places[0].start + places[0].length);
    const { batch } = joined(region, places);
    expect(batch.gsoSize[0]).toBe(0);
    expect(region.bytes.slice(places[0].start, places[0].start + places[0].length)).toEqual(before);
  });
});
