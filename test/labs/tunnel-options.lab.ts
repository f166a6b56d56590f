/**
 * Options of tunnels on the wire, as tcpdump reads it: each is set live at a port that is open, the first of all at one that began as an
 * unknown system device. A guest sends to an address that a static entry of its neighbour table names, so that nothing has to answer.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { captured, Network } from './support/network.ts';
import { isReference } from './support/switch.ts';

/** The sum of 16-bit words from a byte on, folded: all ones where a checksum is right. */
const folded = (packet: Buffer, from: number, more = 0): number => {
  let sum = more;
  for (let at = from; at + 1 < packet.length; at += 2) sum += packet.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
};

const FAR_MAC = '02:00:00:00:0f:02';

describe.sequential('options of tunnels on the wire', () => {
  let network: Network;
  let one: Machine;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      if (isReference()) return;
      onTestFailed(async () => console.error(await network.post()));
      await body();
    }, 60_000);

  /** Sets type and options of t0, all others cleared. */
  const tunnel = async (type: string, options: string): Promise<void> => {
    await one.sh(
      `ovs-vsctl clear interface t0 options -- set interface t0 type=${type} ${options
        .split(' ')
        .map((option) => `options:${option}`)
        .join(' ')}`,
    );
    expect((await one.sh('ovs-vsctl get interface t0 error')).trim()).toBe('[]');
  };
  /** What tcpdump prints of the outer packet of one echo request. */
  const wire = (filter: string, ping = ''): Promise<string> =>
    captured(one, `-v ${filter}`, () =>
      one.run(`ip netns exec vm ping -c 1 -W 0.2 ${ping} 10.60.0.2`),
    );

  /** The outer packet of one echo request, from IPv4's header on. */
  const bytesOnWire = async (filter: string): Promise<Buffer> => {
    const text = await captured(one, `-x ${filter}`, () =>
      one.run('ip netns exec vm ping -c 1 -W 0.2 10.60.0.2'),
    );
    const lines = [...text.matchAll(/^\s+0x[0-9a-f]+: +([0-9a-f ]+)$/gm)];
    return Buffer.from(lines.map(([, digits]) => digits.replaceAll(' ', '')).join(''), 'hex');
  };

  beforeAll(async () => {
    network = await Network.boot(['10.5.0.1/24', '10.5.0.2/24']);
    one = network.hosts[0].machine;
    for (const [i, { machine }] of network.hosts.entries()) {
      await machine.sh(`ip -6 addr add 2001:db8:5::${i + 1}/64 dev eth1 nodad`);
    }
    await one.sh('ip addr add 10.5.0.11/24 dev eth1');
    // The second host has no switch: it is an address.
    await network.hosts[0].vswitch.start();
    await addHost(one, { name: 'vm', port: 'v0', address: '10.60.0.1/24', ipv6: false });
    await one.sh(`ip link set v0 up; ip -n vm neigh add 10.60.0.2 lladdr ${FAR_MAC} dev eth0`);
    await network.hosts[0].vswitch.addBridge('br0');
    await one.sh('ovs-vsctl add-port br0 v0');
    await one.run('ovs-vsctl add-port br0 t0');
    await one.sh('ovs-ofctl del-flows br0; ovs-ofctl add-flow br0 in_port=v0,ip,actions=output:2');
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('an unknown system device becomes a tunnel', async () => {
    expect(await one.sh('ovs-vsctl get interface t0 error')).toContain('No such device');
    await one.sh(
      'ovs-vsctl set interface t0 type=vxlan options:remote_ip=10.5.0.2 ofport_request=2',
    );
    expect((await one.sh('ovs-vsctl get interface t0 error')).trim()).toBe('[]');
    expect((await one.sh('ovs-vsctl get interface t0 ofport')).trim()).toBe('2');
    const seen = await wire('udp port 4789');
    expect(seen).toMatch(/tos 0x0, ttl 64, .*flags \[DF\], proto UDP/);
    expect(seen).toMatch(
      /10\.5\.0\.1\.\d+ > 10\.5\.0\.2\.4789: .*VXLAN, flags \[I\] \(0x08\), vni 0/,
    );
  });

  step('tos and ttl, given and inherited', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2 tos=0x20 ttl=5');
    expect(await wire('udp port 4789')).toMatch(/tos 0x20, ttl 5, .*proto UDP/);
    await tunnel('vxlan', 'remote_ip=10.5.0.2 tos=inherit ttl=inherit');
    expect(await wire('udp port 4789', '-Q 0x48 -t 9')).toMatch(/tos 0x48, ttl 9, .*proto UDP/);
    await tunnel('gre', 'remote_ip=10.5.0.2 tos=inherit ttl=7');
    expect(await wire('ip proto 47', '-Q 0x48')).toMatch(/tos 0x48, ttl 7, .*proto GRE/);
  });

  step('the congestion mark goes over to the outer header (RFC 6040)', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2');
    expect(await wire('udp port 4789', '-Q 0x02')).toMatch(/tos 0x2,ECT\(0\), ttl 64/);
    expect(await wire('udp port 4789', '-Q 0x01')).toMatch(/tos 0x1,ECT\(1\), ttl 64/);
    expect(await wire('udp port 4789', '-Q 0x03')).toMatch(/tos 0x2,ECT\(0\), ttl 64/);
  });

  step('df_default=false lets the kernel fragment', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2 df_default=false');
    expect(await wire('udp port 4789')).toMatch(/flags \[none\], proto UDP/);
    // In two: together as long as frame and headers, and nobody was told to send less.
    const seen = await wire('ip host 10.5.0.2', '-s 1472');
    expect(seen).toMatch(/flags \[\+\], proto UDP .*length 1500\)/);
    expect(seen).toMatch(/offset 1480, flags \[none\], proto UDP .*length 70\)/);
    await tunnel('gre', 'remote_ip=10.5.0.2 df_default=false');
    expect(await wire('ip proto 47')).toMatch(/flags \[none\], proto GRE/);
  });

  step('csum: of UDP, and of GRE', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2');
    expect((await bytesOnWire('udp port 4789')).readUInt16BE(26)).toBe(0);
    await one.sh('ethtool -K eth1 tx off');
    for (const [type, port] of [
      ['vxlan', 4789],
      ['geneve', 6081],
    ] as const) {
      await tunnel(type, 'remote_ip=10.5.0.2 csum=true');
      const packet = await bytesOnWire(`udp port ${port}`);
      expect(packet.readUInt16BE(26)).not.toBe(0);
      // The sum with the pseudo header's: addresses, protocol and length.
      expect(folded(packet, 12, 17 + packet.length - 20)).toBe(0xffff);
    }
    await tunnel('gre', 'remote_ip=10.5.0.2 csum=true');
    expect(await wire('ip proto 47')).toMatch(/GREv0, Flags \[checksum present\]/);
    expect(folded(await bytesOnWire('ip proto 47'), 20)).toBe(0xffff);
    await one.sh('ethtool -K eth1 tx on');
  });

  step('keys: one, of each direction, and by flow', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2 key=0x123456');
    expect(await wire('udp port 4789')).toContain('vni 1193046');
    await tunnel('gre', 'remote_ip=10.5.0.2 in_key=4 out_key=7');
    expect(await wire('ip proto 47')).toMatch(/GREv0, Flags \[key present\], key=0x7,/);
    await tunnel('geneve', 'remote_ip=10.5.0.2 key=flow');
    await one.sh('ovs-ofctl mod-flows br0 in_port=v0,ip,actions=set_tunnel:0x99,output:2');
    expect(await wire('udp port 6081')).toMatch(/Geneve, Flags \[none\], vni 0x99/);
    await tunnel('gre', 'remote_ip=10.5.0.2 key=flow seq=true');
    expect(await wire('ip proto 47')).toMatch(
      /Flags \[key present, sequence# present\], key=0x99, seq \d/,
    );
  });

  step('remote_ip=flow and local_ip=flow', async () => {
    await tunnel('vxlan', 'remote_ip=flow local_ip=flow key=flow');
    await one.sh(
      'ovs-ofctl mod-flows br0 "in_port=v0,ip,actions=set_field:10.5.0.2->tun_dst,set_field:10.5.0.11->tun_src,set_field:5->tun_id,output:2"',
    );
    expect(await wire('udp port 4789')).toMatch(/10\.5\.0\.11\.\d+ > 10\.5\.0\.2\.4789: .*vni 5/);
    await one.sh('ovs-ofctl mod-flows br0 in_port=v0,ip,actions=output:2');
    await tunnel('gre', 'remote_ip=10.5.0.2 local_ip=10.5.0.11');
    expect(await wire('ip proto 47')).toMatch(/10\.5\.0\.11 > 10\.5\.0\.2: GREv0/);
  });

  step('dst_port, and the group policy extension', async () => {
    await tunnel('vxlan', 'remote_ip=10.5.0.2 dst_port=8472');
    expect(await wire('udp port 8472')).toMatch(/10\.5\.0\.2\.8472: /);
    await tunnel('vxlan', 'remote_ip=10.5.0.2 exts=gbp');
    await one.sh(
      'ovs-ofctl mod-flows br0 "in_port=v0,ip,actions=set_field:0x321->tun_gbp_id,set_field:0x8->tun_gbp_flags,output:2"',
    );
    // G and I, A, group 0x321 behind the UDP header.
    const packet = await bytesOnWire('udp port 4789');
    expect(packet.toString('hex', 28, 36)).toBe('8808032100000000');
    await one.sh('ovs-ofctl mod-flows br0 in_port=v0,ip,actions=output:2');
  });

  step('options of Geneve as fields', async () => {
    await one.sh('ovs-ofctl add-tlv-map br0 "{class=0xffee,type=0x11,len=4}->tun_metadata0"');
    await tunnel('geneve', 'remote_ip=10.5.0.2 key=3');
    await one.sh(
      'ovs-ofctl mod-flows br0 "in_port=v0,ip,actions=set_field:0xdeadbeef->tun_metadata0,output:2"',
    );
    expect(await wire('-v udp port 6081')).toMatch(
      /Geneve, Flags \[none\], vni 0x3.*options \[class Unknown \(0xffee\) type 0x11 len 8 data deadbeef\]/,
    );
    await one.sh('ovs-ofctl mod-flows br0 in_port=v0,ip,actions=output:2');
  });

  step('egress_pkt_mark is what routes and packet filters see', async () => {
    await one.sh('iptables -A OUTPUT -m mark --mark 0x4d2 -j ACCEPT');
    await tunnel('vxlan', 'remote_ip=10.5.0.2 egress_pkt_mark=1234');
    await wire('udp port 4789');
    expect(await one.sh('iptables -nvxL OUTPUT')).toMatch(/^ +[1-9]\d* +[1-9]\d* +ACCEPT .*0x4d2/m);
    // A table of its own: the status column names the device that packets with the mark take.
    await one.sh('ip link add other type veth peer name other-peer');
    await one.sh('ip link set other up; ip link set other-peer up');
    await one.sh('ip route add 10.5.0.2 dev other table 77; ip rule add fwmark 1234 table 77');
    await one.sh('ovs-vsctl --timeout=3 wait-until interface t0 status:tunnel_egress_iface=other');
    await one.sh('ip rule del fwmark 1234; ip link del other');
  });

  step('far ends of IPv6: VXLAN, Geneve, ip6gre', async () => {
    await tunnel('vxlan', 'remote_ip=2001:db8:5::2 key=9 tos=0x20 ttl=11');
    expect(await wire('udp port 4789')).toMatch(
      /class 0x20, .*hlim 11, next-header UDP .*2001:db8:5::1\.\d+ > 2001:db8:5::2\.4789: .*vni 9/,
    );
    await tunnel('geneve', 'remote_ip=2001:db8:5::2 local_ip=2001:db8:5::1');
    expect(await wire('udp port 6081')).toMatch(/2001:db8:5::1\.\d+ > 2001:db8:5::2\.6081: /);
    for (const type of ['ip6gre', 'gre']) {
      await tunnel(type, 'remote_ip=2001:db8:5::2 key=9');
      expect(await wire('ip6 proto 47')).toMatch(
        /2001:db8:5::1 > 2001:db8:5::2: GREv0, Flags \[key present\], key=0x9/,
      );
    }
  });

  step('types that are not there say so, and what is wrong with options', async () => {
    const error = async (type: string, options: string): Promise<string> => {
      await one.sh(
        `ovs-vsctl --no-wait add-port br0 x0 -- set interface x0 type=${type} ${options}`,
      );
      const text = await one.until(
        'ovs-vsctl get interface x0 error',
        (got) => got.trim() !== '[]',
      );
      await one.sh('ovs-vsctl del-port x0');
      return text.trim();
    };
    const ip = 'options:remote_ip=10.5.0.2';
    for (const type of ['lisp', 'stt', 'dpdk', 'dpdkvhostuser', 'dpdkvhostuserclient']) {
      expect(await error(type, ip)).toMatch(new RegExp(`x0 .*${type}.* not supported`));
    }
    expect(await error('vxlan', 'options:key=1')).toContain("requires valid 'remote_ip' argument");
    expect(await error('vxlan', 'options:remote_ip=foo')).toContain("bad vxlan 'remote_ip'");
    expect(await error('gre', 'options:remote_ip=224.0.0.1')).toContain('multicast remote_ip');
    expect(await error('vxlan', `${ip} options:packet_type=legacy_l3`)).toContain(
      'cannot carry L3 traffic',
    );
    // Better nothing than other bytes than those that were asked for.
    expect(await error('geneve', `${ip} options:packet_type=legacy_l3`)).toMatch(
      /x0: options:packet_type=legacy_l3 .* is not supported/,
    );
    expect(await error('vxlan', `${ip} options:exts=gpe options:dst_port=4790`)).toMatch(
      /x0: options:exts=gpe .* is not supported/,
    );
    await tunnel('vxlan', 'remote_ip=10.5.0.2 key=5');
    expect(await error('vxlan', `${ip} options:key=5`)).toMatch(
      /port t0 of bridge br0 .*options:key=N/,
    );
  });
});
