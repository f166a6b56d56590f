/**
 * Ports of every kind, mixed, with real traffic: internal ports in other namespaces, patch ports in any order, a second bridge,
 * settings that must be true on the device (MTU, MAC, numbers), and what survives a killed daemon.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin, transfer } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

describe.sequential('ports', () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>, when = true) =>
    it.runIf(when)(
      name,
      async () => {
        onTestFailed(async () => console.error(await vswitch.post()));
        await body();
      },
      60_000,
    );
  const get = async (table: string, record: string, column: string): Promise<string> =>
    (await machine.sh(`ovs-vsctl get ${table} ${record} ${column}`)).trim();

  const send = (from: string, to: string, address: string) =>
    transfer(machine, { from, to, address, seconds: 1 });

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
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('an internal port is there when ovs-vsctl returns and works in a namespace', async () => {
    await machine.sh('ip netns add router');
    await machine.sh('ovs-vsctl add-port br0 qr-1 -- set Interface qr-1 type=internal');
    await machine.sh('ip link set qr-1 netns router');
    await machine.sh('ip -n router addr add 10.0.0.3/24 dev qr-1');
    await machine.sh('ip -n router link set qr-1 up');
    expect(await pingsWithin(machine, 'router', '10.0.0.1', 5000)).toBe(true);
    expect(await get('Interface', 'qr-1', 'ofport')).toMatch(/^[1-9]\d*$/);
    expect(await get('Interface', 'qr-1', 'error')).toBe('[]');
  });

  step(
    'TCP passes between veth and internal port with default offloads, both ways',
    async () => {
      expect((await send('h1', 'router', '10.0.0.3')).bytes).toBeGreaterThan(10_000_000);
      expect((await send('router', 'h1', '10.0.0.1')).bytes).toBeGreaterThan(10_000_000);
    },
    !isReference(),
  );

  step(
    'TCP passes to a host that has switched all its offloads off',
    async () => {
      const off = 'rx off tx off tso off gso off gro off sg off';
      await machine.sh(`ip netns exec h2 ethtool -K eth0 ${off}`);
      expect((await send('h1', 'h2', '10.0.0.2')).bytes).toBeGreaterThan(1_000_000);
      expect((await send('h2', 'h1', '10.0.0.1')).bytes).toBeGreaterThan(1_000_000);
    },
    !isReference(),
  );

  step('a port-mod takes the device down, and what others do to it is told', async () => {
    const port = async (name: string) =>
      machine.sh(`ovs-ofctl -O OpenFlow13 dump-ports-desc br0 | grep -A2 '(${name})'`);
    await machine.sh('ovs-ofctl mod-port br0 p2 down');
    expect(await machine.sh('ip -o link show p2')).not.toMatch(/<[^>]*\bUP\b/);
    expect(await port('p2')).toMatch(/PORT_DOWN[\s\S]*LINK_DOWN/);
    await machine.until('test $(ovs-vsctl get Interface p2 admin_state) = down');
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(false);
    await machine.sh('ovs-ofctl mod-port br0 p2 up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    await machine.until('test $(ovs-vsctl get Interface p2 admin_state) = up');
    expect(await port('p2')).not.toContain('PORT_DOWN');

    const log = '/run/openvswitch/monitor.log';
    await machine.sh(
      `ovs-ofctl -O OpenFlow13 monitor br0 65534 --detach --no-chdir --pidfile=/run/openvswitch/monitor.pid 2> ${log}`,
    );
    await machine.sh('ip link set p2 down');
    await machine.until(`cat ${log}`, (told) =>
      /PORT_STATUS.*MOD: 2\(p2\)[\s\S]*PORT_DOWN/.test(told),
    );
    await machine.sh('kill $(cat /run/openvswitch/monitor.pid)');
    await machine.sh('ip link set p2 up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });

  step(
    'ingress_policing_rate bounds what a host sends, and not what it gets',
    async () => {
      await machine.sh(
        'ovs-vsctl set Interface p1 ingress_policing_rate=8000 ingress_policing_burst=800',
      );
      // 8 Mbit/s are 1 MB/s; a second's worth with the burst, and TCP gets less of it.
      expect((await send('h1', 'h2', '10.0.0.2')).bytes).toBeLessThan(2_500_000);
      await machine.until('test $(ovs-appctl coverage/read-counter drop_rx_policed) -gt 0');
      await machine.sh(
        'ovs-vsctl set Interface p1 ingress_policing_rate=0 ingress_policing_burst=0',
      );
      expect((await send('h1', 'h2', '10.0.0.2')).bytes).toBeGreaterThan(2_500_000);
    },
    !isReference(),
  );

  step('a tap port is a device of its own', async () => {
    await machine.sh('ovs-vsctl add-port br0 tap7 -- set Interface tap7 type=tap');
    await machine.sh('ip addr add 10.0.0.7/24 dev tap7');
    await machine.sh('ip link set tap7 up');
    expect(await pingsWithin(machine, 'h1', '10.0.0.7', 5000)).toBe(true);
    await machine.sh('ovs-vsctl del-port tap7');
    await machine.until('! ip link show tap7');
  });

  step('patch ports join two bridges, whichever end comes first', async () => {
    await vswitch.addBridge('br1');
    await addHost(machine, { name: 'h4', port: 'p4', address: '10.0.0.4/24' });
    await machine.sh('ip link set p4 up');
    await machine.sh('ovs-vsctl add-port br1 p4');
    await machine.sh(
      'ovs-vsctl add-port br0 to-br1 -- set Interface to-br1 type=patch options:peer=to-br0',
    );
    expect(await get('Interface', 'to-br1', 'error')).toContain('to-br0');
    expect(await pings(machine, 'h1', '10.0.0.4')).toBe(false);
    await machine.sh(
      'ovs-vsctl add-port br1 to-br0 -- set Interface to-br0 type=patch options:peer=to-br1',
    );
    expect(await pingsWithin(machine, 'h1', '10.0.0.4', 5000)).toBe(true);
    await machine.until("test $(ovs-vsctl get Interface to-br1 error) = '[]'");
    await machine.until('test $(ovs-vsctl get Interface to-br0 statistics:rx_packets) -gt 0');
  });

  step(
    'ofport_request is obeyed, and a number is not lost when the device comes back',
    async () => {
      await machine.sh('ip link add vz0 type veth peer name vz1');
      await machine.sh('ovs-vsctl add-port br0 vz0 -- set Interface vz0 ofport_request=77');
      expect(await get('Interface', 'vz0', 'ofport')).toBe('77');
      await machine.sh('ip link del vz0');
      await machine.until('test $(ovs-vsctl get Interface vz0 ofport) = -1');
      await machine.sh('ip link add vz0 type veth peer name vz1');
      await machine.until('test $(ovs-vsctl get Interface vz0 ofport) = 77');
      await machine.sh('ovs-vsctl del-port vz0');
    },
    !isReference(),
  );

  step('mtu_request and hwaddr are on the device, and the columns say so', async () => {
    await machine.sh('ovs-vsctl set Interface br0 mtu_request=1400');
    expect(await machine.sh('ip link show br0')).toContain('mtu 1400');
    expect(await get('Interface', 'br0', 'mtu')).toBe('1400');
    await machine.sh('ovs-vsctl set Bridge br0 other_config:hwaddr=00:16:3e:01:02:03');
    expect(await machine.sh('ip link show br0')).toContain('00:16:3e:01:02:03');
    expect(await get('Interface', 'br0', 'mac_in_use')).toBe('"00:16:3e:01:02:03"');
    expect(await get('Bridge', 'br0', 'datapath_id')).toBe('"000000163e010203"');
  });

  step(
    'changing datapath_type between system and netdev disturbs nothing',
    async () => {
      await machine.sh('ip addr add 10.0.0.9/24 dev br0');
      await machine.sh('ip link set br0 up');
      expect(await pingsWithin(machine, 'h1', '10.0.0.9', 5000)).toBe(true);
      await machine.sh('ovs-vsctl set Bridge br0 datapath_type=netdev');
      expect(await pings(machine, 'h1', '10.0.0.9')).toBe(true);
      expect(await machine.sh('ovs-appctl dpif/show')).toContain('netdev@ovs-netdev');
    },
    !isReference(),
  );

  step(
    'a killed daemon leaves internal ports with their addresses, and the next one takes them up',
    async () => {
      await vswitch.kill('KILL');
      expect(await machine.sh('ip -n router addr show qr-1')).toContain('10.0.0.3');
      await vswitch.startDaemon();
      expect(await pingsWithin(machine, 'h1', '10.0.0.3', 10_000)).toBe(true);
      expect(await pingsWithin(machine, 'h1', '10.0.0.9', 10_000)).toBe(true);
      expect((await machine.sh('ip -n router -br link')).match(/qr-1/g)).toHaveLength(1);
      expect(await machine.sh('ip -br link')).not.toContain('qr-1');
    },
    !isReference(),
  );

  step('del-br removes its devices, exit --cleanup all others', async () => {
    await machine.sh('ovs-vsctl del-br br1');
    await machine.until('! ip link show br1');
    await machine.sh('ovs-appctl -t ovs-vswitchd exit --cleanup');
    await machine.until('! ip link show br0');
    await machine.until('! ip -n router link show qr-1');
  });
});
