/** Ports of several interfaces (ovs-vsctl(8), "Bond Commands"). */
import { addRef, insertInterface, removeRef, topologyOf } from './bridge-commands.ts';
import { command } from './command.ts';
import { addPort, wantSettings } from './port-commands.ts';
import { wantTopology } from './topology-columns.ts';
import { fail } from './vsctl-error.ts';

/** The words behind the port's name: interfaces, and settings from the first that has `=` in it. */
function split(words: readonly string[]): { interfaces: string[]; settings: string[] } {
  const first = words.findIndex((word) => word.includes('='));
  const end = first < 0 ? words.length : first;
  const interfaces = words.slice(0, end);
  if (interfaces.length < 2) {
    fail(`add-bond requires at least 2 interfaces, but only ${interfaces.length} were specified`);
  }
  return { interfaces, settings: words.slice(end) };
}

const addBond = command({
  name: 'add-bond',
  args: '!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE',
  least: 4,
  options: ['--may-exist', '--fake-iface'],
  usage: 'add-bond BRIDGE PORT IFACE... [COLUMN[:KEY]=VALUE]...  add a port of several devices',
  prepare: (call, wanted) => {
    wantTopology(wanted);
    wantSettings(wanted, split(call.args.slice(2)).settings);
  },
  run: (call, around) => {
    const [bridge, port, ...words] = call.args;
    addPort(topologyOf(around), {
      bridge,
      port,
      ...split(words),
      hasFakeInterface: call.options.has('--fake-iface'),
      mayExist: call.options.has('--may-exist'),
    });
  },
});

const addBondIface = command({
  name: 'add-bond-iface',
  args: '!BOND !IFACE',
  options: ['--may-exist'],
  usage: 'add-bond-iface BOND IFACE      add a device to a port',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const [bond, name] = call.args;
    const topology = topologyOf(around);
    const port = topology.port(bond);
    if (call.options.has('--may-exist')) {
      const exists = topology.findInterface(name);
      if (exists?.port === port) return;
      if (exists !== undefined) {
        fail(
          `"--may-exist add-bond-iface ${bond} ${name}" but ${name} is actually attached to port ${exists.port.name}`,
        );
      }
    }
    topology.checkConflicts(name, `cannot create an interface named ${name}`);
    const { attempt } = around;
    addRef(attempt, port.row, 'interfaces', insertInterface(attempt, name));
  },
});

const delBondIface = command({
  name: 'del-bond-iface',
  args: '?BOND !IFACE',
  options: ['--if-exists'],
  usage: 'del-bond-iface [BOND] IFACE    take a device out of its port',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const name = call.args[call.args.length - 1];
    const topology = topologyOf(around);
    const iface = call.options.has('--if-exists')
      ? topology.findInterface(name)
      : topology.interface(name);
    if (call.args.length === 2) {
      const port = topology.port(call.args[0]);
      if (iface !== undefined && iface.port !== port) {
        fail(`port ${port.name} does not have an interface ${name}`);
      }
    }
    if (iface === undefined) return;
    const { attempt } = around;
    if (iface.port.interfaces.length === 1) {
      fail(`cannot delete last interface from port ${iface.port.name}`);
    }
    removeRef(attempt, iface.port.row, 'interfaces', iface.row);
    attempt.delete(iface.row);
  },
});

export const bondCommands = [addBond, addBondIface, delBondIface];
