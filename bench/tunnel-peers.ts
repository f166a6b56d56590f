/**
 * `npm run bench:tunnel-peers`: two machines joined by a veth with the kernel's default offloads, a host behind each, and a tunnel
 * between: by this switch, by Open vSwitch's userspace datapath with the machines' addresses on a bridge br-phy (its tunnels
 * carry nothing otherwise), by the kernel's own tunnel device on its bridge.
 *
 * They take turns (contest.ts). Results go to bench/results/tunnel-peers.md, .json and .svg. A benchmark, not a test: the reader judges.
 */
import { execFileSync } from 'node:child_process';
import { addHost } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { daemonCommand, Switch } from '../test/labs/support/switch.ts';
import { Contest, type Contestant, type Figure, type Row } from './contest.ts';
import { sendIfAsked } from './frame-sender.ts';
import { flood, H1, H2, offloadsOff, roundTrips, tcp, warm } from './measure.ts';
import { readOptions } from './options.ts';

type TunnelType = 'vxlan' | 'gre';

interface Peer {
  readonly name: string;
  readonly title: string;
  /** Command of the daemons; empty for the kernel. */
  readonly command: string;
}

const PEERS: readonly Peer[] = [
  { name: 'ts-vswitch', title: 'ts-vswitch', command: daemonCommand() },
  { name: 'ovs', title: 'Open vSwitch', command: 'ovs-vswitchd' },
  { name: 'kernel', title: 'kernel', command: '' },
];
const UNDERLAY = ['10.3.0.1', '10.3.0.2'];
/** What fits any of the tunnels on an underlay of 1500. */
const INNER_MTU = 1450;

const machines: Machine[] = [];

/** A pair in the contest. */
interface Entrant extends Contestant {
  readonly pair: Pair;
}

/** Two machines of a peer with a host behind each. */
class Pair {
  readonly peer: Peer;
  readonly machines: readonly Machine[];
  private readonly switches: readonly Switch[];
  private type: TunnelType | '' = '';
  /** True when it has no tunnel of the type that was asked for. */
  isOut = false;

  private constructor(peer: Peer, pair: readonly Machine[], cpus: string) {
    this.peer = peer;
    this.machines = pair;
    const pin = cpus === '' ? '' : `taskset -c ${cpus} `;
    this.switches =
      peer.command === '' ? [] : pair.map((one) => new Switch(one, `${pin}${peer.command}`));
  }

  static async boot(peer: Peer, pin: string): Promise<Pair> {
    const pair = [await Machine.boot(), await Machine.boot()];
    machines.push(...pair);
    const end = (i: number) => ['eth1', 'netns', String(pair[i]?.pid)];
    execFileSync('ip', ['link', 'add', ...end(0), 'type', 'veth', 'peer', 'name', ...end(1)]);
    const made = new Pair(peer, pair, pin);
    await made.start();
    return made;
  }

  private async start(): Promise<void> {
    const [one, two] = this.machines as [Machine, Machine];
    for (const vswitch of this.switches) await vswitch.start();
    for (const host of [H1, H2]) await addHost(one, { ...host, ipv6: false });
    // Both hosts have their names on the first machine, where measurements are made; the second one's cable leads to the other.
    const move = ['link', 'set', H2.port, 'netns', String(two.pid)];
    execFileSync('nsenter', ['-t', String(one.pid), '-n', 'ip', ...move]);
    for (const host of ['h1', 'h2']) await one.sh(`ip -n ${host} link set eth0 mtu ${INNER_MTU}`);
    for (const [i, port] of [H1.port, H2.port].entries()) {
      const machine = this.machines[i] as Machine;
      await machine.sh(`ip link set eth1 up; ip link set ${port} up`);
      if (this.peer.name === 'ovs') {
        await this.switches[i]?.addBridge('br-phy');
        await machine.sh('ovs-vsctl add-port br-phy eth1');
        await machine.sh(`ip addr add ${UNDERLAY[i]}/24 dev br-phy; ip link set br-phy up`);
      } else await machine.sh(`ip addr add ${UNDERLAY[i]}/24 dev eth1`);
      if (this.switches.length === 0)
        await machine.sh(`ip link add br0 type bridge; ip link set br0 up`);
      else await this.switches[i]?.addBridge('br0');
      await machine.sh(
        this.switches.length === 0
          ? `ip link set ${port} master br0`
          : `ovs-vsctl add-port br0 ${port}`,
      );
    }
    // With the kernel's default offloads no TCP at all gets through it.
    if (this.peer.name === 'ovs') await offloadsOff(one);
  }

