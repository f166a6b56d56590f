/**
 * What every Datapath must do, seen only through its door. Run on each implementation by the test file of
 * that implementation; ports are in memory, so that the suite needs no privileges and no time.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  Datapath,
  FlowStats,
  FrameOffload,
  PortNo,
  SparseMatch,
  Upcall,
} from '../../src/datapath/datapath.ts';
import {
  MAX_FRAME_BYTES,
  NO_OFFLOAD,
  newMeterStats,
  UpcallReason,
} from '../../src/datapath/datapath.ts';
import { dropIndex } from '../../src/datapath/drop-reason.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import { keyOf } from '../../src/packet/extract.ts';
import * as K from '../../src/packet/key.ts';
import { hex } from '../packet/bytes.ts';
import { buildFrame } from '../packet/frame-builder.ts';

export interface DatapathHarness {
  readonly datapath: Datapath;
  inject(port: PortNo, frame: Uint8Array, offload?: FrameOffload): void;
  onTransmit(port: PortNo, tap: (frame: Uint8Array, offload: FrameOffload) => void): void;
  /** What the harness itself has to take down, after datapath.close(). */
  close(): Promise<void>;
}

const P = (n: number) => n as PortNo;
const onPort = (port: number): SparseMatch => ({
  words: [K.IN_PORT],
  values: [port],
  masks: [0xffffffff],
});
const program = (build: (b: ProgramBuilder) => void) => {
  const b = new ProgramBuilder();
  build(b);
  return b.take();
};
const toPort = (...ports: number[]) =>
  program((b) => {
    for (const port of ports) b.output(port);
  });
const frameOf = (payloadBytes: number, first = 0) => {
  const payload = new Uint8Array(payloadBytes);
  payload[0] = first;
  return buildFrame({ proto: 'udp', payload }).frame;
};

