/**
 * `dpctl/dump-flows` and `dpctl/dump-flows -m` of Open vSwitch 3.1 (dummy datapath) for the same flow, and metadata
 * that dpctl/add-flow put there.
 */
import { describe, expect, test } from 'vitest';
import { parseFlow } from '../../src/packet/flow-parse.ts';
import { formatFlow } from '../../src/packet/flow-text.ts';

const HEAD =
  'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07)';
const META =
  'skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0)';
const ETH = 'eth(src=50:54:00:00:00:05/00:00:00:00:00:00,dst=50:54:00:00:00:07/00:00:00:00:00:00)';

function parsed(text: string) {
  const flow = parseFlow(text);
  if (!flow.ok) throw new Error(flow.error);
  return flow;
}

// What a frame has, what was consulted, and the verbose text behind eth().
test.each([
  [
    'eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0x15,ttl=64,frag=no),tcp(src=80,dst=90),tcp_flags(syn|ack)',
    'eth_type(0x0800),ipv4(tos=0x15/0xfc,ttl=64,frag=no)',
    'eth_type(0x0800),ipv4(src=10.0.0.1/0.0.0.0,dst=10.0.0.2/0.0.0.0,proto=6/0,tos=0x15/0xfc,ttl=64,frag=no),tcp(src=80/0,dst=90/0),tcp_flags(0/0)',
  ],
  [
    'eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=later)',
    'eth_type(0x0800),ipv4(tos=0/0xfc,ttl=64,frag=later)',
    'eth_type(0x0800),ipv4(src=10.0.0.1/0.0.0.0,dst=10.0.0.2/0.0.0.0,proto=17/0,tos=0/0xfc,ttl=64,frag=later)',
  ],
  [
    'eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:0f:02:03:04:05,tha=00:00:00:00:00:00)',
    'eth_type(0x0806)',
    'eth_type(0x0806),arp(sip=1.2.3.4/0.0.0.0,tip=5.6.7.8/0.0.0.0,op=1/0,sha=00:0f:02:03:04:05/00:00:00:00:00:00,tha=00:00:00:00:00:00/00:00:00:00:00:00)',
  ],
  [
    'eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x12,proto=58,tclass=0x70,hlimit=128,frag=no),icmpv6(type=135,code=0),nd(target=fe80::3,sll=00:11:22:33:44:55,tll=00:00:00:00:00:00)',
    'eth_type(0x86dd),ipv6(tclass=0x70/0xfc,hlimit=128,frag=no)',
    'eth_type(0x86dd),ipv6(src=fe80::1/::,dst=fe80::2/::,label=0x12/0,proto=58/0,tclass=0x70/0xfc,hlimit=128,frag=no),icmpv6(type=135/0,code=0/0),nd(target=fe80::3/::,sll=00:11:22:33:44:55/00:00:00:00:00:00,tll=00:00:00:00:00:00/00:00:00:00:00:00)',
  ],
  [
    'eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=2,tos=0,ttl=64,frag=no)',
    'eth_type(0x0800),ipv4(tos=0/0xfc,ttl=64,frag=no)',
    'eth_type(0x0800),ipv4(src=10.0.0.1/0.0.0.0,dst=10.0.0.2/0.0.0.0,proto=2/0,tos=0/0xfc,ttl=64,frag=no)',
  ],
  [
    'eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=80,dst=90))',
    'eth_type(0x8100),vlan(vid=10,pcp=3/0x0),encap(eth_type(0x0800),ipv4(tos=0/0xfc,ttl=64,frag=no))',
    'eth_type(0x8100),vlan(vid=10,pcp=3/0x0),encap(eth_type(0x0800),ipv4(src=10.0.0.1/0.0.0.0,dst=10.0.0.2/0.0.0.0,proto=17/0,tos=0/0xfc,ttl=64,frag=no),udp(src=80/0,dst=90/0))',
  ],
  [
    'eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=0,label=200,tc=1,ttl=63,bos=1)',
    'eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=0,label=200,tc=1,ttl=63,bos=1)',
    'eth_type(0x8847),mpls(label=100,tc=7,ttl=64,bos=0,label=200,tc=1,ttl=63,bos=1)',
  ],
  ['eth_type(0x1234)', 'eth_type(0x1234)', 'eth_type(0x1234)'],
  [
    'eth_type(0x88a8),vlan(vid=10,pcp=0),encap(eth_type(0x8100))',
    'eth_type(0x88a8),vlan(vid=10,pcp=0/0x0),encap(eth_type(0x8100))',
    'eth_type(0x88a8),vlan(vid=10,pcp=0/0x0),encap(eth_type(0x8100))',
  ],
])('%s', (frame, consulted, verbose) => {
  const { key } = parsed(`${HEAD},${frame}`);
  const { mask } = parsed(`recirc_id(0),in_port(1),packet_type(ns=0,id=0),${consulted}`);
  const text = formatFlow(key, mask);
  // Without -m, a PCP that is 0 and was not consulted is not written.
  expect(text).toBe(
    `recirc_id(0),in_port(1),packet_type(ns=0,id=0),${consulted.replace(',pcp=0/0x0', '')}`,
  );
  expect(formatFlow(key, mask, { verbose: true, portName: (n) => `p${n}` })).toBe(
    `${META},${ETH},${verbose}`,
  );
  expect(formatFlow(key, undefined, { verbose: true })).toBe(
    `skb_priority(0),skb_mark(0),ct_state(0),ct_zone(0),ct_mark(0),ct_label(0),recirc_id(0),dp_hash(0),${HEAD.slice(13)},${frame}`,
  );
});

