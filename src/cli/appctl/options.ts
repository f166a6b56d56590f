/** The command line of ovs-appctl(8), as plain data. */
import { getopt, type OptionSpec, UsageError } from '../getopt.ts';
import { type Paths, pathsFrom } from '../options.ts';

export const APPCTL = 'ts-appctl';
/** The pidfile and socket that are looked for without -t: this switch takes the original's names. */
const DEFAULT_TARGET = 'ovs-vswitchd';

export interface AppctlOptions {
  readonly kind: 'run' | 'help' | 'version' | 'options';
  readonly paths: Paths;
  /** A socket's absolute path, or the name of a daemon. */
  readonly target: string;
  /** 0 waits for ever. */
  readonly timeoutSeconds: number;
  /** SPECs of -v in order. */
  readonly verbosity: readonly string[];
  /** `--log-file` without a value is the empty text; undefined without it. */
  readonly logFile: string | undefined;
  readonly command: string;
  readonly args: readonly string[];
}

/** In the order of the original, which an ambiguous prefix shows. */
export const APPCTL_SPECS: readonly OptionSpec[] = [
  { name: 'target', short: 't', takes: 'required' },
  { name: 'execute', short: 'e', takes: 'nothing' },
  { name: 'help', short: 'h', takes: 'nothing' },
  { name: 'option', short: 'o', takes: 'nothing' },
  { name: 'version', short: 'V', takes: 'nothing' },
  { name: 'timeout', short: 'T', takes: 'required' },
  { name: 'verbose', short: 'v', takes: 'optional' },
  { name: 'log-file', takes: 'optional' },
  { name: 'syslog-method', takes: 'required' },
  { name: 'syslog-target', takes: 'required' },
];

export const optionsText = (): string =>
  APPCTL_SPECS.map(({ name, short, takes }) => {
    const value = { nothing: '', optional: '[ARG]', required: 'ARG' }[takes];
    const long = value === '' ? `--${name}` : `--${name}=${value}`;
    return short === undefined ? `${long}\n` : `${long}\n-${short} ${value}\n`;
  }).join('');

const SYSLOG_METHOD = /^(libc|null|unix:.*|udp:.*)$/;

function secondsOf(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds === 0 || seconds > 0xffff_ffff) {
    throw new UsageError(`value ${text} on -T or --timeout is invalid`);
  }
  return seconds;
}

/** Throws UsageError. As in the original --help and --version act where they stand, whatever comes behind. */
export function parseAppctlOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AppctlOptions {
  const { options, positional } = getopt(APPCTL_SPECS, argv, true);
  const [command = '', ...args] = positional;
  const paths = pathsFrom(env);
  const fromEnvironment = env.OVS_CTL_TIMEOUT ?? '';
  const run = {
    kind: 'run' as const,
    paths,
    target: DEFAULT_TARGET,
    timeoutSeconds: /^\d+$/.test(fromEnvironment) ? Number(fromEnvironment) : 0,
    verbosity: [] as string[],
    logFile: undefined as string | undefined,
    command,
    args,
  };
  let isTargetGiven = false;
  for (const { name, value = '' } of options) {
    switch (name) {
      case 'target':
        if (isTargetGiven) throw new UsageError('-t or --target may be specified only once');
        isTargetGiven = true;
        run.target = value;
        break;
      case 'timeout':
        run.timeoutSeconds = secondsOf(value);
        break;
      case 'verbose':
        run.verbosity.push(value);
        break;
      case 'log-file':
        run.logFile = value || `${paths.logDir}/${APPCTL}.log`;
        break;
      case 'syslog-method':
        if (!SYSLOG_METHOD.test(value))
          throw new UsageError(`unsupported syslog method '${value}'`);
        break;
      case 'help':
      case 'version':
        return { ...run, kind: name };
      case 'option':
        return { ...run, kind: 'options' };
    }
  }
  if (positional.length === 0) {
    throw new UsageError('at least one non-option argument is required (use --help for help)');
  }
  return run;
}
