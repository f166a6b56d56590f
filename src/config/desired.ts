/**
 * From the database to the wanted state. Pure: same rows, same result; nothing is opened and nothing logged.
 *
 * Whatever a user can write is accepted: a setting that makes no sense becomes a ConfigProblem and its default,
 * an interface that cannot be becomes an `error` text in the words that ovs-vsctl shows after
 * "Error detected while setting up".
 */
import type { BundleSettings } from '../ofproto/bundle.ts';
import type { FlowTableSettings } from '../ofproto/tables/flow-table.ts';
import type { PriorityTags, VlanMode } from '../ofproto/vlan.ts';
import type { Database, ReplicaChange } from '../ovsdb/replica.ts';
import type { Row, TableName } from '../ovsdb/schema.ts';
import { isTunnelType, TUNNEL_TYPES } from '../tunnels/tunnel-types.ts';
import {
  boolean,
  clamp,
  datapathId,
  ethernetAddress,
  integer,
  isMulticast,
  stringMap,
  text,
} from './config-value.ts';
import { flowTableSettings } from './flow-tables.ts';
import { wantedMirrors } from './mirrors.ts';
import { isQosType, MAX_QUEUES, QOS_TYPES, type WantedQos, wantedQos } from './qos.ts';
import type {
  ConfigProblem,
  StringMap,
  WantedBridge,
  WantedInterface,
  WantedPort,
  WantedSettings,
  WantedState,
  WantedTls,
} from './wanted.ts';
import { wantedWorkers } from './workers.ts';

/** What this daemon can do and was told on its command line. */
export interface Abilities {
  /** Accepted Interface types besides '': also what iface_types publishes. */
  readonly interfaceTypes: readonly string[];
  /** Accepted Bridge datapath types besides '': also what datapath_types publishes. */
  readonly datapathTypes: readonly string[];
  /** --enable-dummy: `override` makes every device and datapath a dummy, `system` the system devices only. */
  readonly dummy: 'off' | 'on' | 'system' | 'override';
  /** Processors of the machine, numbered from 0. */
  readonly processorCount: number;
}

/** IFNAMSIZ without its terminator — netdevice(7). */
const MAX_DEVICE_NAME_BYTES = 15;
/** OFPP_MAX is 0xff00: numbers from there on are reserved. */
const MAX_OFPORT = 0xfeff;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
/** Names in the database only: no device carries them. */
const NAME_ONLY_TYPES: ReadonlySet<string> = new Set([
  ...['patch', 'dummy', 'dummy-internal', 'dummy-pmd'],
  ...Object.keys(TUNNEL_TYPES),
]);
const TUNNELS_THAT_MOVE = Object.entries(TUNNEL_TYPES).flatMap(([type, { isReal }]) =>
  isReal ? [type] : [],
);

/** The wanted state of everything. */
export function desired(db: Database, abilities: Abilities): WantedState {
  const root = db.root();
  if (root === null) {
    return {
      initialized: false,
      nextCfg: 0,
      settings: settingsOf({}, abilities, []),
      tls: null,
      bridges: [],
      errors: [],
    };
  }
  const reader = new Reader(db, abilities);
  const settings = settingsOf(stringMap(root.other_config), abilities, reader.errors);
  const bridges = reader.bridges(root.bridges);
  return {
    initialized: true,
    nextCfg: root.next_cfg,
    settings,
    tls: tlsOf(db, root.ssl),
    bridges,
    errors: reader.errors,
  };
}

function tlsOf(db: Database, uuid: string | null): WantedTls | null {
  const row = uuid === null ? undefined : db.row('SSL', uuid);
  if (row === undefined) return null;
  return {
    privateKey: row.private_key,
    certificate: row.certificate,
    caCertificate: row.ca_cert,
    bootstrap: row.bootstrap_ca_cert,
  };
}

