/**
 * Tunnels beside the first lab: labs 003 and 004 with their commands, other implementations at the far end (the kernel's VXLAN device,
 * Open vSwitch with its tunnel address on a bridge), and what arrives that no tunnel sent.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { captured, Network } from './support/network.ts';
import { isReference } from './support/switch.ts';

const labOf = (network: () => Network) => (name: string, body: () => Promise<void>) =>
  it(name, async () => {
    onTestFailed(async () => console.error(await network().post()));
    await body();
  }, 60_000);

describe.sequential('lab 003: three hosts on br-vxlan', () => {
  let network: Network;
  let hosts: Machine[];
  const step = labOf(() => network);
  const VETHS = ['veth1.0.df', 'veth2.0.2e', 'veth3.0.ec'];

  beforeAll(async () => {
    network = await Network.boot([
      '192.168.163.140/24',
      '192.168.163.134/24',
      '192.168.163.141/24',
    ]);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
    for (const [i, machine] of hosts.entries()) {
      await addHost(machine, { name: 'c', port: VETHS[i], address: `172.17.0.${i + 1}/24` });
      await machine.sh(`ip link set ${VETHS[i]} up`);
      await network.hosts[i].vswitch.addBridge('br-vxlan');
      await machine.sh(`ovs-vsctl add-port br-vxlan ${VETHS[i]}`);
    }
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('containers on all hosts reach each other', async () => {
    const add = (name: string, remote: string): string =>
      `ovs-vsctl add-port br-vxlan ${name} -- set Interface ${name} type=vxlan options:remote_ip=${remote}`;
    await hosts[0].sh(add('tun0', '192.168.163.134'));
    await hosts[0].sh(add('tun1', '192.168.163.141'));
    await hosts[1].sh(add('tun0', '192.168.163.140'));
    await hosts[2].sh(add('tun0', '192.168.163.140'));
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.2', 5000)).toBe(true);
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.3', 5000)).toBe(true);
    // The first host relays between the other two.
    expect(await pingsWithin(hosts[1], 'c', '172.17.0.3', 5000)).toBe(true);
  });

  step(
    'a second tunnel between the same hosts is refused, and the error says what to do',
    async () => {
      const same = 'type=vxlan options:remote_ip=192.168.163.134';
      const { stderr } = await hosts[0].run(
        `ovs-vsctl add-port br-vxlan tun5 -- set Interface tun5 ${same}`,
      );
      expect(stderr).toContain('File exists');
      if (isReference()) return;
      expect(stderr).toMatch(/port tun0 of bridge br-vxlan .* options:key=N/);
      await hosts[0].sh('ovs-vsctl set interface tun5 options:key=7');
      expect((await hosts[0].sh('ovs-vsctl get interface tun5 error')).trim()).toBe('[]');
      await hosts[0].sh('ovs-vsctl del-port tun5');
    },
  );

  step('protected tunnels do not relay to each other', async () => {
    await hosts[0].sh('ovs-vsctl set port tun0 protected=true -- set port tun1 protected=true');
    expect(await pings(hosts[1], 'c', '172.17.0.3')).toBe(false);
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.3', 5000)).toBe(true);
    await hosts[0].sh('ovs-vsctl set port tun0 protected=false -- set port tun1 protected=false');
    expect(await pingsWithin(hosts[1], 'c', '172.17.0.3', 5000)).toBe(true);
  });

  step('the portable transport takes over from the sockets of the datapath, and back', async () => {
    if (isReference()) return;
    const io = async () => (await hosts[0].sh('ovs-vsctl get interface tun0 status:io')).trim();
    expect(await io()).toBe('sockets');
    await hosts[0].sh('ovs-vsctl set open_vswitch . other_config:tunnel-transport=portable');
    expect(await io()).toBe('portable');
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.3', 5000)).toBe(true);
    expect(await pingsWithin(hosts[1], 'c', '172.17.0.3', 5000)).toBe(true);
    await hosts[0].sh('ovs-vsctl remove open_vswitch . other_config tunnel-transport');
    expect(await io()).toBe('sockets');
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.3', 5000)).toBe(true);
  });

  step('a triangle of tunnels is a loop: the log names its ports', async () => {
    if (isReference()) return;
    const add = (remote: string): string =>
      `ovs-vsctl add-port br-vxlan tun9 -- set Interface tun9 type=vxlan options:remote_ip=${remote}`;
    await hosts[1].sh(add('192.168.163.141'));
    await hosts[2].sh(add('192.168.163.134'));
    try {
      await hosts[1].run('ip netns exec c ping -c 1 -W 1 172.17.0.77');
      await hosts[0].until(
        'cat /var/log/openvswitch/ovs-vswitchd.log',
        (log) => /flaps between tunnel ports tun[01] and tun[01]/.test(log),
        8000,
      );
      // Protected, tunnels do not relay to each other: every host is one tunnel away, and nothing goes round.
      for (const [i, machine] of hosts.entries()) {
        const second = i === 0 ? 'tun1' : 'tun9';
        await machine.sh(
          `ovs-vsctl set port tun0 protected=true -- set port ${second} other_config:protected=true; ovs-appctl fdb/flush br-vxlan`,
        );
      }
      for (const [from, to] of [
        [0, 2],
        [1, 3],
        [2, 1],
      ]) {
        expect(await pingsWithin(hosts[from], 'c', `172.17.0.${to}`, 5000)).toBe(true);
      }
      const { stdout } = await hosts[1].run('ip netns exec c ping -n -c 3 -i 0.2 172.17.0.3');
      expect(stdout).toContain('3 packets transmitted, 3 received, 0% packet loss');
    } finally {
      for (const [i, machine] of hosts.entries()) {
        if (i > 0) await machine.sh('ovs-vsctl del-port tun9');
        await machine.run('ovs-vsctl set port tun0 protected=false');
        await machine.run('ovs-vsctl --if-exists remove port tun1 other_config protected');
      }
    }
    expect(await pingsWithin(hosts[1], 'c', '172.17.0.3', 8000)).toBe(true);
  });

  step(
    'what arrives at the port and is no packet of a tunnel is counted and disturbs nothing',
    async () => {
      const count = async (name: string): Promise<number> =>
        Number(await hosts[0].sh(`ovs-appctl coverage/read-counter ${name}`));
      await hosts[1].sh(
        `python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000):
    s.sendto(b'xy', ('192.168.163.140', 4789))
    s.sendto(bytes(64), ('192.168.163.140', 4789))
    s.sendto(bytes([8,0,0,0,0,0x12,0x34,0]) + bytes([255]*6) + bytes(60), ('192.168.163.140', 4789))
"`,
      );
      expect(await pingsWithin(hosts[0], 'c', '172.17.0.2', 5000)).toBe(true);
      if (isReference()) return;
      expect(await count('drop_tunnel_truncated')).toBeGreaterThan(1000);
      expect(await count('drop_tunnel_bad_flags')).toBeGreaterThan(1000);
      // A VNI that nobody has.
      expect(await count('datapath_drop_invalid_tnl_port')).toBeGreaterThan(100);
    },
  );
});

describe.sequential('lab 003: the address of the tunnels on br-phy', () => {
  let network: Network;
  let hosts: Machine[];
  const step = labOf(() => network);

  beforeAll(async () => {
    network = await Network.boot(['192.168.163.140/24', '192.168.163.134/24']);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
    for (const [i, machine] of hosts.entries()) {
      await addHost(machine, { name: 'c', port: 'veth1.0.df', address: `172.17.0.${i + 1}/24` });
      await machine.sh('ip link set veth1.0.df up');
      await network.hosts[i].vswitch.addBridge('br-vxlan');
      await machine.sh('ovs-vsctl add-port br-vxlan veth1.0.df');
      await machine.sh(
        `ovs-vsctl add-port br-vxlan tun0 -- set Interface tun0 type=vxlan options:remote_ip=192.168.163.${i === 0 ? 134 : 140}`,
      );
    }
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('it moves there with the commands of the lab, and the tunnel follows', async () => {
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.2', 5000)).toBe(true);
    for (const command of [
      'ovs-vsctl --may-exist add-br br-phy -- set Bridge br-phy datapath_type=netdev -- br-set-external-id br-phy bridge-id br-phy -- set bridge br-phy fail-mode=standalone other_config:hwaddr=00:0c:29:ef:1b:c5',
      'ovs-vsctl --timeout 10 add-port br-phy eth1',
      'ip addr add 192.168.163.140/24 dev br-phy',
      'ip link set br-phy up',
      'ip addr flush dev eth1 2>/dev/null',
      'ip link set eth1 up',
      'iptables -F',
    ]) {
      await hosts[0].sh(command);
    }
    expect(await hosts[0].sh('ip link show br-phy')).toContain('00:0c:29:ef:1b:c5');
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.2', 8000)).toBe(true);
    if (isReference()) return;
    await hosts[0].sh(
      'ovs-vsctl --timeout=3 wait-until interface tun0 status:tunnel_egress_iface=br-phy',
    );
    const routes = await hosts[0].sh('ovs-appctl ovs/route/show');
    expect(routes).toContain('Cached: 192.168.163.0/24 dev br-phy SRC 192.168.163.140\n');
    // What the author of the lab tried in vain, and what is wrong with it.
    expect(
      (await hosts[0].sh('ovs-appctl ovs/route/add 10.99.0.0/16 br-phy 192.168.163.1')).trim(),
    ).toBe('OK');
    expect(await hosts[0].fails('ovs-appctl ovs/route/add 10.98.0.0/16 br-phy 10.9.9.9')).toContain(
      'Error while inserting route: no address of br-phy is in a network with 10.9.9.9.',
    );
    expect(await hosts[0].sh('ovs-appctl tnl/arp/show')).toMatch(/192\.168\.163\.134 .* br-phy\n/);
  });

  step('the commands for watching it', async () => {
    await hosts[0].sh('ovs-ofctl dump-flows br-vxlan');
    expect(await hosts[0].sh('ovs-ofctl dump-ports br-vxlan')).toMatch(/tun0|port +1:/);
    await hosts[0].sh(
      'ovs-vsctl -- --id=@sflow create sflow agent=br-phy target="\\"192.168.254.2:6343\\"" header=128 sampling=64 polling=10 -- set bridge br-vxlan sflow=@sflow',
    );
    expect(await hosts[0].sh('ovs-vsctl list sflow')).toMatch(/sampling +: 64/);
    await hosts[0].sh(
      'ovs-vsctl remove bridge br-vxlan sflow $(ovs-vsctl get bridge br-vxlan sflow)',
    );
    expect(await hosts[0].sh('ovs-vsctl list sflow')).toBe('');
    expect(await pingsWithin(hosts[0], 'c', '172.17.0.2', 3000)).toBe(true);
  });
});

describe.sequential('lab 004: GRE mode and VLAN mode', () => {
  let network: Network;
  let hosts: Machine[];
  const step = labOf(() => network);

  beforeAll(async () => {
    network = await Network.boot(['10.1.0.1/24', '10.1.0.2/24']);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('GRE mode: a bridge without a device, joined by a GRE port', async () => {
    for (const [i, machine] of hosts.entries()) {
      await network.hosts[i].vswitch.addBridge('br-gre');
      const remote = `10.1.0.${2 - i}`;
      await machine.sh(
        `ovs-vsctl add-port br-gre gre0 -- set interface gre0 type=gre options:remote_ip=${remote}`,
      );
      await addHost(machine, { name: 'vm', port: 'vnet0', address: `10.9.0.${i + 1}/24` });
      await machine.sh('ip link set vnet0 up');
      // As libvirt attaches a guest.
      await machine.sh(
        'ovs-vsctl --timeout=5 -- --may-exist add-port br-gre vnet0 -- set Interface vnet0 external-ids:attached-mac=52:54:00:00:00:01 external-ids:iface-status=active',
      );
    }
    expect(await pingsWithin(hosts[0], 'vm', '10.9.0.2', 5000)).toBe(true);
  });

  step('VLAN mode: a fake bridge over the device', async () => {
    for (const [i, machine] of hosts.entries()) {
      // The bridge with its GRE port stays.
      await machine.sh(
        'ovs-vsctl del-port br-gre vnet0; ip addr flush dev eth1; ip link set eth1 up',
      );
      await network.hosts[i].vswitch.addBridge('br-eth1');
      await machine.sh('ovs-vsctl add-port br-eth1 eth1');
      await machine.sh('ovs-vsctl add-br VLAN2 br-eth1 2');
      await machine.sh('ovs-vsctl add-port VLAN2 vnet0');
      expect(await machine.sh('ovs-vsctl br-to-vlan VLAN2')).toBe('2\n');
    }
    expect(await pingsWithin(hosts[0], 'vm', '10.9.0.2', 5000)).toBe(true);
  });
});

describe.sequential('other implementations at the far end', () => {
  let network: Network;
  let hosts: Machine[];
  const step = labOf(() => network);

  beforeAll(async () => {
    network = await Network.boot(['10.2.0.1/24', '10.2.0.2/24'], [undefined, 'ovs-vswitchd']);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
    await addHost(hosts[0], { name: 'vm', port: 'v0', address: '10.8.0.1/24' });
    await hosts[0].sh('ip link set v0 up');
    await network.hosts[0].vswitch.addBridge('br0');
    await hosts[0].sh('ovs-vsctl add-port br0 v0');
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step("the kernel's VXLAN device, TCP with partial checksums included", async () => {
    await hosts[0].sh(
      'ovs-vsctl add-port br0 t0 -- set interface t0 type=vxlan options:remote_ip=10.2.0.2 options:key=42',
    );
    await hosts[1].sh('ip link add vx0 type vxlan id 42 remote 10.2.0.1 dstport 4789 dev eth1');
    await hosts[1].sh('ip addr add 10.8.0.2/24 dev vx0; ip link set vx0 up');
    expect(await pingsWithin(hosts[0], 'vm', '10.8.0.2', 5000)).toBe(true);
    const server = hosts[1].start('iperf3 -s --idle-timeout 15');
    await hosts[1].until('ss -Hltn sport = :5201', (out) => out !== '');
    for (const way of ['', '-R']) {
      const client = await hosts[0].sh(`ip netns exec vm iperf3 -c 10.8.0.2 -t 1 -J ${way}`);
      const report = JSON.parse(client) as { end: { sum_received: { bytes: number } } };
      expect(report.end.sum_received.bytes).toBeGreaterThan(1_000_000);
    }
    await hosts[1].sh('kill $(pidof iperf3)');
    await server.ended;
    await hosts[1].sh('ip link del vx0');
    await hosts[0].sh('ovs-vsctl del-port t0');
  });

  step('Open vSwitch with its address on br-phy', async () => {
    const [, two] = hosts;
    await two.sh(
      'ovs-vsctl --may-exist add-br br-phy -- set Bridge br-phy datapath_type=netdev -- br-set-external-id br-phy bridge-id br-phy -- set bridge br-phy fail-mode=standalone',
    );
    await two.sh('ethtool -K eth1 tx off gso off tso off || true');
    await two.sh('ovs-vsctl --timeout 10 add-port br-phy eth1');
    await two.sh(
      'ip addr flush dev eth1; ip addr add 10.2.0.2/24 dev br-phy; ip link set br-phy up',
    );
    await two.sh('ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev');
    await addHost(two, { name: 'vm', port: 'v0', address: '10.8.0.3/24' });
    await two.sh('ip link set v0 up; ovs-vsctl add-port br1 v0');
    // It completes no checksums and cuts no super-frames, and knows no path MTU.
    await two.sh('ip netns exec vm ethtool -K eth0 tx off tso off gso off');
    for (const machine of hosts) await machine.sh('ip -n vm link set eth0 mtu 1400');
  });

  for (const type of ['vxlan', 'gre', 'geneve']) {
    step(`${type} with Open vSwitch, keys from flows`, async () => {
      const add = (bridge: string, remote: string): string =>
        `ovs-vsctl --may-exist add-port ${bridge} t0 -- set interface t0 type=${type} options:remote_ip=${remote} options:key=flow`;
      await hosts[0].sh(add('br0', '10.2.0.2'));
      await hosts[1].sh(add('br1', '10.2.0.1'));
      for (const [machine, bridge] of [
        [hosts[0], 'br0'],
        [hosts[1], 'br1'],
      ] as const) {
        await machine.sh(`ovs-ofctl del-flows ${bridge}`);
        await machine.sh(
          `ovs-ofctl add-flow ${bridge} "in_port=v0 actions=set_tunnel:0x77,output:t0" && ovs-ofctl add-flow ${bridge} "in_port=t0,tun_id=0x77 actions=output:v0"`,
        );
      }
      expect(await pingsWithin(hosts[0], 'vm', '10.8.0.3', 8000)).toBe(true);
      // It reads its wire packet by packet, and would see nothing of a train: TCP passes all the same.
      for (const way of ['', '-R']) {
        const server = hosts[1].start('ip netns exec vm iperf3 -s -1 --idle-timeout 15');
        await hosts[1].until('ip netns exec vm ss -Hltn sport = :5201', (out) => out !== '');
        const client = await hosts[0].sh(`ip netns exec vm iperf3 -c 10.8.0.3 -t 2 -J ${way}`);
        await server.ended;
        const report = JSON.parse(client) as { end: { sum_received: { bytes: number } } };
        expect(report.end.sum_received.bytes, `${type} ${way}`).toBeGreaterThan(10_000_000);
      }
      for (const machine of hosts) await machine.sh('ovs-vsctl del-port t0');
    });
  }

  step('GRE of layer 3 with Open vSwitch: IP packets without Ethernet headers', async () => {
    for (const [i, machine] of hosts.entries()) {
      const bridge = `br${i}`;
      await machine.sh(
        `ovs-vsctl add-port ${bridge} t0 -- set interface t0 type=gre options:remote_ip=10.2.0.${2 - i} options:packet_type=legacy_l3 options:key=5`,
      );
      const mac = `02:00:00:00:00:0${i + 1}`;
      await machine.sh(`ip -n vm link set eth0 address ${mac}`);
      await machine.sh(
        `ip -n vm neigh replace 10.8.0.${i === 0 ? 3 : 1} lladdr 02:00:00:00:00:99 dev eth0`,
      );
      await machine.sh(`ovs-ofctl del-flows ${bridge}`);
      await machine.sh(
        `ovs-ofctl add-flow ${bridge} in_port=v0,ip,actions=output:t0 && ovs-ofctl add-flow ${bridge} in_port=t0,actions=mod_dl_dst:${mac},output:v0`,
      );
    }
    const seen = await captured(hosts[0], '-v ip proto 47', async () => {
      expect(await pingsWithin(hosts[0], 'vm', '10.8.0.3', 8000)).toBe(true);
    });
    // IP right behind the GRE header: 84 bytes, not 98.
    expect(seen).toMatch(
      /10\.2\.0\.1 > 10\.2\.0\.2: GREv0, Flags \[key present\], key=0x5, length 92\n\s+IP .*\n\s+10\.8\.0\.1 > 10\.8\.0\.3: ICMP echo request/,
    );
    const server = hosts[1].start('ip netns exec vm iperf3 -s -1 --idle-timeout 15');
    await hosts[1].until('ip netns exec vm ss -Hltn sport = :5201', (out) => out !== '');
    const client = await hosts[0].sh(
      'ip netns exec vm iperf3 -c 10.8.0.3 -t 1 --connect-timeout 3000 -J',
    );
    await server.ended;
    const report = JSON.parse(client) as { end: { sum_received: { bytes: number } } };
    expect(report.end.sum_received.bytes).toBeGreaterThan(1_000_000);
    for (const machine of hosts) await machine.sh('ovs-vsctl del-port t0');
  });
});
