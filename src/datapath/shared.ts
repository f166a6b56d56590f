/**
 * What the two threads share: statistics, counters and the clock, in one (Shared)ArrayBuffer.
 *
 * Layout, all 8-byte cells: FLOW_SLOTS x 4 (packets, bytes, used ms, TCP flags), PORT_SLOTS x 16 port statistics,
 * then 128 counters, 8 lookup totals, 2 clock cells, METER_SLOTS x 18 meter statistics, QUEUE_SLOTS x 4 of queues (bytes, packets,
 * errors), and 65,536 Int32 that map a port number to its slot.
 * Memory is zero until touched, so unused slots cost address space only.
 *
 * One writer per cell: the datapath's thread adds, the main thread reads; the main thread writes the map and the clock.
 * Plain stores of aligned 8-byte cells are enough for that, counts stay exact to 2^53.
 */
import type { FlowId, FlowStats, LookupStats, MeterStats, PortNo, PortStats } from './datapath.ts';
import { FLOW_SLOTS, MAX_BANDS, METER_SLOTS, newFlowStats } from './datapath.ts';
import type { DatapathEvent, DropReason } from './drop-reason.ts';
import { DATAPATH_EVENTS, DROP_REASONS } from './drop-reason.ts';
import type { QueueStats } from './qos.ts';

/** Float64 cells of one flow. */
export const FLOW_CELLS = 4;
export const FLOW_PACKETS = 0;
export const FLOW_BYTES = 1;
export const FLOW_USED = 2;
export const FLOW_TCP_FLAGS = 3;

/** Ports that can exist at once. Slot 0 is nobody's: it takes what a port counts that has no slot. */
const PORT_SLOTS = 4096;
/** Float64 cells of one port. */
const PORT_CELLS = 16;
export const RX_PACKETS = 0;
export const RX_BYTES = 1;
export const RX_DROPPED = 2;
export const RX_ERRORS = 3;
export const TX_PACKETS = 4;
export const TX_BYTES = 5;
export const TX_DROPPED = 6;
export const TX_ERRORS = 7;
export const RX_MULTICAST = 8;

/** Float64 cells of one meter. */
export const METER_CELLS = 2 + 2 * MAX_BANDS;
export const METER_PACKETS = 0;
export const METER_BYTES = 1;
/** Packets and bytes of band 0; those of the next bands follow. */
export const METER_BAND = 2;

/** Queues that can be counted at once. Slot 0 is nobody's. */
const QUEUE_SLOTS = 4096;
/** Float64 cells of one queue. */
export const QUEUE_CELLS = 4;
export const QUEUE_BYTES = 0;
export const QUEUE_PACKETS = 1;
export const QUEUE_ERRORS = 2;

const COUNTER_CELLS = 128;
const LOOKUP_CELLS = 8;
const CLOCK_CELLS = 2;
/** Lookup totals, and how the worker spends its time. */
export const LOOKUP_HIT = 0;
export const LOOKUP_MISSED = 1;
export const LOOKUP_LOST = 2;
export const LOOKUP_MASK_HIT = 3;
export const LOOKUP_MASKS = 4;
export const LOOKUP_FLOWS = 5;
/** Milliseconds that the worker has slept, and since when it sleeps now (its exact clock; 0: it does not). */
export const LOOKUP_SLEPT = 6;
export const LOOKUP_ASLEEP_SINCE = 7;

const PORT_NUMBERS = 65_536;
const CELLS =
  FLOW_SLOTS * FLOW_CELLS +
  PORT_SLOTS * PORT_CELLS +
  COUNTER_CELLS +
  LOOKUP_CELLS +
  CLOCK_CELLS +
  METER_SLOTS * METER_CELLS +
  QUEUE_SLOTS * QUEUE_CELLS;

/** Bytes that the buffer of a Shared needs. */
export const SHARED_BYTES = CELLS * 8 + PORT_NUMBERS * 4;

/** Index of a drop reason or event in Shared.counters. Look it up once, not per packet. */
export function counterIndex(name: DropReason | DatapathEvent): number {
  const drop = (DROP_REASONS as readonly string[]).indexOf(name);
  return drop >= 0
    ? drop
    : DROP_REASONS.length + (DATAPATH_EVENTS as readonly string[]).indexOf(name);
}

