/**
 * The operations of the OpenFlow pipeline, frame in, frame out: what a plain change of the key says must be what is
 * read from the rewritten bytes, and every checksum must be right.
 */
import { describe, expect, test } from 'vitest';
import type { Batch } from '../../src/datapath/batch.ts';
import { DatapathCore } from '../../src/datapath/core.ts';
import { NO_OFFLOAD } from '../../src/datapath/datapath.ts';
import type { Port } from '../../src/datapath/port.ts';
import { CookieKind, HashKind, type ProgramBuilder } from '../../src/datapath/program.ts';
import { Shared } from '../../src/datapath/shared.ts';
import { composeFrame } from '../../src/packet/compose.ts';
import { keyOf } from '../../src/packet/extract.ts';
import { GSO_TCPV4, NEEDS_CSUM } from '../../src/packet/frames.ts';
import * as K from '../../src/packet/key.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { hex, random } from '../packet/bytes.ts';
import { buildFrame, checksumErrors } from '../packet/frame-builder.ts';
import { P, program, setup } from './one-program.ts';

const payload = Uint8Array.from({ length: 40 }, (_, i) => i * 3);
const tcp = buildFrame({ proto: 'tcp', payload });
const tcp6 = buildFrame({ proto: 'tcp', payload, ipv6: true });

