/** The port of tunnels, over UDP sockets on loopback: two of them with different UDP ports talk to each other. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Batch } from '../../src/datapath/batch.ts';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { Shared } from '../../src/datapath/shared.ts';
import { TunnelPort } from '../../src/datapath/tunnel-port.ts';
import type { TunnelSpec } from '../../src/datapath/tunnel-transport.ts';
import { extract } from '../../src/packet/extract.ts';
import { GSO_TCPV4, NEEDS_CSUM } from '../../src/packet/frames.ts';
import { DP_WORDS, TUN_DST, TUN_FLAGS, TUN_ID, TUN_SRC, TUN_TP } from '../../src/packet/key.ts';
import { Segmenter } from '../../src/packet/segment.ts';
import { type MappedRegion, mappedRegion } from '../../src/sys/mapped-region.ts';
import { TunnelFlag } from '../../src/tunnels/tunnel-words.ts';
import { hex } from '../packet/bytes.ts';

const LOOPBACK = 0x7f000001;
const FRAME = hex(
  '020000000002 020000000001 0800 4500 001c 0001 4000 4011 0000 0a000001 0a000002 1388 1389 0008 0000',
);
/** Ports that a run beside this one has not. */
const FIRST_UDP_PORT = 20_000 + (process.pid % 20_000);

