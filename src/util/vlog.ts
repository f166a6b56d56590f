/**
 * The log, in Open vSwitch's shape: modules, three destinations with a level each, and a pattern per destination.
 *
 * A message costs one comparison unless some destination wants it: each module keeps the most verbose of its
 * three levels. Levels and patterns change at run time (`vlog/set`), so loggers are handed out once and look at
 * their module's levels on every call. Nothing here throws on trouble with a destination: a full disk must not
 * stop packets; what could not be written is counted.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Clock } from './clock.ts';
import type { Logger, LogLevel, LogSource } from './logger.ts';
import { VLOG_MODULES } from './vlog-modules.ts';
import { compilePattern, type LogFormat, type LogOrigin } from './vlog-pattern.ts';

/** Verbosity: a message passes when its level is at most the destination's. */
const LEVELS = { off: 0, emer: 1, err: 2, warn: 3, info: 4, dbg: 5 } as const;
const LEVEL_NAMES = ['OFF', 'EMER', 'ERR', 'WARN', 'INFO', 'DBG'];
/** Severity of RFC 5424 for each verbosity, as the original maps them. */
const SEVERITIES = [7, 1, 3, 4, 5, 7];
const DESTINATIONS = ['syslog', 'console', 'file'] as const;
type Destination = (typeof DESTINATIONS)[number];

const DEFAULT_PATTERNS: Record<Destination, string> = {
  syslog: 'ovs|%05N|%c%T|%p|%m',
  console: '%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
  file: '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
};
/** What the syslog daemon's own header shows; printed by vlog/list-pattern. */
const SYSLOG_PREFIX = '<%B> %D{%h %e %T} %E %A: ';

/** RFC 5424 names, in the order of their numbers, as ovs-appctl(8) lists them. */
const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp clock ftp ntp audit alert clock2 local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
/** RFC 5424 numbers 10 (authpriv) has no name in the list above; local0 is 16. */
const FACILITY_NUMBERS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
];
const LOCAL0 = 16;
/** In the system's log as long as none is set, other than where patterns show it. */
const DAEMON = 3;

export interface VlogOptions {
  clock: Clock;
  origin: LogOrigin;
  /** Takes a line without its newline. */
  console: (line: string) => void;
  /** Takes a line for the system's log, as the pattern makes it, without a header; absent where there is none. */
  syslog?: (line: {
    readonly priority: number;
    readonly line: string;
    readonly module: string;
    readonly text: string;
    readonly wallMs: number;
  }) => void;
}

/** A module's logger; `honoursRateLimits` is what vlog/disable-rate-limit clears (see rate-limit.ts). */
export interface VlogModule extends Logger {
  readonly honoursRateLimits: boolean;
}

class Module implements VlogModule {
  readonly name: string;
  readonly levels: Record<Destination, number> = { syslog: 4, console: 4, file: 4 };
  mostVerbose = 4;
  honoursRateLimits = true;
  private readonly write: (module: Module, level: number, text: string) => void;

  constructor(name: string, write: (module: Module, level: number, text: string) => void) {
    this.name = name;
    this.write = write;
  }

  emer(message: string): void {
    if (this.mostVerbose >= 1) this.write(this, 1, message);
  }
  err(message: string): void {
    if (this.mostVerbose >= 2) this.write(this, 2, message);
  }
  warn(message: string): void {
    if (this.mostVerbose >= 3) this.write(this, 3, message);
  }
  info(message: string): void {
    if (this.mostVerbose >= 4) this.write(this, 4, message);
  }
  dbg(message: string): void {
    if (this.mostVerbose >= 5) this.write(this, 5, message);
  }
  enabled(level: LogLevel): boolean {
    return this.mostVerbose >= LEVELS[level];
  }

  set(destination: Destination, level: number): void {
    this.levels[destination] = level;
    this.mostVerbose = Math.max(this.levels.syslog, this.levels.console, this.levels.file);
  }
}

