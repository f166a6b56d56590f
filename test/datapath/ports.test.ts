import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { NO_OFFLOAD } from '../../src/datapath/datapath.ts';
import type { DevicePort } from '../../src/datapath/device-port.ts';
import { DUMMY_MEMORY_BYTES, DummyPort } from '../../src/datapath/dummy-port.ts';
import { FrameBuffers } from '../../src/datapath/frame-buffers.ts';
import { PacketPlainPort } from '../../src/datapath/packet-plain-port.ts';
import { PacketPort } from '../../src/datapath/packet-port.ts';
import { Shared } from '../../src/datapath/shared.ts';
import { TapPort } from '../../src/datapath/tap-port.ts';
import { Epoll } from '../../src/sys/epoll.ts';
import { type MappedRegion, mappedRegion } from '../../src/sys/mapped-region.ts';
import { closeDevice, openPacketSocket } from '../../src/sys/packet-socket.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { openTap } from '../../src/sys/tap.ts';
import {
  numbered,
  type Passed,
  type PortHarness,
  portContract,
  receive,
  setOffload,
} from '../contract/port.ts';

const P = (n: number) => n as PortNo;
const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
const ifindexOf = (name: string) => Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
let serial = 0;
const newName = () => `tq${process.pid % 1_000_000}x${serial++ % 1000}`;

/** Up, and silent: no neighbour discovery of its own. */
function bringUp(device: string): void {
  writeFileSync(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, '1');
  ip('link', 'set', device, 'up');
}

/** Until the kernel has seen the carrier, a veth device that came up first drops what it should send. */
async function carrierSeen(device: string): Promise<void> {
  const state = () => readFileSync(`/sys/class/net/${device}/operstate`, 'utf8').trim();
  for (let tries = 0; tries < 1000 && state() !== 'up'; tries++) await sleep(5);
  expect(state()).toBe('up');
}

interface Wire {
  port: DevicePort;
  region: MappedRegion;
  shared: Shared;
  device: string;
  remove(): void;
  close(): Promise<void>;
}

/** A device port on region and statistics of its own. */
async function wire(kind: 'packet' | 'packet-plain' | 'tap', far: string): Promise<Wire> {
  const region = mappedRegion(2 ** 27);
  const shared = new Shared();
  shared.assignPort(P(1));
  const buffers = new FrameBuffers(region);
  if (kind === 'tap') {
    const spec = await openTap({ name: far, mtu: 1500 });
    bringUp(far);
    const port = new TapPort(P(1), far, spec, region, buffers, shared);
    const remove = () => ip('link', 'del', far);
    const close = async () => {
      await closeDevice(spec);
      region.close();
    };
    return { port, region, shared, device: far, remove, close };
  }
  const device = newName();
  ip('link', 'add', device, 'type', 'veth', 'peer', 'name', far);
  bringUp(device);
  bringUp(far);
  await carrierSeen(device);
  const slotCount = kind === 'packet' ? 64 : 0;
  const spec = await openPacketSocket({
    name: device,
    ifindex: ifindexOf(device),
    mtu: 1500,
    slotCount,
  });
  expect(spec.kind).toBe(kind);
  const port =
    spec.kind === 'packet'
      ? new PacketPort(P(1), device, spec, region, buffers, shared)
      : new PacketPlainPort(P(1), device, spec, region, buffers, shared);
  let removed = false;
  const remove = () => {
    if (!removed) ip('link', 'del', device);
    removed = true;
  };
  const close = async () => {
    remove();
    await closeDevice(spec);
    region.close();
  };
  return { port, region, shared, device, remove, close };
}

/** The far end is a plain packet socket, in memory of its own. */
async function deviceHarness(kind: 'packet' | 'packet-plain' | 'tap'): Promise<PortHarness> {
  const far = newName();
  const near = await wire(kind, far);
  const region = mappedRegion(2 ** 26);
  const memory = region.allocate(1 << 17);
  const shared = new Shared();
  const spec = await openPacketSocket({
    name: far,
    ifindex: ifindexOf(far),
    mtu: 1500,
    slotCount: 0,
  });
  if (spec.kind !== 'packet-plain') throw new Error('the far end has a ring');
  const end = new PacketPlainPort(P(2), far, spec, region, new FrameBuffers(region), shared);
  const batch = new Batch();
  return {
    port: near.port,
    region: near.region,
    shared: near.shared,
    burst: 12,
    inject(frame, offload = NO_OFFLOAD) {
      batch.clear();
      region.bytes.set(frame, memory + 64);
      setOffload(batch, batch.append(2, memory + 64, frame.length, 64), offload);
      end.send(batch, 0);
      end.flush();
      expect(shared.portStats(P(2)).txErrors).toBe(0);
    },
    collect() {
      const passed: Passed[] = [];
      batch.clear();
      end.receive(batch);
      for (let p = 0; p < batch.count; p++) {
        const start = batch.start[p];
        passed.push({
          frame: region.bytes.slice(start, start + batch.length[p]),
          offload: {
            flags: batch.offloadFlags[p] & 1,
            gsoType: batch.gsoType[p],
            gsoSize: batch.gsoSize[p],
            headerBytes: batch.headerBytes[p],
            csumStart: batch.csumStart[p],
            csumOffset: batch.csumOffset[p],
          },
        });
      }
      return passed;
    },
    async close() {
      await closeDevice(spec);
      await near.close();
      region.close();
    },
  };
}

