/**
 * The database of a switch that has no ovsdb-server: the Open_vSwitch database in its file, served on db.sock and where its
 * Manager rows say.
 */
import { connect } from 'node:net';
import type { Clock, Timer } from '../../util/clock.ts';
import type { LogSource } from '../../util/logger.ts';
import type { TlsFiles } from '../jsonrpc.ts';
import { DatabaseFile } from './database-file.ts';
import { DatabaseServer, type HostedDatabase } from './database-server.ts';
import { ManagerRemotes } from './manager-remotes.ts';
import { Listener, openRemote, type Remote } from './remote.ts';
import { VSWITCH_SCHEMA } from './vswitch-schema.ts';

export interface EmbeddedOptions {
  readonly file: string;
  readonly socket: string;
  readonly clock: Clock;
  readonly logs: LogSource;
  readonly newUuid: () => string;
  readonly tls: () => TlsFiles | null;
}

const HOUSEKEEPING_MS = 10_000;
const PROBE_MS = 2000;

export class EmbeddedDatabase {
  readonly server: DatabaseServer;
  readonly file: DatabaseFile;
  readonly hosted: HostedDatabase;
  private readonly options: EmbeddedOptions;
  private readonly managers: ManagerRemotes;
  /** By target: db.sock, and what `ovsdb-server/add-remote` added. */
  private readonly added = new Map<string, Remote>();
  private readonly timer: Timer;

  /** Opens the file and listens. Throws DatabaseFileError. */
  static async start(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
    const { clock, newUuid, logs } = options;
    const file = DatabaseFile.open({
      path: options.file,
      schema: VSWITCH_SCHEMA,
      newUuid,
      clock,
      log: logs.module('ovsdb_log'),
    });
    const embedded = new EmbeddedDatabase(options, file);
    await embedded.listen();
    return embedded;
  }

  private constructor(options: EmbeddedOptions, file: DatabaseFile) {
    const { clock, newUuid, logs } = options;
    this.options = options;
    this.file = file;
    this.server = new DatabaseServer({ clock, newUuid });
    this.hosted = this.server.add(file.db, file);
    this.initialise();
    const { server, hosted } = this;
    this.managers = new ManagerRemotes({ server, hosted, clock, logs, tls: options.tls });
    this.timer = clock.every(HOUSEKEEPING_MS, () => file.compactIfGrown());
  }

  /** A new database gets its one Open_vSwitch row, which `ovs-vsctl init` makes elsewhere: python's ovsdbapp takes it for granted. */
  private initialise(): void {
    const table = this.hosted.db.tables.get('Open_vSwitch');
    if (table === undefined || table.rows.size > 0) return;
    this.server.change(this.hosted, (txn) => txn.insert(table, this.options.newUuid(), []));
  }

  private async listen(): Promise<void> {
    const { socket, clock, logs, tls } = this.options;
    const target = `punix:${socket}`;
    const listener = new Listener({ target, server: this.server, clock, logs, tls });
    this.added.set(target, listener);
    await listener.ready;
  }

  /** Targets in the order of their names. */
  remotes(): string[] {
    const name = this.hosted.db.schema.name;
    return [...this.added.keys(), `db:${name},Open_vSwitch,manager_options`].sort();
  }

  addRemote(target: string): void {
    if (this.added.has(target)) return;
    const { clock, logs, tls } = this.options;
    this.added.set(target, openRemote({ target, server: this.server, clock, logs, tls }));
  }

  /** False when there is none of that name. */
  removeRemote(target: string): boolean {
    this.added.get(target)?.close();
    return this.added.delete(target);
  }

  /** Drops every connection. */
  reconnect(): void {
    for (const remote of [...this.added.values(), ...this.managers.remotes()]) remote.reconnect();
  }

  close(): void {
    this.timer.cancel();
    this.managers.close();
    for (const remote of this.added.values()) remote.close();
    this.added.clear();
    this.file.close();
  }
}

/** True when somebody accepts connections on a socket. */
export function answersOn(path: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const timer = clock.after(PROBE_MS, () => finish(false));
    const finish = (answer: boolean): void => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
