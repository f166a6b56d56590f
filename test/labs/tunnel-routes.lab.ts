/**
 * Where tunnels' packets go, followed: the status columns change with the kernel's routes and links, by events and not by polling
 * (statistics are written once in 5 s at the most often, so that a change within one second came by an event).
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

describe.sequential("routes of tunnels' packets", () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await vswitch.post()));
      await body();
    }, 60_000);

  const status = async (want: string): Promise<void> => {
    await machine.sh(
      `ovs-vsctl --timeout=3 wait-until interface t0 ${want} || { ovs-vsctl get interface t0 status; exit 1; }`,
    );
  };

  beforeAll(async () => {
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    for (const [i, name] of ['up1', 'up2'].entries()) {
      await machine.sh(`ip link add ${name} type veth peer name far${i}`);
      await machine.sh(`ip link set ${name} up; ip link set far${i} up`);
      await machine.sh(`ip addr add 192.0.2.${16 * i + 1}/28 dev ${name}`);
    }
    await vswitch.start();
    await vswitch.addBridge('br0');
    // Nothing is reported by the clock while this lab lasts.
    await machine.sh('ovs-vsctl set open_vswitch . other_config:stats-update-interval=3600000');
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('no route: no interface', async () => {
    await machine.sh(
      'ovs-vsctl add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=198.51.100.9',
    );
    expect(await machine.sh('ovs-vsctl get interface t0 status')).not.toContain('egress');
  });

  step('a route that is added and replaced is seen', async () => {
    await machine.sh('ip route add 198.51.100.0/24 via 192.0.2.2');
    await status('status:tunnel_egress_iface=up1 status:tunnel_egress_iface_carrier=up');
    await machine.sh('ip route replace 198.51.100.0/24 via 192.0.2.18');
    await status('status:tunnel_egress_iface=up2');
  });

  step('so are a carrier that goes and comes back, and a link set down', async () => {
    await machine.sh('ip link set far1 down');
    await status('status:tunnel_egress_iface_carrier=down');
    await machine.sh('ip link set far1 up');
    await status('status:tunnel_egress_iface_carrier=up');
    // The better route is gone with its link.
    await machine.sh('ip route add 198.51.100.0/25 via 192.0.2.2');
    await status('status:tunnel_egress_iface=up1');
    await machine.sh('ip link set up1 down');
    await status('status:tunnel_egress_iface=up2');
    await machine.sh('ip link set up1 up');
  });

  step('a route that is deleted takes the interface with it', async () => {
    await machine.sh('ip route del 198.51.100.0/24');
    await machine.until(
      'ovs-vsctl get interface t0 status',
      (text) => !text.includes('egress'),
      3000,
    );
  });

  step('IPv6 as well', async () => {
    await machine.sh('ovs-vsctl set interface t0 options:remote_ip=2001:db8:ffff::9');
    // An interface that was set down has lost its addresses of IPv6.
    for (const i of [0, 1]) {
      await machine.sh(`ip -6 addr add 2001:db8:${i}::1/64 dev up${i + 1} nodad`);
    }
    await machine.sh('ip -6 route add 2001:db8:ffff::/48 via 2001:db8:0::2 dev up1');
    await status('status:tunnel_egress_iface=up1');
    await machine.sh('ip -6 route replace 2001:db8:ffff::/48 via 2001:db8:1::2 dev up2');
    await status('status:tunnel_egress_iface=up2');
  });
});

/** Commands whose answers are those of Open vSwitch with its tunnels' address on a bridge, line by line but for their order. */
const COMMANDS = [
  'tnl/ports/show',
  'tnl/ports/show -v',
  'tnl/arp/show',
  'tnl/neigh/show',
  'tnl/arp/set br-phy 10.2.0.9 00:11:22:33:44:55',
  'tnl/neigh/set br-phy fd00:2::9 00:11:22:33:44:56',
  'tnl/arp/set br-phy 10.2.0 00:11:22:33:44:55',
  'tnl/arp/set br-phy 10.2.0.11 00:11:22',
  'tnl/arp/show',
  'tnl/neigh/aging',
  'tnl/neigh/aging 30',
  'tnl/neigh/aging',
  'tnl/neigh/aging 0',
  'ovs/route/show',
  'ovs/route/lookup 10.2.0.2',
  'ovs/route/lookup 10.77.0.2',
  'ovs/route/lookup fd00:2::7',
  'ovs/route/lookup 203.0.113.1',
  'ovs/route/lookup bad',
  'ovs/route/lookup 10.2.0.2 pkt_mark=x',
  'ovs/route/add 10.88.0.0/16 br-phy 10.2.0.2',
  'ovs/route/add 10.2.0.128/25 br-phy',
  'ovs/route/add 10.90.0.0/16 br-phy 10.2.0.2 pkt_mark=7',
  'ovs/route/add 10.91.0.0 br-phy',
  'ovs/route/add bad/24 br-phy',
  // These two say more than the original does.
  'ovs/route/add 10.91.0.0/16 nosuch',
  'ovs/route/add 10.91.0.0/16 br-phy 10.9.9.9',
  'ovs/route/add 10.91.0.0/16 br-phy foo',
  'ovs/route/add 10.91.0.0/16 br-phy pkt_mark=foo',
  'ovs/route/show',
  'ovs/route/lookup 10.90.0.1 pkt_mark=7',
  'ovs/route/lookup 10.90.0.1',
  'ovs/route/del 10.88.0.0/16',
  'ovs/route/del 10.88.0.0/16',
  'ovs/route/del 10.90.0.0/16',
  'ovs/route/del 10.90.0.0/16 pkt_mark=7',
  'ovs/route/show',
  'tnl/egress_port_range',
  'tnl/egress_port_range 50000 40000',
  'tnl/egress_port_range',
  'tnl/egress_port_range 0 7',
  'tnl/egress_port_range 1 99999',
] as const;

