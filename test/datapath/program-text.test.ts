import { describe, expect, test } from 'vitest';
import {
  CookieKind,
  HashKind,
  PacketInFlag,
  ProgramBuilder,
  SlowPath,
} from '../../src/datapath/program.ts';
import { parseProgram } from '../../src/datapath/program-parse.ts';
import { formatProgram } from '../../src/datapath/program-text.ts';
import { keyOf } from '../../src/packet/extract.ts';
import * as K from '../../src/packet/key.ts';
import { hex } from '../packet/bytes.ts';
import { buildFrame } from '../packet/frame-builder.ts';

const tcp = keyOf(buildFrame({ proto: 'tcp', payload: new Uint8Array(0) }).frame, 1);
const icmp = keyOf(buildFrame({ proto: 'icmp', payload: new Uint8Array(0) }).frame, 1);
const tcp6 = keyOf(buildFrame({ proto: 'tcp', payload: new Uint8Array(0), ipv6: true }).frame, 1);

// The texts are those of Open vSwitch 3.1.
test.each<[string, (b: ProgramBuilder) => void, Uint32Array?]>([
  ['drop', () => {}],
  ['drop', (b) => b.drop(3)],
  ['2', (b) => b.output(2)],
  [
    'push_vlan(vid=10,pcp=0),2',
    (b) => {
      b.pushVlan(0x8100, 0x100a);
      b.output(2);
    },
  ],
  [
    'push_vlan(tpid=0x88a8,vid=10,pcp=3),2',
    (b) => {
      b.pushVlan(0x88a8, 0x700a);
      b.output(2);
    },
  ],
  [
    'pop_vlan,push_vlan(vid=101,pcp=3),2',
    (b) => {
      b.popVlan();
      b.pushVlan(0x8100, 0x7065);
      b.output(2);
    },
  ],
  [
    'set(ipv4(src=1.2.3.4)),2',
    (b) => {
      b.set(K.IPV4_SRC, 0x01020304, -1);
      b.output(2);
    },
  ],
  [
    'set(eth(src=02:02:02:02:02:03,dst=02:02:02:02:02:02)),2',
    (b) => {
      b.set(K.ETH_DST, 0x02020202, -1);
      b.set(K.ETH_DST_SRC, 0x02020202, -1);
      b.set(K.ETH_SRC, 0x02020203, -1);
      b.output(2);
    },
  ],
  [
    'set(ipv4(tos=0x80/0xfc)),set(tcp(dst=99)),2',
    (b) => {
      b.set(K.TP, 99, 0xffff);
      b.set(K.TOS_TTL, 0x80000000 | 0, 0xfc000000 | 0);
      b.output(2);
    },
  ],
  [
    'set(ipv4(ttl=63)),2',
    (b) => {
      b.set(K.TOS_TTL, 63 << 16, 0xff0000);
      b.output(2);
    },
  ],
  [
    'set(ipv4(dst=0.0.0.7/0.0.0.255)),2',
    (b) => {
      b.set(K.IPV4_DST, 7, 255);
      b.output(2);
    },
  ],
  [
    'set(ipv6(src=::1)),2',
    (b) => {
      for (let i = 0; i < 4; i++) b.set(K.IPV6_SRC + i, (i >> 1) & i & 1, -1);
      b.output(2);
    },
    tcp6,
  ],
  [
    'set(ipv6(hlimit=10)),2',
    (b) => {
      b.set(K.TOS_TTL, 10 << 16, 0xff0000);
      b.output(2);
    },
    tcp6,
  ],
  [
    'set(skb_mark(0x5)),2',
    (b) => {
      b.set(K.PKT_MARK, 5, -1);
      b.output(2);
    },
  ],
  [
    'trunc(64),2',
    (b) => {
      b.trunc(64);
      b.output(2);
    },
  ],
  [
    '2,recirc(0x1)',
    (b) => {
      b.output(2);
      b.recirc(1);
    },
  ],
])('%s', (text, build, key) => {
  const b = new ProgramBuilder();
  build(b);
  expect(formatProgram(b.take(), key ?? tcp)).toBe(text);
});

