/**
 * What arrives that no tunnel sent, and far ends that are not there: each has its counter, and tunnels beside it go on. One bridge
 * for each kind of tunnel between two hosts, a guest on each.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin } from './support/host.ts';
import type { Machine } from './support/machine.ts';
import { Network } from './support/network.ts';
import { isReference } from './support/switch.ts';

const KINDS = ['vxlan', 'gre', 'geneve'] as const;
const FRAME = "b'\\xff'*6 + bytes([2,0,0,0,0,9]) + b'\\x88\\xb5' + bytes(46)";

/** Sends payloads, hex or Python expressions of bytes, `times` times each, to the first host. */
const thrown = (protocol: 'gre' | number, payloads: readonly string[], times: number): string => `
import socket
${
  protocol === 'gre'
    ? "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47); to = ('10.3.0.1', 0)"
    : `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); to = ('10.3.0.1', ${protocol})`
}
F = ${FRAME}
for i in range(${times}):
    for p in [${payloads.join(', ')}]:
        s.sendto(p, to)
`;
const h = (digits: string): string => `bytes.fromhex('${digits}')`;

/** 10,000 packets a second for `seconds`: a VNI that nobody has, random VNIs, random bytes, empty and long ones. */
const GARBAGE = (seconds: number): string => `
import os, random, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); to = ('10.3.0.1', 4789)
F = ${FRAME}
random.seed(5)
def vni(n): return b'\\x08\\0\\0\\0' + n.to_bytes(3, 'big') + b'\\0'
pool = [b'', b'x', bytes(64), bytes(1400), vni(0x999999) + F]
pool += [os.urandom(random.randrange(200)) for _ in range(100)]
pool += [vni(random.randrange(1 << 12, 1 << 14)) + F for _ in range(100)]
begin = time.monotonic(); sent = 0
while (now := time.monotonic() - begin) < ${seconds}:
    due = min(int(now * 10000), sent + 2000)
    while sent < due:
        s.sendto(pool[sent % len(pool)], to); sent += 1
    time.sleep(0.002)
print(sent)
`;

/** Loss in percent and answers of ping's summary. */
const summary = (text: string): { sent: number; received: number } => {
  const found = /(\d+) packets transmitted, (\d+) received/.exec(text);
  return { sent: Number(found?.[1]), received: Number(found?.[2]) };
};

