import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { DirectSocket } from '../../src/sys/direct-socket.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Both ends of a Unix connection; ours is not read by the stream. */
async function pair(): Promise<readonly [ours: Socket, peer: Socket]> {
  const directory = mkdtempSync(join(tmpdir(), 'tsv-direct-'));
  const path = join(directory, 's');
  const server = createServer({ pauseOnConnect: true });
  server.listen(path);
  await once(server, 'listening');
  const peer = connect(path);
  const [[ours]] = (await Promise.all([once(server, 'connection'), once(peer, 'connect')])) as [
    [Socket],
    unknown,
  ];
  for (const socket of [ours, peer]) socket.on('error', () => {});
  cleanups.push(() => {
    ours.destroy();
    peer.destroy();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return [ours, peer];
}

const direct = (socket: Socket): DirectSocket => {
  const made = DirectSocket.of(socket);
  if (made === null) throw new Error('no descriptor');
  return made;
};

test('receives what has come, in views that stay good', async () => {
  const [ours, peer] = await pair();
  const socket = direct(ours);
  expect(socket.receive()).toBeNull();
  const got: Uint8Array[] = [];
  // More than a slab.
  for (let i = 0; i < 100; i++) {
    peer.write(Buffer.alloc(1000, i));
    const bytes = socket.receiveSoon();
    if (bytes !== null) got.push(bytes);
  }
  expect(Buffer.concat(got)).toEqual(
    Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(1000, i))),
  );
});

test('gives up waiting for what does not come, and for what is over', async () => {
  const [ours, peer] = await pair();
  const socket = direct(ours);
  expect(socket.receiveSoon()).toBeNull();
  peer.destroy();
  await once(peer, 'close');
  expect(socket.receiveSoon()).toBeNull();
  ours.destroy();
  expect(socket.receive()).toBeNull();
  expect(socket.receiveSoon()).toBeNull();
});

test('hands to the stream what the kernel has no room for, in order', async () => {
  const [ours, peer] = await pair();
  const socket = direct(ours);
  const sent = createHash('sha1');
  const got = createHash('sha1');
  let bytes = 0;
  for (let i = 0; i < 2000; i++) {
    const message = Buffer.alloc(1001, i);
    sent.update(message);
    bytes += message.length;
    if (!socket.put(message)) {
      socket.flush();
      if (!socket.put(message)) ours.write(message);
    }
  }
  socket.flush();
  expect(socket.unsent).toBe(0);
  expect(ours.writableLength).toBeGreaterThan(0);
  expect(socket.put(Buffer.from('late'))).toBe(false);
  let received = 0;
  for await (const chunk of peer) {
    got.update(chunk);
    received += chunk.length;
    if (received >= bytes) break;
  }
  expect(received).toBe(bytes);
  ours.destroy();
  expect(got.digest('hex')).toBe(sent.digest('hex'));
});

test('leaves sockets alone whose bytes are encrypted', async () => {
  const [ours] = await pair();
  expect(DirectSocket.of(new TLSSocket(ours))).toBeNull();
});
