/**
 * Ports whose frames wait for their turn (QoS). Such a port stands in front of the real one: the way out finds it in place of the
 * port, so that ports without QoS cost nothing for it, not even a question.
 *
 * Frames go when they come, if they may; else whoever runs the loop asks again at dueMs(), and whenever it comes by.
 */
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, Batch } from './batch.ts';
import { type Discipline, HtbDiscipline, NetemDiscipline } from './discipline.ts';
import { HeldMemory } from './held-frames.ts';
import type { Port } from './port.ts';
import type { QosConfig } from './qos.ts';
import { type Shared, TX_DROPPED } from './shared.ts';

export class HeldPort implements Port {
  readonly inner: Port;
  private readonly ports: HeldPorts;
  discipline: Discipline;

  constructor(inner: Port, discipline: Discipline, ports: HeldPorts) {
    this.inner = inner;
    this.discipline = discipline;
    this.ports = ports;
  }

  get portNo() {
    return this.inner.portNo;
  }
  get name(): string {
    return this.inner.name;
  }
  get fd(): number {
    return this.inner.fd;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  set mtu(bytes: number) {
    this.inner.mtu = bytes;
  }
  get takesOffload(): boolean {
    return this.inner.takesOffload;
  }
  wantsSegments(batch: Batch, p: number): boolean {
    return this.discipline.wantsSegments(batch, p);
  }
  receive(batch: Batch): number {
    return this.inner.receive(batch);
  }
  send(batch: Batch, p: number): void {
    if (this.discipline.hold(batch, p, this.ports.now())) this.ports.frames++;
    else this.ports.countDrop(this.portNo);
  }
  flush(): void {
    if (this.discipline.count > 0) this.ports.drain(this);
  }
  release(): void {
    this.inner.release();
  }
  close(): void {
    this.inner.close();
  }
}

export class HeldPorts {
  /** Frames that wait, on all ports. */
  frames = 0;
  readonly now: () => number;
  private readonly shared: Shared;
  private readonly memory: HeldMemory;
  private readonly seed: number;
  private readonly ports: HeldPort[] = [];
  private readonly out = new Batch();

  /** `now`: monotonic milliseconds, with fractions where there are. */
  constructor(region: Region, shared: Shared, now: () => number, seed: number) {
    this.shared = shared;
    this.memory = new HeldMemory(region);
    this.now = now;
    this.seed = seed;
  }

  /**
   * The port to send to from now on, in place of `port`, which may be an answer of an earlier call. Frames that cannot stay when
   * the kind of QoS changes are lost.
   */
  configure(port: Port, config: QosConfig | null, slots: readonly number[]): Port {
    const held = port instanceof HeldPort ? port : null;
    const now = this.now();
    if (config === null) return held === null ? port : this.remove(held);
    if (config.kind === 'htb' && held?.discipline instanceof HtbDiscipline) {
      const before = held.discipline.count;
      held.discipline.configure(config, slots, now);
      this.frames += held.discipline.count - before;
      return held;
    }
    const discipline =
      config.kind === 'htb'
        ? new HtbDiscipline(this.memory, this.shared, config, slots, now)
        : new NetemDiscipline(this.memory, this.shared, config, this.seed);
    if (held !== null) {
      this.forget(held);
      held.discipline = discipline;
      return held;
    }
    const fresh = new HeldPort(port, discipline, this);
    this.ports.push(fresh);
    return fresh;
  }

  /** The port behind, which is sent to directly again. What waits is lost. */
  remove(port: Port): Port {
    if (!(port instanceof HeldPort)) return port;
    this.forget(port);
    this.ports.splice(this.ports.indexOf(port), 1);
    return port.inner;
  }

  /** Sends what may go on all ports. */
  drainAll(): void {
    for (let i = 0; i < this.ports.length; i++) {
      if (this.ports[i].discipline.count > 0) this.drain(this.ports[i]);
    }
  }

  /** When there will be something to send, in time of `now`; Infinity when nothing waits. */
  dueMs(): number {
    let soonest = Number.POSITIVE_INFINITY;
    if (this.frames === 0) return soonest;
    const now = this.now();
    for (let i = 0; i < this.ports.length; i++) {
      const { discipline } = this.ports[i];
      if (discipline.count > 0) soonest = Math.min(soonest, discipline.dueMs(now));
    }
    return soonest;
  }

  drain(port: HeldPort): void {
    const { discipline, inner } = port;
    const out = this.out;
    const now = this.now();
    while (discipline.release(out, now)) {
      this.frames--;
      inner.send(out, out.count - 1);
      if (out.count < BATCH_FRAMES) continue;
      inner.flush();
      out.clear();
    }
    inner.flush();
    out.clear();
  }

  countDrop(portNo: number): void {
    this.shared.ports[this.shared.portBase(portNo) + TX_DROPPED]++;
  }

  private forget({ discipline }: HeldPort): void {
    this.frames -= discipline.count;
    discipline.free();
  }
}
