/** Tunnels whose packets the switch builds itself, between two switches in memory: what is asked, sent, and taken out at the other end. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { formatProgram } from '../../src/datapath/program-text.ts';
import { matchOf } from '../../src/flowtable/match.ts';
import { OFPP_CONTROLLER, OFPP_NONE } from '../../src/flowtable/of-port.ts';
import { NO_BUFFER } from '../../src/ofproto/model.ts';
import { packetOut } from '../../src/ofproto/packet-out.ts';
import type { Underlay } from '../../src/ofproto/underlay.ts';
import { FLOW_WORDS } from '../../src/packet/key.ts';
import { NO_ADDRESS } from '../../src/tunnels/router.ts';
import {
  type Address,
  formatAddress,
  parseAddress,
  parseTunnel,
} from '../../src/tunnels/tunnel-config.ts';
import { flowOf, frame, Lab } from './lab.ts';

const UPLINK = 1;
const HOST = 2;
const LOCAL = 100;
const TUNNEL = 50;
const X = '02:00:00:00:00:0a';
const Y = '02:00:00:00:00:0b';
const MACS = [0xaa5500000001n, 0xaa5500000002n];
const V4 = ['10.0.0.1', '10.0.0.2'];
const V6 = ['fd00::1', 'fd00::2'];

const addressOf = (text: string): Address => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
};

/** A host: br0 with an uplink and its own address, int with a port and a tunnel to the other host. */
class Host {
  readonly neighbors = new Map<string, string>();
  readonly lab: Lab;

  constructor(own: Address) {
    const underlay: Underlay = {
      route: () => ({ device: 'br0', gateway: NO_ADDRESS, source: own }),
      addressesOf: (device) => (device === 'br0' ? [{ address: own }] : []),
      neighbor: (_, address) => this.neighbors.get(formatAddress(address)) ?? null,
      learnNeighbor: (_, address, mac) => {
        const isNews = this.neighbors.get(formatAddress(address)) !== mac;
        this.neighbors.set(formatAddress(address), mac);
        return isNews;
      },
      sourcePorts: { first: 40_000, last: 40_999 },
    };
    this.lab = new Lab(underlay);
  }

  async set(index: number, type: string, options: Record<string, string>): Promise<void> {
    const { lab } = this;
    const bridge = lab.bridge('br0');
    await lab.port(bridge, 'uplink', UPLINK);
    await lab.datapath.addPort(LOCAL as PortNo, 'br0', { kind: 'dummy', mtu: 1500 });
    const local = bridge.addPort({
      name: 'br0',
      type: 'internal',
      portNo: LOCAL as PortNo,
      hwAddr: MACS[index],
    });
    bridge.setBundle('br0', { ports: [local] });
    const int = lab.bridge('int');
    await lab.port(int, 'host', HOST);
    const parsed = parseTunnel('t', type, options);
    if (!parsed.ok) throw new Error(parsed.error);
    const portNo = TUNNEL as PortNo;
    const tunnel = int.addPort({ name: 't', type, portNo, tunnel: parsed.config });
    int.setBundle('t', { ports: [tunnel] });
    const { dstPort, gbp } = parsed.config;
    const shared = { name: 'sys', type: parsed.config.type, dstPort, gbp, users: 1 };
    lab.switch.tunnelPorts.set(portNo, shared);
    await lab.switch.revalidateAll();
  }

  /** What leaves by the uplink for a frame. */
  out(port: number, bytes: Uint8Array): Uint8Array[] {
    this.lab.deliver(port, bytes);
    return this.lab.sent.filter((one) => one.port === UPLINK).map((one) => one.frame);
  }
}

let hosts: Host[] = [];
afterEach(() => {
  for (const { lab } of hosts) lab.switch.close();
});

