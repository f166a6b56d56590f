/**
 * The frames and texts here were printed by Open vSwitch 3.1 (dummy datapath, tx_pcap, dpctl/dump-flows).
 */
import { describe, expect, test } from 'vitest';
import { composeFrame } from '../../src/packet/compose.ts';
import { keyOf } from '../../src/packet/extract.ts';
import { parseFlow } from '../../src/packet/flow-parse.ts';
import { formatFlow } from '../../src/packet/flow-text.ts';
import * as K from '../../src/packet/key.ts';
import { hex, random } from './bytes.ts';
import { checksumErrors } from './frame-builder.ts';

const ETH = 'in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07)';
const PAYLOAD = Array.from({ length: 64 }, (_, i) => i.toString(16).padStart(2, '0')).join('');

function parsed(text: string) {
  const flow = parseFlow(text.replace(/^E/, ETH));
  if (!flow.ok) throw new Error(flow.error);
  return flow;
}

function composed(text: string, length?: number): Uint8Array {
  const result = composeFrame(parsed(text).key, length);
  if (!result.ok) throw new Error(result.error);
  return result.frame;
}

// Flow text and what Open vSwitch composes of it, from the EtherType on; P is the payload 00 01 .. 3f.
const vectors: [string, string][] = [
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0x15,ttl=64,frag=no),tcp(src=80,dst=90),tcp_flags(syn|ack)',
    '08004515002800000000400666b90a0000010a0000020050005a0000000000000000501200009b260000',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=80,dst=90),tcp_flags(ack)',
    '080045000068000000004006668e0a0000010a0000020050005a000000000000000050100000b6e40000P',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=first),udp(src=80,dst=90)',
    '08004500005c000020004011468f0a0000010a0000020050005a004806aeP',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=later)',
    '08004500001400002064401146730a0000010a000002',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)',
    '08004500005c000000004001669f0a0000010a000002080013fc00000000P',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=132,tos=0,ttl=64,frag=no),sctp(src=80,dst=90)',
    '08004500002000000000408466580a0000010a0000020050005a0000000000000000',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=2,tos=0,ttl=64,frag=no)',
    '08004500001c00000000400266de0a0000010a0000020000ffff00000000',
  ],
  [
    'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=50,tos=0,ttl=64,frag=no)',
    '08004500001400000000403266b60a0000010a000002',
  ],
  [
    'E,eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:0f:02:03:04:05,tha=00:00:00:00:00:00)',
    '08060001080006040001000f020304050102030400000000000005060708',
  ],
  [
    'E,eth_type(0x8035),arp(sip=1.2.3.4,tip=5.6.7.8,op=3,sha=00:0f:02:03:04:05,tha=00:00:00:00:00:01)',
    '803500010800060400030000000000000000000000000000000000000000',
  ],
  [
    'E,eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=80,dst=90))',
    '8100600a08004500005c000000004011668f0a0000010a0000020050005a004806aeP',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x12,proto=58,tclass=0x70,hlimit=128,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3,sll=00:11:22:33:44:55,tll=00:00:00:00:00:00)',
    '86dd6700001200203a80fe800000000000000000000000000001fe8000000000000000000000000000028700158200000000fe8000000000000000000000000000030101001122334455',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x12,proto=58,tclass=0x70,hlimit=128,frag=no),icmpv6(type=136,code=0),nd(target=fe80::3,sll=00:00:00:00:00:00,tll=00:11:22:33:44:55)',
    '86dd6700001200203a80fe800000000000000000000000000001fe8000000000000000000000000000028800138200000000fe8000000000000000000000000000030201001122334455',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=128,frag=no),icmpv6(type=128,code=0)',
    '86dd6000000000483a80fe800000000000000000000000000001fe80000000000000000000000000000280009e7400000000P',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=6,tclass=0,hlimit=128,frag=no),tcp(src=1,dst=2),tcp_flags(0)',
    '86dd6000000000540680fe800000000000000000000000000001fe80000000000000000000000000000200010002000000000000000050000000ce990000P',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=17,tclass=0,hlimit=128,frag=no),udp(src=1,dst=2)',
    '86dd6000000000481180fe800000000000000000000000000001fe8000000000000000000000000000020001000200481e53P',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=17,tclass=0,hlimit=128,frag=first),udp(src=1,dst=2)',
    '86dd6000000000481180fe800000000000000000000000000001fe8000000000000000000000000000020001000200481e53P',
  ],
  [
    'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=44,tclass=0,hlimit=128,frag=later)',
    '86dd6000000000002c80fe800000000000000000000000000001fe800000000000000000000000000002',
  ],
  ['E,eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=1)', '884700064f40'],
  [
    'E,eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=0,label=200,tc=1,ttl=63,bos=1)',
    '884700064e40000c833f',
  ],
  ['E,eth_type(0x1234)', '1234'],
  ['E', '000e'],
];

