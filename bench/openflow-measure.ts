/** What bench:openflow measures, each between h1 and h2 on a bridge br0 whose ports 1 and 2 they are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pingsWithin } from '../test/labs/support/host.ts';
import type { Machine } from '../test/labs/support/machine.ts';
import type { Switch } from '../test/labs/support/switch.ts';
import { memoryMb, put } from './contestant.ts';
import { type FlowShape, flowFile, SHAPES } from './flow-files.ts';
import { pinging, sending } from './measure.ts';

export interface Contestant {
  readonly machine: Machine;
  readonly vswitch: Switch;
}

export interface Figure {
  readonly label: string;
  readonly unit: string;
  readonly value: number;
}

interface Measurement {
  readonly name: string;
  prepare(one: Contestant): Promise<void>;
  run(one: Contestant): Promise<Figure[]>;
}

const figure = (label: string, unit: string, value: number): Figure => ({ label, unit, value });

/** The flow of the ping that runs meanwhile, above all others. */
const ESTABLISHED = [
  'table=0,priority=65500,arp,actions=NORMAL',
  'table=0,priority=65500,icmp,in_port=1,actions=output:2',
  'table=0,priority=65500,icmp,in_port=2,actions=output:1',
];

const anew = async ({ machine }: Contestant): Promise<void> => {
  await machine.sh('ovs-ofctl del-flows br0', { timeoutMs: 120_000 });
  for (const flow of ESTABLISHED) await machine.sh(`ovs-ofctl add-flow br0 '${flow}'`);
  await machine.sh('ovs-appctl revalidator/purge');
  await pingsWithin(machine, 'h1', '10.0.0.2', 10_000);
};

/** Seconds that a command takes, clocked in the shell that runs it. */
const timed = async (machine: Machine, command: string): Promise<number> => {
  const out = await machine.sh(
    `s=$(date +%s%N); ${command}; e=$(date +%s%N); echo; echo took $((e - s))`,
    { timeoutMs: 180_000 },
  );
  return Number(out.match(/took (\d+)/)?.[1]) / 1e9;
};

const loading = (
  shape: FlowShape,
  version: string,
  options: string,
  flows: number,
): Measurement => ({
  name: `add-flows ${shape.name} ${version}${options === '' ? '' : ` ${options}`}`,
  prepare: async ({ machine }) => put(machine, `${shape.name}.flows`, flowFile(shape, flows)),
  run: async (one) => {
    await anew(one);
    const before = await memoryMb(one.machine, one.vswitch, 'VmRSS');
    let seconds = 0;
    let deleting = 0;
    const cpu = await one.vswitch.cpuMs();
    const [longest, lost] = await pinging(one.machine, async () => {
      seconds = await timed(
        one.machine,
        `ovs-ofctl -O ${version} ${options} add-flows br0 /run/${shape.name}.flows`,
      );
    });
    const cpuMs = (await one.vswitch.cpuMs()) - cpu;
    const after = await memoryMb(one.machine, one.vswitch, 'VmRSS');
    const [longestDeleting] = await pinging(one.machine, async () => {
      deleting = await timed(one.machine, `ovs-ofctl -O ${version} del-flows br0 'cookie=0/0'`);
    });
    return [
      figure('flows/s', '1/s', flows / seconds),
      figure('longest ping meanwhile', 'ms', longest),
      figure('pings lost', '', lost),
      figure('processor time', 'us/flow', (cpuMs * 1000) / flows),
      figure('memory more', 'MB', after - before),
      figure('del-flows of all', 's', deleting),
      figure('longest ping while deleting', 'ms', longestDeleting),
    ];
  },
});

/** What is done to a table that is full already. */
const changing = (shape: FlowShape, flows: number): Measurement => ({
  name: `full table ${shape.name}`,
  prepare: async (one) => {
    await put(one.machine, `${shape.name}.flows`, flowFile(shape, flows));
    const half = Array.from({ length: flows }, (_, i) => `${shape.line(i, i % 2)}\n`).join('');
    await put(one.machine, 'half.flows', half + ESTABLISHED.map((flow) => `${flow}\n`).join(''));
  },
  run: async (one) => {
    const { machine } = one;
    await anew(one);
    await machine.sh(`ovs-ofctl add-flows br0 /run/${shape.name}.flows`, { timeoutMs: 120_000 });
    const seconds = new Map<string, number>();
    const measured = async (label: string, command: string): Promise<Figure[]> => {
      const [longest] = await pinging(one.machine, async () => {
        seconds.set(label, await timed(machine, command));
      });
      return [
        figure(label, 's', seconds.get(label) ?? Number.NaN),
        figure(`longest ping during ${label}`, 'ms', longest),
      ];
    };
    return [
      ...(await measured('dump-flows', 'ovs-ofctl dump-flows br0 > /dev/null')),
      ...(await measured('dump-aggregate', 'ovs-ofctl dump-aggregate br0 > /dev/null')),
      ...(await measured('replace-flows of half', 'ovs-ofctl replace-flows br0 /run/half.flows')),
      ...(await measured('mod-flows of all', 'ovs-ofctl mod-flows br0 tcp,actions=output:2')),
    ];
  },
});

/** Reads whole ports, so that each connection takes a megaflow of its own. */
const PER_CONNECTION =
  'actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31]';

/** UDP datagrams that came to h2, where nobody listens. */
const unheard = async (machine: Machine): Promise<number> => {
  const lines = (await machine.sh('ip netns exec h2 cat /proc/net/snmp')).split('\n');
  const [names, values] = lines
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('NoPorts')]);
};

