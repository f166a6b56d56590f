/**
 * OpenFlow 1.3 from the bytes of a flow-mod to the bytes of a frame: every field matched and set in every kind of packet that has it,
 * however it is carried, every action, and the errors for what may not be asked. Each row can fail on its own.
 */
import { describe, expect, test } from 'vitest';
import { MATCH_ALL } from '../../src/flowtable/match.ts';
import { matchCodec } from '../../src/ofproto/codec/match.ts';
import { Writer } from '../../src/ofproto/codec/writer.ts';
import { OFPTT_ALL } from '../../src/ofproto/model.ts';
import { flowStats } from '../../src/ofproto/tables/flow-stats.ts';
import {
  apply,
  type Carrier,
  copyTtlIn,
  copyTtlOut,
  decMplsTtl,
  decNwTtl,
  flowMod,
  frame,
  goto,
  groupMod,
  type Headers,
  hex,
  hexOf,
  type Kind,
  OXM_NAMES,
  type OxmName,
  output,
  oxm,
  popMpls,
  popPbb,
  popVlan,
  pushMpls,
  pushPbb,
  pushVlan,
  setField,
  setMplsTtl,
  setNwTtl,
  setQueue,
  toGroup,
  write,
  writeMetadata,
} from './openflow13.ts';
import { out2, Target, VERSION } from './openflow13-target.ts';

const TYPE: Record<string, string> = { 4: '0800', 6: '86dd', p: '0806' };
const typeOf = (kind: Kind): string => TYPE[kind.at(-1) as string];

const eth = (type: string): string => oxm('eth_type', type);
const ip4 = (proto: number): string => eth('0800') + oxm('ip_proto', hex(proto, 1));
const ip6 = (proto: number): string => eth('86dd') + oxm('ip_proto', hex(proto, 1));
const nd = (type: number): string => ip6(58) + oxm('icmpv6_type', hex(type, 1));

interface FieldCase {
  field: OxmName;
  kind: Kind;
  /** What the match must say besides; null when nothing. */
  needs: string | null;
  value: string;
  /** A mask under which `value` stays different from the other frame's; null when the field takes none. */
  mask?: string;
  has?: Partial<Headers>;
  /** Of a frame that must not match. */
  other: Partial<Headers>;
  /** What set-field makes of the other frame; absent for a field that is not for setting. */
  set?: Partial<Headers>;
}

/** Fields of the network layer and above, with what carries them out of the way. */
const row = (
  field: OxmName,
  kind: Kind,
  needs: string | null,
  value: string,
  key: keyof Headers,
  own: Headers[keyof Headers],
  other: Headers[keyof Headers],
  mask?: string,
  base: Partial<Headers> = {},
): FieldCase => ({
  field,
  kind,
  needs,
  value,
  ...(mask === undefined ? {} : { mask }),
  has: { ...base, [key]: own },
  other: { ...base, [key]: other },
  set: { ...base, [key]: own },
});

const V6 = '20010db8000000000000000000000001';
const W6 = 'fe80000000000000000000000000ff02';
const V6_MASK = 'ffff0000000000000000000000000000';
const MAC = '0200000000a1';
const MAC_MASK = '00ff000000ff';

const ports = (['tcp', 'udp', 'sctp'] as const).flatMap((name) =>
  (['4', '6'] as const).flatMap((family) => {
    const proto = { tcp: 6, udp: 17, sctp: 132 }[name];
    const needs = family === '4' ? ip4(proto) : ip6(proto);
    const kind: Kind = `${name}${family}`;
    return [
      row(`${name}_src`, kind, needs, '03e8', 'sport', 1000, 1001, 'ff0f'),
      row(`${name}_dst`, kind, needs, '07d0', 'dport', 2000, 2001, 'f00f'),
    ];
  }),
);
const dscp = (['tcp4', 'tcp6'] as const).flatMap((kind) => [
  row('ip_dscp', kind, eth(typeOf(kind)), '08', 'tos', 0x21, 0x41),
  row('ip_ecn', kind, eth(typeOf(kind)), '01', 'tos', 0x21, 0x22),
  row('ip_proto', kind, eth(typeOf(kind)), '06', 'proto', 6, 99),
]);

