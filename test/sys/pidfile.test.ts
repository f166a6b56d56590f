import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPidfile } from '../../src/sys/pidfile.ts';

let directory: string;
let path: string;
let holder: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsv-pid-'));
  path = join(directory, 'x.pid');
});

afterEach(() => {
  holder?.kill('SIGKILL');
  holder = undefined;
  rmSync(directory, { recursive: true });
});

/** What fcntl(F_GETLK) tells another process about the file: the holder's pid, or `none`. */
const lockSeenByOthers = (): string =>
  execFileSync('python3', [
    '-c',
    'import fcntl,struct,sys\n' +
      "f=open(sys.argv[1],'r+')\n" +
      "l=fcntl.fcntl(f,fcntl.F_GETLK,struct.pack('hhqqi4x',fcntl.F_WRLCK,0,0,0,0))\n" +
      "t,w,s,n,p=struct.unpack('hhqqi4x',l)\n" +
      "print(p if t!=fcntl.F_UNLCK else 'none')",
    path,
  ])
    .toString()
    .trim();

it('holds a lock that others see under the pid that the file names', () => {
  const pidfile = createPidfile(path, false);
  expect(readFileSyncElsewhere()).toBe(`${process.pid}\n`);
  expect(lockSeenByOthers()).toBe(String(process.pid));
  // A child that comes and goes takes nothing of the lock with it.
  execFileSync('true');
  expect(lockSeenByOthers()).toBe(String(process.pid));
  pidfile.remove();
  expect(existsSync(path)).toBe(false);
});

/** Reading the file in this process would release its lock. */
const readFileSyncElsewhere = (): string => execFileSync('cat', [path]).toString();

it('refuses while another process holds the file, and says which', async () => {
  holder = spawn('python3', [
    '-c',
    "import fcntl,sys,time,os\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nf.write(str(os.getpid())+'\\n')\nf.flush()\nprint('x',flush=True)\ntime.sleep(60)",
    path,
  ]);
  await new Promise((resolve) => holder?.stdout?.once('data', resolve));
  expect(() => createPidfile(path, false)).toThrow(
    `${path}: already running as pid ${holder?.pid}, aborting`,
  );
  createPidfile(path, true);
  expect(lockSeenByOthers()).toBe(String(process.pid));
});

it('replaces the file of a process that is gone', () => {
  writeFileSync(path, '1\n');
  createPidfile(path, false);
  expect(readFileSyncElsewhere()).toBe(`${process.pid}\n`);
});

it('says where it cannot write', () => {
  expect(() => createPidfile('/nonexistent/x.pid', false)).toThrow(
    '/nonexistent/x.pid.tmp: create failed (No such file or directory)',
  );
});