export function datapathContract(name: string, make: () => Promise<DatapathHarness>): void {
  describe(`${name} as a datapath`, () => {
    let harness: DatapathHarness;
    let datapath: Datapath;
    let sent: [number, Uint8Array][];
    let upcalls: (Omit<Upcall, 'key' | 'frame'> & { key: Uint32Array; frame: Uint8Array })[];
    let flushes: number;

    beforeEach(async () => {
      harness = await make();
      datapath = harness.datapath;
      sent = [];
      upcalls = [];
      flushes = 0;
      for (const n of [1, 2, 3]) {
        await datapath.addPort(P(n), `p${n}`, { kind: 'dummy', mtu: 1500 });
        harness.onTransmit(P(n), (frame) => sent.push([n, frame]));
      }
      datapath.onUpcall(
        (upcall) =>
          upcalls.push({
            ...upcall,
            key: upcall.key.slice(),
            frame: upcall.frame.slice(),
            cookie: upcall.cookie.slice(),
          }),
        () => {
          flushes++;
        },
      );
    });
    afterEach(async () => {
      await datapath.close();
      await harness.close();
    });

    test('hands a frame without megaflow up, whole and with its key', async () => {
      const frame = frameOf(300);
      harness.inject(P(2), frame);
      await datapath.barrier();
      expect(upcalls).toHaveLength(1);
      expect(upcalls[0]).toMatchObject({
        reason: UpcallReason.MISS,
        cookieKind: 0,
        cookie: new Uint32Array(8),
        frameBytes: frame.length,
        offload: NO_OFFLOAD,
      });
      expect(upcalls[0].frame).toEqual(frame);
      expect(Array.from(upcalls[0].key)).toEqual(Array.from(keyOf(frame, 2)));
      expect(flushes).toBeGreaterThan(0);
      expect(datapath.lookupStats()).toMatchObject({ hit: 0, missed: 1, lost: 0 });
    });

    test('shapes a port by queues, counts them, and lets go of it again', async () => {
      const queue = { minRate: 12_000, maxRate: 12_000, burstBits: 12_512, priority: 0 };
      const wide = { ...queue, maxRate: 1e9, minRate: 1e9 };
      const queues = [
        { id: 0, ...wide },
        { id: 4, ...queue },
      ];
      datapath.setQos(P(2), { kind: 'htb', maxRate: 1e9, burstBits: 12_512, queues });
      const byQueue = (id: number) =>
        program((b) => {
          b.set(K.SKB_PRIORITY, id, 0xffffffff);
          b.output(2);
        });
      datapath.putFlow(5, onPort(1), byQueue(4));
      const frame = frameOf(1000);
      for (let n = 0; n < 5; n++) harness.inject(P(1), frame);
      await datapath.barrier();
      // The first one's debt is paid after 700 ms.
      expect(sent).toHaveLength(2);
      datapath.execute(frame, NO_OFFLOAD, keyOf(frame, 1), byQueue(0));
      await datapath.barrier();
      expect(sent).toHaveLength(3);
      const { length } = frame;
      expect(datapath.queueStats(P(2), 4)).toEqual({
        txBytes: 2 * length,
        txPackets: 2,
        txErrors: 0,
      });
      expect(datapath.queueStats(P(2), 0)).toMatchObject({ txPackets: 1, txBytes: length });
      expect(datapath.queueStats(P(2), 1)).toBeNull();
      datapath.setQos(P(2), null);
      expect(datapath.queueStats(P(2), 4)).toBeNull();
      for (let n = 0; n < 5; n++) harness.inject(P(1), frame);
      await datapath.barrier();
      expect(sent).toHaveLength(8);
    });

    test('forwards by a megaflow and counts flow, ports and lookups', async () => {
      const frame = frameOf(100);
      datapath.putFlow(5, onPort(1), toPort(2, 3));
      for (let n = 0; n < 3; n++) harness.inject(P(1), frame);
      await datapath.barrier();
      expect(sent.filter(([port]) => port === 2)).toEqual(Array(3).fill([2, frame]));
      expect(sent.filter(([port]) => port === 3)).toEqual(Array(3).fill([3, frame]));
      expect(upcalls).toEqual([]);
      const stats = datapath.flowStats(5, {} as FlowStats);
      expect(stats).toMatchObject({ packets: 3, bytes: 3 * frame.length });
      expect(stats.usedMs).toBeGreaterThan(0);
      expect(datapath.portStats(P(1))).toMatchObject({ rxPackets: 3, rxBytes: 3 * frame.length });
      expect(datapath.portStats(P(2))).toMatchObject({ txPackets: 3, txBytes: 3 * frame.length });
      expect(datapath.lookupStats()).toMatchObject({ hit: 3, missed: 0, masks: 1, flows: 1 });
    });

    test('keeps frames of one port in order, more than a batch of them', async () => {
      datapath.putFlow(1, onPort(1), toPort(2));
      for (let n = 0; n < 200; n++) harness.inject(P(1), frameOf(20, n));
      await datapath.barrier();
      expect(sent.map(([, frame]) => frame)).toEqual(
        Array.from({ length: 200 }, (_, n) => frameOf(20, n)),
      );
    });

    test('carries out commands in the order in which they were given', async () => {
      const frame = frameOf(10);
      for (let n = 0; n < 50; n++) {
        datapath.putFlow(1, onPort(1), toPort(2));
        harness.inject(P(1), frame);
        datapath.putFlow(1, onPort(1), toPort(3));
        harness.inject(P(1), frame);
        datapath.removeFlow(1);
        harness.inject(P(1), frame);
      }
      await datapath.barrier();
      expect(sent.map(([port]) => port)).toEqual(Array(50).fill([2, 3]).flat());
      expect(upcalls).toHaveLength(50);
    });

    test('a new program keeps statistics, a new match starts them at zero', async () => {
      const frame = frameOf(10);
      datapath.putFlow(9, onPort(1), toPort(2));
      harness.inject(P(1), frame);
      datapath.putFlow(9, onPort(1), toPort(3));
      harness.inject(P(1), frame);
      await datapath.barrier();
      expect(datapath.flowStats(9, {} as FlowStats).packets).toBe(2);
      datapath.putFlow(9, onPort(2), toPort(3));
      await datapath.barrier();
      expect(datapath.flowStats(9, {} as FlowStats).packets).toBe(0);
      harness.inject(P(1), frame);
      await datapath.barrier();
      expect(upcalls).toHaveLength(1);
    });

    test('matches and rewrites words with the top bit set', async () => {
      const frame = buildFrame({ proto: 'udp', payload: new Uint8Array(10) }).frame;
      const key = keyOf(frame, 1);
      const words = [K.ETH_DST, K.ETH_SRC, K.IPV4_SRC];
      const values = words.map((word) => key[word]);
      const masks = words.map(() => 0xffffffff);
      datapath.putFlow(1, { words, values, masks }, toPort(2));
      datapath.putFlow(
        2,
        onPort(3),
        program((b) => {
          b.set(K.ETH_DST, 0xfeedface, 0xffffffff);
          b.output(2);
        }),
      );
      harness.inject(P(1), frame);
      harness.inject(P(3), hex('ffffffffffff 020000000001 88b5 01020304'));
      await datapath.barrier();
      expect(sent[0]).toEqual([2, frame]);
      expect(upcalls.length + sent.length).toBe(2);
    });

    test('executes a program on a frame once, with the metadata of the key', async () => {
      const frame = frameOf(60);
      const copy = frame.slice();
      datapath.execute(frame, NO_OFFLOAD, keyOf(frame, 1), toPort(2, 3));
      frame.fill(0xee);
      await datapath.barrier();
      expect(sent).toEqual([
        [2, copy],
        [3, copy],
      ]);
      expect(upcalls).toEqual([]);
      expect(datapath.lookupStats()).toMatchObject({ hit: 0, missed: 0 });
    });

    test('executes frames of every size', async () => {
      const sizes = [14, 15, 60, 61, 1499, 1514];
      for (const size of sizes) {
        const frame = new Uint8Array(size).fill(size);
        datapath.execute(frame, NO_OFFLOAD, new Uint32Array(K.DP_WORDS), toPort(2));
      }
      await datapath.barrier();
      expect(sent.map(([, frame]) => [frame.length, frame[13]])).toEqual(
        sizes.map((size) => [size, size & 0xff]),
      );
    });

    test('a handler may install and execute: the frame that missed is not lost', async () => {
      datapath.onUpcall(
        (upcall) => {
          datapath.putFlow(3, onPort(upcall.key[K.IN_PORT]), toPort(2));
          datapath.execute(upcall.frame, upcall.offload, upcall.key, toPort(2));
        },
        () => {},
      );
      const frame = frameOf(10);
      harness.inject(P(1), frame);
      await datapath.barrier();
      await datapath.barrier();
      harness.inject(P(1), frame);
      await datapath.barrier();
      expect(sent).toEqual([
        [2, frame],
        [2, frame],
      ]);
      expect(datapath.lookupStats()).toMatchObject({ hit: 1, missed: 1 });
    });

    test('a USERSPACE action carries kind and cookie, unsigned', async () => {
      datapath.putFlow(
        1,
        onPort(1),
        program((b) => b.userspace(7, 0xfedcba98, 0x80000001)),
      );
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(upcalls).toMatchObject([
        {
          reason: UpcallReason.ACTION,
          cookieKind: 7,
          cookie: Uint32Array.of(0xfedcba98, 0x80000001, 0, 0, 0, 0, 0, 0),
        },
      ]);
    });

    test('a meter drops what exceeds it and counts', async () => {
      const bands = [{ type: 'drop', rate: 1, burst: 2, precLevel: 0 }] as const;
      datapath.setMeter(65_535, { unit: 'pktps', bands });
      datapath.putFlow(
        1,
        onPort(1),
        program((b) => {
          b.meter(65_535);
          b.output(2);
        }),
      );
      for (let n = 0; n < 5; n++) harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent.length).toBe(2);
      expect(datapath.meterStats(65_535, newMeterStats())).toMatchObject({
        packets: 5,
        bandPackets: [3, 0, 0, 0, 0, 0, 0, 0],
      });
      datapath.setMeter(65_535, null);
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent.length).toBe(3);
    });

    test('policing drops what a port receives beyond it, until it is lifted', async () => {
      datapath.setPolicing(P(1), { rateKbps: 0, burstKb: 0, ratePps: 1, burstPackets: 2 });
      datapath.putFlow(
        1,
        onPort(1),
        program((b) => b.output(2)),
      );
      for (let n = 0; n < 5; n++) harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent.length).toBe(2);
      expect(datapath.counter('drop_rx_policed')).toBe(3);
      expect(datapath.portStats(P(1)).rxDropped).toBe(3);
      datapath.setPolicing(P(1), { rateKbps: 0, burstKb: 0, ratePps: 0, burstPackets: 0 });
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent.length).toBe(3);
    });

    test('gives offload metadata up and takes it back', async () => {
      const offload = {
        flags: 1,
        gsoType: 1,
        gsoSize: 1448,
        headerBytes: 66,
        csumStart: 34,
        csumOffset: 16,
      };
      const { frame } = buildFrame({ proto: 'tcp', payload: new Uint8Array(4000) });
      harness.inject(P(1), frame, offload);
      await datapath.barrier();
      expect(upcalls[0].offload).toEqual(offload);
      expect(upcalls[0].frame).toEqual(frame);
      datapath.execute(upcalls[0].frame, upcalls[0].offload, upcalls[0].key, toPort(2));
      await datapath.barrier();
      // The port takes no offload: segments of 1448 bytes leave.
      expect(sent).toHaveLength(3);
      expect(datapath.counter('offload_segmented_frames')).toBe(1);
    });

    test('hands a super-frame up whole', async () => {
      const offload = { ...NO_OFFLOAD, flags: 1, gsoType: 1, gsoSize: 1400, csumStart: 34 };
      const frame = new Uint8Array(MAX_FRAME_BYTES - 18).fill(0x5a);
      frame.set(hex('020000000002 020000000001 88b5'));
      harness.inject(P(1), frame, offload);
      await datapath.barrier();
      expect(upcalls[0].frameBytes).toBe(frame.length);
      expect(upcalls[0].frame).toEqual(frame);
    });

    test('counts drops by reason, among them a port that is not there', async () => {
      datapath.putFlow(1, onPort(1), new Int32Array(0));
      datapath.putFlow(2, onPort(2), toPort(77));
      datapath.putFlow(
        3,
        onPort(3),
        program((b) => b.drop(dropIndex('drop_reserved_multicast'))),
      );
      for (const port of [1, 2, 3]) harness.inject(P(port), frameOf(10));
      await datapath.barrier();
      expect(datapath.counter('drop_action_of_pipeline')).toBe(1);
      expect(datapath.counter('datapath_drop_invalid_port')).toBe(1);
      expect(datapath.counter('drop_reserved_multicast')).toBe(1);
      expect(sent).toEqual([]);
    });

    test('counts a runt and forwards what comes after it', async () => {
      datapath.putFlow(1, onPort(1), toPort(2));
      harness.inject(P(1), new Uint8Array(13));
      harness.inject(P(1), new Uint8Array(0));
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(datapath.counter('datapath_drop_rx_invalid_packet')).toBe(2);
      expect(sent).toHaveLength(1);
    });

    test('obeys a new MTU at once', async () => {
      datapath.putFlow(1, onPort(1), toPort(2));
      const frame = new Uint8Array(1014).fill(1);
      harness.inject(P(1), frame);
      datapath.setPortMtu(P(2), 999);
      harness.inject(P(1), frame);
      datapath.setPortMtu(P(2), 1000);
      harness.inject(P(1), frame);
      await datapath.barrier();
      expect(sent).toHaveLength(2);
      expect(datapath.counter('drop_tx_mtu_exceeded')).toBe(1);
      expect(datapath.portStats(P(2)).txDropped).toBe(1);
    });

    test('refuses a port number in use and leaves its owner alone', async () => {
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      const again = datapath.addPort(P(1), 'p9', { kind: 'dummy', mtu: 1500 });
      await expect(again).rejects.toThrow('p9: port 1 is in use');
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(datapath.portStats(P(1)).rxPackets).toBe(2);
    });

    test('a removed port neither takes nor gives frames, and its number can be used again', async () => {
      datapath.putFlow(1, onPort(1), toPort(2));
      harness.inject(P(1), frameOf(10));
      await datapath.removePort(P(2));
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent).toHaveLength(1);
      expect(datapath.counter('datapath_drop_invalid_port')).toBe(1);
      await datapath.addPort(P(2), 'again', { kind: 'dummy', mtu: 1500 });
      expect(datapath.portStats(P(2))).toMatchObject({ txPackets: 0, rxPackets: 0 });
      harness.onTransmit(P(2), (frame) => sent.push([2, frame]));
      harness.inject(P(1), frameOf(10));
      await datapath.barrier();
      expect(sent).toHaveLength(2);
    });

    test('removing a port or a flow that is not there is no error', async () => {
      await datapath.removePort(P(44));
      datapath.removeFlow(44);
      await datapath.barrier();
    });

    test('takes tens of thousands of megaflows in one go', async () => {
      const count = 40_000;
      for (let id = 0; id < count; id++) {
        const match = { words: [K.IN_PORT, K.IPV4_DST], values: [1, id], masks: [-1, -1] };
        datapath.putFlow(id, match, toPort(2));
      }
      await datapath.barrier();
      expect(datapath.lookupStats()).toMatchObject({ flows: count, masks: 1 });
      for (let id = 0; id < count; id++) datapath.removeFlow(id);
      await datapath.barrier();
      expect(datapath.lookupStats()).toMatchObject({ flows: 0, masks: 0 });
    });
  });
}