async function pair(addresses: string[], type: string, options: Record<string, string>) {
  const [a, b] = addresses;
  hosts = [new Host(addressOf(a)), new Host(addressOf(b))];
  await hosts[0].set(0, type, { ...options, remote_ip: b });
  await hosts[1].set(1, type, { ...options, remote_ip: a });
  return hosts;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe.each([
  ['vxlan', V4, {}],
  ['vxlan', V4, { csum: 'true', key: '77' }],
  ['vxlan', V6, { key: '5' }],
  ['geneve', V4, { csum: 'true' }],
  ['geneve', V6, {}],
  ['gre', V4, { key: '9', seq: 'true', csum: 'true' }],
  ['gre', V6, {}],
  ['erspan', V4, { key: '3', erspan_ver: '1', erspan_idx: '9' }],
  ['ip6erspan', V6, { key: '3', erspan_ver: '2', erspan_dir: '1', erspan_hwid: '0x17' }],
] as [string, string[], Record<string, string>][])(
  '%s over %s with %o',
  (type, addresses, options) => {
    test('asks for the neighbour, and carries frames once it is known', async () => {
      const [one, other] = await pair(addresses, type, options);
      const sent = frame(X, Y, '-', 0x1234, [1, 2, 3]);
      const asked = one.out(HOST, sent);
      expect(asked).toHaveLength(1);
      expect(hex(asked[0].subarray(6, 12))).toBe('aa5500000001');
      expect(one.lab.sent.filter(({ port }) => port === UPLINK)).toHaveLength(1);
      one.neighbors.set(addresses[1], 'aa:55:00:00:00:02');
      one.lab.switch.revalidator.changed();
      await one.lab.switch.revalidateAll();
      for (let i = 0; i < 3; i++) {
        const packets = one.out(HOST, sent);
        expect(packets).toHaveLength(1);
        expect(hex(packets[0].subarray(0, 12))).toBe('aa5500000002aa5500000001');
        other.lab.deliver(UPLINK, packets[0]);
        const arrived = other.lab.sent.filter(({ port }) => port === HOST);
        expect(arrived.map((got) => hex(got.frame))).toEqual([hex(sent)]);
        expect(other.lab.sent.filter(({ port }) => port === LOCAL)).toEqual([]);
      }
      // The far end heard of this one by its packets.
      expect(other.neighbors.get(addresses[0])).toBe('aa:55:00:00:00:01');
    });

    test('damaged packets are dropped and counted, whatever is damaged', async () => {
      const [one, other] = await pair(addresses, type, options);
      one.neighbors.set(addresses[1], 'aa:55:00:00:00:02');
      const [packet] = one.out(HOST, frame(X, Y));
      const isUdp = type === 'vxlan' || type === 'geneve';
      const header = 14 + (addresses === V4 ? 20 : 40) + (isUdp ? 8 : 0);
      const damaged = packet.slice();
      damaged[header] = 0xc7;
      other.lab.deliver(UPLINK, damaged);
      expect(other.lab.datapath.counter('datapath_drop_tunnel_pop_error')).toBe(1);
      expect(other.lab.sent).toEqual([]);
      for (let cut = 15; cut < header + 14; cut++) {
        other.lab.deliver(UPLINK, packet.slice(0, cut));
        expect(other.lab.sent.filter(({ port }) => port === HOST)).toEqual([]);
      }
      other.lab.deliver(UPLINK, packet);
      expect(other.lab.sent.filter(({ port }) => port === HOST)).toHaveLength(1);
    });
  },
);

test('the program says what is sent, in the words of the original', async () => {
  const [one] = await pair(V4, 'vxlan', { key: '77' });
  one.neighbors.set(V4[1], 'aa:55:00:00:00:02');
  one.lab.deliver(UPLINK, frame('aa:55:00:00:00:02', Y));
  const { program } = one.lab.translate(HOST, frame(X, Y));
  expect(formatProgram(program, flowOf(HOST, frame(X, Y)))).toBe(
    'tnl_push(tnl_port(50),header(size=50,type=4,eth(dst=aa:55:00:00:00:02,src=aa:55:00:00:00:01,dl_type=0x0800),' +
      'ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=4789,csum=0x0),' +
      'vxlan(flags=0x8000000,vni=0x4d)),out_port(100)),1',
  );
});

test('an answer to this host is listened to, one to another is not', async () => {
  const [one] = await pair(V4, 'vxlan', {});
  const answer = (target: number[]) =>
    frame('aa:55:00:00:00:02', 'aa:55:00:00:00:01', '-', 0x0806, [
      ...[0, 1, 8, 0, 6, 4, 0, 2, 0xaa, 0x55, 0, 0, 0, 2, 10, 0, 0, 2],
      ...[0xaa, 0x55, 0, 0, 0, 1, ...target],
    ]);
  one.lab.deliver(UPLINK, answer([10, 0, 0, 9]));
  expect(one.neighbors.size).toBe(0);
  one.lab.deliver(UPLINK, answer([10, 0, 0, 1]));
  expect(one.neighbors.get('10.0.0.2')).toBe('aa:55:00:00:00:02');
});

test('output with max_len cuts the frame that is encapsulated, and nothing after it', async () => {
  const [one, other] = await pair(V4, 'vxlan', {});
  one.neighbors.set(V4[1], 'aa:55:00:00:00:02');
  const int = one.lab.switch.bridge('int');
  if (int === null) throw new Error('no bridge');
  const [tunnel, host] = ['t', 'host'].map((name) => int.portNamed(name)?.ofPort ?? OFPP_NONE);
  const data = frame(X, Y, '-', 0x1234, [...new Array(90).keys()]);
  const failure = packetOut(one.lab.switch, int, {
    bufferId: NO_BUFFER,
    inPort: OFPP_CONTROLLER,
    match: matchOf(new Uint32Array(FLOW_WORDS), new Uint32Array(FLOW_WORDS), FLOW_WORDS),
    actions: [
      { kind: 'outputTrunc', port: tunnel, maxBytes: 60 },
      { kind: 'output', port: host, maxBytes: 0 },
      { kind: 'output', port: tunnel, maxBytes: 0 },
    ],
    data,
  });
  expect(failure).toBeNull();
  const sent = one.lab.sent.splice(0);
  // Each port sends its own together.
  expect(sent.map(({ port, frame }) => [port, frame.length])).toEqual([
    [UPLINK, 50 + 60],
    [UPLINK, 50 + data.length],
    [HOST, data.length],
  ]);
  other.lab.deliver(UPLINK, sent[0].frame);
  const [arrived] = other.lab.sent.filter(({ port }) => port === HOST);
  expect(hex(arrived.frame)).toBe(hex(data.subarray(0, 60)));
});
