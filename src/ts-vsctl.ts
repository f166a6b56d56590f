/** ts-vsctl's entry: the real process, terminal and files for the client of src/cli/vsctl. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { runVsctl } from './cli/vsctl/client.ts';
import { openLog } from './cli/vsctl/log.ts';
import { nameOf } from './cli/vsctl/name.ts';
import { writeText } from './cli/write-text.ts';
import type { Logger } from './util/logger.ts';
import { RealClock } from './util/real-clock.ts';

const STDOUT = 1;
const STDERR = 2;

/** Modules of the log, once the options say where it goes. */
let moduleOf: ((name: string) => Logger) | null = null;

/** The name of the program that started this one, as its command line has it (proc(5)). */
function parentName(): string | null {
  try {
    return readFileSync(`/proc/${process.ppid}/cmdline`, 'utf8').split('\0')[0] || null;
  } catch {
    return null;
  }
}

const name = nameOf(process.argv[1]);

process.exitCode = await runVsctl(process.argv.slice(2), {
  name,
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  print: (text) => writeText(STDOUT, text),
  complain: (text) => writeText(STDERR, text),
  newUuid: randomUUID,
  parent: parentName,
  alarm: (seconds) => {
    setTimeout(() => {
      moduleOf?.('fatal_signal').warn('terminating with signal 14 (Alarm clock)');
      process.kill(process.pid, 'SIGALRM');
    }, seconds * 1000).unref();
  },
  pause: (ms) => sleep(ms),
  files: {
    read: (file) => readFileSync(file, 'utf8'),
    create: (file, text) => writeFileSync(file, text, { flag: 'wx', mode: 0o644 }),
  },
  openLog: (options) => {
    const { pid } = process;
    const console = (line: string): void => writeText(STDERR, `${line}\n`);
    moduleOf = openLog(options, { name, clock: new RealClock(), pid, console });
    return moduleOf;
  },
});
