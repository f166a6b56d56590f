/**
 * The datapath alone: two namespaces on veth pairs, two static megaflows (in_port -> output), no database and
 * no decisions. What is slow here is slow in ports, ring, loop or core; compare doc/io-notes for the prototypes.
 *
 *   node scripts/run.mjs bench/io-forward.ts [--seconds 3] [--kind packet|packet-plain|tap]
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import type { PortNo, PortSpec } from '../src/datapath/datapath.ts';
import { ProgramBuilder } from '../src/datapath/program.ts';
import { WorkerDatapath } from '../src/datapath/worker-datapath.ts';
import { IN_PORT } from '../src/packet/key.ts';
import { closeDevice, openPacketSocket } from '../src/sys/packet-socket.ts';
import { openTap } from '../src/sys/tap.ts';
import { RealClock } from '../src/util/real-clock.ts';

const OFFLOADS = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro', 'tx-udp-segmentation'];
const FRAME = [
  '0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,',
  '0x45, 0x00, c16(46), c16(1), c16(0), 64, 17, csumip(14, 33), 10, 9, 0, 1, 10, 9, 0, 2,',
  'c16(9), c16(9), c16(26), c16(0), fill(0x42, 18)',
].join(' ');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    kind: { type: 'string', default: 'packet' },
  },
});
const seconds = Math.min(10, Math.max(1, Number(values.seconds)));
const run = promisify(execFile);
const sh = async (command: string) => (await run('sh', ['-c', command])).stdout;
const id = process.pid % 100_000;
const hosts = [`tsv-${id}-a`, `tsv-${id}-b`];
const devices = [`tvf${id}a`, `tvf${id}b`];
const cpuMs = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1000;
};

async function openPort(i: number): Promise<PortSpec> {
  const host = hosts[i];
  await sh(`ip netns add ${host}`);
  let spec: PortSpec;
  if (values.kind === 'tap') {
    spec = await openTap({ name: devices[i], mtu: 1500 });
    await sh(`ip link set ${devices[i]} netns ${host} name eth0`);
  } else {
    await sh(`ip link add ${devices[i]} type veth peer name eth0 netns ${host}`);
    await sh(`ip link set ${devices[i]} up`);
    const ifindex = Number(readFileSync(`/sys/class/net/${devices[i]}/ifindex`, 'utf8'));
    const ring = values.kind === 'packet' ? {} : { slotCount: 0 };
    spec = await openPacketSocket({ name: devices[i], ifindex, mtu: 1500, ...ring });
  }
  await sh(`ip -n ${host} link set eth0 address 02:00:00:00:00:0${i + 1}`);
  await sh(`ip -n ${host} addr add 10.9.0.${i + 1}/24 dev eth0`);
  await sh(`ip -n ${host} link set eth0 up`);
  return spec;
}

async function measured(name: string, unit: string, measure: () => Promise<number>): Promise<void> {
  const cpu = cpuMs();
  const started = performance.now();
  const value = await measure();
  const share = (100 * (cpuMs() - cpu)) / (performance.now() - started);
  console.log(
    `${name.padEnd(34)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(8)} cpu ${share.toFixed(0)} %`,
  );
}

async function tcp(): Promise<number> {
  const server = run('ip', ['netns', 'exec', hosts[1], 'iperf3', '-s', '-1']);
  await sleep(300);
  const text = await sh(`ip netns exec ${hosts[0]} iperf3 -J -c 10.9.0.2 -t ${seconds}`);
  await server;
  const sums = JSON.parse(text).end;
  console.log(`  ${sums.sum_sent.retransmits} retransmits`);
  return sums.sum_received.bits_per_second / 1e9;
}

async function ping(options: string): Promise<number> {
  const text = await sh(`ip netns exec ${hosts[0]} ping -n -q ${options} 10.9.0.2`);
  return Number(/= [\d.]+\/([\d.]+)\//.exec(text)?.[1]);
}

async function flood(): Promise<number> {
  const counter = `/sys/class/net/eth0/statistics/rx_packets`;
  const sender = sh(
    `echo '{ ${FRAME} }' | timeout ${seconds + 1} ip netns exec ${hosts[0]} trafgen --dev eth0 --conf - --qdisc-path --no-sock-mem -C -P 1 || true`,
  );
  await sleep(500);
  const rate = await sh(
    `ip netns exec ${hosts[1]} sh -c 'read a < ${counter}; s=$(date +%s%N); sleep ${seconds - 0.5}; read b < ${counter}; e=$(date +%s%N); echo $(((b - a) * 1000000 / (e - s)))'`,
  );
  await sender;
  return Number(rate);
}

const quiet = () => {};
const logger = {
  emer: quiet,
  err: console.error,
  warn: quiet,
  info: quiet,
  dbg: quiet,
  enabled: () => false,
};
const datapath = new WorkerDatapath({
  clock: new RealClock(),
  logger,
  onCrash: (error) => {
    throw error;
  },
  seed: 1,
  // run.mjs bundles this file into dist/tools and builds dist/worker.js before.
  workerPath: new URL('../worker.js', import.meta.url),
});
const specs: PortSpec[] = [];
try {
  const program = new ProgramBuilder();
  for (const [i] of hosts.entries()) {
    const spec = await openPort(i);
    specs.push(spec);
    await datapath.addPort((i + 1) as PortNo, devices[i], spec);
    program.reset();
    program.output(2 - i);
    const match = { words: [IN_PORT], values: [i + 1], masks: [0xffffffff] };
    datapath.putFlow(i, match, program.take());
  }
  await sleep(500);
  await measured('ping round trip', 'ms', () => ping('-c 25 -i 0.2'));
  await measured('ping back to back', 'ms', () => ping('-f -c 20000'));
  await measured('ping round trip, warm', 'ms', () => ping('-c 25 -i 0.2'));
  await measured('TCP, default offloads', 'Gbit/s', tcp);
  for (const host of hosts)
    for (const name of OFFLOADS)
      await sh(`ip netns exec ${host} ethtool -K eth0 ${name} off || true`);
  await measured('TCP, offloads off', 'Gbit/s', tcp);
  await measured('60-byte UDP delivered', 'k/s', flood);
  console.log(datapath.portStats(1 as PortNo), datapath.portStats(2 as PortNo));
  await sleep(500);
  await measured('idle', '', async () => {
    await sleep(3000);
    return 0;
  });
} finally {
  await datapath.close();
  for (const spec of specs) if ('fd' in spec) await closeDevice(spec);
  for (const host of hosts) await sh(`ip netns del ${host} || true`);
}
