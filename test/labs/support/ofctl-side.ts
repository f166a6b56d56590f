/**
 * One side of the comparison: a database, a daemon with a dummy bridge `br0`, and a client for it, all in a directory of their own.
 * Dummy devices only: nothing of the machine is touched.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOfctl } from '../../../src/cli/ofctl/client.ts';
import { FILES, words } from '../ofctl/sections.ts';

export const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const TIMEOUT_MS = 10_000;

/** What one line prints and how it ends. */
export interface Outcome {
  readonly line: string;
  readonly status: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/**
 * The original tells groups and meters in the order of a hash, and flows in the order of tables that it forgets some time after their last
 * flow.
 */
const isUnordered = (line: string): boolean =>
  /\b(dump-group|dump-meter|meter-stats|dump-flows|diff-flows)/.test(line) &&
  !/--r?sort/.test(line);

interface Printed {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

type Client = (side: Side, args: readonly string[]) => Promise<Printed>;

/** The original's client, as a program. */
export const ovsOfctl: Client = (side, args) =>
  new Promise((resolve) => {
    const options = { env: side.env, cwd: side.directory, timeout: TIMEOUT_MS };
    const child = execFile('ovs-ofctl', args, options, (error, out, err) => {
      resolve({ status: error === null ? 0 : (child.exitCode ?? -1), out, err });
    });
    child.stdin?.end();
  });

/** Ours, within this process: a start of node for each line would take minutes. */
export const tsOfctl: Client = async (side, args) => {
  let out = '';
  let err = '';
  const status = await runOfctl(args, {
    env: side.env,
    isTerminal: false,
    print: (text) => {
      out += text;
    },
    complain: (text) => {
      err += text;
    },
    alarm: () => undefined,
    readFile: (file) => readFileSync(join(side.directory, file)),
  });
  return { status, out, err: err.replaceAll(/^ts-ofctl/gm, 'ovs-ofctl') };
};

export class Side {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsv-same-'));
  readonly env = {
    ...process.env,
    OVS_RUNDIR: this.directory,
    OVS_LOGDIR: this.directory,
    OVS_DBDIR: this.directory,
    OVS_SYSCONFDIR: this.directory,
  };
  private readonly client: Client;

  constructor(daemon: string, client: Client) {
    this.client = client;
    const detached = ['--detach', '--no-chdir', '--pidfile'];
    const db = join(this.directory, 'conf.db');
    this.run('ovsdb-tool', ['create', db, SCHEMA]);
    this.run('ovsdb-server', [...detached, `--remote=punix:${this.directory}/db.sock`, db]);
    this.run('ovs-vsctl', ['--no-wait', 'init']);
    this.run(daemon, [...detached, '-vconsole:off', '--enable-dummy', '--disable-system']);
    const port = (name: string, number: number): string =>
      `-- add-port br0 ${name} -- set interface ${name} type=dummy ofport_request=${number}`;
    const versions = [10, 11, 12, 13, 14, 15].map((v) => `OpenFlow${v}`).join(',');
    const bridge = `-- set bridge br0 datapath-type=dummy fail-mode=secure protocols=${versions}`;
    const ports = `${port('p1', 1)} ${port('p2', 2)} ${port('eth-3', 3)}`;
    this.run('ovs-vsctl', `--timeout=20 add-br br0 ${bridge} ${ports}`.split(' '));
    for (const [name, text] of Object.entries(FILES)) {
      writeFileSync(join(this.directory, name), text);
    }
  }

  private run(program: string, args: readonly string[]): void {
    execFileSync(program, args, { env: this.env, stdio: 'ignore' });
  }

  /** `version` as -O takes it. */
  async ofctl(version: string, line: string): Promise<Outcome> {
    const { status, out, err } = await this.client(this, [`-O${version}`, ...words(line)]);
    const told = this.comparable(out);
    return {
      line,
      status,
      out: isUnordered(line) ? told.sort() : told,
      err: this.comparable(err),
    };
  }

  /** Without what differs from run to run: ids of messages, times, and addresses made at random. */
  private comparable(text: string): string[] {
    return (
      text
        .replaceAll(this.directory, 'DIR')
        .replaceAll(/xid=0x[0-9a-f]+/g, 'xid')
        .replaceAll(/\b(duration[=:]?|idle_age=)[0-9.]+s?/g, '$1')
        // Told only when it is not the duration, which a second's turn between the two decides.
        .replaceAll(/hard_age=\d+, /g, '')
        .replaceAll(/(addr|dpid):[0-9a-f:]+/g, '$1')
        .replaceAll(/^\d{4}-\d\d-\d\dT\S+Z\|\d+\|/gm, '')
        .trimEnd()
        .split('\n')
    );
  }

  stop(): void {
    for (const name of ['ovs-vswitchd', 'ovsdb-server']) {
      try {
        process.kill(Number(readFileSync(join(this.directory, `${name}.pid`), 'utf8')));
      } catch {
        // It has ended.
      }
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
