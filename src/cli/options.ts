/**
 * The command line of ovs-vswitchd(8), as plain data. Nothing here acts: main.ts does.
 *
 * Options that concern what this switch does not have (DPDK, memory locking, self-confinement) are accepted where
 * start scripts pass them, and refused with a reason where silence would mislead.
 */
import { isAbsolute, resolve } from 'node:path';
import { PROGRAM_NAME } from '../util/version.ts';
import { getopt, type OptionSpec, UsageError } from './getopt.ts';

/** How far dummy devices replace others (ovs-vswitchd --enable-dummy). */
export type DummyLevel = 'none' | 'normal' | 'system' | 'override';

export interface Paths {
  runDir: string;
  logDir: string;
  dbDir: string;
  sysconfDir: string;
}

export interface TlsOptions {
  privateKey?: string;
  certificate?: string;
  caCert?: string;
  peerCaCert?: string;
  bootstrapCaCert?: string;
  protocols?: string;
  ciphers?: string;
}

export interface RunOptions {
  kind: 'run';
  /** `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`. */
  database: string;
  /** No DATABASE was named: the daemon serves one on db.sock itself unless somebody answers there. */
  servesDatabase: boolean;
  paths: Paths;
  detach: boolean;
  monitor: boolean;
  chdir: boolean;
  /** Absolute; undefined without --pidfile. */
  pidfile: string | undefined;
  overwritePidfile: boolean;
  /** Absolute; undefined without --log-file. */
  logFile: string | undefined;
  /** SPECs of -v in order; an empty one stands for the plain -v. */
  verbosity: string[];
  syslogMethod: string | undefined;
  syslogTarget: string | undefined;
  /** Absolute path of the control socket; undefined for the default, which contains the final process id. */
  unixctl: string | undefined;
  dummy: DummyLevel;
  /** --disable-system: no devices of the host. */
  disableSystem: boolean;
  /** --disable-system-route: the host's routes are not looked at. */
  disableSystemRoute: boolean;
  /** --dummy-numa: cores by socket, such as `0,0,1,1`. */
  dummyNuma: string | undefined;
  mlockall: boolean;
  /** False (--no-jit): the packet path makes no code at run time. */
  generateCode: boolean;
  tls: TlsOptions;
}

export type Options = RunOptions | { kind: 'help' } | { kind: 'version' };

/** In the order of the original, which an ambiguous prefix shows. */
export const DAEMON_SPECS: readonly OptionSpec[] = [
  { name: 'help', short: 'h', takes: 'nothing' },
  { name: 'version', short: 'V', takes: 'nothing' },
  { name: 'mlockall', takes: 'nothing' },
  { name: 'unixctl', takes: 'required' },
  { name: 'no-self-confinement', takes: 'nothing' },
  { name: 'detach', takes: 'nothing' },
  { name: 'no-chdir', takes: 'nothing' },
  { name: 'pidfile', takes: 'optional' },
  { name: 'overwrite-pidfile', takes: 'nothing' },
  { name: 'monitor', takes: 'nothing' },
  { name: 'user', takes: 'required' },
  { name: 'verbose', short: 'v', takes: 'optional' },
  { name: 'log-file', takes: 'optional' },
  { name: 'syslog-method', takes: 'required' },
  { name: 'syslog-target', takes: 'required' },
  { name: 'private-key', short: 'p', takes: 'required' },
  { name: 'certificate', short: 'c', takes: 'required' },
  { name: 'ca-cert', short: 'C', takes: 'required' },
  { name: 'ssl-protocols', takes: 'required' },
  { name: 'ssl-ciphers', takes: 'required' },
  { name: 'peer-ca-cert', takes: 'required' },
  { name: 'bootstrap-ca-cert', takes: 'required' },
  { name: 'enable-dummy', takes: 'optional' },
  { name: 'disable-system', takes: 'nothing' },
  { name: 'disable-system-route', takes: 'nothing' },
  { name: 'dpdk', takes: 'optional' },
  { name: 'dummy-numa', takes: 'required' },
  { name: 'no-jit', takes: 'nothing' },
];