test('ports by name, clones in parentheses', () => {
  const b = new ProgramBuilder();
  const clone = b.beginClone();
  b.userspace(CookieKind.SLOW_PATH, SlowPath.LACP | SlowPath.ACTION);
  b.output(2);
  b.end(clone);
  expect(formatProgram(b.take(), tcp, { portName: (n) => `p${n}` })).toBe(
    'clone(userspace(pid=0,slow_path(lacp,action)),p2)',
  );
});

const built: [string, (b: ProgramBuilder) => void][] = [
  ['push_mpls(label=100,tc=3,ttl=64,bos=1,eth_type=0x8847)', (b) => b.pushMpls(0x8847, 0x64740)],
  ['pop_mpls(eth_type=0x800)', (b) => b.popMpls(0x800)],
  ['meter(0)', (b) => b.meter(0)],
  ['hash(l4(0))', (b) => b.hash(HashKind.L4, 0)],
  ['hash(sym_l4(7))', (b) => b.hash(HashKind.SYM_L4, 7)],
  ['userspace(pid=0,userdata(0000000200000003))', (b) => b.userspace(CookieKind.OTHER, 2, 3)],
  [
    'userspace(pid=0,controller(reason=1,dont_send=0,continuation=1,recirc_id=7,rule_cookie=0x100000002,controller_id=3,max_len=65535))',
    (b) => b.userspace(CookieKind.CONTROLLER, PacketInFlag.CONTINUATION, 1, 7, 1, 2, 3, 65535),
  ],
  ['userspace(pid=0,sFlow(vid=5,pcp=1,output=3))', (b) => b.userspace(CookieKind.SFLOW, 0x2005, 3)],
  [
    'userspace(pid=0,flow_sample(probability=65535,collector_set_id=1,obs_domain_id=2,obs_point_id=3,output_port=4,egress))',
    (b) => b.userspace(CookieKind.FLOW_SAMPLE, 65535, 1, 2, 3, 4, 2),
  ],
  [
    'sample(sample=50.0%,actions(pop_vlan,2)),3',
    (b) => {
      const place = b.beginSample(0x80000000);
      b.popVlan();
      b.output(2);
      b.end(place);
      b.output(3);
    },
  ],
  [
    'check_pkt_len(size=1500,gt(1,2),le(drop)),4',
    (b) => {
      const place = b.beginCheckPktLen(1500);
      b.output(1);
      b.output(2);
      b.end(place);
      b.output(4);
    },
  ],
  [
    'check_pkt_len(size=1500,gt(recirc(0x1)),le(recirc(0x2)))',
    (b) => {
      const place = b.beginCheckPktLen(1500);
      b.recirc(1);
      b.otherwise(place);
      b.recirc(2);
      b.end(place);
    },
  ],
];
const mpls = keyOf(hex('500000000007 500000000005 8847 00064640 000c8140'), 1);
test.each<[string, (b: ProgramBuilder) => void, Uint32Array]>([
  [
    'set(mpls(label=100,tc=3,ttl=63,bos=0)),1,set(mpls(label=100,tc=3,ttl=63,bos=0,label=201,tc=0,ttl=64,bos=1)),2',
    (b) => {
      b.set(K.MPLS_LSE, 63, 255);
      b.output(1);
      b.set(K.MPLS_LSE, 63, 255);
      b.set(K.MPLS_LSE + 1, 201 << 12, -4096);
      b.output(2);
    },
    mpls,
  ],
  [
    'pop_mpls(eth_type=0x8847),set(mpls(label=200,tc=0,ttl=1,bos=1)),pop_mpls(eth_type=0x800),set(ipv4(src=1.2.3.4))',
    (b) => {
      b.popMpls(0x8847);
      b.set(K.MPLS_LSE, 1, 255);
      b.popMpls(0x800);
      b.set(K.IPV4_SRC, 0x01020304, -1);
    },
    mpls,
  ],
  [
    'push_mpls(label=5,tc=0,ttl=9,bos=1,eth_type=0x8847),set(mpls(label=6,tc=0,ttl=9,bos=1))',
    (b) => {
      b.pushMpls(0x8847, 0x5109);
      b.set(K.MPLS_LSE, 6 << 12, -4096);
    },
    tcp,
  ],
  ['set(icmp(type=0,code=0))', (b) => b.set(K.TP, 0, 0xff0000), icmp],
  [
    'set(eth(dst=50:54:00:00:00:09)),set(ipv4(src=1.2.3.4,tos=0x2/0x3,ttl=63)),set(tcp(dst=99)),set(skb_priority(0x1)),set(skb_mark(0x5)),2',
    (b) => {
      b.set(K.PKT_MARK, 5, -1);
      b.set(K.SKB_PRIORITY, 1, -1);
      b.set(K.ETH_DST, 0x50540000, -1);
      b.set(K.ETH_DST_SRC, 0x00090000, -65536);
      b.set(K.IPV4_SRC, 0x01020304, -1);
      b.set(K.TOS_TTL, 0x023f0000, 0x03ff0000);
      b.set(K.TP, 99, 0xffff);
      b.output(2);
    },
    tcp,
  ],
  [
    'set(nd_ext(nd_reserved=0x5,nd_options_type=2)),2',
    (b) => {
      b.set(K.ND_RESERVED, 5, -1);
      b.set(K.ND_OPTIONS, 2 << 24, 255 << 24);
      b.output(2);
    },
    tcp6,
  ],
  ['set(skb_priority(0x10001))', (b) => b.set(K.SKB_PRIORITY, 0x10001, -1), tcp],
  ['set(pbb(isid=0x7))', (b) => b.set(K.PBB_ISID, 7, 0xffffff), tcp],
])('%s', (text, build, key) => {
  const b = new ProgramBuilder();
  build(b);
  expect(formatProgram(b.take(), key)).toBe(text);
});

