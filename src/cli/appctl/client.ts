/**
 * ovs-appctl(8): finds the daemon's control socket, sends one command, prints what comes back. What the answer consists of goes to
 * standard output as it came; everything else to standard error. Exit status 1: no answer; 2: the daemon refused.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { type JsonObject, JsonStream } from '../../ovsdb/json-stream.ts';
import { systemText } from '../../ovsdb/system-text.ts';
import type { PidfileReading } from '../../sys/pidfile.ts';
import { OVS_VERSION, PROJECT_NAME, PROJECT_VERSION } from '../../util/version.ts';
import type { Vlog } from '../../util/vlog.ts';
import { UsageError } from '../getopt.ts';
import { APPCTL, type AppctlOptions, optionsText, parseAppctlOptions } from './options.ts';

/** sun_path of unix(7), without its final NUL. */
const MAX_PATH_BYTES = 107;
const END_OF_FILE = 'End of file';
/** Answers as long as a dump of a million flows; commands nest nowhere. */
const LIMITS = { maxBytes: 1 << 30, maxDepth: 128 };

/** The process around the client. */
export interface AppctlWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Ends the program by SIGALRM then, whatever it does. */
  readonly alarm: (seconds: number) => void;
  readonly vlog: Vlog;
  readonly readPidfile: (path: string) => PidfileReading;
  /** Runs `connect` with a name of the directory that is short. */
  readonly withDirectory: <T>(path: string, connect: (short: string) => T) => T;
}

/** Why there is no answer, as it is printed behind the program's name. */
class AppctlError extends Error {}

const fail = (text: string): never => {
  throw new AppctlError(text);
};

const helpText = (): string => `${APPCTL}: asks and controls a running switch daemon
usage: ${APPCTL} [OPTIONS] COMMAND [ARG...]

Options:
  -t, --target=TARGET     name of a daemon (its pidfile is TARGET.pid), or a socket's path
                          (default: ovs-vswitchd; the embedded database: ovsdb-server)
  -T, --timeout=SECS      wait at most SECS seconds for an answer
  -vSPEC, --verbose=SPEC  set logging levels of this program
  -v, --verbose           log everything
  --log-file[=FILE]       log to FILE, too
  --syslog-method=METHOD  accepted; this program logs nothing there
  --syslog-target=TARGET  accepted; this program logs nothing there
  -e, --execute           accepted; does nothing
  -o, --option            list all options
  -h, --help              show this text
  -V, --version           show versions

Commands that every daemon has:
  list-commands           the others
  version                 of the daemon
  vlog/list, vlog/list-pattern, vlog/set [SPEC], vlog/reopen, vlog/close
                          logging levels, formats and files
`;

function socketOf({ target, paths }: AppctlOptions, world: AppctlWorld): string {
  if (target.startsWith('/')) return target;
  const file = `${paths.runDir}/${target}.pid`;
  const reading = world.readPidfile(file);
  if ('pid' in reading) return `${paths.runDir}/${target}.${reading.pid}.ctl`;
  if (reading.detail !== undefined) {
    world.vlog.module('daemon_unix').warn(`${file}: ${reading.detail}`);
  }
  return fail(`cannot read pidfile "${file}" (${reading.reason})`);
}

function connect(path: string, world: AppctlWorld): Promise<Socket> {
  const open = (to: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connectSocket({ path: to });
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(socket);
      });
      socket.once('error', reject);
    });
  const opening =
    Buffer.byteLength(path) > MAX_PATH_BYTES
      ? world.withDirectory(dirname(path), (short) => open(`${short}/${basename(path)}`))
      : open(path);
  return opening.catch((error: NodeJS.ErrnoException) => {
    world.vlog.module('unixctl').warn(`failed to connect to ${path}`);
    return fail(`cannot connect to "${path}" (${systemText(error)})`);
  });
}

/** The first reply to request 0. Rejects with the reason, a text of strerror(3). */
function replyOf(socket: Socket, name: string, world: AppctlWorld): Promise<JsonObject> {
  const stream = new JsonStream(LIMITS);
  return new Promise((resolve, reject) => {
    const broken = (why: string): void => {
      world.vlog.module('jsonrpc').warn(`${name}: received bad JSON-RPC message: ${why}`);
      reject(new Error('Protocol error'));
    };
    socket.on('data', (chunk: Buffer) => {
      for (const message of stream.push(chunk)) {
        if (message.method !== undefined) continue;
        const { result = null, error = null } = message;
        if (result !== null && error !== null) broken('reply must not have "error"');
        else if (result === null && error === null) broken('request must have "method"');
        else if (message.id === 0) resolve(message);
      }
      if (stream.error !== null) reject(new Error(END_OF_FILE));
    });
    socket.once('end', () => reject(new Error(END_OF_FILE)));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      world.vlog.module('jsonrpc').warn(`${name}: receive error: ${systemText(error)}`);
      reject(new Error(systemText(error)));
    });
  });
}

/** Carries out the command; gives the exit status. */
async function run(options: AppctlOptions, world: AppctlWorld): Promise<number> {
  const { target, command, args } = options;
  const path = socketOf(options, world);
  const socket = await connect(path, world);
  const name = `unix:${path}`;
  const log = world.vlog.module('unixctl');
  const transaction = (reason: string): never => fail(`${target}: transaction error (${reason})`);
  try {
    world.vlog
      .module('jsonrpc')
      .dbg(`${name}: send request, method="${command}", params=${JSON.stringify(args)}, id=0`);
    socket.write(JSON.stringify({ id: 0, method: command, params: args }));
    const { result, error } = await replyOf(socket, name, world).catch((failure: Error) => {
      log.warn(`error communicating with ${name}: ${failure.message}`);
      return transaction(failure.message);
    });
    const isRefusal = error !== null && error !== undefined;
    const answer = isRefusal ? error : result;
    const what = isRefusal ? 'error, error' : 'reply, result';
    world.vlog.module('jsonrpc').dbg(`${name}: received ${what}=${JSON.stringify(answer)}, id=0`);
    if (typeof answer !== 'string') {
      const type = Array.isArray(answer) ? 'array' : typeof answer;
      const expected = isRefusal ? 'error type in JSON RPC' : 'result type in JSON rpc';
      log.warn(`${name}: unexpected ${expected} reply: ${type}`);
      return transaction('Invalid argument');
    }
    if (!isRefusal) {
      world.print(answer);
      return 0;
    }
    world.complain(`${answer}${APPCTL}: ${target}: server returned an error\n`);
    return 2;
  } finally {
    socket.destroy();
  }
}

/** Runs a command line; gives its exit status. */
export async function runAppctl(argv: readonly string[], world: AppctlWorld): Promise<number> {
  try {
    const options = parseAppctlOptions(argv, world.env);
    if (options.kind === 'help') world.print(helpText());
    else if (options.kind === 'options') world.print(optionsText());
    else if (options.kind === 'version') {
      world.print(`${APPCTL} (Open vSwitch) ${OVS_VERSION}\n${PROJECT_NAME} ${PROJECT_VERSION}\n`);
    } else {
      for (const spec of options.verbosity) {
        const wrong = world.vlog.set(spec);
        if (wrong !== undefined) fail(`processing "${spec}": ${wrong}`);
      }
      if (options.logFile !== undefined) world.vlog.openFile(options.logFile);
      if (options.timeoutSeconds > 0) world.alarm(options.timeoutSeconds);
      return await run(options, world);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof AppctlError || error instanceof UsageError)) throw error;
    world.complain(`${APPCTL}: ${error.message}\n`);
    return 1;
  }
}
