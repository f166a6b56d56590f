/**
 * --detach and --monitor without fork(2), which Node does not have: each stage starts the next one anew with the
 * same command line and tells it its part in an environment variable.
 *
 *   launcher  the process that the user started; returns to the shell when the daemon works
 *   monitor   with --monitor: starts the daemon, and again when it crashes
 *   daemon    the switch
 *
 * A stage reports "ready" by a byte on descriptor 3. Until then standard error is the user's, so that whatever
 * goes wrong at startup is read where the command was typed; afterwards all three standard descriptors lead to
 * /dev/null, before the byte is sent, so that a pipe of the user's closes no later than the launcher returns.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { dup2 } from '../sys/libc.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { PROGRAM_NAME } from '../util/version.ts';
import type { RunOptions } from './options.ts';

const ROLE_VARIABLE = 'TS_VSWITCH_ROLE';
const READY_FD = 3;
/** A daemon that crashes again within this time waits for the rest of it (ovs-vswitchd(8), --monitor). */
const THROTTLE_MS = 10_000;

/** Signals that mean a crash. SIGKILL and SIGTERM come from people, who meant it. */
const CRASH_SIGNALS: readonly string[] =
  'SIGABRT SIGALRM SIGBUS SIGFPE SIGILL SIGPIPE SIGSEGV SIGXCPU SIGXFSZ'.split(' ');

const SIGNAL_TEXTS: Readonly<Record<string, string>> = {
  SIGABRT: 'Aborted',
  SIGALRM: 'Alarm clock',
  SIGBUS: 'Bus error',
  SIGFPE: 'Floating point exception',
  SIGHUP: 'Hangup',
  SIGILL: 'Illegal instruction',
  SIGINT: 'Interrupt',
  SIGKILL: 'Killed',
  SIGPIPE: 'Broken pipe',
  SIGSEGV: 'Segmentation fault',
  SIGTERM: 'Terminated',
};

type Wanted = Pick<RunOptions, 'detach' | 'monitor' | 'chdir'>;

/** What this process is, once the launcher is out of the way. */
export interface Stage {
  role: 'monitor' | 'daemon';
  /** For the log's %t and %T: `monitor` or empty. */
  subprogram: string;
  /** Says that everything users look for exists now. Without --detach the terminal is kept. */
  ready(): void;
}

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Finds out which stage this process is. In the launcher it never returns: it exits with 0 when the daemon is
 * ready, else with the daemon's status. Call it before anything is opened, the log included.
 */
export async function enterStage(wanted: Wanted): Promise<Stage> {
  const role = process.env[ROLE_VARIABLE];
  delete process.env[ROLE_VARIABLE];
  if (role === 'monitor' || role === 'daemon') {
    return {
      role,
      subprogram: role === 'monitor' ? 'monitor' : '',
      ready: () => becomeReady(wanted),
    };
  }
  if (!wanted.detach) {
    const first = wanted.monitor ? 'monitor' : 'daemon';
    return { role: first, subprogram: wanted.monitor ? 'monitor' : '', ready: () => {} };
  }
  const child = start(wanted.monitor ? 'monitor' : 'daemon', true);
  const ending = await untilReady(child);
  if (ending !== undefined) {
    if (ending.code === null || ending.code === 0) {
      complain(`fork child died before signaling startup (${endingText(ending)})`);
    }
    process.exit(ending.code || 1);
  }
  process.exit(0);
}

/** The monitor's life: never returns. Signals that end it are passed on to the daemon first. */
export async function runMonitor(
  stage: Stage,
  wanted: Wanted,
  log: Logger,
  clock: Clock,
): Promise<never> {
  let daemon: ChildProcess | undefined;
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    stopping = true;
    if (daemon === undefined) process.exit(0);
    daemon.kill(signal);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => daemon?.kill('SIGHUP'));
  let crashes = 0;
  let startedMs = clock.now();
  for (;;) {
    daemon = start('daemon', false);
    const pid = daemon.pid ?? 0;
    const end = new Promise<Ending>((resolve) => {
      daemon?.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const early = await untilReady(daemon);
    // As in the original a daemon that never came up is not tried again; the launcher passes its status on.
    if (early !== undefined && crashes === 0) {
      if (early.code === null) {
        complain(`fork child died before signaling startup (${endingText(early)})`);
      }
      process.exit(early.code || 1);
    }
    if (early === undefined && crashes === 0) stage.ready();
    process.title = `${PROGRAM_NAME}: monitoring pid ${pid} (${crashes === 0 ? 'healthy' : `${crashes} crashes`})`;

    const ending = early ?? (await end);
    daemon = undefined;
    const what = `pid ${pid} died, ${endingText(ending)}`;
    if (stopping || !isCrash(ending)) {
      log.info(`${what}, exiting`);
      process.exit(ending.code ?? 0);
    }
    const text = `${++crashes} crashes: ${what}`;
    const waitMs = startedMs + THROTTLE_MS - clock.now();
    if (waitMs > 0 && crashes > 1) {
      log.warn(`${text}, waiting until ${THROTTLE_MS / 1000} seconds since last restart`);
      await new Promise<void>((resolve) => {
        // Nothing else keeps the monitor alive, hence no timer of the clock.
        setTimeout(resolve, waitMs);
      });
    }
    log.err(`${text}, restarting`);
    startedMs = clock.now();
    if (wanted.detach) process.title = `${PROGRAM_NAME}: monitoring (${crashes} crashes)`;
  }
}

/** An uncaught exception ends Node with a status, not a signal: it is this program's abort(3). */
const isCrash = ({ code, signal }: Ending): boolean =>
  signal === null ? code !== 0 : CRASH_SIGNALS.includes(signal);

function endingText({ code, signal }: Ending): string {
  return signal === null ? `exit status ${code}` : `killed (${SIGNAL_TEXTS[signal] ?? signal})`;
}

function start(role: 'monitor' | 'daemon', newSession: boolean): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: newSession,
    env: { ...process.env, [ROLE_VARIABLE]: role },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
}

/** Undefined when the child reported ready, its ending when it ended without. */
function untilReady(child: ChildProcess): Promise<Ending | undefined> {
  return new Promise((resolve) => {
    const pipe = child.stdio[READY_FD] as NodeJS.ReadableStream;
    child.once('error', (error) => {
      complain(`could not start ${process.execPath} (${error.message})`);
      resolve({ code: 1, signal: null });
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
    pipe.once('data', () => resolve(undefined));
    pipe.on('error', () => {});
  });
}

function becomeReady(wanted: Wanted): void {
  if (wanted.detach) {
    if (wanted.chdir) process.chdir('/');
    const nowhere = openSync('/dev/null', 'r+');
    for (const fd of [0, 1, 2]) dup2(nowhere, fd);
    closeSync(nowhere);
  }
  try {
    writeSync(READY_FD, '\0');
    closeSync(READY_FD);
  } catch {
    // The process that waited is gone; the daemon goes on without it.
  }
}

function complain(text: string): void {
  writeSync(2, `${PROGRAM_NAME}: ${text}\n`);
}
