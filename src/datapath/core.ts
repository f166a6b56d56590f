/**
 * The packet loop's inside: receive a batch, extract, look up, execute, send. One object per datapath thread;
 * the worker's loop and the inline datapath both drive it. With several workers each has all ports to send by and all
 * megaflows; what only one may do is handed over to it (hand-over.ts).
 *
 * Nothing here allocates per packet, waits, or knows where a port's frames come from.
 */
import { extract } from '../packet/extract.ts';
import { DIRTY_ALL } from '../packet/frames.ts';
import { DP_WORDS, RECIRC_ID, TCP_FLAGS } from '../packet/key.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, Batch, SHARED_ALIAS } from './batch.ts';
import type { FlowId, FrameOffload, MeterConfig, PortNo, SparseMatch } from './datapath.ts';
import { MAX_FRAME_BYTES, UpcallReason } from './datapath.ts';
import { Egress, HEADROOM } from './egress.ts';
import type { UpcallSink } from './execute.ts';
import { Executor } from './execute.ts';
import { Gro } from './gro.ts';
import { HandOver } from './hand-over.ts';
import { HeldPorts } from './held-ports.ts';
import type { LookupOptions } from './megaflow.ts';
import { FLOW_MISS, FLOW_SKIP, MegaflowCache } from './megaflow.ts';
import { Meters } from './meter.ts';
import { isUnpoliced, Policer, type PolicingConfig } from './policer.ts';
import type { Port } from './port.ts';
import type { QosConfig } from './qos.ts';
import type { Shared } from './shared.ts';
import {
  counterIndex,
  FLOW_BYTES,
  FLOW_CELLS,
  FLOW_PACKETS,
  FLOW_TCP_FLAGS,
  FLOW_USED,
  LOOKUP_FLOWS,
  LOOKUP_HIT,
  LOOKUP_MASK_HIT,
  LOOKUP_MASKS,
  LOOKUP_MISSED,
  RX_DROPPED,
  RX_ERRORS,
} from './shared.ts';
import { SharedTokens } from './shared-tokens.ts';

/** Recirculations of one frame, as many as Open vSwitch allows. */
const MAX_RECIRCULATIONS = 6;

const NO_PROGRAM = new Int32Array(0);

const INVALID_PACKET = counterIndex('datapath_drop_rx_invalid_packet');
const POLICED = counterIndex('drop_rx_policed');
const OVERSIZED = counterIndex('drop_rx_oversized');
const RECIRC_ERROR = counterIndex('datapath_drop_recirc_error');

export class DatapathCore {
  readonly cache: MegaflowCache;
  private readonly region: Region;
  private readonly shared: Shared;
  private readonly egress: Egress;
  private readonly executor: Executor;
  private readonly meters: Meters;
  /** By port number. */
  private readonly policers: (Policer | undefined)[] = [];
  /** Ports whose frames wait; whoever drives this drains them when they are due. */
  readonly held: HeldPorts;
  /** Frames for and from other workers; nothing without them. */
  readonly handOver: HandOver;
  private readonly tokens: SharedTokens;
  private readonly rawNow: () => number;
  /** Index 0 takes what poll() receives, index n what was recirculated n times. */
  /** Ports whose segments are joined; the memory for it is taken when the first port wants it. */
  private readonly joins: (true | undefined)[] = [];
  private gro: Gro | null = null;
  private readonly batches: Batch[] = [];
  /** Frames of execute(). */
  private readonly given = new Batch();

  /**
   * `rawNow`: monotonic milliseconds (Shared.now turns them into clock time). `sink` takes upcalls. `seed` salts the
   * megaflow hash. `exactNow`: as rawNow, with fractions. `tokens`: what all workers draw from. The region must have 8 MiB free for copies and segments.
   */
  constructor(
    region: Region,
    shared: Shared,
    sink: UpcallSink,
    rawNow: () => number,
    seed = 0,
    lookup?: LookupOptions,
    exactNow: () => number = rawNow,
    tokens: SharedTokens = new SharedTokens(),
  ) {
    this.region = region;
    this.shared = shared;
    this.rawNow = rawNow;
    this.cache = new MegaflowCache(seed, lookup);
    this.tokens = tokens;
    this.meters = new Meters(shared, tokens);
    this.egress = new Egress(region, shared);
    this.handOver = new HandOver(region, shared, this.egress);
    this.held = new HeldPorts(region, shared, exactNow, seed);
    this.executor = new Executor(
      region,
      shared,
      this.egress,
      sink,
      (batch, p, id, depth, alias) => this.recirculate(batch, p, id, depth, alias),
      this.meters,
      seed,
    );
    for (let i = 0; i <= MAX_RECIRCULATIONS; i++) {
      this.batches.push(new Batch());
      this.egress.register(this.batches[i]);
    }
    this.egress.register(this.given);
  }

