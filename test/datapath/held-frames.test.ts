/** The ring of held frames against a plain list. */
import { describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import { HeldFrames, HeldMemory } from '../../src/datapath/held-frames.ts';
import { heapRegion } from '../../src/sys/region.ts';

const region = heapRegion(4 << 20);
const memory = new HeldMemory(region);
const FRAME_AT = region.allocate(70_000);

function frame(batch: Batch, length: number, n: number): void {
  batch.clear();
  region.bytes.fill(n & 0xff, FRAME_AT, FRAME_AT + length);
  const p = batch.append(1, FRAME_AT, length, 0);
  batch.offloadFlags[p] = n & 1;
  batch.csumStart[p] = n & 0xffff;
  batch.csumOffset[p] = 16;
}

describe('held frames', () => {
  test('come out as they went in, in order, through many turns of the ring', () => {
    const queue = new HeldFrames(memory);
    const batch = new Batch();
    const plain: { length: number; n: number }[] = [];
    let seed = 12_345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    let refused = 0;
    for (let n = 0; n < 20_000; n++) {
      // Long phases of filling and emptying, short and long frames.
      if (random(100) < ((n >> 9) & 1 ? 70 : 30)) {
        const length = random(20) === 0 ? 60_000 + random(5000) : 14 + random(1600);
        frame(batch, length, n);
        if (queue.push(batch, 0, n)) plain.push({ length, n });
        else refused++;
      } else {
        const first = plain.shift();
        if (first === undefined) continue;
        const { count, time } = queue;
        batch.clear();
        queue.shift(batch);
        const at = batch.start[0];
        const last = at + first.length - 1;
        expect([
          [count, time, batch.length[0], batch.offloadFlags[0], batch.csumStart[0]],
          [batch.csumOffset[0], region.bytes[at], region.bytes[last]],
        ]).toEqual([
          [plain.length + 1, first.n, first.length, first.n & 1, first.n & 0xffff],
          [16, first.n & 0xff, first.n & 0xff],
        ]);
      }
    }
    expect(refused).toBeGreaterThan(10);
    queue.free();
  });

  test('count a super-frame as the packets and bytes that it is on a wire', () => {
    const queue = new HeldFrames(memory);
    const batch = new Batch();
    frame(batch, 66 + 3 * 1448, 1);
    batch.gsoType[0] = 1;
    batch.gsoSize[0] = 1448;
    batch.headerBytes[0] = 66;
    queue.push(batch, 0);
    expect(queue.packets).toBe(3);
    expect(queue.wireBytes).toBe(3 * (66 + 1448));
    batch.clear();
    queue.shift(batch);
    expect([batch.gsoType[0], batch.gsoSize[0], batch.headerBytes[0]]).toEqual([1, 1448, 66]);
    queue.free();
  });

  test('are refused when there is no memory for one more queue', () => {
    const small = new HeldMemory(heapRegion(1200 << 10));
    const batch = new Batch();
    batch.append(1, 0, 100, 0);
    const first = new HeldFrames(small);
    const second = new HeldFrames(small);
    expect(first.push(batch, 0)).toBe(true);
    expect(second.push(batch, 0)).toBe(false);
    first.free();
    expect(second.push(batch, 0)).toBe(true);
  });
});
