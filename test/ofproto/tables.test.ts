/** Flow-mods, groups, meters and ports as controllers change them, and what they do to frames. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Action } from '../../src/flowtable/action.ts';
import { MATCH_ALL, type Match, MatchBuilder } from '../../src/flowtable/match.ts';
import { OFPP_CONTROLLER, OFPP_LOCAL, ofPort } from '../../src/flowtable/of-port.ts';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { type BridgeListener, NO_LISTENER } from '../../src/ofproto/events.ts';
import {
  type Bucket,
  type FlowMod,
  type FlowRemoved,
  type GroupMod,
  NO_BUFFER,
  NO_FLAGS,
  OfVersion,
  type PacketIn,
} from '../../src/ofproto/model.ts';
import { packetOut, resumePacket } from '../../src/ofproto/packet-out.ts';
import { OFPPC_NO_FLOOD, OFPPC_NO_FWD, OFPPC_NO_RECV } from '../../src/ofproto/port-flags.ts';
import { Change } from '../../src/ofproto/tables/change.ts';
import { applyFlowMod, beginFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { aggregateStats, flowStats } from '../../src/ofproto/tables/flow-stats.ts';
import { applyGroupMod } from '../../src/ofproto/tables/groups.ts';
import { applyMeterMod } from '../../src/ofproto/tables/meters.ts';
import { applyPortMod, describePort } from '../../src/ofproto/tables/ports.ts';
import { fieldByName } from '../../src/packet/fields.ts';
import { ETH_TYPE_PROTO, IPV4_DST, TP } from '../../src/packet/key.ts';
import { flow } from './flow-mod.ts';
import { frame, Lab } from './lab.ts';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
/** IPv4, TTL, protocol 17, 10.0.0.1 -> 10.0.0.2, ports 1000 -> 53. */
const udp = (ttl = 64): Uint8Array => {
  const head = '45 00 001c 0000 0000';
  const rest = '11 0000 0a000001 0a000002 03e8 0035 0008 0000';
  const text = `${head} ${ttl.toString(16).padStart(2, '0')} ${rest}`.replaceAll(' ', '');
  return frame(A, B, '-', 0x0800, [...Buffer.from(text, 'hex')]);
};
const IP = new MatchBuilder().set(ETH_TYPE_PROTO, 0x08000000, 0xffff0000).build();
const UDP = new MatchBuilder().set(ETH_TYPE_PROTO, 0x08001100, 0xffffff00).build();
const UDP_53 = new MatchBuilder()
  .set(ETH_TYPE_PROTO, 0x08001100, 0xffffff00)
  .set(TP, 53, 0xffff)
  .build();

const out = (port: number, maxBytes = 0): Action => ({
  kind: 'output',
  port: ofPort(port),
  maxBytes,
});
const CONTROLLER = out(OFPP_CONTROLLER, 0xffff);

const group = (groupId: number, type: GroupMod['type'], ...lists: Action[][]): GroupMod => ({
  command: 'add',
  type,
  groupId,
  buckets: lists.map(
    (actions, bucketId): Bucket => ({
      bucketId,
      weight: 1,
      watchPort: type === 'fastFailover' ? ofPort(2 + bucketId) : null,
      watchGroup: null,
      actions,
    }),
  ),
  commandBucketId: 0,
  selection: null,
  version: OfVersion.OF13,
});

let lab: Lab;
let br: Bridge;
let removed: FlowRemoved[];
let packetIns: PacketIn[];
let wantsMiss: boolean;
beforeEach(async () => {
  lab = new Lab();
  br = lab.bridge('br0');
  br.configure({ failMode: 'secure' });
  for (let p = 1; p <= 4; p++) await lab.port(br, `p${p}`, p);
  removed = [];
  packetIns = [];
  wantsMiss = false;
  const listener: BridgeListener = {
    ...NO_LISTENER,
    flowRemoved: (r) => removed.push(r),
    packetIn: (p) => packetIns.push(p),
    wantsMissPacketIn: () => wantsMiss,
  };
  br.listener = listener;
});
afterEach(() => lab.switch.close());

const apply = (mod: FlowMod): string => applyFlowMod(br, mod)?.error ?? 'ok';
const all = () => [
  ...flowStats(br, {
    tableId: 255,
    match: MATCH_ALL,
    cookie: 0n,
    cookieMask: 0n,
    outPort: null,
    outGroup: null,
  }),
];
const settle = async (ms: number): Promise<void> => {
  lab.clock.advance(ms);
  await lab.switch.revalidateAll();
};

