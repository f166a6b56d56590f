/** The meters of a datapath, shared by its bridges: numbers from 0 on, the lowest free one first. */
import { type Datapath, METER_SLOTS, newMeterStats } from '../datapath/datapath.ts';
import type { MeterHost } from './tables/meters.ts';

export function meterHostOf(datapath: Datapath): MeterHost {
  const used = new Set<number>();
  return {
    allocate: (config) => {
      let id = 0;
      while (used.has(id)) id++;
      if (id >= METER_SLOTS) return null;
      used.add(id);
      datapath.setMeter(id, config);
      return id;
    },
    change: (id, config) => datapath.setMeter(id, config),
    free: (id) => {
      if (used.delete(id)) datapath.setMeter(id, null);
    },
    stats: (id) => datapath.meterStats(id, newMeterStats()),
  };
}
