import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Feature, Request } from '../../src/config/netdev/vhost-user/messages.ts';
import { VhostSession } from '../../src/config/netdev/vhost-user/session.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { NO_OFFLOAD, type PortNo } from '../../src/datapath/datapath.ts';
import { FrameBuffers } from '../../src/datapath/frame-buffers.ts';
import { Shared } from '../../src/datapath/shared.ts';
import { VHOST_CONTROL_BYTES, vhostControl } from '../../src/datapath/vhost-control.ts';
import { VhostPort } from '../../src/datapath/vhost-port.ts';
import { Epoll } from '../../src/sys/epoll.ts';
import { type MappedRegion, mappedRegion } from '../../src/sys/mapped-region.ts';
import { type Mapping, mapShared, unmap } from '../../src/sys/shared-memory.ts';
import { numbered, type PortHarness, portContract, receive } from '../contract/port.ts';
import { ALL_FEATURES, RING_ENTRIES, VirtioDriver } from '../support/virtio-driver.ts';

const P1 = 1 as PortNo;
const MANY = 10_000_000;

interface Bench {
  readonly port: VhostPort;
  readonly region: MappedRegion;
  readonly shared: Shared;
  readonly driver: VirtioDriver;
  readonly session: VhostSession;
  readonly epoll: Epoll;
  close(): Promise<void>;
}

/** A port, and a guest behind it. One thread: what the main thread writes, the port has seen at its next step. */
async function bench(features = ALL_FEATURES): Promise<Bench> {
  const region = mappedRegion(2 ** 27);
  const shared = new Shared();
  shared.assignPort(P1);
  const page: Mapping = mapShared(-1, VHOST_CONTROL_BYTES, 'control page');
  const epoll = new Epoll();
  const spec = { kind: 'vhost-user' as const, fd: epoll.fd, control: page.address, mtu: 1500 };
  const port = new VhostPort(P1, 'vu1', spec, region, new FrameBuffers(region), shared);
  const control = vhostControl(page.address);
  const session = new VhostSession({ control, epoll, settled: async () => {} });
  const driver = new VirtioDriver(features);
  await driver.handshake(session);
  const close = async () => {
    await session.close();
    driver.close();
    epoll.close();
    unmap(page);
    region.close();
  };
  return { port, region, shared, driver, session, epoll, close };
}

portContract('vhost-user', async (): Promise<PortHarness> => {
  const { port, region, shared, driver, close } = await bench();
  return {
    port,
    region,
    shared,
    burst: 16,
    inject: (frame, offload = NO_OFFLOAD) => driver.transmit(frame, offload),
    collect: () => driver.collect(),
    close,
  };
});

