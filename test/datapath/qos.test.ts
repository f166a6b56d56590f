/** QoS of a port behind the door of the datapath, in virtual time. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { HtbDiscipline } from '../../src/datapath/discipline.ts';
import { HeldMemory } from '../../src/datapath/held-frames.ts';
import type { HtbConfig } from '../../src/datapath/htb.ts';
import { InlineDatapath } from '../../src/datapath/inline-datapath.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import type { QueueConfig } from '../../src/datapath/qos.ts';
import { Shared } from '../../src/datapath/shared.ts';
import { IN_PORT, SKB_PRIORITY } from '../../src/packet/key.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';
import { buildFrame } from '../packet/frame-builder.ts';

const IN = 1 as PortNo;
const OUT = 2 as PortNo;
const BURST_BITS = 1564 * 8;
const queue = (id: number, maxRate: number, minRate = 12_000): QueueConfig => ({
  id,
  minRate,
  maxRate,
  burstBits: BURST_BITS,
  priority: 0,
});
const htb = (...queues: QueueConfig[]): HtbConfig => ({
  kind: 'htb',
  maxRate: 100_000_000,
  burstBits: BURST_BITS,
  queues,
});

/** 1000 bytes that say which one they are. */
const frameOf = (n: number) => {
  const payload = new Uint8Array(1000 - 42);
  payload[0] = n;
  return buildFrame({ proto: 'udp', payload }).frame;
};
const numberIn = (frame: Uint8Array) => frame[42];

describe('a port with QoS', () => {
  let clock: VirtualClock;
  let datapath: InlineDatapath;
  let sent: { atMs: number; n: number; bytes: number }[];

  beforeEach(async () => {
    clock = new VirtualClock();
    datapath = new InlineDatapath(clock);
    sent = [];
    await datapath.addPort(IN, 'in', { kind: 'dummy', mtu: 1500 });
    await datapath.addPort(OUT, 'out', { kind: 'dummy', mtu: 1500 });
    datapath.onTransmit(OUT, (frame) =>
      sent.push({ atMs: clock.now(), n: numberIn(frame), bytes: frame.length }),
    );
    toQueue(0);
  });
  afterEach(() => datapath.close());

  /** All frames from now on go to OUT by a queue. */
  function toQueue(id: number): void {
    const program = new ProgramBuilder();
    program.set(SKB_PRIORITY, id, 0xffffffff);
    program.output(OUT);
    datapath.putFlow(1, { words: [IN_PORT], values: [IN], masks: [0xffffffff] }, program.take());
  }
  const inject = (count: number, from = 0) => {
    for (let n = 0; n < count; n++) datapath.injectFrame(IN, frameOf(from + n));
  };

  test('sends at once what is within the rate, and the rest when it is due, in order', () => {
    // 1 Mbit/s: a frame takes 8 ms.
    datapath.setQos(OUT, htb(queue(0, 1_000_000)));
    inject(20);
    expect(sent).toHaveLength(2);
    clock.advance(80);
    expect(sent.length).toBeGreaterThanOrEqual(11);
    expect(sent.length).toBeLessThanOrEqual(13);
    clock.advance(1000);
    expect(sent.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(sent[19].atMs - sent[2].atMs).toBeGreaterThanOrEqual(17 * 8 - 1);
    expect(sent[19].atMs - sent[2].atMs).toBeLessThanOrEqual(17 * 8 + 2);
    expect(datapath.queueStats(OUT, 0)).toEqual({ txBytes: 20_000, txPackets: 20, txErrors: 0 });
    expect(datapath.portStats(OUT)).toMatchObject({ txPackets: 20, txBytes: 20_000 });
  });

  test('holds no queue up for another, and sends unknown priorities by queue 0', () => {
    datapath.setQos(OUT, htb(queue(0, 100_000_000, 50_000_000), queue(7, 100_000)));
    toQueue(7);
    inject(10);
    const before = sent.length;
    toQueue(5);
    inject(1, 100);
    expect(sent.slice(before)).toMatchObject([{ n: 100 }]);
    expect(datapath.queueStats(OUT, 0)).toMatchObject({ txPackets: 1 });
    expect(datapath.queueStats(OUT, 7)).toMatchObject({ txPackets: before });
    expect(datapath.queueStats(OUT, 5)).toBeNull();
  });

  test('drops and counts what a full queue cannot take', () => {
    datapath.setQos(OUT, htb(queue(0, 1000)));
    inject(1000);
    const { txErrors, txPackets } = datapath.queueStats(OUT, 0) ?? { txErrors: 0, txPackets: 0 };
    // 128 KiB hold 131 frames of 1000 bytes; two more are gone.
    expect(txErrors).toBe(1000 - 131 - 2);
    expect(txPackets).toBe(2);
    expect(datapath.portStats(OUT).txDropped).toBe(txErrors);
    expect(datapath.counter('drop_tx_qos_queue_full')).toBe(txErrors);
  });

  test('keeps frames and counts of a queue whose rate changes, and sends at once again without QoS', () => {
    datapath.setQos(OUT, htb(queue(0, 12_000)));
    inject(12);
    expect(sent).toHaveLength(2);
    datapath.setQos(OUT, htb(queue(0, 100_000_000)));
    clock.advance(5);
    expect(sent).toHaveLength(12);
    expect(datapath.queueStats(OUT, 0)).toMatchObject({ txPackets: 12 });
    datapath.setQos(OUT, null);
    expect(datapath.queueStats(OUT, 0)).toBeNull();
    inject(50);
    expect(sent).toHaveLength(62);
  });

  test('wants a super-frame cut where it would take long, by the queue that it goes to', () => {
    const slow = queue(1, 10_000_000);
    const fast = queue(2, 1_000_000_000);
    const memory = new HeldMemory(heapRegion(1 << 10));
    const discipline = new HtbDiscipline(memory, new Shared(), htb(fast, slow), [1, 2], 0);
    const batch = new Batch();
    const wants = (bytes: number, priority: number) => {
      batch.clear();
      batch.append(1, 0, bytes, 0);
      batch.priority[0] = priority;
      return discipline.wantsSegments(batch, 0);
    };
    expect([wants(64_000, 1), wants(64_000, 2), wants(6000, 1), wants(64_000, 9)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('a removed port takes what it held with it', async () => {
    datapath.setQos(OUT, htb(queue(0, 12_000)));
    inject(12);
    await datapath.removePort(OUT);
    clock.advance(60_000);
    expect(sent).toHaveLength(2);
  });

  test('netem makes each frame late, and loses some', () => {
    const netem = { kind: 'netem', latencyMs: 30, limitPackets: 1000, loss: 0 } as const;
    datapath.setQos(OUT, netem);
    const startMs = clock.now();
    inject(3);
    clock.advance(29);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent.map(({ atMs }) => atMs - startMs)).toEqual([30, 30, 30]);
    sent.length = 0;
    datapath.setQos(OUT, { ...netem, loss: 0.25 });
    inject(400);
    clock.advance(30);
    expect(sent.length).toBeGreaterThan(270);
    expect(sent.length).toBeLessThan(330);
    expect(datapath.counter('drop_tx_qos_loss')).toBe(400 - sent.length);
    datapath.setQos(OUT, { ...netem, limitPackets: 10 });
    sent.length = 0;
    inject(12);
    clock.advance(30);
    expect(sent).toHaveLength(10);
    expect(datapath.counter('drop_tx_qos_queue_full')).toBe(2);
  });
});
