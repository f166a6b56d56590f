/**
 * How frames move, chosen at run time and shown in `status:io`; what the user chooses with `options:io`, and segments that the kernel
 * joins for `other_config:gro`.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pingsWithin, transfer } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { isReference, Switch } from './support/switch.ts';

describe.runIf(!isReference())('ways of moving frames', () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await vswitch.post()));
      await body();
    }, 60_000);
  const get = async (column: string, name = 'p1'): Promise<string> =>
    (await machine.sh(`ovs-vsctl get Interface ${name} ${column}`)).trim();
  const set = (what: string) => machine.sh(`ovs-vsctl set Interface p1 ${what}`);
  const isJoining = async (): Promise<boolean> =>
    / on/.test(await machine.sh('ethtool -k p1 | grep ^generic-receive-offload:'));

  beforeAll(async () => {
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    await vswitch.start();
    await vswitch.addBridge('br0');
    for (const index of [1, 2]) {
      const address = `10.0.0.${index}/24`;
      await addHost(machine, { name: `h${index}`, port: `p${index}`, address });
      await machine.sh(`ip link set p${index} up`);
      await machine.sh(`ovs-vsctl add-port br0 p${index}`);
    }
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('a ring for the device of somebody else, a TAP for our own', async () => {
    expect(await get('status:io')).toBe('packet-ring');
    expect(await get('status:io', 'br0')).toBe('tap');
    expect(await get('status:driver_name')).toBe('veth');
  });

  step('without ring TCP passes, too', async () => {
    await set('options:io=packet-plain');
    expect(await get('status:io')).toBe('packet-plain');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    for (const [from, to, address] of [
      ['h1', 'h2', '10.0.0.2'],
      ['h2', 'h1', '10.0.0.1'],
    ] as const) {
      const sent = await transfer(machine, { from, to, address, seconds: 1 });
      expect(sent.bytes).toBeGreaterThan(10_000_000);
    }
  });

  step('the ring has as many slots as n_rxq_desc says', async () => {
    await set('options:io=packet-ring options:n_rxq_desc=4096');
    expect(await get('error')).toBe('[]');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
    await set('options:n_rxq_desc=many');
    expect(await get('error')).toBe(
      '"could not open network device p1: options:n_rxq_desc=many: not a number from 32 to 16384"',
    );
  });

  step('what is no way says so and can be mended', async () => {
    await set('options:io=warp');
    expect(await get('error')).toBe(
      '"could not open network device p1: options:io=warp: not one of auto, packet-ring, packet-plain"',
    );
    await machine.sh('ovs-vsctl set Interface br0 options:io=packet-ring');
    expect(await get('error', 'br0')).toBe(
      '"could not open network device br0: options:io=packet-ring: not one of auto, tap"',
    );
    await machine.sh('ovs-vsctl clear Interface br0 options -- clear Interface p1 options');
    expect(await get('error')).toBe('[]');
    expect(await get('status:io')).toBe('packet-ring');
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });

  step('the kernel joins segments while gro asks for it, and not after', async () => {
    expect(await isJoining()).toBe(false);
    await set('other_config:gro=true');
    expect(await isJoining()).toBe(true);
    await machine.sh('ip netns exec h1 ethtool -K eth0 tso off gso off');
    const sent = await transfer(machine, { from: 'h1', to: 'h2', address: '10.0.0.2', seconds: 1 });
    expect(sent.bytes).toBeGreaterThan(10_000_000);
    await set('other_config:gro=false');
    expect(await isJoining()).toBe(false);
    await set('other_config:gro=true');
    await machine.sh('ovs-vsctl del-port p1');
    expect(await isJoining()).toBe(false);
  });
});