describe('SET', () => {
  const solicitation = {
    [K.ETH_TYPE_PROTO]: 0x86dd3a00,
    [K.TP]: 135 << 16,
    [K.IPV6_SRC]: 0xfe800000,
    [K.ND_TARGET]: 0xfe800000,
    [K.ND_TARGET + 3]: 3,
    [K.ARP_SHA]: 0x00112233,
    [K.ARP_SHA_THA]: 0x44550000,
  };
  const ip = { [K.IPV4_SRC]: 0x0a000001, [K.IPV4_DST]: 0x0a000002, [K.TOS_TTL]: 0x2c400000 };
  const ip6 = { [K.IPV6_SRC]: 0x20010db8, [K.IPV6_DST + 3]: 2, [K.TOS_TTL]: 0x2c400000 };
  const l2 = [K.ETH_DST, K.ETH_DST_SRC, K.ETH_SRC];
  const l3 = [...l2, K.IPV4_SRC, K.IPV4_DST, K.TOS_TTL];
  const l3v6 = [
    ...[...l2, K.TOS_TTL, K.IPV6_FLABEL],
    ...Array.from({ length: 8 }, (_, i) => K.IPV6_SRC + i),
  ];
  const shapes: [string, Record<number, number>, number[]][] = [
    ['TCP', { ...ip, [K.ETH_TYPE_PROTO]: 0x08000600, [K.TP]: 0x00500051 }, [...l3, K.TP]],
    ['UDP', { ...ip, [K.ETH_TYPE_PROTO]: 0x08001100, [K.TP]: 0x00500051 }, [...l3, K.TP]],
    ['ICMP', { ...ip, [K.ETH_TYPE_PROTO]: 0x08000100, [K.TP]: 0x00080000 }, [...l3, K.TP]],
    ['TCP over IPv6', { ...ip6, [K.ETH_TYPE_PROTO]: 0x86dd0600, [K.TP]: 99 }, [...l3v6, K.TP]],
    ['UDP over IPv6', { ...ip6, [K.ETH_TYPE_PROTO]: 0x86dd1100, [K.TP]: 99 }, [...l3v6, K.TP]],
    [
      'neighbor solicitation',
      { ...ip6, ...solicitation },
      [...l3v6, K.ND_RESERVED, ...[0, 1, 2, 3].map((i) => K.ND_TARGET + i), K.ARP_SHA],
    ],
    [
      'ARP',
      { [K.ETH_TYPE_PROTO]: 0x08060100, [K.ARP_SHA]: 5 },
      [...l2, K.IPV4_SRC, K.IPV4_DST, K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA],
    ],
    [
      'MPLS',
      { [K.ETH_TYPE_PROTO]: 0x88470000, [K.MPLS_LSE]: 0x64040, [K.MPLS_LSE + 1]: 0xc8140 },
      [...l2, K.MPLS_LSE, K.MPLS_LSE + 1],
    ],
  ];
  /** Bits that SET must leave alone, since other bits of the same word decide what the frame is. */
  const settable: Record<number, number> = {
    [K.TOS_TTL]: 0xffff0000,
    [K.IPV6_FLABEL]: 0xfffff,
    [K.MPLS_LSE]: 0xfffffeff,
    [K.MPLS_LSE + 1]: 0xfffffeff,
    [K.ARP_SHA_THA]: 0xffffffff,
  };

  test.each(shapes)(
    '%s: the key of the rewritten frame is the rewritten key',
    async (name, words, set) => {
      const next = random(11);
      const { run } = await setup();
      for (let round = 0; round < 300; round++) {
        const key = new Uint32Array(K.FLOW_WORDS);
        key[K.ETH_DST] = 0x02000000;
        key[K.ETH_SRC] = 9;
        for (const [word, value] of Object.entries(words)) key[Number(word)] = value;
        const composed = composeFrame(key);
        if (!composed.ok) throw new Error(composed.error);
        const wanted = keyOf(composed.frame, 1);
        const [out] = run(composed.frame, (b) => {
          for (let n = 0; n < 1 + (next() % 4); n++) {
            const word = set[next() % set.length];
            // An ICMP type is one byte; a port is never made 0 in a way that changes the header.
            let mask = next() & (settable[word] ?? 0xffffffff);
            if (name === 'ICMP' && word === K.TP) mask &= 0x00ff00ff;
            const value = next();
            wanted[word] = (wanted[word] & ~mask) | (value & mask);
            b.set(word, value, mask);
          }
          b.output(2);
        });
        const found = keyOf(out, 1);
        expect(Array.from(found)).toEqual(Array.from(wanted));
        if (name !== 'ARP' && name !== 'MPLS') expect(checksumErrors(out)).toEqual([]);
      }
    },
  );

  test('bottom of stack, protocol and type are numbers that can be changed', async () => {
    const { run } = await setup();
    const labels = hex('500000000007 500000000005 8847 00064040 000c8140');
    const [bos] = run(labels, (b) => {
      b.set(K.MPLS_LSE, 0x100, 0x100);
      b.output(2);
    });
    expect(bos).toEqual(hex('500000000007 500000000005 8847 00064140 000c8140'));
    for (const { frame, l3, l4 } of [tcp, tcp6]) {
      const [out] = run(frame, (b) => {
        b.set(K.ETH_TYPE_PROTO, 253 << 8, 0xff00);
        b.output(2);
      });
      expect(out[l4 === l3 + 20 ? l3 + 9 : l3 + 6]).toBe(253);
      // The TCP checksum is right for a pseudo header with the new number.
      expect(checksumErrors(out)).toEqual([]);
      const [typed] = run(frame, (b) => {
        b.set(K.ETH_TYPE_PROTO, 0x12340000, 0xffff0000);
        b.output(2);
      });
      const wanted = frame.slice();
      wanted.set([0x12, 0x34], l3 - 2);
      expect(typed).toEqual(wanted);
    }
  });

  test('an opcode of ARP above 255 gives way to a new one as a whole', async () => {
    const { run } = await setup();
    const arp = hex('ffffffffffff 500000000005 0806 0001 0800 0604 0101').toString();
    const frame = Uint8Array.from([...arp.split(',').map(Number), ...new Array(20).fill(0)]);
    const [out] = run(frame, (b) => {
      b.set(K.ETH_TYPE_PROTO, 2 << 8, 0xff00);
      b.output(2);
    });
    expect([out[20], out[21]]).toEqual([0, 2]);
  });
});

