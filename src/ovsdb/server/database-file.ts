/**
 * A database's file: opened with its lock, appended to at each commit, written anew when it has grown.
 *
 * A commit is in the file before it is in force. What stands there survives the death of this process; a transaction that asked
 * for it (`commit` with `durable`) survives that of the machine. A record that was cut short is dropped at the next start.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type LockFile, lockFile } from '../../sys/lock-file.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { JsonObject } from '../json-stream.ts';
import { apply, prepare } from './commit.ts';
import { convert, isOlder } from './convert.ts';
import { Database, type RowChange } from './database.ts';
import { readSchema, schemaJson } from './database-schema.ts';
import type { Journal } from './database-server.ts';
import { OvsdbFailure } from './failure.ts';
import { parseLog, recordBytes, replay, snapshotOf, transactionRecord } from './log-text.ts';
import { Transaction } from './transaction.ts';

export interface FileOptions {
  readonly path: string;
  /** What a file is made of that does not exist yet. */
  readonly schema: JsonObject;
  readonly newUuid: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The file cannot be used: `holder` is the process that has it, null for any other reason. */
export class DatabaseFileError extends Error {
  readonly holder: number | null;
  constructor(message: string, holder: number | null = null) {
    super(message);
    this.name = 'DatabaseFileError';
    this.holder = holder;
  }
}

/** Below, a file is never written anew by itself. */
const MIN_COMPACT_BYTES = 10 << 20;
/** How much longer than its last snapshot a file may grow. */
const MAX_GROWTH = 4;

export class DatabaseFile implements Journal {
  private content: Database;
  private readonly path: string;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly lock: LockFile;
  private fd: number;
  private bytes: number;
  private snapshotBytes: number;

  /** Opens or makes the file. Throws DatabaseFileError. */
  static open(options: FileOptions): DatabaseFile {
    let path = options.path;
    try {
      // A link stays one when the file behind is written anew.
      if (existsSync(path)) path = realpathSync(path);
      const lock = lockFile(path);
      if (typeof lock === 'number')
        throw new DatabaseFileError(`${path}: locked by process ${lock}`, lock);
      try {
        return new DatabaseFile({ ...options, path }, lock);
      } catch (error) {
        lock.release();
        throw error;
      }
    } catch (error) {
      if (error instanceof DatabaseFileError) throw error;
      if (error instanceof OvsdbFailure || isSystemError(error))
        throw new DatabaseFileError(`${path}: ${error.message}`);
      throw error;
    }
  }

  private constructor(options: FileOptions, lock: LockFile) {
    const { path, clock, log } = options;
    this.path = path;
    this.clock = clock;
    this.log = log;
    this.lock = lock;
    if (!existsSync(path)) replaceFile(path, [recordBytes(options.schema)]);
    const content = readFileSync(path);
    const { records, ends, goodBytes, problem } = parseLog(content);
    if (records.length === 0)
      throw new DatabaseFileError(`${path}: not a database file${problem ? ` (${problem})` : ''}`);
    const found = new Database(readSchema(records[0]));
    if (found.schema.name !== options.schema.name)
      throw new DatabaseFileError(`${path}: holds the database ${found.schema.name}`);
    for (const record of records.slice(1)) {
      const txn = new Transaction(found, options.newUuid);
      replay(txn, record);
      prepare(txn);
      apply(txn);
    }
    const newer = this.upgraded(found, options);
    this.content = newer ?? found;
    this.fd = openSync(path, constants.O_RDWR | constants.O_APPEND);
    if (problem !== null) {
      log.warn(`${path}: ${problem}`);
      log.warn(
        `${path}: dropping the last ${content.length - goodBytes} bytes, which are no whole record`,
      );
      ftruncateSync(this.fd, goodBytes);
    }
    this.bytes = goodBytes;
    this.snapshotBytes = ends[1] ?? goodBytes;
    if (newer !== null) this.compact();
  }

  /** The content in our schema when that of the file is older, as start scripts of Open vSwitch see to it; the file is kept beside. */
  private upgraded(found: Database, { path, log, newUuid, schema }: FileOptions): Database | null {
    const { version, cksum } = found.schema;
    const ours = readSchema(schema);
    if (!isOlder(version, ours.version)) return null;
    try {
      const newer = convert(found, ours, newUuid);
      const backup = `${path}.backup${version}-${cksum.replaceAll(' ', '-')}`;
      copyFileSync(path, backup);
      log.info(`${path}: converted from schema ${version} to ${ours.version}, kept as ${backup}`);
      return newer;
    } catch (failure) {
      if (!(failure instanceof OvsdbFailure)) throw failure;
      log.warn(`${path}: stays at schema ${version}: ${failure.message}`);
      return null;
    }
  }

  get db(): Database {
    return this.content;
  }

  replace(db: Database): void {
    try {
      this.write(db, 'converted while in use');
      this.content = db;
    } catch (error) {
      if (!(error instanceof DatabaseFileError)) throw error;
      throw new OvsdbFailure('I/O error', error.message);
    }
  }

  record(changes: readonly RowChange[], comment: string | null, durable: boolean): void {
    const record = transactionRecord(changes, comment, this.clock.wall());
    if (record === null) return;
    const bytes = recordBytes(record);
    try {
      writeAll(this.fd, bytes);
      if (durable) fsyncSync(this.fd);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.log.err(`${this.path}: cannot write: ${error.message}`);
      this.cutBack();
      throw new OvsdbFailure('I/O error', `${this.path}: write failed (${error.message})`);
    }
    this.bytes += bytes.length;
  }

  /** Writes the file anew if it has grown out of proportion. To be called when there is time. */
  compactIfGrown(): void {
    if (this.bytes < MIN_COMPACT_BYTES || this.bytes < MAX_GROWTH * this.snapshotBytes) return;
    try {
      this.compact();
    } catch (error) {
      if (!(error instanceof DatabaseFileError)) throw error;
      this.log.warn(error.message);
      // Not again before it has doubled.
      this.snapshotBytes = this.bytes;
    }
  }

  /** Writes the present content as one record into a new file that takes the place of the old. Throws DatabaseFileError. */
  compact(): void {
    this.write(this.db, 'compacted while in use');
  }

  private write(db: Database, comment: string): void {
    const record = transactionRecord(snapshotOf(db), comment, this.clock.wall());
    const parts = [recordBytes(schemaJson(db.schema))];
    if (record !== null) parts.push(recordBytes(record));
    try {
      replaceFile(this.path, parts);
      const fd = openSync(this.path, constants.O_RDWR | constants.O_APPEND);
      closeSync(this.fd);
      this.fd = fd;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new DatabaseFileError(`${this.path}: cannot write it anew: ${error.message}`);
    }
    this.bytes = parts.reduce((sum, { length }) => sum + length, 0);
    this.snapshotBytes = this.bytes;
  }

  close(): void {
    closeSync(this.fd);
    this.lock.release();
  }

  /** Takes back what a failed write left. */
  private cutBack(): void {
    try {
      ftruncateSync(this.fd, this.bytes);
    } catch (error) {
      this.log.err(`${this.path}: cannot truncate: ${(error as Error).message}`);
    }
  }
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** Puts a whole file in the place of another: at no moment is there none, or half of one. */
function replaceFile(path: string, parts: readonly Uint8Array[]): void {
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o640);
  try {
    for (const part of parts) writeAll(fd, part);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), constants.O_RDONLY);
  fsyncSync(directory);
  closeSync(directory);
}
