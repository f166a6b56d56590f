/**
 * The measurements of the comparison, each between the same two hosts h1 and h2 on whatever joins them.
 * A measurement returns one number; what it costs the switch is taken from /proc by the caller.
 */
import { pingsWithin, transfer } from '../test/labs/support/host.ts';
import type { Machine } from '../test/labs/support/machine.ts';

export const H1 = { name: 'h1', port: 'port1', address: '10.0.0.1/24', mac: '02:00:00:00:00:01' };
export const H2 = { name: 'h2', port: 'port2', address: '10.0.0.2/24', mac: '02:00:00:00:00:02' };

export interface Measurement {
  readonly name: string;
  readonly unit: string;
  /** True when more is better. */
  readonly moreIsBetter: boolean;
  /** Called once before the runs. */
  prepare(machine: Machine): Promise<void>;
  run(machine: Machine, seconds: number): Promise<number>;
}

/** Stays off for what follows: small frames and pings do not use it. */
const OFFLOADS = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro', 'tx-udp-segmentation'];

export const offloadsOff = async (machine: Machine): Promise<void> => {
  for (const host of ['h1', 'h2'])
    for (const name of OFFLOADS)
      await machine.run(`ip netns exec ${host} ethtool -K eth0 ${name} off`);
};

export const tcp = async (machine: Machine, seconds: number): Promise<number> => {
  const result = await transfer(machine, { from: 'h1', to: 'h2', address: '10.0.0.2', seconds });
  return result.bitsPerSecond / 1e9;
};

/** Frames that arrive per second, in thousands, while the sender sends as fast as it can. */
export const flood = async (machine: Machine, seconds: number): Promise<number> => {
  // A 60 byte UDP frame from h1 to h2, port 9 of which nobody listens on and nothing answers (ICMP is limited).
  const frame = [
    '0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00,',
    '0x45, 0x00, c16(46), c16(1), c16(0), 64, 17, csumip(14, 33), 10, 0, 0, 1, 10, 0, 0, 2,',
    'c16(9), c16(9), c16(26), c16(0), fill(0x42, 18)',
  ].join(' ');
  const sender = machine.start(
    `timeout ${seconds + 1} ip netns exec h1 trafgen --dev eth0 --conf - --qdisc-path --no-sock-mem -C -P 1`,
  );
  sender.write(`{ ${frame} }\n`);
  sender.end();
  await machine.sh('sleep 0.5');
  // Counter and clock are read side by side in one shell: starting processes takes time under load.
  const counter = '/sys/class/net/eth0/statistics/rx_packets';
  const rate = await machine.sh(
    `ip netns exec h2 sh -c 'read a < ${counter}; s=$(date +%s%N); sleep ${seconds}; read b < ${counter}; e=$(date +%s%N); echo $(((b - a) * 1000000 / (e - s)))'`,
    { timeoutMs: (seconds + 20) * 1000 },
  );
  await sender.ended;
  return Number(rate);
};

const pingReport = async (machine: Machine, options: string): Promise<string> => {
  const outcome = await machine.run(`ip netns exec h1 ping -n -q ${options} 10.0.0.2`);
  return outcome.stdout;
};

/** Median round trip of single echo requests, microseconds. */
export const roundTrip = async (machine: Machine): Promise<number> => {
  const outcome = await machine.run('ip netns exec h1 ping -n -i 0.01 -c 200 -w 5 10.0.0.2');
  const times = [...outcome.stdout.matchAll(/time=([\d.]+) ms/g)]
    .map((match) => Number(match[1]) * 1000)
    .sort((a, b) => a - b);
  return times.length === 0 ? Number.NaN : (times[times.length >> 1] as number);
};

/** Average round trip when each answer is followed by the next request at once, microseconds. */
const floodPing = async (machine: Machine): Promise<number> => {
  const report = await pingReport(machine, '-f -c 20000 -w 5');
  const average = report.match(/rtt min\/avg\/max\/mdev = [\d.]+\/([\d.]+)\//)?.[1];
  return average === undefined ? Number.NaN : Number(average) * 1000;
};

export const warm = async (machine: Machine): Promise<void> => {
  await pingsWithin(machine, 'h1', '10.0.0.2', 10_000);
};

export const MEASUREMENTS: readonly Measurement[] = [
  {
    name: 'TCP, default offloads',
    unit: 'Gbit/s',
    moreIsBetter: true,
    prepare: warm,
    run: tcp,
  },
  {
    name: 'TCP, offloads off',
    unit: 'Gbit/s',
    moreIsBetter: true,
    prepare: async (machine) => {
      await offloadsOff(machine);
      await warm(machine);
    },
    run: tcp,
  },
  {
    name: '60-byte UDP delivered',
    unit: 'k/s',
    moreIsBetter: true,
    prepare: warm,
    run: flood,
  },
  {
    name: 'ping round trip, median',
    unit: 'us',
    moreIsBetter: false,
    prepare: warm,
    run: roundTrip,
  },
  { name: 'flood ping, average', unit: 'us', moreIsBetter: false, prepare: warm, run: floodPing },
];
