/**
 * What a port does with frames on their way out, as the configuration asks for it (ovs-vswitchd.conf.db(5), QoS and Queue). Plain
 * data: it crosses the thread boundary. ADR 11 says why frames are held here and not by the kernel.
 */

/** A queue of `htb`. Rates in bit/s. */
export interface QueueConfig {
  /** OpenFlow's number, which is the packet priority that chooses the queue. */
  readonly id: number;
  /** Guaranteed. */
  readonly minRate: number;
  /** Never exceeded. */
  readonly maxRate: number;
  /** Bits that may be saved up while nothing is sent. */
  readonly burstBits: number;
  /** Of the queues that want more than their guarantee, the smallest number is served first. */
  readonly priority: number;
}

export type QosConfig =
  /** Rates for queues below one rate of the port; `queues` has a queue 0, where frames of unknown priorities go. */
  | {
      readonly kind: 'htb';
      readonly maxRate: number;
      readonly burstBits: number;
      readonly queues: readonly QueueConfig[];
    }
  /** Each frame is late by `latencyMs`, or lost with a probability of `loss` (0 to 1). */
  | {
      readonly kind: 'netem';
      readonly latencyMs: number;
      readonly limitPackets: number;
      readonly loss: number;
    };

/** Cumulative since the queue was configured. */
export interface QueueStats {
  readonly txBytes: number;
  readonly txPackets: number;
  /** Packets for which the queue had no room. */
  readonly txErrors: number;
}

export const queueIds = (config: QosConfig | null): number[] =>
  config?.kind === 'htb' ? config.queues.map(({ id }) => id) : [];