describe.each(['vxlan', 'geneve'] as const)('%s', (encapsulation) => {
  let region: MappedRegion;
  let shared: Shared;
  let a: TunnelPort;
  let b: TunnelPort;
  const udpPorts = [FIRST_UDP_PORT, FIRST_UDP_PORT + 1];

  const open = (no: number, udpPort: number): TunnelPort => {
    const spec: TunnelSpec = {
      kind: 'tunnel',
      io: 'kernel',
      encapsulation,
      families: [4, 6],
      udpPort,
      gbp: false,
      sequence: false,
      firstSourcePort: 40_000,
      lastSourcePort: 60_000,
      answersTooBig: true,
      mtu: 65_535,
    };
    shared.assignPort(no as PortNo);
    return new TunnelPort(no as PortNo, `t${no}`, spec, region, shared);
  };

  beforeEach(() => {
    region = mappedRegion();
    shared = new Shared();
    a = open(1, udpPorts[0]);
    b = open(2, udpPorts[1]);
  });
  afterEach(() => {
    a.close();
    b.close();
    region.close();
  });

  /** Puts a frame into a batch with the tunnel to `b`. */
  const outgoing = (batch: Batch, frame: Uint8Array, at: number, tunId: number): number => {
    region.bytes.set(frame, at);
    const p = batch.append(9, at, frame.length, 64);
    expect(extract(region, batch, p)).toBe(true);
    const key = p * DP_WORDS;
    batch.keys[key + TUN_ID + 1] = tunId;
    batch.keys[key + TUN_DST] = LOOPBACK;
    batch.keys[key + TUN_TP] = udpPorts[1];
    batch.keys[key + TUN_FLAGS] = ((TunnelFlag.DF | TunnelFlag.KEY) << 16) | (8 << 8) | 33;
    return p;
  };
  const incoming = (): Batch => {
    const batch = new Batch();
    const until = Date.now() + 2000;
    while (batch.count === 0 && Date.now() < until) b.receive(batch);
    for (let p = 0; p < batch.count; p++) {
      expect(extract(region, batch, p)).toBe(true);
      b.describe(batch, p);
    }
    return batch;
  };

  test('a frame arrives as it was, with key, addresses, TOS and TTL of the tunnel', () => {
    const memory = region.allocate(1 << 16);
    const sent = new Batch();
    const p = outgoing(sent, FRAME, memory + 256, 77);
    a.send(sent, p);
    a.flush();
    const got = incoming();
    expect(got.count).toBe(1);
    expect(region.bytes.slice(got.start[0], got.start[0] + got.length[0])).toEqual(FRAME);
    expect(got.keys[TUN_ID + 1]).toBe(77);
    expect(got.keys[TUN_SRC]).toBe(LOOPBACK);
    expect(got.keys[TUN_DST]).toBe(LOOPBACK);
    expect(got.keys[TUN_FLAGS] & 0xffff).toBe((8 << 8) | 33);
    expect(got.keys[TUN_TP] >>> 16).toBeGreaterThanOrEqual(40_000);
    expect(shared.portStats(1 as PortNo)).toMatchObject({ txPackets: 1, txBytes: FRAME.length });
    expect(shared.portStats(2 as PortNo)).toMatchObject({ rxPackets: 1, rxBytes: FRAME.length });
  });

  test('a super-frame leaves as a train of packets and arrives joined again', () => {
    const memory = region.allocate(1 << 17);
    const head = hex(
      '020000000002 020000000001 0800 4500 0000 0001 4000 4006 0000 0a000001 0a000002 1388 1389 00000001 00000002 5010 ffff 0000 0000',
    );
    const frame = new Uint8Array(head.length + 20_000).fill(7);
    frame.set(head);
    new DataView(frame.buffer).setUint16(16, frame.length - 14);
    const sent = new Batch();
    const p = outgoing(sent, frame, memory + 256, 1);
    sent.offloadFlags[p] = NEEDS_CSUM;
    sent.gsoType[p] = GSO_TCPV4;
    sent.gsoSize[p] = 1400;
    sent.headerBytes[p] = head.length;
    a.send(sent, p);
    a.flush();
    let payload = 0;
    for (let n = 0; payload < 20_000 && n < 15; n++) {
      const got = incoming();
      for (let i = 0; i < got.count; i++) {
        payload += got.length[i] - head.length;
        const data = got.start[i] + head.length;
        expect(
          region.bytes.subarray(data, got.start[i] + got.length[i]).every((x) => x === 7),
        ).toBe(true);
      }
    }
    expect(payload).toBe(20_000);
  });

  describe('segments that come as packets of their own', () => {
    const HEAD = hex(
      '020000000002 020000000001 0800 4500 0000 0001 4000 4006 0000 0a000001 0a000002 1388 1389 00000001 00000002 5010 ffff 0000 0000',
    );
    const SEGMENT = 1400;
    /** Six segments of a stream, cut here, sent by six messages; `alter` has each one's key before it leaves. */
    const exchange = (alter: (keys: Uint32Array, key: number, i: number) => void) => {
      const memory = region.allocate(1 << 17);
      const frame = new Uint8Array(HEAD.length + 6 * SEGMENT);
      for (let i = 0; i < frame.length; i++) frame[i] = i >> 3;
      frame.set(HEAD);
      new DataView(frame.buffer).setUint16(16, frame.length - 14);
      const whole = new Batch();
      const sent = new Batch();
      const p = outgoing(whole, frame, memory + 256, 1);
      whole.offloadFlags[p] = NEEDS_CSUM;
      whole.gsoType[p] = GSO_TCPV4;
      whole.gsoSize[p] = SEGMENT;
      whole.headerBytes[p] = HEAD.length;
      const segmenter = new Segmenter(region);
      expect(segmenter.begin(whole, p)).toBe(6);
      for (let i = 0; i < 6; i++) {
        const at = memory + 16_384 + i * 2048;
        const bytes = segmenter.write(i, at);
        const q = outgoing(sent, region.bytes.slice(at, at + bytes), at, 77);
        alter(sent.keys, q * DP_WORDS, i);
        a.send(sent, q);
      }
      a.flush();
      const got = incoming();
      const lengths = Array.from(got.length.subarray(0, got.count), (n) => n - HEAD.length);
      const ids = Array.from({ length: got.count }, (_, q) => got.keys[q * DP_WORDS + TUN_ID + 1]);
      let at = HEAD.length;
      for (let q = 0; q < got.count; q++) {
        const start = got.start[q];
        const payload = region.bytes.slice(start + HEAD.length, start + got.length[q]);
        expect(payload).toEqual(frame.slice(at, at + payload.length));
        at += payload.length;
      }
      expect(at).toBe(frame.length);
      return { lengths, ids, gsoSizes: Array.from(got.gsoSize.subarray(0, got.count)) };
    };

    test('become one frame', () => {
      expect(exchange(() => {})).toEqual({
        lengths: [6 * SEGMENT],
        ids: [77],
        gsoSizes: [SEGMENT],
      });
    });

    test('stay apart where they came through another tunnel', () => {
      const { lengths, ids } = exchange((keys, key, i) => {
        if (i === 2) keys[key + TUN_ID + 1] = 78;
      });
      expect(lengths).toEqual([2 * SEGMENT, SEGMENT, 3 * SEGMENT]);
      expect(ids).toEqual([77, 78, 77]);
    });

    test('stay apart where the outer header says of congestion what others do not', () => {
      const { lengths } = exchange((keys, key, i) => {
        if (i === 4) keys[key + TUN_FLAGS] |= 3 << 8;
      });
      expect(lengths).toEqual([4 * SEGMENT, SEGMENT, SEGMENT]);
    });
  });

  test('a frame without a tunnel is counted and not sent', () => {
    const memory = region.allocate(1 << 16);
    const sent = new Batch();
    const p = outgoing(sent, FRAME, memory + 256, 1);
    sent.keys[p * DP_WORDS + TUN_DST] = 0;
    a.send(sent, p);
    a.flush();
    expect(shared.counter('datapath_drop_tunnel_push_error')).toBe(1);
    expect(shared.portStats(1 as PortNo)).toMatchObject({ txPackets: 0, txDropped: 1 });
  });

  test('a second receiver for the port is refused with the reason', () => {
    expect(() => open(4, udpPorts[1])).toThrow(
      /UDP port \d+: bind: another tunnel endpoint has it/,
    );
  });
});
