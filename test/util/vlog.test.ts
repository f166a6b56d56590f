import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rateLimited } from '../../src/util/rate-limit.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';
import { Vlog } from '../../src/util/vlog.ts';

let directory: string;
let clock: VirtualClock;
let console: string[];
let vlog: Vlog;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-vlog-'));
  clock = new VirtualClock(0, Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  console = [];
  vlog = new Vlog({
    clock,
    origin: { application: 'ovs-vswitchd', hostname: 'h1', pid: 42, subprogram: '' },
    console: (line) => console.push(line),
  });
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('lines', () => {
  it('have the form of the original, with milliseconds in the file only', () => {
    const path = join(directory, 'x.log');
    expect(vlog.openFile(path)).toBeUndefined();
    vlog.module('bridge').warn('hello');
    expect(readFileSync(path, 'utf8')).toBe(
      `2026-01-02T03:04:05.678Z|00001|vlog|INFO|opened log file ${path}\n` +
        '2026-01-02T03:04:05.678Z|00002|bridge|WARN|hello\n',
    );
    expect(console[1]).toBe('2026-01-02T03:04:05Z|00002|bridge|WARN|hello');
  });

  it('go to a new file after rotation', () => {
    const path = join(directory, 'x.log');
    vlog.openFile(path);
    expect(vlog.reopen()).toBeUndefined();
    renameSync(path, `${path}.1`);
    expect(vlog.reopen()).toBeUndefined();
    vlog.module('bridge').info('after');
    expect(readFileSync(`${path}.1`, 'utf8')).toMatch(/vlog\|INFO\|closing log file\n$/);
    expect(readFileSync(path, 'utf8')).toMatch(/opened log file .*\n.*bridge\|INFO\|after\n$/);
  });

  it('say why a file cannot be opened', () => {
    expect(vlog.openFile('/nonexistent/x')).toBe('No such file or directory');
    expect(console[0]).toContain(
      '|vlog|WARN|failed to open /nonexistent/x for logging: No such file or directory',
    );
    expect(vlog.reopen()).toBe('Logging to file not configured');
  });
});

describe('patterns', () => {
  it.each([
    ['%A %E %P %r %t%T %%%n.', 'ovs-vswitchd h1 42 7 main %\n.'],
    ['%05N|%-6c|%6p|', '00001|bridge|  INFO|'],
    ['%-8c|%8c|%08N', 'bridge  |  bridge|00000001'],
    ['%D{%h %e %T} %D', 'Jan  2 03:04:05 2026-01-02 03:04:05'],
    ['%D{%S.######}', '05.685000'],
    ['%B %m', '133 text'],
    ['%', '%'],
  ])('%s', (pattern, expected) => {
    clock.advance(7);
    expect(vlog.set(`PATTERN:console:${pattern}`)).toBeUndefined();
    vlog.module('bridge').info('text');
    expect(console[0]).toBe(expected);
  });
});

describe('specs', () => {
  it.each([
    ['foo', 'no destination, level, or module "foo"'],
    ['bridge:xyz', 'no destination, level, or module "xyz"'],
    ['PATTERN:foo', 'unknown destination "foo"'],
    ['FACILITY:foo', 'invalid facility'],
    ['constructor', 'no destination, level, or module "constructor"'],
    ['FACILITY:daemon', undefined],
    ['PATTERN:console', undefined],
    ['ofproto_dpif_xlate,file DBG', undefined],
    ['ANY:console:off', undefined],
  ])('%s', (spec, expected) => {
    expect(vlog.set(spec)).toBe(expected);
  });

  it('change one module at one destination', () => {
    vlog.set('bridge:file:dbg');
    vlog.set('ANY:console:off');
    expect(vlog.module('bridge').enabled('dbg')).toBe(true);
    expect(vlog.module('netdev').enabled('dbg')).toBe(false);
    const lines = vlog.listText().split('\n');
    expect(lines).toContain('bridge             OFF       INFO        DBG');
    expect(lines).toContain('dpif_lookup_autovalidator   OFF       INFO       INFO');
  });

  it('for all modules hold for those that are first heard of later', () => {
    vlog.set('console:warn');
    vlog.module('nobody_knows').info('quiet');
    vlog.module('nobody_knows').warn('heard');
    expect(console.map((line) => line.split('|').at(-1))).toEqual(['heard']);
  });

  it('that are empty turn everything to dbg', () => {
    vlog.set('');
    vlog.module('dpif').dbg('seen');
    expect(console).toHaveLength(1);
  });

  it('leave patterns as vlog/list-pattern shows them', () => {
    expect(vlog.patternText()).toBe(
      [
        '         prefix                            format',
        '         ------                            ------',
        'SYSLOG   <%B> %D{%h %e %T} %E %A:          ovs|%05N|%c%T|%p|%m',
        'CONSOLE  none                              %D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
        'FILE     none                              %D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
        '',
      ].join('\n'),
    );
  });
});

describe('rate limits', () => {
  it('swallow what is too much and say so with the next message', () => {
    const log = rateLimited(vlog.module('unixctl'), clock, 5, 2);
    for (let i = 0; i < 10; i++) log.warn(`m${i}`);
    clock.advance(13_000);
    log.warn('later');
    expect(console.map((line) => line.split('|')[4])).toEqual([
      'm0',
      'm1',
      'Dropped 8 log messages in last 13 seconds (most recently, 13 seconds ago) due to excessive rate',
      'later',
    ]);
  });

  it('are off for a module on demand', () => {
    expect(vlog.setRateLimits(false, ['nosuch'])).toBe('unknown module');
    expect(vlog.setRateLimits(false, ['unixctl'])).toBeUndefined();
    const log = rateLimited(vlog.module('unixctl'), clock, 1, 1);
    for (let i = 0; i < 5; i++) log.warn('m');
    expect(console).toHaveLength(5);
  });
});
