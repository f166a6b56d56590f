/** Several workers behind one door: the contract of every datapath, and what only shows with more than one. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  newFlowStats,
  newMeterStats,
  type PortNo,
  type PutFlow,
  type SparseMatch,
} from '../../src/datapath/datapath.ts';
import { DatapathWorkers } from '../../src/datapath/datapath-workers.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import { IN_PORT } from '../../src/packet/key.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { datapathContract } from '../contract/datapath.ts';
import { buildFrame } from '../packet/frame-builder.ts';
import { workerBundle } from '../support/worker-bundle.ts';

const P = (n: number) => n as PortNo;
const quiet = () => {};
const logger = {
  emer: quiet,
  err: quiet,
  warn: quiet,
  info: quiet,
  dbg: quiet,
  enabled: () => false,
};

let workerPath = '';
beforeAll(async () => {
  workerPath = await workerBundle();
});

const start = async (workers: number): Promise<DatapathWorkers> => {
  const datapath = new DatapathWorkers({
    clock: new RealClock(),
    logger,
    onCrash: (error) => {
      throw error;
    },
    seed: 1,
    workerPath,
    regionBytes: 2 ** 27,
  });
  await datapath.resize(workers);
  return datapath;
};

const harness = async (workers: number) => {
  const datapath = await start(workers);
  return {
    datapath,
    inject: datapath.injectFrame.bind(datapath),
    onTransmit: datapath.onTransmit.bind(datapath),
    close: async () => {},
  };
};

datapathContract('two workers', () => harness(2));

const onPort = (port: number) => ({ words: [IN_PORT], values: [port], masks: [-1] });
const program = (build: (b: ProgramBuilder) => void) => {
  const builder = new ProgramBuilder();
  build(builder);
  return builder.take();
};
const { frame } = buildFrame({ proto: 'udp', payload: new Uint8Array(18) });

/** Ports 1 to 4, and flow n from port n to port 5 - n. */
const four = async (workers: number) => {
  const datapath = await start(workers);
  const flows = new Map<number, readonly [SparseMatch, Int32Array]>();
  const putFlow: PutFlow = (id, match, instructions) => {
    flows.set(id, [match, instructions]);
    datapath.putFlow(id, match, instructions);
  };
  datapath.flowsFrom((put) => {
    for (const [id, [match, instructions]] of flows) put(id, match, instructions);
  });
  for (const n of [1, 2, 3, 4]) {
    await datapath.addPort(P(n), `p${n}`, { kind: 'dummy', mtu: 1500 });
    putFlow(
      n,
      onPort(n),
      program((b) => b.output(5 - n)),
    );
  }
  const injectAll = (times: number) => {
    for (let i = 0; i < times; i++) for (const n of [1, 2, 3, 4]) datapath.injectFrame(P(n), frame);
  };
  const packets = () => [1, 2, 3, 4].map((n) => datapath.flowStats(n, newFlowStats()).packets);
  return { datapath, putFlow, injectAll, packets };
};