const INNER: FieldCase[] = [
  ...ports,
  ...dscp,
  row('ipv4_src', 'tcp4', eth('0800'), '0a000001', 'ip4Src', '0a000001', 'c0a80101', 'ff00ff00'),
  row('ipv4_dst', 'udp4', eth('0800'), '0a000002', 'ip4Dst', '0a000002', 'c0a80203', '000000ff'),
  row('ipv6_src', 'tcp6', eth('86dd'), V6, 'ip6Src', V6, W6, V6_MASK),
  row('ipv6_dst', 'icmp6', eth('86dd'), V6, 'ip6Dst', V6, W6, V6_MASK, { icmpType: 128 }),
  row('ipv6_flabel', 'udp6', eth('86dd'), '12345', 'flabel', 0x12345, 0x54321, '0ff00'),
  row('icmpv4_type', 'icmp4', ip4(1), '08', 'icmpType', 8, 0),
  row('icmpv4_code', 'icmp4', ip4(1), '00', 'icmpCode', 0, 1),
  row('icmpv6_type', 'icmp6', ip6(58), '80', 'icmpType', 128, 129),
  row('icmpv6_code', 'icmp6', ip6(58), '01', 'icmpCode', 1, 0, undefined, { icmpType: 128 }),
  row('arp_op', 'arp', eth('0806'), '0001', 'op', 1, 2),
  row('arp_spa', 'arp', eth('0806'), '0a000001', 'spa', '0a000001', 'c0a80101', 'ffff0000'),
  row('arp_tpa', 'arp', eth('0806'), '0a000002', 'tpa', '0a000002', 'c0a80203', '000000ff'),
  row('arp_sha', 'arp', eth('0806'), MAC, 'sha', MAC, '0211000000b2', MAC_MASK),
  row('arp_tha', 'arp', eth('0806'), MAC, 'tha', MAC, '0211000000b2', MAC_MASK),
  row('ipv6_nd_target', 'nd6', nd(135), V6, 'target', V6, W6, V6_MASK, { icmpType: 135 }),
  row('ipv6_nd_target', 'nd6', nd(136), V6, 'target', V6, W6, V6_MASK, { icmpType: 136 }),
  row('ipv6_nd_sll', 'nd6', nd(135), MAC, 'lla', MAC, '0211000000b2', MAC_MASK, { icmpType: 135 }),
  row('ipv6_nd_tll', 'nd6', nd(136), MAC, 'lla', MAC, '0211000000b2', MAC_MASK, { icmpType: 136 }),
];

/** OFPIEH_*: no next 1, ESP 2, AUTH 4, destination 8, fragment 16, router 32, hop-by-hop 64, repeated 128, out of order 256. */
const EXTENSIONS: [number[], number][] = [
  [[], 0],
  [[0], 64],
  [[51], 4],
  [[60], 8],
  [[44], 16],
  [[0, 51], 68],
  [[0, 60, 44, 51, 60], 64 | 8 | 16 | 4],
  [[60, 0], 64 | 8 | 256],
  [[51, 51], 4 | 128],
];
for (const [extensions, bits] of EXTENSIONS) {
  INNER.push({
    field: 'ipv6_exthdr',
    kind: 'tcp6',
    needs: eth('86dd'),
    value: hex(bits, 2),
    mask: '01ff',
    has: { extensions },
    other: { extensions: bits === 8 ? [0] : [60] },
  });
}

/** What takes a carrier off, so that table 1 sees the packet alone; empty where the fields are seen through it. */
const UNWRAP: Record<string, (kind: Kind) => Uint8Array[]> = {
  plain: () => [],
  vlan: () => [],
  svlan: () => [],
  mpls: (kind) => [flowMod(0, eth('8847'), apply(popMpls(typeOf(kind))), goto(1))],
  mplsMulticast: (kind) => [flowMod(0, eth('8848'), apply(popMpls(typeOf(kind))), goto(1))],
  pbb: () => [flowMod(0, eth('88e7'), apply(popPbb), goto(1))],
};
const CARRIERS = Object.keys(UNWRAP) as Carrier[];
const isTagged = (carrier: Carrier): boolean => carrier === 'vlan' || carrier === 'svlan';

