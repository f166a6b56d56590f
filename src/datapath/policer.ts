/**
 * Ingress policing of a port: a bucket of bits and one of packets, both must have room for a frame (ovs-vswitchd.conf.db(5), Interface,
 * "Ingress Policing"). A super-frame counts as the packets that it becomes on a wire.
 */

import { GSO_NONE } from '../packet/frames.ts';
import type { Batch } from './batch.ts';

/** Rate 0 for no limit. */
export interface PolicingConfig {
  readonly rateKbps: number;
  readonly burstKb: number;
  readonly ratePps: number;
  readonly burstPackets: number;
}

export const NO_POLICING: PolicingConfig = {
  rateKbps: 0,
  burstKb: 0,
  ratePps: 0,
  burstPackets: 0,
};

/** Bits, and thousandths of packets: both are rate x milliseconds. */
export class Policer {
  private readonly rateKbps: number;
  private readonly maxBits: number;
  private bits: number;
  private readonly ratePps: number;
  private readonly maxPackets: number;
  private packets: number;
  private usedMs: number;

  /** Buckets are full at first. */
  constructor(config: PolicingConfig, nowMs: number) {
    this.rateKbps = config.rateKbps;
    this.bits = this.maxBits = config.burstKb * 1000;
    this.ratePps = config.ratePps;
    this.packets = this.maxPackets = config.burstPackets * 1000;
    this.usedMs = nowMs;
  }

  /** False when frame p exceeds a limit; it takes nothing from the buckets then. */
  admits(batch: Batch, p: number, nowMs: number): boolean {
    // Time that was held or set back fills nothing.
    const elapsed = nowMs > this.usedMs ? nowMs - this.usedMs : 0;
    this.usedMs = nowMs;
    this.bits = Math.min(this.bits + elapsed * this.rateKbps, this.maxBits);
    this.packets = Math.min(this.packets + elapsed * this.ratePps, this.maxPackets);
    const bits = batch.length[p] * 8;
    const packets = wirePackets(batch, p) * 1000;
    if (this.rateKbps > 0 && this.bits < bits) return false;
    if (this.ratePps > 0 && this.packets < packets) return false;
    this.bits -= bits;
    this.packets -= packets;
    return true;
  }
}

/** How many packets frame p is on a wire. */
export function wirePackets(batch: Batch, p: number): number {
  const size = batch.gsoSize[p];
  if (batch.gsoType[p] === GSO_NONE || size === 0) return 1;
  return Math.max(1, Math.ceil((batch.length[p] - batch.headerBytes[p]) / size));
}
