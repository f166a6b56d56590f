import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

// Inside node_modules, where the bundle finds koffi.
const bundleDirectory = resolve('node_modules', `.tsv-daemonize-${process.pid}`);
const bundle = join(bundleDirectory, 'daemon.mjs');
let directory: string;

beforeAll(async () => {
  mkdirSync(bundleDirectory, { recursive: true });
  const build = await rolldown({
    input: 'test/cli/fixtures/daemon.ts',
    platform: 'node',
    external: ['koffi', 'raw-socket'],
  });
  await build.write({ file: bundle, format: 'esm' });
  await build.close();
});
afterAll(() => rmSync(bundleDirectory, { recursive: true }));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-daemon-'));
});
afterEach(() => {
  const pid = pidNow();
  if (pid !== undefined) kill(pid, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

const file = (name: string): string => join(directory, name);
const pidNow = (): number | undefined =>
  existsSync(file('pid')) ? Number(readFileSync(file('pid'), 'utf8')) : undefined;
const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
};
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resume) => setTimeout(resume, 10));
};
const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Runs until every holder of stdout and stderr is gone, as a shell's $(...) would. */
const run = (...flags: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((done) => {
    execFile(process.execPath, [bundle, directory, ...flags], (error, out, err) => {
      done({ code: Number(error?.code ?? 0), out, err });
    });
  });

describe('--detach', () => {
  it('returns when the daemon is ready, and leaves nothing of the terminal behind', async () => {
    expect(await run('--detach')).toEqual({ code: 0, out: '', err: '' });
    const pid = pidNow() as number;
    expect(alive(pid)).toBe(true);
    process.kill(pid, 'SIGTERM');
    await until(() => existsSync(file('end')));
    expect(readFileSync(file('end'), 'utf8')).toBe('clean in /\n');
    expect(existsSync(file('pid'))).toBe(false);
  });

  it('hands on the status and the words of a daemon that cannot start', async () => {
    expect(await run('--detach', '--fail')).toEqual({ code: 7, out: '', err: 'cannot start\n' });
    expect(await run('--detach', '--monitor', '--fail')).toEqual({
      code: 7,
      out: '',
      err: 'cannot start\n',
    });
  });

  it('says what killed a daemon before it was ready', async () => {
    const { code, err } = await run('--detach', '--die');
    expect(code).toBe(1);
    expect(err).toBe(
      'ovs-vswitchd: fork child died before signaling startup (killed (Segmentation fault))\n',
    );
  });
});

describe('--monitor', () => {
  it('starts a crashed daemon again, and ends with one that was ended', async () => {
    expect(await run('--detach', '--monitor')).toMatchObject({ code: 0 });
    const first = pidNow() as number;
    const monitor = parentOf(first);
    process.kill(first, 'SIGSEGV');
    await until(() => pidNow() !== first);
    const second = pidNow() as number;
    await until(() => alive(second));
    expect(parentOf(second)).toBe(monitor);
    expect(readFileSync(file('log'), 'utf8')).toContain(
      `|daemon_unix(monitor)|ERR|1 crashes: pid ${first} died, killed (Segmentation fault), restarting\n`,
    );
    // The new daemon must have its handlers before it is asked to go.
    await until(() => /SigCgt:\s+[0-9a-f]+/.test(readFileSync(`/proc/${second}/status`, 'utf8')));
    await new Promise((resume) => setTimeout(resume, 200));
    process.kill(second, 'SIGTERM');
    await until(() => !alive(monitor));
    expect(readFileSync(file('log'), 'utf8')).toContain(
      `|INFO|pid ${second} died, exit status 0, exiting\n`,
    );
  });

  it('passes SIGTERM on when it runs in the foreground', async () => {
    const child = spawn(process.execPath, [bundle, directory, '--monitor'], { stdio: 'ignore' });
    const ended = new Promise((done) => child.once('exit', done));
    await until(() => pidNow() !== undefined);
    await new Promise((resume) => setTimeout(resume, 200));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(readFileSync(file('end'), 'utf8')).toMatch(/^clean/);
  });
});
