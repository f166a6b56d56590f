/**
 * The process: command line, stages of detaching, log, pidfile, signals. The switch itself is made in switchd.ts.
 */
import { mkdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { enterStage, runMonitor } from './cli/daemonize.ts';
import { UsageError } from './cli/getopt.ts';
import { type Options, parseOptions, pathsFrom, type RunOptions } from './cli/options.ts';
import { handleSignals } from './cli/signals.ts';
import { helpText, versionText } from './cli/usage.ts';
import { startSwitch } from './switchd.ts';
import { createPidfile, type Pidfile, PidfileError } from './sys/pidfile.ts';
import { openSyslog } from './sys/syslog.ts';
import { RealClock } from './util/real-clock.ts';
import { PROGRAM_NAME } from './util/version.ts';
import { Vlog } from './util/vlog.ts';

function commandLine(): Options {
  try {
    return parseOptions(process.argv.slice(2), process.env, currentDirectory());
  } catch (failure) {
    if (!(failure instanceof UsageError)) throw failure;
    fail(failure.message);
  }
}

/** The directory for relative paths; `/` when ours was deleted meanwhile. */
function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

/** Ends with the message of a start-up error where the user looks. */
function fail(message: string): never {
  writeSync(2, `${PROGRAM_NAME}: ${message}\n`);
  process.exit(1);
}

function openLog(options: RunOptions, clock: RealClock, subprogram: string): Vlog {
  const origin = { application: PROGRAM_NAME, subprogram, pid: process.pid, hostname: hostname() };
  const syslog = openSyslog(options.syslogMethod ?? 'libc', options.syslogTarget, origin);
  if (typeof syslog === 'string') fail(syslog);
  const vlog = new Vlog({
    clock,
    origin,
    syslog: (line) => syslog.write(line),
    console: (line) => {
      try {
        writeSync(2, `${line}\n`);
      } catch {
        // A terminal that went away takes no lines.
      }
    },
  });
  for (const spec of options.verbosity) {
    const wrong = vlog.set(spec);
    if (wrong !== undefined) fail(`processing "${spec}": ${wrong}`);
  }
  if (options.logFile !== undefined) {
    mkdirSync(dirname(options.logFile), { recursive: true });
    vlog.openFile(options.logFile);
  }
  return vlog;
}

async function run(options: RunOptions): Promise<void> {
  const stage = await enterStage(options);
  const clock = new RealClock();
  const vlog = openLog(options, clock, stage.subprogram);
  const log = vlog.module('daemon_unix');
  if (stage.role === 'monitor') await runMonitor(stage, options, log, clock);

  let pidfile: Pidfile | null = null;
  if (options.pidfile !== undefined) {
    try {
      pidfile = createPidfile(options.pidfile, options.overwritePidfile);
    } catch (failure) {
      if (!(failure instanceof PidfileError)) throw failure;
      fail(failure.message);
    }
  }
  const exit = (status: number): void => {
    pidfile?.remove();
    process.exit(status);
  };
  const fatal = (error: Error): void => {
    vlog.module('vswitchd').emer(`terminating: ${error.stack ?? error.message}`);
    exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', (reason) => fatal(reason as Error));
  const daemon = await startSwitch(options, vlog, clock, {
    onFatal: fatal,
    onExit: () => void daemon.stop(false).then(() => exit(0)),
  }).catch((failure: Error) => fail(failure.message));
  handleSignals({
    terminate: (signal) => {
      vlog.module('fatal_signal').info(`terminating with signal ${signal}`);
      void daemon.stop(false).then(() => exit(0));
    },
    reopenLog: () => void vlog.reopen(),
  });
  if (options.detach) vlog.set('console:off');
  stage.ready();
}

const line = commandLine();
if (line.kind === 'help') writeSync(1, helpText(pathsFrom(process.env)));
else if (line.kind === 'version') writeSync(1, versionText());
else await run(line);