describe('MPLS', () => {
  const stack = (frame: Uint8Array, l3: number, ...entries: string[]) =>
    Uint8Array.from([
      ...frame.slice(0, l3 - 2),
      0x88,
      0x47,
      ...hex(entries.join('')),
      ...frame.slice(l3),
    ]);

  test.each([
    ['IPv4', tcp],
    ['IPv6', tcp6],
    ['tagged', buildFrame({ proto: 'udp', payload, tags: [0x88a8000a, 0x8100000b] })],
  ])('labels go behind the tags and come off again (%s)', async (_name, { frame, l3 }) => {
    const { run, upcalls } = await setup();
    const [out] = run(frame, (b) => {
      b.pushMpls(0x8847, 0x64140);
      b.pushMpls(0x8847, 0xc8040);
      b.userspace(CookieKind.OTHER);
      b.output(2);
    });
    const wanted = stack(frame, l3, '000c8040', '00064140');
    expect(out).toEqual(wanted);
    expect(upcalls[0].frame).toEqual(wanted);
    expect(Array.from(upcalls[0].key)).toEqual(Array.from(keyOf(wanted, 1)));
    const type = l3 > 14 || frame[12] === 8 ? 0x0800 : 0x86dd;
    const back = run(wanted, (b) => {
      b.popMpls(0x8847);
      b.output(2);
      b.popMpls(type);
      b.output(3);
    });
    expect(back).toEqual([stack(frame, l3, '00064140'), frame]);
  });

  test('behind the popped label IP is there to be rewritten, and checksums follow', async () => {
    const { run } = await setup();
    const [out] = run(stack(tcp.frame, tcp.l3, '00064140'), (b) => {
      b.popMpls(0x0800);
      b.set(K.IPV4_SRC, 0x01020304, 0xffffffff);
      b.output(2);
    });
    expect(keyOf(out, 1)[K.IPV4_SRC]).toBe(0x01020304);
    expect(checksumErrors(out)).toEqual([]);
  });

  test('other frames are left alone', async () => {
    const { run } = await setup();
    expect(
      run(tcp.frame, (b) => {
        b.popMpls(0x0800);
        b.popPbb();
        b.copyTtlIn();
        b.copyTtlOut();
        b.output(2);
      }),
    ).toEqual([tcp.frame]);
  });

  test('TTLs are copied between labels and between label and IP', async () => {
    const { run } = await setup();
    for (const { frame, l3 } of [tcp, tcp6]) {
      const one = stack(frame, l3, '00064120');
      const [out] = run(one, (b) => {
        b.copyTtlOut();
        b.output(2);
      });
      expect(out).toEqual(stack(frame, l3, '00064140'));
      const [into] = run(one, (b) => {
        b.copyTtlIn();
        b.popMpls(frame === tcp.frame ? 0x0800 : 0x86dd);
        b.output(2);
      });
      expect(keyOf(into, 1)[K.TOS_TTL]).toBe(0x20 << 16);
      expect(checksumErrors(into)).toEqual([]);
      const two = stack(frame, l3, '00064020', '00065130');
      expect(
        run(two, (b) => {
          b.copyTtlOut();
          b.output(2);
        }),
      ).toEqual([stack(frame, l3, '00064030', '00065130')]);
      expect(
        run(two, (b) => {
          b.copyTtlIn();
          b.output(2);
        }),
      ).toEqual([stack(frame, l3, '00064020', '00065120')]);
    }
  });
});

describe('PBB', () => {
  test('an I-TAG goes around the frame, twice, with the priority of the tag, and comes off', async () => {
    const { run, upcalls } = await setup();
    const { frame } = buildFrame({ proto: 'udp', payload, tags: [0x8100600a] });
    const macs = frame.slice(0, 12);
    const once = Uint8Array.from([...macs, ...hex('88e7 60000064'), ...frame]);
    const twice = Uint8Array.from([...macs, ...hex('88e7 000000c8'), ...once]);
    expect(
      run(frame, (b) => {
        b.pushPbb(100);
        b.output(2);
        b.userspace(CookieKind.OTHER);
        b.pushPbb(200);
        b.output(2);
      }),
    ).toEqual([once, twice]);
    expect(upcalls[0].key[K.PBB_ISID]).toBe((K.PBB_PRESENT | 100) >>> 0);
    expect(
      run(twice, (b) => {
        b.popPbb();
        b.set(K.PBB_ISID, 7, 0xffffff);
        b.output(2);
        b.popPbb();
        b.output(3);
      }),
    ).toEqual([Uint8Array.from([...macs, ...hex('88e7 60000007'), ...frame]), frame]);
  });

  test('the backbone tag goes with the backbone header', async () => {
    const { run } = await setup();
    const tagged = Uint8Array.from([
      ...tcp.frame.slice(0, 12),
      ...hex('88a8 000a 88e7 00000064'),
      ...tcp.frame,
    ]);
    expect(keyOf(tagged, 1)[K.PBB_ISID]).toBe((K.PBB_PRESENT | 100) >>> 0);
    expect(
      run(tagged, (b) => {
        b.popPbb();
        b.output(2);
      }),
    ).toEqual([tcp.frame]);
  });
});

