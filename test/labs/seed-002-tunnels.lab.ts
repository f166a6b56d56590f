/**
 * The bridge layout of OpenStack's network agent: br-int with a local VLAN for each network, br-tun that turns VLANs into tunnel ids
 * and back and learns the way to each address, br-ethx that turns VLAN 10 into VLAN 100 of the wire; patch ports between them. Two hosts.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { captured, Network } from './support/network.ts';

/** br-tun as the agent programs it: 0 by port, 2 known or not, 4 from tunnels, 10 learns, 20 learned, 22 floods. */
const TUNNEL_FLOWS = (vlan: number, tunId: number): string => `
table=0,priority=1,in_port=patch-int,actions=resubmit(,2)
table=0,priority=1,in_port=vxlan-1,actions=resubmit(,4)
table=0,priority=0,actions=drop
table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,20)
table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,22)
table=4,priority=1,tun_id=${tunId},actions=mod_vlan_vid:${vlan},resubmit(,10)
table=4,priority=0,actions=drop
table=10,priority=1,actions=learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:patch-int
table=20,priority=0,actions=resubmit(,22)
table=22,priority=1,dl_vlan=${vlan},actions=strip_vlan,set_tunnel:${tunId},output:vxlan-1
table=22,priority=0,actions=drop
`;

