/**
 * One side of the comparison of clients: a database server, a stand-in for the switch that takes changes over, and a client.
 *
 * The stand-in raises cur_cfg to next_cfg and gives interfaces their ofport: -1 to those whose name begins with `bad`, and a reason to `bad-why`.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runVsctl } from '../../../src/cli/vsctl/client.ts';
import { openLog } from '../../../src/cli/vsctl/log.ts';
import { isObject, type Json, type JsonObject } from '../../../src/ovsdb/json-stream.ts';
import { EmbeddedDatabase } from '../../../src/ovsdb/server/embedded-database.ts';
import { RealClock } from '../../../src/util/real-clock.ts';
import { Vlog } from '../../../src/util/vlog.ts';
import { RawClient } from '../../ovsdb/server/support/raw-client.ts';

export const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const TIMEOUT_MS = 10_000;

export interface Printed {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** That ended the program. */
  readonly signal?: string;
}

type Client = (side: VsctlSide, args: readonly string[]) => Promise<Printed>;

const program =
  (file: string, before: readonly string[] = []): Client =>
  (side, args) =>
    new Promise((resolve) => {
      const options = { env: side.env, cwd: side.directory, timeout: TIMEOUT_MS };
      const child = execFile(file, [...before, ...args], options, (error, out, err) => {
        const signal = child.signalCode ?? undefined;
        const status = error === null ? 0 : (child.exitCode ?? -1);
        resolve({ status, out, err, ...(signal === undefined ? {} : { signal }) });
      });
      child.stdin?.end();
    });

/** The original's client, as a program. */
export const ovsVsctl = program('ovs-vsctl');

/** Ours as a program. */
export const tsVsctlProgram = (file: string): Client => program(process.execPath, [file]);