describe('several workers', () => {
  test('divide the ports among them, and sum what they count', async () => {
    const { datapath, injectAll, packets } = await four(2);
    injectAll(10);
    await datapath.barrier();
    expect(packets()).toEqual([10, 10, 10, 10]);
    expect(datapath.portStats(P(3))).toMatchObject({ rxPackets: 10, txPackets: 10 });
    expect(datapath.lookupStats()).toMatchObject({ hit: 40, missed: 0, masks: 1, flows: 4 });
    const threads = datapath.threads();
    expect(threads.map(({ queues }) => queues.map(({ name }) => name))).toEqual([
      ['p1', 'p3'],
      ['p2', 'p4'],
    ]);
    expect(threads.map(({ received }) => received)).toEqual([20, 20]);
    await datapath.close();
  });

  test('come and go without losing flows, ports, meters or counts', async () => {
    const { datapath, putFlow, injectAll, packets } = await four(1);
    datapath.setMeter(1, {
      unit: 'pktps',
      bands: [{ type: 'drop', rate: 1, burst: 1e6, precLevel: 0 }],
    });
    const metered = program((b) => {
      b.meter(1);
      b.output(4);
    });
    putFlow(1, onPort(1), metered);
    datapath.setQos(P(2), { kind: 'netem', latencyMs: 0, limitPackets: 1000, loss: 0 });
    let sent = 0;
    for (const n of [1, 2, 3, 4]) datapath.onTransmit(P(n), () => sent++);
    let rounds = 0;
    for (const workers of [2, 4, 1, 3, 2, 1]) {
      injectAll(5);
      await datapath.resize(workers);
      expect(datapath.threads()).toHaveLength(workers);
      injectAll(5);
      rounds += 10;
      await datapath.barrier();
      expect(packets()).toEqual([rounds, rounds, rounds, rounds]);
      expect(datapath.portStats(P(1)).rxPackets).toBe(rounds);
      expect(datapath.meterStats(1, newMeterStats()).packets).toBe(rounds);
      expect(datapath.lookupStats()).toMatchObject({ hit: 4 * rounds, missed: 0, flows: 4 });
    }
    expect(sent).toBe(4 * rounds);
    // A reused id starts at zero, whoever counted before.
    datapath.removeFlow(2);
    datapath.putFlow(2, onPort(3), metered);
    await datapath.barrier();
    expect(datapath.flowStats(2, newFlowStats()).packets).toBe(0);
    await datapath.close();
  });

  test('never count backwards while they come and go', async () => {
    const { datapath, injectAll, packets } = await four(1);
    let last = [0, 0, 0, 0];
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        injectAll(1);
        const now = packets();
        now.forEach((count, i) => {
          expect(count).toBeGreaterThanOrEqual(last[i]);
        });
        last = now;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (const workers of [2, 1, 3, 2, 1, 2]) await datapath.resize(workers);
    isOver = true;
    await watching;
    await datapath.close();
  });

  test('draw from one bucket of a meter and of a policer', async () => {
    const { datapath, injectAll, packets } = await four(2);
    datapath.setMeter(9, {
      unit: 'pktps',
      bands: [{ type: 'drop', rate: 1, burst: 30, precLevel: 0 }],
    });
    for (const n of [1, 2, 3, 4]) {
      datapath.putFlow(
        n,
        onPort(n),
        program((b) => {
          b.meter(9);
          b.output(5 - n);
        }),
      );
    }
    injectAll(20);
    await datapath.barrier();
    expect(packets()).toEqual([20, 20, 20, 20]);
    const { packets: all, bandPackets } = datapath.meterStats(9, newMeterStats());
    expect(all).toBe(80);
    // 30 saved up, and one a second for the time this took.
    expect(80 - bandPackets[0]).toBeGreaterThanOrEqual(30);
    expect(80 - bandPackets[0]).toBeLessThan(40);
    await datapath.close();
  });

  test('hand frames of a scheduled port to its owner, none lost and in order', async () => {
    const { datapath } = await four(2);
    const config = { kind: 'netem', latencyMs: 1, limitPackets: 1000, loss: 0 } as const;
    datapath.setQos(P(4), config);
    const sent: number[] = [];
    datapath.onTransmit(P(4), (bytes) => sent.push(bytes[bytes.length - 1]));
    for (let n = 0; n < 100; n++) {
      const numbered = frame.slice();
      numbered[numbered.length - 1] = n;
      datapath.injectFrame(P(1), numbered);
    }
    await expect.poll(() => sent.length).toBe(100);
    expect(sent).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(datapath.portStats(P(4))).toMatchObject({ txPackets: 100, txDropped: 0 });
    await datapath.close();
  });

  test('execute what one handed up where it came from', async () => {
    const { datapath } = await four(2);
    datapath.removeFlow(2);
    const sent: number[] = [];
    datapath.onTransmit(P(3), (bytes) => sent.push(bytes[bytes.length - 1]));
    datapath.onUpcall(
      (upcall) => {
        const out = program((b) => b.output(3));
        datapath.putFlow(2, onPort(2), out);
        datapath.execute(upcall.frame, upcall.offload, upcall.key, out);
      },
      () => {},
    );
    for (let n = 0; n < 50; n++) {
      const numbered = frame.slice();
      numbered[numbered.length - 1] = n;
      datapath.injectFrame(P(2), numbered);
    }
    await datapath.barrier();
    await datapath.barrier();
    expect([...sent].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    await datapath.close();
  });

  test('hold their time together', async () => {
    const { datapath, injectAll } = await four(2);
    datapath.holdClock(123_456_789);
    await datapath.resize(3);
    injectAll(1);
    await datapath.barrier();
    const used = [1, 2, 3, 4].map((n) => datapath.flowStats(n, newFlowStats()).usedMs);
    expect(used).toEqual([123_456_789, 123_456_789, 123_456_789, 123_456_789]);
    await datapath.close();
  });
});
