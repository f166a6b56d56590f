/**
 * The switch of a lab: a real ovsdb-server with the stock schema and the daemon under test, both inside a
 * lab machine and in their default places, so that plain `ovs-vsctl` and `ovs-appctl` find them.
 *
 * LAB_DAEMON names another daemon. With `LAB_DAEMON=ovs-vswitchd` the labs run on Open vSwitch's own
 * userspace datapath, which shows whether a failure is the lab's or the switch's.
 */
import type { Background, Machine } from './machine.ts';
import { inRepository } from './repository.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** The command line of the daemon under test, without arguments. */
export const daemonCommand = (): string =>
  process.env.LAB_DAEMON ?? `${process.execPath} ${inRepository('bin/ts-vswitchd')}`;

/** True when the daemon under test is Open vSwitch itself, which fails the steps with default offloads. */
export const isReference = (): boolean => process.env.LAB_DAEMON?.endsWith('ovs-vswitchd') ?? false;

export class Switch {
  readonly #machine: Machine;
  readonly #command: string;
  /** Bridges must ask for datapath_type=netdev: without its kernel module Open vSwitch has nothing else. */
  readonly #needsNetdev: boolean;
  #database: Background | undefined;
  #daemon: Background | undefined;

  constructor(machine: Machine, command = daemonCommand()) {
    this.#machine = machine;
    this.#command = command;
    this.#needsNetdev = command.endsWith('ovs-vswitchd');
  }

  /** Starts database server and daemon, and waits until both answer. `settings` go to other_config before. */
  async start(settings = ''): Promise<void> {
    await this.#machine.sh(
      `test -e /etc/openvswitch/conf.db || ovsdb-tool create /etc/openvswitch/conf.db ${SCHEMA}`,
    );
    await this.startDatabase();
    await this.#machine.sh('ovs-vsctl --no-wait init');
    if (settings !== '')
      await this.#machine.sh(`ovs-vsctl --no-wait set Open_vSwitch . other_config:${settings}`);
    await this.startDaemon();
  }

  async startDatabase(): Promise<void> {
    this.#database = this.#machine.start(
      'ovsdb-server /etc/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile -vconsole:off -vsyslog:off --log-file',
    );
    await this.#machine.until('ovsdb-client list-dbs unix:/run/openvswitch/db.sock');
  }

  async startDaemon(): Promise<void> {
    const daemon = this.#machine.start(
      `${this.#command} unix:/run/openvswitch/db.sock --pidfile --log-file -vsyslog:off -vconsole:warn`,
    );
    this.#daemon = daemon;
    await this.#machine
      .until('ovs-appctl -t ovs-vswitchd version', undefined, 20_000)
      .catch((error: unknown) => {
        throw new Error(`the daemon does not answer: ${daemon.output()}`, { cause: error });
      });
  }

  /** Process id inside the machine, as the pid file names it. */
  async daemonPid(): Promise<number> {
    return Number(await this.#machine.sh('cat /run/openvswitch/ovs-vswitchd.pid'));
  }

  /** What the daemon printed on its terminal. */
  printed(): string {
    return this.#daemon?.output() ?? '';
  }

  running(): boolean {
    return this.#daemon?.running() ?? false;
  }

  /** Sends a signal to the daemon and waits for its end. */
  async kill(signal: 'TERM' | 'KILL'): Promise<number> {
    await this.#machine.sh(`kill -${signal} ${await this.daemonPid()}`);
    return (await this.#daemon?.ended) ?? 0;
  }

  /** Ends the database server without a chance to say goodbye. */
  async killDatabase(): Promise<void> {
    await this.#machine.sh('kill -KILL $(cat /run/openvswitch/ovsdb-server.pid)');
    await this.#database?.ended;
  }

  /** `ovs-vsctl add-br`, asking Open vSwitch for its userspace datapath. */
  async addBridge(name: string): Promise<void> {
    const netdev = this.#needsNetdev ? ` -- set bridge ${name} datapath_type=netdev` : '';
    await this.#machine.sh(`ovs-vsctl add-br ${name}${netdev}`);
  }

  /** Processor time that all threads of the daemon have used, in milliseconds. */
  async cpuMs(): Promise<number> {
    return cpuMsOf(await this.#machine.sh(`cat /proc/${await this.daemonPid()}/stat`));
  }

  /** The daemon's log and terminal, and all that was typed: what one wants to see after a failure. */
  async post(): Promise<string> {
    const log = await this.#machine.run('tail -n 100 /var/log/openvswitch/ovs-vswitchd.log');
    return `${this.#machine.transcript()}\n--- daemon log\n${log.stdout}\n--- daemon terminal\n${this.printed()}`;
  }
}

/** utime + stime of a /proc/PID/stat line, in milliseconds (a clock tick is 10 ms on Linux) — proc(5). */
const cpuMsOf = (stat: string): number => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
