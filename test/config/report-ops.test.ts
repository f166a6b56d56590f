/** Reports: the forms that Open vSwitch writes, and nothing that the database says already. */
import { describe, expect, it } from 'vitest';
import {
  parseOsRelease,
  type RunningState,
  reportOperations,
} from '../../src/config/report-ops.ts';
import { database, oneBridge, strings, uuidOf } from './support/database.ts';

const device = {
  mac: 0x0200000000abn,
  adminUp: true,
  linkUp: false,
  linkResets: 0,
  speedBps: 10_000_000_000,
  fullDuplex: true,
  mtu: 1500,
  ifindex: 3,
  status: { driver_name: 'veth', driver_version: '1.0', firmware_version: '' },
};
const root = {
  ovsVersion: '3.1.0',
  dbVersion: '8.3.1',
  systemType: 'debian',
  systemVersion: '12',
  datapathTypes: ['netdev', 'system'],
  interfaceTypes: ['internal', 'system'],
};
const running: RunningState = {
  root: { ...root, curCfg: 1 },
  bridges: [{ uuid: uuidOf('br0'), datapathId: 0x260e42fc2440n, datapathVersion: '<built-in>' }],
  interfaces: [
    {
      uuid: uuidOf('if-p1'),
      ofport: 1,
      error: null,
      device,
      statistics: { rx_bytes: 586, rx_packets: 7 },
    },
  ],
};

/** The row of the update of a table, as it goes to the server. */
const written = (db: ReturnType<typeof oneBridge>, state: RunningState, table: string) =>
  reportOperations(db, state).operations.find((operation) => operation.table === table)?.row;

describe('reportOperations', () => {
  it('writes a device in the form that ovs-vswitchd uses', () => {
    expect(written(oneBridge(), running, 'Interface')).toEqual({
      ofport: 1,
      mac_in_use: '02:00:00:00:00:ab',
      admin_state: 'up',
      link_state: 'down',
      link_resets: 0,
      link_speed: 10_000_000_000,
      duplex: 'full',
      mtu: 1500,
      ifindex: 3,
      status: [
        'map',
        [
          ['driver_name', 'veth'],
          ['driver_version', '1.0'],
          ['firmware_version', ''],
        ],
      ],
      statistics: [
        'map',
        [
          ['rx_bytes', 586],
          ['rx_packets', 7],
        ],
      ],
    });
    expect(written(oneBridge(), running, 'Bridge')).toEqual({
      datapath_id: '0000260e42fc2440',
      datapath_version: '<built-in>',
    });
  });

  it('puts cur_cfg into the last operation of the same transaction', () => {
    const { operations } = reportOperations(oneBridge(), running);
    expect(operations.map((operation) => operation.table)).toEqual([
      'Interface',
      'Bridge',
      'Open_vSwitch',
    ]);
    expect(operations.at(-1)?.row).toMatchObject({
      cur_cfg: 1,
      ovs_version: '3.1.0',
      db_version: '8.3.1',
    });
  });

  it('writes nothing when the database says it already', () => {
    const db = database({
      Open_vSwitch: {
        root: {
          bridges: [uuidOf('br0')],
          cur_cfg: 1,
          next_cfg: 1,
          ovs_version: '3.1.0',
          db_version: '8.3.1',
          system_type: 'debian',
          system_version: '12',
          datapath_types: ['system', 'netdev'],
          iface_types: ['system', 'internal'],
          dpdk_version: 'none',
        },
      },
      Bridge: {
        br0: { name: 'br0', datapath_id: '0000260e42fc2440', datapath_version: '<built-in>' },
      },
      Interface: {
        'if-p1': {
          name: 'p1',
          ofport: 1,
          mac_in_use: '02:00:00:00:00:ab',
          admin_state: 'up',
          link_state: 'down',
          link_resets: 0,
          link_speed: 10_000_000_000,
          duplex: 'full',
          mtu: 1500,
          ifindex: 3,
          status: strings({ firmware_version: '', driver_name: 'veth', driver_version: '1.0' }),
          statistics: new Map([
            ['rx_packets', 7],
            ['rx_bytes', 586],
          ]),
        },
      },
    });
    expect(reportOperations(db, running).isEmpty).toBe(true);
    const more = {
      ...running,
      interfaces: [{ ...running.interfaces[0], statistics: { rx_bytes: 587, rx_packets: 7 } }],
    };
    expect(reportOperations(db, more).operations).toHaveLength(1);
    // Left out, the statistics stay as they are.
    const quiet = {
      ...running,
      interfaces: [{ uuid: uuidOf('if-p1'), ofport: 1, error: null, device }],
    };
    expect(reportOperations(db, quiet).isEmpty).toBe(true);
  });

  it('empties the columns of an interface that failed', () => {
    const db = oneBridge(
      {},
      {},
      {
        ofport: 4,
        mtu: 1500,
        admin_state: 'up',
        mac_in_use: 'x',
        status: strings({ a: 'b' }),
        statistics: new Map([['rx_bytes', 1]]),
      },
    );
    const error = 'could not open network device p1 (No such device)';
    const state: RunningState = {
      root: null,
      bridges: [],
      interfaces: [{ uuid: uuidOf('if-p1'), ofport: -1, error, device: null }],
    };
    expect(written(db, state, 'Interface')).toEqual({
      ofport: -1,
      error,
      mac_in_use: ['set', []],
      admin_state: ['set', []],
      mtu: ['set', []],
      status: ['map', []],
      statistics: ['map', []],
    });
  });

  it('leaves what ovs-ctl has set about the system', () => {
    const db = oneBridge({}, {}, {}, { system_type: 'appliance', system_version: '7' });
    const row = written(db, running, 'Open_vSwitch');
    expect(row).not.toHaveProperty('system_type');
    expect(row).not.toHaveProperty('system_version');
    expect(written(oneBridge(), running, 'Open_vSwitch')).toMatchObject({ system_type: 'debian' });
  });

  it('never writes a column that the server lacks, nor a row that is gone', () => {
    const db = database({ Interface: { 'if-p1': { name: 'p1' } } }, [
      'Interface.link_resets',
      'Interface.statistics',
    ]);
    const row = written(db, running, 'Interface');
    expect(row).not.toHaveProperty('link_resets');
    expect(row).not.toHaveProperty('statistics');
    expect(written(db, running, 'Bridge')).toBeUndefined();
    expect(written(db, running, 'Open_vSwitch')).toBeUndefined();
  });

  it('writes counters only as integers that the database can hold', () => {
    const statistics = { a: 1.9, b: Number.NaN, c: -1, d: 1e300, e: 0 };
    const state = { ...running, interfaces: [{ ...running.interfaces[0], statistics }] };
    expect(written(oneBridge(), state, 'Interface')).toMatchObject({
      statistics: [
        'map',
        [
          ['a', 1],
          ['d', Number.MAX_SAFE_INTEGER],
          ['e', 0],
        ],
      ],
    });
  });
});

describe('parseOsRelease', () => {
  it('reads quoted and bare values', () => {
    expect(
      parseOsRelease('NAME="Debian"\nVERSION_ID="12"\nID=debian\nVERSION_CODENAME=x\n'),
    ).toEqual({ type: 'debian', version: '12' });
    expect(parseOsRelease('')).toEqual({ type: null, version: null });
  });
});