describe.sequential('lab 002: br-int, br-tun and br-ethx', () => {
  let network: Network;
  let hosts: Machine[];

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await network.post()));
      await body();
    }, 60_000);

  beforeAll(async () => {
    network = await Network.boot(['10.4.0.1/24', '10.4.0.2/24']);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('the bridges come up with patch ports in any order', async () => {
    for (const [i, machine] of hosts.entries()) {
      const { vswitch } = network.hosts[i];
      await vswitch.addBridge('br-int');
      await vswitch.addBridge('br-tun');
      await machine.sh(
        'ovs-vsctl set bridge br-tun fail_mode=secure -- add-port br-int patch-tun -- set interface patch-tun type=patch options:peer=patch-int',
      );
      await machine.sh(
        'ovs-vsctl add-port br-tun patch-int -- set interface patch-int type=patch options:peer=patch-tun',
      );
      await machine.sh(
        `ovs-vsctl add-port br-tun vxlan-1 -- set interface vxlan-1 type=vxlan options:remote_ip=10.4.0.${2 - i} options:local_ip=10.4.0.${i + 1} options:in_key=flow options:out_key=flow options:df_default=true`,
      );
      // The hosts have different local VLANs for the one network.
      const vlan = i + 1;
      await addHost(machine, { name: 'vm', port: 'qvo0', address: `10.5.0.${i + 1}/24` });
      await addHost(machine, { name: 'other', port: 'qvo1', address: `10.5.0.${i + 11}/24` });
      await machine.sh(
        `ip link set qvo0 up; ip link set qvo1 up; ovs-vsctl add-port br-int qvo0 tag=${vlan} -- add-port br-int qvo1 tag=9`,
      );
      await machine.sh(
        `ovs-vsctl set port qvo0 other_config:net_uuid=1234 other_config:network_type=vxlan other_config:segmentation_id=100 other_config:tag=${vlan}`,
      );
      await machine.sh('ovs-ofctl add-flows br-tun -', { input: TUNNEL_FLOWS(vlan, 100) });
    }
  });

  step('guests of a network reach each other, guests of another do not', async () => {
    expect(await pingsWithin(hosts[0], 'vm', '10.5.0.2', 5000)).toBe(true);
    expect(await pings(hosts[0], 'other', '10.5.0.2')).toBe(false);
    expect(await pings(hosts[0], 'other', '10.5.0.12')).toBe(false);
    const seen = await captured(hosts[0], 'udp port 4789', () =>
      hosts[0].sh('ip netns exec vm ping -c 1 10.5.0.2'),
    );
    expect(seen).toMatch(/VXLAN, flags \[I\] \(0x08\), vni 100\nIP 10\.5\.0\.1 > 10\.5\.0\.2/);
  });

  step('the way to an address is learned, and the mapping kept', async () => {
    const learned = await hosts[0].sh('ovs-ofctl dump-flows br-tun table=20');
    expect(learned).toMatch(
      /hard_timeout=300, .*priority=1,vlan_tci=0x0001\/0x0fff,dl_dst=[0-9a-f:]+ actions=load:0->NXM_OF_VLAN_TCI\[\],load:0x64->NXM_NX_TUN_ID\[\],output:\d+/,
    );
    expect(await hosts[0].sh('ovs-vsctl get port qvo0 other_config')).toContain(
      'segmentation_id="100"',
    );
  });

  step('br-ethx turns VLAN 10 into VLAN 100 of the wire', async () => {
    const [one] = hosts;
    await network.hosts[0].vswitch.addBridge('br-ethx');
    await one.sh(
      'ovs-vsctl add-port br-int int-ethx -- set interface int-ethx type=patch options:peer=phy-ethx -- add-port br-ethx phy-ethx -- set interface phy-ethx type=patch options:peer=int-ethx',
    );
    await addHost(one, { name: 'ext', port: 'eth2' });
    await one.sh('ip link set eth2 up; ovs-vsctl add-port br-ethx eth2');
    await addHost(one, { name: 'vm10', port: 'qvo10', address: '10.6.0.1/24' });
    await one.sh('ip link set qvo10 up; ovs-vsctl add-port br-int qvo10 tag=10');
    await one.sh('ovs-ofctl add-flows br-ethx -', {
      input:
        'priority=4,in_port=phy-ethx,dl_vlan=10,actions=mod_vlan_vid:100,NORMAL\npriority=2,in_port=phy-ethx,actions=drop\npriority=0,actions=NORMAL\n',
    });
    await one.sh('ovs-ofctl add-flows br-int -', {
      input:
        'priority=3,in_port=int-ethx,dl_vlan=100,actions=mod_vlan_vid:10,NORMAL\npriority=2,in_port=int-ethx,actions=drop\npriority=0,actions=NORMAL\n',
    });
    // No VLAN device where the kernel has none: what is on the wire says it.
    const tcpdump = one.start('ip netns exec ext tcpdump -l -e -i eth0 -nn arp');
    await one.until('true', () => tcpdump.output().includes('listening on'));
    await one.run('ip netns exec vm10 ping -c 2 -W 1 10.6.0.100');
    await one.run('sleep 0.3; kill -INT $(pidof tcpdump)');
    await tcpdump.ended;
    expect(tcpdump.output()).toMatch(/vlan 100, p 0, ethertype ARP.*Request who-has 10\.6\.0\.100/);
  });

  step('guests behind a bridge of the kernel join br-int by a veth pair', async () => {
    const [one, two] = hosts;
    for (const i of [1, 2, 3, 4]) {
      await one.sh(`ip link add tap${i} type veth peer name tap${i}_peer`);
      await one.sh(`ip netns add ns${i}`);
      await one.sh(`ip link set tap${i} netns ns${i}`);
    }
    await one.sh('brctl addbr br1');
    for (const i of [1, 2, 3, 4]) {
      await one.sh(`brctl addif br1 tap${i}_peer`);
      await one.sh(`ip netns exec ns${i} ip addr add 192.168.10.${i}/24 dev tap${i}`);
      await one.sh(`ip link set tap${i}_peer up`);
      await one.sh(`ip netns exec ns${i} ip link set tap${i} up`);
    }
    await one.sh('ip link set br1 up');
    expect(await pingsWithin(one, 'ns4', '192.168.10.1', 5000)).toBe(true);
    // qvb on the kernel's bridge, qvo on br-int: a guest of the other host's network reaches them through VXLAN.
    await one.sh('ip link add qvb-br1 type veth peer name qvo-br1');
    await one.sh('brctl addif br1 qvb-br1; ip link set qvb-br1 up; ip link set qvo-br1 up');
    await one.sh('ovs-vsctl add-port br-int qvo-br1 tag=1');
    await two.sh('ip -n vm addr add 192.168.10.9/24 dev eth0');
    expect(await pingsWithin(two, 'vm', '192.168.10.4', 5000)).toBe(true);
  });
});