/** A port that takes super-frames as they are, and keeps what it was given. */
class OffloadPort implements Port {
  readonly portNo = P(2);
  readonly name = 'offload';
  readonly fd = -1;
  mtu = 9000;
  readonly takesOffload = true;
  readonly frames: Uint8Array[] = [];
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  receive(): number {
    return 0;
  }
  send(batch: Batch, p: number): void {
    this.frames.push(this.bytes.slice(batch.start[p], batch.start[p] + batch.length[p]));
  }
  flush(): void {}
  release(): void {}
  close(): void {}
}

test.each([
  ['labels', (b: ProgramBuilder) => b.pushMpls(0x8847, 0x64140), 4],
  ['an I-TAG', (b: ProgramBuilder) => b.pushPbb(100), 18],
])(
  'a super-frame with %s leaves in segments, since the kernel could not cut it',
  (_name, push, grown) => {
    const region = heapRegion(16 << 20);
    const shared = new Shared();
    shared.assignPort(P(2));
    const core = new DatapathCore(
      region,
      shared,
      () => true,
      () => 0,
    );
    const port = new OffloadPort(region.bytes);
    core.attach(port);
    const { frame, l4 } = buildFrame({
      proto: 'tcp',
      payload: Uint8Array.from({ length: 3000 }, (_, i) => i),
      partial: true,
    });
    const offload = {
      flags: NEEDS_CSUM,
      gsoType: GSO_TCPV4,
      gsoSize: 1000,
      headerBytes: l4 + 20,
      csumStart: l4,
      csumOffset: 16,
    };
    core.execute(
      frame,
      offload,
      keyOf(frame, 1),
      program((b) => {
        push(b);
        b.output(2);
      }),
    );
    core.flush();
    expect(port.frames.length).toBe(3);
    for (const [i, segment] of port.frames.entries()) {
      expect(segment.length).toBe(l4 + 20 + 1000 + grown);
      const ethernet = grown === 4 ? frame.slice(0, 14) : [];
      const plain = Uint8Array.from([...ethernet, ...segment.slice(18)]);
      expect(checksumErrors(plain)).toEqual([]);
      expect(plain.slice(l4 + 20)).toEqual(
        frame.slice(l4 + 20 + 1000 * i, l4 + 20 + 1000 * (i + 1)),
      );
    }
    expect(shared.counter('drop_bad_checksum_offload')).toBe(0);
  },
);

