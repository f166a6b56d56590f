/**
 * What every Port must do with real frames. The harness of a port type owns the other end of its wire; `inject`
 * sends from there, `collect` returns what arrived there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import { type FrameOffload, NO_OFFLOAD } from '../../src/datapath/datapath.ts';
import type { Port } from '../../src/datapath/port.ts';
import type { Shared } from '../../src/datapath/shared.ts';
import type { Region } from '../../src/sys/region.ts';
import { hex } from '../packet/bytes.ts';
import { buildFrame } from '../packet/frame-builder.ts';

export interface Passed {
  frame: Uint8Array;
  offload: FrameOffload;
}

export interface PortHarness {
  readonly port: Port;
  readonly region: Region;
  readonly shared: Shared;
  /** Frames that the far end's network may lose when they come faster than they are taken. */
  readonly burst: number;
  inject(frame: Uint8Array, offload?: FrameOffload): void;
  collect(): Passed[];
  close(): Promise<void>;
}

/** How long a frame may take before a test gives up on it. */
const PATIENCE_MS = 2000;
const HEADERS = hex('020000000002 020000000001 88b5');
const TCP = { flags: 1, gsoType: 0, gsoSize: 0, headerBytes: 0, csumStart: 34, csumOffset: 16 };
const GSO = { flags: 1, gsoType: 1, gsoSize: 1400, headerBytes: 54, csumStart: 34, csumOffset: 16 };

/** A frame of `bytes` that says `n` in all of its payload. */
export function numbered(n: number, bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes).fill(n);
  frame.set(HEADERS.subarray(0, bytes));
  return frame;
}

const tcpFrame = (payloadBytes: number, tags: number[] = []) => {
  const { frame } = buildFrame({
    proto: 'tcp',
    partial: true,
    payload: Uint8Array.from({ length: payloadBytes }, (_, i) => i % 251),
    tags,
  });
  frame.set(HEADERS.subarray(0, 12));
  return frame;
};

/** Takes frames from the port until `count` have come. */
export async function receive(port: Port, region: Region, count: number): Promise<Passed[]> {
  const batch = new Batch();
  const passed: Passed[] = [];
  for (const end = Date.now() + PATIENCE_MS; passed.length < count && Date.now() < end; ) {
    batch.clear();
    if (port.receive(batch) === 0) await sleep(2);
    for (let p = 0; p < batch.count; p++) passed.push(passedFrame(region, batch, p));
    port.flush();
    port.release();
  }
  return passed;
}

function passedFrame(region: Region, batch: Batch, p: number): Passed {
  const start = batch.start[p];
  return {
    frame: region.bytes.slice(start, start + batch.length[p]),
    offload: {
      flags: batch.offloadFlags[p] & 1,
      gsoType: batch.gsoType[p],
      gsoSize: batch.gsoSize[p],
      headerBytes: batch.headerBytes[p],
      csumStart: batch.csumStart[p],
      csumOffset: batch.csumOffset[p],
    },
  };
}

export function setOffload(batch: Batch, p: number, offload: FrameOffload): void {
  batch.offloadFlags[p] = offload.flags;
  batch.gsoType[p] = offload.gsoType;
  batch.gsoSize[p] = offload.gsoSize;
  batch.headerBytes[p] = offload.headerBytes;
  batch.csumStart[p] = offload.csumStart;
  batch.csumOffset[p] = offload.csumOffset;
}