test.each(vectors)('%s becomes the same frame as in Open vSwitch', (flow, frame) => {
  expect(composed(flow)).toEqual(hex(`505400000007 505400000005 ${frame.replace('P', PAYLOAD)}`));
});

// Not what a frame can carry: RARP's addresses are not composed, a first IPv6 fragment has no fragment header, a frame
// type needs no eth_type(), igmp and opcode-less flows have no text of their own.
const lossy = (flow: string) => /0x8035|frag=first|proto=44/.test(flow) && !/ipv4/.test(flow);

test.each(vectors.filter(([flow]) => !lossy(flow)))('%s is the text of its frame again', (flow) => {
  const key = keyOf(composed(flow), 1);
  const text = flow
    .replace(/^E/, `recirc_id(0),in_port(1),packet_type(ns=0,id=0),${ETH.slice(11)}`)
    .replace(/tcp\(src=1,dst=2\)$/, '$&,tcp_flags(0)');
  expect(formatFlow(key)).toBe(text);
});

test('all metadata is written where a log line has it', () => {
  expect(formatFlow(keyOf(composed('E,eth_type(0x1234)'), 1), undefined, { verbose: true })).toBe(
    `skb_priority(0),skb_mark(0),ct_state(0),ct_zone(0),ct_mark(0),ct_label(0),recirc_id(0),dp_hash(0),in_port(1),packet_type(ns=0,id=0),${ETH.slice(11)},eth_type(0x1234)`,
  );
});

const TCP =
  'E,eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0x15,ttl=64,frag=no),tcp(src=80,dst=90),tcp_flags(syn|ack)';
const TCP6 =
  'E,eth_type(0x86dd),ipv6(src=2001:db8::1,dst=fe80::2,label=0x12345,proto=6,tclass=0x70,hlimit=128,frag=no),tcp(src=1,dst=2),tcp_flags(0x1ff)';
const ARP =
  'E,eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:0f:02:03:04:05,tha=00:00:00:00:00:00)';
const ND =
  'E,eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x12,proto=58,tclass=0x70,hlimit=128,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3,sll=00:11:22:33:44:55)';
const VLAN =
  'E,eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=80,dst=90))';
const TYPE_FRAG: [number, number] = [K.ETH_TYPE_PROTO, 0xffff00ff];
const PROTO: [number, number] = [K.ETH_TYPE_PROTO, 0xffffffff];

