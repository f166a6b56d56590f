/**
 * Events of rtnetlink groups (rtnetlink(7)), read when the event loop says that some wait.
 *
 * All that waits is read at once, and `changed` is told once: thousands of events of one moment are one change. Events that the
 * kernel dropped (ENOBUFS) are an event of their own: what was built from them has to be listed anew. No thread waits for events:
 * one that slept in poll(2) would keep a process that crashed or exited from ending.
 */
import type { Socket } from 'node:net';
import { streamOf } from './fd-stream.ts';
import { NetlinkSocket } from './netlink.ts';
import { SystemError } from './system-error.ts';

const ENOBUFS = 105;

export interface NetlinkEventHooks {
  /** One datagram of messages, valid during the call. */
  take(datagram: Uint8Array): void;
  /** Events were lost, and the queue is empty now. */
  lost(): void;
  /** After each burst of either. */
  changed(): void;
}

export class NetlinkEvents {
  private readonly socket: NetlinkSocket;
  private readonly hooks: NetlinkEventHooks;
  private stream: Socket | undefined;
  private ended: () => void = () => {};
  private closed = false;

  /** `groups`: RTMGRP_* bits; `eventBytes`: what the kernel may hold for us before it drops events. Throws SystemError. */
  constructor(groups: number, eventBytes: number, hooks: NetlinkEventHooks) {
    this.socket = new NetlinkSocket(groups, eventBytes);
    this.hooks = hooks;
  }

  /** Follows events; resolves when close() has ended that. It keeps no process alive. */
  follow(): Promise<void> {
    this.watch();
    return new Promise((resolve) => {
      this.ended = resolve;
    });
  }

  /**
   * Reads what waits now, without telling `changed`; true when there was something. After a loss the kernel drops further
   * events in silence until the queue is empty (netlink(7), ENOBUFS), so `lost` is told only then.
   */
  read(lost = false): boolean {
    let changed = false;
    for (;;) {
      try {
        const datagram = this.socket.receive();
        if (datagram === null) break;
        this.hooks.take(datagram);
        changed = true;
      } catch (failure) {
        if (!(failure instanceof SystemError)) throw failure;
        lost = true;
        if (failure.errno !== ENOBUFS) break;
      }
    }
    if (!lost) return changed;
    this.hooks.lost();
    return true;
  }

  /** Ends follow(). */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.stream === undefined) this.socket.close();
    else this.stream.destroy();
  }

  private watch(): void {
    const stream = streamOf(this.socket.fd, 'rtnetlink');
    this.stream = stream;
    stream.on('data', (datagram: Buffer) => {
      this.hooks.take(datagram);
      this.read();
      this.hooks.changed();
    });
    // Only lost events (ENOBUFS) end the stream, not the socket behind it: watch again, then list.
    stream.on('error', () => {});
    stream.on('close', () => {
      if (this.closed) {
        this.socket.close();
        this.ended();
        return;
      }
      this.watch();
      this.read(true);
      this.hooks.changed();
    });
  }
}
