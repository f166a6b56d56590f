import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { MATCH_ALL } from '../../../src/flowtable/match.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import { versionBitmap } from '../../../src/ofproto/codec/connection-messages.ts';
import {
  decodeMessage,
  encodeError,
  encodeMessage,
  encodeParts,
  hasMessage,
  MAX_MESSAGE_BYTES,
  type Message,
  type MessageOf,
} from '../../../src/ofproto/codec/messages.ts';
import {
  OF10,
  OF11,
  OF12,
  OF13,
  OF14,
  OF15,
  type OfVersion,
} from '../../../src/ofproto/codec/versions.ts';
import {
  type FlowStatsEntry,
  NO_BUFFER,
  NO_FLAGS,
  type PacketIn,
} from '../../../src/ofproto/model.ts';
import { hex } from '../../packet/bytes.ts';

const XID = 0x2a;
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const ofpPrint = (bytes: Uint8Array): string =>
  execFileSync('ovs-ofctl', ['ofp-print', hexOf(bytes)], { encoding: 'utf8' }).trim();

const print = (message: Message, version: OfVersion): string => {
  const bytes = encodeMessage(message, { version }, XID);
  // What is written must be read as the same, too.
  const again = decodeMessage(bytes, { version });
  expect(again).toMatchObject({ ok: true, xid: XID, message });
  return ofpPrint(bytes);
};

const flow = (priority: number): FlowStatsEntry => ({
  tableId: 3,
  priority,
  match: MATCH_ALL,
  cookie: 7n,
  durationMs: 1500,
  idleAgeMs: null,
  hardAgeMs: null,
  idleTimeoutSeconds: 0,
  hardTimeoutSeconds: 60,
  importance: 0,
  flags: { ...NO_FLAGS },
  packets: 1n,
  bytes: 60n,
  actions: [{ kind: 'output', port: ofPort(2), maxBytes: 0 }],
});

const packetIn: PacketIn = {
  reason: 'action',
  tableId: 1,
  cookie: 5n,
  match: MATCH_ALL,
  frame: hex('ffffffffffff 0a0000000001 88b5 00112233'),
  maxBytes: 0xffff,
  controllerId: 0,
  userdata: null,
  continuation: null,
};

describe('messages that ovs-ofctl never asked for are as it knows them', () => {
  test('hello with its versions', () => {
    const message = { kind: 'hello', bitmap: versionBitmap([OF10, OF13, OF14]) } as const;
    expect(print(message, OF14)).toBe(
      'OFPT_HELLO (OF1.4) (xid=0x2a):\n version bitmap: 0x01, 0x04, 0x05',
    );
    expect(print({ kind: 'hello', bitmap: null }, OF10)).toContain('version bitmap: 0x01');
  });

  test('role status', () => {
    const message = {
      kind: 'roleStatus',
      role: 'secondary',
      reason: 'primaryRequest',
      generationId: 17n,
    } as const;
    const said = 'role=secondary generation_id=17 reason=primary_request';
    expect(print(message, OF14)).toBe(`OFPT_ROLE_STATUS (OF1.4) (xid=0x2a): ${said}`);
    expect(print(message, OF13)).toBe(`ONFT_ROLE_STATUS (OF1.3) (xid=0x2a): ${said}`);
    expect(hasMessage('roleStatus', OF12)).toBe(false);
  });

  test('table status', () => {
    const table = {
      tableId: 4,
      miss: null,
      eviction: false,
      vacancyEvents: true,
      evictionFlags: null,
      vacancy: { down: 20, up: 80, current: 10 },
    };
    expect(
      print({ kind: 'tableStatus', reason: 'vacancyDown', table }, OF14),
    ).toMatchInlineSnapshot(`
      "OFPT_TABLE_STATUS (OF1.4) (xid=0x2a): reason=VACANCY_DOWN
      table_desc:-
        table 4:
         eviction=off eviction_flags=(default)
         vacancy=on vacancy_down=20% vacancy_up=80% vacancy=10%"
    `);
  });

  test('queues', () => {
    const port = ofPort(1);
    const one = { port, queue: 7, minRate: 200, maxRate: null };
    const two = { port, queue: 8, minRate: null, maxRate: 500 };
    const config = { kind: 'queueConfigReply', port, queues: [one, two] } as const;
    for (const version of [OF10, OF11, OF12, OF13] as const) {
      expect(print(config, version).split('\n').slice(1).join('\n')).toBe(
        'queue 7: min_rate:20.0%\nqueue 8: max_rate:50.0%',
      );
    }
    const described = { kind: 'queueDescReply', entries: [one, two] } as const;
    expect(print(described, OF14)).toContain('queue 7: min_rate:20.0%\nqueue 8: max_rate:50.0%');
    const stats = { port, queue: 7, txBytes: 1n, txPackets: null, txErrors: 3n };
    expect(
      print({ kind: 'queueStatsReply', entries: [{ ...stats, durationMs: 1234 }] }, OF13),
    ).toContain('port 1 queue 7: bytes=1, pkts=?, errors=3, duration=1.234s');
    expect(
      print({ kind: 'queueStatsReply', entries: [{ ...stats, durationMs: null }] }, OF10),
    ).toContain('port 1 queue 7: bytes=1, pkts=?, errors=3');
  });

  test('meter statistics', () => {
    const entries = [
      {
        meterId: 5,
        flows: 2,
        packetsIn: 10n,
        bytesIn: 1000n,
        durationMs: 2500,
        bands: [{ packets: 1n, bytes: 100n }],
      },
    ];
    expect(print({ kind: 'meterStatsReply', entries }, OF13)).toMatchInlineSnapshot(`
      "OFPST_METER reply (OF1.3) (xid=0x2a):
      meter:5 flow_count:2 packet_in_count:10 byte_in_count:1000 duration:2.500s bands:
      0: packet_count:1 byte_count:100"
    `);
  });

  test('a settings bundle, errors of it and pauses of a monitor', () => {
    const open = {
      kind: 'bundleControl',
      bundleId: 3,
      type: 'openRequest',
      flags: 3,
      properties: new Uint8Array(0),
    } as const;
    expect(print(open, OF13)).toContain('ONFT_BUNDLE_CONTROL (OF1.3)');
    expect(print({ kind: 'flowMonitorPaused' }, OF10)).toContain('NXT_FLOW_MONITOR_PAUSED');
    expect(print({ kind: 'flowMonitorResumed' }, OF13)).toContain('ONFT_FLOW_MONITOR_RESUMED');
    expect(
      print(
        { kind: 'flowMonitorReply', entries: [{ event: 'paused' }, { event: 'resumed' }] },
        OF14,
      ),
    ).toContain('event=PAUSED\n event=RESUMED');
  });

  test('IPFIX statistics', () => {
    const counts = {
      totalFlows: 1n,
      currentFlows: 2n,
      packets: 3n,
      ipv4Packets: 4n,
      ipv6Packets: 5n,
      errorPackets: 6n,
      ipv4ErrorPackets: 7n,
      ipv6ErrorPackets: 8n,
      txPackets: 9n,
      txErrors: 10n,
      collectorSet: 11,
    };
    expect(print({ kind: 'ipfixBridgeReply', ...counts, collectorSet: 0 }, OF10)).toContain(
      'flows=1, current flows=2, sampled pkts=3',
    );
    expect(print({ kind: 'ipfixFlowReply', entries: [counts] }, OF14)).toContain('id  11: flows=1');
  });
});

