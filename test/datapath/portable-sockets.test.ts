/** The portable transport under far ends that are made up: it opens only so many sockets to find the way back. */
import { createSocket, type Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { PortableSockets } from '../../src/datapath/portable-sockets.ts';
import { RELAY } from '../../src/datapath/relay-tunnel-port.ts';
import type { TunnelSpec } from '../../src/datapath/tunnel-transport.ts';

const UDP_PORT = 21_000 + (process.pid % 20_000);
const FAR_ENDS = 120;
const opened: { close(): void }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

const descriptors = (): number => readdirSync('/proc/self/fd').length;

const boundTo = (address: string): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    opened.push(socket);
    socket.bind(0, address, () => resolve(socket));
  });

test('packets of many far ends arrive, and few sockets are open for them', async () => {
  const from = new Set<number>();
  let before = 0;
  let most = 0;
  const done = new Promise<void>((resolve) => {
    const spec: TunnelSpec = {
      kind: 'tunnel',
      io: 'portable',
      encapsulation: 'vxlan',
      families: [4],
      udpPort: UDP_PORT,
      gbp: false,
      sequence: false,
      firstSourcePort: 40_000,
      lastSourcePort: 60_000,
      answersTooBig: false,
      mtu: 65_535,
    };
    void PortableSockets.open(spec, {
      packet: (relayed) => {
        most = Math.max(most, descriptors());
        from.add(new Uint32Array(relayed.buffer, relayed.byteOffset, 1)[RELAY.SRC]);
        if (from.size === FAR_ENDS) resolve();
      },
      dropped: () => {},
      now: () => 0,
    }).then(async (open) => {
      opened.push(open);
      const senders = await Promise.all(
        Array.from({ length: FAR_ENDS }, (_, i) => boundTo(`127.0.7.${i + 1}`)),
      );
      before = descriptors();
      for (const sender of senders) sender.send(new Uint8Array(60), UDP_PORT, '127.0.0.1');
    });
  });
  await done;
  expect(most - before).toBeGreaterThan(0);
  expect(most - before).toBeLessThanOrEqual(20);
});
