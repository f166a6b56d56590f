/**
 * What bench:peers measures, row by row: TCP, frames by size, by flows and by rules, round trips, processor time, flow set-up,
 * memory. Contestants without OpenFlow take no part where there are rules.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addHost } from '../test/labs/support/host.ts';
import type { Figure, Row } from './contest.ts';
import { boot, type Joined, KERNEL, memoryMb, OURS, OVS, OVS_TSO, put } from './contestant.ts';
import type { Load } from './frame-sender.ts';
import {
  flood,
  floodPing,
  offloadsOff,
  pinging,
  received,
  roundTrips,
  sending,
  tcp,
  warm,
} from './measure.ts';

type PeerRow = Row<Joined>;

const SWITCHES = [OURS.name, OVS.name];
const EVERYBODY = [...SWITCHES, KERNEL.name];
const WITH_TSO = [...EVERYBODY, OVS_TSO.name];
const NORMAL = 'priority=0,actions=NORMAL';

const more = (label: string, unit: string): Figure => ({ label, unit, moreIsBetter: true });
const less = (label: string, unit: string): Figure => ({ label, unit, moreIsBetter: false });

/** Flows in the bridge from now on; a kernel's bridge has none. */
const useRules = async ({ machine, vswitch }: Joined, rules: readonly string[]) => {
  if (vswitch === undefined) return;
  await put(machine, 'rules', rules.map((rule) => `${rule}\n`).join(''));
  await machine.sh('ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 /run/rules', {
    timeoutMs: 120_000,
  });
};

const setGro = async ({ peer, machine }: Joined, value: boolean): Promise<void> => {
  if (peer !== OURS) return;
  for (const port of ['port1', 'port2'])
    await machine.sh(`ovs-vsctl set interface ${port} other_config:gro=${value}`);
};

/** Processor time of the daemon for each frame delivered, at a rate that nobody has trouble with. */
const cpuPerFrame = async (
  { machine, vswitch }: Joined,
  seconds: number,
  load: Partial<Load>,
): Promise<readonly number[]> => {
  if (vswitch === undefined) return [Number.NaN];
  const cpuBefore = await vswitch.cpuMs();
  const before = await received(machine);
  await machine.sh(sending({ ...load, seconds: seconds + 0.5 }));
  await sleep(100);
  const count = (await received(machine)) - before;
  return [(((await vswitch.cpuMs()) - cpuBefore) * 1000) / count];
};

/** A row of floods. */
const frames = (
  name: string,
  label: string,
  load: Partial<Load>,
  rules: readonly string[],
  names: readonly string[],
): PeerRow => ({
  name,
  figures: [more(label, 'k/s')],
  for: names,
  prepare: async (one) => {
    await offloadsOff(one.machine);
    await useRules(one, [NORMAL]);
    await warm(one.machine);
    await useRules(one, rules);
  },
  run: async ({ machine }, seconds) => [await flood(machine, seconds, load)],
});

/** `count` rules, one for each destination port; other traffic is switched as before. */
const portRules = (count: number): string[] => [
  ...Array.from({ length: count }, (_, i) => `priority=100,udp,tp_dst=${1 + i},actions=output:2`),
  NORMAL,
];

/** Twenty shapes, of which each flow of the row fulfils all; that of the highest priority with its port is its rule. */
const SHAPES: readonly string[] = [
  ...[8, 12, 16].map((bits) => `nw_src=10.1.0.0/${bits}`),
  ...[8, 12, 16, 24, 32].map((bits) => `nw_dst=10.0.0.3/${bits}`),
  ...[8, 16].flatMap((bits) =>
    [10, 20, 30].map((to) => `nw_src=10.1.0.0/${bits},nw_dst=10.0.0.3/${to}`),
  ),
  'in_port=1',
  'in_port=1,nw_src=10.1.0.0/16',
  'in_port=1,nw_dst=10.0.0.3',
  'dl_src=02:00:00:00:00:01',
  'dl_dst=02:00:00:00:00:02',
  'dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02',
];
const maskRules = (count: number): string[] => [
  ...Array.from({ length: count }, (_, i) => {
    const shape = i % SHAPES.length;
    return `priority=${100 + shape},udp,${SHAPES[shape]},tp_dst=${1 + i},actions=output:2`;
  }),
  NORMAL,
];

/**
 * Reads both ports of each packet, so that a megaflow covers one connection: with addresses, that NORMAL reads from the Ethernet
 * header, every new pair of ports is a miss. In front of it a list of refused ports, as an access list would have it.
 */
const PER_CONNECTION = [
  ...Array.from({ length: 50 }, (_, i) => `priority=100,tcp,tp_dst=${7000 + i},actions=drop`),
  ...Array.from({ length: 50 }, (_, i) => `priority=100,udp,tp_dst=${65000 + i},actions=drop`),
  'priority=10,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],NORMAL',
  NORMAL,
];

/** Every call another one: flows of an earlier run may still be cached. */
const freshSource = (): number => 0x0a010000 + (Math.floor(performance.now()) & 0xffff);

const plain = async (one: Joined): Promise<void> => {
  await offloadsOff(one.machine);
  await useRules(one, [NORMAL]);
  await warm(one.machine);
};

/** New flows that come at once, as fast as they can be sent. */
const BURST = 100_000;

/** What a ping that has its flow for long notices of a burst of new ones, and how much memory that takes. */
const burst = async ({ machine, vswitch }: Joined): Promise<readonly number[]> => {
  if (vswitch === undefined) return [];
  const before = await memoryMb(machine, vswitch, 'VmRSS');
  const load = { flows: 0, count: BURST, source: freshSource() };
  const [longestMs, lost] = await pinging(machine, async () => {
    await machine.sh(sending(load));
  });
  return [longestMs, lost, Math.max(0, (await memoryMb(machine, vswitch, 'VmRSS')) - before)];
};

