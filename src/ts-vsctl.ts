/** ts-vsctl's entry: the real process, terminal and files for the client of src/cli/vsctl. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { NAME, runVsctl } from './cli/vsctl/client.ts';
import { fail } from './cli/vsctl/vsctl-error.ts';
import { writeText } from './cli/write-text.ts';
import { RealClock } from './util/real-clock.ts';
import { Vlog } from './util/vlog.ts';

const STDOUT = 1;
const STDERR = 2;

const log = new Vlog({
  clock: new RealClock(),
  origin: { application: NAME, subprogram: '', pid: process.pid, hostname: hostname() },
  console: (line) => writeText(STDERR, `${line}\n`),
});

/** The name of the program that started this one, as its command line has it (proc(5)). */
function parentName(): string | null {
  try {
    return readFileSync(`/proc/${process.ppid}/cmdline`, 'utf8').split('\0')[0] || null;
  } catch {
    return null;
  }
}

const pem = (file: string | undefined): string | undefined =>
  file === undefined ? undefined : readFileSync(file, 'utf8');

process.exitCode = await runVsctl(process.argv.slice(2), {
  env: process.env,
  print: (text) => writeText(STDOUT, text),
  complain: (text) => writeText(STDERR, text),
  newUuid: randomUUID,
  parent: parentName,
  alarm: (seconds) => {
    setTimeout(() => {
      log.module('fatal_signal').warn('terminating with signal 14 (Alarm clock)');
      process.kill(process.pid, 'SIGALRM');
    }, seconds * 1000).unref();
  },
  pause: (ms) => sleep(ms),
  credentials: ({ database, tls }) => {
    if (!/^p?ssl:/.test(database)) return null;
    const [key, cert, ca] = [pem(tls.privateKey), pem(tls.certificate), pem(tls.caCert)];
    return key === undefined || cert === undefined || ca === undefined ? null : { key, cert, ca };
  },
  openLog: (options) => {
    log.module('vsctl');
    log.set('console:warn');
    for (const spec of options.verbosity) {
      const wrong = log.set(spec);
      if (wrong !== undefined) fail(`processing "${spec}": ${wrong}`);
    }
    if (options.logFile !== null) {
      const wrong = log.openFile(resolve(options.logFile || `${options.logDir}/${NAME}.log`));
      if (wrong !== undefined) process.exit(1);
    }
    return log.module('vsctl');
  },
});
