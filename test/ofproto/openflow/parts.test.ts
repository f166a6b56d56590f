/** Targets, hellos, packet-in limits, asynchronous filters: the parts of connections that need no socket. */
import { describe, expect, test } from 'vitest';
import { OF10, OF13, OF14 } from '../../../src/ofproto/codec/versions.ts';
import { AsyncFilter } from '../../../src/ofproto/openflow/async-filter.ts';
import { bitmapText, helloOf, newestOf, offered } from '../../../src/ofproto/openflow/hello.ts';
import { PacketInRate } from '../../../src/ofproto/openflow/packet-in-rate.ts';
import {
  forbiddenTarget,
  parseActive,
  parsePassive,
} from '../../../src/ofproto/openflow/target.ts';
import { VirtualClock } from '../../../src/util/virtual-clock.ts';

describe('targets', () => {
  test.each([
    ['tcp:127.0.0.1', { kind: 'tcp', host: '127.0.0.1', port: 6653 }],
    ['tcp:[::1]:6633', { kind: 'tcp', host: '::1', port: 6633 }],
    ['ssl:host:1', { kind: 'ssl', host: 'host', port: 1 }],
    ['unix:x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['tcp:', undefined],
    ['tcp:a:0', undefined],
    ['tcp:a:65536', undefined],
    ['udp:a', undefined],
  ])('%s', (text, target) => {
    expect(parseActive(text, '/run')).toEqual(target);
  });

  test.each([
    ['ptcp:', { kind: 'ptcp', host: null, port: 6653 }],
    ['ptcp:6654', { kind: 'ptcp', host: null, port: 6654 }],
    ['pssl:0:[::1]', { kind: 'pssl', host: '::1', port: 0 }],
    ['punix:/a/b', { kind: 'punix', path: '/a/b' }],
    ['ptcp:x', undefined],
  ])('%s', (text, target) => {
    expect(parsePassive(text, '/run')).toEqual(target);
  });

  test.each([
    ['unix:/run/ovs/x', true],
    ['unix:x', true],
    ['unix:/run/ovs/../x', false],
    ['unix:/etc/x', false],
    ['punix:/run/ovs/br0.controller', true],
    ['punix:/run/ovs/br0.mgmt', false],
    ['tcp:10.0.0.1', true],
  ])('%s within the run directory: %s', (text, allowed) => {
    expect(forbiddenTarget(text, 'br0', '/run/ovs') === null).toBe(allowed);
  });
});

describe('hello', () => {
  const bits = (...versions: number[]) => versions.reduce((all, v) => all | (1 << v), 0);

  test('has a bitmap only where the newest version would say too much', () => {
    expect(helloOf(bits(1, 2, 3), 9)).toHaveLength(8);
    expect(offered(helloOf(bits(1, 2, 3), 9))).toBe(bits(1, 2, 3));
    expect(helloOf(bits(1, 4), 9)).toHaveLength(16);
    expect(offered(helloOf(bits(1, 4), 9))).toBe(bits(1, 4));
  });

  test('of an unknown newer version offers all that is older', () => {
    expect(newestOf(offered(new Uint8Array([9, 0, 0, 8, 0, 0, 0, 0])) ?? 0)).toBe(6);
  });

  test('is told from other messages', () => {
    expect(offered(new Uint8Array([4, 2, 0, 8, 0, 0, 0, 0]))).toBeNull();
    expect(bitmapText(bits(1, 4))).toBe('versions 0x01, 0x04');
  });
});

describe('packet-ins', () => {
  test('pass up to the burst, wait, and come out by the rate, each port in turn', () => {
    const clock = new VirtualClock();
    const sent: number[] = [];
    const rate = new PacketInRate(clock, (bytes) => sent.push(bytes[0]));
    rate.configure(100, 2);
    for (const [port, n] of [
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 5],
    ]) {
      rate.offer(port, new Uint8Array([n]));
    }
    // 3 gave way when 5 came: the queue holds two, and port 1 had the most.
    expect(sent).toEqual([1, 2]);
    expect(rate.stats.dropped).toBe(1);
    clock.advance(100);
    expect(sent).toEqual([1, 2, 4, 5]);
    expect(rate.backlog).toBe(0);
  });

  test('are not limited by a rate of 0, which lets out what waits', () => {
    const clock = new VirtualClock();
    const sent: number[] = [];
    const rate = new PacketInRate(clock, (bytes) => sent.push(bytes[0]));
    rate.configure(100, 1);
    rate.offer(1, new Uint8Array([1]));
    rate.offer(1, new Uint8Array([2]));
    rate.configure(0, 0);
    expect(sent).toEqual([1, 2]);
  });
});

describe('asynchronous filter', () => {
  test('begins with what each version says', () => {
    const old = new AsyncFilter(OF10);
    expect(old.wants('equal', 'packetIn', 0)).toBe(true);
    expect(old.wants('equal', 'packetIn', 2)).toBe(false);
    expect(old.wants('secondary', 'packetIn', 0)).toBe(false);
    expect(old.wants('secondary', 'portStatus', 2)).toBe(true);
    expect(old.wants('primary', 'flowRemoved', 3)).toBe(false);
    expect(new AsyncFilter(OF13).wants('primary', 'flowRemoved', 3)).toBe(true);
    expect(new AsyncFilter(OF14).wants('primary', 'flowRemoved', 5)).toBe(true);
  });

  test('keeps what a change does not name', () => {
    const filter = new AsyncFilter(OF14);
    const unsaid = {
      packetIn: null,
      portStatus: null,
      flowRemoved: null,
      roleStatus: null,
      tableStatus: null,
      requestForward: null,
    };
    filter.set({ primary: { ...unsaid, packetIn: 4 }, secondary: unsaid });
    expect(filter.wants('equal', 'packetIn', 2)).toBe(true);
    expect(filter.wants('equal', 'packetIn', 0)).toBe(false);
    expect(filter.wants('equal', 'portStatus', 0)).toBe(true);
  });
});
