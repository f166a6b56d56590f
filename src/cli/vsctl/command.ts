/**
 * What a command is, and how a command line is cut into commands: `[options] command arguments`, with `--` between them.
 *
 * `args` is the notation of `--commands`, from which the number of arguments follows: `!` required, `?` optional, `*` any number, `+`
 * one or more. `options` are names with `=` where they take a value, `?` where they may.
 */
import type { Attempt } from './attempt.ts';
import type { Wanted } from './monitored-database.ts';
import type { TableOutput } from './table-output.ts';
import { fail } from './vsctl-error.ts';

/** A command of the command line, with what it prints. */
export interface Call {
  readonly command: Command;
  readonly args: readonly string[];
  /** Values by option, null for those without. */
  readonly options: ReadonlyMap<string, string | null>;
  output: string;
  table: TableOutput | null;
  /** The row that `create` inserted, by its UUID in the attempt. */
  created: string | null;
}

export interface Surroundings {
  readonly attempt: Attempt;
  /** No command follows that could look at what this one did. */
  readonly isLast: boolean;
  readonly warn: (text: string) => void;
  /** The same for the commands on any table. */
  readonly warnOfTables: (text: string) => void;
  /** Somebody looks at what is printed. */
  readonly isTerminal: boolean;
}

export interface Command {
  readonly name: string;
  readonly args: string;
  readonly least: number;
  readonly most: number;
  readonly options: readonly string[];
  /** Arguments as --help shows them, with what the command does. */
  readonly usage: string;
  /** Says what it reads of the database, and refuses what can be refused without. */
  readonly prepare: (call: Call, wanted: Wanted) => void;
  readonly run: (call: Call, around: Surroundings) => void;
}

/** Commands that change nothing. */
const READING =
  /^(show|list|find|get|wait-until|comment|br-exists|br-to-|br-get-|port-to-br|iface-to-br)/;

export const changesNothing = ({ command: { name } }: Call): boolean => READING.test(name);

function countsOf(args: string): { least: number; most: number } {
  let least = 0;
  let most = 0;
  for (const word of args.split(' ')) {
    if (word === '') continue;
    if (word[0] === '!' || word[0] === '+') least++;
    most += word[0] === '*' || word[0] === '+' ? Number.POSITIVE_INFINITY : 1;
  }
  return { least, most };
}

type Definition = Omit<Command, 'least' | 'most' | 'options'> &
  Partial<Pick<Command, 'least' | 'most' | 'options'>>;

export const command = (definition: Definition): Command => ({
  options: [],
  ...countsOf(definition.args),
  ...definition,
});

/** Checks an option against a command's. Throws VsctlError. */
function checkOption(command: Command, option: string, value: string | null): void {
  const known = command.options.find((one) => one.replace(/[=?]$/, '') === option);
  if (known === undefined) fail(`'${command.name}' command has no '${option}' option`);
  const end = known.at(-1);
  if (end === '?') return;
  if (end === '=' && value === null) {
    fail(`missing argument to '${option}' option on '${command.name}' command`);
  }
  if (end !== '=' && value !== null) {
    fail(`'${option}' option on '${command.name}' does not accept an argument`);
  }
}

function parseCall(
  commands: ReadonlyMap<string, Command>,
  words: readonly string[],
  early: ReadonlyMap<string, string | null>,
): Call {
  const options = new Map(early);
  let i = 0;
  for (; i < words.length && words[i].startsWith('-'); i++) {
    const equals = words[i].indexOf('=');
    const name = equals < 0 ? words[i] : words[i].slice(0, equals);
    if (options.has(name)) fail(`'${words[i]}' option specified multiple times`);
    options.set(name, equals < 0 ? null : words[i].slice(equals + 1));
  }
  if (i === words.length) fail('missing command name (use --help for help)');
  const found = commands.get(words[i]);
  if (found === undefined) fail(`unknown command '${words[i]}'; use --help for help`);
  for (const [name, value] of options) checkOption(found, name, value);
  const args = words.slice(i + 1);
  if (args.length < found.least) {
    fail(`'${found.name}' command requires at least ${found.least} arguments`);
  }
  if (args.length > found.most) {
    const hint = args.some((word) => word.startsWith('-'))
      ? ' (note that options must precede command names and follow a "--" argument)'
      : '';
    fail(`'${found.name}' command takes at most ${found.most} arguments${hint}`);
  }
  return { command: found, args, options, output: '', table: null, created: null };
}

/** `early`: options of the first command that stood among the global ones. Throws VsctlError. */
export function parseCalls(
  commands: ReadonlyMap<string, Command>,
  words: readonly string[],
  early: ReadonlyMap<string, string | null>,
): Call[] {
  const calls: Call[] = [];
  let start = 0;
  let first = early;
  for (let end = 0; end <= words.length; end++) {
    if (end < words.length && words[end] !== '--') continue;
    if (end > start) {
      calls.push(parseCall(commands, words.slice(start, end), first));
      first = new Map();
    } else if (first.size > 0) fail('missing command name (use --help for help)');
    start = end + 1;
  }
  if (calls.length === 0) fail('missing command name (use --help for help)');
  return calls;
}
