/**
 * A switch under comparison, between its two hosts h1 and h2 on ports 1 and 2 of a bridge br0, in a lab machine of its own.
 */
import { addHost } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { daemonCommand, Switch } from '../test/labs/support/switch.ts';
import type { Contestant } from './contest.ts';
import { H1, H2 } from './measure.ts';

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** Command of the daemon; empty for the kernel. */
  readonly command: string;
  /** other_config of Open_vSwitch. */
  readonly settings: string;
}

export const OURS: Peer = {
  name: 'ts-vswitch',
  title: 'ts-vswitch',
  command: daemonCommand(),
  settings: '',
};
/** With the priority that its start script gives it (ovs-ctl(8), --ovs-vswitchd-priority); ours takes the same by itself. */
const OVS_VSWITCHD = 'nice -n -10 ovs-vswitchd';

export const OVS: Peer = {
  name: 'ovs',
  title: 'Open vSwitch',
  command: OVS_VSWITCHD,
  settings: '',
};
export const OVS_TSO: Peer = {
  name: 'ovs-tso',
  title: 'Open vSwitch + TSO',
  command: OVS_VSWITCHD,
  settings: 'userspace-tso-enable=true',
};
export const KERNEL: Peer = { name: 'kernel', title: 'kernel bridge', command: '', settings: '' };

export interface Joined extends Contestant {
  readonly peer: Peer;
  /** Undefined for the kernel. */
  readonly vswitch: Switch | undefined;
}

/** Starts a switch. `pin`: a processor list for taskset, or empty. The caller shuts the machine down. */
export const boot = async (peer: Peer, pin = ''): Promise<Joined> => {
  const machine = await Machine.boot();
  const command = `${pin === '' ? '' : `taskset -c ${pin} `}${peer.command}`;
  const vswitch = peer.command === '' ? undefined : new Switch(machine, command);
  if (vswitch === undefined) await machine.sh('ip link add br0 type bridge && ip link set br0 up');
  else {
    await vswitch.start(peer.settings);
    await vswitch.addBridge('br0');
  }
  for (const host of [H1, H2]) {
    await addHost(machine, { ...host, ipv6: false });
    await machine.sh(`ip link set ${host.port} up`);
    await machine.sh(
      vswitch === undefined
        ? `ip link set ${host.port} master br0`
        : `ovs-vsctl add-port br0 ${host.port}`,
    );
  }
  const { name, title } = peer;
  const one = { name, title, peer, machine, vswitch };
  return vswitch === undefined ? one : { ...one, cpuMs: () => vswitch.cpuMs() };
};

/** Writes a file /run/NAME inside the machine. */
export const put = async (machine: Machine, name: string, content: string): Promise<void> => {
  await machine.sh(`cat > /run/${name}`, { input: content, timeoutMs: 60_000 });
};

/** A line of the daemon's /proc/PID/status (VmRSS, VmHWM) in MB. */
export const memoryMb = async (
  machine: Machine,
  vswitch: Switch,
  line: string,
): Promise<number> => {
  const status = await machine.sh(`cat /proc/${await vswitch.daemonPid()}/status`);
  return Number(status.match(new RegExp(`${line}:\\s+(\\d+)`))?.[1]) / 1024;
};