function settingsOf(
  config: StringMap,
  abilities: Abilities,
  problems: ConfigProblem[],
): WantedSettings {
  const { workers, problem } = wantedWorkers(config, abilities.processorCount);
  if (problem !== null) problems.push({ level: 'warn', interfaceUuid: null, message: problem });
  const atLeast = (key: string, low: number, otherwise: number) =>
    Math.max(integer(config, key) ?? otherwise, low);
  const revalidator = integer(config, 'max-revalidator') ?? 500;
  const vlanLimit = integer(config, 'vlan-limit') ?? 1;
  return {
    flowLimit: atLeast('flow-limit', 0, 200_000),
    maxIdleMs: atLeast('max-idle', 0, 10_000),
    maxRevalidatorMs: revalidator >= 100 ? revalidator : 500,
    minRevalidatePps: atLeast('min-revalidate-pps', 1, 5),
    handlerThreads: atLeast('n-handler-threads', 0, 0),
    revalidatorThreads: atLeast('n-revalidator-threads', 0, 0),
    // 0 lifts the limit; two tags is what a flow key holds.
    vlanLimit: vlanLimit <= 0 ? 2 : Math.min(vlanLimit, 2),
    statsUpdateIntervalMs: atLeast('stats-update-interval', 5000, 5000),
    bundleIdleTimeoutSeconds: atLeast('bundle-idle-timeout', 1, 10),
    enableStatistics: boolean(config, 'enable-statistics', false),
    flowRestoreWait: boolean(config, 'flow-restore-wait', false),
    userspaceTso: boolean(config, 'userspace-tso-enable', false),
    tunnelTooBigReplies: boolean(config, 'tunnel-too-big-replies', true),
    tunnelTransport: text(config, 'tunnel-transport') === 'portable' ? 'portable' : 'kernel',
    workers,
  };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** Reads bridges and remembers who has which name, across bridges. */
class Reader {
  readonly errors: ConfigProblem[] = [];
  private readonly db: Database;
  private readonly abilities: Abilities;
  /** Name of the bridge that has a Port row, by its UUID. */
  private readonly portOwner = new Map<string, string>();
  /** Name of the bridge that has an interface, by the interface's name. The first one wins. */
  private readonly interfaceOwner = new Map<string, string>();
  private bridgeNames: ReadonlySet<string> = new Set();

  constructor(db: Database, abilities: Abilities) {
    this.db = db;
    this.abilities = abilities;
  }

  private problem(
    level: ConfigProblem['level'],
    message: string,
    interfaceUuid: string | null = null,
  ): void {
    this.errors.push({ level, interfaceUuid, message });
  }

  private find<T extends TableName>(table: T, uuids: readonly string[]): Row<T>[] {
    return uuids
      .map((uuid) => this.db.row(table, uuid))
      .filter((row): row is Row<T> => row !== undefined);
  }

  bridges(uuids: readonly string[]): WantedBridge[] {
    const wanted: WantedBridge[] = [];
    const names = new Set<string>();
    const rows = this.find('Bridge', uuids).sort(byName);
    this.bridgeNames = new Set(rows.map((row) => row.name));
    for (const row of rows) {
      if (/[/\\]/.test(row.name) || row.name === '') {
        this.problem('warn', `ignoring bridge with invalid name "${row.name}"`);
        continue;
      }
      if (names.has(row.name)) {
        this.problem('warn', `bridge ${row.name} specified twice`);
        continue;
      }
      const datapathType = this.datapathType(row.datapath_type);
      if (!this.abilities.datapathTypes.includes(datapathType)) {
        this.problem(
          'err',
          `failed to create bridge ${row.name}: Address family not supported by protocol (unknown datapath_type "${row.datapath_type}", known are ${this.abilities.datapathTypes.join(', ')})`,
        );
        continue;
      }
      names.add(row.name);
      wanted.push(this.bridge(row, datapathType));
    }
    return wanted;
  }

  private datapathType(type: string): string {
    return type === '' ? 'system' : type;
  }

  private bridge(row: Row<'Bridge'>, datapathType: string): WantedBridge {
    const config = stringMap(row.other_config);
    const aging = integer(config, 'mac-aging-time') ?? 0;
    const tableSize = integer(config, 'mac-table-size') ?? 8192;
    const id = text(config, 'datapath-id');
    const override = datapathId(id);
    // All zeros is how to ask for none.
    if (id !== null && override === null && !/^(0x)?0+$/.test(id)) {
      this.problem('info', `bridge ${row.name}: ignoring invalid other_config:datapath-id "${id}"`);
    }
    return {
      uuid: row.uuid,
      name: row.name,
      datapathType,
      failMode: row.fail_mode === 'secure' ? 'secure' : 'standalone',
      datapathId: override,
      hwaddr: this.hwaddr(row.name, text(config, 'hwaddr')),
      macAgingSeconds: aging > 0 ? clamp(aging, 15, 3600) : 300,
      macTableSize: tableSize < 0 ? 8192 : clamp(tableSize, 10, 1_000_000),
      forwardBpdu: boolean(config, 'forward-bpdu', false),
      floodVlans: [...row.flood_vlans].sort((a, b) => a - b),
      samplesFlows: this.samplesFlows(row),
      stpEnable: row.stp_enable,
      rstpEnable: row.rstp_enable,
      mcastSnoopingEnable: row.mcast_snooping_enable,
      disableInBand: boolean(config, 'disable-in-band', false),
      protocols: [...row.protocols].sort(),
      controllers: this.find('Controller', row.controller),
      flowTables: this.flowTables(row),
      mirrors: wantedMirrors(this.db, row, (level, message) => this.problem(level, message)),
      otherConfig: config,
      ports: this.ports(row, datapathType),
    };
  }

  private samplesFlows(bridge: Row<'Bridge'>): boolean {
    for (const set of this.db.rows('Flow_Sample_Collector_Set').values()) {
      if (set.bridge === bridge.uuid && set.ipfix !== null) return true;
    }
    return false;
  }

  private flowTables(bridge: Row<'Bridge'>): ReadonlyMap<number, FlowTableSettings> {
    const tables = new Map<number, FlowTableSettings>();
    for (const [id, uuid] of bridge.flow_tables) {
      const row = this.db.row('Flow_Table', uuid);
      if (row === undefined) continue;
      const complain = (why: string) => this.problem('warn', `bridge ${bridge.name}: ${why}`);
      tables.set(id, flowTableSettings(row, complain));
    }
    return tables;
  }

  private hwaddr(bridge: string, address: string | null): bigint | null {
    if (address === null) return null;
    const bits = ethernetAddress(address);
    if (bits === null) {
      this.problem('warn', `bridge ${bridge}: ignoring invalid other_config:hwaddr "${address}"`);
      return null;
    }
    if (isMulticast(bits)) {
      this.problem(
        'err',
        `bridge ${bridge}: cannot set MAC address to multicast address ${address}`,
      );
      return null;
    }
    if (bits === 0n) {
      this.problem('err', `bridge ${bridge}: cannot set MAC address to zero`);
      return null;
    }
    return bits;
  }

  private ports(bridge: Row<'Bridge'>, datapathType: string): WantedPort[] {
    const wanted: WantedPort[] = [];
    for (const row of this.find('Port', bridge.ports).sort(byName)) {
      const owner = this.portOwner.get(row.uuid);
      if (owner !== undefined) {
        this.problem('warn', `bridge ${bridge.name}: port ${row.name} already belongs to ${owner}`);
        continue;
      }
      this.portOwner.set(row.uuid, bridge.name);
      const interfaces = this.find('Interface', row.interfaces)
        .sort(byName)
        .map((iface) => this.interface(bridge.name, datapathType, iface));
      if (interfaces.length === 0) continue;
      wanted.push(this.port(row, interfaces));
    }
    if (!wanted.some((port) => port.interfaces.some((iface) => iface.isLocal))) {
      this.problem('warn', `bridge ${bridge.name}: no port named ${bridge.name}, synthesizing one`);
      wanted.push(this.localPort(bridge.name, datapathType));
    }
    return wanted.sort(byName);
  }

  private port(row: Row<'Port'>, interfaces: readonly WantedInterface[]): WantedPort {
    const config = stringMap(row.other_config);
    return {
      uuid: row.uuid,
      name: row.name,
      settings: this.vlanSettings(row, config),
      bond: {
        mode: row.bond_mode ?? 'active-backup',
        lacp: row.lacp ?? 'off',
        updelayMs: Math.max(row.bond_updelay, 0),
        downdelayMs: Math.max(row.bond_downdelay, 0),
        fakeIface: row.bond_fake_iface,
      },
      fakeBridge: row.fake_bridge,
      mac: ethernetAddress(row.mac),
      otherConfig: config,
      qos: this.qos(row, interfaces),
      interfaces,
    };
  }

  private qos(row: Row<'Port'>, interfaces: readonly WantedInterface[]): WantedQos | null {
    const want = wantedQos(this.db, row.qos);
    if (want !== null && want.queues.length > MAX_QUEUES) {
      const count = want.queues.length;
      this.problem('warn', `port ${row.name}: ${count} queues, only ${MAX_QUEUES} are in force`);
    }
    if (want === null || want.type === '' || isQosType(want.type)) return want;
    if (interfaces.some(({ type }) => !type.startsWith('dummy'))) {
      const known = QOS_TYPES.join(', ');
      this.problem('warn', `port ${row.name}: unknown QoS type ${want.type}, not one of ${known}`);
    }
    return want;
  }

  /** ovs-vswitchd.conf.db(5), Port table, VLAN Configuration. */
  private vlanSettings(row: Row<'Port'>, config: StringMap): BundleSettings {
    const isVlan = (vlan: number) => vlan >= 0 && vlan <= 4095;
    const ascending = (vlans: readonly number[]) => vlans.filter(isVlan).sort((a, b) => a - b);
    const tag = row.tag !== null && isVlan(row.tag) ? row.tag : null;
    let mode: VlanMode;
    switch (row.vlan_mode) {
      case 'access':
      case 'trunk':
      case 'native-tagged':
      case 'native-untagged':
      case 'dot1q-tunnel':
        mode = row.vlan_mode;
        break;
      case null:
        mode = tag === null ? 'trunk' : 'access';
        if (tag !== null && (row.trunks.length > 0 || row.cvlans.length > 0)) {
          this.problem('warn', `port ${row.name}: ignoring trunks in favor of implicit vlan`);
        }
        break;
      default:
        mode = 'trunk';
        this.problem('warn', `port ${row.name}: unknown vlan_mode ${row.vlan_mode}, using trunk`);
    }
    const common = {
      vlanMode: mode,
      priorityTags: priorityTags(text(config, 'priority-tags')),
      qinqEthtype: this.qinqEthtype(row.name, text(config, 'qinq-ethtype')),
      // The column is Open vSwitch's; the key is where other settings of ports are looked for.
      protected: row.protected || text(config, 'protected') === 'true',
    };
    const trunks = row.trunks.length > 0 ? ascending(row.trunks) : null;
    switch (mode) {
      case 'access':
        return { ...common, tag: tag ?? 0, trunks: null, cvlans: null };
      case 'trunk':
        return { ...common, tag: null, trunks, cvlans: null };
      case 'native-tagged':
      case 'native-untagged':
        return { ...common, tag: tag ?? 0, trunks: nativeTrunks(trunks, tag ?? 0), cvlans: null };
      case 'dot1q-tunnel':
        return {
          ...common,
          tag: tag ?? 0,
          trunks: null,
          cvlans: row.cvlans.length > 0 ? ascending(row.cvlans) : null,
        };
    }
  }

  private qinqEthtype(port: string, name: string | null): number {
    if (name === null || name === '802.1ad') return TPID_8021AD;
    if (name === '802.1q') return TPID_8021Q;
    this.problem('warn', `port ${port}: invalid qinq-ethtype "${name}", using 802.1ad`);
    return TPID_8021AD;
  }

  private interface(bridge: string, datapathType: string, row: Row<'Interface'>): WantedInterface {
    const isLocal = row.name === bridge;
    const options = stringMap(row.options);
    const declared = isLocal ? 'internal' : row.type;
    const reserved = !isLocal && isReserved(row.name);
    const error = reserved
      ? ''
      : (this.typeError(declared, datapathType) ??
        nameError(row.name, declared) ??
        this.claim(row.name, bridge, isLocal));
    const type = this.deviceType(declared, datapathType);
    if (reserved) {
      const message = `could not create interface ${row.name}, name is reserved`;
      this.problem('warn', message, row.uuid);
    } else if (error !== null) {
      this.problem('warn', `could not open network device ${row.name} (${error})`, row.uuid);
    }
    return {
      uuid: row.uuid,
      name: row.name,
      type,
      isLocal,
      options,
      mtuRequest: row.mtu_request !== null && row.mtu_request > 0 ? row.mtu_request : null,
      mac: this.interfaceMac(row, isLocal, type),
      ofportRequest: isLocal ? null : usableOfport(row.ofport_request),
      previousOfport: isLocal ? null : usableOfport(row.ofport),
      otherConfig: stringMap(row.other_config),
      policing: {
        rateKbps: row.ingress_policing_rate,
        burstKb: row.ingress_policing_burst,
        rateKpps: row.ingress_policing_kpkts_rate,
        burstKpkts: row.ingress_policing_kpkts_burst,
      },
      // A reserved name is told in the log only, as by Open vSwitch.
      error: error ? `could not open network device ${row.name} (${error})` : error,
    };
  }

  /** The port that every bridge has, for a database where somebody removed its row. */
  private localPort(bridge: string, datapathType: string): WantedPort {
    const type = this.deviceType('internal', datapathType);
    return {
      uuid: null,
      name: bridge,
      settings: {
        vlanMode: 'trunk',
        tag: null,
        trunks: null,
        cvlans: null,
        priorityTags: 'no',
        qinqEthtype: TPID_8021AD,
        protected: false,
      },
      bond: { mode: 'active-backup', lacp: 'off', updelayMs: 0, downdelayMs: 0, fakeIface: false },
      fakeBridge: false,
      mac: null,
      otherConfig: {},
      qos: null,
      interfaces: [
        {
          uuid: null,
          name: bridge,
          type,
          isLocal: true,
          options: {},
          mtuRequest: null,
          mac: null,
          ofportRequest: null,
          previousOfport: null,
          otherConfig: {},
          policing: { rateKbps: 0, burstKb: 0, rateKpps: 0, burstKpkts: 0 },
          error: nameError(bridge, type),
        },
      ],
    };
  }

  /** The kind of device that stands behind a type on this datapath: dummies under --enable-dummy. */
  private deviceType(type: string, datapathType: string): string {
    const { dummy } = this.abilities;
    const plain = type === '' ? 'system' : type;
    if (plain === 'internal') {
      return datapathType === 'dummy' || dummy === 'override' ? 'dummy-internal' : 'internal';
    }
    if (dummy === 'override' && (plain === 'system' || plain === 'tap')) return 'dummy';
    if (dummy === 'system' && plain === 'system') return 'dummy';
    return plain;
  }

  /** Takes a device name for a bridge; returns why that cannot be. */
  private claim(name: string, bridge: string, isLocal: boolean): string | null {
    const owner = this.interfaceOwner.get(name);
    if (owner !== undefined) return `File exists: already a port of bridge ${owner}`;
    if (!isLocal && this.bridgeNames.has(name)) return 'File exists: a bridge has this name';
    this.interfaceOwner.set(name, bridge);
    return null;
  }

  private typeError(type: string, datapathType: string): string | null {
    if (type === '' || this.abilities.interfaceTypes.includes(type)) return null;
    if (isTunnelType(type)) {
      if (datapathType === 'dummy') return null;
      return `type "${type}" is not supported: tunnels are ${TUNNELS_THAT_MOVE.join(', ')}`;
    }
    if (type.startsWith('dpdk') || type === 'afxdp' || type === 'afxdp-nonpmd') {
      return `type "${type}" is not supported: this switch drives devices through the kernel, use type system`;
    }
    return `unknown type "${type}", known are ${this.abilities.interfaceTypes.join(', ')}`;
  }

  private interfaceMac(row: Row<'Interface'>, isLocal: boolean, type: string): bigint | null {
    if (row.mac === null) return null;
    if (isLocal) {
      this.problem(
        'err',
        `interface ${row.name}: ignoring mac in Interface record (use Bridge record to set local port's mac)`,
      );
      return null;
    }
    const bits = ethernetAddress(row.mac);
    if (bits === null || bits === 0n || isMulticast(bits)) {
      this.problem('err', `interface ${row.name}: cannot set MAC address to "${row.mac}"`);
      return null;
    }
    return type.startsWith('internal') || type.startsWith('dummy') ? bits : null;
  }
}

const priorityTags = (value: string | null): PriorityTags =>
  // "true" is what the setting was called before it had three values.
  value === 'always' ? 'always' : value === 'if-nonzero' || value === 'true' ? 'if-nonzero' : 'no';

const usableOfport = (ofport: number | null): number | null =>
  ofport !== null && ofport >= 1 && ofport <= MAX_OFPORT ? ofport : null;

/** Names of datapaths and of the ports that tunnels share. */
const isReserved = (name: string): boolean =>
  /^ovs-(netdev|system|dummy)$/.test(name) ||
  Object.values(TUNNEL_TYPES).some(({ portName }) => name.startsWith(portName));

function nameError(name: string, type: string): string | null {
  if (name === '' || /[/\s]/.test(name)) return 'not a valid device name';
  if (NAME_ONLY_TYPES.has(type)) return null;
  if (Buffer.byteLength(name) > MAX_DEVICE_NAME_BYTES) {
    return `File name too long: at most ${MAX_DEVICE_NAME_BYTES} bytes`;
  }
  return null;
}

/** A native port always trunks its native VLAN, and never VLAN 0 beside it. */
function nativeTrunks(trunks: readonly number[] | null, native: number): readonly number[] | null {
  if (native === 0) return trunks;
  if (trunks === null) return Array.from({ length: 4095 }, (_, i) => i + 1);
  return [...new Set([...trunks.filter((vlan) => vlan !== 0), native])].sort((a, b) => a - b);
}

/** Columns that only this daemon writes: a change of them alone calls for no new plan. */
const REPORTED: Readonly<Record<TableName, ReadonlySet<string>>> = {
  Open_vSwitch: new Set([
    'cur_cfg',
    'statistics',
    'ovs_version',
    'db_version',
    'system_type',
    'system_version',
    'datapath_types',
    'iface_types',
    'dpdk_initialized',
    'dpdk_version',
  ]),
  Bridge: new Set(['datapath_version', 'datapath_id', 'status', 'rstp_status']),
  QoS: new Set(),
  Flow_Sample_Collector_Set: new Set(),
  Queue: new Set(),
  Port: new Set(['status', 'rstp_status', 'rstp_statistics', 'statistics', 'bond_active_slave']),
  Interface: new Set([
    'mac_in_use',
    'ifindex',
    'ofport',
    'lacp_current',
    'statistics',
    'status',
    'admin_state',
    'link_state',
    'link_resets',
    'link_speed',
    'duplex',
    'mtu',
    'error',
  ]),
  Controller: new Set(['is_connected', 'role', 'status']),
  Flow_Table: new Set(),
  Mirror: new Set(['statistics']),
  SSL: new Set(),
};

/** True unless an update only echoes what the daemon itself reported. */
export const changesConfiguration = (change: ReplicaChange): boolean =>
  change.initial ||
  change.rows.some(
    (row) =>
      row.kind !== 'modify' || row.columns.some((column) => !REPORTED[row.table].has(column)),
  );
