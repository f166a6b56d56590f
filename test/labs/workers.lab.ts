/**
 * Two datapath workers and more: traffic in both directions at once, counts that equal what hosts saw, frames of a flow in their
 * order, and the number of workers changed meanwhile. Open vSwitch has no such threads without DPDK or dummy ports, so this lab is
 * about this switch only.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin, transfer } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

/** Sends `count` numbered datagrams to port 7000 at `rate` a second, in `flows` flows in turn, after one of each that makes it known. */
const SENDER = `
import socket, sys, time
to, count, rate, flows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(flows)]
for one in s: one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
began = time.monotonic()
for n in range(count):
    s[n % flows].sendto(n.to_bytes(4, 'big'), (to, 7000))
    if n == flows - 1: time.sleep(0.3); began += 0.3
    if n % 20 == 19:
        ahead = n / rate - (time.monotonic() - began)
        if ahead > 0: time.sleep(ahead)
`;
/** Receives them until none comes for two seconds; prints how many came and how many after a later one of their flow. */
const RECEIVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)
s.bind(('', 7000))
got, late, last = 0, 0, {}
s.settimeout(10)
print('ready', flush=True)
try:
    while True:
        data, source = s.recvfrom(64)
        n = int.from_bytes(data, 'big')
        s.settimeout(2)
        got += 1
        late += n <= last.get(source, -1)
        last[source] = max(last.get(source, -1), n)
except TimeoutError:
    print(got, late, flush=True)
