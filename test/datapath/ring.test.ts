import { describe, expect, test } from 'vitest';
import { CommandQueue } from '../../src/datapath/command-queue.ts';
import { RingReader, RingWriter, ringBuffer } from '../../src/datapath/ring.ts';

/** Small seeded generator (mulberry32): the same run every time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const record = (n: number, words: number) => Array.from({ length: words }, (_, i) => n * 31 + i);

function write(ring: RingWriter, payload: number[]): boolean {
  const at = ring.reserve(payload.length);
  if (at < 0) return false;
  payload.forEach((word, i) => {
    ring.words[at + i] = word;
  });
  return true;
}

function read(ring: RingReader): number[] | null {
  const at = ring.next();
  return at < 0 ? null : [...ring.words.subarray(at, at + ring.count)];
}

describe('a ring', () => {
  test.each([1, 2, 3, 4, 5])('hands over records of any size in order (seed %i)', (seed) => {
    const below = random(seed);
    const buffer = ringBuffer(64);
    const writer = new RingWriter(buffer);
    const reader = new RingReader(buffer);
    const expected: number[][] = [];
    let written = 0;
    let refused = 0;
    for (let step = 0; step < 20_000; step++) {
      if (below(2) === 0) {
        const payload = record(written, below(writer.longest + 1));
        if (write(writer, payload)) {
          expected.push(payload);
          written++;
        } else {
          refused++;
        }
        writer.publish();
      } else {
        for (let n = below(4); n > 0; n--) {
          const got = read(reader);
          expect(got).toEqual(expected.shift() ?? null);
          if (got === null) break;
        }
        reader.release();
      }
    }
    expect(written).toBeGreaterThan(1000);
    expect(refused).toBeGreaterThan(100);
  });

  test('keeps records to itself until they are published', () => {
    const buffer = ringBuffer(64);
    const writer = new RingWriter(buffer);
    const reader = new RingReader(buffer);
    write(writer, [1]);
    expect(reader.isEmpty()).toBe(true);
    expect(read(reader)).toBeNull();
    write(writer, [2, 3]);
    writer.publish();
    expect(reader.isEmpty()).toBe(false);
    expect([read(reader), read(reader), read(reader)]).toEqual([[1], [2, 3], null]);
  });

  test('does not overwrite what was read but not released', () => {
    const buffer = ringBuffer(16);
    const writer = new RingWriter(buffer);
    const reader = new RingReader(buffer);
    write(writer, record(1, 7));
    write(writer, record(2, 7));
    writer.publish();
    expect(read(reader)).toEqual(record(1, 7));
    expect(write(writer, [9])).toBe(false);
    reader.release();
    expect(write(writer, [9])).toBe(true);
  });

  test('takes its longest record however it stands', () => {
    const buffer = ringBuffer(32);
    const writer = new RingWriter(buffer);
    const reader = new RingReader(buffer);
    for (let n = 0; n < 100; n++) {
      expect(write(writer, record(n, n % 5))).toBe(true);
      writer.publish();
      expect(read(reader)).toEqual(record(n, n % 5));
      reader.release();
      expect(write(writer, record(n, writer.longest))).toBe(true);
      writer.publish();
      expect(read(reader)).toEqual(record(n, writer.longest));
      reader.release();
    }
  });

  test('refuses a size that is no power of two', () => {
    expect(() => ringBuffer(48)).toThrow(RangeError);
  });
});

describe('a command queue', () => {
  test.each([1, 2, 3])('loses and reorders nothing when the ring is full (seed %i)', (seed) => {
    const below = random(seed);
    const buffer = ringBuffer(32);
    const ring = new RingWriter(buffer);
    const reader = new RingReader(buffer);
    let asked = false;
    const queue = new CommandQueue(ring, 100, () => {
      asked = true;
    });
    const expected: number[][] = [];
    let waited = 0;
    for (let n = 0; n < 5000; n++) {
      const payload = record(n, 1 + below(ring.longest));
      queue.push(Int32Array.from(payload), payload.length);
      expected.push(payload);
      if (queue.isWaiting) {
        waited++;
        expect(asked).toBe(true);
      }
      for (let reads = below(3); reads > 0; reads--) {
        const got = read(reader);
        if (got === null) break;
        expect(got).toEqual(expected.shift());
      }
      reader.release();
      if (below(4) === 0) queue.retry();
    }
    while (expected.length > 0) {
      const got = read(reader);
      if (got === null) {
        reader.release();
        queue.retry();
      } else {
        expect(got).toEqual(expected.shift());
      }
    }
    expect(waited).toBeGreaterThan(100);
    expect(queue.isWaiting).toBe(false);
  });

  test('says when it holds as much as it should', () => {
    const ring = new RingWriter(ringBuffer(16));
    const queue = new CommandQueue(ring, 10, () => {});
    expect(queue.wouldOverflow(100)).toBe(false);
    for (let n = 0; n < 3; n++) queue.push(new Int32Array(7), 7);
    expect(queue.wouldOverflow(3)).toBe(false);
    expect(queue.wouldOverflow(4)).toBe(true);
    expect(() => queue.push(new Int32Array(8), 8)).toThrow(RangeError);
  });
});
