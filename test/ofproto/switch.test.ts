/** Frames through bridges in memory: learning, floods, patch ports, upcalls, revalidation. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { newFlowStats } from '../../src/datapath/datapath.ts';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { formatMac } from '../../src/ofproto/mac-learning.ts';
import { DEFAULT_SWITCH } from '../../src/ofproto/switch.ts';
import { BROADCAST, frame, Lab } from './lab.ts';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

let lab: Lab;
let br: Bridge;
beforeEach(async () => {
  lab = new Lab();
  br = lab.bridge('br0');
  for (let p = 1; p <= 4; p++) await lab.port(br, `p${p}`, p);
});
afterEach(() => lab.switch.close());

describe('learning', () => {
  test('unknown destinations are flooded, known ones are not', () => {
    expect(lab.deliver(1, frame(A, B))).toEqual([2, 3, 4]);
    expect(lab.deliver(2, frame(B, A))).toEqual([1]);
  });

  test('a megaflow that flooded is replaced when the destination is learned', async () => {
    lab.deliver(1, frame(A, B));
    lab.deliver(2, frame(B, A));
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, B))).toEqual([2]);
  });

  test('a frame to the port that it came from goes nowhere', () => {
    lab.deliver(1, frame(A, BROADCAST));
    expect(lab.deliver(1, frame(B, A))).toEqual([]);
    expect(lab.datapath.counter('drop_no_mac_learned_output')).toBe(1);
  });

  test('flood VLANs learn nothing', () => {
    br.configure({ floodVlans: [0] });
    lab.deliver(1, frame(A, B));
    expect(lab.deliver(2, frame(B, A))).toEqual([1, 3, 4]);
    expect(br.macs.count).toBe(0);
  });

  test('traffic that only hits megaflows keeps its source from aging', async () => {
    br.configure({ macAgingMs: 15_000 });
    lab.deliver(1, frame(A, BROADCAST));
    for (let i = 0; i < 10; i++) {
      lab.clock.advance(5_000);
      lab.deliver(1, frame(A, BROADCAST));
      await lab.switch.revalidateAll();
    }
    expect(br.macs.count).toBe(1);
    lab.clock.advance(16_000);
    expect(br.macs.count).toBe(0);
  });

  test('deleting a port forgets what is behind it', async () => {
    lab.deliver(2, frame(B, BROADCAST));
    br.removePort(br.portNamed('p2')!.ofPort);
    br.removeBundle('p2');
    await lab.switch.revalidateAll();
    expect(br.macs.count).toBe(0);
    expect(lab.deliver(1, frame(A, B))).toEqual([3, 4]);
  });
});

test('an address whose port goes is forgotten by the other bridges as well', async () => {
  const other = lab.bridge('br8');
  await lab.port(other, 'p8', 8);
  lab.deliver(2, frame(B, BROADCAST));
  lab.deliver(8, frame(B, BROADCAST));
  lab.deliver(8, frame(A, BROADCAST));
  br.removePort(br.portNamed('p2')!.ofPort);
  br.removeBundle('p2');
  expect(other.macs.entries().map((e) => formatMac(e.mac))).toEqual([A]);
});

describe('a bridge', () => {
  test('reserved addresses stop unless forward-bpdu is set', async () => {
    const bpdu = frame(A, '01:80:c2:00:00:00');
    expect(lab.deliver(1, bpdu)).toEqual([]);
    expect(lab.datapath.counter('drop_reserved_multicast')).toBe(1);
    br.configure({ forwardBpdu: true });
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, bpdu)).toEqual([2, 3, 4]);
  });

  test('a secure one without rules drops, and counts it', async () => {
    br.configure({ failMode: 'secure' });
    expect(lab.deliver(1, frame(A, B))).toEqual([]);
    expect(lab.datapath.counter('drop_action_of_pipeline')).toBe(1);
    br.configure({ failMode: 'standalone' });
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, B))).toEqual([2, 3, 4]);
  });

  test('protected ports do not reach each other', () => {
    for (const p of ['p1', 'p2']) {
      br.setBundle(p, { ports: [br.portNamed(p)!.ofPort], protected: true });
    }
    expect(lab.deliver(1, frame(A, B))).toEqual([3, 4]);
    expect(lab.deliver(3, frame(B, BROADCAST))).toEqual([1, 2, 4]);
  });

  test('a bond sends on its first member that is up, and ignores floods on the other', async () => {
    br.removeBundle('p3');
    br.removeBundle('p4');
    const members = [br.portNamed('p3')!.ofPort, br.portNamed('p4')!.ofPort];
    br.setBundle('bond0', { ports: members });
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, BROADCAST))).toEqual([2, 3]);
    expect(lab.deliver(4, frame(B, BROADCAST))).toEqual([]);
    br.setPortState(members[0], false);
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, BROADCAST))).toEqual([2, 4]);
    expect(lab.deliver(4, frame(B, BROADCAST))).toEqual([1, 2]);
  });

  test('port numbers: the local port, a request, the next free one', () => {
    const add = (name: string, requestedOfPort?: number) =>
      br.addPort({ name, type: 'dummy', portNo: null, requestedOfPort: requestedOfPort ?? null });
    expect(add('br0')).toBe(65534);
    expect(add('x', 50)).toBe(50);
    expect(add('y', 50)).toBe(5);
  });
});

describe('port numbers', () => {
  test('are not given again soon after they were freed', async () => {
    const fresh = lab.bridge('br9');
    const add = (name: string) => fresh.addPort({ name, type: 'dummy', portNo: null });
    const one = add('a');
    fresh.removePort(one);
    expect(add('b')).toBe(one + 1);
    lab.clock.advance(1);
    expect(fresh.addPort({ name: 'c', type: 'dummy', portNo: null, requestedOfPort: one })).toBe(
      one,
    );
  });
});

describe('patch ports', () => {
  let other: Bridge;
  beforeEach(async () => {
    other = lab.bridge('br1');
    await lab.port(other, 'q1', 11, { vlanMode: 'access', tag: 10 });
    await lab.port(other, 'q2', 12);
    lab.patch(br, 'pa', 'pb');
  });

  test('a missing peer swallows its share, and works once it is there', async () => {
    expect(lab.deliver(1, frame(A, B))).toEqual([2, 3, 4]);
    lab.patch(other, 'pb', 'pa');
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, B, '10/0')).sort()).toEqual([11, 12, 2, 3, 4]);
    expect(other.macs.entries().map((e) => e.owner.name)).toEqual(['pb']);
  });

  test('both ends count what translation sends through, megaflow hits included', async () => {
    lab.patch(other, 'pb', 'pa');
    for (let i = 0; i < 5; i++) lab.deliver(1, frame(A, BROADCAST));
    await lab.switch.revalidateAll();
    expect(br.portNamed('pa')!.stats).toMatchObject({ txPackets: 5, txBytes: 300, rxPackets: 0 });
    expect(other.portNamed('pb')!.stats).toMatchObject({ rxPackets: 5, rxBytes: 300 });
  });

  test('a loop of bridges ends in a counted drop', () => {
    lab.patch(other, 'pb', 'pa');
    lab.patch(br, 'pc', 'pd');
    lab.patch(other, 'pd', 'pc');
    lab.patch(br, 'pe', 'pf');
    lab.patch(other, 'pf', 'pe');
    expect(lab.deliver(1, frame(A, BROADCAST))).toEqual([]);
    const drops =
      lab.datapath.counter('drop_action_too_many_resubmit') +
      lab.datapath.counter('drop_action_recursion_too_deep');
    expect(drops).toBe(1);
  });
});

describe('upcalls', () => {
  test('one flow that misses many times is installed once, and every frame goes out', () => {
    const upcalls = lab.datapath.lookupStats().missed;
    for (let i = 0; i < 5; i++) lab.deliver(1, frame(A, B));
    expect(lab.datapath.lookupStats().missed - upcalls).toBe(1);
    expect(lab.switch.cache.size).toBe(1);
  });

  test('the first frame counts for the rule but not for the megaflow', async () => {
    for (let i = 0; i < 3; i++) lab.deliver(1, frame(A, B));
    await lab.switch.revalidateAll();
    const [rule] = br.tables[0].entries();
    expect([rule.packets, rule.bytes]).toEqual([3, 180]);
    const [ukey] = lab.switch.cache.all();
    expect(lab.datapath.flowStats(ukey.id, newFlowStats()).packets).toBe(2);
  });

  test('beyond the flow limit frames are forwarded without a megaflow', () => {
    lab.switch.configure({ ...DEFAULT_SWITCH, flowLimit: 2 });
    for (let i = 1; i <= 5; i++) {
      expect(lab.deliver(1, frame(`02:00:00:00:01:0${i}`, BROADCAST))).toEqual([2, 3, 4]);
    }
    expect(lab.switch.cache.size).toBe(2);
    expect(lab.events.get('upcall_flow_limit_hit')).toBe(3);
  });

  test('a port of no bridge is dropped by a megaflow of its own', async () => {
    await lab.datapath.addPort(77 as PortNo, 'stray', { kind: 'dummy', mtu: 1500 });
    lab.inject(77, frame(A, B));
    lab.inject(77, frame(A, B));
    expect(lab.datapath.counter('datapath_drop_invalid_port')).toBe(2);
  });
});

describe('revalidation', () => {
  test('a change of tag is in force when revalidateAll resolves, and addresses are forgotten', async () => {
    lab.deliver(1, frame(A, B));
    lab.deliver(2, frame(B, A));
    await lab.switch.revalidateAll();
    expect(lab.deliver(1, frame(A, B))).toEqual([2]);
    br.setBundle('p2', { ports: [br.portNamed('p2')!.ofPort], vlanMode: 'access', tag: 10 });
    await lab.switch.revalidateAll();
    expect(br.macs.entries().map((e) => e.owner.name)).toEqual(['p1']);
    expect(lab.deliver(1, frame(A, B))).toEqual([3, 4]);
    expect(lab.flows().every((f) => !f.split(',').includes('2'))).toBe(true);
  });

  test('flows that go on after a change of tag teach their source in the new VLAN at once', async () => {
    for (let i = 0; i < 3; i++) lab.deliver(1, frame(A, B));
    br.setBundle('p1', { ports: [br.portNamed('p1')!.ofPort], vlanMode: 'access', tag: 7 });
    await lab.switch.revalidateAll();
    expect(br.macs.entries().map((e) => [e.vlan, e.owner.name])).toEqual([[7, 'p1']]);
  });

  test('idle megaflows go after max-idle, used ones stay', async () => {
    lab.deliver(1, frame(A, BROADCAST));
    lab.deliver(2, frame(B, BROADCAST));
    for (let i = 0; i < 12; i++) {
      lab.clock.advance(1000);
      lab.deliver(2, frame(B, BROADCAST));
      await lab.switch.revalidator.pass();
    }
    expect(lab.switch.cache.size).toBe(1);
    lab.clock.advance(10_500);
    await lab.switch.revalidator.pass();
    expect(lab.switch.cache.size).toBe(0);
    expect(lab.datapath.lookupStats().flows).toBe(0);
  });

  test('purge empties the datapath without losing counts', async () => {
    for (let i = 0; i < 4; i++) lab.deliver(1, frame(A, BROADCAST));
    await lab.switch.revalidator.purge();
    expect(lab.datapath.lookupStats().flows).toBe(0);
    expect(br.tables[0].entries()[0].packets).toBe(4);
  });

  test('a reconfiguration that changes nothing keeps megaflows and addresses', async () => {
    lab.deliver(1, frame(A, BROADCAST));
    br.setBundle('p1', { ports: [br.portNamed('p1')!.ofPort] });
    await lab.switch.revalidateAll();
    expect(lab.switch.cache.size).toBe(1);
    expect(br.macs.count).toBe(1);
  });
});