export class Vlog implements LogSource {
  private readonly options: VlogOptions;
  private readonly startMs: number;
  /** By lower-case name: names are matched without regard to case. */
  private readonly modules = new Map<string, Module>();
  /** Holds the levels that were set for all modules, for those that are first heard of later. */
  private readonly later = new Module('', () => {});
  private readonly patterns: Record<Destination, string> = { ...DEFAULT_PATTERNS };
  private readonly formats: Record<Destination, LogFormat>;
  private facility: number | null = null;
  private serial = 0;
  private filePath: string | undefined;
  private fileFd = -1;
  private lost = 0;

  constructor(options: VlogOptions) {
    this.options = options;
    this.startMs = options.clock.now();
    this.formats = {
      syslog: compilePattern(this.patterns.syslog, options.origin),
      console: compilePattern(this.patterns.console, options.origin),
      file: compilePattern(this.patterns.file, options.origin),
    };
    for (const name of VLOG_MODULES) this.module(name);
  }

  module(name: string): VlogModule {
    const key = name.toLowerCase();
    let module = this.modules.get(key);
    if (module === undefined) {
      module = new Module(name, (from, level, text) => this.write(from, level, text));
      for (const to of DESTINATIONS) module.set(to, this.later.levels[to]);
      this.modules.set(key, module);
    }
    return module;
  }

  /** Lines that could not be written to the file. */
  get lostLines(): number {
    return this.lost;
  }

  /**
   * Obeys one SPEC of vlog/set or -v: levels, `PATTERN:DEST:...` or `FACILITY:...`; an empty one sets everything
   * to dbg. Returns what is wrong with it, undefined when it was obeyed.
   */
  set(spec: string): string | undefined {
    const keyword = /^[ ,:\t\r\n]*(PATTERN|FACILITY)(?:[ ,:\t\r\n]|$)/i.exec(spec);
    if (keyword === null) return this.setLevels(spec);
    const rest = spec.slice(keyword[0].length);
    if (keyword[1].toUpperCase() === 'FACILITY') {
      const i = FACILITIES.indexOf(rest.toLowerCase());
      if (i < 0) return 'invalid facility';
      this.facility = FACILITY_NUMBERS[i];
      return undefined;
    }
    const colon = rest.indexOf(':');
    const name = (colon < 0 ? rest : rest.slice(0, colon)).toLowerCase();
    if (name === '') return 'missing destination';
    const destinations = DESTINATIONS.filter((known) => name === known || name === 'any');
    if (destinations.length === 0) return `unknown destination "${rest.split(':')[0]}"`;
    for (const destination of destinations) {
      this.patterns[destination] = colon < 0 ? '' : rest.slice(colon + 1);
      this.formats[destination] = compilePattern(this.patterns[destination], this.options.origin);
    }
    return undefined;
  }

  private setLevels(spec: string): string | undefined {
    let level: number | undefined;
    let destination: Destination | undefined;
    let module: Module | undefined;
    for (const word of spec.split(/[ ,:\t\r\n]+/)) {
      const name = word.toLowerCase();
      if (name === '' || name === 'any') continue;
      if (Object.hasOwn(LEVELS, name)) {
        if (level !== undefined) return 'cannot specify multiple levels';
        level = LEVELS[name as keyof typeof LEVELS];
      } else if ((DESTINATIONS as readonly string[]).includes(name)) {
        if (destination !== undefined) return 'cannot specify multiple destinations';
        destination = name as Destination;
      } else if (this.modules.has(name)) {
        if (module !== undefined) return 'cannot specify multiple modules';
        module = this.modules.get(name);
      } else {
        return `no destination, level, or module "${word}"`;
      }
    }
    for (const each of module === undefined ? [...this.modules.values(), this.later] : [module]) {
      for (const to of destination === undefined ? DESTINATIONS : [destination]) {
        each.set(to, level ?? LEVELS.dbg);
      }
    }
    return undefined;
  }

  /** Honours or ignores rate limits of the modules named, of all when none is. Returns an error text. */
  setRateLimits(honour: boolean, names: readonly string[]): string | undefined {
    const chosen: Module[] = [];
    for (const name of names) {
      const module = this.modules.get(name.toLowerCase());
      if (module === undefined && name.toLowerCase() !== 'any') return 'unknown module';
      if (module !== undefined) chosen.push(module);
    }
    const all = chosen.length === 0 ? this.modules.values() : chosen;
    for (const module of all) module.honoursRateLimits = honour;
    return undefined;
  }