portContract('packet', () => deviceHarness('packet'));
portContract('packet-plain', () => deviceHarness('packet-plain'));
portContract('tap', () => deviceHarness('tap'));
portContract('dummy', async () => {
  const region = heapRegion();
  const shared = new Shared();
  shared.assignPort(P(1));
  const memory = region.allocate(DUMMY_MEMORY_BYTES);
  const port = new DummyPort(region, shared, memory, P(1), 'p1', 1500);
  const sent: Passed[] = [];
  port.onTransmit = (frame, offload) => sent.push({ frame, offload });
  return {
    port,
    region,
    shared,
    burst: 12,
    inject: (frame, offload) => void port.inject(frame, offload),
    collect: () => sent.splice(0),
    close: async () => {},
  };
});

describe('a device that goes away under its port', () => {
  const undo: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
  });

  test.each(['packet', 'packet-plain', 'tap'] as const)('%s: quiet, no crash', async (kind) => {
    const near = await wire(kind, newName());
    undo.push(near.close);
    const epoll = new Epoll();
    epoll.add(near.port.fd, 1);
    near.remove();
    const batch = new Batch();
    let watched = true;
    // What the loop does with it; some rounds of errors may be reported, then none.
    for (let round = 0; round < 10 && watched; round++) {
      if (epoll.wait(0) > 0 && !near.port.onDeviceError()) {
        epoll.remove(near.port.fd);
        watched = false;
      }
      expect(near.port.receive(batch)).toBe(0);
      near.port.release();
    }
    expect(epoll.wait(0)).toBe(0);
    const start = near.region.allocate(4096) + 64;
    near.region.bytes.set(numbered(1, 60), start);
    for (let n = 0; n < 40; n++) {
      batch.clear();
      near.port.send(batch, batch.append(0, start, 60, 64));
    }
    near.port.flush();
    expect(near.shared.portStats(P(1))).toMatchObject({ txPackets: 0, txErrors: 40 });
    near.port.collectDrops();
    near.port.close();
    epoll.close();
  });

  test.each(['packet', 'packet-plain'] as const)('%s: works on after down and up', async (kind) => {
    const far = newName();
    const near = await wire(kind, far);
    undo.push(near.close);
    ip('link', 'set', near.device, 'down');
    near.port.onDeviceError();
    ip('link', 'set', near.device, 'up');
    await carrierSeen(near.device);
    const peer = await openPacketSocket({
      name: far,
      ifindex: ifindexOf(far),
      mtu: 1500,
      slotCount: 0,
    });
    undo.unshift(() => closeDevice(peer));
    if (peer.kind !== 'packet-plain') throw new Error('a ring');
    const buffers = new FrameBuffers(near.region);
    near.shared.assignPort(P(2));
    const end = new PacketPlainPort(P(2), far, peer, near.region, buffers, near.shared);
    const start = near.region.allocate(4096) + 64;
    near.region.bytes.set(numbered(6, 60), start);
    const batch = new Batch();
    for (let tries = 0; tries < 50 && near.shared.portStats(P(2)).txPackets === 0; tries++) {
      batch.clear();
      end.send(batch, batch.append(0, start, 60, 64));
      end.flush();
    }
    expect((await receive(near.port, near.region, 1))[0]?.frame).toEqual(numbered(6, 60));
    near.port.close();
  });

  test('packet: frames that found no slot are counted as dropped', async () => {
    const far = newName();
    const near = await wire('packet', far);
    undo.push(near.close);
    const peer = await openPacketSocket({
      name: far,
      ifindex: ifindexOf(far),
      mtu: 1500,
      slotCount: 0,
    });
    undo.unshift(() => closeDevice(peer));
    if (peer.kind !== 'packet-plain') throw new Error('a ring');
    near.shared.assignPort(P(2));
    const buffers = new FrameBuffers(near.region);
    const end = new PacketPlainPort(P(2), far, peer, near.region, buffers, near.shared);
    const start = near.region.allocate(4096) + 64;
    near.region.bytes.set(numbered(6, 60), start);
    const batch = new Batch();
    batch.append(0, start, 60, 64);
    // 64 slots.
    for (let n = 0; n < 100; n++) end.send(batch, 0);
    end.flush();
    const frames = await receive(near.port, near.region, 64);
    expect(frames).toHaveLength(64);
    near.port.collectDrops();
    expect(near.shared.portStats(P(1))).toMatchObject({ rxPackets: 64, rxDropped: 36 });
    near.port.close();
  });
});
