/**
 * The measurements of comparisons, each between the same two hosts h1 and h2 of a lab machine on whatever joins them. What they
 * cost the switch is taken from /proc by the caller.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pingsWithin, transfer } from '../test/labs/support/host.ts';
import type { Machine } from '../test/labs/support/machine.ts';
import { LOAD, type Load } from './frame-sender.ts';

export const H1 = { name: 'h1', port: 'port1', address: '10.0.0.1/24', mac: '02:00:00:00:00:01' };
export const H2 = { name: 'h2', port: 'port2', address: '10.0.0.2/24', mac: '02:00:00:00:00:02' };

const OFFLOADS = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro', 'tx-udp-segmentation'];

/** Stays so for what follows: small frames and pings do not use them. */
export const offloadsOff = async (machine: Machine): Promise<void> => {
  const off = OFFLOADS.map((name) => `ethtool -K eth0 ${name} off`).join('; ');
  for (const host of ['h1', 'h2']) await machine.run(`ip netns exec ${host} sh -c '${off}'`);
};

/** True when h1 and h2 reach each other, after which both addresses are known. */
export const warm = (machine: Machine): Promise<boolean> =>
  pingsWithin(machine, 'h1', '10.0.0.2', 10_000);

/** Gbit/s of one TCP connection. */
export const tcp = async (machine: Machine, seconds: number): Promise<number> => {
  const path = { from: 'h1', to: 'h2', address: '10.0.0.2', seconds };
  return (await transfer(machine, path)).bitsPerSecond / 1e9;
};

/** Command line that sends a load from h1, by the program that is running: it calls sendIfAsked(). */
export const sending = (load: Partial<Load>): string => {
  const all: Load = { ...LOAD, ...load };
  const program = fileURLToPath(import.meta.url);
  return `timeout ${Math.ceil(all.seconds) + 5} ip netns exec h1 ${process.execPath} ${program} --send '${JSON.stringify(all)}'`;
};

const RECEIVED = '/sys/class/net/eth0/statistics/rx_packets';

/** Frames that came to h2 so far. */
export const received = async (machine: Machine): Promise<number> =>
  Number(await machine.sh(`ip netns exec h2 cat ${RECEIVED}`));

/** Frames that arrive per second, in thousands, while the sender sends as fast as it can. */
export const flood = async (
  machine: Machine,
  seconds: number,
  load: Partial<Load> = {},
): Promise<number> => {
  const sender = machine.start(sending({ ...load, seconds: seconds + 0.9 }));
  await machine.sh('sleep 0.5');
  // Counter and clock are read side by side in one shell: starting processes takes time under load.
  const rate = await machine.sh(
    `ip netns exec h2 sh -c 'read a < ${RECEIVED}; s=$(date +%s%N); sleep ${seconds}; read b < ${RECEIVED}; e=$(date +%s%N); echo $(((b - a) * 1000000 / (e - s)))'`,
    { timeoutMs: (seconds + 20) * 1000 },
  );
  await sender.ended;
  return Number(rate);
};

/** Round trips of single echo requests in microseconds: median and 99th percentile. */
export const roundTrips = async (
  machine: Machine,
): Promise<readonly [median: number, p99: number]> => {
  const outcome = await machine.run('ip netns exec h1 ping -n -i 0.01 -c 250 -w 5 10.0.0.2');
  const times = [...outcome.stdout.matchAll(/time=([\d.]+) ms/g)]
    .map((match) => Number(match[1]) * 1000)
    .sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
  return [at(0.5), at(0.99)];
};

/** Average round trip when each answer is followed by the next request at once, microseconds. */
export const floodPing = async (machine: Machine): Promise<number> => {
  const { stdout } = await machine.run('ip netns exec h1 ping -n -q -f -c 20000 -w 5 10.0.0.2');
  const average = stdout.match(/rtt min\/avg\/max\/mdev = [\d.]+\/([\d.]+)\//)?.[1];
  return average === undefined ? Number.NaN : Number(average) * 1000;
};

/** Runs `inner` while a ping passes through the established flow: its longest round trip and its losses. */
export const pinging = async (
  machine: Machine,
  inner: () => Promise<void>,
): Promise<readonly [longestMs: number, lost: number]> => {
  const ping = machine.start('ip netns exec h1 ping -n -D -i 0.005 10.0.0.2');
  await sleep(200);
  await inner();
  await sleep(100);
  await machine.sh(
    'for p in $(ip netns pids h1); do case "$(cat /proc/$p/comm)" in ping) kill -INT $p;; esac; done',
  );
  await ping.ended;
  const times = [...ping.output().matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  const [, sent = '0', received = '0'] =
    ping.output().match(/(\d+) packets transmitted, (\d+) received/) ?? [];
  return [Math.max(...times), Math.max(0, Number(sent) - Number(received) - 1)];
};