/** Ours, within this process: a start of node for each line would take minutes. */
export const tsVsctl: Client = async (side, args) => {
  let out = '';
  let err = '';
  const complain = (text: string): void => {
    err += text;
  };
  const status = await runVsctl(args, {
    name: 'ts-vsctl',
    env: side.env,
    isTerminal: false,
    print: (text) => {
      out += text;
    },
    complain,
    newUuid: randomUUID,
    parent: () => 'node',
    alarm: () => undefined,
    pause: (ms) => sleep(ms),
    files: {
      read: (file) => readFileSync(join(side.directory, file), 'utf8'),
      create: (file, text) => writeFileSync(join(side.directory, file), text, { flag: 'wx' }),
    },
    openLog: (options) =>
      openLog(options, {
        name: 'ts-vsctl',
        clock: new RealClock(),
        pid: 1,
        console: (line) => complain(`${line}\n`),
      }),
  });
  return { status, out, err };
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

const QUIET = new Vlog({
  clock: new RealClock(),
  origin: { application: 'lab', hostname: '', pid: 1, subprogram: '' },
  console: () => undefined,
});

/** The socket is there a moment before somebody listens on it. */
async function connected(socket: string): Promise<RawClient> {
  for (;;) {
    try {
      return await RawClient.open(socket);
    } catch {
      await sleep(5);
    }
  }
}

interface Server {
  stop(): void;
}

/** They are read when somebody is to be listened to by TLS. */
const SERVER_KEYS = [
  '-p',
  'server.key',
  '-c',
  'server.pem',
  '-C',
  'ca.pem',
  '--peer-ca-cert=ca.pem',
];

async function startOriginal(directory: string, socket: string): Promise<Server> {
  const file = join(directory, 'conf.db');
  await new Promise<void>((resolve, reject) => {
    execFile('ovsdb-tool', ['create', file, SCHEMA], (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  const child: ChildProcess = spawn(
    'ovsdb-server',
    [`--remote=punix:${socket}`, ...SERVER_KEYS, '-vconsole:off', '-vsyslog:off', file],
    { env: { ...process.env, OVS_RUNDIR: directory }, cwd: directory, stdio: 'ignore' },
  );
  await until(() => existsSync(socket));
  return { stop: () => void child.kill() };
}

async function startEmbedded(directory: string, socket: string): Promise<Server> {
  const embedded = await EmbeddedDatabase.start({
    file: join(directory, 'conf.db'),
    socket,
    clock: new RealClock(),
    logs: QUIET,
    newUuid: randomUUID,
    tls: () => null,
  });
  return { stop: () => embedded.close() };
}

export type ServerKind = 'ovsdb-server' | 'embedded';

/** What a row of table Interface says of its device. */
function interfaceState(name: string): JsonObject {
  if (!name.startsWith('bad')) return { ofport: 1, error: ['set', []] };
  return { ofport: -1, error: name === 'bad-why' ? 'no such device' : ['set', []] };
}

/** Takes every change over, until the connection ends. */
class StandIn {
  private readonly client: RawClient;
  private seen = 0;
  private serial = 0;

  constructor(client: RawClient) {
    this.client = client;
    void this.run().catch(() => undefined);
  }

  private async run(): Promise<void> {
    const requests = {
      Open_vSwitch: { columns: ['next_cfg', 'cur_cfg'] },
      Interface: { columns: ['name', 'ofport'] },
    };
    this.client.send('monitor', ['Open_vSwitch', null, requests], 'monitor');
    for (;;) {
      await this.client.until((all) => all.length > this.seen);
      const messages = this.client.messages.slice(this.seen);
      this.seen += messages.length;
      for (const message of messages) this.handle(message);
    }
  }

  private handle(message: JsonObject): void {
    const { method, params, id, result } = message;
    const updates =
      method === 'update' && Array.isArray(params) ? params[1] : id === 'monitor' ? result : null;
    if (isObject(updates ?? null)) this.take(updates as JsonObject);
  }

  private take(updates: JsonObject): void {
    const operations: Json[] = [];
    const each = (table: string, change: (uuid: string, row: JsonObject) => JsonObject | null) => {
      const rows = updates[table];
      for (const [uuid, update] of Object.entries(isObject(rows) ? rows : {})) {
        const row = isObject(update) && isObject(update.new) ? change(uuid, update.new) : null;
        const where: Json = [['_uuid', '==', ['uuid', uuid]]];
        if (row !== null) operations.push({ op: 'update', table, where, row });
      }
    };
    each('Interface', (_uuid, { name, ofport }) =>
      typeof ofport === 'number' ? null : interfaceState(String(name)),
    );
    each('Open_vSwitch', (_uuid, { next_cfg, cur_cfg }) =>
      next_cfg === cur_cfg ? null : { cur_cfg: next_cfg },
    );
    if (operations.length === 0) return;
    this.client.send('transact', ['Open_vSwitch', ...operations], `t${this.serial++}`);
  }
}

export class VsctlSide {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsv-vsctl-'));
  readonly socket = join(this.directory, 'db.sock');
  readonly env = {
    ...process.env,
    OVS_RUNDIR: this.directory,
    OVS_LOGDIR: this.directory,
    OVS_SYSLOG_METHOD: 'null',
  };
  private readonly client: Client;
  private readonly kind: ServerKind;
  private server: Server | null = null;
  private standIn: RawClient | null = null;

  constructor(kind: ServerKind, client: Client) {
    this.kind = kind;
    this.client = client;
  }

  /** `isEmpty`: not even with the row of Open_vSwitch, which the embedded server makes itself. */
  async start(isEmpty = false): Promise<this> {
    await this.serve(this.kind === 'ovsdb-server' && !isEmpty);
    return this;
  }

  private async serve(insertsRow: boolean): Promise<void> {
    const start = this.kind === 'embedded' ? startEmbedded : startOriginal;
    this.server = await start(this.directory, this.socket);
    this.standIn = await connected(this.socket);
    if (insertsRow) {
      const insert = { op: 'insert', table: 'Open_vSwitch', row: {} };
      await this.standIn.request('transact', 'Open_vSwitch', insert);
    }
    new StandIn(this.standIn);
  }

  /** Has an ovsdb-server listen by TLS as well, with keys of its own and some for a client; gives the port. */
  async listenSecurely(): Promise<number> {
    const port = 20_000 + (process.pid % 20_000);
    const run = (file: string, ...args: string[]) =>
      execFileSync(file, args, { cwd: this.directory, env: this.env, stdio: 'pipe' });
    run(
      'openssl',
      ...'req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=lab'.split(
        ' ',
      ),
    );
    for (const who of ['server', 'client']) {
      run(
        'openssl',
        ...`req -newkey rsa:2048 -nodes -keyout ${who}.key -out ${who}.csr -subj /CN=${who}`.split(
          ' ',
        ),
      );
      run(
        'openssl',
        ...`x509 -req -in ${who}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out ${who}.pem`.split(
          ' ',
        ),
      );
    }
    const control = readdirSync(this.directory).find((name) => name.endsWith('.ctl'));
    const tell = (...args: string[]) =>
      run('ovs-appctl', '-t', join(this.directory, String(control)), ...args);
    tell('ovsdb-server/add-remote', `pssl:${port}:127.0.0.1`);
    await sleep(50);
    return port;
  }

  /** From now on nobody takes changes over. */
  holdChanges(): void {
    this.standIn?.close();
  }

  /** Ends the server and starts it on the same file, with somebody who takes changes over. */
  async restart(): Promise<void> {
    this.standIn?.close();
    this.server?.stop();
    rmSync(this.socket, { force: true });
    await this.serve(false);
  }

  run(args: readonly string[]): Promise<Printed> {
    return this.client(this, args);
  }

  /** All rows of all tables, as ovsdb-client prints them. */
  dump(): Promise<string> {
    return new Promise((resolve) => {
      execFile('ovsdb-client', ['dump', '--format=csv', `unix:${this.socket}`], (_error, out) =>
        resolve(out),
      );
    });
  }

  stop(): void {
    this.standIn?.close();
    this.server?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
