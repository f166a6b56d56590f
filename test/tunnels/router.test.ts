/** Routes: which one is taken, and why one cannot be added. */
import { expect, test } from 'vitest';
import { NO_ADDRESS, Router, routeText } from '../../src/tunnels/router.ts';
import { type Address, parseAddress } from '../../src/tunnels/tunnel-config.ts';

const at = (text: string): Address => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
};
const make = (): Router =>
  new Router({
    routes: () => [],
    addressesOf: (device) =>
      device === 'br0' ? [{ address: at('192.0.2.1'), prefixBits: 96 + 24 }] : null,
  });

test('the longest prefix wins, for the same mark', () => {
  const router = make();
  expect(router.add(at('10.0.0.0'), 96 + 8, 'br0', at('192.0.2.7'), 0)).toBeNull();
  expect(router.add(at('10.1.0.9'), 96 + 16, 'br0', at('192.0.2.8'), 0)).toBeNull();
  expect(router.add(at('10.1.0.0'), 96 + 16, 'br0', at('192.0.2.9'), 5)).toBeNull();
  const gateway = (to: string, mark: number) => router.lookup(at(to), mark)?.gateway[3];
  expect(gateway('10.1.2.3', 0)).toBe(at('192.0.2.8')[3]);
  expect(gateway('10.2.2.3', 0)).toBe(at('192.0.2.7')[3]);
  expect(gateway('10.1.2.3', 5)).toBe(at('192.0.2.9')[3]);
  expect(router.lookup(at('11.0.0.1'), 0)).toBeNull();
  expect(router.all().map(routeText)).toEqual([
    'User: 10.0.0.0/8 dev br0 GW 192.0.2.7 SRC 192.0.2.1',
    'User: 10.1.0.0/16 dev br0 GW 192.0.2.8 SRC 192.0.2.1',
    'User: 10.1.0.0/16 MARK 5 dev br0 GW 192.0.2.9 SRC 192.0.2.1',
  ]);
  expect(router.remove(at('10.1.0.0'), 96 + 16, 0)).toBe(true);
  expect(router.remove(at('10.1.0.0'), 96 + 16, 0)).toBe(false);
  expect(gateway('10.1.2.3', 0)).toBe(at('192.0.2.7')[3]);
});

test('a route that cannot be says why', () => {
  const router = make();
  expect(router.add(at('10.0.0.0'), 104, 'brx', NO_ADDRESS, 0)).toBe('there is no device brx');
  expect(router.add(at('fc00::'), 64, 'br0', NO_ADDRESS, 0)).toBe(
    'br0 has no address of that family',
  );
  expect(router.add(at('10.0.0.0'), 104, 'br0', at('10.9.9.9'), 0)).toBe(
    'no address of br0 is in a network with 10.9.9.9',
  );
});