describe.sequential('what no tunnel sent, and far ends that are not there', () => {
  let network: Network;
  let hosts: Machine[];

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      if (isReference()) return;
      onTestFailed(async () => console.error(await network.post()));
      await body();
    }, 60_000);

  const counter = async (name: string): Promise<number> =>
    Number(await hosts[0].sh(`ovs-appctl coverage/read-counter ${name}`));
  const python = (program: string): Promise<string> => hosts[1].sh('python3 -', { input: program });

  /** Throws the payloads 20 times each; then the counter is at least 20 more. */
  const counts = async (name: string, protocol: 'gre' | number, payload: string): Promise<void> => {
    const before = await counter(name);
    await python(thrown(protocol, [payload], 20));
    // Frames that nobody wants are counted from the second of a flow on, the first is an upcall.
    await hosts[0].until(
      `ovs-appctl coverage/read-counter ${name}`,
      (text) => Number(text) >= before + 18,
      3000,
    );
  };

  beforeAll(async () => {
    network = await Network.boot(['10.3.0.1/24', '10.3.0.2/24']);
    hosts = network.hosts.map(({ machine }) => machine);
    await network.start();
    for (const [i, machine] of hosts.entries()) {
      for (const [k, kind] of KINDS.entries()) {
        await addHost(machine, {
          name: `vm${k}`,
          port: `v${k}`,
          address: `10.${40 + k}.0.${i + 1}/24`,
        });
        await machine.sh(`ip link set v${k} up`);
        await network.hosts[i].vswitch.addBridge(`br${k}`);
        await machine.sh(
          `ovs-vsctl add-port br${k} v${k} -- add-port br${k} t${k} -- set interface t${k} type=${kind} options:remote_ip=10.3.0.${2 - i} options:key=7`,
        );
      }
    }
  });
  afterAll(async () => {
    await network?.shutdown();
  });

  step('the three tunnels work', async () => {
    for (const k of KINDS.keys()) {
      expect(await pingsWithin(hosts[0], `vm${k}`, `10.${40 + k}.0.2`, 5000)).toBe(true);
    }
  });

  step(
    'VXLAN: cut off, without its flag, a VNI that nobody has, a frame that is none',
    async () => {
      await counts('drop_tunnel_truncated', 4789, h('080000'));
      await counts('drop_tunnel_bad_flags', 4789, `${h('0000000000000700')} + F`);
      await counts('datapath_drop_invalid_tnl_port', 4789, `${h('0800000000123400')} + F`);
      await counts('datapath_drop_rx_invalid_packet', 4789, `${h('0800000000000700')} + b'abc'`);
    },
  );

  step(
    'GRE: cut off, another version, flags, payload, a wrong checksum, a key that nobody has',
    async () => {
      await counts('drop_tunnel_truncated', 'gre', h('2000'));
      await counts('drop_tunnel_truncated', 'gre', h('20006558'));
      await counts('drop_tunnel_bad_version', 'gre', `${h('0001655800000000')} + F`);
      await counts('drop_tunnel_bad_flags', 'gre', `${h('4000655800000000')} + F`);
      await counts('drop_tunnel_protocol', 'gre', `${h('000088be45000014')} + F`);
      await counts('drop_tunnel_bad_checksum', 'gre', `${h('800065581234000000000007')} + F`);
      await counts('datapath_drop_invalid_tnl_port', 'gre', `${h('2000655800000999')} + F`);
    },
  );

  step(
    'Geneve: cut off, more options than there are, options beyond their list, another version',
    async () => {
      await counts('drop_tunnel_truncated', 6081, h('00006558'));
      await counts('drop_tunnel_truncated', 6081, h('3f00655800000700ffff0001'));
      await counts('drop_tunnel_bad_option', 6081, `${h('0100655800000700ffff0105')} + F`);
      await counts('drop_tunnel_bad_version', 6081, `${h('8000655800000700')} + F`);
      await counts('drop_tunnel_protocol', 6081, `${h('0000080000000700')} + F`);
      // An option that must be understood, and is not (RFC 8926, 3.5).
      await counts(
        'drop_action_invalid_tunnel_metadata',
        6081,
        `${h('0140655800000700ffff8100')} + F`,
      );
    },
  );

  step("the port's own statistics have them too", async () => {
    const shown = await hosts[0].sh('ovs-appctl dpctl/show -s');
    expect(shown).toMatch(/vxlan_sys_4789.*\n\s+RX packets:\d+ errors:\d+ dropped:[1-9]/);
  });

  step('10,000 packets a second of garbage for ten seconds leave a ping undisturbed', async () => {
    const before = await counter('drop_tunnel_truncated');
    const pinging = hosts[0].start('ip netns exec vm0 ping -n -q -i 0.02 -w 11 10.40.0.2');
    const sent = Number(await python(GARBAGE(10)));
    expect(sent).toBeGreaterThan(90_000);
    await pinging.ended;
    const { sent: asked, received } = summary(pinging.output());
    expect(asked).toBeGreaterThan(400);
    expect(asked - received).toBe(0);
    expect((await counter('drop_tunnel_truncated')) - before).toBeGreaterThan(500);
    expect(await counter('datapath_drop_invalid_tnl_port')).toBeGreaterThan(1000);
    // It has none of it left: neither in memory nor in flows beyond their limit.
    expect(Number(await hosts[0].sh('ovs-appctl dpctl/dump-flows | wc -l'))).toBeLessThan(2000);
  });

  step(
    'far ends without neighbour, without route, or refused disturb no other tunnel',
    async () => {
      const [one, two] = hosts;
      await network.hosts[0].vswitch.addBridge('br9');
      await two.sh(
        'ip route add unreachable 203.0.113.0/24; echo 1 > /proc/sys/net/ipv4/ip_forward',
      );
      await two.sh('echo 0 > /proc/sys/net/ipv4/icmp_ratelimit');
      await one.sh('ip route add 203.0.113.0/24 via 10.3.0.2');
      const remotes = ['10.3.0.77', '198.51.100.9', '203.0.113.9'];
      for (const [i, remote] of remotes.entries()) {
        for (const [k, kind] of KINDS.entries()) {
          const name = `u${k}${i}`;
          await one.sh(
            `ovs-vsctl add-port br9 ${name} -- set interface ${name} type=${kind} options:remote_ip=${remote}`,
          );
        }
      }
      // Nobody listens at that port of the second host.
      await one.sh(
        'ovs-vsctl add-port br9 u9 -- set interface u9 type=vxlan options:remote_ip=10.3.0.2 options:dst_port=5555',
      );
      await addHost(one, { name: 'vm9', port: 'v9', address: '10.49.0.1/24' });
      await one.sh('ip link set v9 up; ovs-vsctl add-port br9 v9');
      const [noRoute, unreachable] = [
        await counter('drop_tunnel_no_route'),
        await counter('drop_tunnel_unreachable'),
      ];
      const pinging = KINDS.map((_, k) =>
        one.start(`ip netns exec vm${k} ping -n -q -i 0.02 -w 5 10.${40 + k}.0.2`),
      );
      // Many flows: whichever source port a ping has, one of these has it as well.
      const flood = `
import socket, time
socks = []
for i in range(200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    socks.append(s)
end = time.monotonic() + 4
while time.monotonic() < end:
    for s in socks: s.sendto(bytes(100), ('10.49.0.255', 9))
    time.sleep(0.2)
`;
      await one.sh('ip netns exec vm9 python3 -', { input: flood });
      for (const ping of pinging) {
        await ping.ended;
        const { sent, received } = summary(ping.output());
        expect(sent).toBeGreaterThan(150);
        expect(sent - received).toBe(0);
      }
      expect((await counter('drop_tunnel_no_route')) - noRoute).toBeGreaterThan(500);
      expect((await counter('drop_tunnel_unreachable')) - unreachable).toBeGreaterThan(10);
    },
  );
});