  /** Joins the hosts by a tunnel of this type in place of the one before. */
  async join(type: TunnelType): Promise<void> {
    if (this.type === type) return;
    this.isOut = false;
    for (const [i, machine] of this.machines.entries()) {
      const remote = UNDERLAY[1 - i];
      if (this.switches.length > 0) {
        await machine.sh(
          `ovs-vsctl --if-exists del-port t0 -- add-port br0 t0 -- set interface t0 type=${type} options:remote_ip=${remote}`,
        );
        continue;
      }
      await machine.run('ip link del t0');
      const local = UNDERLAY[i];
      const device =
        type === 'vxlan' ? 'vxlan id 0 dstport 4789 dev eth1' : `gretap local ${local} dev eth1`;
      const { status } = await machine.run(
        `ip link add t0 type ${device} remote ${remote} && ip link set t0 master br0 up`,
      );
      // A kernel without GRE devices has no part in it.
      if (status !== 0) this.isOut = true;
    }
    this.type = type;
  }

  entrant(): Entrant {
    const { name, title } = this.peer;
    const [machine] = this.machines as [Machine];
    if (this.switches.length === 0) return { name, title, machine, pair: this };
    const cpuMs = async () => {
      let sum = 0;
      for (const vswitch of this.switches) sum += await vswitch.cpuMs();
      return sum;
    };
    return { name, title, machine, pair: this, cpuMs };
  }
}

/** What is measured over each type of tunnel. */
const FIGURES: readonly (Figure & {
  readonly name: string;
  run(machine: Machine, seconds: number): Promise<number>;
})[] = [
  { name: 'tcp', label: 'TCP', unit: 'Gbit/s', moreIsBetter: true, run: tcp },
  { name: 'frames', label: '64-byte frames', unit: 'k/s', moreIsBetter: true, run: flood },
  {
    name: 'ping',
    label: 'ping median',
    unit: 'us',
    moreIsBetter: false,
    run: async (machine) => (await roundTrips(machine))[0],
  },
];

const ROWS = (['vxlan', 'gre'] as const).flatMap((type) =>
  FIGURES.map(
    ({ name, run, ...figure }): Row<Entrant> => ({
      name: `${type}-${name}`,
      figures: [{ ...figure, label: `${figure.label} over ${type.toUpperCase()}` }],
      prepare: async ({ pair, machine }) => {
        await pair.join(type);
        if (!pair.isOut) await warm(machine);
      },
      run: async ({ pair, machine }, seconds) => [
        pair.isOut ? Number.NaN : await run(machine, seconds),
      ],
    }),
  ),
);

sendIfAsked();
const options = readOptions(
  PEERS.map(({ name }) => name),
  ROWS.map(({ name }) => name),
);

const shutdown = async (): Promise<void> => {
  await Promise.all(machines.map((machine) => machine.shutdown()));
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    shutdown().then(() => process.exit(130));
  });

try {
  const pairs: Pair[] = [];
  for (const peer of PEERS)
    if (options.only.includes(peer.name)) pairs.push(await Pair.boot(peer, options.pin));
  const entrants = pairs.map((pair) => pair.entrant());
  const contest = new Contest(entrants, ROWS, options);
  await contest.run({
    name: 'tunnel-peers',
    title: 'Tunnels of ts-vswitch and its peers',
    notes: [
      "TCP with the hosts' default offloads, but for Open vSwitch, which passes none with them: its hosts have theirs off.",
      'In brackets: processor time of both daemons, of one core.',
    ],
  });
} finally {
  await shutdown();
}