/** Directories of Debian's packages, moved by the environment variables of ovs-vswitchd(8). */
export function pathsFrom(env: Readonly<Record<string, string | undefined>>): Paths {
  const sysconfDir = env.OVS_SYSCONFDIR || '/etc';
  return {
    runDir: env.OVS_RUNDIR || '/var/run/openvswitch',
    logDir: env.OVS_LOGDIR || '/var/log/openvswitch',
    dbDir: env.OVS_DBDIR || `${sysconfDir}/openvswitch`,
    sysconfDir,
  };
}

/**
 * Reads the command line. Relative files are made absolute before anything changes the directory: pidfile and
 * control socket lie in the run directory unless a path says otherwise, a log file in the current directory.
 * Throws UsageError.
 */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Options {
  const { options, positional } = getopt(DAEMON_SPECS, argv);
  const paths = pathsFrom(env);
  const inRunDir = (file: string): string =>
    isAbsolute(file) ? file : resolve(cwd, paths.runDir, file);
  const run: RunOptions = {
    kind: 'run',
    database: `unix:${paths.runDir}/db.sock`,
    servesDatabase: positional.length === 0,
    paths,
    detach: false,
    monitor: false,
    chdir: true,
    pidfile: undefined,
    overwritePidfile: false,
    logFile: undefined,
    verbosity: [],
    syslogMethod: undefined,
    syslogTarget: undefined,
    unixctl: undefined,
    dummy: 'none',
    disableSystem: false,
    disableSystemRoute: false,
    dummyNuma: undefined,
    mlockall: false,
    generateCode: true,
    tls: {},
  };
  for (const { name, value } of options) {
    const text = value ?? '';
    switch (name) {
      case 'help':
        return { kind: 'help' };
      case 'version':
        return { kind: 'version' };
      case 'mlockall':
        run.mlockall = true;
        break;
      case 'unixctl':
        run.unixctl = text === 'none' ? 'none' : inRunDir(text);
        break;
      case 'detach':
        run.detach = true;
        break;
      case 'no-chdir':
        run.chdir = false;
        break;
      case 'pidfile':
        run.pidfile = inRunDir(value || `${PROGRAM_NAME}.pid`);
        break;
      case 'overwrite-pidfile':
        run.overwritePidfile = true;
        break;
      case 'monitor':
        run.monitor = true;
        break;
      case 'user':
        throw new UsageError(
          '--user is not supported: start the daemon as that user, with CAP_NET_ADMIN and CAP_NET_RAW (ts-vswitchd(8), PRIVILEGES)',
        );
      case 'verbose':
        run.verbosity.push(text);
        break;
      case 'log-file':
        run.logFile = resolve(cwd, value || `${paths.logDir}/${PROGRAM_NAME}.log`);
        break;
      case 'syslog-method':
        run.syslogMethod = text;
        break;
      case 'syslog-target':
        run.syslogTarget = text;
        break;
      case 'private-key':
        run.tls.privateKey = resolve(cwd, text);
        break;
      case 'certificate':
        run.tls.certificate = resolve(cwd, text);
        break;
      case 'ca-cert':
        run.tls.caCert = resolve(cwd, text);
        break;
      case 'peer-ca-cert':
        run.tls.peerCaCert = resolve(cwd, text);
        break;
      case 'bootstrap-ca-cert':
        run.tls.bootstrapCaCert = resolve(cwd, text);
        break;
      case 'ssl-protocols':
        run.tls.protocols = text;
        break;
      case 'ssl-ciphers':
        run.tls.ciphers = text;
        break;
      case 'enable-dummy':
        if (value !== undefined && value !== '' && value !== 'system' && value !== 'override') {
          throw new UsageError(`${value}: unknown dummy level`);
        }
        run.dummy = value === 'system' || value === 'override' ? value : 'normal';
        break;
      case 'disable-system':
        run.disableSystem = true;
        break;
      case 'disable-system-route':
        run.disableSystemRoute = true;
        break;
      case 'dpdk':
        throw new UsageError('Using --dpdk to configure DPDK is not supported.');
      case 'dummy-numa':
        run.dummyNuma = text;
        break;
      case 'no-jit':
        run.generateCode = false;
        break;
    }
  }
  if (positional.length > 1) {
    throw new UsageError('at most one non-option argument accepted; use --help for usage');
  }
  if (positional.length === 1) run.database = positional[0];
  return run;
}