describe('flow-mods', () => {
  test('adding the same match again replaces the actions and goes on counting', async () => {
    apply(flow(UDP, [out(2)]));
    expect(lab.deliver(1, udp())).toEqual([2]);
    await settle(1000);
    apply(flow(UDP, [out(3)]));
    await settle(0);
    expect(lab.deliver(1, udp())).toEqual([3]);
    await settle(1000);
    expect(all().map((f) => [f.packets, f.durationMs])).toEqual([[2n, 1000]]);
    apply(flow(UDP, [out(3)], { flags: { ...NO_FLAGS, resetCounts: true } }));
    expect(all()[0].packets).toBe(0n);
  });

  test('overlap is refused when asked to, and only within a priority', () => {
    const checked = { flags: { ...NO_FLAGS, checkOverlap: true } };
    expect(apply(flow(UDP, [out(2)]))).toBe('ok');
    expect(apply(flow(IP, [out(2)], checked))).toBe('OFPFMFC_OVERLAP');
    expect(apply(flow(IP, [out(2)], { ...checked, priority: 99 }))).toBe('ok');
    expect(apply(flow(UDP, [out(3)], checked))).toBe('ok');
  });

  test('modify changes what matches loosely, and adds only with a new cookie', () => {
    apply(flow(UDP, [out(2)], { newCookie: 5n }));
    expect(apply(flow(IP, [out(3)], { command: 'modify' }))).toBe('ok');
    expect(all().map((f) => [f.actions, f.cookie])).toEqual([[[out(3)], 5n]]);
    apply(flow(IP, [out(4)], { command: 'modifyStrict' }));
    expect(all()).toHaveLength(1);
    apply(flow(IP, [out(4)], { command: 'modifyStrict', newCookie: 9n }));
    expect(all()).toHaveLength(2);
  });

  test('delete goes by cookie, output port and table', () => {
    const deleted = (more: Partial<FlowMod>): number => {
      const before = all().length;
      apply(flow(MATCH_ALL, [], { command: 'delete', ...more }));
      return before - all().length;
    };
    apply(flow(UDP, [out(2)], { newCookie: 0x11n }));
    apply(flow(IP, [out(3)], { newCookie: 0x12n, tableId: 7 }));
    apply(flow(MATCH_ALL, [{ kind: 'writeActions', actions: [out(2)] }], { priority: 1 }));
    expect(deleted({ cookie: 0x10n, cookieMask: 0xffn })).toBe(0);
    expect(deleted({ tableId: 255, cookie: 0x12n, cookieMask: 0xffn })).toBe(1);
    expect(deleted({ outPort: ofPort(2) })).toBe(2);
  });

  test('the standalone rule is an ordinary one, until the fail mode says otherwise', () => {
    br.configure({ failMode: 'standalone' });
    expect(all().map((f) => [f.priority, f.actions])).toEqual([[0, [{ kind: 'normal' }]]]);
    apply(flow(MATCH_ALL, [], { command: 'delete' }));
    expect(all()).toEqual([]);
    br.setHasControllers(true);
    br.setHasControllers(false);
    expect(all()).toHaveLength(1);
    br.setHasControllers(true);
    expect(all()).toEqual([]);
    br.setFailOpen(true);
    expect(all()).toEqual([]);
    expect(lab.deliver(1, udp())).toEqual([2, 3, 4]);
  });

  test('timeouts end flows, and traffic puts off the idle one', async () => {
    const flags = { ...NO_FLAGS, sendFlowRemoved: true };
    apply(flow(UDP, [out(2)], { idleTimeoutSeconds: 5, flags }));
    apply(flow(IP, [out(2)], { hardTimeoutSeconds: 12, flags, priority: 1 }));
    for (let i = 0; i < 3; i++) {
      lab.deliver(1, udp());
      await settle(3000);
    }
    expect(removed).toEqual([]);
    await settle(3001);
    await settle(10);
    expect(removed.map((r) => [r.reason, r.packets])).toEqual([
      ['idleTimeout', 3n],
      ['hardTimeout', 0n],
    ]);
  });

  test('a full table evicts the least important flow with a timeout, or refuses', () => {
    const table = br.tables[0];
    table.configure({ ...table.settings, flowLimit: 2 });
    const numbered = (n: number): Match => new MatchBuilder().set(IPV4_DST, n).build();
    expect(apply(flow(numbered(1), [], { idleTimeoutSeconds: 9, importance: 7 }))).toBe('ok');
    expect(apply(flow(numbered(2), [], { idleTimeoutSeconds: 99 }))).toBe('ok');
    expect(apply(flow(numbered(3), []))).toBe('OFPFMFC_TABLE_FULL');
    table.configure({ ...table.settings, overflow: 'evict' });
    expect(apply(flow(numbered(3), []))).toBe('ok');
    expect(apply(flow(numbered(4), []))).toBe('ok');
    expect(apply(flow(numbered(5), []))).toBe('OFPFMFC_TABLE_FULL');
    expect(
      table
        .entries()
        .map((r) => r.match.values[0])
        .sort(),
    ).toEqual([3, 4]);
  });

  test('a change that is reverted leaves nothing behind, not even its events', () => {
    apply(flow(UDP, [out(2)], { flags: { ...NO_FLAGS, sendFlowRemoved: true } }));
    const before = all();
    const change = new Change(br, null);
    expect(beginFlowMod(change, flow(MATCH_ALL, [], { command: 'delete' }))).toBeNull();
    expect(beginFlowMod(change, flow(IP, [out(3)]))).toBeNull();
    expect(beginFlowMod(change, flow(UDP, [out(4)]))).toBeNull();
    expect(beginFlowMod(change, flow(UDP, [{ kind: 'group', groupId: 9 }]))?.error).toBe(
      'OFPBAC_BAD_OUT_GROUP',
    );
    change.revert();
    expect(all()).toEqual(before);
    expect(removed).toEqual([]);
  });

  test('aggregates sum what the filter takes', async () => {
    apply(flow(UDP, [out(2)]));
    apply(flow(IP, [out(2)], { priority: 1 }));
    lab.deliver(1, udp());
    await settle(1000);
    const filter = {
      tableId: 0,
      match: IP,
      cookie: 0n,
      cookieMask: 0n,
      outPort: null,
      outGroup: null,
    };
    expect(aggregateStats(br, filter)).toEqual({ packets: 1n, bytes: 60n, flows: 2 });
    expect(aggregateStats(br, { ...filter, outPort: ofPort(3) }).flows).toBe(0);
  });
});

