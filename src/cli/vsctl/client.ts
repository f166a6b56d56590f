/**
 * The client as a whole: reads the command line, connects, carries the commands out as one transaction, prints, and waits until the switch
 * has taken the change over. What it reads and writes comes as arguments.
 */
import { Backoff } from '../../ovsdb/backoff.ts';
import { isObject, type Json, type JsonObject } from '../../ovsdb/json-stream.ts';
import { canonicalText, OvsdbFailure } from '../../ovsdb/server/failure.ts';
import type { Logger } from '../../util/logger.ts';
import { OVS_VERSION, PROJECT_NAME, PROJECT_VERSION } from '../../util/version.ts';
import { UsageError } from '../getopt.ts';
import { Attempt, firstRow, type RowRef } from './attempt.ts';
import { type Call, changesNothing, parseCalls } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Connection } from './connection.ts';
import { ConnectionFailure } from './connection-failure.ts';
import { commandsText, helpText, optionsText } from './help.ts';
import { MonitoredDatabase, Wanted } from './monitored-database.ts';
import { parseVsctlOptions, type VsctlOptions } from './options.ts';
import { SCHEMA } from './schema.ts';
import { printedTable } from './table-output.ts';
import { type Files, readTlsSettings, type TlsSettings } from './tls-settings.ts';
import { Exit, fail, VsctlError } from './vsctl-error.ts';

export interface World {
  /** That messages begin with. */
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly newUuid: () => string;
  /** The program that started this one, null where nobody knows. */
  readonly parent: () => string | null;
  /** Ends the program by SIGALRM then, whatever it does. */
  readonly alarm: (seconds: number) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly files: Files;
  /** Sets up the log as the options say, and gives its modules. Throws VsctlError and Exit. */
  readonly openLog: (options: VsctlOptions) => (module: string) => Logger;
}

/** Interface.ofport of what could not be set up. */
const FAILED_PORT = -1;

