import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Command, CommandError, CommandTable } from '../../src/unixctl/command.ts';
import { coverageCommands } from '../../src/unixctl/commands/coverage.ts';
import { exitCommands } from '../../src/unixctl/commands/exit.ts';
import { memoryCommands } from '../../src/unixctl/commands/memory.ts';
import { timeCommands } from '../../src/unixctl/commands/time.ts';
import { versionCommands } from '../../src/unixctl/commands/version.ts';
import { vlogCommands } from '../../src/unixctl/commands/vlog.ts';
import { MAX_REQUEST_BYTES } from '../../src/unixctl/protocol.ts';
import { UnixctlServer } from '../../src/unixctl/server.ts';
import { Coverage } from '../../src/util/coverage.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { Vlog } from '../../src/util/vlog.ts';

let directory: string;
let socketPath: string;
let server: UnixctlServer;
let commands: CommandTable;
let shutdowns: boolean[];
let lines: string[];

const command = (name: string, run: Command['run'], minArgs = 0, maxArgs = 0): Command => ({
  name,
  usage: minArgs > 0 ? 'bridge' : '',
  minArgs,
  maxArgs,
  run,
});

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-ctl-'));
  socketPath = join(directory, 'd.ctl');
  lines = [];
  const clock = new RealClock();
  const origin = { application: 'ovs-vswitchd', hostname: 'h', pid: 1, subprogram: '' };
  const vlog = new Vlog({ clock, origin, console: (line) => lines.push(line) });
  const coverage = new Coverage(clock);
  coverage.counter('netdev_sent');
  shutdowns = [];
  commands = new CommandTable([
    ...versionCommands('ovs-vswitchd'),
    ...vlogCommands(vlog),
    ...coverageCommands(coverage),
    ...memoryCommands(() => ({ rules: 5, ports: 3, 'udpif keys': 0, handlers: 1 })),
    ...timeCommands(clock),
    ...exitCommands(async (cleanup) => {
      shutdowns.push(cleanup);
    }),
    command('fdb/show', () => ' port  VLAN  MAC                Age\n', 1, 1),
    command('fails', () => {
      throw new CommandError('no such bridge');
    }),
    command('broken', () => {
      throw new TypeError('defect');
    }),
    command('huge', () => 'x'.repeat(20 << 20)),
  ]);
  server = new UnixctlServer({ commands, clock, log: vlog.module('unixctl') });
  await server.listen(socketPath);
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

interface Outcome {
  code: number;
  out: string;
  err: string;
}

const appctl = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(
      'ovs-appctl',
      ['-t', socketPath, ...args],
      { maxBuffer: 64 << 20, timeout: 10_000 },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });

/** Sends raw bytes and resolves with what came back once the server hangs up, or after `waitMs`. */
const raw = (bytes: string | Buffer, waitMs = 2000): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(socketPath);
    let text = '';
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(bytes);
  });