describe('checks', () => {
  test.each<[string, Action[]]>([
    ['OFPBAC_BAD_OUT_PORT', [out(0xff00)]],
    ['OFPBAC_BAD_OUT_PORT', [out(0xffff)]],
    ['OFPBAC_BAD_OUT_GROUP', [{ kind: 'group', groupId: 1 }]],
    ['OFPBIC_BAD_TABLE_ID', [{ kind: 'gotoTable', table: 0 }]],
    ['OFPMMFC_INVALID_METER', [{ kind: 'meter', meterId: 3 }]],
    ['OFPBAC_MATCH_INCONSISTENT', [{ kind: 'stripVlan' }]],
    ['OFPBAC_MATCH_INCONSISTENT', [{ kind: 'decMplsTtl' }]],
    [
      'OFPBAC_BAD_SET_ARGUMENT',
      [{ kind: 'setField', field: fieldByName('ip_frag')!, value: 1n, mask: 3n }],
    ],
    ['NXBAC_BAD_CONJUNCTION', [{ kind: 'conjunction', id: 1, clause: 0, clauses: 2 }, out(1)]],
  ])('%s', (error, actions) => {
    expect(apply(flow(UDP, actions))).toBe(error);
  });

  test('inconsistencies are fine in OpenFlow 1.0, and behind what makes them consistent', () => {
    expect(apply(flow(UDP, [{ kind: 'stripVlan' }], { version: OfVersion.OF10 }))).toBe('ok');
    expect(apply(flow(UDP, [{ kind: 'pushVlan', ethType: 0x8100 }, { kind: 'stripVlan' }]))).toBe(
      'ok',
    );
  });
});

