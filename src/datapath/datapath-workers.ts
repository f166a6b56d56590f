/**
 * The datapath of real devices: one or more workers behind the door of one (doc/adr/0015).
 *
 * - Each receive queue belongs to one worker, so the frames of a flow stay in order. Every worker has every port to send by.
 * - Megaflows and meters are in every worker: what is commanded goes to all, in one order on each ring. A frame to be executed goes to
 *   the worker that handed it up, else to that of the port it came in on.
 * - Each worker counts for itself; what is asked for is summed (worker-totals.ts).
 * - The number of workers can be changed at any time: a new one is told all there is, then queues move, their frames waiting
 *   in rings and sockets meanwhile.
 */
import { IN_PORT } from '../packet/key.ts';
import type { Peer } from './commands.ts';
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
  PutFlow,
  SparseMatch,
  Upcall,
} from './datapath.ts';
import { FLOW_SLOTS } from './datapath.ts';
import { DatapathError } from './datapath-error.ts';
import type { RingPlace } from './device-port.ts';
import type { DatapathEvent, DropReason } from './drop-reason.ts';
import { isUnpoliced, type PolicingConfig } from './policer.ts';
import { PortableSockets } from './portable-sockets.ts';
import { type QosConfig, type QueueStats, queueIds } from './qos.ts';
import { placeQueues } from './queue-places.ts';
import { ringBuffer } from './ring.ts';
import { SharedTokens, TOKENS_BYTES } from './shared-tokens.ts';
import { WorkerDatapath, type WorkerDatapathOptions } from './worker-datapath.ts';
import { WorkerTotals } from './worker-totals.ts';

/** Ring of frames from one worker to another: the longest frame fits a few times. */
const HAND_OVER_WORDS = 1 << 17;

export type DatapathWorkersOptions = Omit<WorkerDatapathOptions, 'index' | 'tokens'>;

interface PortRecord {
  readonly name: string;
  readonly spec: PortSpec;
  /** Specs of the receive queues, and the worker that each belongs to. That of the first one owns what has one owner. */
  readonly queues: readonly PortSpec[];
  workers: number[];
  mtu: number | null;
  gro: boolean;
  policing: { config: PolicingConfig; generation: number } | null;
  qos: QosConfig | null;
  /** Of a portable tunnel port, whose packets are frames of a dummy port to the workers. */
  sockets: PortableSockets | null;
  tap: ((frame: Uint8Array, offload: FrameOffload) => void) | null;
}

export class DatapathWorkers implements Datapath {
  readonly isImmediate = false;
  private readonly options: DatapathWorkersOptions;
  private readonly tokenBuffer = new SharedArrayBuffer(TOKENS_BYTES);
  private readonly tokens = new SharedTokens(this.tokenBuffer);
  /** By index. */
  private readonly members: WorkerDatapath[] = [];
  private processors: readonly number[] = [];
  private readonly startedMs: number[] = [];
  /** Rings from one worker to another, by both indices. */
  private readonly rings = new Map<string, SharedArrayBuffer>();
  private readonly totals = new WorkerTotals();
  private readonly ports = new Map<PortNo, PortRecord>();
  /** By flow id: a hash of the match that is installed, 0 for none. */
  private readonly installed = new Int32Array(FLOW_SLOTS);
  private flowSource: (put: PutFlow) => void = () => {};
  private readonly meters = new Map<number, { config: MeterConfig; generation: number }>();
  private generation = 0;
  private heldMs: number | null = null;
  private handler: (upcall: Upcall) => void = () => {};
  private flushHandler: () => void = () => {};
  /** The worker whose upcall is being handled. */
  private current: WorkerDatapath | null = null;
  /** Ports being added or removed; a change of the number of workers waits for them, and they for it. */
  private readonly pending = new Set<Promise<unknown>>();
  private changing: Promise<void> | null = null;

  /** Starts one worker. Throws SystemError when descriptors run out. */
  constructor(options: DatapathWorkersOptions) {
    this.options = options;
    this.totals.add(this.start().shared);
  }

