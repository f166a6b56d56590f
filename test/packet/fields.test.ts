import { describe, expect, test } from 'vitest';
import { keyOf } from '../../src/packet/extract.ts';
import {
  FIELDS,
  fieldByName,
  fieldByOxm,
  fullMask,
  readField,
  writeField,
} from '../../src/packet/fields.ts';
import * as K from '../../src/packet/key.ts';
import { buildFrame } from './frame-builder.ts';

describe('field table', () => {
  test('names and types are unique', () => {
    const names = FIELDS.flatMap((f) => [f.name, ...f.aliases]);
    expect(new Set(names).size).toBe(names.length);
    const ids = FIELDS.flatMap((f) => f.ids.map((id) => JSON.stringify(id)));
    // NXM_OF_ARP_SPA and NXM_NX_ARP_SHA differ in class only: both are kept apart.
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('every field fits its bytes and the key', () => {
    for (const f of FIELDS) {
      expect(f.bits, f.name).toBeLessThanOrEqual(8 * f.bytes);
      if (f.at >= 0) expect(f.at + f.bits, f.name).toBeLessThanOrEqual(K.FLOW_WORDS * 32);
    }
  });

  test.each<[string, bigint]>([
    ['eth_src', 0x505400000005n],
    ['dl_dst', 0x505400000007n],
    ['eth_type', 0x0800n],
    ['vlan_vid', 10n],
    ['vlan_pcp', 3n],
    ['vlan_tci', 0x700an],
    ['nw_src', 0x0a000001n],
    ['ip_dst', 0x0a000002n],
    ['nw_proto', 6n],
    ['nw_ttl', 64n],
    ['tcp_src', 1000n],
    ['tp_dst', 2000n],
    ['tcp_flags', 0x12n],
    ['ip_frag', 0n],
  ])('%s is read from a frame', (name, value) => {
    const { frame } = buildFrame({
      proto: 'tcp',
      payload: new Uint8Array(0),
      tcpFlags: 0x12,
      tags: [0x8100600a],
    });
    expect(readField(keyOf(frame, 1), fieldByName(name)!)).toBe(value);
  });

  test('a written field is read back and touches no other bit', () => {
    for (const f of FIELDS) {
      if (f.at < 0) continue;
      const ones = new Uint32Array(K.FLOW_WORDS).fill(0xffffffff);
      const zeros = new Uint32Array(K.FLOW_WORDS);
      writeField(zeros, f, fullMask(f));
      writeField(ones, f, 0n);
      const pattern = 0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5an & fullMask(f);
      expect(readField(zeros, f), f.name).toBe(fullMask(f));
      expect(
        ones.every((word, i) => ~word >>> 0 === zeros[i]),
        f.name,
      ).toBe(true);
      writeField(ones, f, pattern);
      expect(readField(ones, f), f.name).toBe(pattern);
    }
  });

  test('types: OXM_OF_ETH_DST, NXM_NX_REG5, ONFOXM_ET_TCP_FLAGS', () => {
    expect(fieldByOxm({ class: 0x8000, field: 3 })?.name).toBe('eth_dst');
    expect(fieldByOxm({ class: 1, field: 5 })?.name).toBe('reg5');
    expect(fieldByOxm({ class: 0xffff, field: 42, experimenter: 0x4f4e4600 })?.name).toBe(
      'tcp_flags',
    );
    expect(fieldByOxm({ class: 0x8000, field: 999 })).toBeUndefined();
  });
});
