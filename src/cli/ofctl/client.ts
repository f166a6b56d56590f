/**
 * The client as a whole: finds the command, gives it a shell to work with, and turns what goes wrong into one line and status 1. What it
 * reads and writes comes as arguments.
 */
import { OF_VERSIONS, OF13, OF14, type OfVersion } from '../../ofproto/codec/versions.ts';
import { OVS_VERSION, PROJECT_NAME, PROJECT_VERSION } from '../../util/version.ts';
import { UsageError } from '../getopt.ts';
import type { CommandTable, Shell } from './command.ts';
import { ctCommands } from './ct-flush.ts';
import { diffCommands } from './diff-commands.ts';
import { Refused } from './dump.ts';
import { echoCommands } from './echo-commands.ts';
import { flowCommands } from './flow-commands.ts';
import { groupCommands } from './group-commands.ts';
import { meterCommands } from './meter-commands.ts';
import { monitorCommands } from './monitor-commands.ts';
import { NO_NAMES, namesOf } from './names.ts';
import { fail, OfctlError } from './ofctl-error.ts';
import { type OfctlOptions, parseOfctlOptions, type TlsFiles } from './options.ts';
import { packetCommands } from './packet-commands.ts';
import { parseCommands } from './parse-commands.ts';
import { queryCommands } from './query-commands.ts';
import { type Credentials, Session } from './session.ts';
import { switchCommands } from './switch-commands.ts';
import { tableCommands } from './table-commands.ts';
import { resolveTarget, type Target } from './target.ts';
import { tlvCommands } from './tlv-commands.ts';

const NAME = 'ts-ofctl';

const COMMANDS: CommandTable = {
  ...switchCommands,
  ...tableCommands,
  ...queryCommands,
  ...flowCommands,
  ...diffCommands,
  ...packetCommands,
  ...groupCommands,
  ...meterCommands,
  ...monitorCommands,
  ...tlvCommands,
  ...ctCommands,
  ...echoCommands,
  ...parseCommands,
};

/** Commands that change nothing, which alone --read-only lets through. */
const READS =
  /^(show|dump-|diff-|queue-|get-|monitor$|snoop$|probe$|ping$|benchmark$|parse-|ofp-|meter-)/;

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Ends the program by SIGALRM then, whatever it does. */
  readonly alarm: (seconds: number) => void;
  /** The bytes of a file, `-` for standard input. Throws what the file system throws. */
  readonly readFile: (file: string) => Uint8Array;
}

const OPTIONS_HELP = `  -O, --protocols=VERSIONS      OpenFlow10 to OpenFlow15, separated by commas
  -F, --flow-format=FORMATS     flow formats that may be used
  -P, --packet-in-format=FORMAT of monitor: standard, nxt_packet_in, nxt_packet_in2
  --strict                      change only the flow that equals the one given
  --bundle                      all changes or none
  --readd                       replace-flows: add unchanged flows again
  --may-create                  mod-group: make the group where it is not there
  --read-only                   refuse commands that change anything
  --names, --no-names           show ports and tables by name or by number
  --stats, --no-stats           dump-flows with or without counters
  --sort[=FIELD], --rsort[=FIELD]  sort flows
  --timestamp                   monitor and snoop: a time in front of each message
  -t, --timeout=SECONDS         end by SIGALRM after so long
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE  for ssl:
  -m, --more, --color[=WHEN], -v, --verbose[=SPEC], --unixctl=SOCKET  accepted
  -h, --help                    show this text
  -V, --version                 show versions
`;

const helpText = (): string => {
  const list = Object.entries(COMMANDS).map(([name, { usage }]) => `  ${name} ${usage}\n`);
  return (
    `${NAME}: OpenFlow switch management utility\nusage: ${NAME} [OPTIONS] COMMAND [ARG...]\n\n` +
    `Commands:\n${list.join('')}\nOptions:\n` +
    OPTIONS_HELP
  );
};

