/**
 * A lock that one process holds on a file, beside the file and in the way of Open vSwitch: `/dir/.NAME.~lock~`, locked with
 * fcntl(2) for writing. It goes with the process. POSIX locks are dropped when any descriptor of the file is closed, so
 * the lock file is opened once.
 */
import { closeSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { holderOfLock, lockWhole } from './pidfile.ts';

export interface LockFile {
  release(): void;
}

/** Locks for the file at `path`. Answers the process id of the holder when somebody else has it. Throws what open(2) fails with. */
export function lockFile(path: string): LockFile | number {
  const lockPath = join(dirname(path), `.${basename(path)}.~lock~`);
  const fd = openSync(lockPath, 'a+', 0o600);
  if (lockWhole(fd)) return { release: () => closeSync(fd) };
  const holder = holderOfLock(fd) ?? 0;
  closeSync(fd);
  return holder;
}
