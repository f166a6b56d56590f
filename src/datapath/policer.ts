/**
 * Ingress policing of a port: a bucket of bits and one of packets, both must have room for a frame (ovs-vswitchd.conf.db(5), Interface,
 * "Ingress Policing"). A super-frame counts as the packets that it becomes on a wire. A port whose receive queues belong to several
 * workers has a policer in each, and all draw from one pair of buckets (shared-tokens.ts).
 */

import { GSO_NONE } from '../packet/frames.ts';
import type { Batch } from './batch.ts';
import { portSlot, type SharedTokens } from './shared-tokens.ts';

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

export const isUnpoliced = ({ rateKbps, ratePps }: PolicingConfig): boolean =>
  rateKbps <= 0 && ratePps <= 0;

/** Cells of the state. */
const USED_MS = 0;
const BITS = 1;
const PACKETS = 2;

/** Bits, and thousandths of packets: both are rate x milliseconds. */
export class Policer {
  private readonly rateKbps: number;
  private readonly maxBits: number;
  private readonly ratePps: number;
  private readonly maxPackets: number;
  private readonly tokens: SharedTokens;
  private readonly slot: number;
  private readonly generation: number;
  private readonly state: Float64Array;

  /** Buckets are full at first. `generation`: which change of the port's policing this is. */
  constructor(
    config: PolicingConfig,
    nowMs: number,
    tokens: SharedTokens,
    portNo: number,
    generation: number,
  ) {
    this.rateKbps = config.rateKbps;
    this.maxBits = config.burstKb * 1000;
    this.ratePps = config.ratePps;
    this.maxPackets = config.burstPackets * 1000;
    this.tokens = tokens;
    this.slot = portSlot(portNo);
    this.generation = generation;
    this.state = tokens.cells(this.slot);
    if (!tokens.enter(this.slot, generation)) {
      this.state[USED_MS] = nowMs;
      this.state[BITS] = this.maxBits;
      this.state[PACKETS] = this.maxPackets;
      tokens.setGeneration(this.slot, generation);
    }
    tokens.leave(this.slot);
  }

  /** False when frame p exceeds a limit; it takes nothing from the buckets then. */
  admits(batch: Batch, p: number, nowMs: number): boolean {
    const isCurrent = this.tokens.enter(this.slot, this.generation);
    const admits =
      !isCurrent || this.draw(batch.length[p] * 8, wirePackets(batch, p) * 1000, nowMs);
    this.tokens.leave(this.slot);
    return admits;
  }

  private draw(bits: number, packets: number, nowMs: number): boolean {
    const { state } = this;
    // Time that was held or set back fills nothing.
    const elapsed = nowMs > state[USED_MS] ? nowMs - state[USED_MS] : 0;
    state[USED_MS] = nowMs;
    state[BITS] = Math.min(state[BITS] + elapsed * this.rateKbps, this.maxBits);
    state[PACKETS] = Math.min(state[PACKETS] + elapsed * this.ratePps, this.maxPackets);
    if (this.rateKbps > 0 && state[BITS] < bits) return false;
    if (this.ratePps > 0 && state[PACKETS] < packets) return false;
    state[BITS] -= bits;
    state[PACKETS] -= packets;
    return true;
  }
}

/** How many packets frame p is on a wire. */
export function wirePackets(batch: Batch, p: number): number {
  const size = batch.gsoSize[p];
  if (batch.gsoType[p] === GSO_NONE || size === 0) return 1;
  return Math.max(1, Math.ceil((batch.length[p] - batch.headerBytes[p]) / size));
}