/** `failure` is what the original calls it. */
function bytesOf(world: World, file: string, failure = 'open'): Uint8Array {
  try {
    return world.readFile(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    const text = code === 'ENOENT' ? 'No such file or directory' : String(code);
    return fail(`${file}: ${failure} (${text})`);
  }
}

/** Whether a text speaks of a table by a name: only then is it asked for what tables are called, which takes a while. */
const namesTables = (text: string): boolean =>
  /(?:table[=:]|resubmit\([^,)]*,)\s*"?[A-Za-z_]/.test(text);

/** What TLS needs of the files of -p, -c and -C. */
function credentialsOf(
  world: World,
  { key, certificate, authority }: TlsFiles,
  shell: Pick<Shell, 'log'>,
  target: string,
): Credentials {
  const missing = [
    ...(key === undefined ? ['Private key'] : []),
    ...(certificate === undefined ? ['Certificate'] : []),
    ...(authority === undefined ? ['CA certificate'] : []),
  ];
  for (const what of missing) {
    shell.log('stream_ssl', 'ERR', `${what} must be configured to use SSL`);
  }
  if (key === undefined || certificate === undefined || authority === undefined) {
    return fail(`connecting to ${target} (Protocol not available)`);
  }
  const pem = (file: string): string => new TextDecoder().decode(bytesOf(world, file));
  return { key: pem(key), cert: pem(certificate), ca: pem(authority) };
}

function shellOf(world: World, options: OfctlOptions, sessions: Session[]): Shell {
  const kept = async (opening: Promise<Session>): Promise<Session> => {
    const session = await opening;
    sessions.push(session);
    return session;
  };
  let logged = 0;
  const log: Shell['log'] = (module, level, text) => {
    const number = String(++logged).padStart(5, '0');
    world.complain(`${new Date().toISOString()}|${number}|${module}|${level}|${text}\n`);
  };
  const connect = (target: Target, versions: readonly OfVersion[]): Promise<Session> => {
    const credentials = target.isSecure
      ? credentialsOf(world, options.tls, { log }, target.name)
      : null;
    return kept(Session.open(target, versions, credentials));
  };
  return {
    options,
    print: world.print,
    complain: world.complain,
    log,
    open: (name, version = options.bundle ? OF14 : undefined) => {
      const usual = version === undefined || options.versionsGiven;
      const asked = usual ? options.versions : [version];
      // Bundles came with 1.3: what is older cannot have been meant.
      const isOld = version === OF14 && asked.every((one) => one < OF13);
      const versions: readonly OfVersion[] = isOld ? [OF14] : asked;
      return connect(resolveTarget(name, options.runDir, 'mgmt'), versions);
    },
    snoop: (name) => {
      const versions = options.versionsGiven ? options.versions : OF_VERSIONS;
      return connect(resolveTarget(name, options.runDir, 'snoop'), versions);
    },
    namesToAccept: async (session, texts = []) =>
      options.names === false ? NO_NAMES : await namesOf(session, texts.some(namesTables)),
    namesToShow: async (session) =>
      (options.names ?? world.isTerminal) ? await namesOf(session, true) : NO_NAMES,
    readLines: (file) => new TextDecoder().decode(bytesOf(world, file, 'open failed')).split('\n'),
    readBytes: (file) => bytesOf(world, file),
  };
}

async function execute(
  argv: readonly string[],
  world: World,
  sessions: Session[],
): Promise<number> {
  const options = parseOfctlOptions(argv, world.env);
  if (options.help) {
    world.print(helpText());
    return 0;
  }
  if (options.version) {
    world.print(`${NAME} (Open vSwitch) ${OVS_VERSION}\n${PROJECT_NAME} ${PROJECT_VERSION}\n`);
    return 0;
  }
  if (options.timeoutSeconds > 0) world.alarm(options.timeoutSeconds);
  const [name, ...args] = options.positional;
  if (name === undefined) fail('missing command name; use --help for help');
  if (!Object.hasOwn(COMMANDS, name)) fail(`unknown command '${name}'; use --help for help`);
  const { least, most, run } = COMMANDS[name];
  if (args.length < least) fail(`'${name}' command requires at least ${least} arguments`);
  if (args.length > most) fail(`'${name}' command takes at most ${most} arguments`);
  if (options.readOnly && !READS.test(name)) {
    fail(`'${name}' command does not work in read only mode`);
  }
  return (await run(shellOf(world, options, sessions), args)) ?? 0;
}

/** Runs a command line; gives its exit status. */
export async function runOfctl(argv: readonly string[], world: World): Promise<number> {
  const sessions: Session[] = [];
  try {
    return await execute(argv, world, sessions);
  } catch (error) {
    if (error instanceof Refused) return 1;
    if (!(error instanceof OfctlError || error instanceof UsageError)) throw error;
    world.complain(`${NAME}: ${error.message}\n`);
    return 1;
  } finally {
    for (const session of sessions) session.close();
  }
}
