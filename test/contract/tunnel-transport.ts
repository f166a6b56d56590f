/**
 * What every TunnelTransport must do, over loopback and the kernel's sockets: each port sends to itself. The harness makes ports;
 * transports whose sockets live on the event loop get turns of it between two looks.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { Shared } from '../../src/datapath/shared.ts';
import type { TunnelSpec, TunnelTransport } from '../../src/datapath/tunnel-transport.ts';
import { extract } from '../../src/packet/extract.ts';
import {
  DP_WORDS,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_IPV6_SRC,
  TUN_SRC,
  TUN_TP,
} from '../../src/packet/key.ts';
import { type MappedRegion, mappedRegion } from '../../src/sys/mapped-region.ts';
import { TunnelFlag } from '../../src/tunnels/tunnel-words.ts';
import { hex } from '../packet/bytes.ts';
import type { OpenTransport } from '../support/tunnel-transports.ts';

const LOOPBACK = 0x7f000001;
const PATIENCE_MS = 3000;
const FIRST_SOURCE_PORT = 40_000;
const LAST_SOURCE_PORT = 60_000;
const HEADERS = hex(
  '020000000002 020000000001 0800 4500 001c 0001 4000 4011 0000 0a000001 0a000002 1388 1389 0008 0000',
);

/** A UDP frame of `bytes`, whose last one is `n`. */
function numbered(n: number, bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes).fill(n);
  frame.set(HEADERS);
  new DataView(frame.buffer).setUint16(16, bytes - 14);
  return frame;
}

