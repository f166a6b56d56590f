import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import { WorkerDatapath, type WorkerDatapathOptions } from '../../src/datapath/worker-datapath.ts';
import { IN_PORT } from '../../src/packet/key.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { datapathContract } from '../contract/datapath.ts';
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

const start = (options: Partial<WorkerDatapathOptions> = {}) =>
  new WorkerDatapath({
    clock: new RealClock(),
    logger,
    onCrash: (error) => {
      throw error;
    },
    seed: 1,
    workerPath,
    regionBytes: 2 ** 27,
    ...options,
  });

const harness = async (options: Partial<WorkerDatapathOptions> = {}) => {
  const datapath = start(options);
  return {
    datapath,
    inject: datapath.injectFrame.bind(datapath),
    onTransmit: datapath.onTransmit.bind(datapath),
    close: async () => {},
  };
};

datapathContract('the worker datapath', () => harness());
datapathContract('the worker datapath with small rings', () => harness({ ringWords: 1 << 16 }));

describe('the worker datapath', () => {
  test('loses upcalls, and counts them, when nobody takes them', async () => {
    const datapath = start({ ringWords: 1 << 12 });
    await datapath.addPort(P(1), 'p1', { kind: 'dummy', mtu: 1500 });
    let seen = 0;
    datapath.onUpcall(
      () => seen++,
      () => {},
    );
    // Nothing of this thread runs between these: the record ring has room for about 20 frames.
    for (let n = 0; n < 60; n++) datapath.injectFrame(P(1), new Uint8Array(60));
    await datapath.barrier();
    const { lost, missed } = datapath.lookupStats();
    expect(missed).toBe(60);
    expect(seen + lost).toBe(60);
    expect(datapath.counter('upcall_lost')).toBe(lost);
    datapath.injectFrame(P(1), new Uint8Array(60));
    await datapath.barrier();
    expect(seen + datapath.lookupStats().lost).toBe(61);
    await datapath.close();
  });

  test('says which port could not be added, and why', async () => {
    const datapath = start();
    const spec = { kind: 'packet', fd: 0, slotBytes: 2048, slotCount: 32, mtu: 1500 } as const;
    await expect(datapath.addPort(P(1), 'eth7', spec)).rejects.toThrow(
      /^eth7: receive ring of 65536 bytes: mmap failed/,
    );
    await datapath.addPort(P(1), 'p1', { kind: 'dummy', mtu: 1500 });
    await datapath.close();
  });

  test('stamps flows with the main clock, held or running', async () => {
    const clock = new RealClock();
    const datapath = start({ clock });
    await datapath.addPort(P(1), 'p1', { kind: 'dummy', mtu: 1500 });
    const match = { words: [IN_PORT], values: [1], masks: [-1] };
    datapath.putFlow(1, match, new ProgramBuilder().take());
    const used = () =>
      datapath.flowStats(1, { packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 }).usedMs;
    const before = clock.now();
    datapath.injectFrame(P(1), new Uint8Array(60));
    await datapath.barrier();
    expect(used()).toBeGreaterThanOrEqual(before - 1);
    expect(used()).toBeLessThanOrEqual(clock.now() + 1);
    datapath.holdClock(123_456_789);
    datapath.injectFrame(P(1), new Uint8Array(60));
    await datapath.barrier();
    expect(used()).toBe(123_456_789);
    await datapath.close();
  });

  test('rejects what is asked after close and leaves nothing hanging', async () => {
    const datapath = start();
    await datapath.close();
    await datapath.close();
    await expect(datapath.barrier()).rejects.toThrow('closed');
    datapath.removeFlow(1);
  });

  test('reports a crash of the thread to everybody who waits', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-worker-'));
    writeFileSync(join(dir, 'bad.mjs'), 'throw new Error("boom");');
    const crash = new Promise<Error>((resolve) => {
      const datapath = start({ workerPath: join(dir, 'bad.mjs'), onCrash: resolve });
      datapath.barrier().catch(() => {});
    });
    expect((await crash).message).toBe('the datapath thread crashed: boom');
    rmSync(dir, { recursive: true });
  });

  test('neither keeps the process alive nor hangs its exit', () => {
    // A process that only starts the thread ends by itself; one that exits in the middle of things does too.
    const bundled = bundledClass();
    for (const end of ['', 'setTimeout(() => process.exit(3), 100)']) {
      const code = `
        import { Worker } from 'node:worker_threads';
        const { WorkerDatapath } = await import(${JSON.stringify(bundled)});
        const clock = { now: () => 0 };
        const log = { err: console.error };
        new WorkerDatapath({ clock, logger: log, onCrash: () => {}, seed: 1, workerPath: ${JSON.stringify(workerPath)} });
        ${end}`;
      const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
        timeout: 20_000,
        encoding: 'utf8',
      });
      expect([child.status, child.stderr]).toEqual([end === '' ? 0 : 3, '']);
    }
    rmSync(dirname(bundled), { recursive: true });
  });
});

/** WorkerDatapath as a module that plain Node can load. */
function bundledClass(): string {
  const out = join(mkdtempSync(join(workerPath, '..', '.tools-')), 'worker-datapath.mjs');
  const source = new URL('../../src/datapath/worker-datapath.ts', import.meta.url).pathname;
  const cli = new URL('../../node_modules/rolldown/bin/cli.mjs', import.meta.url).pathname;
  const shape = ['--platform', 'node', '--format', 'esm', '--external', 'koffi'];
  execFileSync(process.execPath, [cli, source, ...shape, '--file', out], { stdio: 'ignore' });
  return out;
}
