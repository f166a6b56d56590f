import { describe, expect, test } from 'vitest';
import { RingReader, RingWriter, ringBuffer } from '../../src/datapath/ring.ts';
import { UpcallQuota } from '../../src/datapath/upcall-quota.ts';
import { random } from '../packet/bytes.ts';

const RECORD = 15;

function setup(words = 1 << 12) {
  const buffer = ringBuffer(words);
  const writer = new RingWriter(buffer);
  const reader = new RingReader(buffer);
  const quota = new UpcallQuota(writer, RECORD);
  const write = (port: number, size = RECORD): boolean => {
    if (!quota.admits(port, size)) return false;
    const at = writer.reserve(size);
    if (at < 0) return false;
    writer.words[at] = port;
    writer.publish();
    quota.took(port, size);
    return true;
  };
  const flood = (port: number): number => {
    let n = 0;
    while (write(port)) n++;
    return n;
  };
  const read = (records: number): number[] => {
    const ports: number[] = [];
    for (let n = 0; n < records; n++) {
      const at = reader.next();
      if (at < 0) break;
      ports.push(reader.words[at]);
    }
    reader.release();
    return ports;
  };
  return { write, flood, read };
}

describe('the quota of upcalls', () => {
  test('a port alone takes half of the ring, and others find room all the same', () => {
    const { write, flood } = setup();
    const first = flood(1);
    expect(first).toBeGreaterThan(110);
    expect(first).toBeLessThan(137);
    const second = flood(2);
    expect(second).toBeGreaterThan(50);
    for (const port of [3, 4, 5]) expect(write(port)).toBe(true);
    expect(write(1)).toBe(false);
  });

  test('what was read may be written again, by whoever wrote it', () => {
    const { flood, read } = setup();
    const first = flood(1);
    expect(flood(1)).toBe(0);
    expect(read(first)).toEqual(new Array(first).fill(1));
    expect(Math.abs(flood(1) - first)).toBeLessThan(2);
  });

  test('any mix of ports, sizes and readings: nobody is shut out once all is read', () => {
    const next = random(7);
    const { write, read } = setup();
    let written = 0;
    let seen = 0;
    for (let step = 0; step < 50_000; step++) {
      if (next() % 3) {
        if (write(next() % 3 ? 1 : next() % 65_536, RECORD + (next() % 300))) written++;
      } else seen += read(next() % 4).length;
    }
    seen += read(1000).length;
    expect(seen).toBe(written);
    expect(written).toBeGreaterThan(5000);
    for (let port = 0; port < 100; port++) {
      expect(write(port, 300)).toBe(true);
      read(1);
    }
  });
});
