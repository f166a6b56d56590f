/**
 * From the running state to the operations that make the database say it. Pure.
 *
 * Only columns that differ are written, so an idle switch writes nothing; only columns that the server has.
 * What a column's form must be was taken from what Open vSwitch writes: a device that could not be opened has
 * ofport -1, its `error`, and every other column empty; a working one without a kernel device (patch, dummy,
 * tunnel) has ifindex 0. `cur_cfg` stands last in the same transaction as the results that it vouches for:
 * ovs-vsctl wakes up on it and reads `ofport` and `error` at once.
 */
import type { Database } from '../ovsdb/replica.ts';
import type { Columns, TableName } from '../ovsdb/schema.ts';
import { Transaction } from '../ovsdb/transaction.ts';
import { sameValue, type Value } from '../ovsdb/value.ts';
import { ethernetText } from './config-value.ts';

/** What a device says of itself; null is an empty column. */
export interface RunningDevice {
  /** 48 bits. */
  readonly mac: bigint | null;
  readonly adminUp: boolean | null;
  readonly linkUp: boolean | null;
  readonly linkResets: number;
  /** Bits per second. */
  readonly speedBps: number | null;
  readonly fullDuplex: boolean | null;
  /** Bytes. */
  readonly mtu: number | null;
  /** 0 for a device that the kernel does not know. */
  readonly ifindex: number | null;
  /** The `status` column: driver_name, driver_version, firmware_version, ... */
  readonly status: Readonly<Record<string, string>>;
}

export interface RunningInterface {
  readonly uuid: string;
  /** 65534 for the local port, -1 when it could not be set up, null before anything was tried. */
  readonly ofport: number | null;
  /** The text for the `error` column; a patch port without peer has one and an ofport, too. */
  readonly error: string | null;
  /** Null for an interface without a working device: its columns become empty. */
  readonly device: RunningDevice | null;
  /** Counters by key; undefined leaves the column as it is (it has its own rhythm), null empties it. */
  readonly statistics?: Readonly<Record<string, number>> | null;
}

interface RunningPort {
  readonly uuid: string;
  readonly status?: Readonly<Record<string, string>>;
  readonly statistics?: Readonly<Record<string, number>>;
  readonly bondActiveMember?: string | null;
}

export interface RunningBridge {
  readonly uuid: string;
  readonly datapathId: bigint | null;
  /** "<built-in>" for a datapath in user space. */
  readonly datapathVersion: string;
  readonly status?: Readonly<Record<string, string>>;
}

interface RunningController {
  readonly uuid: string;
  readonly isConnected: boolean;
  readonly role: string | null;
  readonly status: Readonly<Record<string, string>>;
}

interface RunningMirror {
  readonly uuid: string;
  readonly statistics: Readonly<Record<string, number>>;
}

export interface RunningRoot {
  /** next_cfg of the wanted state that is in force now; undefined while none is. */
  readonly curCfg?: number;
  readonly ovsVersion: string;
  /** Version of the schema; '' when unknown. */
  readonly dbVersion: string;
  /** ID and VERSION_ID of /etc/os-release; written only where nobody (ovs-ctl) has set them. */
  readonly systemType: string | null;
  readonly systemVersion: string | null;
  readonly datapathTypes: readonly string[];
  readonly interfaceTypes: readonly string[];
  /** With other_config:enable-statistics; null empties the column, undefined leaves it. */
  readonly statistics?: Readonly<Record<string, string>> | null;
}

export interface RunningState {
  readonly root: RunningRoot | null;
  readonly bridges: readonly RunningBridge[];
  readonly ports?: readonly RunningPort[];
  readonly interfaces: readonly RunningInterface[];
  readonly controllers?: readonly RunningController[];
  /** When their statistics are due. */
  readonly mirrors?: readonly RunningMirror[];
}

