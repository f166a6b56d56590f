/** From rows to wanted state: the defaults of ovs-vswitchd.conf.db(5), and junk as messages. */
import { describe, expect, it } from 'vitest';
import { type Abilities, changesConfiguration, desired } from '../../src/config/desired.ts';
import type { WantedInterface } from '../../src/config/wanted.ts';
import { database, oneBridge, strings, uuidOf } from './support/database.ts';

const abilities: Abilities = {
  interfaceTypes: ['system', 'internal', 'tap', 'patch', 'vxlan'],
  datapathTypes: ['netdev', 'system'],
  dummy: 'off',
  processorCount: 4,
};
const withDummies: Abilities = {
  interfaceTypes: [...abilities.interfaceTypes, 'dummy', 'dummy-internal'],
  datapathTypes: [...abilities.datapathTypes, 'dummy'],
  dummy: 'on',
  processorCount: 4,
};

const bridgeOf = (...rows: Parameters<typeof oneBridge>) =>
  desired(oneBridge(...rows), abilities).bridges[0];
const portOf = (port: Parameters<typeof oneBridge>[1]) => bridgeOf({}, port).ports[1];
const interfaceOf = (
  iface: Parameters<typeof oneBridge>[2],
  with_: Abilities = abilities,
): WantedInterface => desired(oneBridge({}, {}, iface), with_).bridges[0].ports[1].interfaces[0];
const messagesOf = (...rows: Parameters<typeof oneBridge>) =>
  desired(oneBridge(...rows), abilities).errors.map((error) => error.message);