describe('packet-in', () => {
  const base = { kind: 'packetIn', packetIn, bufferId: NO_BUFFER, totalLength: 18 } as const;

  test.each([
    [OF10, undefined, 'OFPT_PACKET_IN'],
    [OF11, undefined, 'OFPT_PACKET_IN (OF1.1)'],
    [OF13, undefined, 'OFPT_PACKET_IN (OF1.3)'],
    [OF13, 'nx', 'NXT_PACKET_IN (OF1.3)'],
    [OF10, 'nx2', 'NXT_PACKET_IN2'],
    [OF15, 'nx2', 'NXT_PACKET_IN2 (OF1.5)'],
  ] as const)('version %i, form %s', (version, form, title) => {
    const message: Message = form === undefined ? base : { ...base, form };
    const text = ofpPrint(encodeMessage(message, { version }, 0));
    expect(text).toContain(title);
    expect(text).toContain('total_len=18');
    expect(text).toContain('(via action) data_len=18 (unbuffered)');
  });

  test('carries as much of the frame as was asked for', () => {
    const cut = { ...base, packetIn: { ...packetIn, maxBytes: 14 } };
    const got = decodeMessage(encodeMessage(cut, { version: OF13 }, 0), { version: OF13 });
    expect(got).toMatchObject({ ok: true, message: { totalLength: 18 } });
    const frame = got.ok && got.message.kind === 'packetIn' ? got.message.packetIn.frame : null;
    expect(frame).toEqual(packetIn.frame.slice(0, 14));
  });

  test('of a frame that no message has room for carries its beginning', () => {
    const frame = new Uint8Array(70_000).fill(1);
    for (const form of ['of', 'nx', 'nx2'] as const) {
      for (const version of [OF10, OF13] as const) {
        const long: Message = {
          ...base,
          form,
          packetIn: { ...packetIn, frame },
          totalLength: 70_000,
        };
        const got = decodeMessage(encodeMessage(long, { version }, 0), { version });
        if (!got.ok || got.message.kind !== 'packetIn') throw new Error('no packet-in');
        expect(got.message.packetIn.frame.length).toBeGreaterThan(60_000);
        expect(got.message.totalLength).toBe(form === 'nx2' ? 70_000 : 0xffff);
      }
    }
  });

  test('a paused one carries all of it, and comes back with resume', () => {
    const continuation = hex('0001 0008 00000000');
    const paused = { ...packetIn, maxBytes: 14, continuation, userdata: hex('01 02') };
    const sent = { ...base, form: 'nx2', packetIn: paused } as const;
    const got = decodeMessage(encodeMessage(sent, { version: OF13 }, 0), { version: OF13 });
    if (!got.ok || got.message.kind !== 'packetIn') throw new Error('no packet-in');
    expect(got.message.packetIn).toMatchObject({ continuation, userdata: paused.userdata });
    expect(got.message.packetIn.frame).toEqual(packetIn.frame);
    const { kind: _, ...body } = got.message;
    const back = encodeMessage({ ...body, kind: 'resume' }, { version: OF13 }, 0);
    expect(decodeMessage(back, { version: OF13 })).toMatchObject({
      ok: true,
      message: { kind: 'resume', packetIn: { continuation } },
    });
  });
});

