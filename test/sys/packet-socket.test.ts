import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { close } from '../../src/sys/libc.ts';
import { mappedRegion } from '../../src/sys/mapped-region.ts';
import { closeDevice, openPacketSocket, takeSocketError } from '../../src/sys/packet-socket.ts';

const dev = `ps${process.pid % 1000000}`;
const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const ifindexOf = (name: string) => Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
/** Packet sockets of this process: others come and go. */
const openSockets = () => {
  const inodes = readFileSync('/proc/net/packet', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).at(-1));
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      const inode = /socket:\[(\d+)\]/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.includes(inode);
    } catch {
      return false;
    }
  }).length;
};

beforeAll(() => {
  ip('link', 'add', dev, 'type', 'veth', 'peer', 'name', `${dev}p`);
});
afterAll(() => {
  ip('link', 'del', dev);
});

describe('a packet socket', () => {
  test('opens with a ring whose frames of the usual MTU fit a slot', async () => {
    const socket = await openPacketSocket({ name: dev, ifindex: ifindexOf(dev), mtu: 1500 });
    expect(socket).toMatchObject({ kind: 'packet', slotBytes: 2048, slotCount: 1024, mtu: 1500 });
    expect(ip('-d', 'link', 'show', dev)).toContain('promiscuity 1');
    await closeDevice(socket);
    expect(ip('-d', 'link', 'show', dev)).toContain('promiscuity 0');
  });

  test('gives larger, fewer slots to a large MTU', async () => {
    const socket = await openPacketSocket({ name: dev, ifindex: ifindexOf(dev), mtu: 9000 });
    expect(socket).toMatchObject({ kind: 'packet', slotBytes: 16384, slotCount: 128 });
    await closeDevice(socket);
  });

  test('goes without a ring when the kernel refuses one', async () => {
    const options = { name: dev, ifindex: ifindexOf(dev), mtu: 1500, slotCount: 1 << 30 };
    const socket = await openPacketSocket(options);
    expect(socket.kind).toBe('packet-plain');
    await closeDevice(socket);
  });

  test('opens on an interface that is down and leaves no pending error', async () => {
    const socket = await openPacketSocket({ name: dev, ifindex: ifindexOf(dev), mtu: 1500 });
    expect(takeSocketError(socket.fd)).toBe(0);
    await closeDevice(socket);
  });

  test('names the interface that does not exist, and leaks no descriptor', async () => {
    const open = await openPacketSocket({ name: dev, ifindex: ifindexOf(dev), mtu: 1500 });
    const before = openSockets();
    // One to receive, one to send.
    expect(before).toBe(2);
    const options = { name: 'eth77', ifindex: 0x7ffffff0, mtu: 1500 };
    await expect(openPacketSocket(options)).rejects.toThrow(/^eth77: .*No such device/);
    expect(openSockets()).toBe(before);
    await closeDevice(open);
  });

  test('opens and closes many at once without queueing their waits one after the other', async () => {
    const ifindex = ifindexOf(dev);
    const options = { name: dev, ifindex, mtu: 1500, slotCount: 64 };
    const sockets = await Promise.all(Array.from({ length: 300 }, () => openPacketSocket(options)));
    expect(new Set(sockets.map((socket) => socket.fd)).size).toBe(300);
    await Promise.all(sockets.map(closeDevice));
    expect(close(sockets[0].fd)).toBe(-1);
  });
});

describe('a mapped region', () => {
  test('shows a ring at an offset and private memory again after it', async () => {
    const region = mappedRegion(2 ** 26);
    const socket = await openPacketSocket({ name: dev, ifindex: ifindexOf(dev), mtu: 1500 });
    if (socket.kind !== 'packet') throw new Error('no ring');
    const bytes = socket.slotBytes * socket.slotCount;
    const before = region.allocate(100);
    region.bytes[before] = 7;
    const offset = region.mapRing(socket.fd, bytes);
    expect(offset % 4096).toBe(0);
    expect(region.view.getUint32(offset, true)).toBe(0);
    region.bytes[offset + bytes - 1] = 9;
    region.unmapRing(offset, bytes);
    expect(region.bytes[offset + bytes - 1]).toBe(0);
    region.bytes[offset] = 1;
    expect(region.mapRing(socket.fd, bytes)).toBe(offset);
    expect(region.bytes[offset + bytes - 1]).toBe(9);
    region.unmapRing(offset, bytes);
    expect(region.bytes[before]).toBe(7);
    await closeDevice(socket);
    region.close();
  });

  test('refuses what is no ring and stays whole', () => {
    const region = mappedRegion(2 ** 26);
    expect(() => region.mapRing(0, 65536)).toThrow(/receive ring of 65536 bytes: mmap failed/);
    const offset = region.allocate(65536, 4096);
    region.bytes[offset] = 1;
    expect(() => region.mapRing(0, 2 ** 27)).toThrow(RangeError);
    region.close();
  });
});
