/**
 * The meters of a bridge (OpenFlow 1.3.5, 5.7). The datapath does the measuring: a meter is a number there, given by the
 * switch, since bridges share a datapath. Its statistics are read back from there.
 */
import { MAX_BANDS, type MeterConfig, type MeterStats } from '../../datapath/datapath.ts';
import type { Bridge } from '../bridge.ts';
import type { Origin } from '../events.ts';
import { type MeterMod, OFPM_ALL, OFPM_CONTROLLER, OFPM_SLOWPATH, type OfError } from '../model.ts';
import { Change } from './change.ts';
import { ANY_FLOW, chosen, usesMeter } from './flow-mods.ts';

const OFPM_MAX = 0xffff0000;

/** Meters of a datapath, as a bridge uses them. */
export interface MeterHost {
  /** A free number, or null. */
  allocate(config: MeterConfig): number | null;
  change(id: number, config: MeterConfig): void;
  free(id: number): void;
  stats(id: number): MeterStats;
}

export interface Meter {
  readonly id: number;
  readonly flags: MeterMod['flags'];
  readonly bands: MeterMod['bands'];
  readonly createdMs: number;
  readonly datapathId: number;
}

export class Meters {
  private readonly byId = new Map<number, Meter>();
  readonly host: MeterHost;

  constructor(host: MeterHost) {
    this.host = host;
  }

  find(id: number): Meter | null {
    return this.byId.get(id) ?? null;
  }
  /** By id. */
  all(): Meter[] {
    return [...this.byId.values()].sort((a, b) => a.id - b.id);
  }
  get size(): number {
    return this.byId.size;
  }
  datapathId(id: number): number | null {
    return this.byId.get(id)?.datapathId ?? null;
  }
  stats(meter: Meter): MeterStats {
    return this.host.stats(meter.datapathId);
  }
  put(id: number, meter: Meter | null): void {
    if (meter === null) this.byId.delete(id);
    else this.byId.set(id, meter);
  }
  /** Frees all, when the bridge goes. */
  close(): void {
    for (const meter of this.byId.values()) this.host.free(meter.datapathId);
    this.byId.clear();
  }
}

const configOf = (mod: MeterMod): MeterConfig => ({
  unit: mod.flags.pktps ? 'pktps' : 'kbps',
  bands: mod.bands.map(({ type, rate, burst, precLevel }) => ({
    type,
    rate,
    burst: mod.flags.burst ? burst : 0,
    precLevel,
  })),
});

/** Carries a meter-mod out; null for success. Deleting a meter deletes the flows that use it. */
export function applyMeterMod(
  bridge: Bridge,
  mod: MeterMod,
  origin: Origin = null,
): OfError | null {
  const { meters } = bridge;
  const { meterId } = mod;
  const isVirtual = meterId === OFPM_CONTROLLER || meterId === OFPM_SLOWPATH;
  if (mod.command === 'delete') {
    if (meterId === OFPM_ALL) for (const meter of meters.all()) remove(bridge, meter, origin);
    else {
      const meter = meters.find(meterId);
      if (meter !== null) remove(bridge, meter, origin);
    }
    return null;
  }
  if (meterId === 0 || (meterId > OFPM_MAX && !isVirtual))
    return { error: 'OFPMMFC_INVALID_METER' };
  if (mod.flags.kbps && mod.flags.pktps) return { error: 'OFPMMFC_BAD_FLAGS' };
  if (mod.bands.length > MAX_BANDS) return { error: 'OFPMMFC_OUT_OF_BANDS' };
  for (const band of mod.bands) {
    if (band.rate === 0) return { error: 'OFPMMFC_BAD_RATE' };
    if (band.type === 'dscpRemark' && band.precLevel > 2)
      return { error: 'OFPMMFC_BAD_BAND_VALUE' };
  }
  const old = meters.find(meterId);
  const { flags, bands } = mod;
  if (mod.command === 'modify') {
    if (old === null) return { error: 'OFPMMFC_UNKNOWN_METER' };
    meters.host.change(old.datapathId, configOf(mod));
    meters.put(meterId, { ...old, flags, bands });
    return null;
  }
  if (old !== null) return { error: 'OFPMMFC_METER_EXISTS' };
  const datapathId = meters.host.allocate(configOf(mod));
  if (datapathId === null) return { error: 'OFPMMFC_OUT_OF_METERS' };
  meters.put(meterId, { id: meterId, flags, bands, createdMs: bridge.clock.now(), datapathId });
  bridge.tablesChanged();
  return null;
}

function remove(bridge: Bridge, meter: Meter, origin: Origin): void {
  const change = new Change(bridge, origin);
  for (const rule of chosen(bridge, ANY_FLOW, false, false)) {
    if (usesMeter(rule.actions, meter.id)) change.remove(rule, 'meterDelete');
  }
  change.commit();
  bridge.meters.put(meter.id, null);
  bridge.meters.host.free(meter.datapathId);
  bridge.tablesChanged();
}

/** How many flows use the meter. */
export function meterReferences(bridge: Bridge, meterId: number): number {
  let count = 0;
  for (const rule of chosen(bridge, ANY_FLOW, false, false)) {
    if (usesMeter(rule.actions, meterId)) count++;
  }
  return count;
}