describe('controllers', () => {
  test('a table-miss flow sends whole frames as they are by then', () => {
    apply(
      flow(MATCH_ALL, [{ kind: 'setEthDst', mac: 5n }, CONTROLLER, out(2)], {
        priority: 0,
        newCookie: 7n,
      }),
    );
    expect(lab.deliver(1, udp())).toEqual([2]);
    const [p] = packetIns;
    expect([p.reason, p.tableId, p.cookie, p.maxBytes]).toEqual(['explicitMiss', 0, 7n, 0xffff]);
    expect(Buffer.from(p.frame.subarray(0, 6)).toString('hex')).toBe('000000000005');
  });

  test('a miss goes to controllers of OpenFlow 1.0 only', async () => {
    expect(lab.deliver(1, udp())).toEqual([]);
    expect(packetIns).toEqual([]);
    wantsMiss = true;
    br.tablesChanged();
    await settle(10);
    lab.deliver(1, udp());
    expect(packetIns.map((p) => p.reason)).toEqual(['implicitMiss']);
  });

  test('an invalid TTL ends the list and is told', () => {
    apply(flow(IP, [{ kind: 'decTtl', controllerIds: [0] }, out(2)]));
    expect(lab.deliver(1, udp(2))).toEqual([2]);
    expect(lab.deliver(1, udp(1))).toEqual([]);
    expect(packetIns.map((p) => p.reason)).toEqual(['invalidTtl']);
  });

  test('a paused frame goes on where it stopped', () => {
    const pause: Action = {
      kind: 'controller',
      maxBytes: 0xffff,
      controllerId: 0,
      reason: 'action',
      userdata: new Uint8Array([1, 2]),
      meterId: null,
      pause: true,
    };
    const reg0 = { field: fieldByName('reg0')!, offset: 0, bits: 32 };
    apply(
      flow(IP, [
        { kind: 'load', dst: reg0, value: 3n },
        pause,
        { kind: 'outputReg', src: reg0, maxBytes: 0 },
      ]),
    );
    expect(lab.deliver(1, udp())).toEqual([]);
    expect([...packetIns[0].userdata!]).toEqual([1, 2]);
    expect(resumePacket(lab.switch, packetIns[0].continuation!, udp())).toBeNull();
    expect(lab.sent.map((s) => s.port)).toEqual([3]);
    expect(resumePacket(lab.switch, new Uint8Array(8), udp())).toEqual({ error: 'NXR_STALE' });
  });

  test('packet-out runs its actions, through the tables if it says so', () => {
    apply(flow(IP, [out(3)]));
    const send = (...actions: Action[]) =>
      packetOut(lab.switch, br, {
        bufferId: NO_BUFFER,
        match: MATCH_ALL,
        inPort: OFPP_CONTROLLER,
        actions,
        data: udp(),
      });
    lab.sent.length = 0;
    expect(send(out(2), out(0xfff9))).toBeNull();
    expect(lab.sent.map((s) => s.port)).toEqual([2, 3]);
    expect(send(out(0xff01))).toEqual({ error: 'OFPBAC_BAD_OUT_PORT' });
  });
});

describe('learn', () => {
  const eth = (name: string) => ({ field: fieldByName(name)!, offset: 0, bits: 48 });
  const learn = (more: object = {}): Action => ({
    kind: 'learn',
    idleTimeoutSeconds: 0,
    hardTimeoutSeconds: 10,
    finIdleTimeoutSeconds: 0,
    finHardTimeoutSeconds: 0,
    priority: 50,
    cookie: 0x77n,
    table: 1,
    sendFlowRemoved: false,
    deleteLearned: true,
    limit: 0,
    resultDst: null,
    specs: [
      { kind: 'match', bits: 48, src: { kind: 'field', src: eth('eth_src') }, dst: eth('eth_dst') },
      {
        kind: 'output',
        bits: 16,
        src: { kind: 'field', src: { field: fieldByName('in_port')!, offset: 0, bits: 16 } },
      },
    ],
    ...more,
  });
  const learned = () => br.tables[1].entries();

  test('makes a flow, keeps it while traffic comes, and takes it along', async () => {
    apply(flow(IP, [learn(), out(2)]));
    lab.deliver(1, udp());
    expect(learned().map((r) => [r.priority, r.cookie, r.actions])).toEqual([
      [50, 0x77n, [out(1, 0xffff)]],
    ]);
    for (let i = 0; i < 3; i++) {
      await settle(6000);
      lab.deliver(1, udp());
    }
    expect(learned()).toHaveLength(1);
    apply(flow(IP, [], { command: 'delete' }));
    expect(learned()).toEqual([]);
  });

  test('stops at its limit', () => {
    apply(flow(IP, [learn({ limit: 1 }), out(2)]));
    lab.deliver(1, udp());
    const other = udp();
    other[11] = 0x99;
    lab.deliver(1, other);
    expect(learned()).toHaveLength(1);
  });
});

