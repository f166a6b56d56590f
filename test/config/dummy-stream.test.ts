/** Cables between dummy devices: how frames are cut out of a stream, and that two devices get each other's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { DummyStreams, FrameReader } from '../../src/config/netdev/dummy-stream.ts';
import type { Logger } from '../../src/util/logger.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

const ignore = () => {};
const log: Logger = {
  emer: ignore,
  err: ignore,
  warn: ignore,
  info: ignore,
  dbg: ignore,
  enabled: () => false,
};
const frame = (fill: number, length = 60) => new Uint8Array(length).fill(fill);
const record = (bytes: Uint8Array) =>
  Buffer.from([bytes.length >> 8, bytes.length & 255, ...bytes]);

test('frames are found wherever the stream is cut', () => {
  const stream = Buffer.concat([record(frame(1)), record(frame(2, 300)), record(frame(3, 14))]);
  for (let size = 1; size < 80; size++) {
    const seen: Uint8Array[] = [];
    const reader = new FrameReader((bytes) => seen.push(bytes));
    for (let at = 0; at < stream.length; at += size) {
      expect(reader.take(stream.subarray(at, at + size))).toBe(true);
    }
    expect(seen).toEqual([frame(1), frame(2, 300), frame(3, 14)]);
  }
});

test('a frame without a header ends the stream', () => {
  expect(new FrameReader(ignore).take(Buffer.from([0, 13]))).toBe(false);
});

test('a device that connects before the other listens gets there by trying again', async () => {
  const runDir = mkdtempSync(join(tmpdir(), 'dummy-stream-'));
  const clock = new VirtualClock(0);
  const deps = { clock, log, runDir };
  const atClient: number[] = [];
  const atServer: number[] = [];
  const client = new DummyStreams('p1', { stream: 'unix:x.sock' }, deps, (f) =>
    atClient.push(f[0]),
  );
  const server = new DummyStreams('p2', { pstream: 'punix:x.sock' }, deps, (f) =>
    atServer.push(f[0]),
  );
  try {
    await client.open();
    expect([client.state, server.state]).toEqual(['disconnected', 'unknown']);
    await server.open();
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(client.state).toBe('connected');
    });
    client.send(frame(7));
    await vi.waitFor(() => expect(atServer).toEqual([7]));
    server.send(frame(8));
    await vi.waitFor(() => expect(atClient).toEqual([8]));
  } finally {
    client.close();
    server.close();
    rmSync(runDir, { recursive: true });
  }
});

test('what cannot be connected to is said', () => {
  const deps = { clock: new VirtualClock(0), log, runDir: '/' };
  expect(() => new DummyStreams('p1', { stream: 'nowhere' }, deps, ignore)).toThrow(
    'p1: nowhere: not a stream to connect to',
  );
});