describe.each(INNER)('$field of $kind ($value)', (one) => {
  const { field, kind, value, mask, has = {}, other, set } = one;
  const needs = one.needs ?? '';

  test.each(CARRIERS)('is matched, %s', async (carrier) => {
    const unwrap = UNWRAP[carrier](kind);
    const table = unwrap.length;
    const after: Carrier = isTagged(carrier) ? carrier : 'plain';
    const masks = mask === undefined ? [null] : [null, mask];
    for (const one of masks) {
      const masked =
        one === null
          ? value
          : hex(BigInt(`0x${value}`) & BigInt(`0x${one}`), Math.ceil(value.length / 2));
      const flow = flowMod(table, needs + oxm(field, masked, one), apply(output(2)));
      const target = await Target.of(...unwrap, flow);
      expect(target.send(frame(kind, carrier, has))).toEqual(out2(frame(kind, after, has)));
      expect(target.send(frame(kind, carrier, other))).toEqual([]);
    }
  });

  test('is refused without what it needs, or with a mask that it does not take', async () => {
    const target = await Target.of();
    const entry = oxm(field, value);
    expect(target.tell(flowMod(0, entry))).toBe('OFPBMC_BAD_PREREQ');
    expect(target.tell(flowMod(0, needs + entry + entry))).toBe('OFPBMC_DUP_FIELD');
    const bits = mask === undefined ? '01' : mask;
    const low = hex(BigInt(`0x${value}`) & BigInt(`0x${bits}`), value.length / 2);
    const masked = flowMod(0, needs + oxm(field, low, bits));
    expect(target.tell(masked)).toBe(mask === undefined ? 'OFPBMC_BAD_MASK' : null);
  });

  test.each(set === undefined ? [] : CARRIERS)('is set, %s', async (carrier) => {
    const unwrap = UNWRAP[carrier](kind);
    const table = unwrap.length;
    const after: Carrier = isTagged(carrier) ? carrier : 'plain';
    for (const how of [apply, write]) {
      const flow = flowMod(table, needs, how(setField(field, value), output(2)));
      const target = await Target.of(...unwrap, flow);
      const changed = frame(kind, after, { ...other, ...set });
      expect(target.send(frame(kind, carrier, other))).toEqual(out2(changed));
    }
  });

  test('is set only where the match makes sure of it, and never with a mask', async () => {
    const target = await Target.of();
    const settable = set === undefined ? 'OFPBAC_BAD_SET_ARGUMENT' : 'OFPBAC_MATCH_INCONSISTENT';
    expect(target.tell(flowMod(0, '', apply(setField(field, value))))).toBe(settable);
  });
});

const VLAN = (vid: number): string => oxm('vlan_vid', hex(0x1000 | vid, 2));
const ANY_VLAN = oxm('vlan_vid', '1000', '1000');
const KINDS: readonly Kind[] = ['tcp4', 'tcp6', 'arp'];

