/**
 * `npm run bench:peers`: this switch, Open vSwitch's userspace datapath with and without its TSO setting, and
 * the kernel's bridge, each between two hosts of its own on one topology.
 *
 * They take turns (contest.ts). A benchmark, not a test: it always succeeds, and the reader judges. Results go to
 * bench/results/peers.md and .json.
 */
import { addHost } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { daemonCommand, Switch } from '../test/labs/support/switch.ts';
import { Contest } from './contest.ts';
import { H1, H2, MEASUREMENTS } from './measure.ts';
import { readOptions } from './options.ts';

interface Peer {
  readonly name: string;
  readonly title: string;
  /** Command of the daemon; empty for the kernel. */
  readonly command: string;
  readonly settings: string;
  /** Set in other_config of both interfaces. */
  readonly interfaceSettings?: string;
}

const CONTESTANTS: readonly Peer[] = [
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

interface Ready {
  readonly contestant: Peer;
  readonly machine: Machine;
  readonly vswitch: Switch | undefined;
}

const options = readOptions(CONTESTANTS.map(({ name }) => name));
const ready: Ready[] = [];

const makeReady = async (contestant: Peer): Promise<void> => {
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
  const contest = new Contest(
    ready.map(({ contestant: { name, title }, machine, vswitch }) =>
      vswitch === undefined
        ? { name, title, machine }
        : { name, title, machine, cpuMs: () => vswitch.cpuMs() },
    ),
    options,
  );
  for (const measurement of MEASUREMENTS)
    if (measurement.name.includes(options.rows)) await contest.measure(measurement);
  await contest.report('peers', 'ts-vswitch and its peers', [
    'In brackets: processor time of the daemon, of one core.',
  ]);
} finally {
  await shutdown();
}
