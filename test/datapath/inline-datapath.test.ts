import { describe, expect, test } from 'vitest';
import type { FlowStats, PortNo, SparseMatch, Upcall } from '../../src/datapath/datapath.ts';
import { NO_OFFLOAD, UpcallReason } from '../../src/datapath/datapath.ts';
import { DatapathError } from '../../src/datapath/datapath-error.ts';
import { dropIndex } from '../../src/datapath/drop-reason.ts';
import { DUMMY_QUEUE_FRAMES } from '../../src/datapath/dummy-port.ts';
import { INLINE_UPCALLS, InlineDatapath } from '../../src/datapath/inline-datapath.ts';
import { Op, ProgramBuilder } from '../../src/datapath/program.ts';
import { keyOf } from '../../src/packet/extract.ts';
import { GSO_TCPV4, NEEDS_CSUM } from '../../src/packet/frames.ts';
import * as K from '../../src/packet/key.ts';
import type { Clock } from '../../src/util/clock.ts';
import { hex } from '../packet/bytes.ts';
import { buildFrame, checksumErrors } from '../packet/frame-builder.ts';

const P = (n: number) => n as PortNo;
const clock: Clock = {
  now: () => 12_345,
  wall: () => 0,
  after: () => ({ cancel() {} }),
  every: () => ({ cancel() {} }),
};
const ANY: SparseMatch = { words: [], values: [], masks: [] };
const onPort = (port: number): SparseMatch => ({
  words: [K.IN_PORT],
  values: [port],
  masks: [0xffffffff],
});
const program = (build: (b: ProgramBuilder) => void) => {
  const b = new ProgramBuilder();
  build(b);
  return b.take();
};
const clone = (inner: Int32Array) => Int32Array.of(((inner.length + 1) << 8) | Op.CLONE, ...inner);
const join = (...programs: Int32Array[]) => Int32Array.from(programs.flatMap((p) => [...p]));

async function setup(ports = 4, mtu = 1500) {
  const datapath = new InlineDatapath(clock);
  const sent: [number, Uint8Array][] = [];
  for (let n = 1; n <= ports; n++) {
    await datapath.addPort(P(n), `p${n}`, { kind: 'dummy', mtu });
    datapath.onTransmit(P(n), (frame) => sent.push([n, frame]));
  }
  const upcalls: Upcall[] = [];
  datapath.onUpcall(
    (upcall) => upcalls.push(upcall),
    () => {},
  );
  return { datapath, sent, upcalls };
}

const { frame } = buildFrame({ proto: 'tcp', payload: new Uint8Array(10), tcpFlags: 0x12 });

describe('hit and miss', () => {
  test('a miss goes up whole, the installed megaflow serves the next frame and counts', async () => {
    const { datapath, sent, upcalls } = await setup();
    datapath.onUpcall(
      (upcall) => {
        upcalls.push(upcall);
        const out = program((b) => b.output(2));
        datapath.putFlow(7, onPort(upcall.key[K.IN_PORT]), out);
        datapath.execute(upcall.frame, upcall.offload, upcall.key, out);
      },
      () => {},
    );
    datapath.injectFrame(P(1), frame);
    datapath.injectFrame(P(1), frame);
    expect(upcalls.length).toBe(1);
    expect(upcalls[0].reason).toBe(UpcallReason.MISS);
    expect(upcalls[0].frame).toEqual(frame);
    expect(Array.from(upcalls[0].key)).toEqual(Array.from(keyOf(frame, 1)));
    expect(sent).toEqual([
      [2, frame],
      [2, frame],
    ]);
    expect(datapath.flowStats(7, {} as FlowStats)).toEqual({
      packets: 1,
      bytes: frame.length,
      usedMs: 12_345,
      tcpFlags: 0x12,
    });
    expect(datapath.lookupStats()).toEqual({
      hit: 1,
      missed: 1,
      lost: 0,
      maskHit: 1,
      masks: 1,
      flows: 1,
    });
    expect(datapath.portStats(P(1))).toMatchObject({ rxPackets: 2, rxBytes: 2 * frame.length });
    expect(datapath.portStats(P(2))).toMatchObject({ txPackets: 2, txBytes: 2 * frame.length });
  });

  test('a replaced program keeps the statistics, another match starts anew', async () => {
    const { datapath } = await setup();
    datapath.putFlow(
      1,
      onPort(1),
      program((b) => b.output(2)),
    );
    datapath.injectFrame(P(1), frame);
    datapath.putFlow(
      1,
      onPort(1),
      program((b) => b.output(3)),
    );
    expect(datapath.flowStats(1, {} as FlowStats).packets).toBe(1);
    datapath.putFlow(
      1,
      onPort(2),
      program((b) => b.output(3)),
    );
    expect(datapath.flowStats(1, {} as FlowStats).packets).toBe(0);
  });

  test('a runt is counted and dropped', async () => {
    const { datapath, upcalls } = await setup();
    datapath.injectFrame(P(1), hex('505400000007 505400000005 08'));
    expect(upcalls).toEqual([]);
    expect(datapath.counter('datapath_drop_rx_invalid_packet')).toBe(1);
  });
});

