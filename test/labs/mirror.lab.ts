/** Mirrors as people make them, with ovs-vsctl, and look at them, with tcpdump on the port that gets the copies. */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { addHost, pings, pingsWithin } from './support/host.ts';
import { Machine } from './support/machine.ts';
import { Switch } from './support/switch.ts';

describe.sequential('mirrors', () => {
  let machine: Machine;
  let vswitch: Switch;

  const step = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      onTestFailed(async () => console.error(await vswitch.post()));
      await body();
    }, 60_000);

  /** What tcpdump in `host` prints while h1 pings h2. */
  const watch = async (host: string, filter: string): Promise<string> => {
    const dump = machine.start(`ip netns exec ${host} tcpdump -i eth0 -lne -s 300 ${filter} 2>&1`);
    try {
      await machine.until('true', () => dump.output().includes('listening on'));
      expect(await pings(machine, 'h1', '10.0.0.2')).toBe(true);
      // What was copied is there before the answer to a ping; tcpdump gets it a moment later.
      await new Promise((resolve) => setTimeout(resolve, 300));
      return dump.output();
    } finally {
      dump.end();
    }
  };

  beforeAll(async () => {
    machine = await Machine.boot();
    vswitch = new Switch(machine);
    await vswitch.start();
    await vswitch.addBridge('br0');
    for (const index of [1, 2, 3]) {
      await addHost(machine, {
        name: `h${index}`,
        port: `p${index}`,
        address: `10.0.0.${index}/24`,
      });
      await machine.sh(`ip link set p${index} up`);
      await machine.sh(`ovs-vsctl add-port br0 p${index}`);
    }
    expect(await pingsWithin(machine, 'h1', '10.0.0.2', 5000)).toBe(true);
  });
  afterAll(async () => {
    await machine?.shutdown();
  });

  step('of one port shows both directions of its traffic, and nobody else', async () => {
    expect(await watch('h3', 'icmp')).not.toContain('ICMP echo');
    await machine.sh(
      'ovs-vsctl -- --id=@p1 get Port p1 -- --id=@p3 get Port p3 -- --id=@m create Mirror name=span ' +
        'select-dst-port=@p1 select-src-port=@p1 output-port=@p3 -- set Bridge br0 mirrors=@m',
    );
    const seen = await watch('h3', 'icmp');
    expect(seen).toMatch(/10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request/);
    expect(seen).toMatch(/10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply/);
  });

  step('takes nothing in on its output port', async () => {
    expect(await pings(machine, 'h3', '10.0.0.1')).toBe(false);
  });

  step('counts into the database', async () => {
    await machine.until('test $(ovs-vsctl get Mirror span statistics:tx_packets) -gt 2');
    expect(await machine.sh('ovs-vsctl get Mirror span statistics')).toMatch(/tx_bytes=\d{3,}/);
  });

  step('cuts copies at snaplen, while the ping itself stays whole', async () => {
    await machine.sh('ovs-vsctl set Mirror span snaplen=64');
    expect(await watch('h3', 'icmp')).toMatch(/length 64: .*10\.0\.0\.1 > 10\.0\.0\.2: ICMP/);
  });

  step('into a VLAN (RSPAN) comes out of that VLAN', async () => {
    await machine.sh('ovs-vsctl set port p3 tag=99 -- clear mirror span output_port snaplen');
    await machine.sh('ovs-vsctl set mirror span output_vlan=99');
    expect(await watch('h3', 'icmp')).toMatch(/10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request/);
    // Trunk ports carry the copies with a tag, the port of h2 as well.
    expect(await watch('h2', 'vlan 99 and icmp')).toMatch(/vlan 99.*ICMP echo request/);
  });

  step('goes with clear, and the port is a port again', async () => {
    await machine.sh('ovs-vsctl clear Bridge br0 mirrors -- clear port p3 tag');
    expect(await pingsWithin(machine, 'h3', '10.0.0.1', 5000)).toBe(true);
    // What was learned went with the mirror: until it is learned anew, frames are flooded.
    expect(await pings(machine, 'h1', '10.0.0.2')).toBe(true);
    await machine.until(
      'ovs-appctl fdb/show br0',
      (table) => /^ +1 /m.test(table) && /^ +2 /m.test(table),
    );
    await machine.sh('ovs-appctl revalidator/wait');
    expect(await watch('h3', 'icmp')).not.toContain('ICMP echo');
  });

  step('that cannot be says why in the log', async () => {
    await machine.sh(
      'ovs-vsctl -- --id=@m create Mirror name=vain select-all=true -- set Bridge br0 mirrors=@m',
    );
    expect(await vswitch.post()).toContain('mirror vain does not specify output; ignoring');
  });
});
