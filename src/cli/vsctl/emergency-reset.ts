/** emer-reset: back to a switch that nobody manages from afar (ovs-vsctl(8), "emer-reset"). */
import type { Attempt, RowRef } from './attempt.ts';
import { firstRow } from './attempt.ts';
import { command } from './command.ts';

/** What is deleted altogether. */
const TABLES = ['Mirror', 'Controller', 'Manager', 'NetFlow', 'sFlow', 'IPFIX', 'SSL'];
/** What rows of a table lose. */
const EMPTIED: Readonly<Record<string, readonly string[]>> = {
  Bridge: ['controller', 'fail_mode', 'mirrors', 'netflow', 'sflow', 'ipfix', 'flood_vlans'],
  Open_vSwitch: ['manager_options', 'ssl'],
};
const POLICING = ['ingress_policing_rate', 'ingress_policing_burst'];
/** The one setting of a bridge that stays: its address. */
const ADDRESS = 'hwaddr';

function resetBridge(attempt: Attempt, bridge: RowRef): void {
  for (const column of EMPTIED.Bridge) attempt.set(bridge, column, []);
  const address = attempt.entries(bridge, 'other_config').get(ADDRESS);
  attempt.setMap(
    bridge,
    'other_config',
    new Map(address === undefined ? [] : [[ADDRESS, address]]),
  );
}

const emerReset = command({
  name: 'emer-reset',
  args: '',
  usage: 'emer-reset                     deconfigure whatever manages the switch from afar',
  prepare: (_call, wanted) => {
    wanted.add('Open_vSwitch', ...EMPTIED.Open_vSwitch);
    wanted.add('Bridge', ...EMPTIED.Bridge, 'other_config');
    wanted.add('Port', 'other_config');
    wanted.add('Interface', ...POLICING);
    for (const table of TABLES) wanted.add(table);
  },
  run: (_call, { attempt }) => {
    const root = firstRow(attempt, 'Open_vSwitch');
    if (root !== undefined) {
      for (const column of EMPTIED.Open_vSwitch) attempt.set(root, column, []);
    }
    for (const row of attempt.rows(attempt.table('Bridge'))) resetBridge(attempt, row);
    for (const row of attempt.rows(attempt.table('Port'))) {
      attempt.setMap(row, 'other_config', new Map());
    }
    for (const row of attempt.rows(attempt.table('Interface'))) {
      for (const column of POLICING) attempt.set(row, column, [0]);
    }
    for (const table of TABLES) {
      for (const row of attempt.rows(attempt.table(table))) attempt.delete(row);
    }
  },
});

export const resetCommands = [emerReset];
