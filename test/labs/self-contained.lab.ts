/**
 * A machine without Open vSwitch: its programs and files are hidden, `npm start` runs the switch, and the VLAN lab of seed 000 is typed with
 * `ts-vsctl`, `ts-appctl` and `ts-ofctl` alone.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin } from './support/host.ts';
import { type Background, Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { isReference } from './support/switch.ts';

/** Hides what the packages openvswitch-common and openvswitch-switch bring, here alone. */
const HIDE = `
for file in $(ls -d /usr/bin/ovs-* /usr/bin/ovsdb-* /usr/sbin/ovs* /bin/ovs* /sbin/ovs* 2>/dev/null); do
  mount --bind /dev/null $(readlink -f $file)
done
for folder in /usr/share/openvswitch /usr/lib/openvswitch-switch; do
  if [ -d $folder ]; then mount -t tmpfs tmpfs $folder; fi
done
ln -s ${inRepository('bin')} /run/bin
mkdir -p /etc/openvswitch /var/log/openvswitch
`;

const IF_UP = `#!/bin/sh
ip link set $1 up
sleep 0.2
/run/bin/ts-vsctl add-port br-in $1
`;

describe.skipIf(isReference()).sequential('without Open vSwitch', () => {
  let machine: Machine;
  let start: Background;

  const vsctl = (line: string): Promise<string> =>
    machine.sh(`/run/bin/ts-vsctl --timeout=15 ${line}`);
  const step = (name: string, body: () => Promise<void>): void =>
    it(name, async () => {
      onTestFailed(() =>
        console.error(`${machine.transcript()}\n--- npm start\n${start.output()}`),
      );
      await body();
    }, 60_000);

  beforeAll(async () => {
    machine = await Machine.boot();
    await machine.sh(HIDE);
    await machine.sh('cat > /run/if-up; chmod +x /run/if-up', { input: IF_UP });
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('there is none', async () => {
    start = machine.start('true');
    for (const name of ['ovs-vsctl', 'ovs-appctl', 'ovs-ofctl', 'ovsdb-server', 'ovs-vswitchd'])
      await machine.fails(name);
    expect(await machine.sh('ls /usr/share/openvswitch 2>/dev/null || true')).toBe('');
  });

  step('npm start builds and runs the switch, and says how to go on', async () => {
    start = machine.start(`sh -c 'cd ${inRepository('.')} && exec npm start'`);
    await machine.until('/run/bin/ts-appctl -T 5 version', undefined, 50_000);
    await machine.until('true', () => start.output().includes('ts-vsctl add-br br0'));
    expect(start.output()).not.toContain('installing');
  });

  step('bridge, ports and the if-up script', async () => {
    await vsctl('add-br br-in');
    expect(await vsctl('show')).toMatch(
      /Bridge br-in\n(.*\n)*\s+Port br-in\n\s+Interface br-in\n\s+type: internal(.*\n)*\s+ovs_version: "3/,
    );
    expect(await vsctl('get interface br-in ofport')).toBe('65534\n');
    await addHost(machine, { name: 'lan', port: 'eth1', address: '10.0.3.100/24' });
    await machine.sh('ip link set eth1 up');
    await vsctl('add-port br-in eth1');
    expect(await vsctl('list-ports br-in')).toBe('eth1\n');
    expect(await vsctl('find port name=eth1')).toMatch(/name +: eth1/);
    for (const n of [0, 1]) {
      const address = `10.0.3.${n + 1}/24`;
      const mac = `52:54:00:00:00:0${n + 1}`;
      await addHost(machine, { name: `test${n + 1}`, port: `vif${n}.0`, address, mac });
      await machine.sh(`/run/if-up vif${n}.0`);
    }
    expect(await pingsWithin(machine, 'test1', '10.0.3.2', 5000)).toBe(true);
    expect(await pings(machine, 'lan', '10.0.3.1')).toBe(true);
    expect(await machine.sh('/run/bin/ts-appctl fdb/show br-in')).toContain('52:54:00:00:00:01');
  });

  step('tags part the hosts, also across a second bridge', async () => {
    await vsctl('set port vif0.0 tag=10');
    await vsctl('set port vif1.0 tag=11');
    expect(await pings(machine, 'test1', '10.0.3.2')).toBe(false);
    expect(await vsctl('show')).toMatch(/Port vif0\.0\n\s+tag: 10/);
    await vsctl('add-br br-test');
    await addHost(machine, { name: 'test3', port: 'vif2.0', address: '10.0.3.3/24' });
    await machine.sh('ip link set vif2.0 up');
    await machine.sh('ip link add switch0 type veth peer name switch1');
    await machine.sh('ip link set switch0 up && ip link set switch1 up');
    await vsctl(
      'add-port br-in switch0 -- add-port br-test switch1 -- add-port br-test vif2.0 tag=10',
    );
    expect(await pingsWithin(machine, 'test1', '10.0.3.3', 5000)).toBe(true);
    expect(await pings(machine, 'test1', '10.0.3.2')).toBe(false);
    expect(await machine.sh('/run/bin/ts-appctl fdb/show br-test')).toMatch(
      / 10 +52:54:00:00:00:01/,
    );
  });

  step(
    'without tags all hosts are together again, and flows decide what they are told',
    async () => {
      await vsctl(
        'remove port vif0.0 tag 10 -- clear port vif1.0 tag -- remove port vif2.0 tag 10',
      );
      expect(await pingsWithin(machine, 'test1', '10.0.3.2', 5000)).toBe(true);
      expect(await pingsWithin(machine, 'test2', '10.0.3.3', 5000)).toBe(true);
      await machine.sh(
        '/run/bin/ts-ofctl add-flow br-in priority=9,icmp,nw_dst=10.0.3.2,actions=drop',
      );
      expect(await pings(machine, 'test1', '10.0.3.2')).toBe(false);
      expect(await machine.sh('/run/bin/ts-ofctl dump-flows br-in')).toMatch(
        /n_packets=[1-9].* actions=drop/,
      );
      await machine.sh('/run/bin/ts-ofctl del-flows br-in icmp');
      expect(await pingsWithin(machine, 'test1', '10.0.3.2', 5000)).toBe(true);
    },
  );

  step('list interface tells the truth, and del-br gives the interfaces back', async () => {
    const listed = await vsctl('list interface vif0.0');
    const column = (name: string): string | undefined =>
      listed.match(new RegExp(`^${name} *: (.*)$`, 'm'))?.[1];
    const link = await machine.sh('ip -o link show vif0.0');
    expect(column('ifindex')).toBe(link.match(/^(\d+):/)?.[1]);
    expect(column('error')).toBe('[]');
    expect(column('statistics')).toMatch(/rx_packets=\d+.*tx_bytes=\d+/);
    await vsctl('del-port br-in vif1.0');
    expect(await machine.sh('ip -d link show vif1.0')).toMatch(/promiscuity 0/);
    await vsctl('del-br br-test -- del-br br-in');
    expect(await vsctl('list-br')).toBe('');
    await machine.fails('ip link show br-in');
  });

  step('Ctrl-C ends it', async () => {
    await machine.sh('kill -INT $(pgrep -f "^node [s]cripts/start.mjs")');
    expect(await start.ended).toBe(0);
    await machine.fails('/run/bin/ts-appctl version');
  });
});