export class Shared {
  readonly buffer: ArrayBufferLike;
  readonly flows: Float64Array;
  /** PORT_CELLS cells from portBase(portNo). */
  readonly ports: Float64Array;
  readonly counters: Float64Array;
  readonly lookups: Float64Array;
  /** METER_CELLS cells a meter. */
  readonly meters: Float64Array;
  /** QUEUE_CELLS cells a queue. */
  readonly queues: Float64Array;
  private readonly clock: Float64Array;
  private readonly slots: Int32Array;
  /** Main thread only: slots in use. */
  private readonly taken = new Uint8Array(PORT_SLOTS);
  /** Main thread only: slots of queues by port, then by number. */
  private readonly queueSlots = new Map<PortNo, ReadonlyMap<number, number>>();
  private readonly queueTaken = new Uint8Array(QUEUE_SLOTS);
  private lastQueueSlot = 0;

  /** `buffer`: SHARED_BYTES zero bytes; a SharedArrayBuffer when two threads make a Shared of it. */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(SHARED_BYTES)) {
    this.buffer = buffer;
    let at = 0;
    const cells = (count: number) => {
      const view = new Float64Array(buffer, at, count);
      at += count * 8;
      return view;
    };
    this.flows = cells(FLOW_SLOTS * FLOW_CELLS);
    this.ports = cells(PORT_SLOTS * PORT_CELLS);
    this.counters = cells(COUNTER_CELLS);
    this.lookups = cells(LOOKUP_CELLS);
    this.clock = cells(CLOCK_CELLS);
    this.meters = cells(METER_SLOTS * METER_CELLS);
    this.queues = cells(QUEUE_SLOTS * QUEUE_CELLS);
    this.slots = new Int32Array(buffer, at, PORT_NUMBERS);
  }

  // Main thread

  /** Gives a port a slot with zero statistics. False when PORT_SLOTS are taken. Before the port is attached. */
  assignPort(port: PortNo): boolean {
    if (this.slots[port] !== 0) return true;
    const slot = this.taken.indexOf(0, 1);
    if (slot < 0) return false;
    this.taken[slot] = 1;
    this.ports.fill(0, slot * PORT_CELLS, (slot + 1) * PORT_CELLS);
    this.slots[port] = slot;
    return true;
  }

  /** Takes the slot away. After the port was detached. */
  releasePort(port: PortNo): void {
    this.taken[this.slots[port]] = 0;
    this.slots[port] = 0;
  }

  /**
   * Slots for the queues of a port, in the order of `ids`. Queues that it had go on counting; new ones start at zero. Slot 0 when
   * all are taken.
   */
  assignQueues(port: PortNo, ids: readonly number[]): number[] {
    const before = this.queueSlots.get(port) ?? new Map<number, number>();
    const now = new Map(ids.map((id) => [id, before.get(id) ?? this.freeQueueSlot()]));
    for (const [id, slot] of before) if (!now.has(id)) this.queueTaken[slot] = 0;
    if (now.size > 0) this.queueSlots.set(port, now);
    else this.queueSlots.delete(port);
    return [...now.values()];
  }

  /** Null when the port has no such queue. */
  queueStats(port: PortNo, queue: number): QueueStats | null {
    const slot = this.queueSlots.get(port)?.get(queue);
    if (slot === undefined) return null;
    const at = slot * QUEUE_CELLS;
    const cells = this.queues;
    return {
      txBytes: cells[at + QUEUE_BYTES],
      txPackets: cells[at + QUEUE_PACKETS],
      txErrors: cells[at + QUEUE_ERRORS],
    };
  }

  /** In turn: one just given up may be counted in for a moment. */
  private freeQueueSlot(): number {
    for (let n = 0; n < QUEUE_SLOTS; n++) {
      this.lastQueueSlot = (this.lastQueueSlot + 1) % QUEUE_SLOTS;
      if (this.lastQueueSlot === 0 || this.queueTaken[this.lastQueueSlot] !== 0) continue;
      this.queueTaken[this.lastQueueSlot] = 1;
      const at = this.lastQueueSlot * QUEUE_CELLS;
      this.queues.fill(0, at, at + QUEUE_CELLS);
      return this.lastQueueSlot;
    }
    return 0;
  }

  /** Time stands still at `nowMs` for the datapath. */
  holdClock(nowMs: number): void {
    this.clock[1] = nowMs;
    this.clock[0] = 1;
  }

  /** Time runs again: `offsetMs` is the main clock's lead over the raw monotonic clock. */
  runClock(offsetMs: number): void {
    this.clock[1] = offsetMs;
    this.clock[0] = 0;
  }

  /** Adds what another one counted of these flows, ports and meters, and all its totals. Its ports and queues have slots here, too. */
  absorb(
    other: Shared,
    flows: Iterable<FlowId>,
    ports: Iterable<PortNo>,
    meters: Iterable<number>,
  ): void {
    for (const id of flows) {
      const at = id * FLOW_CELLS;
      const { packets, bytes, usedMs, tcpFlags } = other.flowStats(id, newFlowStats());
      this.flows[at + FLOW_PACKETS] += packets;
      this.flows[at + FLOW_BYTES] += bytes;
      this.flows[at + FLOW_USED] = Math.max(this.flows[at + FLOW_USED], usedMs);
      this.flows[at + FLOW_TCP_FLAGS] |= tcpFlags;
    }
    for (const port of ports) {
      const [to, from] = [this.portBase(port), other.portBase(port)];
      for (let i = 0; i < PORT_CELLS; i++) this.ports[to + i] += other.ports[from + i];
      for (const [queue, slot] of this.queueSlots.get(port) ?? []) {
        const theirs = other.queueSlots.get(port)?.get(queue);
        if (theirs === undefined) continue;
        for (let i = 0; i < QUEUE_CELLS; i++) {
          this.queues[slot * QUEUE_CELLS + i] += other.queues[theirs * QUEUE_CELLS + i];
        }
      }
    }
    for (const id of meters) {
      for (let i = 0; i < METER_CELLS; i++) {
        this.meters[id * METER_CELLS + i] += other.meters[id * METER_CELLS + i];
      }
    }
    for (let i = 0; i < COUNTER_CELLS; i++) this.counters[i] += other.counters[i];
    for (const i of [LOOKUP_HIT, LOOKUP_MISSED, LOOKUP_LOST, LOOKUP_MASK_HIT]) {
      this.lookups[i] += other.lookups[i];
    }
  }

  /** A meter starts at zero. */
  resetMeter(id: number): void {
    this.meters.fill(0, id * METER_CELLS, (id + 1) * METER_CELLS);
  }

  /** How long the thread has slept, milliseconds; `nowMs`: its exact clock. */
  sleptMs(nowMs: number): number {
    const since = this.lookups[LOOKUP_ASLEEP_SINCE];
    return this.lookups[LOOKUP_SLEPT] + (since > 0 ? Math.max(0, nowMs - since) : 0);
  }

  flowStats(id: FlowId, into: FlowStats): FlowStats {
    const at = id * FLOW_CELLS;
    into.packets = this.flows[at + FLOW_PACKETS];
    into.bytes = this.flows[at + FLOW_BYTES];
    into.usedMs = this.flows[at + FLOW_USED];
    into.tcpFlags = this.flows[at + FLOW_TCP_FLAGS];
    return into;
  }

  meterStats(id: number, into: MeterStats): MeterStats {
    const at = id * METER_CELLS;
    const cells = this.meters;
    into.packets = cells[at + METER_PACKETS];
    into.bytes = cells[at + METER_BYTES];
    for (let band = 0; band < MAX_BANDS; band++) {
      into.bandPackets[band] = cells[at + METER_BAND + 2 * band];
      into.bandBytes[band] = cells[at + METER_BAND + 2 * band + 1];
    }
    return into;
  }

  portStats(port: PortNo): PortStats {
    const at = this.portBase(port);
    const cells = this.ports;
    return {
      rxPackets: cells[at + RX_PACKETS],
      rxBytes: cells[at + RX_BYTES],
      rxDropped: cells[at + RX_DROPPED],
      rxErrors: cells[at + RX_ERRORS],
      txPackets: cells[at + TX_PACKETS],
      txBytes: cells[at + TX_BYTES],
      txDropped: cells[at + TX_DROPPED],
      txErrors: cells[at + TX_ERRORS],
      rxMulticast: cells[at + RX_MULTICAST],
    };
  }

  lookupStats(): LookupStats {
    const cells = this.lookups;
    return {
      hit: cells[LOOKUP_HIT],
      missed: cells[LOOKUP_MISSED],
      lost: cells[LOOKUP_LOST],
      maskHit: cells[LOOKUP_MASK_HIT],
      masks: cells[LOOKUP_MASKS],
      flows: cells[LOOKUP_FLOWS],
    };
  }

  counter(name: DropReason | DatapathEvent): number {
    return this.counters[counterIndex(name)];
  }

  // Datapath thread

  /** First cell of the port's statistics in `ports`. */
  portBase(port: number): number {
    return this.slots[port] * PORT_CELLS;
  }

  /** The clock that stamps `used`: the raw monotonic milliseconds, unless the main thread holds or shifts time. */
  now(rawMs: number): number {
    return this.clock[0] !== 0 ? this.clock[1] : rawMs + this.clock[1];
  }

  resetFlow(id: FlowId): void {
    this.flows.fill(0, id * FLOW_CELLS, (id + 1) * FLOW_CELLS);
  }
}
