import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { driverInfo, linkSettings } from '../../src/sys/ethtool.ts';
import { Links } from '../../src/sys/links.ts';
import { attributesOf, encodeMessage, messagesIn } from '../../src/sys/netlink.ts';

const silent = {
  emer() {},
  err() {},
  warn() {},
  info() {},
  dbg() {},
  enabled: () => false,
};
const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: 'pipe' });
};
const name = `tsvl${process.pid}`.slice(0, 12);
const peer = `${name}p`;

let links: Links;
let following: Promise<void>;
let changes = 0;

/** Waits until `condition` holds; the test's own time limit ends a wait in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(() => {
  links = new Links(silent);
  changes = 0;
  links.onChange(() => changes++);
  following = links.follow();
});

afterEach(async () => {
  links.close();
  await following;
  try {
    ip('link', 'del', name);
  } catch {
    // Deleted by the test itself.
  }
});

test('a device that appears, changes and vanishes is followed', async () => {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer);
  await until(() => links.get(name) !== undefined);
  expect(links.get(name)).toMatchObject({ kind: 'veth', mtu: 1500, up: false, loopback: false });
  expect(links.at(links.get(name)!.ifindex)).toBe(links.get(name));

  ip('link', 'set', name, 'mtu', '1400', 'up');
  await until(() => links.get(name)?.mtu === 1400 && links.get(name)?.up === true);

  ip('link', 'set', name, 'down');
  ip('link', 'set', name, 'name', `${name}x`);
  await until(() => links.get(`${name}x`) !== undefined);
  expect(links.get(name)).toBeUndefined();

  ip('link', 'del', `${name}x`);
  await until(() => links.get(`${name}x`) === undefined && links.get(peer) === undefined);
  expect(changes).toBeGreaterThan(0);
});

test('settings are made through the table and refusals carry errno', async () => {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer);
  await until(() => links.get(name) !== undefined);
  const link = links.get(name)!;
  links.setMtu(link, 9000);
  links.setMac(link, 0x0200_0000_0a0bn);
  links.setUp(link, true);
  expect(links.get(name)).toMatchObject({ mtu: 9000, mac: 0x0200_0000_0a0bn, up: true });
  expect(() => links.setMtu(link, 10)).toThrow(/Invalid argument/);
  ip('link', 'del', name);
  expect(() => links.setMtu(link, 1500)).toThrow(/No such device/);
});

test('statistics and driver facts of a device', () => {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer);
  links.refresh();
  const stats = links.statistics().get(links.get(name)!.ifindex);
  expect(stats).toMatchObject({ rxPackets: 0, txErrors: 0, collisions: 0 });
  expect(driverInfo(name)).toMatchObject({ driver_name: 'veth' });
  expect(linkSettings(name)).toEqual({ speedBps: 10_000_000_000, fullDuplex: true });
  expect(driverInfo('no-such-device')).toBeNull();
  expect(linkSettings('lo')?.speedBps ?? null).toBeNull();
});

test('a burst of devices is seen whole', async () => {
  const batch = Array.from(
    { length: 40 },
    (_, i) => `link add ${name}${i} type veth peer name p${process.pid}-${i}`,
  );
  execFileSync('ip', ['-batch', '-'], { input: batch.join('\n') });
  await until(() => links.get(`${name}39`) !== undefined);
  for (let i = 0; i < 40; i++) expect(links.get(`${name}${i}`)).toBeDefined();
  const removal = Array.from({ length: 40 }, (_, i) => `link del ${name}${i}`);
  execFileSync('ip', ['-batch', '-'], { input: removal.join('\n') });
  await until(() => links.get(`${name}39`) === undefined);
});

test('messages and attributes with impossible lengths end the walk', () => {
  const bytes = encodeMessage(16, 1, 7, new Uint8Array(4), [
    [3, 'abc'],
    [4, 1500],
  ]);
  const [message] = [...messagesIn(bytes)];
  expect(message).toMatchObject({ type: 16, sequence: 7 });
  expect(attributesOf(message.body, 4).get(4)?.getUint32(0, true)).toBe(1500);
  for (const length of [0, 3, 15, 0xffff_ffff]) {
    const broken = bytes.slice();
    new DataView(broken.buffer).setUint32(0, length, true);
    expect([...messagesIn(broken)]).toEqual([]);
  }
  const broken = bytes.slice();
  new DataView(broken.buffer).setUint16(20, 0xfff0, true);
  expect(attributesOf([...messagesIn(broken)][0].body, 4).size).toBe(0);
});

test('events lost by the kernel lead to a table as true as before', async () => {
  // A buffer that a burst overflows while nobody reads: the event loop stands still inside execFileSync.
  const overflowing = new Links(silent, 4096);
  const done = overflowing.follow();
  try {
    const batch = Array.from(
      { length: 60 },
      (_, i) => `link add ${name}${i} type veth peer name p${process.pid}-${i}`,
    );
    execFileSync('ip', ['-batch', '-'], { input: batch.join('\n') });
    await until(() => overflowing.get(`${name}59`) !== undefined);
    for (let i = 0; i < 60; i++) expect(overflowing.get(`${name}${i}`)).toBeDefined();
    expect(overflowing.resyncs).toBeGreaterThan(0);
    const removal = Array.from({ length: 60 }, (_, i) => `link del ${name}${i}`);
    execFileSync('ip', ['-batch', '-'], { input: removal.join('\n') });
    await until(() => overflowing.get(`${name}59`) === undefined);
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer);
    await until(() => overflowing.get(name) !== undefined);
  } finally {
    overflowing.close();
    await done;
  }
});
