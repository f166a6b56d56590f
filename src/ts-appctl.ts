/** ts-appctl's entry: the real process and files for the client of src/cli/appctl. */
import { closeSync, constants, openSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import { runAppctl } from './cli/appctl/client.ts';
import { APPCTL } from './cli/appctl/options.ts';
import { writeText } from './cli/write-text.ts';
import { readPidfile } from './sys/pidfile.ts';
import { RealClock } from './util/real-clock.ts';
import { Vlog } from './util/vlog.ts';

const STDOUT = 1;
const STDERR = 2;

const vlog = new Vlog({
  clock: new RealClock(),
  origin: { application: APPCTL, subprogram: '', pid: process.pid, hostname: hostname() },
  console: (line) => writeText(STDERR, `${line}\n`),
});

process.exitCode = await runAppctl(process.argv.slice(2), {
  env: process.env,
  print: (text) => writeText(STDOUT, text),
  complain: (text) => writeText(STDERR, text),
  alarm: (seconds) => {
    const ring = (): void => {
      vlog.module('fatal_signal').warn('terminating with signal 14 (Alarm clock)');
      process.kill(process.pid, 'SIGALRM');
    };
    setTimeout(ring, Math.min(seconds, 2_000_000) * 1000).unref();
  },
  vlog,
  readPidfile,
  withDirectory: (path, connect) => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return connect(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  },
});
