/**
 * The worker's loop: wait, take commands, give each ready port a batch in turn.
 *
 * It never returns to Node's event loop (measured: polling from there costs twice the round trip and half a core), so
 * everything that should reach it comes through the command ring and its doorbell.
 *
 * Ports that had frames stay in `active` and are asked again without a system call between, until one has none. When
 * all are dry, the loop looks with epoll for up to SPIN_MAX_US before it blocks. How long pays off is learned: a wait
 * that was short doubles the spin, a long one halves it, so an idle switch spins not at all. Between two looks it gives the
 * processor to whoever else wants it: on a machine with fewer processors than busy threads, spinning took a third of the
 * worker's time from the very hosts whose frames it waited for.
 */
import { EPOLLERR, EPOLLHUP, EPOLLIN, Epoll } from '../sys/epoll.ts';
import type { Doorbell } from '../sys/eventfd.ts';
import { schedYield } from '../sys/libc.ts';
import type { DatapathCore } from './core.ts';
import type { DevicePort } from './device-port.ts';

const SPIN_MAX_US = 50;
/** Rounds of busy ports between two looks for others that have become ready. */
const ROUNDS_PER_LOOK = 8;
/** Rounds of busy ports between two readings of the kernel's drop counters. */
const ROUNDS_PER_DROPS = 8192;
/** How long after traffic the kernel's drop counters are read. */
const DROPS_DELAY_MS = 100;
/** Behind all port numbers. */
const DOORBELL_TOKEN = 65_536;

export interface LoopCommands {
  /** True when a command waits. Cheap: asked in every round. */
  waiting(): boolean;
  /** Carries out what waits. */
  take(): void;
  /** Tells the main thread about upcalls made since the last call. */
  report(): void;
  /** A port's device was deleted: it is not polled any more and waits to be removed. */
  deviceGone(port: DevicePort): void;
  /** Says whether the doorbell is needed from now on. */
  setSleeping(sleeping: boolean): void;
}

export class Loop {
  private readonly core: DatapathCore;
  private readonly doorbell: Doorbell;
  private readonly commands: LoopCommands;
  private readonly nowMs: () => number;
  private readonly epoll = new Epoll();
  private readonly ports: (DevicePort | undefined)[] = [];
  /** The first activeCount ones. A shorter array would be a new one each time. */
  private readonly active: DevicePort[] = [];
  private activeCount = 0;
  private readonly isActive = new Uint8Array(DOORBELL_TOKEN);
  /** Ports that had frames since their drops were collected. */
  private readonly undrained: DevicePort[] = [];
  private undrainedCount = 0;
  private readonly isUndrained = new Uint8Array(DOORBELL_TOKEN);
  private collectedAtMs = 0;
  private spinUs = 0;
  private running = false;

  /** `nowMs`: monotonic milliseconds with fractions. */
  constructor(core: DatapathCore, doorbell: Doorbell, commands: LoopCommands, nowMs: () => number) {
    this.core = core;
    this.doorbell = doorbell;
    this.commands = commands;
    this.nowMs = nowMs;
    this.epoll.add(doorbell.fd, DOORBELL_TOKEN);
  }

  /** Starts taking frames from the port. Throws SystemError. */
  addPort(port: DevicePort): void {
    this.epoll.add(port.fd, port.portNo);
    for (const fd of port.moreFds ?? []) this.epoll.add(fd, port.portNo);
    this.ports[port.portNo] = port;
  }

  removePort(port: DevicePort): void {
    this.epoll.remove(port.fd);
    for (const fd of port.moreFds ?? []) this.epoll.remove(fd);
    this.ports[port.portNo] = undefined;
    this.deactivate(port);
    this.undrainedCount = without(this.undrained, this.undrainedCount, port);
    this.isUndrained[port.portNo] = 0;
  }

  /** Makes run() return after the command that is being carried out. */
  stop(): void {
    this.running = false;
  }

  run(): void {
    this.running = true;
    for (let round = 1; this.running; round++) {
      if (this.core.held.frames > 0) {
        this.core.held.drainAll();
        this.commands.report();
      }
      if (this.commands.waiting()) {
        this.commands.take();
        this.commands.report();
        continue;
      }
      if (this.activeCount === 0) {
        this.wait();
        continue;
      }
      this.pollActive();
      this.commands.report();
      if (round % ROUNDS_PER_LOOK === 0) this.admit(this.epoll.wait(0));
      if (round % ROUNDS_PER_DROPS === 0) this.collectDrops();
    }
  }

  close(): void {
    this.epoll.close();
  }