  get workerCount(): number {
    return this.members.length;
  }

  /**
   * Runs `count` workers from now on (1 to MAX_WORKERS), bound to `processors` one each, or not bound. Resolves when they are all at
   * work. Nothing is lost but frames that wait for their turn (QoS) on ports that move.
   */
  async resize(count: number, processors: readonly number[] = []): Promise<void> {
    while (this.changing !== null) await this.changing;
    const before = this.members.length;
    const sameProcessors =
      processors.length === this.processors.length &&
      processors.every((processor, i) => processor === this.processors[i]);
    if (count === before && sameProcessors) return;
    let done = () => {};
    this.changing = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await Promise.allSettled(this.pending);
      this.tokens.setWorkers(Math.max(count, before));
      const told: Promise<unknown>[] = [];
      while (this.members.length < count) told.push(this.tell(this.start()));
      await Promise.all(told);
      // Until it is warm and has carried out all that, a worker counts what was never there (warm-up.ts).
      await this.barrier();
      for (const { shared } of this.members.slice(before)) this.totals.add(shared);
      this.bind(processors);
      if (count !== before) await this.movePorts(count);
      while (this.members.length > count) await this.end(this.members.length - 1);
      this.tokens.setWorkers(count);
    } finally {
      this.changing = null;
      done();
    }
    if (count !== before) {
      this.options.logger.info(`There are ${count} pmd threads on numa node 0`);
    }
  }

  async addPort(port: PortNo, name: string, spec: PortSpec): Promise<void> {
    while (this.changing !== null) await this.changing;
    if (this.ports.has(port)) throw new DatapathError(`${name}: port ${port} is in use`);
    const { queues: more = [], ...first } = spec;
    const queues: PortSpec[] = [first, ...more];
    const record: PortRecord = {
      name,
      spec: first,
      queues,
      workers: placeQueues(queues.length, this.loads(this.members.length)),
      mtu: null,
      gro: false,
      policing: null,
      qos: null,
      sockets: null,
      tap: null,
    };
    this.ports.set(port, record);
    await this.during(this.open(port, record));
  }

  private async open(port: PortNo, record: PortRecord): Promise<void> {
    const { spec } = record;
    try {
      if (spec.kind === 'tunnel' && spec.io === 'portable') await this.openSockets(port, record);
    } catch (failure) {
      this.forget(port);
      throw new DatapathError((failure as Error).message);
    }
    const outcomes = await Promise.allSettled(
      this.members.map((member) => this.addTo(member, port, record)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    const added = this.members.filter((_, i) => outcomes[i].status === 'fulfilled');
    await Promise.all(added.map((member) => member.removePort(port)));
    this.forget(port);
    throw failed.reason;
  }

  private addTo(member: WorkerDatapath, port: PortNo, record: PortRecord): Promise<void> {
    const { name, spec, tap } = record;
    if (tap !== null) member.onTransmit(port, tap);
    return member.addPort(port, name, spec, queuesOf(record, member.index));
  }

  private async openSockets(port: PortNo, record: PortRecord): Promise<void> {
    if (record.spec.kind !== 'tunnel') return;
    const sockets = await PortableSockets.open(record.spec, {
      packet: (relayed) => this.ownerOf(port).relay(port, relayed),
      dropped: (reason) => this.ownerOf(port).countDropped(port, reason),
      now: () => performance.now(),
    });
    record.sockets = sockets;
    record.tap = (relayed) => sockets.send(relayed);
  }

  async removePort(port: PortNo): Promise<void> {
    while (this.changing !== null) await this.changing;
    await this.during(Promise.all(this.members.map((member) => member.removePort(port))));
    this.forget(port);
  }

  private forget(port: PortNo): void {
    this.ports.get(port)?.sockets?.close();
    if (this.ports.delete(port)) this.totals.releasePort(port);
  }

  setPortMtu(port: PortNo, mtu: number): void {
    this.note(port, { mtu });
    for (const member of this.members) member.setPortMtu(port, mtu);
  }

  setPolicing(port: PortNo, config: PolicingConfig): void {
    const generation = ++this.generation;
    this.note(port, { policing: isUnpoliced(config) ? null : { config, generation } });
    for (const member of this.members) member.setPolicing(port, config, generation);
  }

  setGro(port: PortNo, on: boolean): void {
    this.note(port, { gro: on });
    for (const member of this.members) member.setGro(port, on);
  }

  setQos(port: PortNo, config: QosConfig | null): void {
    this.note(port, { qos: config });
    this.totals.assignQueues(port, queueIds(config));
    this.schedule(port, config);
  }

  private schedule(port: PortNo, config: QosConfig | null): void {
    const owner = this.ownerOf(port).index;
    // The owner first: what others hand over then finds its queue.
    this.members[owner].setQos(port, config, owner);
    for (const member of this.members) {
      if (member.index !== owner) member.setQos(port, config, owner);
    }
  }

  queueStats(port: PortNo, queue: number): QueueStats | null {
    return this.totals.queueStats(port, queue);
  }

  private note(port: PortNo, change: Partial<PortRecord>): void {
    const record = this.ports.get(port);
    if (record !== undefined) Object.assign(record, change);
  }

  putFlow(id: FlowId, match: SparseMatch, program: Int32Array): void {
    const hash = matchHash(match);
    if (hash !== this.installed[id]) this.totals.resetFlow(id);
    this.installed[id] = hash;
    for (const member of this.members) member.putFlow(id, match, program);
  }

  flowsFrom(source: (put: PutFlow) => void): void {
    this.flowSource = source;
  }

  removeFlow(id: FlowId): void {
    this.installed[id] = 0;
    for (const member of this.members) member.removeFlow(id);
  }

  execute(frame: Uint8Array, offload: FrameOffload, key: Uint32Array, program: Int32Array): void {
    const member = this.current ?? this.ownerOf(key[IN_PORT] as PortNo);
    member.execute(frame, offload, key, program);
  }

  setMeter(id: number, config: MeterConfig | null): void {
    const generation = ++this.generation;
    if (config === null) this.meters.delete(id);
    else this.meters.set(id, { config, generation });
    this.totals.resetMeter(id);
    for (const member of this.members) member.setMeter(id, config, generation);
  }

  meterStats(id: number, into: MeterStats): MeterStats {
    return this.totals.meterStats(id, into);
  }

  flowStats(id: FlowId, into: FlowStats): FlowStats {
    return this.totals.flowStats(id, into);
  }

  portStats(port: PortNo): PortStats {
    return this.totals.portStats(port);
  }

  lookupStats(): LookupStats {
    return this.totals.lookupStats();
  }

  counter(name: DropReason | DatapathEvent): number {
    return this.totals.counter(name);
  }

  threads(): readonly DatapathThread[] {
    const now = performance.now();
    const ports = [...this.ports].sort(([a], [b]) => a - b);
    return this.members.map((member) => {
      const ageMs = now - this.startedMs[member.index];
      return {
        index: member.index,
        processor: this.processors[member.index] ?? null,
        lookups: member.lookupStats(),
        received: ports.reduce((sum, [port]) => sum + member.portStats(port).rxPackets, 0),
        ageMs,
        busyMs: Math.max(0, ageMs - member.shared.sleptMs(now)),
        queues: ports.flatMap(([port, { name, workers }]) => {
          const mine = [...workers.keys()].filter((queue) => workers[queue] === member.index);
          const received = member.portStats(port).rxPackets / mine.length;
          return mine.map((queue) => ({ port, name, queue, received }));
        }),
      };
    });
  }

  onUpcall(handler: (upcall: Upcall) => void, flush: () => void): void {
    this.handler = handler;
    this.flushHandler = flush;
  }

  async barrier(): Promise<void> {
    await Promise.all(this.members.map((member) => member.barrier()));
    // What one handed to another by then was sent before the other's next answer.
    if (this.members.length > 1) {
      await Promise.all(this.members.map((member) => member.barrier()));
    }
  }

  async close(): Promise<void> {
    for (const port of [...this.ports.keys()]) this.forget(port);
    await Promise.all(this.members.map((member) => member.close()));
  }

  /** As WorkerDatapath.injectFrame(): a frame comes in on a dummy port. */
  injectFrame(port: PortNo, frame: Uint8Array, offload?: FrameOffload): void {
    this.ownerOf(port).injectFrame(port, frame, offload);
  }

  /** Calls `tap` with a copy of each frame that leaves on a dummy port. One tap a port; removed with the port. */
  onTransmit(port: PortNo, tap: (frame: Uint8Array, offload: FrameOffload) => void): void {
    this.note(port, { tap });
    for (const member of this.members) member.onTransmit(port, tap);
  }

  /** The main clock stands still at `nowMs` (time/stop, and after each step of time/warp). */
  holdClock(nowMs: number): void {
    this.heldMs = nowMs;
    for (const member of this.members) member.holdClock(nowMs);
  }

  /** The main clock runs and shows `nowMs`; to be called again after a jump of it. */
  runClock(nowMs: number): void {
    this.heldMs = null;
    for (const member of this.members) member.runClock(nowMs);
  }

  /** What one worker alone does for a port, and frames of ports that nobody has. */
  private ownerOf(port: PortNo): WorkerDatapath {
    return this.members[this.ports.get(port)?.workers[0] ?? 0];
  }

  /** Queues that each of `count` workers has. */
  private loads(count: number): number[] {
    const loads = new Array<number>(count).fill(0);
    for (const { workers } of this.ports.values()) for (const worker of workers) loads[worker]++;
    return loads;
  }

  private start(): WorkerDatapath {
    const index = this.members.length;
    const member = new WorkerDatapath({ ...this.options, index, tokens: this.tokenBuffer });
    if (this.heldMs !== null) member.holdClock(this.heldMs);
    member.onUpcall(
      (upcall) => {
        this.current = member;
        try {
          this.handler(upcall);
        } finally {
          this.current = null;
        }
      },
      () => this.flushHandler(),
    );
    this.members.push(member);
    this.startedMs[index] = performance.now();
    if (index > 0) {
      this.options.logger.info(`PMD thread on numa_id: 0, core id: ${index} created.`);
    }
    return member;
  }

  /** Tells a new worker all that there is; it sends, and receives nothing yet. Commands given later come behind. */
  private async tell(member: WorkerDatapath): Promise<void> {
    this.introduce();
    const added: Promise<void>[] = [];
    for (const [port, record] of this.ports) {
      added.push(this.addTo(member, port, record));
      const { mtu, gro, policing, qos } = record;
      if (mtu !== null) member.setPortMtu(port, mtu);
      if (gro) member.setGro(port, true);
      if (policing !== null) member.setPolicing(port, policing.config, policing.generation);
      if (qos !== null) member.setQos(port, qos, this.ownerOf(port).index);
    }
    for (const [id, { config, generation }] of this.meters) member.setMeter(id, config, generation);
    this.flowSource((id, match, program) => member.putFlow(id, match, program));
    for (const outcome of await Promise.allSettled(added)) {
      if (outcome.status === 'rejected') this.complain(outcome.reason);
    }
  }

  /** Tells each worker who the others are. */
  private introduce(): void {
    const ring = (from: number, to: number): SharedArrayBuffer => {
      const key = `${from}>${to}`;
      const known = this.rings.get(key) ?? ringBuffer(HAND_OVER_WORDS);
      this.rings.set(key, known);
      return known;
    };
    for (const { index } of this.members) {
      const peers: Peer[] = this.members
        .filter((other) => other.index !== index)
        .map((other) => ({
          index: other.index,
          to: ring(index, other.index),
          from: ring(other.index, index),
          ...other.wakeUp,
        }));
      this.members[index].setPeers(peers);
    }
  }

  private bind(processors: readonly number[]): void {
    const wasBound = this.processors.length > 0;
    this.processors = processors;
    if (processors.length === 0 && !wasBound) return;
    for (const member of this.members) member.pin(processors[member.index] ?? -1);
  }

  /** Divides all receive queues anew among the first `count` workers. */
  private async movePorts(count: number): Promise<void> {
    const loads = new Array<number>(count).fill(0);
    const moves: Promise<void>[] = [];
    for (const [port, record] of [...this.ports].sort(([a], [b]) => a - b)) {
      const workers = placeQueues(record.queues.length, loads);
      if (workers.some((worker, queue) => worker !== record.workers[queue])) {
        moves.push(this.movePort(port, record, workers));
      }
    }
    await Promise.all(moves);
  }

  private async movePort(port: PortNo, record: PortRecord, workers: number[]): Promise<void> {
    const { name, spec } = record;
    if (spec.kind !== 'dummy' && !(spec.kind === 'tunnel' && spec.io === 'portable')) {
      const before = record.workers;
      const places: RingPlace[] = [];
      const set = async (worker: number, mine: (queue: number) => boolean): Promise<void> => {
        const queues = record.queues.filter((_, queue) => mine(queue));
        const request = { port, name, spec, queues, places };
        places.push(...(await this.members[worker].setReceiving(request)));
      };
      const losers = new Set(before.filter((worker, queue) => worker !== workers[queue]));
      const winners = new Set(workers.filter((worker, queue) => worker !== before[queue]));
      try {
        // First all that let go: two must not read one ring.
        for (const worker of losers) {
          await set(worker, (queue) => before[queue] === worker && workers[queue] === worker);
        }
        for (const worker of winners) await set(worker, (queue) => workers[queue] === worker);
      } catch (failure) {
        this.complain(new DatapathError(`${name}: ${(failure as Error).message}`));
      }
    }
    record.workers = workers;
    if (record.qos !== null) this.schedule(port, record.qos);
  }

  /** Ends a worker that receives nothing any more; what it counted stays. */
  private async end(index: number): Promise<void> {
    const member = this.members[index];
    // What it handed up, what that led to, and what was handed over to it and on to the next.
    await this.barrier();
    await this.barrier();
    this.members.pop();
    const flows: FlowId[] = [];
    for (let id = 0; id < FLOW_SLOTS; id++) if (this.installed[id] !== 0) flows.push(id);
    const queues = [...this.ports].map(([port, { qos }]) => [port, queueIds(qos)] as const);
    this.totals.end(flows, this.meters.keys(), new Map(queues));
    for (const key of this.rings.keys()) {
      if (key.startsWith(`${index}>`) || key.endsWith(`>${index}`)) this.rings.delete(key);
    }
    this.introduce();
    await member.close();
    this.options.logger.info(`PMD thread on numa_id: 0, core id: ${index} destroyed.`);
  }

  private complain(failure: unknown): void {
    this.options.logger.err((failure as Error).message);
  }

  private async during(work: Promise<unknown>): Promise<void> {
    this.pending.add(work);
    try {
      await work;
    } finally {
      this.pending.delete(work);
    }
  }
}

const queuesOf = ({ queues, workers }: PortRecord, index: number): readonly PortSpec[] =>
  queues.filter((_, queue) => workers[queue] === index);

/** Never 0. */
function matchHash({ words, values, masks }: SparseMatch): number {
  let h = words.length;
  for (let i = 0; i < words.length; i++) {
    h = Math.imul(h ^ words[i], 0x9e3779b1) ^ (h >>> 15);
    h = Math.imul(h ^ masks[i], 0x85ebca6b) ^ (h >>> 13);
    h = Math.imul(h ^ (values[i] & masks[i]), 0xc2b2ae35) ^ (h >>> 16);
  }
  return h | 1;
}
