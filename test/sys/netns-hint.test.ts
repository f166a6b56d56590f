import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeMissingDevice, nearestName } from '../../src/sys/netns-hint.ts';

const namespace = `tsv-${process.pid}-hint`;
const device = `tsvh${process.pid}`.slice(0, 14);
const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: 'pipe' });
};

beforeAll(() => {
  ip('netns', 'add', namespace);
  ip('-n', namespace, 'link', 'add', device, 'type', 'veth', 'peer', 'name', `${device}p`);
});
afterAll(() => ip('netns', 'del', namespace));

it('finds a device in a named namespace and comes home again', () => {
  const home = readlinkSync('/proc/thread-self/ns/net');
  expect(describeMissingDevice(device, { existing: [] })).toBe(
    `could not open network device ${device} (No such device); it is in network namespace "${namespace}"`,
  );
  expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
});

it('names the nearest device, and none when nothing is near', () => {
  expect(describeMissingDevice('vetha', { existing: ['lo', 'veth-a', 'eth0'] })).toBe(
    'could not open network device vetha (No such device); did you mean veth-a?',
  );
  expect(describeMissingDevice('vetha', { existing: ['lo', 'docker0'] })).toBe(
    'could not open network device vetha (No such device)',
  );
});

it.each([
  ['eth1', ['eth0', 'wlan0'], 'eth0'],
  ['gre0', ['eth0', 'br0'], undefined],
  ['x', ['y'], undefined],
  ['vif0.0', ['vif00', 'vif1.0'], 'vif00'],
  ['same', ['same'], undefined],
])('nearest to %s among %j is %s', (name, existing, expected) => {
  expect(nearestName(name, existing)).toBe(expected);
});
