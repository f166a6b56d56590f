/**
 * The client's log: warnings on the console unless -v says otherwise, a file with --log-file. Of the syslog, what a program without
 * native code can reach: `udp:IP:PORT` and --syslog-target.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Clock } from '../../util/clock.ts';
import { Vlog, type VlogModule } from '../../util/vlog.ts';
import type { VsctlOptions } from './options.ts';
import { Exit, fail } from './vsctl-error.ts';

/** Syslog methods that the original knows. */
const METHODS = /^(?:libc|null|unix:.*|udp:.*)$/;
/** Modules that the original has and the daemon's list lacks. */
const MODULES = ['vsctl', 'db_ctl_base', 'ovsdb_idl', 'fatal_signal', 'stream_ssl'];

export interface LogPlaces {
  /** Of the program. */
  readonly name: string;
  readonly clock: Clock;
  readonly pid: number;
  /** Takes a line without its newline. */
  readonly console: (line: string) => void;
}

/** Throws VsctlError for a specification that means nothing, and Exit where the file cannot be opened. */
export function openLog(options: VsctlOptions, places: LogPlaces): (name: string) => VlogModule {
  const { name: application, clock, pid } = places;
  const origin = { application, subprogram: '', pid, hostname: hostname() };
  const log = new Vlog({ clock, origin, console: places.console });
  for (const name of MODULES) log.module(name);
  log.set('console:warn');
  log.set('reconnect:warn');
  for (const { name, value } of options.logging) {
    if (name === 'verbose') {
      const wrong = log.set(value);
      if (wrong !== undefined) fail(`processing "${value}": ${wrong}`);
    } else if (name === 'log-file') {
      const wrong = log.openFile(resolve(value || `${options.logDir}/${application}.log`));
      if (wrong !== undefined) throw new Exit(1);
    } else if (name === 'syslog-method' && !METHODS.test(value)) {
      fail(`unsupported syslog method '${value}'`);
    }
  }
  return (name) => log.module(name);
}
