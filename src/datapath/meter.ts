/**
 * Meters: token buckets that frames of METER actions draw from (OpenFlow 1.3.5 section 5.7).
 *
 * Each band has a bucket of `burst` that fills with `rate`. A frame for which a bucket has too little exceeds that
 * band; of all exceeded bands the one with the highest rate is applied, and takes nothing from its bucket.
 * Buckets count bits or thousandths of packets: both are rate x milliseconds, so that nothing is divided per frame.
 *
 * A super-frame counts as the packets that it becomes on a wire. Statistics are in shared memory, METER_CELLS cells a
 * meter: packets, bytes, then packets and bytes of each band; each worker counts its own. Buckets are for all of them
 * (shared-tokens.ts).
 */
import type { MeterConfig } from './datapath.ts';
import { MAX_BANDS, METER_SLOTS } from './datapath.ts';
import type { Shared } from './shared.ts';
import { METER_BAND, METER_BYTES, METER_CELLS, METER_PACKETS } from './shared.ts';
import { meterSlot, type SharedTokens } from './shared-tokens.ts';

/** What a band does; a band's steps of drop precedence are `verdict` - METER_REMARK, 0 or more. */
export const METER_PASS = -2;
export const METER_DROP = -1;
export const METER_REMARK = 0;

class Meter {
  readonly inPackets: boolean;
  readonly rates: Float64Array;
  readonly limits: Float64Array;
  readonly verdicts: Int32Array;
  readonly generation: number;
  /** Clock milliseconds of the last charge, then what each bucket holds. */
  readonly state: Float64Array;

  constructor(config: MeterConfig, generation: number, state: Float64Array) {
    const bands = config.bands.slice(0, MAX_BANDS);
    this.inPackets = config.unit === 'pktps';
    this.rates = Float64Array.from(bands, (band) => band.rate);
    this.limits = Float64Array.from(bands, (band) => (band.burst || band.rate) * 1000);
    this.verdicts = Int32Array.from(bands, (band) =>
      band.type === 'drop' ? METER_DROP : METER_REMARK + band.precLevel,
    );
    this.generation = generation;
    this.state = state;
  }
}

export class Meters {
  private readonly meters: (Meter | undefined)[] = [];
  private readonly shared: Shared;
  private readonly tokens: SharedTokens;

  constructor(shared: Shared, tokens: SharedTokens) {
    this.shared = shared;
    this.tokens = tokens;
  }

  /** `generation`: which change of the meter this is. */
  set(id: number, config: MeterConfig | null, nowMs: number, generation: number): void {
    if (id < 0 || id >= METER_SLOTS) return;
    this.shared.resetMeter(id);
    this.meters[id] = undefined;
    if (config === null) return;
    const { tokens } = this;
    const slot = meterSlot(id);
    const meter = new Meter(config, generation, tokens.cells(slot));
    if (!tokens.enter(slot, generation)) {
      meter.state[0] = nowMs;
      meter.state.set(meter.limits, 1);
      tokens.setGeneration(slot, generation);
    }
    tokens.leave(slot);
    this.meters[id] = meter;
  }

  /**
   * Charges meter `id` with a frame of `bytes` that is `packets` packets on the wire. Returns METER_PASS, METER_DROP, or
   * METER_REMARK plus the steps of drop precedence to add.
   */
  charge(id: number, bytes: number, packets: number, nowMs: number): number {
    const meter = this.meters[id];
    if (meter === undefined) return METER_PASS;
    const cells = this.shared.meters;
    const at = id * METER_CELLS;
    cells[at + METER_PACKETS] += packets;
    cells[at + METER_BYTES] += bytes;
    const cost = meter.inPackets ? packets * 1000 : bytes * 8;
    const slot = meterSlot(id);
    const exceeded = this.tokens.enter(slot, meter.generation) ? draw(meter, cost, nowMs) : -1;
    this.tokens.leave(slot);
    if (exceeded < 0) return METER_PASS;
    cells[at + METER_BAND + 2 * exceeded] += packets;
    cells[at + METER_BAND + 2 * exceeded + 1] += bytes;
    return meter.verdicts[exceeded];
  }
}

/** Takes `cost` from the buckets that have it. The band to be applied, -1 when none is exceeded. */
function draw(meter: Meter, cost: number, nowMs: number): number {
  const { rates, state, limits } = meter;
  // Time that was held or set back fills nothing.
  const elapsed = nowMs > state[0] ? nowMs - state[0] : 0;
  state[0] = nowMs;
  let exceeded = -1;
  for (let band = 0; band < rates.length; band++) {
    const filled = state[band + 1] + elapsed * rates[band];
    const has = Math.min(filled, limits[band]);
    if (has >= cost) state[band + 1] = has - cost;
    else {
      state[band + 1] = has;
      if (exceeded < 0 || rates[band] > rates[exceeded]) exceeded = band;
    }
  }
  return exceeded;
}