describe('HASH', () => {
  const hashes = async (kind: number, frames: Uint8Array[], basis = 0) => {
    const { run, upcalls } = await setup();
    return frames.map((frame) => {
      run(frame, (b) => {
        b.hash(kind, basis);
        b.userspace(CookieKind.OTHER);
      });
      return upcalls[0].key[K.DP_HASH];
    });
  };
  const swapped = ({ frame, l3, l4 }: typeof tcp) => {
    const other = frame.slice();
    const bytes = l4 - l3 === 40 ? 16 : 4;
    const at = l3 + (bytes === 16 ? 8 : 12);
    other.set(frame.slice(at + bytes, at + 2 * bytes), at);
    other.set(frame.slice(at, at + bytes), at + bytes);
    other.set(frame.slice(l4 + 2, l4 + 4), l4);
    other.set(frame.slice(l4, l4 + 2), l4 + 2);
    other.set(frame.slice(6, 12), 0);
    other.set(frame.slice(0, 6), 6);
    return other;
  };

  test('symmetric for both directions, else not; the basis counts; what recirculates has it', async () => {
    for (const built of [tcp, tcp6]) {
      const both = [built.frame, swapped(built)];
      const [a, b] = await hashes(HashKind.SYM_L4, both);
      expect(a).toBe(b);
      const [c, d] = await hashes(HashKind.L4, both);
      expect(c).not.toBe(d);
      expect(await hashes(HashKind.L4, both, 1)).not.toContain(c);
    }
    const { datapath, run, upcalls } = await setup();
    run(tcp.frame, (b) => {
      b.hash(HashKind.L4, 0);
      b.recirc(7);
    });
    expect(upcalls[0].key[K.RECIRC_ID]).toBe(7);
    expect([upcalls[0].key[K.DP_HASH]]).toEqual(await hashes(HashKind.L4, [tcp.frame]));
    expect(datapath.lookupStats()).toMatchObject({ hit: 1, missed: 1 });
  });

  test('spreads flows over all buckets, in the low bits too', async () => {
    const frames = Array.from({ length: 400 }, (_, i) => {
      const { frame, l4 } = buildFrame({ proto: 'udp', payload });
      frame[l4] = i >> 8;
      frame[l4 + 1] = i & 255;
      return frame;
    });
    const counts = new Array(4).fill(0);
    for (const h of await hashes(HashKind.L4, frames)) counts[h & 3]++;
    for (const n of counts) expect(Math.abs(n - 100)).toBeLessThan(40);
  });

  test('symmetric, spreads what differs in one address alone: of IP, else of Ethernet or ARP', async () => {
    const arp = new Uint8Array(42).fill(9);
    arp.set([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1], 12);
    for (const [frame, at] of [
      [tcp.frame, 29],
      [tcp6.frame, 37],
      [arp, 5],
      [arp, 31],
      [arp, 41],
    ] as const) {
      const frames = Array.from({ length: 200 }, (_, i) => {
        const other = frame.slice();
        other[at] = i;
        return other;
      });
      const odd = (await hashes(HashKind.SYM_L4, frames)).filter((h) => h & 1).length;
      expect(Math.abs(odd - 100)).toBeLessThan(40);
    }
  });

  test('all fragments of a packet hash alike', async () => {
    const first = tcp.frame.slice();
    first[tcp.l3 + 6] = 0x20;
    const later = tcp.frame.slice();
    later[tcp.l3 + 7] = 10;
    const [a, b] = await hashes(HashKind.L4, [first, later]);
    expect(a).toBe(b);
  });
});

describe('nested programs', () => {
  test('SAMPLE takes its part of the frames, on a copy', async () => {
    const { run, sent } = await setup();
    const counts = [0, 0, 0];
    for (const [i, probability] of [0, 0x40000000, 0xffffffff].entries()) {
      for (let n = 0; n < 400; n++) {
        run(tcp.frame, (b) => {
          const place = b.beginSample(probability);
          b.set(K.ETH_DST, 0, 0xffffffff);
          b.output(2);
          b.end(place);
          b.output(3);
        });
        counts[i] += sent.length - 1;
        expect(sent.at(-1)).toEqual([3, tcp.frame]);
      }
    }
    expect(counts[0]).toBe(0);
    expect(Math.abs(counts[1] - 100)).toBeLessThan(40);
    expect(counts[2]).toBe(400);
  });

  test('CHECK_PKT_LEN chooses by length, and by the length of segments', async () => {
    const { run, sent } = await setup();
    const bySize = (b: ProgramBuilder) => {
      const place = b.beginCheckPktLen(100);
      b.output(2);
      b.otherwise(place);
      b.pushVlan(0x8100, 0x1005);
      b.output(3);
      b.end(place);
    };
    const sized = (bytes: number) =>
      buildFrame({ proto: 'udp', payload: new Uint8Array(bytes - 42) }).frame;
    run(sized(101), bySize);
    expect(sent.map(([port]) => port)).toEqual([2]);
    run(sized(100), bySize);
    expect(sent.map(([port, frame]) => [port, frame.length])).toEqual([[3, 104]]);
    const big = buildFrame({ proto: 'tcp', payload: new Uint8Array(400), partial: true });
    const offload = {
      flags: NEEDS_CSUM,
      gsoType: GSO_TCPV4,
      gsoSize: 40,
      headerBytes: big.l4 + 20,
      csumStart: big.l4,
      csumOffset: 16,
    };
    run(big.frame, bySize, offload);
    expect(sent.map(([port]) => port)).toEqual(new Array(10).fill(3));
    // 54 bytes of headers and 40 of payload: a label makes it 98, two make it too long.
    for (const [labels, port] of [
      [1, 3],
      [2, 2],
    ]) {
      run(
        big.frame,
        (b) => {
          for (let n = 0; n < labels; n++) b.pushMpls(0x8847, n === 0 ? 0x64140 : 0x64040);
          const place = b.beginCheckPktLen(98);
          b.output(2);
          b.otherwise(place);
          b.output(3);
          b.end(place);
        },
        offload,
      );
      expect(sent.map(([to]) => to)).toEqual(new Array(10).fill(port));
    }
  });
});

