/**
 * The control socket: accepts ovs-appctl, runs one command at a time per connection, answers in order.
 *
 * A connection is read only while it has nothing unanswered, so a client that asks faster than it reads stops
 * itself; one that leaves an answer unread for a minute is dropped. Trouble of a connection ends that connection
 * and is counted, nothing more.
 */
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { CommandError, type CommandTable } from './command.ts';
import { errorReply, type Request, RequestSplitter, successReply } from './protocol.ts';

const MAX_CLIENTS = 64;
/** Requests that one read may bring while another runs; ovs-appctl sends one. */
const MAX_QUEUED = 64;
const UNREAD_MS = 60_000;
/** sun_path of unix(7), with its final NUL. */
const MAX_PATH_BYTES = 107;

export interface UnixctlOptions {
  commands: CommandTable;
  clock: Clock;
  log: Logger;
}

export class UnixctlServer {
  private readonly options: UnixctlOptions;
  private readonly server: Server;
  private readonly clients = new Set<Socket>();
  private readonly working = new Set<Promise<void>>();
  private path = '';
  private directoryFd = -1;
  /** Connections refused because there were too many. */
  refused = 0;
  /** Connections ended because of what they sent or did not read. */
  dropped = 0;

  constructor(options: UnixctlOptions) {
    this.options = options;
    this.server = createServer((socket) => this.accept(socket));
  }

  /** Binds the socket for its owner only (mode 0700). Rejects with Node's error of listen. */
  listen(path: string): Promise<void> {
    this.path = path;
    let bindPath = path;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      // A long path fits when seen through a descriptor of its directory (proc(5)).
      this.directoryFd = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
      bindPath = `/proc/self/fd/${this.directoryFd}/${basename(path)}`;
    }
    removeFile(path);
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      // bind happens inside listen(), so the mask covers exactly it.
      const mask = process.umask(0o077);
      try {
        this.server.listen(bindPath, () => {
          this.server.removeListener('error', reject);
          this.server.on('error', (error) =>
            this.options.log.info(`accept failed: ${error.message}`),
          );
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  /** Stops listening, lets answers under way go out (for a second at most), removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    const patience = new Promise<void>((resolve) => {
      setTimeout(resolve, 1000).unref();
    });
    await Promise.race([Promise.allSettled([...this.working]), patience]);
    for (const socket of this.clients) socket.destroySoon();
    await Promise.race([closed, patience]);
    for (const socket of this.clients) socket.destroy();
    removeFile(this.path);
    if (this.directoryFd >= 0) closeSync(this.directoryFd);
    this.directoryFd = -1;
  }

  private accept(socket: Socket): void {
    if (this.clients.size >= MAX_CLIENTS) {
      this.refused++;
      socket.destroy();
      return;
    }
    this.clients.add(socket);
    const splitter = new RequestSplitter();
    const queue: Request[] = [];
    let busy = false;

    const drop = (reason: string): void => {
      this.dropped++;
      this.options.log.info(`dropping a connection: ${reason}`);
      socket.destroy();
    };
    const serve = async (): Promise<void> => {
      busy = true;
      socket.pause();
      for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
        const reply = await this.answer(request);
        if (socket.destroyed) break;
        if (!(await this.send(socket, reply))) {
          drop('it does not read its answers');
          break;
        }
      }
      busy = false;
      socket.resume();
    };
    socket.on('data', (chunk: Buffer) => {
      try {
        queue.push(...splitter.push(chunk));
      } catch (error) {
        drop(error instanceof Error ? error.message : String(error));
        return;
      }
      if (queue.length > MAX_QUEUED) {
        drop('too many requests at once');
      } else if (!busy && queue.length > 0) {
        const work = serve().finally(() => this.working.delete(work));
        this.working.add(work);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.clients.delete(socket));
  }

  private async answer(request: Request): Promise<string> {
    const { commands, log } = this.options;
    const id = JSON.stringify(request.id);
    if (log.enabled('dbg')) {
      log.dbg(`received request ${request.method}${JSON.stringify(request.params)}, id=${id}`);
    }
    try {
      const text = await commands.run(request.method, request.params);
      if (log.enabled('dbg')) log.dbg(`replying with success, id=${id}: ${JSON.stringify(text)}`);
      return successReply(request.id, text);
    } catch (error) {
      if (!(error instanceof CommandError)) {
        const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
        log.err(`command ${request.method} failed by a defect: ${detail}`);
        return errorReply(request.id, `internal error in "${request.method}" (see the log)`);
      }
      if (log.enabled('dbg')) {
        log.dbg(`replying with error, id=${id}: ${JSON.stringify(error.message)}`);
      }
      return errorReply(request.id, error.message);
    }
  }

  /** True when the kernel took the whole answer, false when the client left it unread for too long. */
  private send(socket: Socket, reply: string): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.options.clock.after(UNREAD_MS, () => resolve(false));
      const done = (): void => {
        timer.cancel();
        socket.removeListener('close', done);
        resolve(true);
      };
      socket.once('close', done);
      socket.write(reply, done);
    });
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there.
  }
}
