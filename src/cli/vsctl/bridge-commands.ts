/** Bridges: add-br, del-br, list-br, br-exists, br-to-vlan, br-to-parent and their external ids (ovs-vsctl(8), "Bridge Commands"). */
import type { Attempt, RowRef } from './attempt.ts';
import { command, type Surroundings } from './command.ts';
import { type BridgeNode, isVlan, type PortNode, realRow, Topology } from './topology.ts';
import { wantTopology } from './topology-columns.ts';
import { Exit, fail, VsctlError } from './vsctl-error.ts';

export const topologyOf = ({ attempt, warn }: Surroundings): Topology =>
  new Topology(attempt, warn);

/** Lines in the order of strcmp(3). */
export const lines = (names: Iterable<string>): string =>
  [...names]
    .sort()
    .map((name) => `${name}\n`)
    .join('');

export function removeRef(attempt: Attempt, owner: RowRef, column: string, row: RowRef): void {
  const rest = attempt.keys(owner, column).filter((uuid) => uuid !== row.uuid);
  attempt.set(owner, column, rest);
}

export const addRef = (attempt: Attempt, owner: RowRef, column: string, row: RowRef): void =>
  attempt.set(owner, column, [...attempt.keys(owner, column), row.uuid]);

export function insertInterface(attempt: Attempt, name: string): RowRef {
  const iface = attempt.insert(attempt.table('Interface'));
  attempt.set(iface, 'name', [name]);
  attempt.newInterfaces.push(iface);
  return iface;
}

/** A port with one internal interface of the same name: what every bridge has. */
function insertLocalPort(attempt: Attempt, name: string): RowRef {
  const iface = insertInterface(attempt, name);
  attempt.set(iface, 'type', ['internal']);
  const port = attempt.insert(attempt.table('Port'));
  attempt.set(port, 'name', [name]);
  attempt.setRefs(port, 'interfaces', [iface]);
  return port;
}

/** As atoi(3). */
const atoi = (text: string): number => Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0);

/** Refuses --may-exist where what exists is something else. */
function checkSame(name: string, exists: BridgeNode, parent: string | null, vlan: number): void {
  if (parent === null) {
    if (exists.parent !== null) {
      fail(`"--may-exist add-br ${name}" but ${name} is a VLAN bridge for VLAN ${exists.vlan}`);
    }
    return;
  }
  const asked = `"--may-exist add-br ${name} ${parent} ${vlan}" but ${name}`;
  if (exists.parent === null) fail(`${asked} is not a VLAN bridge`);
  if (exists.parent.name !== parent) fail(`${asked} has the wrong parent ${exists.parent.name}`);
  if (exists.vlan !== vlan) fail(`${asked} is a VLAN bridge for the wrong VLAN ${exists.vlan}`);
}

function addReal(topology: Topology, name: string): void {
  const { attempt, root } = topology;
  const bridge = attempt.insert(attempt.table('Bridge'));
  attempt.set(bridge, 'name', [name]);
  attempt.setRefs(bridge, 'ports', [insertLocalPort(attempt, name)]);
  addRef(attempt, root, 'bridges', bridge);
}

function addFake(topology: Topology, name: string, parentName: string, vlan: number): void {
  const { attempt } = topology;
  const parent = topology.findBridge(parentName);
  if (parent === undefined) throw new VsctlError(`parent bridge ${parentName} does not exist`);
  if (parent.parent !== null) fail('cannot create bridge with fake bridge as parent');
  const conflict = parent.children.get(vlan);
  if (conflict !== undefined) {
    fail(`bridge ${parentName} already has a child VLAN bridge ${conflict.name} on VLAN ${vlan}`);
  }
  const port = insertLocalPort(attempt, name);
  attempt.set(port, 'fake_bridge', [true]);
  attempt.set(port, 'tag', [vlan]);
  addRef(attempt, realRow(parent), 'ports', port);
}

const addBr = command({
  name: 'add-br',
  args: '!NEW-BRIDGE ?PARENT ?NEW-VLAN',
  options: ['--may-exist'],
  usage: 'add-br BRIDGE [PARENT VLAN]    create a bridge, or a fake one for a VLAN of PARENT',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const [name, parent = null, vlanText] = call.args;
    if (name === '') fail('bridge name must not be empty string');
    const vlan = vlanText === undefined ? 0 : atoi(vlanText);
    if (call.args.length === 2) fail("'add-br' command takes exactly 1 or 3 arguments");
    if (!isVlan(vlan)) fail('add-br: vlan must be between 0 and 4095');
    const topology = topologyOf(around);
    if (call.options.has('--may-exist')) {
      const exists = topology.findBridge(name);
      if (exists !== undefined) {
        checkSame(name, exists, parent, vlan);
        return;
      }
    }
    topology.checkConflicts(name, `cannot create a bridge named ${name}`);
    if (parent === null) addReal(topology, name);
    else addFake(topology, name, parent, vlan);
  },
});

/** Takes a port and its interfaces out of its bridge. */
export function deletePort(topology: Topology, port: PortNode): void {
  const { attempt } = topology;
  removeRef(attempt, realRow(port.bridge), 'ports', port.row);
  attempt.delete(port.row);
  for (const { row } of port.interfaces) attempt.delete(row);
}

function deleteBridge(topology: Topology, bridge: BridgeNode): void {
  for (const child of bridge.children.values()) deleteBridge(topology, child);
  for (const port of bridge.ports) deletePort(topology, port);
  const { attempt, root } = topology;
  if (bridge.row === null) return;
  removeRef(attempt, root, 'bridges', bridge.row);
  attempt.delete(bridge.row);
}

const delBr = command({
  name: 'del-br',
  args: '!BRIDGE',
  options: ['--if-exists'],
  usage: 'del-br BRIDGE                  delete BRIDGE and all its ports',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const topology = topologyOf(around);
    const [name] = call.args;
    const bridge = call.options.has('--if-exists')
      ? topology.findBridge(name)
      : topology.bridge(name);
    if (bridge !== undefined) deleteBridge(topology, bridge);
  },
});

const listBr = command({
  name: 'list-br',
  args: '',
  options: ['--real', '--fake'],
  usage: 'list-br                        names of all bridges',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const real = call.options.has('--real');
    const fake = call.options.has('--fake');
    const bridges = [...topologyOf(around).bridges.values()].filter(
      ({ parent }) => real === fake || real === (parent === null),
    );
    call.output = lines(bridges.map(({ name }) => name));
  },
});

const brExists = command({
  name: 'br-exists',
  args: '!BRIDGE',
  usage: 'br-exists BRIDGE               end with status 2 unless BRIDGE exists',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    if (topologyOf(around).findBridge(call.args[0]) === undefined) throw new Exit(2);
  },
});

const brToVlan = command({
  name: 'br-to-vlan',
  args: '!BRIDGE',
  usage: 'br-to-vlan BRIDGE              the VLAN of a fake bridge, 0 of others',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    call.output = `${topologyOf(around).bridge(call.args[0]).vlan}\n`;
  },
});

const brToParent = command({
  name: 'br-to-parent',
  args: '!BRIDGE',
  usage: 'br-to-parent BRIDGE            the parent of a fake bridge, others themselves',
  prepare: (_call, wanted) => wantTopology(wanted),
  run: (call, around) => {
    const bridge = topologyOf(around).bridge(call.args[0]);
    call.output = `${(bridge.parent ?? bridge).name}\n`;
  },
});

export const bridgeCommands = [addBr, delBr, listBr, brExists, brToVlan, brToParent];
