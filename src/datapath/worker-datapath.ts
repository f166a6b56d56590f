/**
 * The main thread's end of one datapath worker. A datapath of one worker is one of these; DatapathWorkers puts several
 * behind the same door, and is what the switch uses.
 *
 * Commands go into one ordered ring (commands.ts); an eventfd wakes the worker only when it sleeps. Upcalls come
 * back through a second ring; one posted message covers all that arrive until this side has looked (ARMED).
 * Statistics are read from shared memory without asking. Only what somebody waits for (ports, barriers) is
 * answered by a message of its own.
 */

import { Worker } from 'node:worker_threads';
import { DP_WORDS } from '../packet/key.ts';
import { Doorbell, openEventfd } from '../sys/eventfd.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { CommandQueue } from './command-queue.ts';
import {
  type AddPort,
  CommandKind,
  Control,
  KEY_WORDS,
  OFFLOAD_WORDS,
  type Peer,
  type PeersMessage,
  RecordKind,
  readKey,
  readOffload,
  type SetMeter,
  type SetPolicing,
  type SetQos,
  UPCALL_HEAD,
  type WorkerMessage,
  type WorkerStart,
  wordsOf,
  writeKey,
  writeOffload,
} from './commands.ts';
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
import { MAX_FRAME_BYTES, NO_OFFLOAD } from './datapath.ts';
import { DatapathError } from './datapath-error.ts';
import type { RingPlace } from './device-port.ts';
import type { DatapathEvent, DropReason } from './drop-reason.ts';
import type { PolicingConfig } from './policer.ts';
import { COOKIE_WORDS } from './program.ts';
import { type QosConfig, type QueueStats, queueIds } from './qos.ts';
import { RingReader, RingWriter, ringBuffer } from './ring.ts';
import { counterIndex, RX_DROPPED, SHARED_BYTES, Shared, TX_DROPPED } from './shared.ts';
import { TOKENS_BYTES } from './shared-tokens.ts';

const COMMAND_RING_WORDS = 1 << 20;
const RECORD_RING_WORDS = 1 << 20;
/** Frames to execute are dropped when this much waits for the worker; other commands are kept. */
const BACKLOG_WORDS = 1 << 22;
/** Records handled before other work of the main thread gets its turn. */
const RECORDS_PER_TURN = 256;
/** Commands that upcalls lead to before the worker is woken for them: each doorbell is a system call and a change of threads. */
const COMMANDS_PER_WAKE = 32;
const REGION_BYTES = 2 ** 30;

/** Of an INJECT command, without its frame. */
const RELAY_COMMAND_WORDS = 3 + OFFLOAD_WORDS;

const CONGESTION = 'drop_action_congestion';

export interface WorkerDatapathOptions {
  clock: Clock;
  logger: Logger;
  /** The worker ended by an exception: no packet moves any more. */
  onCrash: (error: Error) => void;
  /** Salt of the megaflow hash, from the seeded source of randomness. */
  seed: number;
  /** False keeps to the plain search of megaflows (no code is made from masks). True by default. */
  generateCode?: boolean;
  /** The worker's bundle; by default worker.js beside the running one. */
  workerPath?: string | URL;
  /** Address space for frames: about 2 MiB per port are used. */
  regionBytes?: number;
  /** Words of each ring, a power of two; tests make them small. */
  ringWords?: number;
  /** Number among the workers of a datapath, and the token buckets of all of them. */
  index?: number;
  tokens?: SharedArrayBuffer;
}

interface Waiter {
  resolve: (places: readonly RingPlace[]) => void;
  reject: (error: Error) => void;
}

