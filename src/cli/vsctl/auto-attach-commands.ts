/** Auto Attach: which service (I-SID) a VLAN belongs to (ovs-vsctl(8), "Auto-Attach Commands"). */
import type { RowRef } from './attempt.ts';
import { topologyOf } from './bridge-commands.ts';
import { type Call, command, type Surroundings } from './command.ts';
import type { Wanted } from './monitored-database.ts';
import { realRow } from './topology.ts';
import { wantTopology } from './topology-columns.ts';
import { fail } from './vsctl-error.ts';

function want(wanted: Wanted): void {
  wantTopology(wanted);
  wanted.add('Bridge', 'auto_attach');
  wanted.add('AutoAttach', 'mappings');
}

const numberOf = (text: string): number =>
  /^\s*[+-]?\d+$/.test(text) ? Number(text) : fail(`Invalid argument ${text}`);

const bridgeRow = (call: Call, around: Surroundings): RowRef =>
  realRow(topologyOf(around).bridge(call.args[0]));

/** Mappings of a bridge: I-SID to VLAN. */
const mappingsOf = ({ attempt }: Surroundings, row: RowRef): Map<number, number> => {
  const { keys, values } = attempt.read(row, attempt.column(row, 'mappings'));
  return new Map(keys.map((key, i) => [Number(key), Number(values?.[i])]));
};

const addMapping = command({
  name: 'add-aa-mapping',
  args: '!BRIDGE !ARG !ARG',
  usage: 'add-aa-mapping BRIDGE I-SID VLAN  map VLAN of BRIDGE to a service',
  prepare: (_call, wanted) => want(wanted),
  run: (call, around) => {
    const { attempt } = around;
    const service = numberOf(call.args[1]);
    const vlan = numberOf(call.args[2]);
    const bridge = bridgeRow(call, around);
    let [row] = attempt.refs(bridge, 'auto_attach');
    if (row === undefined) {
      row = attempt.insert(attempt.table('AutoAttach'));
      attempt.setRefs(bridge, 'auto_attach', [row]);
    }
    const mappings = mappingsOf(around, row);
    if (!mappings.has(service)) mappings.set(service, vlan);
    attempt.setMap(row, 'mappings', mappings);
  },
});

const delMapping = command({
  name: 'del-aa-mapping',
  args: '!BRIDGE !ARG !ARG',
  usage: 'del-aa-mapping BRIDGE I-SID VLAN  take a mapping back',
  prepare: (_call, wanted) => want(wanted),
  run: (call, around) => {
    const { attempt } = around;
    const service = numberOf(call.args[1]);
    const vlan = numberOf(call.args[2]);
    const [row] = attempt.refs(bridgeRow(call, around), 'auto_attach');
    if (row === undefined) return;
    const mappings = mappingsOf(around, row);
    if (mappings.get(service) === vlan) mappings.delete(service);
    attempt.setMap(row, 'mappings', mappings);
  },
});

const getMapping = command({
  name: 'get-aa-mapping',
  args: '!BRIDGE',
  usage: 'get-aa-mapping BRIDGE          mappings of BRIDGE',
  prepare: (_call, wanted) => want(wanted),
  run: (call, around) => {
    const [row] = around.attempt.refs(bridgeRow(call, around), 'auto_attach');
    if (row === undefined) return;
    around.attempt.verifyNamed(row, 'mappings');
    for (const [service, vlan] of mappingsOf(around, row)) call.output += `${service} ${vlan}\n`;
  },
});

export const autoAttachCommands = [addMapping, delMapping, getMapping];
