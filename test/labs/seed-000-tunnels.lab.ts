/**
 * The tunnel part of the lab that the switch exists for: two hosts whose eth1 belongs to no bridge, GRE, VLANs across it, VXLAN in
 * its place, and a third host behind the second, which forwards between two kinds of tunnels; DHCP across GRE, and on the third host
 * a router that translates addresses. The commands are the lab's, letter for letter; the interface is added before it has a type, as there.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin, transfer } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { captured, Network } from './support/network.ts';

/** Takes the lease: what the DHCP client calls. */
const LEASE = `#!/bin/sh
case "$1" in
  bound|renew) ip addr flush dev $interface; ip addr add $ip/\${mask:-24} dev $interface
    [ -n "$router" ] && ip route replace default via $router;;
esac
exit 0
`;

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

  step('a guest of the first host has its address from dnsmasq on the second', async () => {
    for (const command of [
      'ip netns add r0',
      'ip link add sif0 type veth peer name rif0',
      'ip link set sif0 up',
      'ip link set rif0 up',
      'ip link set rif0 netns r0',
      'ovs-vsctl add-port br-in sif0',
      'ip netns exec r0 ip link set rif0 up',
      'ip netns exec r0 ip addr add 10.0.3.254/24 dev rif0',
      'ip netns exec r0 dnsmasq -F 10.0.3.200,10.0.3.230,86400 -i rif0',
    ]) {
      await two.sh(command);
    }
    await one.sh('cat > /run/lease; chmod +x /run/lease', { input: LEASE });
    await addHost(one, { name: 'test7', port: 'vif2.0', mac: '52:54:00:00:00:02' });
    await one.sh('ip link set vif2.0 up; ovs-vsctl add-port br-in vif2.0');
    const seen = await captured(one, 'ip proto 47', () =>
      one.sh('ip netns exec test7 busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s /run/lease', {
        timeoutMs: 20_000,
      }),
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.1 > 192\.168\.20\.2: GREv0, length \d+: IP 0\.0\.0\.0\.68 > 255\.255\.255\.255\.67: BOOTP\/DHCP, Request from 52:54:00:00:00:02/,
    );
    expect(await one.sh('ip -n test7 -4 addr show dev eth0')).toMatch(
      /inet 10\.0\.3\.2(0\d|1\d|2\d|30)\/24/,
    );
    expect(await one.sh('ip -n test7 route')).toContain('default via 10.0.3.254');
    expect(await pingsWithin(one, 'test7', '10.0.3.254', 3000)).toBe(true);
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
    for (const command of [
      'ip netns add r0',
      'ip link add sin0 type veth peer name rin0',
      'ip link add sex0 type veth peer name rex0',
      'ip link set sin0 up',
      'ip link set sex0 up',
      'ip link set rin0 netns r0',
      'ip link set rex0 netns r0',
    ]) {
      await three.sh(command);
    }
    await three.run('ovs-vsctl add-port br-in gre0');
    await three.sh('ovs-vsctl set interface gre0 type=gre options:remote_ip=192.168.20.2');
    await two.run('ovs-vsctl add-port br-in gre0');
    await two.sh('ovs-vsctl set interface gre0 type=gre options:remote_ip=192.168.20.3');
    await three.sh('ip netns exec r0 ifconfig rin0 10.0.1.254/24 up');
    await three.sh('ovs-vsctl add-port br-in sin0');
    await one.sh('ip -n test1 addr add 10.0.1.1/24 dev eth0');
    await two.sh('ip -n test3 addr add 10.0.1.2/24 dev eth0');
    expect(await pingsWithin(two, 'test3', '10.0.1.254', 5000)).toBe(true);
    const seen = await captured(three, 'ip proto 47', async () => {
      expect(await pingsWithin(one, 'test1', '10.0.1.254', 5000)).toBe(true);
    });
    expect(seen).toMatch(
      /IP 192\.168\.20\.3 > 192\.168\.20\.2: GREv0, length 102: IP 10\.0\.1\.254 > 10\.0\.1\.1: ICMP echo reply/,
    );
  });

  step('the router on the third host lets guests out, behind its own address', async () => {
    // What the lab writes in files of the distribution: a bridge of the kernel on the outer wire, and a host there.
    await three.sh('brctl addbr br-ex; ip link set br-ex up');
    await addHost(three, { name: 'windows', port: 'eth2', address: '192.168.1.103/24' });
    await three.sh('ip link set eth2 up; brctl addif br-ex eth2');
    await three.sh('brctl addif br-ex sex0');
    await three.sh('ip netns exec r0 ifconfig rex0 192.168.1.30/24 up');
    expect(await three.sh('ip netns exec r0 sysctl -w net.ipv4.ip_forward=1')).toBe(
      'net.ipv4.ip_forward = 1\n',
    );
    await one.sh('ip -n test1 route replace default via 10.0.1.254');
    expect(await pingsWithin(one, 'test1', '192.168.1.30', 5000)).toBe(true);
    // The host outside knows no way back to 10.0.1.0/24.
    expect(await pings(one, 'test1', '192.168.1.103')).toBe(false);
    await three.sh(
      'ip netns exec r0 iptables -t nat -A POSTROUTING -s 10.0.1.0/24 -j SNAT --to-source 192.168.1.30',
    );
    expect(await pingsWithin(one, 'test1', '192.168.1.103', 5000)).toBe(true);
    await three.sh('ip netns exec r0 iptables -t nat -F');
  });

  step('an address of the outer wire leads to a guest, through GRE and VXLAN', async () => {
    await three.sh('ip netns exec r0 ifconfig rex0:0 192.168.1.31/24 up');
    await three.sh(
      'ip netns exec r0 iptables -t nat -A POSTROUTING -s 10.0.1.1/24 -j SNAT --to-source 192.168.1.31',
    );
    await three.sh(
      'ip netns exec r0 iptables -t nat -A PREROUTING -d 192.168.1.31 -j DNAT --to-destination 10.0.1.1',
    );
    const seen = await captured(two, '"udp port 4789 or ip proto 47"', async () => {
      expect(await pingsWithin(three, 'windows', '192.168.1.31', 5000)).toBe(true);
      await three.sh('ip netns exec windows ping -c 1 -s 32 192.168.1.31');
    });
    expect(seen).toMatch(
      /IP 192\.168\.20\.2\.\d+ > 192\.168\.20\.1\.4789: VXLAN, flags \[I\] \(0x08\), vni 0\nIP 192\.168\.1\.103 > 10\.0\.1\.1: ICMP echo request, id \d+, seq \d+, length 40/,
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.1\.\d+ > 192\.168\.20\.2\.4789: VXLAN, flags \[I\] \(0x08\), vni 0\nIP 10\.0\.1\.1 > 192\.168\.1\.103: ICMP echo reply/,
    );
    expect(seen).toMatch(
      /IP 192\.168\.20\.2 > 192\.168\.20\.3: GREv0, length 78: IP 10\.0\.1\.1 > 192\.168\.1\.103: ICMP echo reply, id \d+, seq \d+, length 40/,
    );
  });
});
