/**
 * External ids of bridges. Those of a fake bridge lie beside the port's own, with a prefix (ovs-vsctl(8), "br-set-external-id").
 */
import type { Attempt, RowRef } from './attempt.ts';
import { lines, topologyOf } from './bridge-commands.ts';
import { command } from './command.ts';
import type { Wanted } from './monitored-database.ts';
import type { BridgeNode, Topology } from './topology.ts';
import { wantTopology } from './topology-columns.ts';

const FAKE_PREFIX = 'fake-bridge-';
const COLUMN = 'external_ids';

interface Place {
  readonly row: RowRef;
  readonly prefix: string;
}

/** Where the ids of a bridge are: undefined for a fake one whose port is gone. */
function placeOf(topology: Topology, bridge: BridgeNode): Place | undefined {
  if (bridge.row !== null) return { row: bridge.row, prefix: '' };
  const port = topology.ports.get(bridge.name);
  return port === undefined ? undefined : { row: port.row, prefix: FAKE_PREFIX };
}

function want(wanted: Wanted): void {
  wantTopology(wanted);
  wanted.add('Bridge', COLUMN);
  wanted.add('Port', COLUMN);
}

function write(
  attempt: Attempt,
  { row, prefix }: Place,
  key: string,
  value: string | undefined,
): void {
  const ids = attempt.entries(row, COLUMN);
  if (value === undefined) ids.delete(prefix + key);
  else ids.set(prefix + key, value);
  attempt.verifyNamed(row, COLUMN);
  attempt.setMap(row, COLUMN, ids);
}

const brSetExternalId = command({
  name: 'br-set-external-id',
  args: '!BRIDGE !KEY ?VALUE',
  usage: 'br-set-external-id BRIDGE KEY [VALUE]  set an external id of BRIDGE, or unset it',
  prepare: (_call, wanted) => want(wanted),
  run: (call, around) => {
    const topology = topologyOf(around);
    const [name, key, value] = call.args;
    const place = placeOf(topology, topology.bridge(name));
    if (place !== undefined) write(around.attempt, place, key, value);
  },
});

const brGetExternalId = command({
  name: 'br-get-external-id',
  args: '!BRIDGE ?KEY',
  usage: 'br-get-external-id BRIDGE [KEY]  an external id of BRIDGE, or all',
  prepare: (_call, wanted) => want(wanted),
  run: (call, around) => {
    const topology = topologyOf(around);
    const [name, key] = call.args;
    const place = placeOf(topology, topology.bridge(name));
    if (place === undefined) return;
    const { row, prefix } = place;
    const ids = around.attempt.entries(row, COLUMN);
    around.attempt.verifyNamed(row, COLUMN);
    if (key !== undefined) {
      const value = ids.get(prefix + key);
      if (value !== undefined) call.output = `${value}\n`;
      return;
    }
    const own = [...ids].filter(([id]) => id.startsWith(prefix));
    call.output = lines(own.map(([id, value]) => `${id.slice(prefix.length)}=${value}`));
  },
});

export const externalIdCommands = [brSetExternalId, brGetExternalId];
