/**
 * A TCP stream of super-frames between two namespaces, through a label that is pushed on one port and popped on
 * another: the kernel at the far end believes only right segments.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import type { PortNo, PortSpec } from '../../src/datapath/datapath.ts';
import { ProgramBuilder } from '../../src/datapath/program.ts';
import { WorkerDatapath } from '../../src/datapath/worker-datapath.ts';
import { ETH_TYPE_PROTO, IN_PORT } from '../../src/packet/key.ts';
import { closeDevice, openPacketSocket } from '../../src/sys/packet-socket.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { workerBundle } from '../support/worker-bundle.ts';

const id = process.pid % 1_000_000;
const hosts = [`tsv-${id}-l`, `tsv-${id}-r`];
const quiet = () => {};
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' }).toString();

/** Undone in reverse order, whatever became of the test. */
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const RECEIVE = `
  let sum = 0, bytes = 0;
  require('net').createServer((socket) => socket.on('data', (data) => {
    bytes += data.length;
    for (const byte of data) sum = (sum * 31 + byte) >>> 0;
  }).on('end', () => { console.log('got', bytes, sum); process.exit(); })).listen(5000, () => console.log('ready'));`;
const SEND = `
  const data = Buffer.alloc(${4 << 20});
  for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 11)) & 255;
  require('net').connect(5000, '10.77.0.2').end(data);`;

test.each(['push_mpls', 'push_pbb'])(
  'super-frames cross the switch right with %s',
  async (kind) => {
    const specs: PortSpec[] = [];
    const datapath = new WorkerDatapath({
      clock: new RealClock(),
      logger: {
        emer: quiet,
        err: quiet,
        warn: quiet,
        info: quiet,
        dbg: quiet,
        enabled: () => false,
      },
      onCrash: (error) => {
        throw error;
      },
      seed: 1,
      workerPath: await workerBundle(),
      regionBytes: 2 ** 27,
    });
    undo.push(async () => {
      await datapath.close();
      for (const spec of specs) if ('fd' in spec) await closeDevice(spec);
    });
    // Ports 1 and 2 lead to the hosts; 3 and 4 are the ends of one wire with room for the added header.
    const names = [`ta${id}`, `tb${id}`, `tc${id}`, `td${id}`];
    ip(
      'link',
      'add',
      names[2],
      'mtu',
      '1600',
      'type',
      'veth',
      'peer',
      'name',
      names[3],
      'mtu',
      '1600',
    );
    undo.unshift(() => ip('link', 'del', names[2]));
    for (const [i, host] of hosts.entries()) {
      ip('netns', 'add', host);
      // The link first: a namespace lets go of its devices some time after it is deleted.
      undo.unshift(() => ip('link', 'del', names[i]));
      undo.unshift(() => ip('netns', 'del', host));
      ip('link', 'add', names[i], 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
      ip('-n', host, 'address', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0');
      ip('-n', host, 'link', 'set', 'eth0', 'up');
    }
    for (const [i, name] of names.entries()) {
      writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
      ip('link', 'set', name, 'up');
      const ifindex = Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
      const mtu = i < 2 ? 1500 : 1600;
      specs.push(await openPacketSocket({ name, ifindex, mtu }));
      await datapath.addPort((i + 1) as PortNo, name, specs[i]);
    }
    const flow = (n: number, port: number, type: number, build: (b: ProgramBuilder) => void) => {
      const b = new ProgramBuilder();
      build(b);
      const words = [IN_PORT, ETH_TYPE_PROTO];
      const values = [port, type << 16];
      datapath.putFlow(n, { words, values, masks: [-1, -65536] }, b.take());
    };
    flow(1, 1, 0x0806, (b) => b.output(2));
    flow(2, 2, 0x0806, (b) => b.output(1));
    flow(3, 2, 0x0800, (b) => b.output(1));
    flow(4, 1, 0x0800, (b) => {
      if (kind === 'push_mpls') b.pushMpls(0x8847, 0x64140);
      else b.pushPbb(100);
      b.output(3);
    });
    flow(5, 4, kind === 'push_mpls' ? 0x8847 : 0x88e7, (b) => {
      if (kind === 'push_mpls') b.popMpls(0x0800);
      else b.popPbb();
      b.output(2);
    });
    await datapath.barrier();

    const run = (host: string, code: string) => {
      const child = spawn('ip', ['netns', 'exec', host, process.execPath, '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      undo.push(() => child.exitCode === null && child.kill('SIGKILL'));
      return child;
    };
    const receiver = run(hosts[1], RECEIVE);
    let said = '';
    await new Promise<void>((ready) =>
      receiver.stdout.on('data', (data) => {
        said += data;
        if (said.includes('ready')) ready();
      }),
    );
    run(hosts[0], SEND);
    await new Promise((ended) => receiver.on('exit', ended));
    let sum = 0;
    for (let i = 0; i < 4 << 20; i++) sum = (sum * 31 + ((i * 7 + (i >> 11)) & 255)) >>> 0;
    expect(said).toBe(`ready\ngot ${4 << 20} ${sum}\n`);
    // Frames were cut here, or the wire with the label would have been tested with small ones only.
    expect(datapath.counter('offload_segmented_frames')).toBeGreaterThan(0);
    for (let port = 1; port <= 4; port++) await datapath.removePort(port as PortNo);
  },
);
