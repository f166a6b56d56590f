/**
 * `npm run bench:peers`: this switch, Open vSwitch's userspace datapath with and without its TSO setting, and
 * the kernel's bridge, each between two hosts of its own on one topology.
 *
 * All contestants stand ready side by side, idle, and take turns measurement by measurement and run by run:
 * whatever else the machine does then hits all of them alike. Medians count. A benchmark, not a test: it
 * always succeeds, and the reader judges. Results go to bench/results/peers.md and .json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { addHost } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { inRepository } from '../test/labs/support/repository.ts';
import { daemonCommand, Switch } from '../test/labs/support/switch.ts';
import { H1, H2, MEASUREMENTS, type Measurement } from './measure.ts';
import { median, readOptions } from './options.ts';

interface Contestant {
  readonly name: string;
  readonly title: string;
  /** Command of the daemon; empty for the kernel. */
  readonly command: string;
  readonly settings: string;
  /** Set in other_config of both interfaces. */
  readonly interfaceSettings?: string;
}

const CONTESTANTS: readonly Contestant[] = [
  { name: 'ts-vswitch', title: 'ts-vswitch', command: daemonCommand(), settings: '' },
  {
    name: 'ts-vswitch-gro',
    title: 'ts-vswitch + GRO',
    command: daemonCommand(),
    settings: '',
    interfaceSettings: 'gro=true',
  },
  { name: 'ovs', title: 'Open vSwitch', command: 'ovs-vswitchd', settings: '' },
  {
    name: 'ovs-tso',
    title: 'Open vSwitch + TSO',
    command: 'ovs-vswitchd',
    settings: 'userspace-tso-enable=true',
  },
  { name: 'kernel', title: 'kernel bridge', command: '', settings: '' },
];

interface Result {
  readonly measurement: string;
  readonly unit: string;
  readonly contestant: string;
  readonly values: number[];
  /** Processor time of the daemon, per cent of one core, one value a run. */
  readonly cpuPercent: number[];
}

interface Ready {
  readonly contestant: Contestant;
  readonly machine: Machine;
  readonly vswitch: Switch | undefined;
}

const options = readOptions(CONTESTANTS.map(({ name }) => name));
const ready: Ready[] = [];
const results: Result[] = [];

const makeReady = async (contestant: Contestant): Promise<void> => {
  const machine = await Machine.boot();
  const pin = options.pin === '' ? '' : `taskset -c ${options.pin} `;
  const vswitch =
    contestant.command === '' ? undefined : new Switch(machine, `${pin}${contestant.command}`);
  ready.push({ contestant, machine, vswitch });
  if (vswitch === undefined) await machine.sh('ip link add br0 type bridge && ip link set br0 up');
  else {
    await vswitch.start(contestant.settings);
    await vswitch.addBridge('br0');
  }
  for (const host of [H1, H2]) {
    await addHost(machine, { ...host, ipv6: false });
    await machine.sh(`ip link set ${host.port} up`);
    await machine.sh(
      vswitch === undefined
        ? `ip link set ${host.port} master br0`
        : `ovs-vsctl add-port br0 ${host.port}`,
    );
    if (contestant.interfaceSettings !== undefined)
      await machine.sh(
        `ovs-vsctl set interface ${host.port} other_config:${contestant.interfaceSettings}`,
      );
  }
};

const measure = async (measurement: Measurement): Promise<void> => {
  const rows = ready.map(({ contestant }): Result => {
    const { name, unit } = measurement;
    return { measurement: name, unit, contestant: contestant.name, values: [], cpuPercent: [] };
  });
  results.push(...rows);
  for (const { machine } of ready) await measurement.prepare(machine);
  for (let run = 0; run < options.runs; run++)
    for (const [index, { machine, vswitch }] of ready.entries()) {
      const row = rows[index] as Result;
      // What passes nothing once passes nothing twice, and each try costs a timeout.
      if (row.values[0] === 0) continue;
      const cpuBefore = (await vswitch?.cpuMs()) ?? 0;
      const began = performance.now();
      row.values.push(await measurement.run(machine, options.seconds));
      const tookMs = performance.now() - began;
      const cpuMs = ((await vswitch?.cpuMs()) ?? 0) - cpuBefore;
      row.cpuPercent.push((100 * cpuMs) / tookMs);
      process.stderr.write('.');
    }
};

const digits = (value: number): string =>
  Number.isNaN(value) ? '-' : value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);

const of = (measurement: string, contestant: string): number =>
  median(
    results.find((row) => row.measurement === measurement && row.contestant === contestant)
      ?.values ?? [],
  );

const cell = (measurement: Measurement, { contestant, vswitch }: Ready): string => {
  const row = results.find(
    (one) => one.measurement === measurement.name && one.contestant === contestant.name,
  );
  const cpu = vswitch === undefined ? '' : ` (${median(row?.cpuPercent ?? []).toFixed(0)} %)`;
  return `${digits(median(row?.values ?? []))}${cpu}`;
};

const ratio = (measurement: Measurement, peer: string): string => {
  const theirs = of(measurement.name, peer);
  if (theirs === 0) return 'they pass none';
  const value = of(measurement.name, 'ts-vswitch') / theirs;
  return Number.isNaN(value) ? '-' : `${value.toFixed(2)} x`;
};

const table = (): string => {
  const peers = ready.filter(({ contestant }) => contestant.name !== 'ts-vswitch');
  const versus = peers.map(({ contestant }) => `to ${contestant.title}`);
  const head = ['', 'unit', ...ready.map(({ contestant }) => contestant.title), ...versus];
  const rows = MEASUREMENTS.map((measurement) => [
    `${measurement.name} (${measurement.moreIsBetter ? 'more' : 'less'} is better)`,
    measurement.unit,
    ...ready.map((one) => cell(measurement, one)),
    ...peers.map(({ contestant }) => ratio(measurement, contestant.name)),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] as string).length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] as number)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
};

const report = async (): Promise<void> => {
  const ovs = await ready[0]?.machine.run('ovs-vswitchd --version');
  const about = [
    `medians of ${options.runs}, ${options.seconds} s each, in turn`,
    ovs?.stdout.split('\n')[0] ?? '',
    `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    `Node ${process.versions.node}`,
    options.pin === '' ? 'nothing pinned' : `daemons pinned to ${options.pin}`,
  ];
  const text = `${table()}\n\nIn brackets: processor time of the daemon, of one core. ${about.join('; ')}.\n`;
  console.log(`\n\n${text}`);
  mkdirSync(inRepository('bench/results'), { recursive: true });
  writeFileSync(inRepository('bench/results/peers.md'), `# ts-vswitch and its peers\n\n${text}`);
  const json = { date: new Date().toISOString(), about, options, results };
  writeFileSync(inRepository('bench/results/peers.json'), `${JSON.stringify(json, null, 2)}\n`);
};

const shutdown = async (): Promise<void> => {
  await Promise.all(ready.map(({ machine }) => machine.shutdown()));
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    shutdown().then(() => process.exit(130));
  });

try {
  for (const contestant of CONTESTANTS)
    if (options.only.length === 0 || options.only.includes(contestant.name))
      await makeReady(contestant);
  for (const measurement of MEASUREMENTS) {
    process.stderr.write(`\n${measurement.name} `);
    await measure(measurement);
  }
  await report();
} finally {
  await shutdown();
}
