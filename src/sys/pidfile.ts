/**
 * The pidfile, locked the way ovs-appctl expects: it believes a pidfile only while fcntl(F_GETLK) says that the
 * process named in it holds a write lock on it.
 *
 * POSIX locks belong to a process and go as soon as that process closes any descriptor of the file (fcntl(2),
 * "Advisory record locking"); a child does not inherit them. So the file is made by the last process of the chain
 * (see cli/daemonize.ts), opened once, and never opened again by it. It is written under another name and then
 * renamed, so that nobody ever reads a pidfile without a lock or without a number.
 */
import { closeSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { systemReason } from '../util/vlog.ts';
import { addressOf, fcntl } from './libc.ts';
import { SystemError } from './system-error.ts';

const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;
const EACCES = 13;
const EAGAIN = 11;
/** struct flock of 64-bit Linux: type i16 @0, whence i16 @2, start i64 @8, len i64 @16, pid i32 @24. */
const FLOCK_BYTES = 32;
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** A pidfile that this process holds. */
export interface Pidfile {
  readonly path: string;
  /** Removes the file; the lock goes with the process. */
  remove(): void;
}

/** Why there can be no pidfile, in the words to print. */
export class PidfileError extends Error {}

/**
 * Creates and locks `path` for this process. Throws PidfileError when a living process holds it (unless
 * `overwrite`) or when it cannot be written.
 */
export function createPidfile(path: string, overwrite: boolean): Pidfile {
  const holder = overwrite ? undefined : lockHolder(path);
  if (holder !== undefined) {
    throw new PidfileError(`${path}: already running as pid ${holder}, aborting`);
  }
  const temporary = `${path}.tmp`;
  let fd: number;
  try {
    fd = openSync(temporary, 'w', 0o666);
  } catch (error) {
    throw new PidfileError(`${temporary}: create failed (${systemReason(error)})`);
  }
  try {
    if (!lockWhole(fd, temporary)) {
      throw new PidfileError(
        `${path}: already running as pid ${lockHolder(temporary) ?? '?'}, aborting`,
      );
    }
    writeSync(fd, `${process.pid}\n`);
    renameSync(temporary, path);
  } catch (error) {
    closeSync(fd);
    if (error instanceof PidfileError) throw error;
    if (error instanceof SystemError) throw new PidfileError(error.message);
    throw new PidfileError(`${path}: cannot write pidfile (${systemReason(error)})`);
  }
  return {
    path,
    remove: () => {
      try {
        unlinkSync(path);
      } catch {
        // Removed by hand: nothing is left to remove.
      }
    },
  };
}

/** The process that holds a write lock on `path`, undefined when none does. Must not be asked about our own file. */
function lockHolder(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch {
    return undefined;
  }
  try {
    const holder = holderOfLock(fd);
    // 0 is a holder in another pid namespace: all that is known of it stands in the file.
    return holder === 0 ? Number.parseInt(readFileSync(fd, 'utf8'), 10) : holder;
  } finally {
    closeSync(fd);
  }
}

/** What a pidfile says: the process that lives and holds it, or why there is none. */
export type PidfileReading =
  | { readonly pid: number }
  | {
      /** A text of strerror(3). */
      readonly reason: string;
      /** What is worth a line in the log, behind the file's name. */
      readonly detail?: string;
    };

/** The living process of a pidfile. A lock held in another pid namespace has no number here: the file's counts. */
export function readPidfile(path: string): PidfileReading {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    const reason = systemReason(error);
    return { reason, detail: `open: ${reason}` };
  }
  try {
    const reason = 'No such process';
    const holder = holderOfLock(fd);
    if (holder === undefined) return { reason };
    const [line] = readFileSync(fd, 'utf8').split('\n');
    if (line === '') return { reason, detail: 'read: unexpected end of file' };
    const pid = Number.parseInt(line, 10);
    if (holder === 0 || holder === pid) return { pid };
    return { reason, detail: `stale pidfile for pid ${line} being deleted by pid ${holder}` };
  } finally {
    closeSync(fd);
  }
}

/** Locks a whole file for writing (fcntl(2), F_SETLK). False when another process has it; throws SystemError for anything else. */
export function lockWhole(fd: number, name = `descriptor ${fd}`): boolean {
  const lock = wholeFile(F_WRLCK);
  if (fcntl(fd, F_SETLK, addressOf(new Uint8Array(lock.buffer))) >= 0) return true;
  const failure = new SystemError('fcntl(F_SETLK)', name);
  if (failure.errno === EACCES || failure.errno === EAGAIN) return false;
  throw failure;
}

/** The process that keeps us from locking a file for writing: 0 for one of another pid namespace, undefined for none. */
export function holderOfLock(fd: number): number | undefined {
  const lock = wholeFile(F_WRLCK);
  if (fcntl(fd, F_GETLK, addressOf(new Uint8Array(lock.buffer))) < 0) return undefined;
  return lock.getInt16(0, LITTLE) === F_UNLCK ? undefined : lock.getInt32(24, LITTLE);
}

function wholeFile(type: number): DataView {
  const lock = new DataView(new ArrayBuffer(FLOCK_BYTES));
  lock.setInt16(0, type, LITTLE);
  return lock;
}