`;

describe.skipIf(isReference()).sequential('datapath workers', () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await vswitch.post()));
      await body();
    }, 60_000);

  const python = (host: string, script: string, ...args: string[]) =>
    `ip netns exec ${host} python3 -c '${script.replaceAll("'", `'"'"'`)}' ${args.join(' ')}`;

  const workers = (count: number) =>
    machine.sh(`ovs-vsctl set Open_vSwitch . other_config:n-datapath-workers=${count}`);

  /** Numbered datagrams from `from` to `to`: how many came, and how many after a later one. */
  const stream = async (
    from: string,
    to: string,
    address: string,
    count: number,
    rate: number,
    flows = 1,
  ) => {
    const receiver = machine.start(python(to, RECEIVER));
    await machine.until(`ip netns exec ${to} ss -Hlun sport = :7000`, (out) => out !== '');
    await machine.sh(python(from, SENDER, address, `${count} ${rate} ${flows}`));
    await receiver.ended;
    const [got, late] = receiver.output().trim().split('\n').at(-1)!.split(' ').map(Number);
    return { got, late };
  };

  /** A busy machine loses some where nobody listens in time; none is late. */
  const expectInOrder = ({ got, late }: { got: number; late: number }, sent: number) => {
    expect(late).toBe(0);
    expect(got).toBeGreaterThan(0.98 * sent);
    expect(got).toBeLessThanOrEqual(sent);
  };

  /** Packets of a device as its host counts them. */
  const hostCount = async (host: string, direction: 'rx' | 'tx') =>
    Number(
      await machine.sh(
        `ip netns exec ${host} cat /proc/net/dev | awk '/eth0/ { print $${direction === 'rx' ? 3 : 11} }'`,
      ),
    );
  /** Of ovs-ofctl dump-ports. */
  const portCount = async (port: string) => {
    const text = await machine.sh(`ovs-ofctl dump-ports br0 ${port}`);
    const found = /rx pkts=(\d+), bytes=\d+, drop=(\d+).*\n\s*tx pkts=(\d+)/.exec(text);
    if (found === null) throw new Error(`no counts in ${text}`);
    const [rx, rxDropped, tx] = found.slice(1).map(Number);
    return { rx, rxDropped, tx };
  };
  const flowCount = async (match: string) =>
    Number(
      /n_packets=(\d+)/.exec(await machine.sh(`ovs-ofctl dump-flows br0 ${match}`))?.[1] ?? -1,
    );

  beforeAll(async () => {
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    await vswitch.start('n-datapath-workers=2');
    await vswitch.addBridge('br0');
    for (const index of [1, 2]) {
      const name = `h${index}`;
      const port = `p${index}`;
      await addHost(machine, { name, port, address: `10.0.0.${index}/24`, ipv6: false });
      await machine.sh(`ip link set p${index} up && ovs-vsctl add-port br0 p${index}`);
    }
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('divide the ports among them', async () => {
    const shown = await machine.sh('ovs-appctl dpif-netdev/pmd-rxq-show');
    expect(shown).toMatch(
      /^Displaying last 60 seconds pmd usage %\npmd thread numa_id 0 core_id 0:\n {2}isolated : false\n {2}port: br0 +queue-id: {2}0 \(enabled\) {3}pmd usage: +\d+ %\n {2}port: p2 /,
    );
    expect(shown).toMatch(/core_id 1:\n {2}isolated : false\n {2}port: p1 /);
    const stats = await machine.sh('ovs-appctl dpif-netdev/pmd-stats-show');
    expect(stats.match(/packets received: [1-9]/g)).toHaveLength(2);
  });

  step('carry TCP both ways at once', async () => {
    const extra = '--bidir';
    const { bytes } = await transfer(machine, {
      from: 'h1',
      to: 'h2',
      address: '10.0.0.2',
      seconds: 3,
      extra,
    });
    expect(bytes).toBeGreaterThan(50e6);
  });

  step('count what hosts saw, exactly, and keep the order', async () => {
    await machine.sh(
      `ovs-ofctl add-flow br0 priority=10,udp,in_port=p1,actions=normal &&
       ovs-ofctl add-flow br0 priority=10,udp,in_port=p2,actions=normal`,
    );
    const before = await Promise.all([
      hostCount('h1', 'tx'),
      hostCount('h2', 'rx'),
      portCount('p1'),
      portCount('p2'),
    ]);
    const [there, back] = await Promise.all([
      stream('h1', 'h2', '10.0.0.2', 30_000, 10_000),
      stream('h2', 'h1', '10.0.0.1', 30_000, 10_000),
    ]);
    expectInOrder(there, 30_000);
    expectInOrder(back, 30_000);
    await machine.sh('ovs-appctl revalidator/wait');
    const after = await Promise.all([
      hostCount('h1', 'tx'),
      hostCount('h2', 'rx'),
      portCount('p1'),
      portCount('p2'),
    ]);
    const dropped = after[2].rxDropped - before[2].rxDropped;
    expect(after[2].rx - before[2].rx + dropped).toBe(after[0] - before[0]);
    expect(await flowCount('udp,in_port=p1')).toBe(30_000 - dropped);
    const droppedBack = after[3].rxDropped - before[3].rxDropped;
    expect(await flowCount('udp,in_port=p2')).toBe(30_000 - droppedBack);
    expect(after[3].tx - before[3].tx).toBe(after[1] - before[1]);
  });

  step('come and go under traffic, losing neither frames nor order nor counts', async () => {
    const before = await portCount('p1');
    const counted = await flowCount('udp,in_port=p1');
    const running = stream('h1', 'h2', '10.0.0.2', 40_000, 8_000);
    for (const count of [1, 3, 2, 1, 2]) await workers(count);
    expectInOrder(await running, 40_000);
    await machine.sh('ovs-appctl revalidator/wait');
    const after = await portCount('p1');
    const dropped = after.rxDropped - before.rxDropped;
    expect((await flowCount('udp,in_port=p1')) - counted).toBe(40_000 - dropped);
  });

  step('stay as they are when the setting makes no sense, and say so', async () => {
    await machine.sh('ovs-vsctl set Open_vSwitch . other_config:pmd-cpu-mask=nonsense');
    const threads = async () =>
      (await machine.sh('ovs-appctl dpif-netdev/pmd-rxq-show')).match(/core_id/g)?.length;
    expect(await threads()).toBe(2);
    expect(await machine.sh('cat /var/log/openvswitch/ovs-vswitchd.log')).toContain(
      'WARN|ignoring invalid other_config:pmd-cpu-mask "nonsense": hexadecimal digits are wanted',
    );
    await machine.sh('ovs-vsctl set Open_vSwitch . other_config:pmd-cpu-mask=0x1');
    expect(await threads()).toBe(1);
    const pid = await vswitch.daemonPid();
    const bound = await machine.sh(
      `grep -h Cpus_allowed_list /proc/${pid}/task/*/status | sort | uniq -c`,
    );
    expect(bound).toMatch(/^\s*1 Cpus_allowed_list:\t0$/m);
    await machine.sh('ovs-vsctl remove Open_vSwitch . other_config pmd-cpu-mask');
    expect(await threads()).toBe(2);
  });

  step('divide the flows of one port among its queues', async () => {
    await machine.sh(
      `ovs-vsctl set interface p1 options:n_rxq=2 -- add-port br0 i1 -- set interface i1 type=internal options:n_rxq=2 &&
       ip link set i1 netns h2 && ip -n h2 addr add 10.0.1.2/24 dev i1 && ip -n h2 link set i1 up &&
       ip -n h1 addr add 10.0.1.1/24 dev eth0`,
    );
    const shown = await machine.sh('ovs-appctl dpif-netdev/pmd-rxq-show');
    for (const port of ['p1', 'i1']) {
      for (const queue of [0, 1])
        expect(shown).toMatch(new RegExp(`${port} +queue-id: +${queue} `));
    }
    expect(await pingsWithin(machine, 'h1', '10.0.1.2', 5000)).toBe(true);
    await machine.sh('ovs-appctl dpif-netdev/pmd-stats-clear && ovs-ofctl del-flows br0 udp');
    await machine.sh('ovs-ofctl add-flow br0 priority=10,udp,actions=normal');
    const [there, back] = await Promise.all([
      stream('h1', 'h2', '10.0.1.2', 30_000, 8_000, 32),
      stream('h2', 'h1', '10.0.1.1', 30_000, 8_000, 32),
    ]);
    expectInOrder(there, 30_000);
    expectInOrder(back, 30_000);
    await machine.sh('ovs-appctl revalidator/wait');
    const counted = await flowCount('udp');
    expect(counted).toBeGreaterThanOrEqual(there.got + back.got);
    expect(counted).toBeLessThanOrEqual(60_000);
    const received = (await machine.sh('ovs-appctl dpif-netdev/pmd-stats-show'))
      .match(/(?<=packets received: )\d+/g)
      ?.map(Number);
    expect(received?.[0]).toBeGreaterThan(10_000);
    expect(received?.[1]).toBeGreaterThan(10_000);
    await machine.sh(
      'ovs-vsctl remove interface p1 options n_rxq -- del-port i1 && ip -n h1 addr del 10.0.1.1/24 dev eth0',
    );
  });

  step('shape a port and meter a flow as one would', async () => {
    await machine.sh(
      `ovs-vsctl set port p2 qos=@qos -- --id=@qos create qos type=linux-htb other-config:max-rate=20000000`,
    );
    const shaped = await transfer(machine, {
      from: 'h1',
      to: 'h2',
      address: '10.0.0.2',
      seconds: 3,
    });
    expect(shaped.bitsPerSecond).toBeGreaterThan(17e6);
    expect(shaped.bitsPerSecond).toBeLessThan(20.5e6);
    await machine.sh('ovs-vsctl clear port p2 qos');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 3000)).toBe(true);
  });
});
