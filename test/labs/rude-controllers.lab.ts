/**
 * Controllers that do not read, send garbage or more than can be done: they cost neither the switch's memory nor its log, neither packets nor
 * other connections. What is bounded is asserted; what is only a speed is printed with LAB_VERBOSE=1.
 */
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { addHost } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { Switch } from './support/switch.ts';

const SOCKET = '/run/openvswitch/br0.mgmt';
const FLOWS = 20_000;
const LOG = '/var/log/openvswitch/ovs-vswitchd.log';

let machine: Machine;
let daemon: Switch;
const rude = (how: string, amount: number): string =>
  `/usr/bin/python3 ${inRepository('test/labs/apps/rude.py')} ${how} ${SOCKET} ${amount}`;
const residentMb = async (): Promise<number> => {
  const line = await machine.sh(`grep VmRSS /proc/${await daemon.daemonPid()}/status`);
  return Number(line.replaceAll(/\D/g, '')) / 1024;
};

beforeAll(async () => {
  machine = await Machine.boot();
  await addHost(machine, { name: 'h1', port: 'v1', address: '10.0.0.1/24' });
  await addHost(machine, { name: 'h2', port: 'v2', address: '10.0.0.2/24' });
  await machine.sh('ip link set v1 up && ip link set v2 up');
  daemon = new Switch(machine);
  await daemon.start();
  await daemon.addBridge('br0');
  await machine.sh('ovs-vsctl add-port br0 v1 -- add-port br0 v2');
  const macs = `seq 1 ${FLOWS} | awk '{printf "priority=5,dl_dst=02:00:00:%02x:%02x:%02x,actions=drop\\n",$1/65536,($1/256)%256,$1%256}'`;
  await machine.sh(`${macs} | ovs-ofctl add-flows br0 -`);
}, 60_000);
afterAll(() => machine?.shutdown());

test('one that reads neither 100,000 packet-ins nor its dumps of 20,000 flows costs no memory', async () => {
  onTestFailed(async () => console.error(await daemon.post()));
  const silent = machine.start(rude('silent', 12));
  await machine.sh('sleep 1');
  const before = await residentMb();
  expect(await machine.sh(rude('packets', 100_000), { timeoutMs: 60_000 })).toContain('made');
  // The unread gigabytes would be seen; the garbage collector's moods are not.
  expect((await residentMb()) - before).toBeLessThan(200);
  expect(await machine.sh('ovs-ofctl dump-aggregate br0')).toContain(`flow_count=${FLOWS + 1}`);
  await silent.ended;
  expect(silent.output()).toMatch(/^asked \d+, /);
}, 100_000);

test('one that floods the switch holds up neither packets nor other connections', async () => {
  onTestFailed(async () => console.error(await daemon.post()));
  await machine.sh('ip netns exec h1 ping -n -c 3 -i 0.2 10.0.0.2');
  const flood = machine.start(rude('flood', 5));
  const polite = machine.start(rude('polite', 5));
  const ping = await machine.sh('ip netns exec h1 ping -n -q -c 50 -i 0.1 -W 5 10.0.0.2');
  expect(ping).toContain(' 0% packet loss');
  await Promise.all([flood.ended, polite.ended]);
  expect(flood.output()).toMatch(/^sent \d+ bytes/);
  expect(polite.output()).toMatch(/^[1-9]\d* echoes/);
  await machine.sh(`echo '${flood.output()}${polite.output()}'`);
  const lines = Number(await machine.sh(`wc -l < ${LOG}`));
  expect(lines).toBeLessThan(1000);
}, 60_000);