describe('the real ovs-appctl', () => {
  it('gets answers and lists of commands in the form of the original', async () => {
    expect(await appctl('version')).toEqual({
      code: 0,
      out: 'ovs-vswitchd (Open vSwitch) 3.1.0\n',
      err: '',
    });
    const { out } = await appctl('list-commands');
    expect(out.split('\n')[0]).toBe('The available commands are:');
    expect(out).toContain('  coverage/read-counter   COUNTER\n');
    expect(out).toContain('  coverage/show           \n');
    expect(out).toContain('  vlog/disable-rate-limit [module]...\n');
    expect(out).toContain('  time/warp               [large_msecs] msecs\n');
    expect(await appctl('memory/show')).toMatchObject({ out: 'handlers:1 ports:3 rules:5\n' });
    expect(await appctl('coverage/read-counter', 'netdev_sent')).toMatchObject({ out: '0\n' });
  });

  it.each([
    [['fdb/show'], '"fdb/show" command requires at least 1 arguments'],
    [['fdb/show', 'a', 'b'], '"fdb/show" command takes at most 1 arguments'],
    [
      ['nosuch'],
      '"nosuch" is not a valid command (use "list-commands" to see a list of valid commands)',
    ],
    [['fails'], 'no such bridge'],
    [['coverage/read-counter', 'foo'], 'No such counter'],
    [['vlog/set', 'xyz'], 'no destination, level, or module "xyz"'],
    [['vlog/reopen'], 'Logging to file not configured'],
    [['time/warp', 'x'], 'invalid MSECS'],
    [['time/warp', '0'], 'invalid MSECS'],
    [['broken'], 'internal error in "broken" (see the log)'],
  ])('%j fails with a text and status 2', async (args, text) => {
    const outcome = await appctl(...args);
    expect(outcome.code).toBe(2);
    expect(outcome.out).toBe('');
    expect(outcome.err).toBe(`${text}\novs-appctl: ${socketPath}: server returned an error\n`);
  });

  it('stops and warps the clock', async () => {
    expect(await appctl('time/stop')).toEqual({ code: 0, out: '', err: '' });
    expect(await appctl('time/warp', '1000', '100')).toMatchObject({ code: 0, out: 'warped\n' });
  });

  it('gets an answer of many megabytes whole', async () => {
    expect((await appctl('huge')).out).toHaveLength((20 << 20) + 1);
  });

  it('ends the daemon with or without cleanup', async () => {
    expect(await appctl('exit')).toMatchObject({ code: 0 });
    expect(await appctl('exit', '--cleanup')).toMatchObject({ code: 0 });
    expect(shutdowns).toEqual([false, true]);
  });
});

describe('a stranger on the socket', () => {
  it('needs to be the owner', () => {
    expect(statSync(socketPath).mode & 0o077).toBe(0);
  });

  it.each([
    ['text', 'GET / HTTP/1.1\r\n\r\n'],
    ['an array', '[1,2,3]'],
    ['broken JSON', '{"method":}'],
    ['no request', '{"result":1,"error":null,"id":0}'],
    ['null', '{"method":"version","params":null,"id":0}'],
    ['no end', `{"method":"${'x'.repeat(MAX_REQUEST_BYTES)}`],
  ])('that sends %s loses only its connection', async (_name, bytes) => {
    const before = server.dropped;
    expect(await raw(bytes)).toBe('');
    expect(server.dropped).toBe(before + 1);
    expect(await appctl('version')).toMatchObject({ code: 0 });
  });

  it('gets answers in the order of its requests, however they are sliced', async () => {
    const socket = connect(socketPath);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const stream =
      ' {"id":"a}\\"","method":"version","params":[]}\n{"id":1,"method":"fdb/show","params":[3]}';
    for (const byte of Buffer.from(stream)) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (!text.includes('non-string')) await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    expect(text).toBe(
      '{"error":null,"id":"a}\\"","result":"ovs-vswitchd (Open vSwitch) 3.1.0\\n"}' +
        '{"error":"\\"fdb/show\\" command has non-string argument\\n","id":1,"result":null}',
    );
  });

  it('cannot take every connection for ever', async () => {
    const sockets = Array.from({ length: 80 }, () => {
      const socket = connect(socketPath);
      socket.on('error', () => {});
      return socket;
    });
    while (server.refused < 16) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.refused).toBe(16);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await appctl('version')).toMatchObject({ code: 0 });
  });
});

it('binds a path longer than a socket address holds', async () => {
  const { mkdirSync, existsSync } = await import('node:fs');
  const deep = join(directory, 'd'.repeat(100), 'e'.repeat(60));
  mkdirSync(deep, { recursive: true });
  const clock = new RealClock();
  const silent = { emer() {}, err() {}, warn() {}, info() {}, dbg() {}, enabled: () => false };
  const other = new UnixctlServer({ commands, clock, log: silent });
  await other.listen(join(deep, 'x.ctl'));
  expect(existsSync(join(deep, 'x.ctl'))).toBe(true);
  await other.close();
  expect(existsSync(join(deep, 'x.ctl'))).toBe(false);
});