  /** Frames may now go out to the port; poll() it to take frames in. */
  attach(port: Port): void {
    this.egress.ports[port.portNo] = port;
  }

  /** Forgets the port and returns it for the caller to close; what was queued on it is sent first. */
  detach(portNo: PortNo): Port | undefined {
    this.policers[portNo] = undefined;
    this.joins[portNo] = undefined;
    return this.suspend(portNo);
  }

  /** As detach(), for another object to be attached in its place: what was set for the number stays, except QoS. */
  suspend(portNo: PortNo): Port | undefined {
    this.flush();
    const port = this.egress.detach(portNo);
    return port && this.direct(port);
  }

  private direct(port: Port): Port {
    return this.held.remove(this.handOver.unwrap(port));
  }

  port(portNo: PortNo): Port | undefined {
    return this.egress.ports[portNo];
  }

  setMtu(portNo: PortNo, mtu: number): void {
    const port = this.egress.ports[portNo];
    if (port !== undefined) port.mtu = mtu;
  }

  /** `generation`: which change of the port's policing this is. */
  setPolicing(portNo: PortNo, config: PolicingConfig, generation: number): void {
    const now = this.shared.now(this.rawNow());
    this.policers[portNo] = isUnpoliced(config)
      ? undefined
      : new Policer(config, now, this.tokens, portNo, generation);
  }

  /** Whether TCP segments that come in on the port are joined (gro.ts). */
  setGro(portNo: PortNo, on: boolean): void {
    this.joins[portNo] = on ? true : undefined;
    if (on) this.gro ??= new Gro(this.region);
  }

  /** `slots`: where the queues count (Shared), in the order of the configuration. */
  setQos(portNo: PortNo, config: QosConfig | null, slots: readonly number[]): void {
    const port = this.egress.ports[portNo];
    if (port === undefined) return;
    this.flush();
    const direct = this.handOver.unwrap(port);
    this.egress.ports[portNo] = this.held.configure(direct, config, slots);
  }

  /** Worker `owner` alone sends by the port from now on; null: everybody does. */
  setOwner(portNo: PortNo, owner: number | null): void {
    const port = this.egress.ports[portNo];
    if (port === undefined) return;
    this.flush();
    const direct = this.direct(port);
    this.egress.ports[portNo] = owner === null ? direct : this.handOver.wrap(direct, owner);
  }

  putFlow(id: FlowId, match: SparseMatch, program: Int32Array): void {
    if (!this.cache.put(id, match.words, match.values, match.masks, program)) {
      this.shared.resetFlow(id);
    }
    this.countFlows();
  }

  removeFlow(id: FlowId): void {
    this.cache.remove(id);
    this.countFlows();
  }

  /** `generation`: which change of the meter this is. */
  setMeter(id: number, config: MeterConfig | null, generation: number): void {
    this.meters.set(id, config, this.shared.now(this.rawNow()), generation);
  }

  /**
   * Runs a program on a copy of a frame. Of `key` only the metadata counts: header fields are read from the frame.
   * Transmissions wait for flush(), which the caller owes after the last of a run of calls.
   */
  execute(frame: Uint8Array, offload: FrameOffload, key: Uint32Array, program: Int32Array): void {
    if (frame.length > MAX_FRAME_BYTES) {
      this.shared.counters[OVERSIZED]++;
      return;
    }
    const given = this.given;
    let at = given.count < BATCH_FRAMES ? this.egress.take(frame.length) : -1;
    if (at < 0) {
      this.flush();
      at = this.egress.take(frame.length);
    }
    this.region.bytes.set(frame, at);
    const p = given.append(0, at, frame.length, HEADROOM);
    given.offloadFlags[p] = offload.flags;
    given.gsoType[p] = offload.gsoType;
    given.gsoSize[p] = offload.gsoSize;
    given.headerBytes[p] = offload.headerBytes;
    given.csumStart[p] = offload.csumStart;
    given.csumOffset[p] = offload.csumOffset;
    const base = p * DP_WORDS;
    for (let i = 0; i < DP_WORDS; i++) given.keys[base + i] = key[i];
    given.keyDirty[p] = DIRTY_ALL;
    if (!this.executor.readAgain(given, p)) {
      this.shared.counters[INVALID_PACKET]++;
      return;
    }
    given.inPort[p] = given.keys[base];
    this.executor.nowMs = this.shared.now(this.rawNow());
    this.executor.run(given, p, program, 0);
    this.processRecirculated(1);
  }

  /** Sends what execute() queued. */
  flush(): void {
    this.egress.flush();
    this.given.clear();
  }

  /** For a sink's owner that took an upcall and could not deliver it after all. */
  countLostUpcall(): void {
    this.executor.countLost();
  }