describe.each(KINDS)('below the network layer of %s', (kind) => {
  const own = eth(typeOf(kind));

  /** Match, carrier, headers that match, headers that do not. */
  const MATCHES: [string, string, Carrier, Partial<Headers>, Partial<Headers>][] = [
    ['eth_dst', oxm('eth_dst', '0200000000b1'), 'plain', {}, { dst: '0200000000b2' }],
    [
      'eth_dst/m',
      oxm('eth_dst', '020000000000', 'ffffffffff00'),
      'vlan',
      {},
      { dst: '0211000000b2' },
    ],
    ['eth_src', oxm('eth_src', MAC), 'mpls', {}, { src: '0200000000a2' }],
    ['eth_src/m', oxm('eth_src', '0000000000a1', MAC_MASK), 'pbb', {}, { src: '0200000000a2' }],
    ['eth_type', own, 'plain', {}, { type: '9999' }],
    ['eth_type', own, 'vlan', {}, { type: '9999' }],
    ['eth_type', own, 'svlan', {}, { type: '9999' }],
    ['vlan_vid', VLAN(100), 'vlan', {}, { vid: 101 }],
    ['vlan_vid', VLAN(100), 'svlan', {}, { vid: 101 }],
    ['vlan_vid', VLAN(10), 'qinq', {}, { vid: 100, type: '' }],
    ['vlan_vid/m', oxm('vlan_vid', '1060', '1ff0'), 'vlan', {}, { vid: 0x70 }],
    ['vlan_pcp', VLAN(100) + oxm('vlan_pcp', '03'), 'vlan', {}, { pcp: 4 }],
    ['vlan_pcp', ANY_VLAN + oxm('vlan_pcp', '03'), 'svlan', {}, { pcp: 4 }],
    ['mpls_label', eth('8847') + oxm('mpls_label', '64'), 'mpls', {}, { label: 101 }],
    ['mpls_label', eth('8848') + oxm('mpls_label', '64'), 'mplsMulticast', {}, { label: 101 }],
    ['mpls_tc', eth('8847') + oxm('mpls_tc', '03'), 'mpls', {}, { tc: 4 }],
    ['mpls_bos', eth('8847') + oxm('mpls_bos', '00'), 'mpls', { bos: 0 }, { bos: 1 }],
    ['mpls_bos', eth('8847') + oxm('mpls_bos', '01'), 'mpls', { bos: 1 }, { bos: 0 }],
    ['pbb_isid', eth('88e7') + oxm('pbb_isid', '64'), 'pbb', {}, { isid: 101 }],
    ['pbb_isid/m', eth('88e7') + oxm('pbb_isid', '60', 'fffff0'), 'pbb', {}, { isid: 0x70 }],
  ];
  test.each(MATCHES)('%s (%s), %s', async (_, match, carrier, has, other) => {
    const target = await Target.of(flowMod(0, match, apply(output(2))));
    expect(target.send(frame(kind, carrier, has))).toEqual(out2(frame(kind, carrier, has)));
    if (carrier !== 'qinq') expect(target.send(frame(kind, carrier, other))).toEqual([]);
  });

  test('a tag is told from none', async () => {
    const matches = [
      [ANY_VLAN, true],
      [oxm('vlan_vid', '0'), false],
    ] as const;
    for (const [match, wantsTag] of matches) {
      const target = await Target.of(flowMod(0, match, apply(output(2))));
      for (const carrier of ['plain', 'vlan', 'svlan', 'qinq', 'mpls', 'pbb'] as const) {
        const hasTag = ['vlan', 'svlan', 'qinq'].includes(carrier);
        expect(target.send(frame(kind, carrier)).length).toBe(hasTag === wantsTag ? 1 : 0);
      }
    }
  });

  const ttl = { tcp4: 64, tcp6: 64, arp: 0 }[kind as 'tcp4'];
  const text = (carrier: Carrier, change: Partial<Headers> = {}): string =>
    hexOf(frame(kind, carrier, change));
  const plain = text('plain');
  const addresses = plain.slice(0, 24);
  const rest = plain.slice(24);
  const type = rest.slice(0, 4);
  const entry = (bos: number, change: { label?: number; ttl?: number } = {}): string =>
    hex((change.label ?? 0) * 4096 + bos * 256 + (change.ttl ?? ttl), 4);
  const tagged = text('vlan').slice(24);
  const setVid = setField('vlan_vid', '1064');
  const setPcp = setField('vlan_pcp', '03');

  /** Match, actions, the frame and what it becomes, both as carriers or hex. */
  const ACTIONS: [string, string, string[], Carrier, string][] = [
    [
      'eth_dst',
      oxm('eth_dst', '0200000000b1'),
      [setField('eth_dst', '0200000000b2')],
      'plain',
      text('plain', { dst: '0200000000b2' }),
    ],
    [
      'eth_src',
      '',
      [setField('eth_src', '0200000000a2')],
      'vlan',
      text('vlan', { src: '0200000000a2' }),
    ],
    ['eth_type', own, [setField('eth_type', '88b5')], 'plain', text('plain', { type: '88b5' })],
    ['eth_type', own, [setField('eth_type', '88b5')], 'vlan', text('vlan', { type: '88b5' })],
    ['vlan_vid', VLAN(100), [setField('vlan_vid', '10cb')], 'vlan', text('vlan', { vid: 203 })],
    ['vlan_pcp', ANY_VLAN, [setField('vlan_pcp', '05')], 'svlan', text('svlan', { pcp: 5 })],
    [
      'mpls_label',
      eth('8847'),
      [setField('mpls_label', 'fffff')],
      'mpls',
      text('mpls', { label: 0xfffff }),
    ],
    [
      'mpls_tc',
      eth('8848'),
      [setField('mpls_tc', '05')],
      'mplsMulticast',
      text('mplsMulticast', { tc: 5 }),
    ],
    ['mpls_bos', eth('8847'), [setField('mpls_bos', '00')], 'mpls', text('mpls', { bos: 0 })],
    [
      'pbb_isid',
      eth('88e7'),
      [setField('pbb_isid', 'fffffe')],
      'pbb',
      text('pbb', { isid: 0xfffffe }),
    ],
    ['tunnel_id', '', [setField('tunnel_id', '3039')], 'plain', plain],
    ['set_mpls_ttl', eth('8847'), [setMplsTtl(32)], 'mpls', text('mpls', { mplsTtl: 32 })],
    ['dec_mpls_ttl', eth('8847'), [decMplsTtl], 'mpls', text('mpls', { mplsTtl: 63 })],
    ['push_vlan', '', [pushVlan()], 'plain', `${addresses}81000000${rest}`],
    ['push_vlan', own, [pushVlan('88a8')], 'plain', `${addresses}88a80000${rest}`],
    ['push_vlan, set', own, [pushVlan(), setVid, setPcp], 'plain', text('vlan')],
    ['push_vlan on a tag', own, [pushVlan('88a8')], 'vlan', `${addresses}88a86064${tagged}`],
    [
      'push_vlan twice',
      own,
      [pushVlan(), setVid, setPcp, pushVlan('88a8')],
      'plain',
      `${addresses}88a86064${tagged}`,
    ],
    ['pop_vlan', VLAN(100), [popVlan], 'vlan', plain],
    ['pop_vlan', ANY_VLAN, [popVlan], 'svlan', plain],
    ['pop_vlan', VLAN(10), [popVlan], 'qinq', text('vlan')],
    ['push_mpls', own, [pushMpls()], 'plain', `${addresses}8847${entry(1)}${rest.slice(4)}`],
    ['push_mpls', '', [pushMpls('8848')], 'plain', `${addresses}8848${entry(1)}${rest.slice(4)}`],
    [
      'push_mpls behind a tag',
      own,
      [pushMpls()],
      'vlan',
      `${addresses}81006064${'8847'}${entry(1)}${rest.slice(4)}`,
    ],
    ['push_mpls on a label', eth('8847'), [pushMpls()], 'mpls', text('labels')],
    [
      'push_mpls twice',
      own,
      [pushMpls(), pushMpls()],
      'plain',
      `${addresses}8847${entry(0)}${entry(1)}${rest.slice(4)}`,
    ],
    [
      'push_mpls, set',
      own,
      [pushMpls(), setField('mpls_label', '64'), setField('mpls_tc', '3'), setMplsTtl(64)],
      'plain',
      text('mpls'),
    ],
    ['pop_mpls', eth('8847'), [popMpls(type)], 'mpls', plain],
    ['pop_mpls of two', eth('8847'), [popMpls('8847')], 'labels', text('mpls')],
    ['pop_mpls twice', eth('8847'), [popMpls('8847'), popMpls(type)], 'labels', plain],
    ['push_pbb', '', [pushPbb], 'plain', `${addresses}88e700000000${plain}`],
    ['push_pbb on a tag', own, [pushPbb], 'vlan', `${addresses}88e760000000${text('vlan')}`],
    [
      'push_pbb on an I-TAG',
      eth('88e7'),
      [pushPbb],
      'pbb',
      `${addresses}88e700000064${text('pbb')}`,
    ],
    [
      'push_pbb twice',
      own,
      [pushPbb, pushPbb],
      'plain',
      `${addresses}88e700000000${addresses}88e700000000${plain}`,
    ],
    ['push_pbb, set', own, [pushPbb, setField('pbb_isid', '64')], 'plain', text('pbb')],
    ['pop_pbb', eth('88e7'), [popPbb], 'pbb', plain],
    ['set_queue', '', [setQueue(0)], 'plain', plain],
  ];
  test.each(ACTIONS)('%s (%s %s), %s', async (_, match, actions, carrier, expected) => {
    const target = await Target.of(flowMod(0, match, apply(...actions, output(2))));
    expect(target.send(frame(kind, carrier))).toEqual([`2 ${expected}`]);
  });

  test('metadata and tunnel_id are matched where the pipeline wrote them, masked or not', async () => {
    const setters = [
      ['metadata', writeMetadata('ff', 'ffff')],
      ['tunnel_id', apply(setField('tunnel_id', 'ff'))],
    ] as const;
    for (const [field, setter] of setters) {
      const matches = [
        [oxm(field, 'ff'), true],
        [oxm(field, 'fe'), false],
        [oxm(field, 'f0', 'f0'), true],
        [oxm(field, '0f00000000000000', '0f00000000000000'), false],
      ] as const;
      for (const [match, takes] of matches) {
        const second = flowMod(1, match, apply(output(2)));
        const target = await Target.of(flowMod(0, '', setter, goto(1)), second);
        expect(target.send(frame(kind, 'plain')).length).toBe(takes ? 1 : 0);
      }
    }
  });

  test.each([0, 1, 2, 3])(
    'a group of type %i, from a list and from the action set',
    async (kindOf) => {
      for (const how of [apply, write]) {
        const set = setField('eth_dst', '0200000000b2');
        const bucket = { watch: 2, actions: set + output(2) };
        const target = await Target.of(
          groupMod(7, kindOf, bucket),
          flowMod(0, '', how(toGroup(7))),
        );
        expect(target.send(frame(kind, 'plain'))).toEqual([
          `2 ${text('plain', { dst: '0200000000b2' })}`,
        ]);
      }
    },
  );
});