export class WorkerDatapath implements Datapath {
  readonly isImmediate = false;
  readonly index: number;
  /** Its statistics. */
  readonly shared: Shared;
  private readonly logger: Logger;
  private readonly onCrash: (error: Error) => void;
  private readonly worker: Worker;
  private readonly doorbell: Doorbell;
  private readonly control: Int32Array;
  private readonly queue: CommandQueue;
  private readonly records: RingReader;
  /** The command that is being written. */
  private scratch = new Int32Array(4096);
  private scratchBytes = new Uint8Array(this.scratch.buffer);
  private readonly waiters = new Map<number, Waiter>();
  private sequence = 0;
  private failure: Error | undefined;
  private closing = false;
  private readonly exited: Promise<void>;
  private handler: (upcall: Upcall) => void = () => {};
  private flushHandler: () => void = () => {};
  private readonly taps = new Map<number, (frame: Uint8Array, offload: FrameOffload) => void>();
  /** The upcall that a handler sees: used again for the next one. */
  private readonly upcallKey = new Uint32Array(DP_WORDS);
  private readonly upcallCookie = new Uint32Array(COOKIE_WORDS);
  private drainScheduled = false;
  /** Upcalls are being handled: the commands since the last doorbell are counted in `gathered`. */
  private isGathering = false;
  private gathered = 0;
  /** Of meters and policers. */
  private generation = 0;
  private readonly stopAtExit = () => this.stopWorker();