test('USERSPACE carries the frame as it is by now, cut when told so, and the program goes on', async () => {
  const { run, upcalls } = await setup();
  const out = run(tcp.frame, (b) => {
    b.pushVlan(0x8100, 0x1005);
    b.set(K.IPV4_SRC, 1, 0xffffffff);
    b.set(K.PKT_MARK, 9, 0xffffffff);
    b.trunc(60);
    b.userspace(CookieKind.CONTROLLER, 0, 1, 2, 3, 4, 5, 6);
    b.popVlan();
    b.output(2);
  });
  const [upcall] = upcalls;
  expect(upcall.cookieKind).toBe(CookieKind.CONTROLLER);
  expect(Array.from(upcall.cookie)).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
  expect(upcall.frameBytes).toBe(60);
  expect(upcall.key[K.VLAN0]).toBe(0x81001005);
  expect(upcall.key[K.IPV4_SRC]).toBe(1);
  expect(upcall.key[K.PKT_MARK]).toBe(9);
  expect(out[0].length).toBe(tcp.frame.length);
});

test('fuzz: operations on any bytes stay inside of the frame and its room', () => {
  const region = heapRegion(16 << 20);
  const shared = new Shared();
  shared.assignPort(P(2));
  const core = new DatapathCore(
    region,
    shared,
    () => true,
    () => 0,
    1,
  );
  const port = new OffloadPort(region.bytes);
  core.attach(port);
  const next = random(5);
  const types = [0x0800, 0x86dd, 0x8847, 0x8848, 0x88e7, 0x8100, 0x88a8, 0x0806, 0x0026];
  for (let round = 0; round < 20_000; round++) {
    const frame = Uint8Array.from({ length: 14 + (next() % 70) }, () => next());
    const type = types[next() % types.length];
    frame[12] = type >> 8;
    frame[13] = type & 255;
    if (next() % 2 && frame.length > 20) frame[14] = next() % 2 ? 0x45 : 0x60;
    const offload =
      next() % 4 === 0
        ? {
            flags: next() & 1,
            gsoType: [0, 1, 4, 5][next() % 4],
            gsoSize: next() % 40,
            headerBytes: next() % 80,
            csumStart: next() % 90,
            csumOffset: next() % 20,
          }
        : NO_OFFLOAD;
    const bytes = frame.length;
    const built = program((b) => {
      for (let n = 0; n < 6; n++) {
        const pick = next() % 8;
        if (pick === 0) b.pushMpls(0x8847, next());
        else if (pick === 1) b.popMpls(types[next() % types.length]);
        else if (pick === 2) b.pushPbb(next());
        else if (pick === 3) b.popPbb();
        else if (pick === 4) b.copyTtlIn();
        else if (pick === 5) b.copyTtlOut();
        else b.set(K.ETH_DST + (next() % (K.CT_STATE - K.ETH_DST)), next(), next());
      }
      b.output(2);
    });
    port.frames.length = 0;
    core.execute(frame, offload, new Uint32Array(K.DP_WORDS), built);
    core.flush();
    for (const out of port.frames) {
      if (out.length < 14 || out.length > bytes + 6 * 18) expect.unreachable(`round ${round}`);
    }
  }
  expect(shared.counter('drop_tx_queue_full')).toBe(0);
});