describe('a TTL', () => {
  const IP = ['tcp4', 'tcp6'] as const;
  test.each(IP)('of %s is set and decremented', async (kind) => {
    for (const carrier of ['plain', 'vlan'] as const) {
      const set = await Target.of(flowMod(0, eth(typeOf(kind)), apply(setNwTtl(32), output(2))));
      expect(set.send(frame(kind, carrier))).toEqual(out2(frame(kind, carrier, { ttl: 32 })));
      const dec = await Target.of(flowMod(0, eth(typeOf(kind)), apply(decNwTtl, output(2))));
      expect(dec.send(frame(kind, carrier))).toEqual(out2(frame(kind, carrier, { ttl: 63 })));
      expect(dec.send(frame(kind, carrier, { ttl: 1 }))).toEqual([]);
    }
  });
  test.each(IP)('of %s is copied from and to a label', async (kind) => {
    const sent = frame(kind, 'mpls', { mplsTtl: 10 });
    const outwards = await Target.of(flowMod(0, eth('8847'), apply(copyTtlOut, output(2))));
    expect(outwards.send(sent)).toEqual(out2(frame(kind, 'mpls', { mplsTtl: 64 })));
    const inwards = await Target.of(flowMod(0, eth('8847'), apply(copyTtlIn, output(2))));
    expect(inwards.send(sent)).toEqual(out2(frame(kind, 'mpls', { mplsTtl: 10, ttl: 10 })));
  });
});