export function portContract(name: string, make: () => Promise<PortHarness>): void {
  describe(`${name} as a port`, () => {
    let harness: PortHarness;
    let port: Port;
    let region: Region;
    let memory: number;

    beforeEach(async () => {
      harness = await make();
      port = harness.port;
      region = harness.region;
      memory = region.allocate(1 << 19);
    });
    afterEach(async () => {
      port.close();
      await harness.close();
    });

    const stats = () => harness.shared.portStats(port.portNo);
    const send = (...frames: [Uint8Array, FrameOffload?][]) => {
      const batch = new Batch();
      let at = memory;
      for (const [frame, offload] of frames) {
        batch.clear();
        region.bytes.set(frame, at + 64);
        const p = batch.append(0, at + 64, frame.length, 64);
        setOffload(batch, p, offload ?? NO_OFFLOAD);
        port.send(batch, p);
        at += 64 + frame.length + 64;
      }
      port.flush();
    };
    const collected = async (count: number) => {
      const frames: Passed[] = [];
      for (const end = Date.now() + PATIENCE_MS; frames.length < count && Date.now() < end; ) {
        const some = harness.collect();
        frames.push(...some);
        if (some.length === 0) await sleep(2);
      }
      return frames;
    };

    test('receives a frame as it was sent, and counts it', async () => {
      harness.inject(numbered(7, 60));
      const [passed] = await receive(port, region, 1);
      expect(passed).toEqual({ frame: numbered(7, 60), offload: NO_OFFLOAD });
      expect(stats()).toMatchObject({ rxPackets: 1, rxBytes: 60, rxDropped: 0, rxErrors: 0 });
    });

    test('sends a frame as it is, and counts it', async () => {
      send([numbered(9, 61)]);
      expect(await collected(1)).toEqual([{ frame: numbered(9, 61), offload: NO_OFFLOAD }]);
      expect(stats()).toMatchObject({ txPackets: 1, txBytes: 61, txDropped: 0, txErrors: 0 });
    });

    test('counts frames to groups', async () => {
      const frame = numbered(1, 60);
      frame[0] = 1;
      harness.inject(frame);
      harness.inject(numbered(2, 60));
      await receive(port, region, 2);
      expect(stats()).toMatchObject({ rxPackets: 2, rxMulticast: 1 });
    });

    test('passes the smallest and the largest frame of its MTU, both ways', async () => {
      for (const size of [14, 15, 1513, 1514]) {
        harness.inject(numbered(size, size));
        expect((await receive(port, region, 1))[0]?.frame).toEqual(numbered(size, size));
        send([numbered(size, size)]);
        expect((await collected(1))[0]?.frame).toEqual(numbered(size, size));
      }
    });

    test.each([
      ['802.1Q', '8100 0064'],
      ['802.1Q with priority', '8100 e001'],
      ['802.1Q priority tag', '8100 a000'],
      ['802.1ad', '88a8 0064'],
      ['802.1ad over 802.1Q', '88a8 0064 8100 000a'],
      ['802.1Q over 802.1Q', '8100 0064 8100 000a'],
    ])('keeps a tag: %s', async (_, tags) => {
      const frame = Uint8Array.from([
        ...HEADERS.subarray(0, 12),
        ...hex(tags),
        ...numbered(5, 60).subarray(12),
      ]);
      harness.inject(frame);
      expect((await receive(port, region, 1))[0]?.frame).toEqual(frame);
      expect(stats().rxBytes).toBe(frame.length);
      send([frame]);
      expect((await collected(1))[0]?.frame).toEqual(frame);
    });

    test('passes a tagged frame of full MTU', async () => {
      const frame = numbered(3, 1518);
      frame.set(hex('8100 0005'), 12);
      harness.inject(frame);
      expect((await receive(port, region, 1))[0]?.frame).toEqual(frame);
      send([frame]);
      expect((await collected(1))[0]?.frame).toEqual(frame);
    });

    test('keeps many frames in order, around the end of its memory', async () => {
      for (let round = 0; round < 12; round++) {
        for (let n = 0; n < harness.burst; n++) harness.inject(numbered(round * 16 + n, 100));
        const frames = await receive(port, region, harness.burst);
        expect(frames.map(({ frame }) => frame[20])).toEqual(
          Array.from({ length: harness.burst }, (_, n) => (round * 16 + n) & 0xff),
        );
      }
    });

    test('sends more frames than a batch in one go', async () => {
      const frames = Array.from({ length: 150 }, (_, n) => numbered(n, 90));
      send(...frames.map((frame): [Uint8Array] => [frame]));
      expect((await collected(150)).map(({ frame }) => frame)).toEqual(frames);
      expect(stats().txPackets).toBe(150);
    });

    test('lets the room in front of a frame be overwritten', async () => {
      const batch = new Batch();
      for (let round = 0; round < 8; round++) {
        for (let n = 0; n < harness.burst; n++) harness.inject(numbered(n, 200));
        let seen = 0;
        for (const end = Date.now() + PATIENCE_MS; seen < harness.burst && Date.now() < end; ) {
          batch.clear();
          port.receive(batch);
          for (let p = 0; p < batch.count; p++) {
            expect(batch.room[p]).toBeGreaterThanOrEqual(64);
            region.bytes.fill(0xff, batch.start[p] - batch.room[p], batch.start[p]);
          }
          for (let p = 0; p < batch.count; p++) {
            expect(passedFrame(region, batch, p).frame).toEqual(numbered(seen++, 200));
          }
          port.release();
          await sleep(0);
        }
        expect(seen).toBe(harness.burst);
      }
    });

    test('survives a runt and an empty frame to send', async () => {
      send([new Uint8Array(0)], [new Uint8Array(5)], [numbered(4, 60)]);
      const frames = await collected(1);
      expect(frames.at(-1)?.frame).toEqual(numbered(4, 60));
      const { txPackets, txErrors } = stats();
      expect(txPackets + txErrors).toBe(3);
    });

    test('survives a frame that is too long to send, and sends the next', async () => {
      send([numbered(1, 60)], [numbered(2, 9000)], [numbered(3, 60)]);
      const frames = await collected(2);
      expect(frames.map(({ frame }) => frame.length)).toContain(60);
      expect(frames.at(-1)?.frame[20]).toBe(3);
      const { txPackets, txErrors } = stats();
      expect(txPackets + txErrors).toBe(3);
    });

    test('has nothing to give when nothing came', () => {
      const batch = new Batch();
      expect(port.receive(batch)).toBe(0);
      port.flush();
      port.release();
      expect(batch.count).toBe(0);
    });

    // A dummy port takes complete frames only: there is nothing to ask it here.
    const describeOffloads = name === 'dummy' ? () => {} : describe;
    describeOffloads('that takes offloads', () => {
      test('keeps a partial checksum, tagged or not', async () => {
        expect(port.takesOffload).toBe(true);
        const frame = tcpFrame(100);
        harness.inject(frame, TCP);
        expect((await receive(port, region, 1))[0]).toMatchObject({
          frame,
          offload: { flags: 1, csumStart: 34, csumOffset: 16, gsoType: 0 },
        });
        send([frame, TCP]);
        expect((await collected(1))[0]).toMatchObject({
          frame,
          offload: { flags: 1, csumStart: 34, csumOffset: 16, gsoType: 0 },
        });
        const tagged = tcpFrame(100, [0x81000064]);
        const offload = { ...TCP, csumStart: 38 };
        harness.inject(tagged, offload);
        expect((await receive(port, region, 1))[0]).toMatchObject({ frame: tagged, offload });
        send([tagged, offload]);
        expect((await collected(1))[0]).toMatchObject({ frame: tagged, offload });
      });

      test('keeps super-frames whole, between small frames, in order', async () => {
        const frames: [Uint8Array, FrameOffload][] = [
          [numbered(1, 60), NO_OFFLOAD],
          [tcpFrame(20_000), GSO],
          [tcpFrame(3000), GSO],
          [numbered(2, 60), NO_OFFLOAD],
          [tcpFrame(64_000), GSO],
          [numbered(3, 60), NO_OFFLOAD],
        ];
        for (let round = 0; round < 30; round++) {
          for (const [frame, offload] of frames) harness.inject(frame, offload);
          const passed = await receive(port, region, frames.length);
          expect(passed.map(({ frame }) => frame.length)).toEqual(frames.map(([f]) => f.length));
          for (const [i, [frame, offload]] of frames.entries()) {
            expect(Buffer.compare(passed[i].frame, frame)).toBe(0);
            expect(passed[i].offload).toMatchObject({
              flags: offload.flags,
              gsoType: offload.gsoType,
              gsoSize: offload.gsoSize,
              csumStart: offload.csumStart,
            });
          }
        }
        send(...frames);
        const passed = await collected(frames.length);
        for (const [i, [frame, offload]] of frames.entries()) {
          expect(Buffer.compare(passed[i].frame, frame)).toBe(0);
          expect(passed[i].offload.gsoSize).toBe(offload.gsoSize);
        }
      });

      test('keeps the tag of a super-frame', async () => {
        const frame = tcpFrame(9000, [0x81000064]);
        const offload = { ...GSO, headerBytes: 58, csumStart: 38 };
        harness.inject(frame, offload);
        const [passed] = await receive(port, region, 1);
        expect(Buffer.compare(passed.frame, frame)).toBe(0);
        expect(passed.offload).toMatchObject({ gsoType: 1, gsoSize: 1400, csumStart: 38 });
        send([frame, offload]);
        const [back] = await collected(1);
        expect(Buffer.compare(back.frame, frame)).toBe(0);
        expect(back.offload).toMatchObject({ gsoType: 1, gsoSize: 1400, csumStart: 38 });
      });

      test('sends a cut copy beside the whole frame, each with its own metadata', async () => {
        const frame = tcpFrame(1000);
        for (const cutFirst of [false, true]) {
          const batch = new Batch();
          region.bytes.set(frame, memory + 64);
          const whole = batch.append(0, memory + 64, frame.length, 64);
          setOffload(batch, whole, TCP);
          const cut = batch.append(0, memory + 64, 70, 0);
          for (const p of cutFirst ? [cut, whole] : [whole, cut]) {
            port.send(batch, p);
            batch.shared[p] = 1;
            batch.shared[whole] = 1;
          }
          port.flush();
          const passed = await collected(2);
          expect(passed[cutFirst ? 1 : 0]).toMatchObject({ frame, offload: { flags: 1 } });
          expect(passed[cutFirst ? 0 : 1]).toEqual({
            frame: frame.slice(0, 70),
            offload: NO_OFFLOAD,
          });
        }
      });

      test('counts what the kernel refuses and goes on', async () => {
        const nonsense = { ...GSO, gsoType: 0x3f };
        send([tcpFrame(100), nonsense], [numbered(8, 60)]);
        expect((await collected(1)).at(-1)?.frame).toEqual(numbered(8, 60));
        expect(stats()).toMatchObject({ txPackets: 1, txErrors: 1 });
        expect(harness.shared.counter('drop_tx_error')).toBe(1);
      });
    });
  });
}