describe('parsing', () => {
  test.each(built)('%s reads as the program it was written from', (text, build) => {
    const b = new ProgramBuilder();
    build(b);
    const program = b.take();
    // Flow samples are written, but nobody installs them by hand.
    if (/sFlow|flow_sample/.test(text)) return;
    const parsed = parseProgram(text);
    if (!parsed.ok) throw new Error(parsed.error);
    const at = text.indexOf('sample(sample');
    if (at < 0) expect(Array.from(parsed.program)).toEqual(Array.from(program));
    expect(formatProgram(parsed.program, tcp)).toBe(text);
  });

  test.each([
    ['drop', []],
    ['', []],
    ['1,p7 trunc(100),2', [0x201, 1, 0x201, 7, 0x206, 100, 0x201, 2]],
    ['push_vlan(vid=10,pcp=3,cfi=0)', [0x202, (0x8100 << 16) | 0x600a]],
    [
      'set(ipv4(src=1.2.3.4,ttl=9/0xf))',
      [0x404, K.TOS_TTL, 9 << 16, 0xf << 16, 0x404, K.IPV4_SRC, 0x01020304, -1],
    ],
    ['set(vlan(vid=5))', [0x404, K.VLAN0, 5, 0xfff]],
    ['set(mpls(label=1,tc=2,ttl=3,bos=1))', [0x404, K.MPLS_LSE, 0x1503, -1]],
    ['clone(1,clone(drop)),2', [0x409, 0x201, 1, 0x109, 0x201, 2]],
  ])('%s', (text, words) => {
    const parsed = parseProgram(text, { portNumber: (name) => (name === 'p7' ? 7 : undefined) });
    expect(parsed.ok && Array.from(parsed.program)).toEqual(words);
  });

  test.each([
    'bogus',
    'output(1)',
    '1,clone(2',
    'push_vlan(vid=4096)',
    'set(bogus(1))',
    'set(ipv4())',
    'meter(x)',
    'trunc(13)',
    'sample(sample=101%,actions(1))',
    'sample(sample=1%,actions(1)),junk)',
    'check_pkt_len(size=1,gt(1))',
    'userspace(controller(reason=1))',
    'userspace(pid=0,slow_path(constructor))',
    `${'clone('.repeat(9)}1${')'.repeat(9)}`,
  ])('%s is an error', (text) => {
    const parsed = parseProgram(text);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.error).toMatch(/^syntax error at ./);
  });
});

test.each(built)('%s', (text, build) => {
  const b = new ProgramBuilder();
  build(b);
  expect(formatProgram(b.take(), tcp)).toBe(text);
});