  /** One batch for each active port; those without frames leave the list. */
  private pollActive(): void {
    const active = this.active;
    let kept = 0;
    for (let i = 0; i < this.activeCount; i++) {
      const port = active[i];
      if (this.core.poll(port) > 0) active[kept++] = port;
      else this.isActive[port.portNo] = 0;
    }
    this.activeCount = kept;
  }

  private wait(): void {
    if (this.look()) return;
    if (this.spinUs > 0 && this.spin()) return;
    let timeoutMs = -1;
    if (this.undrainedCount > 0) {
      const dueMs = this.collectedAtMs + DROPS_DELAY_MS - this.nowMs();
      if (dueMs <= 0) this.collectDrops();
      else timeoutMs = Math.ceil(dueMs);
    }
    if (this.core.held.frames > 0) {
      const waitMs = this.core.held.dueMs() - this.core.held.now();
      if (waitMs <= 0) return;
      if (timeoutMs < 0 || waitMs < timeoutMs) timeoutMs = Math.ceil(waitMs);
    }
    this.commands.setSleeping(true);
    if (!this.commands.waiting()) {
      const before = this.nowMs();
      this.admit(this.epoll.wait(timeoutMs));
      const sleptUs = (this.nowMs() - before) * 1000;
      this.spinUs = sleptUs < SPIN_MAX_US ? SPIN_MAX_US : this.spinUs >> 1;
    }
    this.commands.setSleeping(false);
  }

  /**
   * Looks into the rings of ports that had frames lately, without a system call: what was just sent is often answered
   * within the send, by the stack of a neighbouring namespace (a ping saves two waits of four). True when one has frames.
   */
  private look(): boolean {
    const ports = this.undrained;
    let found = false;
    for (let i = 0; i < this.undrainedCount; i++) {
      const port = ports[i];
      if (this.isActive[port.portNo] === 0 && port.hasFrame()) {
        this.activate(port);
        found = true;
      }
    }
    return found;
  }

  /** Looks again and again for spinUs. True when there is something to do. */
  private spin(): boolean {
    const until = this.nowMs() + this.spinUs / 1000;
    do {
      if (this.look()) return true;
      const ready = this.epoll.wait(0);
      if (ready > 0) {
        this.admit(ready);
        this.spinUs = Math.min(SPIN_MAX_US, this.spinUs * 2);
        return true;
      }
      if (this.commands.waiting()) return true;
      // Whoever waits for this processor goes first: most likely what this thread itself waits for comes from there.
      schedYield();
    } while (this.nowMs() < until);
    return false;
  }

  private admit(ready: number): void {
    for (let i = 0; i < ready; i++) {
      const token = this.epoll.token(i);
      if (token === DOORBELL_TOKEN) {
        this.doorbell.clear();
        continue;
      }
      const port = this.ports[token];
      if (port === undefined) continue;
      const flags = this.epoll.flags(i);
      if ((flags & (EPOLLERR | EPOLLHUP)) !== 0 && !port.onDeviceError()) {
        // The device is gone; its descriptor would be reported for ever.
        this.epoll.remove(port.fd);
        this.commands.deviceGone(port);
        continue;
      }
      if ((flags & EPOLLIN) !== 0 && this.isActive[token] === 0) this.activate(port);
    }
  }

  private activate(port: DevicePort): void {
    this.isActive[port.portNo] = 1;
    this.active[this.activeCount++] = port;
    if (this.isUndrained[port.portNo] === 0) {
      if (this.undrainedCount === 0) this.collectedAtMs = this.nowMs();
      this.isUndrained[port.portNo] = 1;
      this.undrained[this.undrainedCount++] = port;
    }
  }

  private deactivate(port: DevicePort): void {
    this.activeCount = without(this.active, this.activeCount, port);
    this.isActive[port.portNo] = 0;
  }

  private collectDrops(): void {
    const ports = this.undrained;
    let kept = 0;
    for (let i = 0; i < this.undrainedCount; i++) {
      const port = ports[i];
      port.collectDrops();
      if (this.isActive[port.portNo] !== 0) ports[kept++] = port;
      else this.isUndrained[port.portNo] = 0;
    }
    this.undrainedCount = kept;
    this.collectedAtMs = this.nowMs();
  }
}

/** Takes `port` out of the first `count` of a list, in which it may stand once, and returns how many are left. */
function without(list: DevicePort[], count: number, port: DevicePort): number {
  let kept = 0;
  for (let i = 0; i < count; i++) if (list[i] !== port) list[kept++] = list[i];
  // What lies behind must not keep a closed port alive.
  list.length = kept;
  return kept;
}
