/** The real ovsdb-server on a database of its own in a temporary directory. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

const STOCK_SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** True when a server listens on the socket. */
const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

export class DatabaseServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsv-ovsdb-'));
  readonly socket = join(this.directory, 'db.sock');
  private child: ChildProcess | null = null;

  /** `edit` changes the stock schema before the database is made. */
  constructor(
    edit?: (schema: { tables: Record<string, { columns: Record<string, unknown> }> }) => void,
  ) {
    const schema = JSON.parse(readFileSync(STOCK_SCHEMA, 'utf8'));
    edit?.(schema);
    const path = join(this.directory, 'schema');
    writeFileSync(path, JSON.stringify(schema));
    execFileSync('ovsdb-tool', ['create', join(this.directory, 'conf.db'), path]);
  }

  get target(): string {
    return `unix:${this.socket}`;
  }

  async start(extraRemote?: string): Promise<void> {
    const args = [join(this.directory, 'conf.db'), `--remote=punix:${this.socket}`, '--no-chdir'];
    args.push(`--unixctl=${join(this.directory, 'ctl')}`);
    if (extraRemote !== undefined) args.push(`--remote=${extraRemote}`);
    this.child = spawn('ovsdb-server', args, {
      stdio: 'ignore',
      env: { ...process.env, OVS_RUNDIR: this.directory, OVS_LOGDIR: this.directory },
    });
    // The socket's file is there before the server listens on it.
    await until(() => accepts(this.socket));
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child === null) return;
    this.child = null;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
    rmSync(this.socket, { force: true });
  }

  /** Runs the real ovs-vsctl without waiting for a switch. */
  vsctl(...args: string[]): string {
    return execFileSync(
      'ovs-vsctl',
      [`--db=${this.target}`, '--no-wait', '--timeout=10', ...args],
      { encoding: 'utf8' },
    ).trim();
  }

  async remove(): Promise<void> {
    await this.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