describe('metadata reads and prints the same', () => {
  const TAIL = 'recirc_id(0),in_port(1),eth_type(0x1234)';
  test.each([
    'skb_mark(0x10/0xf0),ct_state(+new-est+trk),ct_zone(0x5),ct_mark(0x1/0x1),ct_label(0x1/0xff),recirc_id(0x5),dp_hash(0x5/0xf),in_port(2),eth_type(0x0800),ipv4(frag=first)',
    'ct_state(+trk),ct_tuple4(src=10.1.1.1,dst=10.1.1.2/255.255.0.0,proto=6,tp_src=80,tp_dst=90/0xff00),recirc_id(0),in_port(3),eth_type(0x0800),ipv4(frag=no)',
    'ct_state(+trk),ct_tuple6(src=fe80::1,dst=fe80::2/ffff::,proto=6,src_port=80,dst_port=90),recirc_id(0),in_port(3),eth_type(0x86dd),ipv6(label=0x5/0xff,frag=no)',
    `tunnel(tun_id=0x7,ipv6_src=fe80::1,ipv6_dst=fe80::2/ffff::,tos=0x1,ttl=64,vxlan(gbp(id=3,flags=0x8)),flags(key)),${TAIL}`,
    `tunnel(tun_id=0x7/0xff,src=1.1.1.1/255.255.255.0,dst=2.2.2.2,tos=0x1/0xf,flags(-df-csum+key)),${TAIL}`,
    `tunnel(tun_id=0x7,src=1.1.1.1,dst=2.2.2.2,tp_src=1,tp_dst=4789,erspan(ver=1,idx=0x5),flags(df|csum|key)),${TAIL}`,
    `tunnel(tun_id=0x7,src=1.1.1.1,dst=2.2.2.2,erspan(ver=2,dir=1,hwid=0x5),flags(key)),${TAIL}`,
    `tunnel(tun_id=0x7,src=1.1.1.1,dst=2.2.2.2,gtpu(flags=0x30,msgtype=255),flags(key)),${TAIL}`,
    'recirc_id(0),in_port(1),eth_type(0x894f),nsh(flags=2,ttl=63,mdtype=1,np=3,spi=0x123456,si=10,c1=0x1,c2=0x2,c3=0x3,c4=0x0)',
    'recirc_id(0),in_port(1),eth_type(0x894f),nsh(ttl=63,spi=0x12,si=10/0xf)',
  ])('%s', (text) => {
    const { key, mask } = parsed(text);
    expect(formatFlow(key, mask)).toBe(text);
  });

  test('states are numbers in verbose text, and a tunnel that is there is written', () => {
    const { key, mask } = parsed(
      'ct_state(+new-est+trk),tunnel(tun_id=0x7/0xff,src=1.1.1.1,dst=2.2.2.2,tos=0x1/0xf,ttl=64/0,flags(-df-csum+key)),in_port(1),eth_type(0x1234)',
    );
    expect(formatFlow(key, mask, { verbose: true })).toContain(
      'skb_priority(0/0),tunnel(tun_id=0x7/0xff,src=1.1.1.1,dst=2.2.2.2,tos=0x1/0xf,ttl=64/0,flags(-df-csum+key)),skb_mark(0/0),ct_state(0x21/0x23),ct_zone(0/0)',
    );
    expect(formatFlow(key)).toContain('ct_state(new|trk)');
    expect(formatFlow(key, undefined, { verbose: true })).toContain('ct_state(0x21)');
  });

  test.each([
    'tunnel(tun_id=0x7',
    'tunnel(bogus=1)',
    'tunnel(flags(nonsense))',
    'tunnel(vxlan(id=1))',
    'tunnel(geneve({class=0xffff}))',
    'tunnel(tun_id=0x10000000000000000)',
    'ct_tuple4(tp_src=65536)',
  ])('%s is an error', (text) => {
    expect(parseFlow(text)).toEqual({ ok: false, error: `syntax error at ${text}` });
  });
});