  /** Takes one batch from the port and sees it through. Returns the number of frames received. */
  poll(port: Port): number {
    if (this.given.count > 0) this.flush();
    const batch = this.batches[0];
    batch.clear();
    const count = port.receive(batch);
    if (count === 0) return 0;
    if (count > 1 && this.joins[port.portNo] !== undefined) this.gro?.merge(batch);
    const policer = this.policers[port.portNo];
    const now = policer === undefined ? 0 : this.shared.now(this.rawNow());
    for (let p = 0; p < batch.count; p++) {
      if (policer !== undefined && !policer.admits(batch, p, now)) {
        this.shared.counters[POLICED]++;
        this.shared.ports[this.shared.portBase(port.portNo) + RX_DROPPED]++;
        batch.flow[p] = FLOW_SKIP;
      } else if (batch.length[p] > MAX_FRAME_BYTES) {
        this.shared.counters[OVERSIZED]++;
        batch.flow[p] = FLOW_SKIP;
      } else if (extract(this.region, batch, p)) {
        batch.flow[p] = FLOW_MISS;
        port.describe?.(batch, p);
      } else {
        this.shared.counters[INVALID_PACKET]++;
        this.shared.ports[this.shared.portBase(port.portNo) + RX_ERRORS]++;
        batch.flow[p] = FLOW_SKIP;
      }
    }
    this.process(batch, 0);
    this.processRecirculated(1);
    this.egress.flush();
    port.release();
    batch.clear();
    return count;
  }

  /** Looks up and executes the frames of a batch whose keys are there. */
  private process(batch: Batch, depth: number): void {
    const cache = this.cache;
    const probesBefore = cache.probes;
    cache.lookup(batch, batch.flow, batch.count);
    const lookups = this.shared.lookups;
    lookups[LOOKUP_MASK_HIT] += cache.probes - probesBefore;
    const now = this.shared.now(this.rawNow());
    this.executor.nowMs = now;
    const flows = this.shared.flows;
    let hits = 0;
    let misses = 0;
    for (let p = 0; p < batch.count; p++) {
      const id = batch.flow[p];
      if (id >= 0) {
        hits++;
        const at = id * FLOW_CELLS;
        flows[at + FLOW_PACKETS]++;
        flows[at + FLOW_BYTES] += batch.length[p];
        flows[at + FLOW_USED] = now;
        const flags = batch.keys[p * DP_WORDS + TCP_FLAGS];
        if (flags !== 0) flows[at + FLOW_TCP_FLAGS] |= flags >>> 16;
        this.executor.run(batch, p, cache.programs[id]!, depth);
      } else if (id === FLOW_MISS) {
        misses++;
        this.executor.upcall(batch, p, UpcallReason.MISS, NO_PROGRAM, 0, 0);
      }
    }
    lookups[LOOKUP_HIT] += hits;
    lookups[LOOKUP_MISSED] += misses;
  }

  private processRecirculated(from: number): void {
    for (let depth = from; depth <= MAX_RECIRCULATIONS; depth++) {
      const batch = this.batches[depth];
      if (batch.count === 0) continue;
      for (let p = 0; p < batch.count; p++) {
        batch.flow[p] = this.executor.readAgain(batch, p) ? FLOW_MISS : FLOW_SKIP;
      }
      this.process(batch, depth);
      batch.clear();
    }
  }

  private recirculate(
    batch: Batch,
    p: number,
    recircId: number,
    depth: number,
    aliased: boolean,
  ): void {
    if (depth >= MAX_RECIRCULATIONS) {
      this.shared.counters[RECIRC_ERROR]++;
      return;
    }
    const next = this.batches[depth + 1];
    // Clones can make more frames than came in: see the full batch through first.
    if (next.count === BATCH_FRAMES) this.processRecirculated(depth + 1);
    const q = next.append(batch.inPort[p], batch.start[p], batch.length[p], batch.room[p]);
    next.offloadFlags[q] = batch.offloadFlags[p];
    next.gsoType[q] = batch.gsoType[p];
    next.gsoSize[q] = batch.gsoSize[p];
    next.headerBytes[q] = batch.headerBytes[p];
    next.csumStart[q] = batch.csumStart[p];
    next.csumOffset[q] = batch.csumOffset[p];
    next.priority[q] = batch.priority[p];
    if (aliased) batch.shared[p] |= SHARED_ALIAS;
    next.shared[q] = batch.shared[p];
    const from = p * DP_WORDS;
    const to = q * DP_WORDS;
    for (let i = 0; i < DP_WORDS; i++) next.keys[to + i] = batch.keys[from + i];
    next.keyDirty[q] = DIRTY_ALL;
    next.keys[to + RECIRC_ID] = recircId;
  }

  private countFlows(): void {
    this.shared.lookups[LOOKUP_FLOWS] = this.cache.flowCount;
    this.shared.lookups[LOOKUP_MASKS] = this.cache.maskCount;
  }
}
