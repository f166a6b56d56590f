/** Ports and interfaces: adding, deleting, listing, finding their bridge (ovs-vsctl(8), "Port Commands", "Interface Commands"). */
import { addRef, deletePort, insertInterface, lines, topologyOf } from './bridge-commands.ts';
import { assign, wantAssignment } from './change-commands.ts';
import { type Call, command } from './command.ts';
import type { Wanted } from './monitored-database.ts';
import { SCHEMA } from './schema.ts';
import { type PortNode, realRow, type Topology } from './topology.ts';
import { wantTopology } from './topology-columns.ts';
import { fail } from './vsctl-error.ts';

const listPorts = command({
  name: 'list-ports',
  args: '!BRIDGE',
  usage: 'list-ports BRIDGE              names of the ports of BRIDGE',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const bridge = topologyOf(around).bridge(call.args[0]);
    call.output = lines(
      bridge.ports.map(({ name }) => name).filter((name) => name !== bridge.name),
    );
  },
});

interface NewPort {
  readonly bridge: string;
  readonly port: string;
  readonly interfaces: readonly string[];
  readonly hasFakeInterface: boolean;
  readonly mayExist: boolean;
  /** COLUMN[:KEY]=VALUE. */
  readonly settings: readonly string[];
}

/** Refuses --may-exist where what exists is something else. */
function checkSame(exists: PortNode, wanted: NewPort): void {
  const { bridge, port, interfaces } = wanted;
  const command = `--may-exist add-${interfaces.length > 1 ? 'bond' : 'port'}`;
  const words = interfaces.length > 1 ? [bridge, port, ...interfaces] : [bridge, port];
  const asked = `"${command} ${words.join(' ')}" but ${port}`;
  if (exists.bridge.name !== bridge) {
    fail(`${asked} is actually attached to bridge ${exists.bridge.name}`);
  }
  const has = exists.interfaces.map(({ name }) => name).sort();
  const asks = [...interfaces].sort();
  if (has.length !== asks.length || has.some((name, i) => name !== asks[i])) {
    fail(`${asked} actually has interface(s) ${has.join(', ')}`);
  }
}

export function addPort(topology: Topology, wanted: NewPort): void {
  const { attempt } = topology;
  if (wanted.port === '') fail('port name must not be empty string');
  if (wanted.interfaces.includes('')) fail('interface name must not be empty string');
  if (wanted.mayExist) {
    const exists = topology.findPort(wanted.port);
    if (exists !== undefined) {
      checkSame(exists, wanted);
      return;
    }
  }
  topology.checkConflicts(wanted.port, `cannot create a port named ${wanted.port}`);
  for (const name of wanted.interfaces) {
    topology.checkConflicts(name, `cannot create an interface named ${name}`);
  }
  const bridge = topology.bridge(wanted.bridge);
  const rows = wanted.interfaces.map((name) => insertInterface(attempt, name));
  const port = attempt.insert(attempt.table('Port'));
  attempt.set(port, 'name', [wanted.port]);
  attempt.setRefs(port, 'interfaces', rows);
  attempt.set(port, 'bond_fake_iface', [wanted.hasFakeInterface]);
  if (bridge.parent !== null) attempt.set(port, 'tag', [bridge.vlan]);
  for (const setting of wanted.settings) assign(attempt, port, setting);
  addRef(attempt, realRow(bridge), 'ports', port);
}

const PORT = SCHEMA.tables.get('Port') ?? fail('no table Port');

/** Settings may name any column of Port, also those that only new rows may set. */
export function wantSettings(wanted: Wanted, settings: readonly string[]): void {
  for (const setting of settings) wantAssignment(wanted, PORT, setting);
}

const addPortCommand = command({
  name: 'add-port',
  args: '!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE',
  options: ['--may-exist'],
  usage: 'add-port BRIDGE PORT [COLUMN[:KEY]=VALUE]...  add a network device to BRIDGE',
  prepare: (call, wanted) => {
    wantTopology(wanted);
    wantSettings(wanted, call.args.slice(2));
  },
  run: (call, around) => {
    const [bridge, port, ...settings] = call.args;
    addPort(topologyOf(around), {
      bridge,
      port,
      interfaces: [port],
      hasFakeInterface: false,
      mayExist: call.options.has('--may-exist'),
      settings,
    });
  },
});

/** The port that del-port means, undefined where --if-exists excuses that there is none. */
function portToDelete(call: Call, topology: Topology): PortNode | undefined {
  const target = call.args.length === 2 ? call.args[1] : call.args[0];
  const withInterface = call.options.has('--with-iface');
  const port =
    topology.findPort(target) ?? (withInterface ? topology.findInterface(target)?.port : undefined);
  if (port !== undefined || call.options.has('--if-exists')) return port;
  if (topology.bridges.has(target)) {
    fail(
      `cannot delete port ${target} because it is the local port for bridge ${target} (deleting this port requires deleting the entire bridge)`,
    );
  }
  return fail(`no port ${withInterface ? 'or interface ' : ''}named ${target}`);
}

const delPort = command({
  name: 'del-port',
  args: '?BRIDGE !PORT|IFACE',
  options: ['--if-exists', '--with-iface'],
  usage: 'del-port [BRIDGE] PORT         delete PORT',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const topology = topologyOf(around);
    const port = portToDelete(call, topology);
    if (port === undefined) return;
    if (call.args.length === 2) {
      const bridge = topology.bridge(call.args[0]);
      if (port.bridge !== bridge) {
        fail(
          port.bridge.parent === bridge
            ? `bridge ${bridge.name} does not have a port ${port.name} (although its child bridge ${port.bridge.name} does)`
            : `bridge ${bridge.name} does not have a port ${port.name}`,
        );
      }
    }
    deletePort(topology, port);
  },
});

const portToBr = command({
  name: 'port-to-br',
  args: '!PORT',
  usage: 'port-to-br PORT                the bridge that has PORT',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    call.output = `${topologyOf(around).port(call.args[0]).bridge.name}\n`;
  },
});

const listIfaces = command({
  name: 'list-ifaces',
  args: '!BRIDGE',
  usage: 'list-ifaces BRIDGE             names of the interfaces of BRIDGE',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const topology = topologyOf(around);
    const bridge = topology.bridge(call.args[0]);
    topology.verifyPorts();
    const names = bridge.ports.flatMap(({ interfaces }) => interfaces.map(({ name }) => name));
    call.output = lines(names.filter((name) => name !== bridge.name));
  },
});

const ifaceToBr = command({
  name: 'iface-to-br',
  args: '!IFACE',
  usage: 'iface-to-br IFACE              the bridge that has IFACE',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    call.output = `${topologyOf(around).interface(call.args[0]).port.bridge.name}\n`;
  },
});

export const portCommands = [listPorts, addPortCommand, delPort, portToBr, listIfaces, ifaceToBr];
