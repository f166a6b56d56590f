import { expect, test } from 'vitest';
import { Op, ProgramBuilder } from '../../src/datapath/program.ts';
import { formatProgram } from '../../src/datapath/program-text.ts';
import { keyOf } from '../../src/packet/extract.ts';
import * as K from '../../src/packet/key.ts';
import { buildFrame } from '../packet/frame-builder.ts';

const tcp = keyOf(buildFrame({ proto: 'tcp', payload: new Uint8Array(0) }).frame, 1);
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

test('ports by name, userspace by its reader, clones in parentheses', () => {
  const b = new ProgramBuilder();
  b.userspace(1, 2, 3);
  b.output(2);
  const inner = b.take();
  const program = Int32Array.of(((inner.length + 1) << 8) | Op.CLONE, ...inner);
  expect(
    formatProgram(program, tcp, {
      portName: (n) => `p${n}`,
      userspace: (reason, high, low) => `slow_path(${reason},${high},${low})`,
    }),
  ).toBe('clone(userspace(pid=0,slow_path(1,2,3)),p2)');
});
