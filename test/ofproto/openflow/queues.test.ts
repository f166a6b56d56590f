/** Queues as a controller asks for them: statistics, what is configured, and the errors for ports and queues that are not there. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OFPP_ALL, ofPort } from '../../../src/flowtable/of-port.ts';
import type { Message } from '../../../src/ofproto/codec/messages.ts';
import {
  OF10,
  OF11,
  OF13,
  OF14,
  OF15,
  type OfVersion,
} from '../../../src/ofproto/codec/versions.ts';
import { Bench } from './peer.ts';

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  for (const n of [1, 2, 3]) await bench.lab.port(bench.bridge, `p${n}`, n);
  const queue = (id: number) => ({
    id,
    txBytes: 1000 * id,
    txPackets: id,
    txErrors: 0,
    durationMs: 1500,
  });
  bench.queues.set('p1', [queue(0), queue(7)]);
  bench.queues.set('p3', [queue(2 ** 32 - 2)]);
});
afterEach(() => bench.close());

/** The answer to one message. */
async function ask(version: OfVersion, message: Message): Promise<unknown> {
  const peer = await bench.tool(version);
  peer.send(message);
  peer.send({ kind: 'barrierRequest' });
  while (!peer.kinds.includes('barrierReply')) await new Promise((r) => setTimeout(r, 1));
  const [first] = peer.received;
  if (!first.ok) return first.error;
  return first.message.kind === 'error' ? first.message.error : first.message;
}

const PORT = ofPort(1);
const stats = (port: typeof PORT | null, queue: number | null): Message => ({
  kind: 'queueStatsRequest',
  port,
  queue,
});
const reply = (port: number, queue: number, durationMs: number | null) => ({
  port: ofPort(port),
  queue,
  txBytes: 1000n * BigInt(queue),
  txPackets: BigInt(queue),
  txErrors: 0n,
  durationMs,
});

describe('queue statistics', () => {
  test.each<[OfVersion, number | null]>([
    [OF10, null],
    [OF11, null],
    [OF13, 1500],
    [OF14, 1500],
    [OF15, 1500],
  ])('of version %i, of all ports or one, all queues or one', async (version, durationMs) => {
    const all = [reply(1, 0, durationMs), reply(1, 7, durationMs)];
    const far = reply(3, 2 ** 32 - 2, durationMs);
    expect(await ask(version, stats(null, null))).toMatchObject({ entries: [...all, far] });
    expect(await ask(version, stats(PORT, null))).toMatchObject({ entries: all });
    expect(await ask(version, stats(PORT, 7))).toMatchObject({ entries: [all[1]] });
    expect(await ask(version, stats(null, 7))).toMatchObject({ entries: [all[1]] });
  });

  test.each<OfVersion>([OF10, OF13, OF15])(
    'of version %i, of what is not there',
    async (version) => {
      expect(await ask(version, stats(ofPort(9), null))).toBe('OFPQOFC_BAD_PORT');
      expect(await ask(version, stats(PORT, 5))).toBe('OFPQOFC_BAD_QUEUE');
      expect(await ask(version, stats(null, 5))).toBe('OFPQOFC_BAD_QUEUE');
      // A port without queues has all of its queues told.
      expect(await ask(version, stats(ofPort(2), null))).toMatchObject({ entries: [] });
    },
  );
});

describe('configured queues', () => {
  test.each<OfVersion>([OF10, OF11, OF13])('version %i', async (version) => {
    const config = (port: number): Message => ({ kind: 'queueConfigRequest', port: ofPort(port) });
    expect(await ask(version, config(1))).toMatchObject({
      port: PORT,
      queues: [{ queue: 0 }, { queue: 7 }],
    });
    expect(await ask(version, config(9))).toBe('OFPQOFC_BAD_PORT');
  });

  test('version 1.4 and later, as a multipart', async () => {
    const describe = (port: typeof PORT | null, queue: number | null): Message => ({
      kind: 'queueDescRequest',
      port,
      queue,
    });
    expect(await ask(OF14, describe(PORT, null))).toMatchObject({
      entries: [
        { port: PORT, queue: 0 },
        { port: PORT, queue: 7 },
      ],
    });
    expect(await ask(OF15, describe(null, 7))).toMatchObject({ entries: [{ queue: 7 }] });
    expect(await ask(OF15, describe(PORT, 5))).toBe('OFPQOFC_BAD_QUEUE');
    expect(await ask(OF15, describe(OFPP_ALL, null))).toBe('OFPQOFC_BAD_PORT');
  });
});
