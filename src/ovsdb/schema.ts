/**
 * The part of the Open_vSwitch schema that the switch reads or writes, as data from which the row types follow.
 *
 * ovs-vswitchd.conf.db(5) describes every column. The database may be older or newer than this list: columns
 * and tables that the server lacks are left out of the monitor and read as their default, and never written
 * (`usableColumns`). external_ids is left to its users, as by Open vSwitch.
 */
import { isObject, type Json } from './json-stream.ts';
import type { AtomName, ColumnType, ValueOf } from './value.ts';

const atom = <A extends AtomName>(name: A) => ({ kind: 'atom', atom: name }) as const;
const optional = <A extends AtomName>(name: A) => ({ kind: 'optional', atom: name }) as const;
const set = <A extends AtomName>(name: A) => ({ kind: 'set', atom: name }) as const;
const map = <K extends AtomName, V extends AtomName>(key: K, value: V) =>
  ({ kind: 'map', key, value }) as const;

const strings = map('string', 'string');
const counters = map('string', 'integer');

export const SCHEMA = {
  Open_vSwitch: {
    bridges: set('uuid'),
    ssl: optional('uuid'),
    other_config: strings,
    next_cfg: atom('integer'),
    cur_cfg: atom('integer'),
    statistics: strings,
    ovs_version: optional('string'),
    db_version: optional('string'),
    system_type: optional('string'),
    system_version: optional('string'),
    datapath_types: set('string'),
    iface_types: set('string'),
    dpdk_initialized: atom('boolean'),
    dpdk_version: optional('string'),
  },
  Bridge: {
    name: atom('string'),
    datapath_type: atom('string'),
    datapath_version: atom('string'),
    datapath_id: optional('string'),
    stp_enable: atom('boolean'),
    rstp_enable: atom('boolean'),
    mcast_snooping_enable: atom('boolean'),
    ports: set('uuid'),
    mirrors: set('uuid'),
    netflow: optional('uuid'),
    sflow: optional('uuid'),
    ipfix: optional('uuid'),
    controller: set('uuid'),
    protocols: set('string'),
    fail_mode: optional('string'),
    status: strings,
    rstp_status: strings,
    other_config: strings,
    flood_vlans: set('integer'),
    flow_tables: map('integer', 'uuid'),
  },
  Port: {
    name: atom('string'),
    interfaces: set('uuid'),
    trunks: set('integer'),
    cvlans: set('integer'),
    tag: optional('integer'),
    vlan_mode: optional('string'),
    qos: optional('uuid'),
    mac: optional('string'),
    bond_mode: optional('string'),
    lacp: optional('string'),
    bond_updelay: atom('integer'),
    bond_downdelay: atom('integer'),
    bond_active_slave: optional('string'),
    bond_fake_iface: atom('boolean'),
    fake_bridge: atom('boolean'),
    status: strings,
    rstp_status: strings,
    rstp_statistics: counters,
    statistics: counters,
    protected: atom('boolean'),
    other_config: strings,
  },
  Interface: {
    name: atom('string'),
    type: atom('string'),
    options: strings,
    ingress_policing_rate: atom('integer'),
    ingress_policing_burst: atom('integer'),
    ingress_policing_kpkts_rate: atom('integer'),
    ingress_policing_kpkts_burst: atom('integer'),
    mac_in_use: optional('string'),
    mac: optional('string'),
    ifindex: optional('integer'),
    ofport: optional('integer'),
    ofport_request: optional('integer'),
    bfd: strings,
    cfm_mpid: optional('integer'),
    lacp_current: optional('boolean'),
    lldp: strings,
    other_config: strings,
    statistics: counters,
    status: strings,
    admin_state: optional('string'),
    link_state: optional('string'),
    link_resets: optional('integer'),
    link_speed: optional('integer'),
    duplex: optional('string'),
    mtu: optional('integer'),
    mtu_request: optional('integer'),
    error: optional('string'),
  },
  Controller: {
    type: optional('string'),
    target: atom('string'),
    max_backoff: optional('integer'),
    inactivity_probe: optional('integer'),
    connection_mode: optional('string'),
    local_ip: optional('string'),
    local_netmask: optional('string'),
    local_gateway: optional('string'),
    enable_async_messages: optional('boolean'),
    controller_queue_size: optional('integer'),
    controller_rate_limit: optional('integer'),
    controller_burst_limit: optional('integer'),
    other_config: strings,
    is_connected: atom('boolean'),
    role: optional('string'),
    status: strings,
  },
  Flow_Table: {
    name: optional('string'),
    flow_limit: optional('integer'),
    overflow_policy: optional('string'),
    groups: set('string'),
    prefixes: set('string'),
  },
  Flow_Sample_Collector_Set: {
    id: atom('integer'),
    bridge: atom('uuid'),
    ipfix: optional('uuid'),
  },
  QoS: {
    type: atom('string'),
    queues: map('integer', 'uuid'),
    other_config: strings,
  },
  Queue: {
    dscp: optional('integer'),
    other_config: strings,
  },
  Mirror: {
    name: atom('string'),
    select_all: atom('boolean'),
    select_src_port: set('uuid'),
    select_dst_port: set('uuid'),
    select_vlan: set('integer'),
    output_port: optional('uuid'),
    output_vlan: optional('integer'),
    snaplen: optional('integer'),
    statistics: counters,
  },
  SSL: {
    private_key: atom('string'),
    certificate: atom('string'),
    ca_cert: atom('string'),
    bootstrap_ca_cert: atom('boolean'),
  },
} as const satisfies Record<string, Record<string, ColumnType>>;