/** `udpPort`: one that nobody has, 0 for GRE. */
export function tunnelTransportContract(
  io: TunnelSpec['io'],
  encapsulation: TunnelSpec['encapsulation'],
  udpPort: number,
  open: OpenTransport,
): void {
  describe(`${io} ${encapsulation}`, () => {
    let region: MappedRegion;
    let shared: Shared;
    let port: TunnelTransport;
    let memory: number;
    const spec: TunnelSpec = {
      kind: 'tunnel',
      io,
      encapsulation,
      families: [4, 6],
      udpPort,
      gbp: false,
      sequence: false,
      firstSourcePort: FIRST_SOURCE_PORT,
      lastSourcePort: LAST_SOURCE_PORT,
      answersTooBig: true,
      mtu: 65_535,
    };
    const openAs = (no: number): Promise<TunnelTransport> => {
      shared.assignPort(no as PortNo);
      return open(no as PortNo, spec, region, shared);
    };

    beforeEach(async () => {
      region = mappedRegion();
      shared = new Shared();
      port = await openAs(1);
      memory = region.allocate(1 << 20);
    });
    afterEach(() => {
      port.close();
      region.close();
    });

    /** Sends frames through the tunnel with the key 77 to the port itself. */
    const send = (frames: readonly Uint8Array[], isIpv6 = false): void => {
      const batch = new Batch();
      let at = memory + 256;
      for (const frame of frames) {
        region.bytes.set(frame, at);
        const p = batch.append(9, at, frame.length, 64);
        at += (frame.length + 319) & ~63;
        expect(extract(region, batch, p)).toBe(true);
        const key = p * DP_WORDS;
        batch.keys[key + TUN_ID + 1] = 77;
        if (isIpv6) batch.keys[key + TUN_IPV6_DST + 3] = 1;
        else batch.keys[key + TUN_DST] = LOOPBACK;
        batch.keys[key + TUN_TP] = udpPort;
        batch.keys[key + TUN_FLAGS] = (TunnelFlag.KEY << 16) | 64;
        port.send(batch, p);
      }
      port.flush();
    };
    /** Takes frames until `count` have come; each with its key. */
    const receive = async (count: number): Promise<{ frame: Uint8Array; key: Uint32Array }[]> => {
      const got: { frame: Uint8Array; key: Uint32Array }[] = [];
      const batch = new Batch();
      for (const until = Date.now() + PATIENCE_MS; got.length < count && Date.now() < until; ) {
        batch.clear();
        if (port.receive(batch) === 0) await sleep(1);
        for (let p = 0; p < batch.count; p++) {
          expect(extract(region, batch, p)).toBe(true);
          port.describe(batch, p);
          const frame = region.bytes.slice(batch.start[p], batch.start[p] + batch.length[p]);
          got.push({ frame, key: batch.keys.slice(p * DP_WORDS, (p + 1) * DP_WORDS) });
        }
        port.release();
      }
      return got;
    };

    test('a frame arrives as it was, with key and addresses of the tunnel', async () => {
      const frame = numbered(1, 100);
      send([frame]);
      const [got] = await receive(1);
      expect(got?.frame).toEqual(frame);
      expect(got.key[TUN_ID + 1]).toBe(77);
      expect(got.key[TUN_SRC]).toBe(LOOPBACK);
      expect(got.key[TUN_DST]).toBe(LOOPBACK);
      const bytes = frame.length;
      expect(shared.portStats(1 as PortNo)).toMatchObject({ txPackets: 1, txBytes: bytes });
      expect(shared.portStats(1 as PortNo)).toMatchObject({ rxPackets: 1, rxBytes: bytes });
    });

    test('over IPv6 as well', async () => {
      const frame = numbered(2, 100);
      send([frame], true);
      const [got] = await receive(1);
      expect(got?.frame).toEqual(frame);
      expect(got.key[TUN_SRC]).toBe(0);
      expect([...got.key.subarray(TUN_IPV6_SRC, TUN_IPV6_SRC + 4)]).toEqual([0, 0, 0, 1]);
      expect([...got.key.subarray(TUN_IPV6_DST, TUN_IPV6_DST + 4)]).toEqual([0, 0, 0, 1]);
    });

    test('frames of a flow keep their order, of all lengths', async () => {
      const frames = Array.from({ length: 30 }, (_, n) => numbered(n, 60 + n * 300));
      send(frames);
      const got = await receive(frames.length);
      expect(got.map(({ frame }) => frame)).toEqual(frames);
    });

    test('a frame without a tunnel is counted and not sent', async () => {
      const batch = new Batch();
      region.bytes.set(HEADERS, memory + 256);
      const p = batch.append(9, memory + 256, HEADERS.length, 64);
      expect(extract(region, batch, p)).toBe(true);
      port.send(batch, p);
      port.flush();
      expect(shared.counter('datapath_drop_tunnel_push_error')).toBe(1);
      expect(shared.portStats(1 as PortNo)).toMatchObject({ txPackets: 0, txDropped: 1 });
    });

    if (udpPort === 0) return;

    test('source ports are of the range', async () => {
      send([numbered(1, 100)]);
      const [got] = await receive(1);
      const from = got.key[TUN_TP] >>> 16;
      expect(from).toBeGreaterThanOrEqual(FIRST_SOURCE_PORT);
      expect(from).toBeLessThanOrEqual(LAST_SOURCE_PORT);
    });

    test('garbage is dropped with its counter, and disturbs nobody', async () => {
      const wire = createSocket('udp4');
      await new Promise<void>((sent) => wire.send('xyz', udpPort, '127.0.0.1', () => sent()));
      const frame = numbered(3, 100);
      send([frame]);
      const got = await receive(1);
      for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await receive(0)) {
        if (shared.counter('drop_tunnel_truncated') > 0) break;
        port.receive(new Batch());
        await sleep(1);
      }
      wire.close();
      expect(got.map(({ frame }) => frame)).toEqual([frame]);
      expect(shared.counter('drop_tunnel_truncated')).toBe(1);
    });

    test('a second port of that number is refused with the reason, until the first is closed', async () => {
      await expect(openAs(2)).rejects.toThrow(/UDP port \d+: bind: another tunnel endpoint has it/);
      port.close();
      await sleep(20);
      port = await openAs(3);
      send([numbered(1, 100)]);
      expect(await receive(1)).toHaveLength(1);
    });
  });
}