/** Builds the transaction that reports `running`; empty when the database says so already. */
export function reportOperations(db: Database, running: RunningState): Transaction {
  const transaction = new Transaction();
  for (const iface of running.interfaces) {
    update(db, transaction, 'Interface', iface.uuid, interfaceColumns(iface));
  }
  for (const port of running.ports ?? []) {
    update(db, transaction, 'Port', port.uuid, {
      ...(port.status === undefined ? {} : { status: map(port.status) }),
      ...(port.statistics === undefined ? {} : { statistics: counters(port.statistics) }),
      ...(port.bondActiveMember === undefined ? {} : { bond_active_slave: port.bondActiveMember }),
    });
  }
  for (const bridge of running.bridges) {
    update(db, transaction, 'Bridge', bridge.uuid, {
      datapath_id:
        bridge.datapathId === null ? null : bridge.datapathId.toString(16).padStart(16, '0'),
      datapath_version: bridge.datapathVersion,
      ...(bridge.status === undefined ? {} : { status: map(bridge.status) }),
    });
  }
  for (const { uuid, statistics } of running.mirrors ?? []) {
    update(db, transaction, 'Mirror', uuid, { statistics: counters(statistics) });
  }
  for (const { uuid, isConnected, role, status } of running.controllers ?? []) {
    update(db, transaction, 'Controller', uuid, {
      is_connected: isConnected,
      role,
      status: map(status),
    });
  }
  const row = db.root();
  if (running.root !== null && row !== null) {
    update(db, transaction, 'Open_vSwitch', row.uuid, rootColumns(running.root, row));
  }
  return transaction;
}

function interfaceColumns(iface: RunningInterface): Partial<Columns<'Interface'>> {
  const { device } = iface;
  const statistics =
    device === null ? new Map() : iface.statistics === null ? new Map() : undefined;
  const columns = {
    ofport: iface.ofport,
    error: iface.error,
    mac_in_use: device?.mac == null ? null : ethernetText(device.mac),
    admin_state: upOrDown(device?.adminUp ?? null),
    link_state: upOrDown(device?.linkUp ?? null),
    link_resets: device?.linkResets ?? null,
    link_speed: device?.speedBps ?? null,
    duplex: device?.fullDuplex == null ? null : device.fullDuplex ? 'full' : 'half',
    mtu: device?.mtu ?? null,
    ifindex: device?.ifindex ?? null,
    status: map(device?.status ?? {}),
  };
  if (statistics !== undefined) return { ...columns, statistics };
  if (iface.statistics == null) return columns;
  return { ...columns, statistics: counters(iface.statistics) };
}

function rootColumns(
  root: RunningRoot,
  row: Columns<'Open_vSwitch'>,
): Partial<Columns<'Open_vSwitch'>> {
  return {
    ovs_version: root.ovsVersion,
    ...(root.dbVersion === '' ? {} : { db_version: root.dbVersion }),
    system_type: row.system_type ?? root.systemType,
    system_version: row.system_version ?? root.systemVersion,
    datapath_types: root.datapathTypes,
    iface_types: root.interfaceTypes,
    dpdk_initialized: false,
    dpdk_version: 'none',
    ...(root.statistics === undefined ? {} : { statistics: map(root.statistics ?? {}) }),
    ...(root.curCfg === undefined ? {} : { cur_cfg: root.curCfg }),
  };
}

/** Adds an update of the columns that differ. A row that is gone has nothing to say. */
function update<T extends TableName>(
  db: Database,
  transaction: Transaction,
  table: T,
  uuid: string,
  wanted: Partial<Columns<T>>,
): void {
  const row = db.row(table, uuid);
  if (row === undefined) return;
  const present: Readonly<Record<string, Value>> = row;
  const different: Record<string, Value> = {};
  for (const [column, value] of Object.entries<Value>(wanted as Record<string, Value>)) {
    if (!db.hasColumn(table, column) || sameValue(present[column], value)) continue;
    different[column] = value;
  }
  transaction.update(table, uuid, different as Partial<Columns<T>>);
}

const upOrDown = (up: boolean | null): string | null => (up === null ? null : up ? 'up' : 'down');

const map = (record: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(record));

/** Counters as the integers that the database takes; what is no number is left out, as the man page says. */
function counters(record: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [key, value] of Object.entries(record)) {
    if (!Number.isFinite(value) || value < 0) continue;
    values.set(key, Math.min(Math.trunc(value), Number.MAX_SAFE_INTEGER));
  }
  return values;
}

/** ID and VERSION_ID of an os-release(5) text. */
export function parseOsRelease(release: string): { type: string | null; version: string | null } {
  const field = (name: string): string | null => {
    const match = new RegExp(`^${name}=(?:"([^"\\n]*)"|'([^'\\n]*)'|(\\S*))\\s*$`, 'm').exec(
      release,
    );
    const value = match === null ? '' : (match[1] ?? match[2] ?? match[3] ?? '');
    return value === '' ? null : value;
  };
  return { type: field('ID'), version: field('VERSION_ID') };
}
