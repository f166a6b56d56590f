/** Mirrors: who gets copies, of what, how often, and what happens on the port that they go to. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { type MirrorSettings, Mirrors } from '../../src/ofproto/mirrors.ts';
import { BROADCAST, frame, Lab } from './lab.ts';

const A = '02:00:00:00:00:01';
const B = '02:00:00:00:00:02';

const mirror = (name: string, more: Partial<MirrorSettings>): MirrorSettings => ({
  id: name,
  name,
  selectAll: false,
  sources: [],
  destinations: [],
  vlans: [],
  output: { port: 'p4' },
  snaplen: null,
  ...more,
});

let lab: Lab;
let br: Bridge;
const deliver = (port: number, bytes: Uint8Array) => lab.deliver(port, bytes).sort();
/** Puts mirrors in force, with A known behind p1 and B behind p2. */
const mirrors = async (...wanted: MirrorSettings[]): Promise<void> => {
  br.setMirrors(wanted);
  await lab.switch.revalidateAll();
  lab.deliver(1, frame(A, B));
  lab.deliver(2, frame(B, A));
  await lab.switch.revalidateAll();
};

beforeEach(async () => {
  lab = new Lab();
  br = lab.bridge('br0');
  for (let p = 1; p <= 4; p++) await lab.port(br, `p${p}`, p);
});

describe('a mirror', () => {
  test('of a source copies what arrives there, one of a destination what leaves there', async () => {
    await mirrors(mirror('in', { sources: ['p1'] }));
    expect(deliver(1, frame(A, B))).toEqual([2, 4]);
    expect(deliver(2, frame(B, A))).toEqual([1]);
    await mirrors(mirror('out', { destinations: ['p1'] }));
    expect(deliver(1, frame(A, B))).toEqual([2]);
    expect(deliver(2, frame(B, A))).toEqual([1, 4]);
  });

  test('of all ports copies each frame once, and follows ports that come later', async () => {
    await mirrors(mirror('all', { selectAll: true }));
    expect(deliver(1, frame(A, B))).toEqual([2, 4]);
    await lab.port(br, 'p5', 5);
    await lab.switch.revalidateAll();
    expect(deliver(5, frame(A, B))).toEqual([2, 4]);
  });

  test('keeps its output port for itself', async () => {
    await mirrors(mirror('one', { sources: ['p3'] }));
    expect(deliver(1, frame(A, BROADCAST))).toEqual([2, 3]);
    expect(deliver(4, frame('02:00:00:00:00:09', BROADCAST))).toEqual([]);
    expect(br.macs.lookup(0x020000000009, 0)).toBeNull();
    await mirrors();
    expect(deliver(1, frame(A, BROADCAST))).toEqual([2, 3, 4]);
  });

  test('cuts its copies, and only those, at snaplen', async () => {
    await mirrors(mirror('cut', { selectAll: true, snaplen: 20 }));
    lab.deliver(1, frame(A, B));
    expect(lab.sent.map((s) => [s.port, s.frame.length])).toEqual([
      [4, 20],
      [2, 60],
    ]);
  });

  test('of some VLANs looks at the VLAN that the port puts the frame in', async () => {
    br.setBundle('p1', { ports: [br.portNamed('p1')!.ofPort], vlanMode: 'access', tag: 10 });
    await mirrors(mirror('ten', { selectAll: true, vlans: [10] }));
    expect(deliver(1, frame(A, BROADCAST))).toEqual([2, 3, 4]);
    expect(lab.sent.filter((s) => s.port === 4)[0].frame.slice(12, 16)).toEqual(
      Uint8Array.of(0x81, 0x00, 0, 10),
    );
    expect(deliver(2, frame(A, BROADCAST))).toEqual([3]);
    expect(deliver(2, frame(A, BROADCAST, '10/0'))).toEqual([1, 3, 4]);
  });

  test('into a VLAN leaves by its ports with its tag, but for reserved addresses', async () => {
    br.setBundle('p3', { ports: [br.portNamed('p3')!.ofPort], vlanMode: 'access', tag: 99 });
    br.setBundle('p2', { ports: [br.portNamed('p2')!.ofPort], vlanMode: 'trunk', trunks: [1, 0] });
    await mirrors(mirror('rspan', { sources: ['p1'], output: { vlan: 99 } }));
    lab.deliver(1, frame(A, BROADCAST, '5/0'));
    const seen = lab.sent.map(({ port, frame: f }) => `${port}:${f[12] === 0x81 ? f[15] : '-'}`);
    expect(seen.sort()).toEqual(['1:99', '3:-', '4:5', '4:99']);
    br.configure({ forwardBpdu: true });
    expect(deliver(1, frame(A, '01:80:c2:00:00:00', '5/0'))).toEqual([4]);
    expect(br.mirrors.get('rspan')?.stats.packets).toBeGreaterThan(0);
  });

  test('shares its output with another: a frame goes there once', async () => {
    await mirrors(mirror('x', { sources: ['p1'] }), mirror('y', { destinations: ['p2'] }));
    expect(deliver(1, frame(A, B))).toEqual([2, 4]);
    expect(deliver(3, frame(A, B))).toEqual([2, 4]);
  });

  test('copies frames at patch ports', async () => {
    const other = lab.bridge('br1');
    await lab.port(other, 'q1', 6);
    lab.patch(br, 'to1', 'to0');
    lab.patch(other, 'to0', 'to1');
    await mirrors(mirror('out', { destinations: ['to1'] }));
    expect(deliver(1, frame(A, BROADCAST))).toEqual([2, 3, 4, 6]);
    await mirrors(mirror('in', { sources: ['to1'] }));
    expect(deliver(6, frame('02:00:00:00:00:06', BROADCAST))).toEqual([1, 2, 3, 4]);
  });

  test('counts what it copied, also what no upcall saw', async () => {
    await mirrors(mirror('in', { sources: ['p1'] }));
    const before = { ...br.mirrors.get('in')!.stats };
    for (let i = 0; i < 5; i++) lab.deliver(1, frame(A, B));
    await lab.switch.revalidator.pass();
    const { packets, bytes } = br.mirrors.get('in')!.stats;
    expect(packets - before.packets).toBe(5);
    expect(bytes - before.bytes).toBe(300);
  });

  test('forgets learned addresses when it changes, not when it is said again', async () => {
    await mirrors(mirror('in', { sources: ['p1'] }));
    expect(br.macs.count).toBe(2);
    br.setMirrors([mirror('in', { sources: ['p1'] })]);
    expect(br.macs.count).toBe(2);
    br.setMirrors([mirror('in', { sources: ['p2'] })]);
    expect(br.macs.count).toBe(0);
  });

  test('whose output port is away copies nothing', async () => {
    await mirrors(mirror('in', { sources: ['p1'], output: { port: 'gone' } }));
    expect(deliver(1, frame(A, B))).toEqual([2]);
  });
});

test('counters live as long as the mirror is there', () => {
  const some = new Mirrors('br0');
  expect(some.configure([mirror('a', {})])).toBe(true);
  some.get('a')!.stats.packets = 7;
  expect(some.configure([mirror('a', { snaplen: 100 })])).toBe(true);
  expect(some.get('a')!.stats.packets).toBe(7);
  expect(some.configure([])).toBe(true);
  expect(some.configure([mirror('a', {})])).toBe(true);
  expect(some.get('a')!.stats.packets).toBe(0);
});