describe('masked flows', () => {
  test.each<[string, [number, number][], string]>([
    [
      TCP,
      [
        PROTO,
        [K.ETH_DST, 0xffffffff],
        [K.ETH_DST_SRC, 0xffffff00],
        [K.IPV4_SRC, 0xffffff00],
        [K.IPV4_DST, 0xffffffff],
        [K.TOS_TTL, 0xfcff0000],
        [K.TP, 0xfff00000],
        [K.TCP_FLAGS, 0x00030000],
      ],
      'eth(src=50:54:00:00:00:05/ff:00:00:00:00:00,dst=50:54:00:00:00:07),eth_type(0x0800),ipv4(src=10.0.0.1/255.255.255.0,dst=10.0.0.2,proto=6,tos=0x15/0xfc,ttl=64,frag=no),tcp(src=80/0xfff0),tcp_flags(-fin+syn)',
    ],
    [
      TCP,
      [PROTO, [K.TCP_FLAGS, 0x01ff0000]],
      'eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(-fin+syn-rst-psh+ack-urg-ece-cwr-ns)',
    ],
    [
      TCP,
      [PROTO, [K.TCP_FLAGS, 0x0fff0000]],
      'eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(syn|ack)',
    ],
    [TCP, [TYPE_FRAG, [K.TOS_TTL, 0x03000000]], 'eth_type(0x0800),ipv4(tos=0x15/0x3,frag=no)'],
    [TCP, [TYPE_FRAG, [K.VLAN0, 0xffffffff]], 'eth_type(0x0800),ipv4(frag=no)'],
    [
      TCP6,
      [
        PROTO,
        [K.IPV6_SRC, 0xffffffff],
        [K.IPV6_FLABEL, 0xfff00],
        [K.TP, 0xffff],
        [K.TCP_FLAGS, 0xffff0000],
      ],
      'eth_type(0x86dd),ipv6(src=2001:db8::1/ffff:ffff::,label=0x12345/0xfff00,proto=6,frag=no),tcp(dst=2),tcp_flags(fin|syn|rst|psh|ack|urg|ece|cwr|ns)',
    ],
    [
      TCP6,
      [PROTO, [K.IPV6_DST + 3, 0xf], [K.TOS_TTL, 0xfcff0000]],
      'eth_type(0x86dd),ipv6(dst=fe80::2/::f,proto=6,tclass=0x70/0xfc,hlimit=128,frag=no)',
    ],
    [
      ARP,
      [
        PROTO,
        [K.IPV4_SRC, 0xffff0000],
        [K.ARP_SHA, 0x00ff0000],
        [K.ARP_SHA_THA, 0xffff],
        [K.ARP_THA, 0xffffffff],
      ],
      'eth_type(0x0806),arp(sip=1.2.3.4/255.255.0.0,op=1,sha=00:0f:02:03:04:05/00:ff:00:00:00:00,tha=00:00:00:00:00:00)',
    ],
    [
      ND,
      [
        PROTO,
        [K.TP, 0x00ff00ff],
        [K.ND_TARGET, 0xffff0000],
        [K.ARP_SHA, 0xffffffff],
        [K.ARP_SHA_THA, 0xffff0000],
      ],
      'eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3/ffff::,sll=00:11:22:33:44:55)',
    ],
    [
      VLAN,
      [TYPE_FRAG, [K.VLAN0, 0xffff1fff]],
      'eth_type(0x8100),vlan(vid=10,pcp=3/0x0),encap(eth_type(0x0800),ipv4(frag=no))',
    ],
    [
      VLAN,
      [TYPE_FRAG, [K.VLAN0, 0xfffff000]],
      'eth_type(0x8100),vlan(vid=10/0x0,pcp=3),encap(eth_type(0x0800),ipv4(frag=no))',
    ],
    [
      'E,eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=1)',
      [TYPE_FRAG, [K.MPLS_LSE, 0xfffff000]],
      'eth_type(0x8847),mpls(label=100/0xfffff,tc=7/0,ttl=64/0x0,bos=1/0)',
    ],
    ['E', [TYPE_FRAG], 'eth_type(0/0xffff)'],
  ])('%s under %j', (flow, masks, text) => {
    const mask = new Uint32Array(K.DP_WORDS);
    mask[K.RECIRC_ID] = mask[K.IN_PORT] = mask[K.PACKET_TYPE] = 0xffffffff;
    for (const [word, bits] of masks) mask[word] = bits;
    expect(formatFlow(keyOf(composed(flow), 1), mask)).toBe(
      `recirc_id(0),in_port(1),packet_type(ns=0,id=0),${text}`,
    );
  });
});