describe('a vhost-user port', () => {
  let it: Bench;
  beforeEach(async () => {
    it = await bench();
  });
  afterEach(async () => {
    it.port.close();
    await it.close();
  });

  const receiveAll = (): number => {
    const batch = new Batch();
    return it.port.receive(batch);
  };
  const send = (frame: Uint8Array): void => {
    const at = it.region.allocate(4096);
    it.region.bytes.set(frame, at + 64);
    const batch = new Batch();
    it.port.send(batch, batch.append(0, at + 64, frame.length, 64));
    it.port.flush();
    it.region.free(at);
  };
  const stats = () => it.shared.portStats(P1);
  const works = async (): Promise<void> => {
    it.driver.transmit(numbered(3, 80), NO_OFFLOAD);
    const [passed] = await receive(it.port, it.region, 1);
    expect(passed?.frame).toEqual(numbered(3, 80));
    it.driver.collect();
    send(numbered(4, 70));
    expect(it.driver.collect()[0]?.frame).toEqual(numbered(4, 70));
  };

  test('wakes whoever waits for it only when it rests', () => {
    expect(it.epoll.wait(0)).toBe(0);
    it.driver.transmit(numbered(1, 60), NO_OFFLOAD);
    expect(it.epoll.wait(0)).toBe(1);
    expect(receiveAll()).toBe(1);
    expect(receiveAll()).toBe(0);
    expect(it.epoll.wait(0)).toBe(0);
  });

  test('drops and counts what the guest has no buffers for, and goes on when it has', () => {
    for (let n = 0; n < RING_ENTRIES + 10; n++) send(numbered(n, 60));
    expect(stats()).toMatchObject({ txPackets: RING_ENTRIES, txDropped: 10 });
    expect(it.driver.collect()).toHaveLength(RING_ENTRIES);
    send(numbered(9, 60));
    expect(it.driver.collect()).toHaveLength(1);
  });

  test('drops without a guest, and takes up the next one', async () => {
    await it.session.close();
    send(numbered(1, 60));
    expect(stats()).toMatchObject({ txPackets: 0, txDropped: 1 });
    expect(receiveAll()).toBe(0);
    expect(it.port.hasFrame()).toBe(false);
  });

  test('moves on with memory that was shared anew, and rests without', async () => {
    await works();
    await it.driver.shareMemory(it.session);
    await works();
    // What holds the rings no longer: nothing to look at.
    await it.driver.shareMemory(it.session, 4096);
    it.driver.transmit(numbered(1, 60), NO_OFFLOAD);
    expect(receiveAll()).toBe(0);
    await it.driver.shareMemory(it.session);
    expect(receiveAll()).toBe(1);
  });

  test('says where a stopped ring stands, and goes on from there', async () => {
    for (let n = 0; n < 5; n++) it.driver.transmit(numbered(n, 60), NO_OFFLOAD);
    expect(receiveAll()).toBe(5);
    const { driver, session } = it;
    const base = await driver.tell(session, Request.GET_VRING_BASE, driver.state(1, 0));
    expect(base).toEqual(Uint8Array.from([1, 0, 0, 0, 5, 0, 0, 0]));
    driver.transmit(numbered(9, 60), NO_OFFLOAD);
    expect(receiveAll()).toBe(0);
    const kick = driver.numbers(1n);
    await driver.tell(session, Request.SET_VRING_KICK, kick, [driver.kick.fd]);
    const [passed] = await receive(it.port, it.region, 1);
    expect(passed?.frame).toEqual(numbered(9, 60));
  });

  test.each<[string, (driver: VirtioDriver) => void]>([
    ['an address outside of the memory', (d) => d.describe(1, 0, MANY, 60, 0, 0)],
    ['an end outside of the memory', (d) => d.describe(1, 0, (8 << 20) - 30, 60, 0, 0)],
    ['an address before the memory', (d) => d.describe(1, 0, -4096, 60, 0, 0)],
    ['a chain without an end', (d) => d.describe(1, 0, 70_000, 60, 1, 0)],
    ['a chain that leaves the table', (d) => d.describe(1, 0, 70_000, 5, 1, 60_000)],
    ['a buffer to write into', (d) => d.describe(1, 0, 70_000, 80, 2, 0)],
    ['an indirect table', (d) => d.describe(1, 0, 70_000, 80, 4, 0)],
    ['more chains than entries', (d) => d.claim(1, RING_ENTRIES + 1)],
    ['a head that is none', (d) => d.offer(1, 60_000)],
  ])('rests after %s, unharmed, until the ring is set up anew', async (_, harm) => {
    harm(it.driver);
    it.driver.offer(1, 0);
    expect(receiveAll()).toBe(0);
    expect(receiveAll()).toBe(0);
    expect(it.epoll.wait(0)).toBe(0);
    expect(stats().rxErrors).toBeLessThanOrEqual(1);
    send(numbered(1, 60));
    expect(it.driver.collect()).toHaveLength(1);
  });

  test('counts frames that are none, and takes the next', () => {
    const { driver } = it;
    driver.describe(1, 0, 70_000, 4, 0, 0);
    driver.offer(1, 0);
    driver.describe(1, 1, 70_000, 200_000, 0, 0);
    driver.offer(1, 1);
    driver.describe(1, 2, 70_000, 12 + 60, 0, 0);
    driver.offer(1, 2);
    expect(receiveAll()).toBe(1);
    expect(stats()).toMatchObject({ rxErrors: 2, rxPackets: 1 });
    expect(driver.usedIndex(1)).toBe(3);
  });

  test('rests when buffers to fill lie outside of the memory', () => {
    it.driver.describe(0, 0, MANY, 2048, 2, 0);
    send(numbered(1, 60));
    expect(stats()).toMatchObject({ txPackets: 0, txErrors: 1 });
    expect(it.driver.usedIndex(0)).toBe(0);
  });

  test('damaged rings never throw', () => {
    let state = 7;
    const random = (n: number) => {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      return state % n;
    };
    const { driver } = it;
    const bytes = new Uint8Array(driver.view.buffer);
    for (let round = 0; round < 3000; round++) {
      for (let i = 0; i < 8; i++) bytes[random(26_000)] = random(256);
      receiveAll();
      send(numbered(1, 60));
    }
  });
});

test('a guest without mergeable buffers and offloads gets frames into one buffer each', async () => {
  const { port, region, driver, close } = await bench(
    Feature.VERSION_1 | Feature.PROTOCOL_FEATURES,
  );
  expect(port.takesOffload).toBe(false);
  const at = region.allocate(1 << 16);
  region.bytes.set(numbered(5, 1514), at + 64);
  const batch = new Batch();
  port.send(batch, batch.append(0, at + 64, 1514, 0));
  port.flush();
  expect(driver.collect()).toEqual([{ frame: numbered(5, 1514), offload: NO_OFFLOAD }]);
  port.close();
  await close();
});