export type TableName = keyof typeof SCHEMA;
export type ColumnName<T extends TableName> = keyof (typeof SCHEMA)[T] & string;

/** The columns of a table by name, without the UUID. */
export type Columns<T extends TableName> = {
  readonly [C in ColumnName<T>]: (typeof SCHEMA)[T][C] extends infer X extends ColumnType
    ? ValueOf<X>
    : never;
};

/** A row: its columns and its UUID. Never changed in place: an update makes a new object. */
export type Row<T extends TableName> = Columns<T> & { readonly uuid: string };

export const TABLES = Object.keys(SCHEMA) as TableName[];

export const isTable = (name: string): name is TableName => Object.hasOwn(SCHEMA, name);

/** Type of a column, undefined when the declaration above has no such column. */
export const columnType = (table: TableName, column: string): ColumnType | undefined =>
  Object.hasOwn(SCHEMA[table], column)
    ? (SCHEMA[table] as Record<string, ColumnType>)[column]
    : undefined;

/** For each table of ours that the server has, its columns that we know and can read. */
export type UsableColumns = ReadonlyMap<TableName, readonly string[]>;

export interface ServerSchema {
  readonly usable: UsableColumns;
  /** `version` of the server's schema, for Open_vSwitch.db_version. */
  readonly version: string;
  /** Columns of ours whose type on the server is another one: neither read nor written. */
  readonly incompatible: readonly string[];
}

/** The base type's name in either of the forms of RFC 7047 section 3.2. */
const baseName = (json: Json | undefined): Json | undefined => (isObject(json) ? json.type : json);

function fits(ours: ColumnType, type: Json | undefined): boolean {
  const key = isObject(type) ? baseName(type.key) : type;
  const value = isObject(type) ? baseName(type.value) : undefined;
  const max = isObject(type) ? (type.max ?? 1) : 1;
  const min = isObject(type) ? (type.min ?? 1) : 1;
  if (ours.kind === 'map') return key === ours.key && value === ours.value;
  if (key !== ours.atom || value !== undefined) return false;
  if (ours.kind === 'set') return true;
  return max === 1 && (ours.kind === 'optional' || min === 1);
}

/** Reads the reply to get_schema. Returns an error text when it is no schema. */
export function readServerSchema(json: Json): ServerSchema | string {
  if (!isObject(json) || !isObject(json.tables)) return 'reply to get_schema is not a schema';
  const usable = new Map<TableName, readonly string[]>();
  const incompatible: string[] = [];
  for (const table of TABLES) {
    const serverTable = json.tables[table];
    if (!isObject(serverTable) || !isObject(serverTable.columns)) continue;
    const names: string[] = [];
    for (const [column, type] of Object.entries<ColumnType>(SCHEMA[table])) {
      if (!Object.hasOwn(serverTable.columns, column)) continue;
      const declared = serverTable.columns[column];
      if (isObject(declared) && fits(type, declared.type)) names.push(column);
      else incompatible.push(`${table}.${column}`);
    }
    usable.set(table, names);
  }
  if (!usable.has('Open_vSwitch')) return 'the database has no Open_vSwitch table';
  return { usable, version: typeof json.version === 'string' ? json.version : '', incompatible };
}
