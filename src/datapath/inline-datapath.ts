/**
 * The datapath on the caller's thread, with ports in memory: dummy bridges, the library, and the oracle of the
 * worker's datapath.
 *
 * A frame is through the switch when injectFrame() returns: received, its upcalls handled, transmitted. Upcalls
 * are queued and handled after the batch that raised them, so that a handler may call anything here; what it causes
 * is handled in a next round, and rounds have an end.
 */

import { DP_WORDS } from '../packet/key.ts';
import type { Region } from '../sys/region.ts';
import { heapRegion } from '../sys/region.ts';
import type { Clock, Timer } from '../util/clock.ts';
import type { Batch } from './batch.ts';
import { DatapathCore } from './core.ts';
import type {
  Datapath,
  DatapathThread,
  FlowId,
  FlowStats,
  FrameOffload,
  LookupStats,
  MeterConfig,
  MeterStats,
  PortNo,
  PortSpec,
  PortStats,
  SparseMatch,
  Upcall,
} from './datapath.ts';
import { DatapathError } from './datapath-error.ts';
import type { DatapathEvent, DropReason } from './drop-reason.ts';
import { DUMMY_MEMORY_BYTES, DummyPort } from './dummy-port.ts';
import type { PolicingConfig } from './policer.ts';
import { COOKIE_WORDS } from './program.ts';
import { type QosConfig, type QueueStats, queueIds } from './qos.ts';
import { Shared } from './shared.ts';

/** Upcalls that may wait for the handler; more are lost and counted. */
export const INLINE_UPCALLS = 1024;
/** Rounds of upcalls that upcalls cause. */
const MAX_ROUNDS = 64;

export class InlineDatapath implements Datapath {
  readonly isImmediate = true;
  private readonly region: Region;
  private readonly memory: number;
  private readonly shared = new Shared();
  private readonly core: DatapathCore;
  private readonly ports = new Map<PortNo, DummyPort>();
  private readonly taps = new Map<PortNo, (frame: Uint8Array, offload: FrameOffload) => void>();
  private upcalls: Upcall[] = [];
  private handler: (upcall: Upcall) => void = () => {};
  private flushHandler: () => void = () => {};
  /** True inside run(): calls made meanwhile leave the work to it. */
  private running = false;
  private needsFlush = false;
  private readonly clock: Clock;
  private heldTimer: Timer | null = null;
  /** Of meters and policers. */
  private generation = 0;

  constructor(clock: Clock, region: Region = heapRegion(16 << 20)) {
    this.region = region;
    this.clock = clock;
    this.memory = region.allocate(DUMMY_MEMORY_BYTES);
    this.core = new DatapathCore(
      region,
      this.shared,
      (batch, p, reason, program, at, words) =>
        this.queueUpcall(batch, p, reason, program, at, words),
      () => clock.now(),
    );
  }

  async addPort(portNo: PortNo, name: string, spec: PortSpec): Promise<void> {
    if (spec.kind !== 'dummy') {
      throw new DatapathError(`${name}: a dummy datapath has no ${spec.kind} ports`);
    }
    if (this.ports.has(portNo)) throw new DatapathError(`${name}: port ${portNo} is in use`);
    if (!this.shared.assignPort(portNo)) throw new DatapathError(`${name}: too many ports`);
    const port = new DummyPort(this.region, this.shared, this.memory, portNo, name, spec.mtu);
    port.onTransmit = (frame, offload) => this.taps.get(portNo)?.(frame, offload);
    this.ports.set(portNo, port);
    if (spec.takesNothing === undefined) this.core.attach(port);
  }

  async removePort(portNo: PortNo): Promise<void> {
    this.core.detach(portNo);
    const port = this.ports.get(portNo);
    this.ports.delete(portNo);
    this.taps.delete(portNo);
    if (port === undefined) return;
    port.close();
    this.shared.assignQueues(portNo, []);
    this.shared.releasePort(portNo);
  }

  setPortMtu(portNo: PortNo, mtu: number): void {
    this.core.setMtu(portNo, mtu);
  }

  setGro(portNo: PortNo, on: boolean): void {
    this.core.setGro(portNo, on);
  }

  setPolicing(portNo: PortNo, config: PolicingConfig): void {
    this.core.setPolicing(portNo, config, ++this.generation);
  }

  setQos(portNo: PortNo, config: QosConfig | null): void {
    this.core.setQos(portNo, config, this.shared.assignQueues(portNo, queueIds(config)));
    this.awaitHeld();
  }

  queueStats(portNo: PortNo, queue: number): QueueStats | null {
    return this.shared.queueStats(portNo, queue);
  }