const sendConnections = async (
  machine: Machine,
  count: number,
  perSecond: number,
): Promise<{ delivered: number; seconds: number }> => {
  const before = await unheard(machine);
  const seconds = Number(
    await machine.sh(sending({ count, perSecond, flows: 0, target: 0x0a000002 }), {
      timeoutMs: 30_000,
    }),
  );
  let delivered = 0;
  for (let last = -1; last !== delivered; ) {
    last = delivered;
    await sleep(150);
    delivered = (await unheard(machine)) - before;
  }
  return { delivered, seconds };
};

const settingUp = (
  title: string,
  count: number,
  perSecond: number,
  rules: string,
): Measurement => ({
  name: `set-up ${title}`,
  prepare: ({ machine }) => put(machine, 'rules', rules),
  run: async (one) => {
    const { machine, vswitch } = one;
    await anew(one);
    await machine.sh('ovs-ofctl add-flows br0 /run/rules', { timeoutMs: 120_000 });
    const cpu = await vswitch.cpuMs();
    let result = { delivered: 0, seconds: 1 };
    const [longest] = await pinging(one.machine, async () => {
      result = await sendConnections(machine, count, perSecond);
    });
    const cpuMs = (await vswitch.cpuMs()) - cpu;
    return [
      figure('delivered first packets/s', '1/s', result.delivered / result.seconds),
      figure('delivered', '%', (100 * result.delivered) / count),
      figure('processor time', 'us/delivered', (cpuMs * 1000) / result.delivered),
      figure('longest ping meanwhile', 'ms', longest),
    ];
  },
});

/** Five tables, of which the middle ones look at addresses and ports in several ways. */
const pipeline = (flows: number): string =>
  [
    `table=0,priority=1,udp,actions=resubmit(,1),resubmit(,2),resubmit(,3),resubmit(,4)`,
    'table=1,priority=1,ip,actions=load:1->NXM_NX_REG1[]',
    `table=2,priority=0,udp,${PER_CONNECTION}`,
    'table=3,priority=0,ip,actions=dec_ttl',
    'table=4,priority=0,actions=output:2',
    ...Array.from(
      { length: flows },
      (_, i) =>
        `table=3,priority=${10 + (i % 5)},udp,nw_src=10.9.${(i >> 8) & 255}.${i & 255},tp_dst=${i % 50_000},actions=drop`,
    ),
  ].join('\n');

/** How soon a flow-mod is in force in a full switch, and what packets notice. */
const revalidating = (flows: number): Measurement => ({
  name: 'flow-mod with 10,000 megaflows',
  prepare: async (one) => {
    await put(one.machine, 'exact.flows', flowFile(SHAPES[0], flows));
    await put(one.machine, 'rules', `priority=1,udp,${PER_CONNECTION},output:2`);
  },
  run: async (one) => {
    const { machine } = one;
    await anew(one);
    await machine.sh('ovs-ofctl add-flows br0 /run/exact.flows', { timeoutMs: 120_000 });
    await machine.sh('ovs-ofctl add-flows br0 /run/rules');
    await sendConnections(machine, 10_000, 5_000);
    const megaflows = (await machine.sh('ovs-appctl dpctl/dump-flows | wc -l')).trim();
    // Twenty changes of the flow that the ping takes, each clocked when ovs-ofctl is back.
    const delays: number[] = [];
    const [longest] = await pinging(one.machine, async () => {
      for (let i = 0; i < 20; i++) {
        const action = i % 2 === 0 ? 'drop' : 'output:2';
        await machine.sh(
          `ovs-ofctl add-flow br0 'priority=65500,icmp,in_port=1,actions=${action}'`,
        );
        await sleep(40);
      }
    });
    const ping = machine.start('ip netns exec h1 ping -n -D -i 0.002 10.0.0.2');
    await sleep(200);
    const changes: number[] = [];
    for (let i = 0; i < 10; i++) {
      const at = await machine.sh(
        `ovs-ofctl add-flow br0 'priority=65500,icmp,in_port=1,actions=drop'; date +%s%N; sleep 0.3; ovs-ofctl add-flow br0 'priority=65500,icmp,in_port=1,actions=output:2'; sleep 0.3`,
      );
      changes.push(Number(at) / 1e6);
    }
    await machine.sh(
      'for p in $(ip netns pids h1); do case "$(cat /proc/$p/comm)" in ping) kill -INT $p;; esac; done',
    );
    await ping.ended;
    const replies = [...ping.output().matchAll(/^\[([\d.]+)\] .*time=/gm)].map(
      (m) => Number(m[1]) * 1000,
    );
    for (const at of changes) {
      const late = replies.filter((t) => t > at && t < at + 250);
      delays.push(late.length === 0 ? 0 : (late.at(-1) as number) - at);
    }
    return [
      figure('megaflows', '', Number(megaflows)),
      figure('a drop is in force after, at most', 'ms', Math.max(...delays)),
      figure('longest ping during changes', 'ms', longest),
    ];
  },
});

const wide = `priority=1,udp,${PER_CONNECTION},output:2\n`;

export const measurements = (flows: number): readonly Measurement[] => [
  ...SHAPES.map((shape) => loading(shape, 'OpenFlow10', '', flows)),
  loading(SHAPES[0], 'OpenFlow13', '', flows),
  loading(SHAPES[0], 'OpenFlow14', '', flows),
  loading(SHAPES[0], 'OpenFlow14', '--bundle', flows),
  loading(SHAPES[2], 'OpenFlow13', '--bundle', flows),
  changing(SHAPES[0], flows),
  settingUp('20,000 at 10,000/s', 20_000, 10_000, wide),
  settingUp('20,000 at 30,000/s', 20_000, 30_000, wide),
  settingUp('60,000 as fast as they go', 60_000, 0, wide),
  settingUp('20,000 at 30,000/s through five tables', 20_000, 30_000, pipeline(10_000)),
  revalidating(flows),
];
