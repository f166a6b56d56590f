/**
 * Where tunnels' packets go, followed: the status columns change with the kernel's routes and links, by events and not by polling
 * (statistics are written once in 5 s at the most often, so that a change within one second came by an event).
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { Machine } from './support/machine.ts';
import { Switch } from './support/switch.ts';

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