describe('parsing', () => {
  test('masks are kept', () => {
    const flow = parsed(
      'in_port(2),eth_type(0x0800),ipv4(src=10.0.0.1/255.0.0.0,frag=no),tcp_flags(+syn-ack)',
    );
    expect(flow.mask[K.IPV4_SRC]).toBe(0xff000000);
    expect(flow.mask[K.ETH_TYPE_PROTO]).toBe(0xffff0003);
    expect([flow.key[K.TCP_FLAGS], flow.mask[K.TCP_FLAGS]]).toEqual([0x00020000, 0x00120000]);
  });

  test('two tags', () => {
    const { key } = parsed(
      'E,eth_type(0x88a8),vlan(vid=10,pcp=0),encap(eth_type(0x8100),vlan(vid=11,pcp=1),encap(eth_type(0x0806)))',
    );
    expect([key[K.VLAN0], key[K.VLAN1], key[K.ETH_TYPE_PROTO] >>> 16]).toEqual([
      0x88a8100a, 0x8100300b, 0x0806,
    ]);
  });

  test.each([
    ['bogus(1)', 'bogus(1)'],
    ['in_port(1),eth(src=1,dst=2)', 'eth(src=1,dst=2)'],
    ['in_port(1),eth_type(0x0800),ipv4(src=10.0.0.9', 'ipv4(src=10.0.0.9'],
    ['in_port(foo)', 'in_port(foo)'],
    ['eth_type(0x8100),vlan(vid=4096,pcp=1)', 'vlan(vid=4096,pcp=1)'],
    ['eth_type(0x8100),vlan(vid=1),encap(eth_type(0x0806)', 'encap(eth_type(0x0806)'],
    ['eth_type(0x8100),vlan(vid=1),encap(x(1))', 'x(1))'],
    ['encap(eth_type(0x0806))', 'encap(eth_type(0x0806))'],
    ['ipv4(constructor=1)', 'ipv4(constructor=1)'],
    ['tcp_flags(syn|nonsense)', 'tcp_flags(syn|nonsense)'],
    ['mpls(tc=1)', 'mpls(tc=1)'],
    ['ipv6(src=1::2::3)', 'ipv6(src=1::2::3)'],
  ])('%s is an error at %s', (text, at) => {
    expect(parseFlow(text)).toEqual({ ok: false, error: `syntax error at ${at}` });
  });

  test('port names are resolved by the caller', () => {
    const flow = parseFlow('in_port(p7)', {
      portNumber: (name) => (name === 'p7' ? 7 : undefined),
    });
    expect(flow.ok && flow.key[K.IN_PORT]).toBe(7);
  });

  test('fuzz: any text gives a value, and what parses prints a text that parses to the same key', () => {
    const next = random(13);
    const pieces = vectors
      .map(([flow]) => flow.replace(/^E/, ETH))
      .join(',')
      .split(/(?=[(),=/|])/);
    for (let round = 0; round < 5000; round++) {
      let text = '';
      for (let n = next() % 12; n >= 0; n--) text += pieces[next() % pieces.length];
      parseFlow(text);
    }
    for (const [flow] of vectors) {
      const { key } = parsed(flow);
      expect(Array.from(parsed(formatFlow(key)).key)).toEqual(Array.from(key));
    }
  });
});

describe('a frame of a given length', () => {
  test.each([TCP6, TCP, VLAN, ND])('%s has right lengths and checksums', (flow) => {
    const frame = composed(flow, 300);
    expect(frame.length).toBe(300);
    expect(checksumErrors(frame)).toEqual([]);
  });

  test('is refused when the headers do not fit', () => {
    expect(composeFrame(parsed(TCP).key, 20)).toEqual({ ok: false, error: 'too small packet len' });
    expect(composeFrame(parsed(TCP).key, 1e9).ok).toBe(false);
  });
});
