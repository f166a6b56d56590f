/**
 * Frames too long for a tunnel's path: the sender is told (ICMP fragmentation needed, ICMPv6 packet too big), sends less from then on, and
 * each is counted. The path is that of the underlay: its MTU is the first host's device's, and that of a router in between.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { Network } from './support/network.ts';
import { isReference } from './support/switch.ts';

/** Outer IPv4 header, UDP and VXLAN, and the inner Ethernet header. */
const VXLAN_BYTES = 20 + 8 + 8 + 14;
const GRE_BYTES = 20 + 4 + 14;

describe.sequential("frames too long for a tunnel's path", () => {
  let network: Network;
  let one: Machine;
  let two: Machine;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      if (isReference()) return;
      onTestFailed(async () => console.error(await network.post()));
      await body();
    }, 60_000);

  const count = async (name: string): Promise<number> =>
    Number(await one.sh(`ovs-appctl coverage/read-counter ${name}`));
  /** What a ping with DF of a whole frame prints, answers of routers included. */
  const bigPing = async (to: string, bytes: number): Promise<string> => {
    const { stdout, stderr } = await one.run(
      `ip netns exec vm ping -n -c 2 -i 0.2 -W 0.5 -M do -s ${bytes} ${to}`,
    );
    return stdout + stderr;
  };
  const forget = async (): Promise<void> => {
    await one.run(
      'ip netns exec vm ip route flush cache; ip netns exec vm ip -6 route flush cache',
    );
  };

  beforeAll(async () => {
    network = await Network.boot(['10.7.0.1/24', '10.7.0.2/24']);
    [one, two] = network.hosts.map(({ machine }) => machine);
    await network.start();
    for (const [i, { machine, vswitch }] of network.hosts.entries()) {
      await vswitch.addBridge('br0');
      await addHost(machine, { name: 'vm', port: 'v0', address: `10.70.0.${i + 1}/24` });
      await machine.sh(`ip -n vm -6 addr add fd00:70::${i + 1}/64 dev eth0 nodad`);
      await machine.sh(
        `ip link set v0 up; ovs-vsctl add-port br0 v0 -- add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=10.7.0.${2 - i}`,
      );
    }
    expect(await pingsWithin(one, 'vm', '10.70.0.2', 5000)).toBe(true);
    expect(await pingsWithin(one, 'vm', 'fd00:70::2', 5000)).toBe(true);
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('IPv4: fragmentation needed, with the MTU that is left', async () => {
    const before = await count('drop_tunnel_mtu_exceeded');
    expect(await bigPing('10.70.0.2', 1472)).toMatch(new RegExp(`mtu[ =]+${1500 - VXLAN_BYTES}`));
    expect(await count('drop_tunnel_mtu_exceeded')).toBeGreaterThan(before);
    expect(await count('tunnel_too_big_replies')).toBeGreaterThan(0);
    expect(await one.sh('ip netns exec vm ip route get 10.70.0.2')).toContain(
      `mtu ${1500 - VXLAN_BYTES}`,
    );
    await forget();
  });

  step('IPv6: packet too big', async () => {
    expect(await bigPing('fd00:70::2', 1452)).toMatch(/Packet too big: mtu=1450|mtu[ =:]+1450/);
    expect(await one.sh('ip netns exec vm ip -6 route get fd00:70::2')).toContain('mtu 1450');
    await forget();
  });

  step('a frame with a VLAN tag: four bytes less, and the answer has the tag', async () => {
    for (const machine of [one, two]) {
      await machine.sh('ovs-vsctl set port v0 tag=10');
    }
    expect(await pingsWithin(one, 'vm', '10.70.0.2', 3000)).toBe(true);
    expect(await bigPing('10.70.0.2', 1472)).toMatch(/mtu[ =]+1446/);
    await forget();
    for (const machine of [one, two]) await machine.sh('ovs-vsctl clear port v0 tag');
  });

  step('GRE', async () => {
    for (const [i, machine] of [one, two].entries()) {
      await machine.sh(`ovs-vsctl set interface t0 type=gre options:remote_ip=10.7.0.${2 - i}`);
    }
    expect(await pingsWithin(one, 'vm', '10.70.0.2', 3000)).toBe(true);
    expect(await bigPing('10.70.0.2', 1472)).toMatch(new RegExp(`mtu[ =]+${1500 - GRE_BYTES}`));
    await forget();
  });

  step('a path that narrows further on is learned from the routers there', async () => {
    for (const [i, machine] of [one, two].entries()) {
      await machine.sh(`ovs-vsctl set interface t0 type=vxlan options:remote_ip=10.7.0.${2 - i}`);
    }
    // As if a router had said so (RFC 1191): the kernel keeps it for the route.
    await one.sh('ip route replace 10.7.0.2 dev eth1 mtu 1400');
    expect(await pingsWithin(one, 'vm', '10.70.0.2', 3000)).toBe(true);
    expect(await bigPing('10.70.0.2', 1372)).toMatch(/mtu[ =]+1350/);
    await forget();
    const sent = await transferBetween();
    expect(sent).toBeGreaterThan(1_000_000);
    await one.sh('ip route del 10.7.0.2');
  });

  /** Bytes that TCP carries in a second, offloads off. */
  const transferBetween = async (): Promise<number> => {
    const server = two.start('ip netns exec vm iperf3 -s -1 --idle-timeout 15');
    await two.until('ip netns exec vm ss -Hltn sport = :5201', (out) => out !== '');
    const client = await one.sh(
      'ip netns exec vm iperf3 -c 10.70.0.2 -t 1 --connect-timeout 3000 -J',
    );
    await server.ended;
    return (JSON.parse(client) as { end: { sum_received: { bytes: number } } }).end.sum_received
      .bytes;
  };

  step('answers can be turned off; then it is only counted', async () => {
    await one.sh('ovs-vsctl set open_vswitch . other_config:tunnel-too-big-replies=false');
    expect(await pingsWithin(one, 'vm', '10.70.0.2', 3000)).toBe(true);
    await forget();
    const before = await count('drop_tunnel_mtu_exceeded');
    expect(await bigPing('10.70.0.2', 1472)).toMatch(/100% packet loss/);
    expect(await count('drop_tunnel_mtu_exceeded')).toBeGreaterThanOrEqual(before + 2);
  });
});
