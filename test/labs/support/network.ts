/**
 * Several lab machines on one wire: each has an eth1 on a bridge of the kernel that belongs to a machine of its own, so that
 * hosts are as far from one another as hosts are, with a switch daemon each.
 */
import { execFileSync } from 'node:child_process';
import { Machine } from './machine.ts';
import { Switch } from './switch.ts';

export interface LabHost {
  readonly machine: Machine;
  readonly vswitch: Switch;
}

export class Network {
  readonly hosts: readonly LabHost[];
  private readonly wire: Machine;

  private constructor(hosts: readonly LabHost[], wire: Machine) {
    this.hosts = hosts;
    this.wire = wire;
  }

  /** Boots a machine for each address of eth1 (`null`: none), the last ones with the daemons in `commands`, the others with the one under test. */
  static async boot(
    addresses: readonly (string | null)[],
    commands: readonly (string | undefined)[] = [],
  ): Promise<Network> {
    const wire = await Machine.boot();
    await wire.sh('ip link add wire type bridge && ip link set wire up');
    const hosts: LabHost[] = [];
    for (const [i, address] of addresses.entries()) {
      const machine = await Machine.boot();
      execFileSync('ip', [
        ...['link', 'add', 'eth1', 'netns', String(machine.pid), 'type', 'veth'],
        ...['peer', 'name', `port${i}`, 'netns', String(wire.pid)],
      ]);
      await wire.sh(`ip link set port${i} master wire up`);
      await machine.sh('ip link set eth1 up');
      if (address !== null) await machine.sh(`ip addr add ${address} dev eth1`);
      const command = commands[i];
      const vswitch = command === undefined ? new Switch(machine) : new Switch(machine, command);
      hosts.push({ machine, vswitch });
    }
    return new Network(hosts, wire);
  }

  async start(): Promise<void> {
    for (const { vswitch } of this.hosts) await vswitch.start();
  }

  /** What one wants to see after a failure. */
  async post(): Promise<string> {
    const texts = await Promise.all(this.hosts.map(({ vswitch }) => vswitch.post()));
    return texts.map((text, i) => `=== host ${i + 1}\n${text}`).join('\n');
  }

  async shutdown(): Promise<void> {
    for (const { machine } of this.hosts) await machine.shutdown();
    await this.wire.shutdown();
  }
}

/** Runs `during` while tcpdump listens on eth1; returns what it printed. */
export async function captured(
  machine: Machine,
  filter: string,
  during: () => Promise<unknown>,
): Promise<string> {
  const tcpdump = machine.start(`tcpdump -l -i eth1 -nn ${filter}`);
  await machine.until('true', () => tcpdump.output().includes('listening on'));
  await during();
  // What it has is printed a moment later.
  await machine.run('sleep 0.3; for p in $(pidof tcpdump); do kill -INT $p; done');
  await tcpdump.ended;
  return tcpdump.output();
}