describe('errors', () => {
  const request = hex('04 0e 0060 00000011 00');

  test('quote the request whole, in its xid', () => {
    const long = new Uint8Array(100).fill(9);
    long.set(request);
    const bytes = encodeError('OFPFMFC_OVERLAP', long, { version: OF13 });
    expect(bytes.slice(0, 12)).toEqual(hex('04 01 0070 00000011 0005 0003'));
    expect(bytes).toHaveLength(12 + 100);
  });

  test('are experimenters where the version has none', () => {
    const asked10 = hex('01 0e 0008 00000011');
    expect(encodeError('OFPBMC_DUP_FIELD', asked10, { version: OF10 })).toEqual(
      hex('01 01 001c 00000011 b0c2 0000 00002320 0001 0105 010e000800000011'),
    );
    const asked13 = hex('04 0e 0008 00000011');
    expect(encodeError('NXBRC_MUST_BE_ZERO', asked13, { version: OF13 })).toEqual(
      hex('04 01 0018 00000011 ffff 0004 00002320 040e000800000011'),
    );
    for (const version of [OF10, OF13] as const) {
      const again = decodeMessage(encodeError('OFPBMC_DUP_FIELD', request, { version }), {
        version,
      });
      expect(again).toMatchObject({
        ok: true,
        message: { kind: 'error', error: 'OFPBMC_DUP_FIELD' },
      });
    }
  });
});

describe('multiparts', () => {
  const reply = (count: number): MessageOf<'flowStatsReply'> => ({
    kind: 'flowStatsReply',
    entries: Array.from({ length: count }, (_, i) => flow(i)),
  });

  test.each([OF10, OF13, OF15] as const)('of version %i are cut between entries', (version) => {
    const parts = [...encodeParts(reply(2500), { version }, XID)];
    expect(parts.length).toBeGreaterThan(2);
    const priorities: number[] = [];
    parts.forEach((part, i) => {
      expect(part.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
      const got = decodeMessage(part, { version });
      if (!got.ok || got.message.kind !== 'flowStatsReply') throw new Error('no reply');
      expect(got.message.more).toBe(i < parts.length - 1);
      priorities.push(...got.message.entries.map((one) => one.priority));
    });
    expect(priorities).toEqual(Array.from({ length: 2500 }, (_, i) => i));
  });

  test('entries are asked for when their part is', () => {
    let asked = 0;
    function* entries(): Generator<FlowStatsEntry> {
      for (; asked < 5000; asked++) yield flow(asked);
    }
    const message = { kind: 'flowStatsReply', entries: entries() } as const;
    const parts = encodeParts(message, { version: OF13 }, XID);
    expect(asked).toBe(0);
    expect(parts.next().done).toBe(false);
    expect(asked).toBeGreaterThan(100);
    expect(asked).toBeLessThan(2500);
  });

  test('one part, also for nothing', () => {
    expect([...encodeParts(reply(0), { version: OF13 }, XID)]).toHaveLength(1);
    expect([...encodeParts(reply(3), { version: OF13 }, XID)].map(ofpPrint).join()).toContain(
      'priority=2',
    );
  });

  test('an entry that fits into no message is left out', () => {
    const data = new Uint8Array(0xffd0);
    const long: FlowStatsEntry = {
      ...flow(9),
      actions: [{ kind: 'note', data }, ...flow(9).actions],
    };
    const message = { ...reply(1), entries: [flow(1), long, flow(2)] };
    const parts = [...encodeParts(message, { version: OF13 }, XID)];
    expect(parts).toHaveLength(1);
    expect(ofpPrint(parts[0])).not.toContain('note');
  });

  test('what has one form only is written in it', () => {
    const group = { kind: 'groupStatsRequest', groupId: null } as const;
    expect(ofpPrint(encodeMessage(group, { version: OF10 }, 1))).toContain('NXST_GROUP request');
    expect(ofpPrint(encodeMessage(group, { version: OF13 }, 1))).toContain('OFPST_GROUP request');
    expect(() => encodeMessage({ kind: 'tableDescRequest' }, { version: OF13 }, 1)).toThrow();
  });
});
