/**
 * Queues as people make them, with ovs-vsctl, flows that choose them, with ovs-ofctl, and iperf3 to see what comes through. Open
 * vSwitch's userspace datapath leaves the choice of queue to nobody (ADR 11), so this lab is about this switch only.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin, transfer } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

const MBIT = 1_000_000;
/** TCP payload in a full frame. */
const PAYLOAD = 1448 / 1514;

describe.skipIf(isReference()).sequential('queues', () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await vswitch.post()));
      await body();
    }, 60_000);

  /** bit/s that arrive at h2. */
  const rate = async (seconds: number, extra = '') =>
    (await transfer(machine, { from: 'h1', to: 'h2', address: '10.0.0.2', seconds, extra }))
      .bitsPerSecond;

  const expectRate = (measured: number, wanted: number) => {
    expect(measured).toBeGreaterThan(0.9 * wanted);
    expect(measured).toBeLessThan(1.1 * wanted);
  };

  /** tx_bytes and so on of a queue of p2. */
  const queueStats = async (queue: number) => {
    const text = await machine.sh(`ovs-ofctl -O OpenFlow13 queue-stats br0 p2 ${queue}`);
    const found = /bytes=(\d+), pkts=(\d+), errors=(\d+), duration=(\d+)/.exec(text);
    if (found === null) throw new Error(`no queue in ${text}`);
    const [bytes, packets, errors, seconds] = found.slice(1).map(Number);
    return { bytes, packets, errors, seconds };
  };

  beforeAll(async () => {
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    await vswitch.start();
    await vswitch.addBridge('br0');
    for (const index of [1, 2]) {
      await addHost(machine, {
        name: `h${index}`,
        port: `p${index}`,
        address: `10.0.0.${index}/24`,
      });
      await machine.sh(`ip link set p${index} up`);
      await machine.sh(`ovs-vsctl add-port br0 p${index}`);
    }
    await machine.sh('ip addr add 10.0.0.100/24 dev br0 && ip link set br0 up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('are made and shown', async () => {
    await machine.sh(
      `ovs-vsctl set port p2 qos=@qos -- --id=@qos create qos type=linux-htb other-config:max-rate=${100 * MBIT} \
       queues:0=@q0 queues:1=@q1 queues:2=@q2 \
       -- --id=@q0 create queue other-config:min-rate=${MBIT} \
       -- --id=@q1 create queue other-config:max-rate=${10 * MBIT} \
       -- --id=@q2 create queue other-config:min-rate=${20 * MBIT} other-config:max-rate=${30 * MBIT}`,
    );
    expect(await machine.sh('ovs-appctl qos/show p2')).toContain(
      'Queue 1:\n  burst: 12512\n  min-rate: 12000\n  max-rate: 10000000\n  tx_packets: 0\n',
    );
    expect(await machine.sh('ovs-ofctl queue-stats br0 p2')).toMatch(
      /3 queues\n.*queue 0.*\n.*queue 1.*\n.*queue 2/,
    );
    await machine.sh(
      `ovs-ofctl add-flow br0 'priority=10,tcp,tp_dst=5201,actions=set_queue:1,normal' &&
       ovs-ofctl add-flow br0 'priority=10,udp,tp_dst=5201,actions=enqueue:p2:2'`,
    );
  });

  step('hold TCP to the rate of its queue', async () => {
    expectRate(await rate(3), 10 * MBIT * PAYLOAD);
    const { bytes, packets, seconds } = await queueStats(1);
    expectRate((bytes * 8) / 3, 10 * MBIT * 1.05);
    expect(bytes / packets).toBeGreaterThan(1000);
    expect(bytes / packets).toBeLessThanOrEqual(1514);
    expect(seconds).toBeGreaterThanOrEqual(3);
  });

  step('drop, and count, what comes faster', async () => {
    expectRate(await rate(2, '-u -b 45M -l 1400'), (30 * MBIT * 1400) / 1442);
    expect((await queueStats(2)).errors).toBeGreaterThan(500);
  });

  step('leave each other alone', async () => {
    const flood = machine.start('ip netns exec h2 iperf3 -s -p 5300 -1 --idle-timeout 15');
    await machine.until('ip netns exec h2 ss -Hltn sport = :5300', (out) => out !== '');
    await machine.sh(
      "ovs-ofctl add-flow br0 'priority=11,udp,tp_dst=5300,actions=set_queue:2,normal'",
    );
    const client = machine.start(
      'ip netns exec h1 iperf3 -c 10.0.0.2 -p 5300 -u -b 45M -l 1400 -t 4',
    );
    expectRate(await rate(2), 10 * MBIT * PAYLOAD);
    const before = await queueStats(0);
    expect(await machine.sh('ip netns exec h1 ping -c 5 -i 0.1 -W 1 10.0.0.2')).toContain(
      ' 0% packet loss',
    );
    expect((await queueStats(0)).packets - before.packets).toBeGreaterThanOrEqual(5);
    await client.ended;
    await flood.ended;
  });

  step('change their rates while they work', async () => {
    await machine.sh(
      `ovs-vsctl set queue $(ovs-vsctl get qos $(ovs-vsctl get port p2 qos) queues:1) other-config:max-rate=${40 * MBIT}`,
    );
    expectRate(await rate(2), 40 * MBIT * PAYLOAD);
  });

  step('work for internal ports, too', async () => {
    await machine.sh(
      `ovs-vsctl set port br0 qos=@qos -- --id=@qos create qos type=linux-htb other-config:max-rate=${20 * MBIT}`,
    );
    const server = machine.start('iperf3 -s -1 --idle-timeout 15');
    await machine.until('ss -Hltn sport = :5201', (out) => out !== '');
    const report = await machine.sh('ip netns exec h1 iperf3 -c 10.0.0.100 -t 2 -J');
    await server.ended;
    expectRate(JSON.parse(report).end.sum_received.bits_per_second, 20 * MBIT * PAYLOAD);
  });

  step('netem makes a wire long', async () => {
    await machine.sh(
      'ovs-vsctl clear port br0 qos -- set port p2 qos=@qos -- --id=@qos create qos type=linux-netem other-config:latency=40000',
    );
    const text = await machine.sh('ip netns exec h1 ping -c 3 -i 0.1 -W 1 10.0.0.2');
    const shortest = Number(/min\/avg\/max\/mdev = ([\d.]+)/.exec(text)?.[1]);
    expect(shortest).toBeGreaterThanOrEqual(40);
    expect(shortest).toBeLessThan(60);
  });

  step('are gone with the row', async () => {
    await machine.sh('ovs-vsctl clear port p2 qos -- --all destroy qos -- --all destroy queue');
    expect(await machine.sh('ovs-appctl qos/show p2')).toBe('QoS not configured on p2\n');
    expect(await machine.sh('ovs-ofctl queue-stats br0')).toContain(' 0 queues');
    expect(await rate(1)).toBeGreaterThan(100 * MBIT);
  });
});
