/** The global options of ovs-vsctl(8), as plain data. */
import { getopt, type OptionSpec } from '../getopt.ts';
import { pathsFrom, type TlsOptions } from '../options.ts';
import type { Command } from './command.ts';
import { cellFormatNamed, formatNamed, type TableStyle } from './table-output.ts';
import { fail } from './vsctl-error.ts';

/** `value` is empty where the option has none. */
export interface LogOption {
  readonly name: 'verbose' | 'log-file' | 'syslog-method' | 'syslog-target';
  readonly value: string;
}

export interface VsctlOptions {
  /** What is asked for instead of commands. */
  readonly information: 'help' | 'version' | 'commands' | 'options' | null;
  readonly database: string;
  readonly waits: boolean;
  readonly isDryRun: boolean;
  readonly isOneline: boolean;
  /** Keep trying to connect. */
  readonly retries: boolean;
  /** 0 for none. */
  readonly timeoutSeconds: number;
  readonly style: TableStyle;
  readonly tls: TlsOptions;
  /** What the options say of the log, in their order. */
  readonly logging: readonly LogOption[];
  readonly logDir: string;
  /** Options of the first command that stood among the global ones. */
  readonly early: ReadonlyMap<string, string | null>;
  readonly words: readonly string[];
}

/** In the order in which the original lists them. */
export const GLOBAL_SPECS: readonly OptionSpec[] = [
  { name: 'db', takes: 'required' },
  { name: 'no-syslog', takes: 'nothing' },
  { name: 'no-wait', takes: 'nothing' },
  { name: 'dry-run', takes: 'nothing' },
  { name: 'oneline', takes: 'nothing' },
  { name: 'timeout', short: 't', takes: 'required' },
  { name: 'retry', takes: 'nothing' },
  { name: 'help', short: 'h', takes: 'nothing' },
  { name: 'commands', takes: 'nothing' },
  { name: 'options', takes: 'nothing' },
  { name: 'leader-only', takes: 'nothing' },
  { name: 'no-leader-only', takes: 'nothing' },
  { name: 'shuffle-remotes', takes: 'nothing' },
  { name: 'no-shuffle-remotes', takes: 'nothing' },
  { name: 'version', short: 'V', takes: 'nothing' },
  { name: 'verbose', short: 'v', takes: 'optional' },
  { name: 'log-file', takes: 'optional' },
  { name: 'syslog-method', takes: 'required' },
  { name: 'syslog-target', takes: 'required' },
  { name: 'format', short: 'f', takes: 'required' },
  { name: 'data', short: 'd', takes: 'required' },
  { name: 'no-headings', takes: 'nothing' },
  { name: 'pretty', takes: 'nothing' },
  { name: 'bare', takes: 'nothing' },
  { name: 'max-column-width', takes: 'required' },
  { name: 'private-key', short: 'p', takes: 'required' },
  { name: 'certificate', short: 'c', takes: 'required' },
  { name: 'ca-cert', short: 'C', takes: 'required' },
  { name: 'ssl-protocols', takes: 'required' },
  { name: 'ssl-ciphers', takes: 'required' },
  { name: 'bootstrap-ca-cert', takes: 'required' },
  { name: 'peer-ca-cert', takes: 'required' },
];

/** In the order in which the original lists possibilities. */
const EARLY_ORDER = ['may-exist', 'if-exists', 'id', 'inactivity-probe', 'real', 'fake', 'columns'];

/** Options of commands, each once: the first command may have them among the global ones. */
function commandSpecs(commands: Iterable<Command>): readonly OptionSpec[] {
  const specs = new Map<string, OptionSpec>();
  for (const { options } of commands) {
    for (const option of options) {
      const name = option.replace(/^--|[=?]$/g, '');
      const takes = option.endsWith('=')
        ? 'required'
        : option.endsWith('?')
          ? 'optional'
          : 'nothing';
      if (!specs.has(name)) specs.set(name, { name, takes });
    }
  }
  const place = ({ name }: OptionSpec): number => {
    const at = EARLY_ORDER.indexOf(name);
    return at < 0 ? EARLY_ORDER.length : at;
  };
  return [...specs.values()].sort((a, b) => place(a) - place(b));
}

