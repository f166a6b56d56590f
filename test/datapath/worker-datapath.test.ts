import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PortNo, PortSpec } from '../../src/datapath/datapath.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import { WorkerDatapath, type WorkerDatapathOptions } from '../../src/datapath/worker-datapath.ts';
import { IN_PORT } from '../../src/packet/key.ts';
import { addressOf, write } from '../../src/sys/libc.ts';
import { closeDevice, openPacketSocket } from '../../src/sys/packet-socket.ts';
import { openTap } from '../../src/sys/tap.ts';
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
    const spec = {
      kind: 'packet',
      fd: 0,
      sendFd: 0,
      slotBytes: 2048,
      slotCount: 32,
      mtu: 1500,
    } as const;
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

  test.each(['packet', 'tap'] as const)(
    'forwards between real interfaces and rests when one is deleted (%s)',
    async (kind) => {
      const id = process.pid % 1_000_000;
      const names = [`wa${id}`, `wb${id}`];
      const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
      const lines: string[] = [];
      const datapath = start({ logger: { ...logger, info: (line) => void lines.push(line) } });
      const specs: PortSpec[] = [];
      for (const [i, name] of names.entries()) {
        if (kind === 'tap') {
          specs.push(await openTap({ name, mtu: 1500 }));
        } else {
          ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
          writeFileSync(`/proc/sys/net/ipv6/conf/${name}p/disable_ipv6`, '1');
          ip('link', 'set', `${name}p`, 'up');
        }
        writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
        ip('link', 'set', name, 'up');
        const ifindex = Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
        if (kind === 'packet') specs.push(await openPacketSocket({ name, ifindex, mtu: 1500 }));
        await datapath.addPort(P(i + 1), name, specs[i]);
        const program = new ProgramBuilder();
        program.output(2 - i);
        const match = { words: [IN_PORT], values: [i + 1], masks: [-1] };
        datapath.putFlow(i, match, program.take());
      }
      await datapath.barrier();
      const far = kind === 'tap' ? names[0] : `${names[0]}p`;
      const ifindex = Number(readFileSync(`/sys/class/net/${far}/ifindex`, 'utf8'));
      const socket = await openPacketSocket({ name: far, ifindex, mtu: 1500 });
      const bytes = new Uint8Array(new ArrayBuffer(70)).fill(2);
      // The first 10 bytes are the virtio-net header.
      bytes.fill(0, 0, 10);
      const transmitted = () => datapath.portStats(P(2)).txPackets;
      for (let tries = 0; tries < 200 && transmitted() === 0; tries++) {
        expect(write(socket.fd, addressOf(bytes), 70)).toBe(70);
        await sleep(5);
      }
      expect(transmitted()).toBeGreaterThan(0);
      expect(datapath.portStats(P(1)).rxBytes % 60).toBe(0);

      ip('link', 'del', names[0]);
      await datapath.barrier();
      const before = process.cpuUsage();
      await sleep(300);
      const { user, system } = process.cpuUsage(before);
      // A loop that spins on the dead descriptor would take all of the 300 ms.
      expect(user + system).toBeLessThan(200_000);
      if (kind === 'tap') expect(lines).toEqual([`${names[0]}: the device is gone`]);
      for (const port of [1, 2]) await datapath.removePort(P(port));
      for (const spec of [...specs, socket]) if ('fd' in spec) await closeDevice(spec);
      if (kind === 'packet') ip('link', 'del', names[1]);
      await datapath.close();
    },
  );

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
  const shape = '--platform node --format esm --external koffi --external raw-socket'.split(' ');
  execFileSync(process.execPath, [cli, source, ...shape, '--file', out], { stdio: 'ignore' });
  return out;
}