describe('desired', () => {
  it('wants nothing of a database that nobody initialized', () => {
    expect(desired(database({}), abilities)).toMatchObject({
      initialized: false,
      bridges: [],
      errors: [],
    });
  });

  it('fills in the defaults of the man page', () => {
    const state = desired(oneBridge(), abilities);
    expect(state).toMatchObject({
      initialized: true,
      nextCfg: 1,
      errors: [],
      settings: {
        flowLimit: 200_000,
        maxIdleMs: 10_000,
        maxRevalidatorMs: 500,
        minRevalidatePps: 5,
        handlerThreads: 0,
        vlanLimit: 1,
        statsUpdateIntervalMs: 5000,
        enableStatistics: false,
      },
    });
    expect(state.bridges[0]).toMatchObject({
      uuid: uuidOf('br0'),
      name: 'br0',
      datapathType: 'system',
      failMode: 'standalone',
      datapathId: null,
      hwaddr: null,
      macAgingSeconds: 300,
      macTableSize: 8192,
      forwardBpdu: false,
    });
    const [local, p1] = state.bridges[0].ports;
    expect(local.interfaces[0]).toMatchObject({
      name: 'br0',
      type: 'internal',
      isLocal: true,
      error: null,
    });
    expect(p1.settings).toEqual({
      vlanMode: 'trunk',
      tag: null,
      trunks: null,
      cvlans: null,
      priorityTags: 'no',
      qinqEthtype: 0x88a8,
      protected: false,
    });
    expect(p1.interfaces[0]).toMatchObject({
      name: 'p1',
      type: 'system',
      isLocal: false,
      mtuRequest: null,
    });
  });

  it.each([
    ['mac-aging-time', '60', { macAgingSeconds: 60 }],
    ['mac-aging-time', '1', { macAgingSeconds: 15 }],
    ['mac-aging-time', '99999', { macAgingSeconds: 3600 }],
    ['mac-aging-time', 'junk', { macAgingSeconds: 300 }],
    ['mac-table-size', '5', { macTableSize: 10 }],
    ['mac-table-size', '50000', { macTableSize: 50_000 }],
    ['mac-table-size', '99999999999999999999', { macTableSize: 8192 }],
    ['mac-table-size', '12abc', { macTableSize: 8192 }],
    ['forward-bpdu', 'true', { forwardBpdu: true }],
    ['forward-bpdu', 'yes', { forwardBpdu: false }],
    ['disable-in-band', 'true', { disableInBand: true }],
    ['datapath-id', '0x1f', { datapathId: 0x1fn }],
    ['datapath-id', '00000000000000ab', { datapathId: 0xabn }],
    ['datapath-id', 'ab', { datapathId: null }],
    ['datapath-id', '0000000000000000', { datapathId: null }],
    ['hwaddr', '02:00:00:00:00:aB', { hwaddr: 0x0200000000abn }],
    ['hwaddr', '01:00:00:00:00:ab', { hwaddr: null }],
    ['hwaddr', 'nonsense', { hwaddr: null }],
  ])('reads bridge other_config:%s=%s', (key, value, expected) => {
    expect(bridgeOf({ other_config: strings({ [key]: value }) })).toMatchObject(expected);
  });

  it.each([
    ['flow-limit', '7', { flowLimit: 7 }],
    ['flow-limit', '-7', { flowLimit: 0 }],
    ['max-idle', '500', { maxIdleMs: 500 }],
    ['max-revalidator', '50', { maxRevalidatorMs: 500 }],
    ['n-handler-threads', 'two', { handlerThreads: 0 }],
    ['vlan-limit', '0', { vlanLimit: 2 }],
    ['vlan-limit', '7', { vlanLimit: 2 }],
    ['stats-update-interval', '100', { statsUpdateIntervalMs: 5000 }],
    ['stats-update-interval', '60000', { statsUpdateIntervalMs: 60_000 }],
    ['__proto__', 'x', { flowLimit: 200_000 }],
  ])('reads Open_vSwitch other_config:%s=%s', (key, value, expected) => {
    const db = oneBridge({}, {}, {}, { other_config: new Map([[key, value]]) });
    expect(desired(db, abilities).settings).toMatchObject(expected);
  });

  it('implies access by a tag, and says that trunks are ignored then', () => {
    expect(portOf({ tag: 10 }).settings).toMatchObject({
      vlanMode: 'access',
      tag: 10,
      trunks: null,
    });
    expect(portOf({ tag: 10, trunks: [20] }).settings).toMatchObject({
      vlanMode: 'access',
      trunks: null,
    });
    expect(messagesOf({}, { tag: 10, trunks: [20] })).toEqual([
      'port p1: ignoring trunks in favor of implicit vlan',
    ]);
    expect(portOf({ trunks: [30, 20] }).settings).toMatchObject({
      vlanMode: 'trunk',
      tag: null,
      trunks: [20, 30],
    });
  });

  it('gives each vlan_mode the columns that it uses', () => {
    expect(portOf({ vlan_mode: 'trunk', tag: 5, trunks: [20] }).settings).toMatchObject({
      tag: null,
      trunks: [20],
    });
    expect(portOf({ vlan_mode: 'access', trunks: [20] }).settings).toMatchObject({
      tag: 0,
      trunks: null,
    });
    expect(
      portOf({
        vlan_mode: 'dot1q-tunnel',
        tag: 5,
        cvlans: [7, 3],
        trunks: [9],
        other_config: strings({ 'qinq-ethtype': '802.1q' }),
      }).settings,
    ).toMatchObject({ tag: 5, trunks: null, cvlans: [3, 7], qinqEthtype: 0x8100 });
    expect(portOf({ vlan_mode: 'trunk', cvlans: [3] }).settings.cvlans).toBeNull();
  });

  it('always trunks the native VLAN, and VLAN 0 never beside it', () => {
    expect(portOf({ vlan_mode: 'native-tagged', tag: 5, trunks: [0, 9] }).settings.trunks).toEqual([
      5, 9,
    ]);
    expect(portOf({ vlan_mode: 'native-untagged', trunks: [9] }).settings).toMatchObject({
      tag: 0,
      trunks: [9],
    });
    const all = portOf({ vlan_mode: 'native-untagged', tag: 5 }).settings.trunks;
    expect([all?.[0], all?.at(-1), all?.length]).toEqual([1, 4095, 4095]);
  });

  it.each([
    ['always', 'always'],
    ['if-nonzero', 'if-nonzero'],
    ['true', 'if-nonzero'],
    ['never', 'no'],
    ['junk', 'no'],
  ])('reads priority-tags=%s', (value, expected) => {
    expect(
      portOf({ other_config: strings({ 'priority-tags': value }) }).settings.priorityTags,
    ).toBe(expected);
  });

  it.each([
    ['nonsense', /^could not open network device p1 \(unknown type "nonsense", known are system, /],
    ['dpdk', /type "dpdk" is not supported/],
    ['dpdkvhostuserclient', /type "dpdkvhostuserclient" is not supported/],
    ['dummy', /unknown type "dummy"/],
  ])('has an error text for type %s', (type, expected) => {
    expect(interfaceOf({ type }).error).toMatch(expected);
    expect(desired(oneBridge({}, {}, { type }), abilities).errors).toHaveLength(1);
  });

  it('limits names of devices to 15 bytes, not those of patch ports', () => {
    const name = 'patch-port-of-some-length';
    expect(interfaceOf({ name }).error).toMatch(
      /could not open network device .*File name too long/,
    );
    expect(interfaceOf({ name, type: 'patch' }).error).toBeNull();
    expect(interfaceOf({ name: 'vif0.0' }).error).toBeNull();
    expect(interfaceOf({ name: '../../etc' }).error).toMatch(/not a valid device name/);
  });

  it('makes dummies of devices as --enable-dummy says', () => {
    expect(interfaceOf({ type: 'dummy' }, withDummies)).toMatchObject({
      type: 'dummy',
      error: null,
    });
    expect(interfaceOf({ type: '' }, withDummies).type).toBe('system');
    expect(interfaceOf({ type: '' }, { ...withDummies, dummy: 'system' }).type).toBe('dummy');
    expect(interfaceOf({ type: '' }, { ...withDummies, dummy: 'override' }).type).toBe('dummy');
    const local = (dummy: Abilities['dummy'], datapath_type: string) =>
      desired(oneBridge({ datapath_type }), { ...withDummies, dummy }).bridges[0].ports[0]
        .interfaces[0].type;
    expect(local('on', 'dummy')).toBe('dummy-internal');
    expect(local('on', 'netdev')).toBe('internal');
    expect(local('override', 'netdev')).toBe('dummy-internal');
  });

  it('takes only usable OpenFlow port numbers', () => {
    expect(interfaceOf({ ofport: 7, ofport_request: 9 })).toMatchObject({
      ofportRequest: 9,
      previousOfport: 7,
    });
    expect(interfaceOf({ ofport: -1 })).toMatchObject({
      ofportRequest: null,
      previousOfport: null,
    });
    expect(interfaceOf({ ofport: 65_534 }).previousOfport).toBeNull();
  });

  it('sets MAC addresses of internal ports only', () => {
    const mac = '02:00:00:00:00:07';
    expect(interfaceOf({ type: 'internal', mac }).mac).toBe(7n + (2n << 40n));
    expect(interfaceOf({ type: '', mac }).mac).toBeNull();
    expect(interfaceOf({ type: 'internal', mac: '01:00:00:00:00:07' }).mac).toBeNull();
  });

  it('makes up a local port that no row asks for', () => {
    const db = oneBridge({ ports: [uuidOf('port-p1')] });
    const state = desired(db, abilities);
    expect(state.errors.map((error) => error.message)).toEqual([
      'bridge br0: no port named br0, synthesizing one',
    ]);
    expect(state.bridges[0].ports.map((port) => [port.name, port.uuid])).toEqual([
      ['br0', null],
      ['p1', uuidOf('port-p1')],
    ]);
    expect(state.bridges[0].ports[0].interfaces[0]).toMatchObject({
      uuid: null,
      isLocal: true,
      type: 'internal',
    });
  });

  it('leaves out a bridge of an unknown datapath type, saying so', () => {
    const state = desired(oneBridge({ datapath_type: 'dummy' }), abilities);
    expect(state.bridges).toEqual([]);
    expect(state.errors[0].message).toMatch(
      /^failed to create bridge br0: .*unknown datapath_type "dummy"/,
    );
    expect(desired(oneBridge({ datapath_type: 'dummy' }), withDummies).bridges).toHaveLength(1);
  });

  it('lets the first of two bridges have a name that both claim', () => {
    const db = database({
      Open_vSwitch: { root: { bridges: [uuidOf('b2'), uuidOf('b1')] } },
      Bridge: {
        b1: { name: 'b1', ports: [uuidOf('shared'), uuidOf('takes-b2')] },
        b2: { name: 'b2', ports: [uuidOf('shared'), uuidOf('again')] },
      },
      Port: {
        shared: { name: 'shared', interfaces: [uuidOf('if')] },
        again: { name: 'again', interfaces: [uuidOf('if')] },
        'takes-b2': { name: 'b2', interfaces: [uuidOf('if-b2')] },
      },
      Interface: { if: { name: 'eth1' }, 'if-b2': { name: 'b2' } },
    });
    const state = desired(db, abilities);
    const errors = state.bridges.map((bridge) =>
      bridge.ports.map((port) => [port.name, port.interfaces[0].error]),
    );
    expect(errors).toEqual([
      [
        ['b1', null],
        ['b2', 'could not open network device b2 (File exists: a bridge has this name)'],
        ['shared', null],
      ],
      [
        ['again', 'could not open network device eth1 (File exists: already a port of bridge b1)'],
        ['b2', null],
      ],
    ]);
  });

  it('keeps fake bridges, bonds and controllers as they are', () => {
    const db = database({
      Open_vSwitch: { root: { bridges: [uuidOf('br0')] } },
      Bridge: {
        br0: {
          name: 'br0',
          ports: [uuidOf('bond'), uuidOf('fake')],
          controller: [uuidOf('c')],
          fail_mode: 'secure',
        },
      },
      Port: {
        bond: {
          name: 'bond0',
          interfaces: [uuidOf('e2'), uuidOf('e1')],
          bond_mode: 'balance-slb',
          bond_updelay: 50,
        },
        fake: { name: 'VLAN2', interfaces: [uuidOf('f')], fake_bridge: true, tag: 2 },
      },
      Interface: {
        e1: { name: 'eth1' },
        e2: { name: 'eth2' },
        f: { name: 'VLAN2', type: 'internal' },
      },
      Controller: { c: { target: 'tcp:127.0.0.1:6653' } },
    });
    const [bridge] = desired(db, abilities).bridges;
    expect(bridge.failMode).toBe('secure');
    expect(bridge.controllers.map((row) => row.target)).toEqual(['tcp:127.0.0.1:6653']);
    expect(bridge.ports.map((port) => port.name)).toEqual(['VLAN2', 'bond0', 'br0']);
    expect(bridge.ports[0]).toMatchObject({
      fakeBridge: true,
      settings: { vlanMode: 'access', tag: 2 },
    });
    expect(bridge.ports[1].bond).toMatchObject({ mode: 'balance-slb', lacp: 'off', updelayMs: 50 });
    expect(bridge.ports[1].interfaces.map((iface) => iface.name)).toEqual(['eth1', 'eth2']);
  });

  it('tells configuration from what the daemon itself reported', () => {
    const modified = (table: 'Interface' | 'Open_vSwitch', ...columns: string[]) => ({
      initial: false,
      rows: [{ table, uuid: uuidOf('x'), kind: 'modify' as const, columns }],
    });
    expect(changesConfiguration(modified('Interface', 'ofport', 'statistics', 'error'))).toBe(
      false,
    );
    expect(changesConfiguration(modified('Open_vSwitch', 'cur_cfg'))).toBe(false);
    expect(changesConfiguration(modified('Open_vSwitch', 'cur_cfg', 'next_cfg'))).toBe(true);
    expect(changesConfiguration(modified('Interface', 'type'))).toBe(true);
    expect(changesConfiguration({ initial: true, rows: [] })).toBe(true);
  });
});

describe('datapath workers', () => {
  const read = (other_config: Record<string, string>) => {
    const { settings, errors } = desired(
      database({ Open_vSwitch: { root: { other_config: strings(other_config) } } }),
      abilities,
    );
    return { workers: settings.workers, problems: errors.map(({ message }) => message) };
  };

  it('is one, unless a number or a mask of processors says more', () => {
    expect(read({})).toEqual({ workers: { count: 1, processors: [] }, problems: [] });
    expect(read({ 'n-datapath-workers': '3' }).workers).toEqual({ count: 3, processors: [] });
    for (const mask of ['0x6', '6', '0X06']) {
      expect(read({ 'pmd-cpu-mask': mask, 'n-datapath-workers': '1' })).toEqual({
        workers: { count: 2, processors: [1, 2] },
        problems: [],
      });
    }
  });

  it.each([
    ['n-datapath-workers', '0', 'a number from 1 to 8 is wanted'],
    ['n-datapath-workers', '9', 'a number from 1 to 8 is wanted'],
    ['n-datapath-workers', 'two', 'a number from 1 to 8 is wanted'],
    ['pmd-cpu-mask', 'xyz', 'hexadecimal digits are wanted'],
    ['pmd-cpu-mask', '', 'hexadecimal digits are wanted'],
    ['pmd-cpu-mask', '0', "it has none of this machine's processors, 0 to 3"],
    ['pmd-cpu-mask', '0xf0', "it has none of this machine's processors, 0 to 3"],
  ])('keeps what runs for %s=%s', (key, value, why) => {
    expect(read({ [key]: value })).toEqual({
      workers: null,
      problems: [`ignoring invalid other_config:${key} "${value}": ${why}`],
    });
  });

  it('leaves out processors that the machine has not', () => {
    expect(read({ 'pmd-cpu-mask': 'ff' })).toEqual({
      workers: { count: 4, processors: [0, 1, 2, 3] },
      problems: ['other_config:pmd-cpu-mask "ff": only processors 0, 1, 2, 3 are used'],
    });
  });
});
