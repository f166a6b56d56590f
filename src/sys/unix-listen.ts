/**
 * Listening on a path of the file system, for the owner only (mode 0700), however long the path is.
 */
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { basename, dirname } from 'node:path';

/** sun_path of unix(7), without its final NUL. */
const MAX_PATH_BYTES = 107;

export interface BoundPath {
  /** Removes the file. The server is closed by its owner. */
  remove(): void;
}

/** Replaces what lies there. Rejects with Node's error of listen. */
export function listenOnPath(server: Server, path: string): Promise<BoundPath> {
  let directoryFd = -1;
  let bindPath = path;
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    // A long path fits when seen through a descriptor of its directory (proc(5)).
    directoryFd = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    bindPath = `/proc/self/fd/${directoryFd}/${basename(path)}`;
  }
  const remove = (): void => {
    removeFile(path);
    if (directoryFd >= 0) closeSync(directoryFd);
    directoryFd = -1;
  };
  removeFile(path);
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      if (directoryFd >= 0) closeSync(directoryFd);
      directoryFd = -1;
      reject(error);
    };
    server.once('error', failed);
    // bind happens inside listen(), so the mask covers exactly it.
    const mask = process.umask(0o077);
    try {
      server.listen(bindPath, () => {
        server.removeListener('error', failed);
        resolve({ remove });
      });
    } finally {
      process.umask(mask);
    }
  });
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there.
  }
}