describe('two tags', () => {
  const QINQ = frame('tcp4', 'qinq');
  const twoTags = async (...messages: Uint8Array[]): Promise<Target> => {
    const target = await Target.of();
    target.lab.switch.vlanLimit = 2;
    for (const message of messages) expect(target.tell(message)).toBeNull();
    return target;
  };
  test('are popped by one flow or by two, when the switch may look at two', async () => {
    const one = await twoTags(flowMod(0, VLAN(10), apply(popVlan, popVlan, output(2))));
    expect(one.send(QINQ)).toEqual(out2(frame('tcp4', 'plain')));
    const two = await twoTags(
      flowMod(0, VLAN(10), apply(popVlan), goto(1)),
      flowMod(1, VLAN(100), apply(popVlan), goto(2)),
      flowMod(2, eth('0800'), apply(output(2))),
    );
    expect(two.send(QINQ)).toEqual(out2(frame('tcp4', 'plain')));
  });
  test('are not popped where the match says that there is one, or the switch looks at one', async () => {
    const target = await twoTags();
    const flow = flowMod(0, eth('0800') + VLAN(10), apply(popVlan, popVlan));
    expect(target.tell(flow)).toBe('OFPBAC_MATCH_INCONSISTENT');
    const small = await Target.of();
    const any = flowMod(0, VLAN(10), apply(popVlan, popVlan));
    expect(small.tell(any)).toBe('OFPBAC_MATCH_INCONSISTENT');
  });
});

describe('what a flow is read back as', () => {
  const needs: Partial<Record<OxmName, string>> = {
    in_phy_port: oxm('in_port', '1'),
    vlan_pcp: VLAN(100),
    mpls_label: eth('8847'),
    mpls_tc: eth('8847'),
    mpls_bos: eth('8847'),
    pbb_isid: eth('88e7'),
  };
  for (const one of INNER) needs[one.field] = one.needs ?? '';
  const values: Partial<Record<OxmName, string>> = { vlan_vid: '1064', eth_type: '0800' };
  test.each(OXM_NAMES)('%s', async (field) => {
    const match = (needs[field] ?? '') + oxm(field, values[field] ?? '1');
    const target = await Target.of(flowMod(0, match));
    const [flow] = flowStats(target.bridge, {
      tableId: OFPTT_ALL,
      match: MATCH_ALL,
      cookie: 0n,
      cookieMask: 0n,
      outPort: null,
      outGroup: null,
    });
    const writer = new Writer({ version: VERSION });
    matchCodec.encode(writer, flow.match);
    const bytes = hexOf(writer.finish());
    expect(bytes.slice(8, 8 + match.length)).toBe(match);
  });
});
