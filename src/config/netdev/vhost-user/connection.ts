/**
 * The socket to one front-end: cuts its bytes into messages, with the descriptors that came with them, and hands them to the session in
 * their order.
 */
import { addressOf, close, send } from '../../../sys/libc.ts';
import { Readiness } from '../../../sys/readiness.ts';
import { type Received, UnixMessages } from '../../../sys/unix-messages.ts';
import type { Logger } from '../../../util/logger.ts';
import { HEADER_BYTES, MAX_FDS, MAX_PAYLOAD_BYTES, readHead, reply } from './messages.ts';
import { type SessionDeps, VhostSession } from './session.ts';

const MSG_NOSIGNAL = 0x4000;

export interface ConnectionDeps {
  readonly fd: number;
  readonly name: string;
  readonly log: Logger;
  readonly session: SessionDeps;
  /** The link came up or went down. */
  readonly changed: () => void;
  /** The front-end is gone and nothing of it is in use any more. */
  readonly ended: () => void;
}

export class VhostConnection {
  private readonly deps: ConnectionDeps;
  private readonly session: VhostSession;
  private readonly messages: UnixMessages;
  private readonly readiness: Readiness;
  private readonly buffer = new Uint8Array(HEADER_BYTES + MAX_PAYLOAD_BYTES);
  private readonly view = new DataView(this.buffer.buffer);
  /** Of the message that is coming. */
  private have = 0;
  private fds: number[] = [];
  private isBusy = false;
  private wasUp = false;
  private ending: Promise<void> | null = null;

  constructor(deps: ConnectionDeps) {
    this.deps = deps;
    this.session = new VhostSession(deps.session);
    this.messages = new UnixMessages(deps.fd, MAX_FDS);
    this.readiness = new Readiness(deps.fd, deps.name, () => void this.readAll());
  }

  get isUp(): boolean {
    return this.session.isUp;
  }

  get features(): bigint {
    return this.session.features;
  }

  /** Ends the conversation. Resolves when nothing of it is in use any more. */
  close(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    this.readiness.close();
    await this.session.close();
    for (const fd of this.fds) close(fd);
    close(this.deps.fd);
    this.deps.ended();
  }

  /** Reads until nothing is there; the messages in it are carried out one by one. */
  private async readAll(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.ending === null) {
        const received = this.readSome();
        if (received === null) {
          this.readiness.rearm();
          break;
        }
        if (received.bytes <= 0) {
          await this.close();
          break;
        }
        this.have += received.bytes;
        this.fds.push(...received.fds);
        await this.takeWhole();
      }
    } catch (failure) {
      this.deps.log.warn(`${this.deps.name}: vhost-user: ${(failure as Error).message}`);
      await this.close();
    } finally {
      this.isBusy = false;
    }
  }

  /** Reads no further than the end of the message: descriptors belong to the bytes that they came with. */
  private readSome(): Received | null {
    const head = this.have < HEADER_BYTES ? null : readHead(this.view);
    const wanted = HEADER_BYTES + (head?.payloadBytes ?? 0);
    return this.messages.receive(this.buffer, this.have, wanted - this.have);
  }

  private async takeWhole(): Promise<void> {
    if (this.have < HEADER_BYTES) return;
    const head = readHead(this.view);
    if (head === null) throw new Error('the front-end does not speak vhost-user');
    if (this.have < HEADER_BYTES + head.payloadBytes) return;
    const { fds } = this;
    this.fds = [];
    this.have = 0;
    const payload = new DataView(this.buffer.buffer, HEADER_BYTES, head.payloadBytes);
    const answer = await this.session.take(head, payload, fds);
    if (answer !== undefined) {
      const bytes = reply(head.request, answer);
      send(this.deps.fd, addressOf(bytes), bytes.length, MSG_NOSIGNAL);
    }
    if (this.session.isUp !== this.wasUp) {
      this.wasUp = this.session.isUp;
      this.deps.changed();
    }
  }
}
