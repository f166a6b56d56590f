/**
 * The switch where no code may be made at run time: Node told to refuse it, and `--no-jit`. Enough packets pass that
 * code would be made for their masks.
 */
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { addHost } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { inRepository } from './support/repository.ts';
import { Switch } from './support/switch.ts';

const PINGS = 3000;
const DAEMON = inRepository('bin/ts-vswitchd');

describe.sequential('without code made at run time', () => {
  let machine: Machine;

  beforeEach(async () => {
    machine = await Machine.boot();
  });
  afterEach(async () => {
    await machine?.shutdown();
  });

  it.each([
    ['--disallow-code-generation-from-strings', '', 1],
    ['', '--no-jit', 0],
  ])('packets pass: node %s ts-vswitchd %s', async (nodeOption, option, complaints) => {
    const vswitch = new Switch(machine, `${process.execPath} ${nodeOption} ${DAEMON} ${option}`);
    onTestFailed(async () => console.error(await vswitch.post()));
    await vswitch.start();
    await vswitch.addBridge('br0');
    for (const [index, name] of ['h1', 'h2'].entries()) {
      const address = `10.0.0.${index + 1}/24`;
      await addHost(machine, { name, port: `${name}p`, address, ipv6: false });
      await machine.sh(`ip link set ${name}p up; ovs-vsctl add-port br0 ${name}p`);
    }
    await machine.until('ip netns exec h1 ping -c 1 -W 1 10.0.0.2');
    const report = await machine.sh(`ip netns exec h1 ping -q -f -c ${PINGS} -w 20 10.0.0.2`);
    expect(report).toContain(`${PINGS} received`);
    const log = await machine.sh('cat /var/log/openvswitch/ovs-vswitchd.log');
    expect(log.match(/may not make code/g) ?? []).toHaveLength(complaints);
  });
});