describe('groups', () => {
  const send = () => lab.deliver(1, udp());
  const useGroup = (id: number): string => apply(flow(IP, [{ kind: 'group', groupId: id }]));
  const put = (mod: GroupMod): string => applyGroupMod(br, mod)?.error ?? 'ok';

  test('all buckets get the frame as it came to the group', () => {
    put(group(1, 'all', [{ kind: 'setEthDst', mac: 9n }, out(2)], [out(3)]));
    useGroup(1);
    expect(send()).toEqual([2, 3]);
    expect(lab.sent.map((s) => s.frame[5])).toEqual([9, 0x0b]);
  });

  test('fast failover follows the links', async () => {
    put(group(1, 'fastFailover', [out(2)], [out(3)]));
    useGroup(1);
    expect(send()).toEqual([2]);
    br.setPortState(ofPort(2), false);
    await settle(10);
    expect(send()).toEqual([3]);
  });

  test('select hashes in the datapath and keeps to one bucket per connection', () => {
    put(group(1, 'select', [out(2)], [out(3)]));
    useGroup(1);
    const first = send();
    expect(first).toHaveLength(1);
    expect(send()).toEqual(first);
  });

  test('counters of group and buckets are kept', async () => {
    put(group(1, 'all', [out(2)], [out(3)]));
    useGroup(1);
    send();
    await settle(600);
    const g = br.groups.find(1)!;
    expect([g.stats.packets, ...g.buckets.map((b) => b.stats.packets)]).toEqual([1, 1, 1]);
  });

  test('refusals, and deletion with the flows that use it', () => {
    expect(put(group(1, 'indirect', [out(2)], [out(3)]))).toBe('OFPGMFC_INVALID_GROUP');
    expect(put(group(1, 'all', [out(2)]))).toBe('ok');
    expect(put(group(1, 'all'))).toBe('OFPGMFC_GROUP_EXISTS');
    expect(put({ ...group(2, 'all'), command: 'modify' })).toBe('OFPGMFC_UNKNOWN_GROUP');
    expect(put(group(2, 'all', [{ kind: 'group', groupId: 1 }]))).toBe('ok');
    expect(put({ ...group(1, 'all', [{ kind: 'group', groupId: 2 }]), command: 'modify' })).toBe(
      'OFPGMFC_LOOP',
    );
    useGroup(1);
    expect(put({ ...group(1, 'all'), command: 'delete' })).toBe('ok');
    expect(all()).toEqual([]);
  });
});

describe('meters', () => {
  const mod = {
    command: 'add',
    meterId: 1,
    flags: { kbps: false, pktps: true, burst: true, stats: true },
    bands: [{ type: 'drop', rate: 1, burst: 2, precLevel: 0 }],
  } as const;

  test('drop what is too much, and go with their flows', () => {
    expect(applyMeterMod(br, mod)).toBeNull();
    apply(flow(IP, [{ kind: 'meter', meterId: 1 }, out(2)]));
    const ports = [1, 2, 3, 4].map(() => lab.deliver(1, udp()).length);
    expect(ports).toEqual([1, 1, 0, 0]);
    expect(br.meters.stats(br.meters.find(1)!).packets).toBe(4);
    expect(applyMeterMod(br, mod)).toEqual({ error: 'OFPMMFC_METER_EXISTS' });
    expect(applyMeterMod(br, { ...mod, command: 'delete' })).toBeNull();
    expect(all()).toEqual([]);
    expect(applyMeterMod(br, { ...mod, command: 'modify' })).toEqual({
      error: 'OFPMMFC_UNKNOWN_METER',
    });
  });
});

describe('MPLS', () => {
  test('what is behind a popped label is matched after recirculation', () => {
    apply(flow(IP, [{ kind: 'pushMpls', ethType: 0x8847 }, out(2)]));
    lab.deliver(1, udp());
    const labelled = lab.sent[0].frame;
    expect(Buffer.from(labelled.subarray(12, 18)).toString('hex')).toBe('884700000140');
    apply(
      flow(new MatchBuilder().set(ETH_TYPE_PROTO, 0x88470000, 0xffff0000).build(), [
        { kind: 'popMpls', ethType: 0x0800 },
        { kind: 'gotoTable', table: 1 },
      ]),
    );
    apply(flow(UDP_53, [{ kind: 'setTpDst', port: 54 }, out(3)], { tableId: 1 }));
    expect(lab.deliver(1, labelled)).toEqual([3]);
    expect(Buffer.from(lab.sent[0].frame.subarray(34, 38)).toString('hex')).toBe('03e80036');
  });
});

