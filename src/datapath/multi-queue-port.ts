/**
 * A port several of whose receive queues belong to one worker: they are asked in turn. What leaves goes by the first one.
 *
 * A batch never holds frames of two queues, since queues may share the memory that frames are fetched into.
 */
import type { Batch } from './batch.ts';
import type { PortNo } from './datapath.ts';
import type { DevicePort, RingPlace } from './device-port.ts';

export class MultiQueuePort implements DevicePort {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  readonly moreFds: readonly number[];
  readonly takesOffload: boolean;
  private readonly queues: readonly DevicePort[];
  private readonly first: DevicePort;
  /** The queue to be asked next, and the one whose frames are out. */
  private next = 0;
  private current: DevicePort;

  /** `queues`: at least one, all of the same port. */
  constructor(queues: readonly DevicePort[]) {
    this.queues = queues;
    this.first = queues[0];
    this.current = queues[0];
    this.portNo = this.first.portNo;
    this.name = this.first.name;
    this.takesOffload = this.first.takesOffload;
    this.fd = this.first.fd;
    this.moreFds = queues.slice(1).map(({ fd }) => fd);
  }

  get mtu(): number {
    return this.first.mtu;
  }
  set mtu(bytes: number) {
    for (const queue of this.queues) queue.mtu = bytes;
  }

  receive(batch: Batch): number {
    for (let n = 0; n < this.queues.length; n++) {
      this.current = this.queues[this.next];
      this.next = this.next + 1 === this.queues.length ? 0 : this.next + 1;
      const count = this.current.receive(batch);
      if (count > 0) return count;
    }
    return 0;
  }

  send(batch: Batch, p: number): void {
    this.first.send(batch, p);
  }

  flush(): void {
    this.first.flush();
  }

  release(): void {
    this.current.release();
  }

  close(): void {
    for (const queue of this.queues) queue.close();
  }

  hasFrame(): boolean {
    for (let i = 0; i < this.queues.length; i++) if (this.queues[i].hasFrame()) return true;
    return false;
  }

  onDeviceError(): boolean {
    let isThere = true;
    for (const queue of this.queues) isThere = queue.onDeviceError() && isThere;
    return isThere;
  }

  collectDrops(): void {
    for (const queue of this.queues) queue.collectDrops();
  }

  places(): readonly RingPlace[] {
    return this.queues.flatMap((queue) => queue.places?.() ?? []);
  }
}
