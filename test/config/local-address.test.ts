import { expect, test } from 'vitest';
import { addressFromUuid, datapathIdText, localAddress } from '../../src/config/local-address.ts';
import { PortAllocator } from '../../src/config/port-allocator.ts';

const FALLBACK = 0x0200_0000_00ffn;

test('the lowest burned-in address of the ports is the bridge’s', () => {
  expect(localAddress(null, [0x0000_1122_3344n, 0x0000_1122_3300n], FALLBACK)).toBe(0x1122_3300n);
});

test('made-up, multicast, reserved and zero addresses of ports do not count', () => {
  const useless = [0x0a00_0000_0001n, 0x0100_5e00_0001n, 0x0180_c200_0003n, 0n];
  expect(localAddress(null, useless, FALLBACK)).toBe(FALLBACK);
});

test('hwaddr wins over all', () => {
  expect(localAddress(0x0011_2233_4455n, [1n], FALLBACK)).toBe(0x0011_2233_4455n);
});

test('an address from a row is unicast, locally administered and always the same', () => {
  const uuid = 'ef8244cd-7d0e-4273-ade8-32ba231c6f4e';
  const mac = addressFromUuid(uuid);
  expect(mac).toBe(addressFromUuid(uuid));
  expect((mac >> 40n) & 3n).toBe(2n);
  expect(mac).toBeLessThan(1n << 48n);
});

test('a datapath id is 16 digits, made of the address unless configured', () => {
  expect(datapathIdText(null, 0x0011_2233_4455n)).toBe('0000001122334455');
  expect(datapathIdText(0x1n, 5n)).toBe('0000000000000001');
});

test('datapath ports take the lowest free number, dummies the one in their name', () => {
  const plain = new PortAllocator(false);
  expect([plain.allocate('p7'), plain.allocate('br0')]).toEqual([1, 2]);
  plain.release(1 as never);
  expect(plain.allocate('x')).toBe(1);
  const named = new PortAllocator(true);
  expect(['br0', 'p3', 'p3x', 'abc', 'br1'].map((name) => named.allocate(name))).toEqual([
    100, 3, 1, 2, 101,
  ]);
});
