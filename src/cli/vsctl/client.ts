/**
 * The client as a whole: reads the command line, connects, carries the commands out as one transaction, prints, and waits until the switch
 * has taken the change over. What it reads and writes comes as arguments.
 */
import { isObject, type Json, type JsonObject } from '../../ovsdb/json-stream.ts';
import { canonicalText, OvsdbFailure } from '../../ovsdb/server/failure.ts';
import type { Logger } from '../../util/logger.ts';
import { OVS_VERSION, PROJECT_NAME, PROJECT_VERSION } from '../../util/version.ts';
import { UsageError } from '../getopt.ts';
import { Attempt, firstRow, type RowRef } from './attempt.ts';
import { type Call, parseCalls } from './command.ts';
import { COMMANDS } from './commands.ts';
import { Connection, ConnectionFailure, type Credentials } from './connection.ts';
import { commandsText, helpText, optionsText } from './help.ts';
import { MonitoredDatabase, Wanted } from './monitored-database.ts';
import { parseVsctlOptions, type VsctlOptions } from './options.ts';
import { SCHEMA } from './schema.ts';
import { printedTable } from './table-output.ts';
import { Exit, fail, VsctlError } from './vsctl-error.ts';

export const NAME = 'ts-vsctl';

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly newUuid: () => string;
  /** The program that started this one, null where nobody knows. */
  readonly parent: () => string | null;
  /** Ends the program by SIGALRM then, whatever it does. */
  readonly alarm: (seconds: number) => void;
  readonly pause: (ms: number) => Promise<void>;
  /** Reads the files of the TLS options. Throws VsctlError. */
  readonly credentials: (options: VsctlOptions) => Credentials | null;
  /** Sets up the log as the options say, and gives the module `vsctl`'s logger. Throws VsctlError. */
  readonly openLog: (options: VsctlOptions) => Logger;
}

const RETRY_MS = 1000;

/** A word as a shell would take it. */
const quoted = (word: string): string =>
  /[ \t\r\n\v\\'"]/.test(word) || word === '' ? JSON.stringify(word) : word;

/** Connects, again and again where that is asked for. Throws ConnectionFailure. */
async function connectTo(
  world: World,
  options: VsctlOptions,
  credentials: Credentials | null,
): Promise<Connection> {
  for (;;) {
    try {
      return await Connection.open(options.database, credentials);
    } catch (error) {
      if (!(error instanceof ConnectionFailure) || !options.retries) throw error;
      await world.pause(RETRY_MS);
    }
  }
}

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
}

const UNCHANGED: Committed = { isUnchanged: true, nextCfg: 0, uuids: new Map() };

/** Results of operations; null when the database changed meanwhile. Throws VsctlError. */
function readResults(reply: Json): readonly JsonObject[] | null {
  const results = Array.isArray(reply) ? reply : [];
  for (const result of results) {
    if (!isObject(result) || result.error === undefined) continue;
    if (result.error === 'timed out') return null;
    fail(`transaction error: ${canonicalText(result)}`);
  }
  return results.filter(isObject);
}

/** Null when the database changed meanwhile. */
async function commit(
  state: MonitoredDatabase,
  attempt: Attempt,
  options: VsctlOptions,
  comment: string,
): Promise<Committed | null> {
  const changes = attempt.operations();
  if (changes.length === 0) return UNCHANGED;
  if (options.isDryRun) return { isUnchanged: false, nextCfg: 0, uuids: new Map() };
  const root = firstRow(attempt, 'Open_vSwitch') as RowRef;
  const isNew = !root.table.rows.has(root.uuid);
  const counting = options.waits ? countUp(root, isNew, attempt.insertName(root.uuid)) : [];
  const operations = [...changes, ...counting, { op: 'comment', comment }];
  const reply = await state.connection.request('transact', ['Open_vSwitch', ...operations]);
  if (!reply.ok) return fail(`transaction error: ${canonicalText(reply.error)}`);
  const results = readResults(reply.result);
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
  return { isUnchanged: false, nextCfg, uuids };
}

class Client {
  private readonly world: World;
  private readonly options: VsctlOptions;
  private readonly log: Logger;
  private readonly words: readonly string[];

  constructor(world: World, options: VsctlOptions, log: Logger, words: readonly string[]) {
    this.world = world;
    this.options = options;
    this.log = log;
    this.words = words;
  }

  async run(calls: readonly Call[]): Promise<void> {
    const wanted = new Wanted();
    wanted.add('Open_vSwitch', ...(this.options.waits ? ['cur_cfg'] : []));
    for (const call of calls) call.command.prepare(call, wanted);
    const credentials = this.world.credentials(this.options);
    let connection: Connection | null = null;
    try {
      connection = await connectTo(this.world, this.options, credentials);
      const state = await MonitoredDatabase.load(SCHEMA, connection, wanted);
      await this.carryOut(state, calls);
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      fail(`${this.options.database}: database connection failed (${error.message})`);
    } finally {
      connection?.close();
    }
  }

  private async carryOut(state: MonitoredDatabase, calls: readonly Call[]): Promise<void> {
    for (;;) {
      const { version } = state;
      const committed = await this.attempt(state, calls);
      if (committed !== null) {
        this.print(calls);
        if (this.options.waits && !committed.isUnchanged) {
          await this.waitForSwitch(state, committed.nextCfg);
        }
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
    const warn = (text: string): void => this.log.warn(text);
    if (firstRow(attempt, 'Open_vSwitch') === undefined) attempt.insertRoot();
    for (const call of calls) {
      call.output = '';
      call.table = null;
      call.created = null;
      call.command.run(call, { attempt, warn });
      if (attempt.mustTryAgain) return null;
    }
    for (const warning of attempt.checkSymbols()) warn(warning);
    const committed = await commit(state, attempt, this.options, this.comment());
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

  private async waitForSwitch(state: MonitoredDatabase, nextCfg: number): Promise<void> {
    for (;;) {
      const { version, db } = state;
      const attempt = new Attempt(db, this.world.newUuid);
      const root = firstRow(attempt, 'Open_vSwitch');
      if (root !== undefined && Number(attempt.value(root, 'cur_cfg')) >= nextCfg) return;
      await state.newerThan(version);
    }
  }
}

const INFORMATION = {
  help: helpText,
  version: () =>
    `${NAME} (Open vSwitch) ${OVS_VERSION}\nDB Schema ${SCHEMA.version}\n${PROJECT_NAME} ${PROJECT_VERSION}\n`,
  commands: commandsText,
  options: optionsText,
} as const;

async function execute(argv: readonly string[], world: World): Promise<void> {
  const options = parseVsctlOptions(argv, world.env, COMMANDS.values());
  if (options.information !== null) {
    world.print(INFORMATION[options.information]());
    return;
  }
  const log = world.openLog(options);
  const words = [NAME, ...argv];
  log.info(`Called as ${words.map(quoted).join(' ')}`);
  const calls = parseCalls(COMMANDS, options.words, options.early);
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
    world.complain(`${NAME}: ${error.message}\n`);
    return 1;
  }
}
