/** OpenFlow 1.3 from bytes to bytes: what groups choose, and the ports that frames came in on. */
import { describe, expect, test } from 'vitest';
import { ofPort } from '../../src/flowtable/of-port.ts';
import { random32 } from './lab.ts';
import {
  apply,
  flowMod,
  frame,
  groupMod,
  type Headers,
  hex,
  type Kind,
  output,
  oxm,
  setField,
  toGroup,
} from './openflow13.ts';
import { Target } from './openflow13-target.ts';

const NETWORK = '20010db80000000000000000';
describe('a select group', () => {
  const mac = (n: number): string => hex(0x020000000000 + n, 6);
  const address = (n: number): string => hex(n, 4);
  /** Frames that differ in one layer alone; `a` and `b` are any numbers of 32 bits. */
  const LAYERS: [string, Kind, (a: number, b: number) => Partial<Headers>][] = [
    ['Ethernet, of IPv4', 'tcp4', (a, b) => ({ dst: mac(a), src: mac(b) })],
    ['Ethernet, of IPv6', 'tcp6', (a, b) => ({ dst: mac(a), src: mac(b) })],
    ['Ethernet, of ARP', 'arp', (a, b) => ({ dst: mac(a), src: mac(b) })],
    ['IPv4', 'udp4', (a, b) => ({ ip4Src: address(a), ip4Dst: address(b) })],
    [
      'IPv6',
      'tcp6',
      (a, b) => ({
        ip6Src: NETWORK + address(a),
        ip6Dst: NETWORK + address(b),
      }),
    ],
    ['TCP', 'tcp4', (a, b) => ({ sport: a & 0xffff, dport: b & 0xffff })],
    ['ARP', 'arp', (a, b) => ({ spa: address(a), tpa: address(b) })],
  ];
  test.each(LAYERS)('spreads by weight what differs in %s alone', async (_, kind, change) => {
    const target = await Target.of(
      groupMod(1, 1, { watch: 2, actions: output(2) }, { watch: 3, weight: 2, actions: output(3) }),
      flowMod(0, '', apply(toGroup(1))),
    );
    const next = random32(7);
    const to = [0, 0];
    for (let i = 0; i < 1200; i++) {
      const [port] = target.lab.deliver(1, frame(kind, 'plain', change(next(), next())));
      to[port - 2]++;
    }
    // One to two, of which the cases of the certification tolerate 10 %.
    expect(to[0]).toBeGreaterThan(400 * 0.9);
    expect(to[0]).toBeLessThan(400 * 1.1);
    expect(to[0] + to[1]).toBe(1200);
  });
});

describe('ports', () => {
  test('in_phy_port is the port that the frame came in on, and is told from others', async () => {
    const phy = (port: number): string =>
      oxm('in_port', hex(1, 4)) + oxm('in_phy_port', hex(port, 4));
    const same = await Target.of(flowMod(0, phy(1), apply(output(2))));
    expect(same.send(frame('tcp4', 'plain'))).toHaveLength(1);
    expect(same.send(frame('tcp4', 'plain'), 3)).toEqual([]);
    const other = await Target.of(flowMod(0, phy(3), apply(output(2))));
    expect(other.send(frame('tcp4', 'plain'))).toEqual([]);
  });
  test('in_phy_port needs in_port, takes no mask and is not for setting', async () => {
    const target = await Target.of();
    expect(target.tell(flowMod(0, oxm('in_phy_port', '1')))).toBe('OFPBMC_BAD_PREREQ');
    const masked = oxm('in_port', '1') + oxm('in_phy_port', '1', '1');
    expect(target.tell(flowMod(0, masked))).toBe('OFPBMC_BAD_MASK');
    const set = apply(setField('in_phy_port', '1'));
    expect(target.tell(flowMod(0, '', set))).toBe('OFPBAC_BAD_SET_ARGUMENT');
  });
  test('a fast failover group goes by the ports that its buckets watch', async () => {
    const target = await Target.of(
      groupMod(1, 3, { watch: 2, actions: output(2) }, { watch: 3, actions: output(3) }),
      flowMod(0, '', apply(toGroup(1))),
    );
    const ports = (): number[] => target.lab.deliver(1, frame('tcp4', 'plain'));
    expect(ports()).toEqual([2]);
    target.bridge.setPortState(ofPort(2), false);
    await target.lab.switch.revalidateAll();
    expect(ports()).toEqual([3]);
    target.bridge.setPortState(ofPort(3), false);
    await target.lab.switch.revalidateAll();
    expect(ports()).toEqual([]);
  });
});
