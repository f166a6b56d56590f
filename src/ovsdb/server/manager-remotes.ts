/**
 * The remotes that the database itself asks for: rows of Manager that the Open_vSwitch row refers to, as ovsdb-server serves
 * them with `--remote=db:Open_vSwitch,Open_vSwitch,manager_options`; and their is_connected and status columns.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../util/clock.ts';
import type { LogSource } from '../../util/logger.ts';
import type { TlsFiles } from '../jsonrpc.ts';
import type { Atom } from '../value.ts';
import type { Table } from './database.ts';
import type { DatabaseServer, HostedDatabase } from './database-server.ts';
import { type Datum, equalData, single } from './datum.ts';
import { openRemote, type Remote } from './remote.ts';

/** How often status columns are written, as by ovsdb-server. */
const STATUS_PERIOD_MS = 2500;

interface Managed {
  readonly remote: Remote;
  readonly probeMs: number | null;
}

export interface ManagerOptions {
  readonly server: DatabaseServer;
  readonly hosted: HostedDatabase;
  readonly clock: Clock;
  readonly logs: LogSource;
  /** Keys and certificates of the command line, which come before those of the SSL table. */
  readonly tls: () => TlsFiles | null;
}

export class ManagerRemotes {
  private readonly options: ManagerOptions;
  private readonly managed = new Map<string, Managed>();
  private readonly stopListening: () => void;
  private readonly timer: Timer;
  private isClosed = false;

  constructor(options: ManagerOptions) {
    this.options = options;
    const { hosted, server, clock } = options;
    this.stopListening = server.listen({
      committed: (of, changes) => {
        const isOurs = ({ table }: { table: Table }): boolean =>
          table.schema.name === 'Manager' || table.schema.name === 'Open_vSwitch';
        // After the reply: whoever takes its own listener away still hears that it was done.
        if (of === hosted && changes.some(isOurs)) queueMicrotask(() => this.reconcile());
      },
      converted: (of) => {
        if (of === hosted) queueMicrotask(() => this.reconcile());
      },
    });
    this.reconcile();
    this.timer = clock.every(STATUS_PERIOD_MS, () => this.report());
  }

  remotes(): Remote[] {
    return [...this.managed.values()].map(({ remote }) => remote);
  }

  close(): void {
    this.isClosed = true;
    this.timer.cancel();
    this.stopListening();
    for (const { remote } of this.managed.values()) remote.close();
    this.managed.clear();
  }

  private table(name: string): Table | undefined {
    return this.options.hosted.db.tables.get(name);
  }

  /** The rows in force: UUIDs of Manager by target. */
  private wanted(): Map<string, string> {
    const wanted = new Map<string, string>();
    const managers = this.table('Manager');
    for (const { fields } of this.table('Open_vSwitch')?.rows.values() ?? []) {
      for (const uuid of field(this.table('Open_vSwitch'), fields, 'manager_options')?.keys ?? []) {
        const row = managers?.rows.get(uuid as string);
        const target = row && field(managers, row.fields, 'target')?.keys[0];
        if (typeof target === 'string') wanted.set(target, uuid as string);
      }
    }
    return wanted;
  }

  private reconcile(): void {
    if (this.isClosed) return;
    const { server, clock, logs } = this.options;
    const log = logs.module('ovsdb_jsonrpc_server');
    const wanted = this.wanted();
    const probeOf = (uuid: string): number | null => {
      const fields = this.table('Manager')?.rows.get(uuid)?.fields ?? [];
      return (field(this.table('Manager'), fields, 'inactivity_probe')?.keys[0] ?? null) as
        | number
        | null;
    };
    for (const [target, { remote, probeMs }] of this.managed) {
      const uuid = wanted.get(target);
      if (uuid !== undefined && probeOf(uuid) === probeMs) continue;
      log.info(`${target}: remote deconfigured`);
      remote.close();
      this.managed.delete(target);
    }
    for (const [target, uuid] of wanted) {
      if (this.managed.has(target)) continue;
      const probeMs = probeOf(uuid);
      const remote = openRemote({
        target,
        server,
        clock,
        logs,
        tls: () => this.options.tls() ?? this.tlsOfDatabase(),
        ...(probeMs === null ? {} : { probeMs }),
      });
      this.managed.set(target, { remote, probeMs });
    }
  }

  /** The files that the SSL table names, read when a connection wants them. */
  private tlsOfDatabase(): TlsFiles | null {
    const table = this.table('SSL');
    for (const { fields } of table?.rows.values() ?? []) {
      const read = (column: string): string =>
        readFileSync(String(field(table, fields, column)?.keys[0]), 'utf8');
      return {
        privateKey: read('private_key'),
        certificate: read('certificate'),
        caCertificate: read('ca_cert'),
      };
    }
    return null;
  }

  private report(): void {
    const { server, hosted } = this.options;
    const managers = this.table('Manager');
    if (managers === undefined || this.managed.size === 0) return;
    const wanted = this.wanted();
    server.change(hosted, (txn) => {
      for (const [target, { remote }] of this.managed) {
        const uuid = wanted.get(target);
        const fields = uuid === undefined ? undefined : txn.fieldsOf(managers, uuid);
        if (uuid === undefined || fields === undefined) continue;
        const columns: [string, Datum][] = [
          ['is_connected', single(remote.isConnected)],
          ['status', mapDatum(remote.status())],
        ];
        for (const [name, datum] of columns) {
          const column = managers.schema.byName.get(name);
          if (column === undefined || equalData(fields[column.index], datum)) continue;
          txn.modify(managers, uuid)[column.index] = datum;
        }
      }
    });
  }
}

function field(
  table: Table | undefined,
  fields: readonly Datum[],
  column: string,
): Datum | undefined {
  const index = table?.schema.byName.get(column)?.index;
  return index === undefined ? undefined : fields[index];
}

function mapDatum(map: ReadonlyMap<string, string>): Datum {
  const keys = [...map.keys()].sort();
  return { keys, values: keys.map((key) => map.get(key) as Atom) };
}