/** A word as a shell would take it. */
const quoted = (word: string): string =>
  /[ \t\r\n\v\\'"]/.test(word) || word === '' ? JSON.stringify(word) : word;

/** Operations that count up Open_vSwitch.next_cfg and tell the new number. */
function countUp(root: RowRef, isNew: boolean, name: string): JsonObject[] {
  const where: Json = [['_uuid', '==', isNew ? ['named-uuid', name] : ['uuid', root.uuid]]];
  return [
    { op: 'mutate', table: 'Open_vSwitch', where, mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: 'Open_vSwitch', where, columns: ['next_cfg'] },
  ];
}

interface Committed {
  /** Nothing was to be changed. */
  readonly isUnchanged: boolean;
  /** Of Open_vSwitch, when counted up. */
  readonly nextCfg: number;
  /** UUIDs of inserted rows by their UUIDs in the attempt. */
  readonly uuids: ReadonlyMap<string, string>;
  /** UUIDs of interfaces that commands added. */
  readonly interfaces: readonly string[];
}

const UNCHANGED: Committed = { isUnchanged: true, nextCfg: 0, uuids: new Map(), interfaces: [] };

/** Results of operations; null when the database changed meanwhile. Throws VsctlError. */
function readResults(reply: Json, log: Logger): readonly JsonObject[] | null {
  const results = Array.isArray(reply) ? reply : [];
  for (const result of results) {
    if (!isObject(result) || result.error === undefined) continue;
    if (result.error === 'timed out') return null;
    const text = `transaction error: ${canonicalText(result)}`;
    log.warn(text);
    fail(text);
  }
  return results.filter(isObject);
}

/** Null when the database changed meanwhile. */
async function commit(
  state: MonitoredDatabase,
  attempt: Attempt,
  options: VsctlOptions,
  comment: string,
  log: Logger,
): Promise<Committed | null> {
  const changes = attempt.operations();
  if (changes.length === 0) return UNCHANGED;
  if (options.isDryRun) return { ...UNCHANGED, isUnchanged: false };
  const root = firstRow(attempt, 'Open_vSwitch') as RowRef;
  const isNew = !root.table.rows.has(root.uuid);
  const counting = options.waits ? countUp(root, isNew, attempt.insertName(root.uuid)) : [];
  const operations = [...changes, ...counting, { op: 'comment', comment }];
  const reply = await state.connection.request('transact', ['Open_vSwitch', ...operations]);
  if (!reply.ok) return fail(`transaction error: ${canonicalText(reply.error)}`);
  const results = readResults(reply.result, log);
  if (results === null) return null;
  const uuids = new Map<string, string>();
  let nextCfg = 0;
  operations.forEach((operation, i) => {
    const { uuid, rows } = results[i] ?? {};
    const name = operation['uuid-name'];
    if (operation.op === 'insert' && Array.isArray(uuid) && typeof name === 'string') {
      uuids.set(name, String(uuid[1]));
    }
    if (operation.op !== 'select' || !Array.isArray(rows) || !isObject(rows[0])) return;
    nextCfg = Number(rows[0].next_cfg);
  });
  const interfaces = attempt.newInterfaces.flatMap(
    ({ uuid }) => uuids.get(attempt.insertName(uuid)) ?? [],
  );
  return { isUnchanged: false, nextCfg, uuids, interfaces };
}

class Client {
  private readonly world: World;
  private readonly options: VsctlOptions;
  private readonly log: (module: string) => Logger;
  private readonly words: readonly string[];
  private readonly wanted = new Wanted();
  private tls: TlsSettings | null = null;
  private connection: Connection | null = null;

  constructor(world: World, options: VsctlOptions, log: Client['log'], words: readonly string[]) {
    this.world = world;
    this.options = options;
    this.log = log;
    this.words = words;
  }

  async run(calls: readonly Call[]): Promise<void> {
    const { waits, retries, database } = this.options;
    this.wanted.add('Open_vSwitch', ...(waits ? ['cur_cfg'] : []));
    for (const call of calls) call.command.prepare(call, this.wanted);
    this.tls = this.readTls();
    try {
      await this.carryOut(await this.load(retries), calls);
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      fail(`${database}: database connection failed (${error.message})`);
    } finally {
      this.connection?.close();
    }
  }

  private readTls(): TlsSettings {
    return readTlsSettings(this.options.tls, this.world.files, this.log('stream_ssl'));
  }

  /** Connects to the first server that can be reached, and reads what the commands want. Throws ConnectionFailure. */
  private async load(retries: boolean): Promise<MonitoredDatabase> {
    const log = this.log('reconnect');
    const remotes = this.options.database
      .split(',')
      .map((name) => ({ name, backoff: new Backoff(name, log) }));
    for (;;) {
      let failure: ConnectionFailure | null = null;
      for (const { name, backoff } of remotes) {
        backoff.say('connecting...');
        try {
          this.connection = await Connection.open(name, this.tls ?? this.readTls());
          log.info(`${name}: connected`);
          return await MonitoredDatabase.load(SCHEMA, this.connection, this.wanted);
        } catch (error) {
          if (!(error instanceof ConnectionFailure)) throw error;
          backoff.say(`connection attempt failed (${error.message})`);
          failure = error;
        }
      }
      if (!retries && failure !== null) throw failure;
      await this.world.pause(Math.min(...remotes.map(({ backoff }) => backoff.next(0))));
      // The authority may have been kept meanwhile.
      if (this.tls?.keepAuthority !== null) this.tls = this.readTls();
    }
  }

  private async carryOut(state: MonitoredDatabase, calls: readonly Call[]): Promise<void> {
    for (;;) {
      const { version } = state;
      const committed = await this.attempt(state, calls);
      if (committed !== null) {
        this.print(calls);
        // What was not written down will not be taken over.
        if (!this.options.waits || committed.isUnchanged || this.options.isDryRun) return;
        await this.waitForSwitch(state, committed);
        return;
      }
      await state.newerThan(version);
    }
  }

  /** Null when it is to be tried again on another state of the database. */
  private async attempt(
    state: MonitoredDatabase,
    calls: readonly Call[],
  ): Promise<Committed | null> {
    const attempt = new Attempt(state.db, this.world.newUuid);
    const warn = (text: string): void => this.log('vsctl').warn(text);
    const around = {
      attempt,
      warn,
      warnOfTables: (text: string): void => this.log('db_ctl_base').warn(text),
      isTerminal: this.world.isTerminal,
    };
    if (firstRow(attempt, 'Open_vSwitch') === undefined) attempt.insertRoot();
    for (const call of calls) {
      call.output = '';
      call.table = null;
      call.created = null;
      call.command.run(call, { ...around, isLast: call === calls.at(-1) });
      if (attempt.mustTryAgain) return null;
    }
    for (const warning of attempt.checkSymbols()) warn(warning);
    const committed = await commit(
      state,
      attempt,
      this.options,
      this.comment(),
      this.log('ovsdb_idl'),
    );
    if (committed === null) return null;
    for (const call of calls) {
      if (call.created === null) continue;
      const uuid = committed.uuids.get(attempt.insertName(call.created)) ?? call.created;
      call.output = `${uuid}\n`;
    }
    return committed;
  }

  private comment(): string {
    const parent = this.world.parent();
    const invoked = parent === null ? '' : ` (invoked by ${parent})`;
    return `ovs-vsctl${invoked}: ${this.words.map(quoted).join(' ')}`;
  }

  private print(calls: readonly Call[]): void {
    let isFirst = true;
    for (const { table, output } of calls) {
      if (table !== null) {
        this.world.print(printedTable(table, this.options.style, isFirst));
        isFirst = false;
      } else if (this.options.isOneline) {
        const line = output.replace(/\n$/, '').replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
        this.world.print(`${line}\n`);
      } else this.world.print(output);
    }
  }

  /** Waits until the switch works with the new configuration, and tells of interfaces that it could not set up. */
  private async waitForSwitch(
    state: MonitoredDatabase,
    { nextCfg, interfaces }: Committed,
  ): Promise<void> {
    let seen = state;
    for (;;) {
      const { version, db } = seen;
      const attempt = new Attempt(db, this.world.newUuid);
      const root = firstRow(attempt, 'Open_vSwitch');
      if (root !== undefined && Number(attempt.value(root, 'cur_cfg')) >= nextCfg) {
        this.checkInterfaces(attempt, interfaces);
        return;
      }
      try {
        await seen.newerThan(version);
      } catch (error) {
        // The change is made: whoever serves the database may begin anew meanwhile.
        if (!(error instanceof ConnectionFailure)) throw error;
        seen = await this.load(true);
      }
    }
  }

  private checkInterfaces(attempt: Attempt, uuids: readonly string[]): void {
    const table = attempt.table('Interface');
    const failed = uuids
      .flatMap((uuid) => attempt.row(table, uuid) ?? [])
      .filter((row) => attempt.value(row, 'ofport') === FAILED_PORT);
    for (const row of failed) {
      const why = attempt.text(row, 'error');
      this.world.complain(
        `${this.world.name}: Error detected while setting up '${attempt.text(row, 'name')}'${why === '' ? '' : `: ${why}`}.  See ovs-vswitchd log for details.\n`,
      );
    }
    if (failed.length === 0) return;
    this.world.complain(
      `${this.world.name}: The default log directory is "${this.options.logDir}".\n`,
    );
  }
}

const INFORMATION = {
  help: helpText,
  version: (name: string) =>
    `${name} (Open vSwitch) ${OVS_VERSION}\nDB Schema ${SCHEMA.version}\n${PROJECT_NAME} ${PROJECT_VERSION}\n`,
  commands: commandsText,
  options: optionsText,
} as const;

async function execute(argv: readonly string[], world: World): Promise<void> {
  const options = parseVsctlOptions(argv, world.env, COMMANDS.values());
  if (options.information !== null) {
    world.print(INFORMATION[options.information](world.name));
    return;
  }
  const log = world.openLog(options);
  const words = [world.name, ...argv];
  const calls = parseCalls(COMMANDS, options.words, options.early);
  const called = `Called as ${words.map(quoted).join(' ')}`;
  if (calls.every(changesNothing)) log('vsctl').dbg(called);
  else log('vsctl').info(called);
  if (options.timeoutSeconds > 0) world.alarm(options.timeoutSeconds);
  await new Client(world, options, log, words).run(calls);
}

/** Runs a command line; gives its exit status. */
export async function runVsctl(argv: readonly string[], world: World): Promise<number> {
  try {
    await execute(argv, world);
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.status;
    const isExpected = error instanceof VsctlError || error instanceof UsageError;
    if (!isExpected && !(error instanceof OvsdbFailure)) throw error;
    world.complain(`${world.name}: ${error.message}\n`);
    return 1;
  }
}