/** New flows of the row about memory: how many, and how fast. */
const INSERTS = 1_000_000;
const INSERTS_PER_SECOND = 50_000;

/** A switch of its own: what other rows left behind does not count. */
const memory = async ({ peer }: Joined): Promise<readonly number[]> => {
  const one = await boot(peer);
  try {
    const { machine, vswitch } = one;
    for (let i = 3; i <= 10; i++) {
      await addHost(machine, { name: `h${i}`, port: `port${i}`, ipv6: false });
      await machine.sh(`ip link set port${i} up && ovs-vsctl add-port br0 port${i}`);
    }
    await warm(machine);
    await sleep(3000);
    if (vswitch === undefined) return [];
    const idle = await memoryMb(machine, vswitch, 'VmRSS');
    await useRules(one, PER_CONNECTION);
    const seconds = (1.2 * INSERTS) / INSERTS_PER_SECOND;
    const load = { flows: 0, perSecond: INSERTS_PER_SECOND, count: INSERTS, seconds };
    await machine.sh(sending(load), { timeoutMs: 60_000 });
    return [idle, await memoryMb(machine, vswitch, 'VmHWM')];
  } finally {
    await one.machine.shutdown();
  }
};

/** In this order: offloads are turned off once and stay off. */
export const ROWS: readonly PeerRow[] = [
  {
    name: 'tcp-on',
    figures: [more('TCP, default offloads', 'Gbit/s')],
    for: WITH_TSO,
    prepare: async ({ machine }) => void (await warm(machine)),
    run: async ({ machine }, seconds) => [await tcp(machine, seconds)],
  },
  {
    name: 'tcp-off',
    figures: [more('TCP, offloads off', 'Gbit/s')],
    for: WITH_TSO,
    prepare: plain,
    run: async ({ machine }, seconds) => [await tcp(machine, seconds)],
  },
  {
    name: 'tcp-off-gro',
    figures: [more('TCP, offloads off, ours with other_config:gro', 'Gbit/s')],
    for: EVERYBODY,
    prepare: async (one) => {
      await plain(one);
      await setGro(one, true);
    },
    run: async ({ machine }, seconds) => [await tcp(machine, seconds)],
    finish: (one) => setGro(one, false),
  },
  frames('frames-64', '64-byte frames, one flow', {}, [NORMAL], EVERYBODY),
  frames('frames-512', '512-byte frames, one flow', { bytes: 508 }, [NORMAL], EVERYBODY),
  frames('frames-1500', '1500-byte frames, one flow', { bytes: 1496 }, [NORMAL], EVERYBODY),
  frames('flows-1000', '64-byte frames, 1,000 flows', { flows: 1000 }, [NORMAL], EVERYBODY),
  frames('flows-100000', '64-byte frames, 100,000 flows', { flows: 100_000 }, [NORMAL], EVERYBODY),
  ...[1, 100, 10_000].map((rules) =>
    frames(
      `rules-${rules}`,
      `1,000 flows, ${rules.toLocaleString('en')} OpenFlow rule${rules > 1 ? 's' : ''}`,
      { flows: 1000, destinations: Math.min(1000, rules) },
      portRules(rules),
      SWITCHES,
    ),
  ),
  frames(
    'masks',
    '10,000 flows, 1,000 rules with 20 masks',
    { flows: 10_000, destinations: 1000, source: 0x0a010000, isSpread: true },
    maskRules(1000),
    SWITCHES,
  ),
  {
    name: 'cpu',
    figures: [less('processor time a 64-byte frame, at 100,000/s', 'us')],
    for: SWITCHES,
    prepare: plain,
    run: (one, seconds) => cpuPerFrame(one, seconds, { perSecond: 100_000 }),
  },
  {
    name: 'ping',
    figures: [less('ping round trip, median', 'us'), less('ping round trip, p99', 'us')],
    for: EVERYBODY,
    prepare: plain,
    run: ({ machine }) => roundTrips(machine),
  },
  {
    name: 'flood-ping',
    figures: [less('flood ping, average', 'us')],
    for: EVERYBODY,
    prepare: plain,
    run: async ({ machine }) => [await floodPing(machine)],
  },
  {
    name: 'setup',
    figures: [more('flow set-up: every frame a new flow', 'k/s')],
    for: SWITCHES,
    prepare: async (one) => {
      await plain(one);
      await useRules(one, PER_CONNECTION);
    },
    run: async ({ machine }, seconds) => [
      await flood(machine, seconds, { flows: 0, source: freshSource() }),
    ],
  },
  {
    name: 'setup-cpu',
    figures: [less('processor time a new flow, at 20,000/s', 'us')],
    for: SWITCHES,
    prepare: async (one) => {
      await plain(one);
      await useRules(one, PER_CONNECTION);
    },
    run: (one, seconds) =>
      cpuPerFrame(one, seconds, { flows: 0, perSecond: 20_000, source: freshSource() }),
  },
  {
    name: 'burst',
    figures: [
      less('longest ping in a burst of 100,000 flows', 'ms'),
      less('pings lost in the burst', ''),
      less('memory more after the burst', 'MB'),
    ],
    for: SWITCHES,
    prepare: async (one) => {
      await plain(one);
      await useRules(one, PER_CONNECTION);
    },
    run: burst,
  },
  {
    name: 'memory',
    figures: [
      less('memory, idle, 10 ports', 'MB'),
      less('memory, highest over 1,000,000 new flows', 'MB'),
    ],
    for: SWITCHES,
    isOnce: true,
    run: (one) => memory(one),
  },
];
