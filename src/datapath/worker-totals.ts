/**
 * What all workers of a datapath have counted, summed when it is asked for: each counts in memory of its own. `ended` has the counts of
 * workers that are gone.
 */
import type { FlowId, FlowStats, LookupStats, MeterStats, PortNo, PortStats } from './datapath.ts';
import { newFlowStats, newMeterStats } from './datapath.ts';
import type { DatapathEvent, DropReason } from './drop-reason.ts';
import type { QueueStats } from './qos.ts';
import { Shared } from './shared.ts';

export class WorkerTotals {
  private readonly live: Shared[] = [];
  private ended: Shared | null = null;
  private readonly flowScratch = newFlowStats();
  private readonly meterScratch = newMeterStats();

  add(shared: Shared): void {
    this.live.push(shared);
  }

  /**
   * The last one added counts no more. What it has counted of these flows, meters and ports (each with the numbers of its queues)
   * stays.
   */
  end(
    flows: Iterable<FlowId>,
    meters: Iterable<number>,
    ports: ReadonlyMap<PortNo, readonly number[]>,
  ): void {
    const shared = this.live.pop();
    if (shared === undefined) return;
    this.ended ??= new Shared();
    for (const [port, queues] of ports) {
      this.ended.assignPort(port);
      this.ended.assignQueues(port, queues);
    }
    this.ended.absorb(shared, flows, ports.keys(), meters);
  }

  // What starts at zero, as the workers hear by commands.

  resetFlow(id: FlowId): void {
    this.ended?.resetFlow(id);
  }

  resetMeter(id: number): void {
    this.ended?.resetMeter(id);
  }

  assignQueues(port: PortNo, queues: readonly number[]): void {
    this.ended?.assignQueues(port, queues);
  }

  releasePort(port: PortNo): void {
    this.ended?.assignQueues(port, []);
    this.ended?.releasePort(port);
  }

  flowStats(id: FlowId, into: FlowStats): FlowStats {
    this.live[0].flowStats(id, into);
    for (let i = 1; i < this.live.length; i++) this.addFlow(this.live[i], id, into);
    if (this.ended !== null) this.addFlow(this.ended, id, into);
    return into;
  }

  private addFlow(shared: Shared, id: FlowId, into: FlowStats): void {
    const one = shared.flowStats(id, this.flowScratch);
    into.packets += one.packets;
    into.bytes += one.bytes;
    into.usedMs = Math.max(into.usedMs, one.usedMs);
    into.tcpFlags |= one.tcpFlags;
  }

  portStats(port: PortNo): PortStats {
    return this.sum((shared) => shared.portStats(port));
  }

  /** Null when the port has no such queue. */
  queueStats(port: PortNo, queue: number): QueueStats | null {
    const found = this.all().map((shared) => shared.queueStats(port, queue));
    const stats = found.filter((one) => one !== null);
    return stats.length === 0 ? null : sumOf(stats);
  }

  meterStats(id: number, into: MeterStats): MeterStats {
    const one = this.meterScratch;
    this.live[0].meterStats(id, into);
    for (const shared of this.all().slice(1)) {
      shared.meterStats(id, one);
      into.packets += one.packets;
      into.bytes += one.bytes;
      for (let band = 0; band < one.bandPackets.length; band++) {
        into.bandPackets[band] += one.bandPackets[band];
        into.bandBytes[band] += one.bandBytes[band];
      }
    }
    return into;
  }

  /** All have the same megaflows: those are not summed. */
  lookupStats(): LookupStats {
    const { masks, flows } = this.live[0].lookupStats();
    return { ...this.sum((shared) => shared.lookupStats()), masks, flows };
  }

  counter(name: DropReason | DatapathEvent): number {
    return this.all().reduce((sum, shared) => sum + shared.counter(name), 0);
  }

  private sum<T extends object>(of: (shared: Shared) => T): T {
    return sumOf(this.all().map(of));
  }

  private all(): Shared[] {
    return this.ended === null ? this.live : [...this.live, this.ended];
  }
}

/** Sums of numbers by name; all have the same names. */
function sumOf<T extends object>(records: readonly T[]): T {
  const names = Object.keys(records[0]) as (keyof T)[];
  const add = (sum: T, one: T): T =>
    Object.assign(sum, Object.fromEntries(names.map((n) => [n, Number(sum[n]) + Number(one[n])])));
  return records.slice(1).reduce(add, { ...records[0] });
}
