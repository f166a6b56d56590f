/**
 * A port of the datapath, as the packet loop sees it. One contract suite (test/contract/port.ts) runs on
 * every type.
 */
import type { Batch } from './batch.ts';
import type { PortNo } from './datapath.ts';

export interface Port {
  readonly portNo: PortNo;
  readonly name: string;
  /** File descriptor to wait on for frames, -1 for a port in memory. */
  readonly fd: number;
  /** Largest payload after the Ethernet header that may leave, bytes. */
  mtu: number;
  /** True when send() takes frames with a partial checksum or GSO size; else they are repaired before. */
  readonly takesOffload: boolean;

  /** send() cuts super-frames itself, and completes their checksums. */
  readonly cutsSegments?: boolean;
  /** True when super-frame p is to be cut before it comes here: whole, it would hold others up. */
  wantsSegments?(batch: Batch, p: number): boolean;
  /** Writes what frame p's headers do not say into its key; called once for each received frame, after extraction. */
  describe?(batch: Batch, p: number): void;

  /** Appends frames until none is waiting or the batch is full. Returns how many. Counts rx itself. */
  receive(batch: Batch): number;
  /**
   * Queues frame p. Its bytes must stay as they are until flush() has returned; the columns of the batch (start, length,
   * offload metadata) are read now, since the slot may stand for another frame at once. Counts tx itself. A frame
   * that cannot be sent is dropped and counted; it never throws.
   */
  send(batch: Batch, p: number): void;
  /** Sends what is queued. */
  flush(): void;
  /** Gives the memory of all received frames back (ring slots to the kernel). Called after every flush of the batch. */
  release(): void;
  /** Unmaps and forgets; the descriptor itself belongs to the main thread. */
  close(): void;
}