/** Runs all commands on a machine with br-phy; each with its answer. */
async function answers(command: string | undefined): Promise<string[]> {
  const machine = await Machine.boot();
  try {
    const vswitch = command === undefined ? new Switch(machine) : new Switch(machine, command);
    await machine.sh('ip netns add f');
    await machine.sh(
      'ip link add eth1 address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 netns f',
    );
    // Addresses that the kernel makes up for itself are another thing to differ by.
    await machine.sh('echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6');
    await machine.sh('ip netns exec f ethtool -K far tx off');
    await machine.sh('ip link set eth1 up; ip -n f link set far up');
    await machine.sh('ip -n f addr add 10.2.0.2/24 dev far');
    await vswitch.start();
    await machine.sh(
      'ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev other_config:hwaddr=00:0c:29:ef:1b:c5 fail-mode=standalone',
    );
    await machine.sh('ovs-vsctl add-port br-phy eth1');
    await machine.sh('echo 1 > /proc/sys/net/ipv6/conf/br-phy/addr_gen_mode');
    await machine.sh('ip addr add 10.2.0.1/24 dev br-phy; ip link set br-phy up');
    await machine.sh('ip -6 addr add fd00:2::1/64 dev br-phy nodad');
    await machine.sh('ip route add 10.77.0.0/16 via 10.2.0.2');
    await machine.sh('ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev');
    for (const [name, type, rest] of [
      ['v0', 'vxlan', 'options:remote_ip=10.2.0.2 options:key=1'],
      ['v1', 'vxlan', 'options:remote_ip=10.2.0.3 options:key=1'],
      ['g0', 'gre', 'options:remote_ip=10.2.0.2'],
      ['n0', 'geneve', 'options:remote_ip=10.2.0.2 options:dst_port=6082'],
    ]) {
      await machine.sh(
        `ovs-vsctl add-port br1 ${name} -- set interface ${name} type=${type} ${rest}`,
      );
    }
    await machine.until('ping -c 1 -W 1 10.2.0.2');
    await machine.until('ovs-appctl ovs/route/show', (text) => text.includes('10.77.0.0/16'));
    const got: string[] = [];
    for (const line of COMMANDS) {
      const { stdout, stderr, status } = await machine.run(`ovs-appctl ${line}`);
      const lines = (stdout + stderr).split('\n').filter((text) => text !== '');
      got.push(`${line}\n${lines.sort().join('\n')}\n[${status}]`);
    }
    return got;
  } finally {
    await machine.shutdown();
  }
}

it('tnl/* and ovs/route/* answer as those of Open vSwitch', async () => {
  if (isReference()) return;
  const [ours, theirs] = await Promise.all([answers(undefined), answers('ovs-vswitchd')]);
  // Ports of a datapath have numbers of their own, and what cannot be says why.
  const plain = (text: string): string =>
    text
      .replace(/_sys(\w*) \(\d+\)/g, '_sys$1')
      .replace(/inserting route: .*\./, 'inserting route.')
      .replace(/\/run\/.*ctl: /, '');
  expect(ours.map(plain)).toEqual(theirs.map(plain));
}, 60_000);
