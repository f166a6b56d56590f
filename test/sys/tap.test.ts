import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { closeDescriptor } from '../../src/sys/packet-socket.ts';
import { nameProblem, openTap } from '../../src/sys/tap.ts';

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const dev = `tp${process.pid % 1000000}`;
const ns = `tsv-${process.pid}-tap`;
const undo: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

describe('a TAP device of ours', () => {
  test('appears under its name, takes offloads, and goes with its descriptor', async () => {
    const tap = await openTap({ name: dev, mtu: 1500 });
    expect(tap).toMatchObject({ kind: 'tap', vnetHeaderBytes: 10, mtu: 1500 });
    expect(tap.offloadBits & 1).toBe(1);
    expect(ip('-d', 'link', 'show', dev)).toContain('tap');
    await closeDescriptor(tap.fd);
    expect(() => ip('link', 'show', dev)).toThrow();
  });

  test('stays open when it moves to another namespace', async () => {
    ip('netns', 'add', ns);
    undo.push(() => void ip('netns', 'del', ns));
    const tap = await openTap({ name: dev, mtu: 1500 });
    undo.push(() => closeDescriptor(tap.fd));
    ip('link', 'set', dev, 'netns', ns);
    expect(ip('-n', ns, 'link', 'show', dev)).toContain(dev);
  });

  test('says that the name belongs to something else', async () => {
    ip('link', 'add', dev, 'type', 'veth', 'peer', 'name', `${dev}p`);
    undo.push(() => void ip('link', 'del', dev));
    await expect(openTap({ name: dev, mtu: 1500 })).rejects.toThrow(
      `${dev}: a network device of this name exists already`,
    );
    await expect(openTap({ name: dev, mtu: 1500, adopt: true })).rejects.toThrow('is no TAP');
  });

  test('says that another one has the TAP open', async () => {
    const tap = await openTap({ name: dev, mtu: 1500 });
    undo.push(() => closeDescriptor(tap.fd));
    await expect(openTap({ name: dev, mtu: 1500 })).rejects.toThrow('exists already and is in use');
  });

  test('attaches to a persistent TAP that nobody has open only when asked', async () => {
    ip('tuntap', 'add', dev, 'mode', 'tap');
    undo.push(() => void ip('link', 'del', dev));
    await expect(openTap({ name: dev, mtu: 1500 })).rejects.toThrow('exists already');
    const tap = await openTap({ name: dev, mtu: 1500, adopt: true });
    await closeDescriptor(tap.fd);
  });

  test('knows which names a device can have', () => {
    for (const good of ['br0', 'vif0.0', 'abcdefghijklmno']) expect(nameProblem(good)).toBeNull();
    for (const bad of ['', 'abcdefghijklmnop', 'a/b', 'a b', '.', '..', 'tap%d', 'a:b']) {
      expect(nameProblem(bad)).not.toBeNull();
    }
  });
});