function timeoutOf(text: string, where: string): number {
  const seconds = /^\s*\+?\d+$/.test(text) ? Number(text) : 0;
  if (seconds <= 0 || seconds > 0xffff_ffff) fail(`value ${text} on ${where} is invalid`);
  return seconds;
}

interface Mutable {
  information: VsctlOptions['information'];
  style: TableStyle;
  tls: TlsOptions;
  logging: LogOption[];
  early: Map<string, string | null>;
}

const TLS_NAMES: Readonly<Record<string, keyof TlsOptions>> = {
  'private-key': 'privateKey',
  certificate: 'certificate',
  'ca-cert': 'caCert',
  'ssl-protocols': 'protocols',
  'ssl-ciphers': 'ciphers',
  'bootstrap-ca-cert': 'bootstrapCaCert',
  'peer-ca-cert': 'peerCaCert',
};

const INFORMATION = ['help', 'version', 'commands', 'options'] as const;

/** What options say that change something in their turn. */
function obey(into: Mutable, name: string, text: string): void {
  const { style } = into;
  const format = name === 'format' ? formatNamed(text) : undefined;
  const data = name === 'data' ? cellFormatNamed(text) : undefined;
  switch (name) {
    case 'format':
      into.style = { ...style, format: format ?? fail(`unknown output format "${text}"`) };
      return;
    case 'data':
      into.style = { ...style, data: data ?? fail(`unknown data format "${text}"`) };
      return;
    case 'no-headings':
      into.style = { ...style, hasHeadings: false };
      return;
    case 'pretty':
      into.style = { ...style, isPretty: true };
      return;
    case 'bare':
      into.style = { ...style, format: 'list', data: 'bare', hasHeadings: false };
      return;
    case 'max-column-width':
      into.style = { ...style, maxColumnWidth: Number.parseInt(text, 10) || 0 };
      return;
    case 'verbose':
    case 'log-file':
    case 'syslog-method':
    case 'syslog-target':
      into.logging.push({ name, value: text });
      return;
    case 'no-syslog':
      into.logging.push({ name: 'verbose', value: 'vsctl:syslog:warn' });
      return;
  }
  const tls = TLS_NAMES[name];
  if (tls !== undefined) into.tls = { ...into.tls, [tls]: text };
  const information = INFORMATION.find((one) => one === name);
  if (information !== undefined) into.information ??= information;
}

/** Throws UsageError and VsctlError. */
export function parseVsctlOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  commands: Iterable<Command>,
): VsctlOptions {
  const locals = commandSpecs(commands);
  const { options, positional } = getopt([...GLOBAL_SPECS, ...locals], argv, true);
  const into: Mutable = {
    information: null,
    style: {
      format: 'list',
      data: 'string',
      hasHeadings: true,
      isPretty: false,
      maxColumnWidth: 0,
    },
    tls: {},
    logging: [],
    early: new Map(),
  };
  const given = new Map<string, string>();
  for (const { name, value } of options) {
    if (locals.some((one) => one.name === name)) {
      // Twice is once here, unlike behind `--`: so it is in the original.
      if (!into.early.has(`--${name}`)) into.early.set(`--${name}`, value ?? null);
      continue;
    }
    given.set(name, value ?? '');
    if (name === 'timeout') timeoutOf(value ?? '', '-t or --timeout');
    obey(into, name, value ?? '');
  }
  const paths = pathsFrom(env);
  const timeout = given.get('timeout');
  const fromEnvironment = env.OVS_CTL_TIMEOUT;
  return {
    ...into,
    database: given.get('db') ?? `unix:${paths.runDir}/db.sock`,
    waits: !given.has('no-wait'),
    isDryRun: given.has('dry-run'),
    isOneline: given.has('oneline'),
    retries: given.has('retry'),
    timeoutSeconds:
      timeout !== undefined
        ? timeoutOf(timeout, '-t or --timeout')
        : fromEnvironment !== undefined
          ? Number.parseInt(fromEnvironment, 10) || 0
          : 0,
    logDir: paths.logDir,
    words: positional,
  };
}