  /** Starts logging to a file (mode 0640, appended to). Returns the reason when it cannot be opened. */
  openFile(path: string): string | undefined {
    const log = this.module('vlog');
    let fd: number;
    try {
      fd = openSync(path, 'a', 0o640);
    } catch (error) {
      const reason = systemReason(error);
      log.warn(`failed to open ${path} for logging: ${reason}`);
      return reason;
    }
    if (this.fileFd >= 0) closeSync(this.fileFd);
    this.fileFd = fd;
    this.filePath = path;
    log.info(`opened log file ${path}`);
    return undefined;
  }

  /** Opens the file anew after rotation; does nothing when the name still leads to the open file. */
  reopen(): string | undefined {
    if (this.filePath === undefined) return 'Logging to file not configured';
    if (this.fileFd >= 0) {
      try {
        const open = fstatSync(this.fileFd);
        const named = statSync(this.filePath);
        if (open.dev === named.dev && open.ino === named.ino) return undefined;
      } catch {
        // The name is gone: the rotation that this call exists for.
      }
      this.close();
    }
    return this.openFile(this.filePath);
  }

  /** Closes the file; reopen() opens it again. */
  close(): void {
    if (this.fileFd < 0) return;
    this.module('vlog').info('closing log file');
    closeSync(this.fileFd);
    this.fileFd = -1;
  }

  /** The text of vlog/list. */
  listText(): string {
    const lines = [
      '                 console    syslog    file',
      '                 -------    ------    ------',
    ];
    for (const module of [...this.modules.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { console, syslog, file } = module.levels;
      const column = (level: number): string => LEVEL_NAMES[level].padStart(4);
      lines.push(
        `${module.name.padEnd(16)}  ${column(console)}       ${column(syslog)}       ${column(file)}`,
      );
    }
    return `${lines.join('\n')}\n`;
  }

  /** The text of vlog/list-pattern. */
  patternText(): string {
    const line = (destination: Destination, prefix: string): string =>
      `${destination.toUpperCase().padEnd(7)}  ${prefix.padEnd(32)}  ${this.patterns[destination]}\n`;
    return [
      '         prefix                            format\n',
      '         ------                            ------\n',
      line('syslog', SYSLOG_PREFIX),
      line('console', 'none'),
      line('file', 'none'),
    ].join('');
  }

  private write(module: Module, level: number, text: string): void {
    const { clock, console, syslog } = this.options;
    const message = {
      wallMs: clock.wall(),
      serial: ++this.serial,
      module: module.name,
      level: LEVEL_NAMES[level],
      text,
      uptimeMs: clock.now() - this.startMs,
      priority: (this.facility ?? LOCAL0) * 8 + SEVERITIES[level],
    };
    const { levels } = module;
    if (levels.console >= level) console(this.formats.console(message));
    if (levels.syslog >= level && syslog !== undefined) {
      const priority = (this.facility ?? DAEMON) * 8 + SEVERITIES[level];
      const { module: name, wallMs } = message;
      syslog({ priority, line: this.formats.syslog(message), module: name, text, wallMs });
    }
    if (levels.file >= level && this.fileFd >= 0) {
      try {
        writeSync(this.fileFd, `${this.formats.file(message)}\n`);
      } catch {
        this.lost++;
      }
    }
  }
}

/** Where libuv's words are not those of libc. */
const LIBC_TEXTS: Readonly<Record<string, string>> = {
  EISDIR: 'Is a directory',
  ENAMETOOLONG: 'File name too long',
};

/** strerror's text out of Node's `ENOENT: no such file or directory, open '...'`, capitalised as libc does. */
export function systemReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const found = /^(E[A-Z0-9]+): ([^,]+)/.exec(text);
  const reason = found === null ? text : (LIBC_TEXTS[found[1]] ?? found[2]);
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
