import { describe, expect, test } from 'vitest';
import {
  addToDatapath,
  chosenIo,
  type Netdev,
  receiveQueues,
} from '../../src/config/netdev/netdev.ts';
import type { WantedInterface } from '../../src/config/wanted.ts';
import type { Datapath, PortNo, PortSpec } from '../../src/datapath/datapath.ts';

const RING: PortSpec = {
  kind: 'packet',
  fd: 7,
  sendFd: 8,
  slotBytes: 2048,
  slotCount: 32,
  mtu: 1500,
};
const PLAIN: PortSpec = { kind: 'packet-plain', fd: 9, sendFd: 10, mtu: 1500 };

/** A device with a ring, which has one other way to open it when `hasOther`; and a datapath that refuses some ways. */
function setup(hasOther: boolean, refused: readonly string[]) {
  const device = {
    name: 'eth1',
    spec: RING as PortSpec | null,
    async fallBack() {
      if (!hasOther) return false;
      device.spec = PLAIN;
      return true;
    },
  };
  const taken: string[] = [];
  const datapath = {
    async addPort(_port: PortNo, name: string, spec: PortSpec) {
      if (refused.includes(spec.kind)) throw new Error(`${name}: no ${spec.kind}`);
      taken.push(spec.kind);
    },
  };
  const add = () =>
    addToDatapath(datapath as unknown as Datapath, 1 as PortNo, device as unknown as Netdev);
  return { add, taken };
}

describe('a device that the datapath refuses', () => {
  test('is left as it is when it was taken', async () => {
    const { add, taken } = setup(true, []);
    await add();
    expect(taken).toEqual(['packet']);
  });

  test('is opened in a plainer way and tried again', async () => {
    const { add, taken } = setup(true, ['packet']);
    await add();
    expect(taken).toEqual(['packet-plain']);
  });

  test('fails with the first reason when there is no other way, with the last when that fails too', async () => {
    await expect(setup(false, ['packet']).add()).rejects.toThrow('eth1: no packet');
    await expect(setup(true, ['packet', 'packet-plain']).add()).rejects.toThrow(
      'eth1: no packet-plain',
    );
  });
});

test('a way of moving frames is one of those that the type has', () => {
  const want = (io?: string) =>
    ({ name: 'eth1', options: io === undefined ? {} : { io } }) as unknown as WantedInterface;
  const methods = ['packet-ring', 'packet-plain'] as const;
  expect(chosenIo(want(), methods)).toBeNull();
  expect(chosenIo(want('auto'), methods)).toBeNull();
  expect(chosenIo(want('packet-plain'), methods)).toBe('packet-plain');
  expect(() => chosenIo(want('xdp'), methods)).toThrow(
    'could not open network device eth1: options:io=xdp: not one of auto, packet-ring, packet-plain',
  );
});

describe('options:n_rxq', () => {
  const read = (options: Record<string, string>) =>
    receiveQueues({ name: 'eth1', options } as unknown as WantedInterface);

  test('asks for 1 to 8 receive queues', () => {
    expect(read({})).toEqual({ count: 1, warnings: [] });
    expect(read({ n_rxq: '8' })).toEqual({ count: 8, warnings: [] });
  });

  test.each([
    ['0', 1],
    ['16', 8],
    ['two', 1],
  ])('%s becomes %d, with a warning', (n_rxq, count) => {
    const warnings = [`eth1: options:n_rxq=${n_rxq} is no number from 1 to 8, ${count} is taken`];
    expect(read({ n_rxq })).toEqual({ count, warnings });
  });
});
