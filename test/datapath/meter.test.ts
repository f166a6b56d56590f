import { describe, expect, test } from 'vitest';
import type { MeterConfig } from '../../src/datapath/datapath.ts';
import { newMeterStats } from '../../src/datapath/datapath.ts';
import type { ProgramBuilder } from '../../src/datapath/program.ts';
import { keyOf } from '../../src/packet/extract.ts';
import * as K from '../../src/packet/key.ts';
import { random } from '../packet/bytes.ts';
import { buildFrame, checksumErrors } from '../packet/frame-builder.ts';
import { setup } from './one-program.ts';

const payload = Uint8Array.from({ length: 40 }, (_, i) => i * 3);
const tcp = buildFrame({ proto: 'tcp', payload });
const tcp6 = buildFrame({ proto: 'tcp', payload, ipv6: true });

describe('METER', () => {
  const set = (unit: MeterConfig['unit'], ...bands: Partial<MeterConfig['bands'][0]>[]) => ({
    unit,
    bands: bands.map((band) => ({
      type: 'drop' as const,
      rate: 1,
      burst: 0,
      precLevel: 0,
      ...band,
    })),
  });
  const metered = (b: ProgramBuilder) => {
    b.meter(5);
    b.output(2);
  };

  test('pktps: a full bucket at first, then the rate; what is dropped is counted', async () => {
    const { datapath, run, pass } = await setup();
    datapath.setMeter(5, set('pktps', { rate: 10, burst: 3 }));
    const passed = (frames: number) => {
      let n = 0;
      for (let i = 0; i < frames; i++) n += run(tcp.frame, metered).length;
      return n;
    };
    expect(passed(6)).toBe(3);
    pass(100);
    expect(passed(3)).toBe(1);
    pass(60_000);
    expect(passed(6)).toBe(3);
    const stats = datapath.meterStats(5, newMeterStats());
    expect(stats).toMatchObject({ packets: 15, bytes: 15 * tcp.frame.length });
    expect(stats.bandPackets).toEqual([8, 0, 0, 0, 0, 0, 0, 0]);
    expect(stats.bandBytes[0]).toBe(8 * tcp.frame.length);
    expect(datapath.counter('datapath_drop_meter')).toBe(8);
  });

  test('kbps, against a plain bucket of bits', async () => {
    const { datapath, run, pass } = await setup();
    datapath.setMeter(5, set('kbps', { rate: 8, burst: 4 }));
    const next = random(3);
    let bits = 4000;
    for (let i = 0; i < 500; i++) {
      const ms = next() % 100;
      pass(ms);
      bits = Math.min(4000, bits + 8 * ms);
      const { frame } = buildFrame({ proto: 'udp', payload: new Uint8Array(next() % 200) });
      const wanted = bits >= frame.length * 8;
      if (wanted) bits -= frame.length * 8;
      expect(run(frame, metered).length).toBe(wanted ? 1 : 0);
    }
  });

  test('of several exceeded bands the one with the highest rate applies', async () => {
    const { datapath, run } = await setup();
    datapath.setMeter(5, set('pktps', { rate: 1, type: 'dscpRemark', precLevel: 1 }, { rate: 2 }));
    const af21 = tcp.frame.slice();
    af21[tcp.l3 + 1] = 18 << 2;
    af21[tcp.l3 + 11] -= 18 << 2;
    expect(checksumErrors(af21)).toEqual([]);
    const dscp = [1, 2, 3].map(() => {
      const [out] = run(af21, metered);
      if (out !== undefined) expect(checksumErrors(out)).toEqual([]);
      return out?.[tcp.l3 + 1] >>> 2;
    });
    // Within both rates, beyond the first one, beyond both.
    expect(dscp).toEqual([18, 20, 0]);
    expect(datapath.meterStats(5, newMeterStats()).bandPackets.slice(0, 2)).toEqual([1, 1]);
  });

  test.each([
    ['AF13 stays the highest', 14, 1, 14],
    ['two steps', 10, 2, 14],
    ['expedited forwarding has no precedence', 46, 1, 46],
    ['neither has best effort', 0, 1, 0],
  ])('remarking: %s', async (_name, before, steps, after) => {
    const { datapath, run } = await setup();
    datapath.setMeter(5, set('pktps', { rate: 0, type: 'dscpRemark', precLevel: steps }));
    const { frame, l3 } = tcp6;
    const marked = frame.slice();
    marked[l3] |= before >> 2;
    marked[l3 + 1] |= (before & 3) << 6;
    const [out] = run(marked, metered);
    expect(keyOf(out, 1)[K.TOS_TTL] >>> 26).toBe(after);
  });

  test('a meter that does not exist lets pass, and one that is set again starts anew', async () => {
    const { datapath, run } = await setup();
    expect(run(tcp.frame, metered).length).toBe(1);
    datapath.setMeter(5, set('pktps', { rate: 1 }));
    run(tcp.frame, metered);
    expect(run(tcp.frame, metered).length).toBe(0);
    datapath.setMeter(5, set('pktps', { rate: 1 }));
    expect(run(tcp.frame, metered).length).toBe(1);
    expect(datapath.meterStats(5, newMeterStats()).packets).toBe(1);
    datapath.setMeter(5, null);
    expect(run(tcp.frame, metered).length).toBe(1);
    expect(datapath.meterStats(5, newMeterStats()).packets).toBe(0);
  });

  test('in a clone it ends the clone alone', async () => {
    const { datapath, run, sent } = await setup();
    datapath.setMeter(5, set('pktps', { rate: 0 }));
    run(tcp.frame, (b) => {
      const place = b.beginClone();
      metered(b);
      b.end(place);
      b.output(3);
    });
    expect(sent.map(([port]) => port)).toEqual([3]);
  });
});