describe('actions', () => {
  async function run(actions: Int32Array, input = frame) {
    const world = await setup();
    world.datapath.putFlow(0, ANY, actions);
    world.datapath.injectFrame(P(1), input);
    return world;
  }

  test('a rewrite between two outputs does not reach what was sent before', async () => {
    const { sent } = await run(
      program((b) => {
        b.output(2);
        b.pushVlan(0x8100, 0x100a);
        b.output(3);
        b.popVlan();
        b.set(K.ETH_SRC, 0x63, -1);
        b.output(4);
      }),
    );
    const changed = frame.slice();
    changed.set(hex('00000063'), 8);
    const tagged = Uint8Array.from([
      ...frame.subarray(0, 12),
      ...hex('8100 000a'),
      ...frame.subarray(12),
    ]);
    expect(sent.sort((a, b) => a[0] - b[0])).toEqual([
      [2, frame],
      [3, tagged],
      [4, changed],
    ]);
  });

  test('a long frame is sent before it is rewritten', async () => {
    const big = buildFrame({ proto: 'udp', payload: new Uint8Array(1400) }).frame;
    const world = await setup(4, 9000);
    const huge = buildFrame({ proto: 'udp', payload: new Uint8Array(5000) }).frame;
    world.datapath.putFlow(
      0,
      ANY,
      program((b) => {
        b.output(2);
        b.set(K.ETH_SRC, 0x63, -1);
        b.output(3);
      }),
    );
    for (const input of [big, huge]) {
      world.sent.length = 0;
      world.datapath.injectFrame(P(1), input);
      expect(world.sent[0]).toEqual([2, input]);
      expect(world.sent[1][1].subarray(8, 12)).toEqual(hex('00000063'));
    }
  });

  test('trunc cuts the next output only', async () => {
    const { sent } = await run(
      program((b) => {
        b.trunc(20);
        b.output(2);
        b.output(3);
      }),
    );
    expect(sent).toEqual([
      [2, frame.subarray(0, 20)],
      [3, frame],
    ]);
  });

  test('a clone leaves the frame behind it as it was', async () => {
    const inner = program((b) => {
      b.pushVlan(0x8100, 0x1001);
      b.set(K.IPV4_SRC, 0x01020304, -1);
      b.output(2);
    });
    const { sent } = await run(
      join(
        clone(inner),
        program((b) => b.output(3)),
      ),
    );
    expect(sent.find(([port]) => port === 3)).toEqual([3, frame]);
    const cloned = sent.find(([port]) => port === 2)![1];
    expect(checksumErrors(cloned)).toEqual([]);
    expect(cloned.subarray(12, 16)).toEqual(hex('8100 0001'));
  });

  test('output to nowhere, explicit drops and the empty program are counted', async () => {
    const a = await run(program((b) => b.output(99)));
    expect(a.datapath.counter('datapath_drop_invalid_port')).toBe(1);
    const b = await run(program((x) => x.drop(dropIndex('drop_vlan_ingress'))));
    expect(b.datapath.counter('drop_vlan_ingress')).toBe(1);
    const c = await run(new Int32Array(0));
    expect(c.datapath.counter('drop_action_of_pipeline')).toBe(1);
  });

  test('userspace hands the frame up as it is then, with its arguments', async () => {
    const { upcalls, sent } = await run(
      program((b) => {
        b.pushVlan(0x8100, 0x1005);
        b.userspace(3, 0x11, 0x22);
        b.output(2);
      }),
    );
    expect(upcalls[0]).toMatchObject({
      reason: UpcallReason.ACTION,
      cookieKind: 3,
      cookie: Uint32Array.of(0x11, 0x22, 0, 0, 0, 0, 0, 0),
      frameBytes: frame.length + 4,
    });
    expect(sent.length).toBe(1);
  });

  test('a recirculated frame is matched anew with its rewritten headers and its recirculation id', async () => {
    const { datapath, sent } = await setup();
    const first: SparseMatch = { words: [K.RECIRC_ID], values: [0], masks: [-1] };
    const second: SparseMatch = {
      words: [K.IN_PORT, K.RECIRC_ID, K.PKT_MARK, K.VLAN0],
      values: [1, 9, 77, 0x81001005],
      masks: [-1, -1, -1, -1],
    };
    datapath.putFlow(
      0,
      first,
      program((b) => {
        b.set(K.PKT_MARK, 77, -1);
        b.pushVlan(0x8100, 0x1005);
        b.recirc(9);
      }),
    );
    datapath.putFlow(
      1,
      second,
      program((b) => {
        b.popVlan();
        b.output(2);
      }),
    );
    datapath.injectFrame(P(1), frame);
    expect(sent).toEqual([[2, frame]]);
  });

  test('endless recirculation ends', async () => {
    const { datapath } = await run(program((b) => b.recirc(1)));
    expect(datapath.counter('datapath_drop_recirc_error')).toBe(1);
  });

  test('clones that multiply by recirculation all arrive', async () => {
    const { datapath, sent } = await setup();
    const atZero: SparseMatch = { words: [K.RECIRC_ID], values: [0], masks: [-1] };
    const recirc = (id: number) => clone(program((b) => b.recirc(id)));
    datapath.putFlow(0, atZero, join(...Array.from({ length: 40 }, (_, i) => recirc(1 + i))));
    const others: SparseMatch = { words: [K.IN_PORT], values: [1], masks: [-1] };
    // Overlapping with another program on purpose would break the contract: give each id its own flow.
    for (let id = 1; id <= 40; id++) {
      datapath.putFlow(
        id,
        { words: [...(others.words as number[]), K.RECIRC_ID], values: [1, id], masks: [-1, -1] },
        program((b) => {
          b.set(K.ETH_SRC, id, -1);
          b.output(2);
        }),
      );
    }
    datapath.injectFrame(P(1), frame);
    expect(sent.map(([, f]) => f[11]).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    expect(datapath.portStats(P(1)).rxPackets).toBe(1);
  });
});

describe('what a port takes', () => {
  test('a frame longer than the MTU is dropped, VLAN tags not counted', async () => {
    const { datapath, sent } = await setup(2, 100);
    datapath.putFlow(
      0,
      ANY,
      program((b) => b.output(2)),
    );
    const fits = buildFrame({
      proto: 'udp',
      payload: new Uint8Array(72),
      tags: [0x81000001],
    }).frame;
    const long = buildFrame({
      proto: 'udp',
      payload: new Uint8Array(73),
      tags: [0x81000001],
    }).frame;
    datapath.injectFrame(P(1), fits);
    datapath.injectFrame(P(1), long);
    expect(sent).toEqual([[2, fits]]);
    expect(datapath.counter('drop_tx_mtu_exceeded')).toBe(1);
    expect(datapath.portStats(P(2)).txDropped).toBe(1);
    datapath.setPortMtu(P(2), 101);
    datapath.injectFrame(P(1), long);
    expect(sent.length).toBe(2);
  });

  test('partial checksums are completed once for all ports', async () => {
    const { datapath, sent } = await setup();
    datapath.putFlow(
      0,
      ANY,
      program((b) => {
        b.output(2);
        b.output(3);
      }),
    );
    const partial = buildFrame({ proto: 'udp', payload: new Uint8Array(10), partial: true });
    datapath.injectFrame(P(1), partial.frame, {
      ...NO_OFFLOAD,
      flags: NEEDS_CSUM,
      csumStart: partial.l4,
      csumOffset: 6,
    });
    expect(sent.map(([, f]) => checksumErrors(f))).toEqual([[], []]);
    expect(datapath.counter('offload_checksum_completed')).toBe(1);
  });

  test('super-frames are segmented for each port, more than one batch of segments too', async () => {
    const { datapath, sent } = await setup();
    datapath.putFlow(
      0,
      ANY,
      program((b) => {
        b.pushVlan(0x8100, 0x1005);
        b.output(2);
        b.output(3);
      }),
    );
    const payload = Uint8Array.from({ length: 64_000 }, (_, i) => i * 31);
    const big = buildFrame({ proto: 'tcp', payload, partial: true });
    const offload = {
      flags: NEEDS_CSUM,
      gsoType: GSO_TCPV4,
      gsoSize: 1000,
      headerBytes: big.l4 + 20,
      csumStart: big.l4,
      csumOffset: 16,
    };
    for (let i = 0; i < 40; i++) datapath.injectFrame(P(1), big.frame, offload);
    for (const port of [2, 3]) {
      const frames = sent.filter(([n]) => n === port).map(([, f]) => f);
      expect(frames.length).toBe(64 * 40);
      expect(frames.flatMap((f) => checksumErrors(f))).toEqual([]);
      const bytes = frames.slice(0, 64).map((f) => f.subarray(f.length - 1000));
      expect(Buffer.concat(bytes).equals(Buffer.from(payload))).toBe(true);
    }
    expect(datapath.counter('offload_segments_made')).toBe(2 * 64 * 40);
  });

  test('metadata that does not fit the frame drops it', async () => {
    const { datapath, sent } = await setup();
    datapath.putFlow(
      0,
      ANY,
      program((b) => b.output(2)),
    );
    const bad = { ...NO_OFFLOAD, flags: NEEDS_CSUM, csumStart: 6000, csumOffset: 16 };
    datapath.injectFrame(P(1), frame, bad);
    datapath.injectFrame(P(1), frame, { ...NO_OFFLOAD, gsoType: GSO_TCPV4, gsoSize: 0 });
    expect(sent).toEqual([]);
    expect(datapath.counter('drop_bad_checksum_offload')).toBe(2);
  });
});

describe('limits', () => {
  test('a handler that causes upcalls forever is cut off and what it caused is lost and counted', async () => {
    const { datapath } = await setup();
    const up = program((b) => b.userspace(0, 0, 0));
    let handled = 0;
    datapath.onUpcall(
      (upcall) => {
        handled++;
        datapath.execute(upcall.frame, upcall.offload, upcall.key, up);
      },
      () => {},
    );
    datapath.injectFrame(P(1), frame);
    expect(handled).toBeGreaterThan(10);
    expect(handled).toBeLessThan(INLINE_UPCALLS);
    expect(datapath.counter('upcall_lost')).toBe(1);
    expect(datapath.lookupStats().lost).toBe(1);
  });

  test('the receive queue of a dummy port has an end', async () => {
    const { datapath } = await setup();
    let refused = 0;
    datapath.onUpcall(
      () => {
        // Within a handler frames queue up.
        for (let i = 0; i < DUMMY_QUEUE_FRAMES + 5; i++)
          if (!datapath.injectFrame(P(2), frame)) refused++;
        datapath.onUpcall(
          () => {},
          () => {},
        );
      },
      () => {},
    );
    datapath.injectFrame(P(1), frame);
    expect(refused).toBe(5);
    expect(datapath.portStats(P(2)).rxDropped).toBe(5);
  });

  test('ports: a used number and a foreign kind are refused in words', async () => {
    const { datapath } = await setup(1);
    await expect(datapath.addPort(P(1), 'x', { kind: 'dummy', mtu: 1500 })).rejects.toThrow(
      'x: port 1 is in use',
    );
    await expect(
      datapath.addPort(P(2), 'eth0', { kind: 'packet-plain', fd: 3, sendFd: 4, mtu: 1500 }),
    ).rejects.toThrow(DatapathError);
  });

  test('a removed port gets nothing and starts at zero when it comes back', async () => {
    const { datapath, sent } = await setup(2);
    datapath.putFlow(
      0,
      ANY,
      program((b) => b.output(2)),
    );
    datapath.injectFrame(P(1), frame);
    await datapath.removePort(P(2));
    datapath.injectFrame(P(1), frame);
    expect(sent.length).toBe(1);
    expect(datapath.counter('datapath_drop_invalid_port')).toBe(1);
    await datapath.addPort(P(2), 'p2', { kind: 'dummy', mtu: 1500 });
    expect(datapath.portStats(P(2)).txPackets).toBe(0);
    await datapath.close();
  });
});
