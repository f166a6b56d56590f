/**
 * The tunnel part of the lab that the switch exists for: two hosts whose eth1 belongs to no bridge, GRE, VLANs across it, VXLAN in
 * its place, and a third host behind the second, which forwards between two kinds of tunnels. The commands are the lab's, letter for
 * letter; the interface is added before it has a type, as there.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin, transfer } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { captured, Network } from './support/network.ts';

describe.sequential('lab 000, tunnels', () => {
  let network: Network;
  let one: Machine;
  let two: Machine;
  let three: Machine;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await network.post()));
      await body();
    }, 60_000);

  beforeAll(async () => {
    network = await Network.boot(['192.168.20.1/24', '192.168.20.2/24', '192.168.20.3/24']);
    [one, two, three] = network.hosts.map(({ machine }) => machine);
    await network.start();
    for (const { vswitch } of network.hosts) await vswitch.addBridge('br-in');
    await addHost(one, { name: 'test1', port: 'vif0.0', address: '10.0.3.215/24' });
    await addHost(one, { name: 'test2', port: 'vif1.0', address: '10.0.3.2/24' });
    await addHost(two, { name: 'test3', port: 'vif0.0', address: '10.0.3.230/24' });
    await addHost(two, { name: 'test4', port: 'vif1.0', address: '10.0.3.4/24' });
    for (const machine of [one, two]) {
      await machine.sh('ip link set vif0.0 up; ip link set vif1.0 up');
      await machine.sh('ovs-vsctl add-port br-in vif0.0; ovs-vsctl add-port br-in vif1.0');
    }
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('the hosts reach each other by eth1, their guests do not', async () => {
    await one.until('ping -c 1 -W 1 192.168.20.2');
    expect(await pings(one, 'test1', '10.0.3.230')).toBe(false);
  });

  step('gre0 is added although there is no such device, and becomes a tunnel', async () => {
    const complaint = await one.run('ovs-vsctl add-port br-in gre0');
    expect(complaint.stderr).toContain("Error detected while setting up 'gre0'");
    await one.sh('ovs-vsctl set interface gre0 type=gre options:remote_ip=192.168.20.2');
    await two.run('ovs-vsctl add-port br-in gre0');
    await two.sh('ovs-vsctl set interface gre0 type=gre option:remote_ip=192.168.20.1');
    const listed = await one.sh('ovs-vsctl list interface gre0');
    expect(listed).toMatch(/admin_state +: up\n/);
    expect(listed).toMatch(/error +: \[\]\n/);
    expect(listed).toMatch(/ifindex +: 0\n/);
    expect(listed).toMatch(/link_state +: up\n/);
    expect(listed).toMatch(/\nmtu +: \[\]\n/);
    expect(listed).toMatch(/options +: \{remote_ip="192.168.20.2"\}\n/);
    expect(listed).toMatch(
      /status +: \{io=sockets, tunnel_egress_iface="?eth1"?, tunnel_egress_iface_carrier=up\}\n/,
    );
    expect(listed).toMatch(/type +: gre/);
    const shown = await one.sh('ovs-vsctl show');
    expect(shown).toMatch(
      /Port gre0\n\s+Interface gre0\n\s+type: gre\n\s+options: \{remote_ip="192.168.20.2"\}/,
    );
  });

  step('guests ping across GRE, and tcpdump on eth1 shows it', async () => {
    expect(await pingsWithin(one, 'test1', '10.0.3.230', 5000)).toBe(true);
    const seen = await captured(one, 'ip proto 47', () =>
      one.sh('ip netns exec test1 ping -c 2 -i 0.2 10.0.3.230'),
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.1 > 192\.168\.20\.2: GREv0, length 102: IP 10\.0\.3\.215 > 10\.0\.3\.230: ICMP echo request, id \d+, seq \d+, length 64/,
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.2 > 192\.168\.20\.1: GREv0, length 102: IP 10\.0\.3\.230 > 10\.0\.3\.215: ICMP echo reply/,
    );
  });

  step('VLANs 10 and 11 go on across GRE and stay apart', async () => {
    for (const machine of [one, two]) {
      await machine.sh('ovs-vsctl set port vif0.0 tag=10');
      await machine.sh('ovs-vsctl set port vif1.0 tag=11');
    }
    expect(await pingsWithin(one, 'test1', '10.0.3.230', 5000)).toBe(true);
    expect(await pingsWithin(one, 'test2', '10.0.3.4', 5000)).toBe(true);
    expect(await pings(one, 'test1', '10.0.3.4')).toBe(false);
    expect(await pings(one, 'test1', '10.0.3.2')).toBe(false);
    const seen = await captured(two, 'ip proto 47', () =>
      one.sh('ip netns exec test1 ping -c 1 10.0.3.230'),
    );
    expect(seen).toMatch(/GREv0, length 106:/);
    for (const machine of [one, two]) {
      await machine.sh('ovs-vsctl clear port vif0.0 tag; ovs-vsctl clear port vif1.0 tag');
    }
  });

  step('VXLAN takes the place of GRE', async () => {
    for (const machine of [one, two]) await machine.sh('ovs-vsctl del-port br-in gre0');
    const complaint = await one.run('ovs-vsctl add-port br-in vx0');
    expect(complaint.stderr).toContain("Error detected while setting up 'vx0'");
    await one.sh('ovs-vsctl set interface vx0 type=vxlan options:remote_ip=192.168.20.2');
    await two.run('ovs-vsctl add-port br-in vx0');
    await two.sh('ovs-vsctl set interface vx0 type=vxlan options:remote_ip=192.168.20.1');
    expect(await pingsWithin(one, 'test1', '10.0.3.230', 5000)).toBe(true);
    const seen = await captured(one, 'udp port 4789', () =>
      one.sh('ip netns exec test1 ping -c 2 -i 0.2 10.0.3.230'),
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.1\.\d+ > 192\.168\.20\.2\.4789: VXLAN, flags \[I\] \(0x08\), vni 0\nIP 10\.0\.3\.215 > 10\.0\.3\.230: ICMP echo request/,
    );
  });

  step('TCP with the MTU and offloads that hosts have by default passes VXLAN', async () => {
    const to = await transfer(one, { from: 'test1', to: 'test2', address: '10.0.3.2', seconds: 1 });
    expect(to.bytes).toBeGreaterThan(0);
    const server = two.start('ip netns exec test3 iperf3 -s -1 --idle-timeout 15');
    await two.until('ip netns exec test3 ss -Hltn sport = :5201', (out) => out !== '');
    const client = await one.sh(
      'ip netns exec test1 iperf3 -c 10.0.3.230 -t 2 --connect-timeout 3000 -J',
    );
    await server.ended;
    const report = JSON.parse(client) as { end: { sum_received: { bytes: number } } };
    expect(report.end.sum_received.bytes).toBeGreaterThan(10_000_000);
  });

  step('statistics of the tunnel are those of its own traffic', async () => {
    await two.sh('ovs-vsctl set Open_vSwitch . other_config:stats-update-interval=5000');
    const shown = await one.until(
      'ovs-vsctl get interface vx0 statistics',
      (out) => Number(/tx_packets=(\d+)/.exec(out)?.[1] ?? 0) > 100,
      15_000,
    );
    expect(Number(/rx_packets=(\d+)/.exec(shown)?.[1])).toBeGreaterThan(100);
  });

  step('a third host behind GRE is reached through the second', async () => {
    await addHost(three, { name: 'r0', port: 'sin0', address: '10.0.3.254/24' });
    await three.sh('ip link set sin0 up');
    await three.run('ovs-vsctl add-port br-in gre0');
    await three.sh('ovs-vsctl set interface gre0 type=gre options:remote_ip=192.168.20.2');
    await two.run('ovs-vsctl add-port br-in gre0');
    await two.sh('ovs-vsctl set interface gre0 type=gre options:remote_ip=192.168.20.3');
    await three.sh('ovs-vsctl add-port br-in sin0');
    expect(await pingsWithin(two, 'test3', '10.0.3.254', 5000)).toBe(true);
    const seen = await captured(three, 'ip proto 47', async () => {
      expect(await pingsWithin(one, 'test1', '10.0.3.254', 5000)).toBe(true);
    });
    expect(seen).toMatch(
      /IP 192\.168\.20\.3 > 192\.168\.20\.2: GREv0, length 102: IP 10\.0\.3\.254 > 10\.0\.3\.215: ICMP echo reply/,
    );
  });
});