  /** Starts the thread. Throws SystemError when descriptors run out. */
  constructor(options: WorkerDatapathOptions) {
    this.index = options.index ?? 0;
    this.logger = options.logger;
    this.onCrash = options.onCrash;
    const control = new SharedArrayBuffer(Control.WORDS * 4);
    const commands = ringBuffer(options.ringWords ?? COMMAND_RING_WORDS);
    const records = ringBuffer(options.ringWords ?? RECORD_RING_WORDS);
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    this.control = new Int32Array(control);
    this.control[Control.ARMED] = 1;
    this.shared = new Shared(shared);
    this.runClock(options.clock.now());
    this.records = new RingReader(records);
    this.queue = new CommandQueue(new RingWriter(commands), BACKLOG_WORDS, () =>
      Atomics.store(this.control, Control.WANTS_ROOM, 1),
    );
    const doorbellFd = openEventfd();
    this.doorbell = new Doorbell(doorbellFd);
    const workerData: WorkerStart = {
      index: this.index,
      control,
      commands,
      records,
      shared,
      tokens: options.tokens ?? new SharedArrayBuffer(TOKENS_BYTES),
      doorbellFd,
      regionBytes: options.regionBytes ?? REGION_BYTES,
      seed: options.seed,
      generateCode: options.generateCode ?? true,
      timeOriginMs: performance.timeOrigin,
    };
    const path = options.workerPath ?? new URL('./worker.js', import.meta.url);
    this.worker = new Worker(path, { workerData, execArgv: [], name: 'datapath' });
    this.worker.on('message', (message: WorkerMessage) => this.onMessage(message));
    this.worker.on('error', (error) => this.fail(error as Error));
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        if (!this.closing) this.fail(new Error(`datapath thread ended with code ${code}`));
        resolve();
      });
    });
    this.worker.unref();
    // A thread that waits in the kernel cannot be terminated by Node: process.exit() would wait for it for ever.
    process.once('exit', this.stopAtExit);
  }

  /** `queues`: receive queues of the port that are this worker's; none, and it only sends. */
  async addPort(
    port: PortNo,
    name: string,
    spec: PortSpec,
    queues: readonly PortSpec[] = [spec],
  ): Promise<void> {
    if (!this.shared.assignPort(port)) throw new DatapathError(`${name}: too many ports`);
    try {
      await this.askAbout(CommandKind.ADD_PORT, { port, name, spec, queues, places: [] });
    } catch (error) {
      const reason = (error as Error).message;
      // A second port of this number leaves the first one and its statistics alone.
      if (!reason.endsWith('is in use')) this.shared.releasePort(port);
      throw new DatapathError(reason.startsWith(name) ? reason : `${name}: ${reason}`);
    }
  }

  /**
   * Changes which receive queues of a port are this worker's. Frames wait meanwhile. Resolves to where the queues that it had
   * were read to; `places` tells the same of those that it gets. QoS of the port has to be set anew.
   */
  setReceiving(request: AddPort): Promise<readonly RingPlace[]> {
    return this.askAbout(CommandKind.SET_RECEIVING, request);
  }

  /** Sends a command about a port; rejects with what the worker threw. */
  private askAbout(kind: number, request: AddPort): Promise<readonly RingPlace[]> {
    const sequence = this.nextSequence();
    const done = this.wait(sequence);
    this.textCommand(kind, sequence, request);
    return done;
  }

  async removePort(port: PortNo): Promise<void> {
    const sequence = this.nextSequence();
    const done = this.wait(sequence);
    this.command(CommandKind.REMOVE_PORT, sequence, port);
    await done;
    this.taps.delete(port);
    this.shared.assignQueues(port, []);
    this.shared.releasePort(port);
  }

  /** A packet that came by a socket of the main thread; dropped, and counted, when the worker is far behind. */
  relay(port: PortNo, packet: Uint8Array): void {
    const isFull = this.queue.wouldOverflow(RELAY_COMMAND_WORDS + wordsOf(packet.length));
    if (isFull) this.shared.ports[this.shared.portBase(port) + RX_DROPPED]++;
    else this.injectFrame(port, packet);
  }

  /** The main thread dropped what was to leave by a port. */
  countDropped(port: PortNo, reason: DropReason): void {
    // As in execute(): not the worker's cells.
    this.shared.counters[counterIndex(reason)]++;
    this.shared.ports[this.shared.portBase(port) + TX_DROPPED]++;
  }

  /** The other workers of the datapath from now on. */
  setPeers(peers: Peer[]): void {
    const message: PeersMessage = { peers };
    this.worker.postMessage(message);
    this.command(CommandKind.SET_PEERS, 0, 0);
  }

  /** Binds the thread to a processor, -1 to none. */
  pin(processor: number): void {
    this.command(CommandKind.PIN, processor, 0);
  }

  /** What another worker needs to wake this one. */
  get wakeUp(): { control: SharedArrayBuffer; doorbellFd: number } {
    return {
      control: this.control.buffer as SharedArrayBuffer,
      doorbellFd: this.doorbell.fd,
    };
  }

  setPortMtu(port: PortNo, mtu: number): void {
    this.command(CommandKind.SET_MTU, port, mtu);
  }

  putFlow(id: FlowId, match: SparseMatch, program: Int32Array): void {
    const n = match.words.length;
    const count = 4 + 3 * n + program.length;
    const words = this.begin(count);
    words[0] = CommandKind.PUT_FLOW;
    words[1] = id;
    words[2] = n;
    words[3] = program.length;
    for (let i = 0; i < n; i++) {
      words[4 + i] = match.words[i];
      words[4 + n + i] = match.values[i];
      words[4 + 2 * n + i] = match.masks[i];
    }
    for (let i = 0; i < program.length; i++) words[4 + 3 * n + i] = program[i];
    this.push(count);
  }

  flowsFrom(): void {}

  removeFlow(id: FlowId): void {
    this.command(CommandKind.REMOVE_FLOW, id, 0);
  }

  execute(frame: Uint8Array, offload: FrameOffload, key: Uint32Array, program: Int32Array): void {
    const head = 3 + OFFLOAD_WORDS;
    const most = head + KEY_WORDS + program.length + wordsOf(frame.length);
    if (this.queue.wouldOverflow(most) || frame.length > MAX_FRAME_BYTES) {
      // Not the worker's cell to add to by the rule of one writer; a count lost in a race is the lesser evil.
      this.shared.counters[counterIndex(CONGESTION)]++;
      return;
    }
    const words = this.begin(most);
    words[0] = CommandKind.EXECUTE;
    words[1] = frame.length;
    writeOffload(words, 2, offload);
    words[2 + OFFLOAD_WORDS] = program.length;
    let end = head + writeKey(words, head, key, 0, true);
    for (let i = 0; i < program.length; i++) words[end++] = program[i];
    this.putBytes(end, frame);
    this.push(end + wordsOf(frame.length));
  }

  setMeter(id: number, config: MeterConfig | null, generation = ++this.generation): void {
    const request: SetMeter = { config, generation };
    this.textCommand(CommandKind.SET_METER, id, request);
  }

  setGro(port: PortNo, on: boolean): void {
    this.command(CommandKind.SET_GRO, port, on ? 1 : 0);
  }

  setPolicing(port: PortNo, config: PolicingConfig, generation = ++this.generation): void {
    const request: SetPolicing = { config, generation };
    this.textCommand(CommandKind.SET_POLICING, port, request);
  }

  /** `holder`: the worker that the port's frames wait in. */
  setQos(port: PortNo, config: QosConfig | null, holder = this.index): void {
    const slots = this.shared.assignQueues(port, queueIds(config));
    const request: SetQos = { config, slots, holder };
    this.textCommand(CommandKind.SET_QOS, port, request);
  }

  queueStats(port: PortNo, queue: number): QueueStats | null {
    return this.shared.queueStats(port, queue);
  }

  private textCommand(kind: number, about: number, value: unknown): void {
    const text = new TextEncoder().encode(JSON.stringify(value));
    const words = this.begin(3 + wordsOf(text.length));
    words[0] = kind;
    words[1] = about;
    words[2] = text.length;
    this.putBytes(3, text);
    this.push(3 + wordsOf(text.length));
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

  threads(): readonly DatapathThread[] {
    return [];
  }

  onUpcall(handler: (upcall: Upcall) => void, flush: () => void): void {
    this.handler = handler;
    this.flushHandler = flush;
  }

  /** Upcalls that the commands caused are handled before it resolves. */
  async barrier(): Promise<void> {
    const sequence = this.nextSequence();
    const done = this.wait(sequence);
    this.command(CommandKind.BARRIER, sequence, 0);
    await done;
  }

  /** Ends the thread. Descriptors of ports stay open: they are the caller's. */
  async close(): Promise<void> {
    if (!this.closing) {
      this.closing = true;
      process.off('exit', this.stopAtExit);
      this.worker.ref();
      this.stopWorker();
      this.exited.then(() => this.doorbell.close());
    }
    await this.exited;
    this.rejectAll(new DatapathError('the datapath was closed'));
  }

  /** A frame comes in on a dummy port. What follows from it has happened when a later barrier() resolves. */
  injectFrame(port: PortNo, frame: Uint8Array, offload: FrameOffload = NO_OFFLOAD): void {
    const head = 3 + OFFLOAD_WORDS;
    const count = head + wordsOf(frame.length);
    const words = this.begin(count);
    words[0] = CommandKind.INJECT;
    words[1] = port;
    words[2] = frame.length;
    writeOffload(words, 3, offload);
    this.putBytes(head, frame);
    this.push(count);
  }

  /** Calls `tap` with a copy of each frame that leaves on a dummy port. One tap a port; removed with the port. */
  onTransmit(port: PortNo, tap: (frame: Uint8Array, offload: FrameOffload) => void): void {
    this.taps.set(port, tap);
  }

  /** The main clock stands still at `nowMs` (time/stop, and after each step of time/warp). */
  holdClock(nowMs: number): void {
    this.shared.holdClock(nowMs);
  }

  /** The main clock runs and shows `nowMs`; to be called again after a jump of it. */
  runClock(nowMs: number): void {
    this.shared.runClock(nowMs - Math.floor(performance.now()));
  }

  /** Scratch memory for a command of `count` words. */
  private begin(count: number): Int32Array {
    if (count > this.scratch.length) {
      this.scratch = new Int32Array(count * 2);
      this.scratchBytes = new Uint8Array(this.scratch.buffer);
    }
    return this.scratch;
  }

  private putBytes(atWord: number, bytes: Uint8Array): void {
    this.scratchBytes.set(bytes, atWord * 4);
  }

  private command(kind: number, first: number, second: number): void {
    const words = this.begin(3);
    words[0] = kind;
    words[1] = first;
    words[2] = second;
    this.push(3);
  }

  private push(count: number): void {
    if (this.failure !== undefined) return;
    this.queue.push(this.scratch, count);
    if (this.isGathering && ++this.gathered < COMMANDS_PER_WAKE) return;
    this.gathered = 0;
    this.wake();
  }

  private wake(): void {
    if (Atomics.exchange(this.control, Control.SLEEPING, 0) === 1) this.doorbell.ring();
  }

  private stopWorker(): void {
    this.command(CommandKind.STOP, 0, 0);
  }

  private nextSequence(): number {
    this.sequence = (this.sequence + 1) & 0x7fffffff;
    return this.sequence;
  }

  /** Keeps the process alive until the answer is there. */
  private wait(sequence: number): Promise<readonly RingPlace[]> {
    if (this.failure !== undefined || this.closing) {
      return Promise.reject(this.failure ?? new DatapathError('the datapath was closed'));
    }
    this.worker.ref();
    return new Promise((resolve, reject) => this.waiters.set(sequence, { resolve, reject }));
  }

  private onMessage(message: WorkerMessage): void {
    switch (message.kind) {
      case 'records':
        this.drain();
        return;
      case 'room':
        if (!this.queue.retry()) {
          Atomics.store(this.control, Control.WANTS_ROOM, 1);
          this.queue.retry();
        }
        this.wake();
        return;
      case 'done':
        while (this.handleRecords(RECORDS_PER_TURN));
        this.settle(message.sequence, message.error, message.places);
        return;
      case 'log':
        this.logger[message.level](message.text);
        return;
    }
  }

  private settle(
    sequence: number,
    error: string | undefined,
    places: readonly RingPlace[] = [],
  ): void {
    const waiter = this.waiters.get(sequence);
    this.waiters.delete(sequence);
    if (this.waiters.size === 0 && !this.closing) this.worker.unref();
    if (error === undefined) waiter?.resolve(places);
    else waiter?.reject(new DatapathError(error));
  }

  /** Handles a turn's worth of records; arms the wake-up message when none is left. */
  private drain(): void {
    if (!this.handleRecords(RECORDS_PER_TURN)) {
      Atomics.store(this.control, Control.ARMED, 1);
      // The worker may have added some while the flag was down.
      if (this.records.isEmpty()) return;
      Atomics.store(this.control, Control.ARMED, 0);
    }
    if (this.drainScheduled) return;
    this.drainScheduled = true;
    setImmediate(() => {
      this.drainScheduled = false;
      this.drain();
    });
  }

  /** True when there may be more. */
  private handleRecords(limit: number): boolean {
    let upcalls = 0;
    let n = 0;
    this.isGathering = true;
    try {
      for (; n < limit; n++) {
        const at = this.records.next();
        if (at < 0) break;
        if (this.records.words[at] === RecordKind.UPCALL) {
          this.handleUpcall(at);
          upcalls++;
        } else {
          this.handleTransmit(at);
        }
      }
    } finally {
      this.isGathering = false;
      if (this.gathered > 0) this.wake();
      this.gathered = 0;
    }
    this.records.release();
    if (upcalls > 0) this.flushHandler();
    return n === limit;
  }

  private handleUpcall(at: number): void {
    const { words, bytes } = this.records;
    const frameBytes = words[at + UPCALL_HEAD - 1];
    const frame = readKey(words, at + UPCALL_HEAD + OFFLOAD_WORDS, this.upcallKey) * 4;
    for (let i = 0; i < COOKIE_WORDS; i++) this.upcallCookie[i] = words[at + 3 + i];
    this.handler({
      reason: words[at + 1],
      cookieKind: words[at + 2],
      cookie: this.upcallCookie,
      key: this.upcallKey,
      frame: bytes.subarray(frame, frame + frameBytes),
      frameBytes,
      offload: readOffload(words, at + UPCALL_HEAD),
    });
  }

  private handleTransmit(at: number): void {
    const { words, bytes } = this.records;
    const frame = (at + 3 + OFFLOAD_WORDS) * 4;
    const tap = this.taps.get(words[at + 1]);
    tap?.(bytes.slice(frame, frame + words[at + 2]), readOffload(words, at + 3));
  }

  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = new DatapathError(`the datapath thread crashed: ${error.message}`);
    this.logger.err(`${this.failure.message}\n${error.stack ?? ''}`);
    this.rejectAll(this.failure);
    this.onCrash(this.failure);
  }

  private rejectAll(error: Error): void {
    const waiters = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiter of waiters) waiter.reject(error);
  }
}
