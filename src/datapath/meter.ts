/**
 * Meters: token buckets that frames of METER actions draw from (OpenFlow 1.3.5 section 5.7).
 *
 * Each band has a bucket of `burst` that fills with `rate`. A frame for which a bucket has too little exceeds that
 * band; of all exceeded bands the one with the highest rate is applied, and takes nothing from its bucket.
 * Buckets count bits or thousandths of packets: both are rate x milliseconds, so that nothing is divided per frame.
 *
 * A super-frame counts as the packets that it becomes on a wire. Statistics are in shared memory, METER_CELLS cells a
 * meter: packets, bytes, then packets and bytes of each band.
 */
import type { MeterConfig } from './datapath.ts';
import { MAX_BANDS, METER_SLOTS } from './datapath.ts';
import type { Shared } from './shared.ts';
import { METER_BAND, METER_BYTES, METER_CELLS, METER_PACKETS } from './shared.ts';

/** What a band does; a band's steps of drop precedence are `verdict` - METER_REMARK, 0 or more. */
export const METER_PASS = -2;
export const METER_DROP = -1;
export const METER_REMARK = 0;

class Meter {
  readonly inPackets: boolean;
  readonly rates: Float64Array;
  readonly limits: Float64Array;
  readonly tokens: Float64Array;
  readonly verdicts: Int32Array;
  usedMs: number;

  constructor(config: MeterConfig, nowMs: number) {
    const bands = config.bands.slice(0, MAX_BANDS);
    this.inPackets = config.unit === 'pktps';
    this.rates = Float64Array.from(bands, (band) => band.rate);
    this.limits = Float64Array.from(bands, (band) => (band.burst || band.rate) * 1000);
    this.tokens = this.limits.slice();
    this.verdicts = Int32Array.from(bands, (band) =>
      band.type === 'drop' ? METER_DROP : METER_REMARK + band.precLevel,
    );
    this.usedMs = nowMs;
  }
}

export class Meters {
  private readonly meters: (Meter | undefined)[] = [];
  private readonly shared: Shared;

  constructor(shared: Shared) {
    this.shared = shared;
  }

  set(id: number, config: MeterConfig | null, nowMs: number): void {
    if (id < 0 || id >= METER_SLOTS) return;
    this.shared.meters.fill(0, id * METER_CELLS, (id + 1) * METER_CELLS);
    this.meters[id] = config === null ? undefined : new Meter(config, nowMs);
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
    // Time that was held or set back fills nothing.
    const elapsed = nowMs > meter.usedMs ? nowMs - meter.usedMs : 0;
    meter.usedMs = nowMs;
    const cost = meter.inPackets ? packets * 1000 : bytes * 8;
    const { rates, tokens, limits } = meter;
    let exceeded = -1;
    for (let band = 0; band < rates.length; band++) {
      const filled = tokens[band] + elapsed * rates[band];
      const has = Math.min(filled, limits[band]);
      if (has >= cost) tokens[band] = has - cost;
      else {
        tokens[band] = has;
        if (exceeded < 0 || rates[band] > rates[exceeded]) exceeded = band;
      }
    }
    if (exceeded < 0) return METER_PASS;
    cells[at + METER_BAND + 2 * exceeded] += packets;
    cells[at + METER_BAND + 2 * exceeded + 1] += bytes;
    return meter.verdicts[exceeded];
  }
}
