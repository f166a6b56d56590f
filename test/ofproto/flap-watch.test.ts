/** A loop of tunnels is told once; a guest that migrates is not. */
import { expect, test } from 'vitest';
import type { BridgePort } from '../../src/ofproto/bridge-port.ts';
import { Bundle, DEFAULT_BUNDLE } from '../../src/ofproto/bundle.ts';
import { FlapWatch } from '../../src/ofproto/flap-watch.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

function make() {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const log = { enabled: () => true, emer: say, err: say, warn: say, info: say, dbg: say };
  const watch = new FlapWatch('br0', log, new VirtualClock());
  const bundle = (name: string, isTunnel: boolean): Bundle => {
    const made = new Bundle(name, DEFAULT_BUNDLE);
    made.members = [{ name, tunnel: isTunnel ? {} : null } as unknown as BridgePort];
    return made;
  };
  return { lines, watch, bundle };
}
const MAC = 0x020000000001;

test('an address that goes back and forth between tunnels is told with both names, once', () => {
  const { lines, watch, bundle } = make();
  const [a, b] = [bundle('tun0', true), bundle('tun1', true)];
  for (let i = 0; i < 40; i++) watch.moved(MAC, i % 2 ? a : b, i % 2 ? b : a, i * 100);
  expect(lines.length).toBe(1);
  expect(lines[0]).toMatch(/br0: 02:00:00:00:00:01 flaps between tunnel ports tun[01] and tun[01]/);
});

test('moves that are rare, or of ports that are no tunnels, are not', () => {
  const { lines, watch, bundle } = make();
  const [a, b, port] = [bundle('tun0', true), bundle('tun1', true), bundle('eth1', false)];
  for (let i = 0; i < 40; i++) watch.moved(MAC, i % 2 ? a : b, i % 2 ? b : a, i * 6000);
  for (let i = 0; i < 40; i++) watch.moved(MAC, i % 2 ? a : port, i % 2 ? port : a, i);
  for (let i = 0; i < 200; i++) watch.moved(MAC + i, a, b, 0);
  expect(lines).toEqual([]);
});