  putFlow(id: FlowId, match: SparseMatch, program: Int32Array): void {
    this.core.putFlow(id, match, program);
  }

  flowsFrom(): void {}

  removeFlow(id: FlowId): void {
    this.core.removeFlow(id);
  }

  execute(frame: Uint8Array, offload: FrameOffload, key: Uint32Array, program: Int32Array): void {
    this.core.execute(frame, offload, key, program);
    this.needsFlush = true;
    this.run();
  }

  setMeter(id: number, config: MeterConfig | null): void {
    this.core.setMeter(id, config, ++this.generation);
  }

  meterStats(id: number, into: MeterStats): MeterStats {
    return this.shared.meterStats(id, into);
  }

  flowStats(id: FlowId, into: FlowStats): FlowStats {
    return this.shared.flowStats(id, into);
  }

  portStats(port: PortNo): PortStats {
    return this.shared.portStats(port);
  }

  lookupStats(): LookupStats {
    return this.shared.lookupStats();
  }

  counter(name: DropReason | DatapathEvent): number {
    return this.shared.counter(name);
  }

  onUpcall(handler: (upcall: Upcall) => void, flush: () => void): void {
    this.handler = handler;
    this.flushHandler = flush;
  }

  threads(): readonly DatapathThread[] {
    return [];
  }

  async barrier(): Promise<void> {}

  async close(): Promise<void> {
    this.heldTimer?.cancel();
    for (const portNo of [...this.ports.keys()]) await this.removePort(portNo);
  }

  /**
   * A frame comes in on a dummy port. All that follows from it has happened on return, unless this is called from
   * within a handler or onTransmit callback: then it happens when that returns. False when the port's queue is
   * full or there is no such port.
   */
  injectFrame(portNo: PortNo, frame: Uint8Array, offload?: FrameOffload): boolean {
    const port = this.ports.get(portNo);
    if (port === undefined || !port.inject(frame, offload)) return false;
    this.run();
    return true;
  }

  /** Calls `tap` with a copy of each frame that leaves on the port. One tap a port; removed with the port. */
  onTransmit(portNo: PortNo, tap: (frame: Uint8Array, offload: FrameOffload) => void): void {
    this.taps.set(portNo, tap);
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        let work = this.needsFlush || this.upcalls.length > 0;
        this.flushGiven();
        for (const port of [...this.ports.values()]) {
          if (port.waiting > 0 && this.core.poll(port) > 0) work = true;
        }
        if (!work) return;
        this.handleUpcalls();
      }
      this.flushGiven();
      for (let n = this.upcalls.splice(0).length; n > 0; n--) this.core.countLostUpcall();
    } finally {
      this.running = false;
      this.awaitHeld();
    }
  }

  /** Frames that wait for their turn go by a timer of the clock. */
  private awaitHeld(): void {
    this.heldTimer?.cancel();
    this.heldTimer = null;
    if (this.core.held.frames === 0) return;
    const delayMs = Math.max(1, Math.ceil(this.core.held.dueMs() - this.clock.now()));
    this.heldTimer = this.clock.after(delayMs, () => {
      this.core.held.drainAll();
      this.run();
    });
  }

  private flushGiven(): void {
    if (!this.needsFlush) return;
    this.needsFlush = false;
    this.core.flush();
  }

  private handleUpcalls(): void {
    const upcalls = this.upcalls;
    if (upcalls.length === 0) return;
    this.upcalls = [];
    for (const upcall of upcalls) this.handler(upcall);
    this.flushHandler();
  }

  private queueUpcall(
    batch: Batch,
    p: number,
    reason: number,
    program: Int32Array,
    at: number,
    words: number,
  ): boolean {
    if (this.upcalls.length >= INLINE_UPCALLS) return false;
    const start = batch.start[p];
    const length = batch.length[p];
    this.upcalls.push({
      reason,
      cookieKind: words > 0 ? program[at] : 0,
      cookie: Uint32Array.from({ length: COOKIE_WORDS }, (_, i) =>
        i + 1 < words ? program[at + 1 + i] : 0,
      ),
      key: batch.keys.slice(p * DP_WORDS, (p + 1) * DP_WORDS),
      frame: this.region.bytes.slice(start, start + length),
      frameBytes: length,
      offload: {
        flags: batch.offloadFlags[p],
        gsoType: batch.gsoType[p],
        gsoSize: batch.gsoSize[p],
        headerBytes: batch.headerBytes[p],
        csumStart: batch.csumStart[p],
        csumOffset: batch.csumOffset[p],
      },
    });
    return true;
  }
}
