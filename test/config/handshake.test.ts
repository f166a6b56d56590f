/**
 * The configuration handshake with the real ovs-vsctl: it bumps next_cfg, waits for cur_cfg, then looks at
 * ofport and error. A switch of twenty lines stands in for the daemon.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Abilities, changesConfiguration, desired } from '../../src/config/desired.ts';
import {
  type RunningInterface,
  type RunningState,
  reportOperations,
} from '../../src/config/report-ops.ts';
import type { WantedInterface } from '../../src/config/wanted.ts';
import { OvsdbClient } from '../../src/ovsdb/client.ts';
import { DatabaseServer } from '../ovsdb/support/database-server.ts';
import { fastClock } from '../ovsdb/support/fast-clock.ts';
import { LogRecorder } from '../ovsdb/support/log-recorder.ts';
import { until } from '../ovsdb/support/until.ts';

const run = promisify(execFile);

const abilities: Abilities = {
  processorCount: 4,
  interfaceTypes: ['system', 'internal', 'tap', 'patch'],
  datapathTypes: ['netdev', 'system'],
  dummy: 'off',
};
const counters = { rx_bytes: 0, rx_packets: 0, tx_bytes: 0, tx_packets: 0 };

/** Everything works but what cannot be and devices called nodev. */
function runningInterface(want: WantedInterface, index: number): RunningInterface[] {
  if (want.uuid === null) return [];
  const error =
    want.name === 'nodev' ? 'could not open network device nodev (No such device)' : want.error;
  if (error !== null) return [{ uuid: want.uuid, ofport: -1, error, device: null }];
  const device = {
    mac: BigInt(index + 1),
    adminUp: true,
    linkUp: true,
    linkResets: 0,
    speedBps: null,
    fullDuplex: null,
    mtu: 1500,
    ifindex: 0,
    status: {},
  };
  return [
    {
      uuid: want.uuid,
      ofport: want.isLocal ? 65_534 : index,
      error: null,
      device,
      statistics: counters,
    },
  ];
}

function runningState(client: OvsdbClient): RunningState {
  const wanted = desired(client.db, abilities);
  return {
    root: {
      curCfg: wanted.nextCfg,
      ovsVersion: '3.1.0',
      dbVersion: client.schemaVersion,
      systemType: 'debian',
      systemVersion: '12',
      datapathTypes: abilities.datapathTypes,
      interfaceTypes: abilities.interfaceTypes,
    },
    bridges: wanted.bridges.map((bridge) => ({
      uuid: bridge.uuid,
      datapathId: bridge.datapathId ?? 1n,
      datapathVersion: '<built-in>',
    })),
    interfaces: wanted.bridges.flatMap((bridge) =>
      bridge.ports.flatMap((port, i) =>
        port.interfaces.flatMap((iface) => runningInterface(iface, i)),
      ),
    ),
  };
}

describe('the handshake with ovs-vsctl', () => {
  let server: DatabaseServer;
  let client: OvsdbClient;
  let writes: number;

  beforeEach(async () => {
    server = new DatabaseServer();
    await server.start();
    writes = 0;
    client = new OvsdbClient({
      target: server.target,
      clock: fastClock,
      logs: new LogRecorder(),
      pid: 1,
    });
    client.on('changed', (change) => {
      if (!changesConfiguration(change)) return;
      const transaction = reportOperations(client.db, runningState(client));
      if (transaction.isEmpty) return;
      writes++;
      void client.transact(transaction.operations);
    });
    client.start();
    await until(() => client.mayAct);
  });
  afterEach(async () => {
    client.stop();
    await server.remove();
  });

  const vsctl = (...args: string[]) =>
    run('ovs-vsctl', [`--db=${server.target}`, '--timeout=10', ...args]);

  it('lets ovs-vsctl return when the change works, and writes nothing afterwards', async () => {
    await vsctl('add-br', 'br0', '--', 'add-port', 'br0', 'p1');
    expect(server.vsctl('get', 'interface', 'br0', 'ofport', 'error')).toBe('65534\n[]');
    expect(server.vsctl('get', 'Open_vSwitch', '.', 'cur_cfg', 'system_type', 'iface_types')).toBe(
      '1\ndebian\n[internal, patch, system, tap]',
    );
    await until(() => client.db.root()?.cur_cfg === 1);
    expect(reportOperations(client.db, runningState(client)).isEmpty).toBe(true);
    expect(writes).toBe(1);
  });

  it('shows the error of an interface where the user looks', async () => {
    const adding = await vsctl('add-br', 'br0', '--', 'add-port', 'br0', 'nodev');
    expect(adding.stderr).toContain(
      "Error detected while setting up 'nodev': could not open network device nodev (No such device).",
    );
    const strange = await vsctl(
      'add-port',
      'br0',
      'x1',
      '--',
      'set',
      'interface',
      'x1',
      'type=dpdkvhostuser',
    );
    expect(strange.stderr).toMatch(
      /Error detected while setting up 'x1': .*"dpdkvhostuser" is not supported/,
    );
    expect(server.vsctl('get', 'interface', 'x1', 'ofport')).toBe('-1');
    const repaired = await vsctl('set', 'interface', 'x1', 'type=tap');
    expect(repaired.stderr).toBe('');
    expect(server.vsctl('get', 'interface', 'x1', 'error')).toBe('[]');
  });

  it('refuses a tag of 4096 before it reaches the switch', async () => {
    await vsctl('add-br', 'br0');
    await expect(vsctl('add-port', 'br0', 'p1', 'tag=4096')).rejects.toThrow(
      /constraint violation|not in the valid range/,
    );
  });
});