describe('the bottom of stack bit', () => {
  test('is set and cleared in place, and what follows is matched as what it then is', async () => {
    const bos = fieldByName('mpls_bos')!;
    const mpls = new MatchBuilder().set(ETH_TYPE_PROTO, 0x88470000, 0xffff0000);
    const set = (value: bigint): Action => ({ kind: 'setField', field: bos, value, mask: 1n });
    const labelled = (second: number[]): Uint8Array =>
      frame(A, B, '-', 0x8847, [...second, ...udp().subarray(14)]);
    const at14 = () => Buffer.from(lab.sent[0].frame.subarray(14, 22)).toString('hex');

    apply(flow(mpls.build(), [set(1n), out(2)]));
    expect(lab.deliver(1, labelled([0, 6, 0x46, 64]))).toEqual([2]);
    expect(at14()).toBe('000647404500001c');
    apply(flow(mpls.build(), [set(0n), out(3)]));
    expect(lab.deliver(1, labelled([0, 6, 0x47, 64]))).toEqual([3]);
    expect(at14()).toBe('000646404500001c');

    apply(
      flow(mpls.build(), [
        set(1n),
        { kind: 'popMpls', ethType: 0x0800 },
        { kind: 'gotoTable', table: 1 },
      ]),
    );
    apply(flow(UDP_53, [out(4)], { tableId: 1 }));
    await settle(10);
    expect(lab.deliver(1, labelled([0, 6, 0x46, 64]))).toEqual([4]);
    expect(lab.sent[0].frame).toEqual(udp());
  });
});

describe('pushed headers', () => {
  const typed = (type: number) =>
    new MatchBuilder().set(ETH_TYPE_PROTO, (type << 16) >>> 0, 0xffff0000).build();
  const behindAddresses = (bytes: number) =>
    Buffer.from(lab.sent[0].frame.subarray(12, 12 + bytes)).toString('hex');

  test('have what the outermost of their kind had (OpenFlow 1.3.5, 5.12.2)', () => {
    apply(flow(MATCH_ALL, [{ kind: 'pushVlan', ethType: 0x88a8 }, out(2)]));
    lab.deliver(1, frame(A, B, '10/3', 0x0806, new Array(28).fill(0)));
    expect(behindAddresses(10)).toBe('88a8600a8100600a0806');
    lab.deliver(1, frame(A, B, '-', 0x0806, new Array(28).fill(0)));
    expect(behindAddresses(6)).toBe('88a800000806');
  });

  test('are 0 where there is nothing to copy, but for the TTL of IP', () => {
    for (const type of [0x0806, 0x86dd]) {
      apply(flow(typed(type), [{ kind: 'pushMpls', ethType: 0x8847 }, out(2)]));
    }
    lab.deliver(1, frame(A, B, '-', 0x0806, new Array(28).fill(0)));
    expect(behindAddresses(6)).toBe('884700000100');
    const ipv6 = [0x60, 0, 0, 0, 0, 0, 59, 9, ...new Array(32).fill(1)];
    lab.deliver(1, frame(A, B, '-', 0x86dd, ipv6));
    expect(behindAddresses(6)).toBe('884700000109');
  });
});

describe('ports', () => {
  test('configuration bits keep frames out, in, or from floods', async () => {
    apply(flow(IP, [out(0xfffb)]));
    const set = async (port: number, config: number): Promise<void> => {
      expect(
        applyPortMod(br, { port: ofPort(port), hwAddr: 0n, config, mask: 0x7f, advertise: 0 }),
      ).toBeNull();
      await settle(10);
    };
    expect(lab.deliver(1, udp()).sort()).toEqual([2, 3, 4]);
    await set(2, OFPPC_NO_FLOOD);
    await set(3, OFPPC_NO_FWD);
    expect(lab.deliver(1, udp())).toEqual([4]);
    await set(1, OFPPC_NO_RECV);
    expect(lab.deliver(1, udp())).toEqual([]);
    expect(describePort(br.port(ofPort(1))!).config).toBe(OFPPC_NO_RECV);
    expect(
      applyPortMod(br, { port: OFPP_LOCAL, hwAddr: 0n, config: 0, mask: 0, advertise: 0 }),
    ).toEqual({ error: 'OFPPMFC_BAD_PORT' });
  });
});
