/** The property that the megaflow cache rests on, for tables with all kinds of actions: see unwildcard.test.ts. */
import { describe, expect, test } from 'vitest';
import { sameWords } from '../../src/datapath/program.ts';
import { formatProgram } from '../../src/datapath/program-text.ts';
import type { Action, HashFields, Subfield } from '../../src/flowtable/action.ts';
import { type Match, MatchBuilder } from '../../src/flowtable/match.ts';
import { ofPort } from '../../src/flowtable/of-port.ts';
import type { Bridge } from '../../src/ofproto/bridge.ts';
import { type FlowMod, NO_FLAGS, OfVersion } from '../../src/ofproto/model.ts';
import { DEFAULT_SWITCH } from '../../src/ofproto/switch.ts';
import { applyFlowMod } from '../../src/ofproto/tables/flow-mods.ts';
import { applyGroupMod } from '../../src/ofproto/tables/groups.ts';
import { XlateScratch } from '../../src/ofproto/xlate/context.ts';
import { fieldWrite } from '../../src/ofproto/xlate/subfields.ts';
import { translate } from '../../src/ofproto/xlate/translate.ts';
import { fieldByName, fullMask } from '../../src/packet/fields.ts';
import * as K from '../../src/packet/key.ts';
import { Lab, random32 } from './lab.ts';

/** More, and other ones, for a long run: UNWILDCARD_PAIRS, UNWILDCARD_SEED. */
const PAIRS = Number(process.env.UNWILDCARD_PAIRS ?? 100_000);
const FLOWS_PER_TABLE = 400;

const words = random32(Number(process.env.UNWILDCARD_SEED ?? 0x0f13));
const next = (below: number): number => words() % below;
const pick = <T>(list: readonly T[]): T => list[next(list.length)];

const MACS = [0x020000000001n, 0x020000000002n, 0x0180c200000en, 0xffffffffffffn];
const ADDRESSES = [0x0a000001, 0x0a000002, 0x0a010101, 0xc0a80001, 0xe0000001];
const PORTS = [0, 1, 53, 80, 443, 1024, 8080, 0xffff];

const field = (name: string) => fieldByName(name)!;
const sub = (name: string, offset = 0, bits = field(name).bits): Subfield => ({
  field: field(name),
  offset,
  bits,
});

/** Words of the key that a frame of this kind has, and their values. */
function randomFlow(): { flow: Uint32Array; own: number[] } {
  const flow = new Uint32Array(K.FLOW_WORDS);
  const own = [K.PKT_MARK, K.ETH_DST, K.ETH_DST_SRC, K.ETH_SRC, K.ETH_TYPE_PROTO];
  flow[K.IN_PORT] = 1 + next(3);
  flow[K.PKT_MARK] = next(3);
  const [dst, src] = [pick(MACS), pick(MACS)];
  flow[K.ETH_DST] = Number(dst >> 16n);
  flow[K.ETH_DST_SRC] = Number(((dst & 0xffffn) << 16n) | (src >> 32n));
  flow[K.ETH_SRC] = Number(src & 0xffffffffn);
  const tags = next(3);
  const tag = (): number => (0x81001000 | pick([0, 10, 20]) | (pick([0, 3]) << 13)) >>> 0;
  if (tags > 0) flow[K.VLAN0] = tag();
  if (tags > 1) flow[K.VLAN1] = tag();
  if (tags > 0) own.push(K.VLAN0);
  if (tags > 1) own.push(K.VLAN1);
  const ip = (type: number): void => {
    const proto = type === 0x86dd ? pick([6, 17, 58]) : pick([1, 6, 17, 132]);
    const frag = next(6) === 0 ? pick([1, 3]) : 0;
    flow[K.ETH_TYPE_PROTO] = ((type << 16) | (proto << 8) | frag) >>> 0;
    flow[K.TOS_TTL] = ((pick([0, 4, 0xb9]) << 24) | (pick([0, 1, 2, 64]) << 16)) >>> 0;
    own.push(K.TOS_TTL);
    if (frag === 3) return;
    flow[K.TP] = ((pick(PORTS) << 16) | pick(PORTS)) >>> 0;
    if (proto === 58) flow[K.TP] = (pick([128, 135, 136]) << 16) >>> 0;
    own.push(K.TP);
    if (proto === 6) {
      flow[K.TCP_FLAGS] = pick([2, 16, 17]) << 16;
      own.push(K.TCP_FLAGS);
    }
    if (proto === 58 && flow[K.TP] !== 128 << 16) {
      for (let i = 0; i < 4; i++) {
        flow[K.ND_TARGET + i] = next(2);
        own.push(K.ND_TARGET + i);
      }
      own.push(K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA);
    }
  };
  switch (next(6)) {
    case 5:
      flow[K.ETH_TYPE_PROTO] = 0x88e70000;
      flow[K.PBB_ISID] = (K.PBB_PRESENT | next(3)) >>> 0;
      own.push(K.PBB_ISID);
      break;
    case 0:
    case 1:
      ip(0x0800);
      flow[K.IPV4_SRC] = pick(ADDRESSES);
      flow[K.IPV4_DST] = pick(ADDRESSES);
      own.push(K.IPV4_SRC, K.IPV4_DST);
      break;
    case 2:
      ip(0x86dd);
      for (let i = 0; i < 8; i++) {
        flow[K.IPV6_SRC + i] = pick([0, 1, 0xfe800000]);
        own.push(K.IPV6_SRC + i);
      }
      flow[K.IPV6_FLABEL] = next(3);
      break;
    case 3: {
      flow[K.ETH_TYPE_PROTO] = (0x08060000 | (pick([1, 2]) << 8)) >>> 0;
      const words = [K.IPV4_SRC, K.IPV4_DST, K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA];
      for (const w of words) flow[w] = pick(ADDRESSES);
      own.push(...words);
      break;
    }
    case 4: {
      flow[K.ETH_TYPE_PROTO] = 0x88470000;
      const labels = 1 + next(4);
      for (let i = 0; i < Math.min(3, labels); i++) {
        flow[K.MPLS_LSE + i] =
          ((pick([16, 17]) << 12) | pick([1, 2, 64]) | (i === labels - 1 ? 0x100 : 0)) >>> 0;
        own.push(K.MPLS_LSE + i);
      }
      break;
    }
  }
  return { flow, own };
}

const VALUES: readonly [string, readonly (readonly [number, number])[], readonly bigint[]][] = [
  // Field, what must be matched besides (word, value under full relevant mask), values.
  ['in_port_oxm', [], [1n, 2n, 3n]],
  ['eth_dst', [], MACS],
  ['eth_src', [], MACS],
  ['vlan_tci', [], [0n, 0x100an, 0x1014n, 0x700an]],
  ['pkt_mark', [], [0n, 1n, 2n]],
  ['reg0', [], [0n, 1n, 2n]],
  ['reg1', [], [0n, 10n, 20n]],
  ['metadata', [], [0n, 1n, 0x100000000n]],
  ['ip_src', [[0x0800, -1]], ADDRESSES.map(BigInt)],
  ['ip_dst', [[0x0800, -1]], ADDRESSES.map(BigInt)],
  ['nw_ttl', [[0x0800, -1]], [1n, 64n]],
  ['tcp_dst', [[0x0800, 6]], PORTS.map(BigInt)],
  ['tcp_src', [[0x0800, 6]], PORTS.map(BigInt)],
  ['tcp_flags', [[0x0800, 6]], [2n, 16n]],
  ['udp_dst', [[0x0800, 17]], PORTS.map(BigInt)],
  ['tcp_dst', [[0x86dd, 6]], PORTS.map(BigInt)],
  ['ipv6_dst', [[0x86dd, -1]], [1n, 0xfe80n << 112n]],
  ['arp_op', [[0x0806, -1]], [1n, 2n]],
  ['arp_tpa', [[0x0806, -1]], ADDRESSES.map(BigInt)],
  ['mpls_label', [[0x8847, -1]], [16n, 17n]],
  ['mpls_bos', [[0x8847, -1]], [0n, 1n]],
  ['pbb_isid', [[0x88e7, -1]], [0n, 1n, 5n]],
];

function randomMatch(isFirst: boolean): Match {
  const builder = new MatchBuilder();
  let type: readonly [number, number] | null = null;
  for (let i = next(4); i > 0; i--) {
    const [name, needs, values] = pick(VALUES);
    if (isFirst && (name.startsWith('reg') || name === 'metadata')) continue;
    const f = field(name);
    if (needs.length > 0) {
      if (type !== null && (type[0] !== needs[0][0] || type[1] !== needs[0][1])) continue;
      type = needs[0];
    }
    let mask = fullMask(f);
    if (f.maskable && next(2)) {
      const prefix = BigInt(next(f.bits) + 1);
      mask = next(3) ? mask ^ ((1n << (BigInt(f.bits) - prefix)) - 1n) : BigInt(1 + next(255));
      mask &= fullMask(f);
    }
    if (name === 'vlan_tci' && (mask & 0x1000n) === 0n) mask |= 0x1000n;
    const write = fieldWrite(f, pick(values), mask);
    write.words.forEach((w, j) => {
      builder.set(w, write.values[j], write.masks[j]);
    });
  }
  if (type !== null) {
    builder.set(K.ETH_TYPE_PROTO, type[0] << 16, 0xffff0000);
    if (type[1] >= 0) builder.set(K.ETH_TYPE_PROTO, type[1] << 8, 0xff00);
  }
  return builder.build();
}

const HASHES: readonly HashFields[] = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'symmetric_l3',
  'nw_src',
  'nw_dst',
];
const FIELDS = [
  ['eth_src', 48],
  ['eth_dst', 48],
  ['vlan_vid', 12],
  ['vlan_pcp', 3],
  ['ip_src', 32],
  ['ip_dst', 32],
  ['ipv6_src', 128],
  ['nw_ttl', 8],
  ['ip_dscp', 6],
  ['tcp_src', 16],
  ['udp_dst', 16],
  ['icmp_type', 8],
  ['arp_spa', 32],
  ['arp_op', 8],
  ['nd_target', 128],
  ['mpls_label', 20],
  ['mpls_ttl', 8],
  ['pbb_isid', 24],
  ['eth_type', 16],
  ['nw_proto', 8],
  ['pkt_mark', 32],
  ['reg0', 32],
  ['reg1', 32],
  ['metadata', 64],
  ['tun_id', 64],
] as const;

function randomAction(table: number, depth: number): Action {
  const [name, bits] = pick(FIELDS);
  const [other, otherBits] = pick(FIELDS);
  const copied = Math.min(1 + next(16), bits, otherBits);
  const nested = (): Action[] => Array.from({ length: 1 + next(2) }, () => randomAction(table, 9));
  switch (next(depth > 2 ? 24 : 32)) {
    case 0:
    case 1:
    case 2:
      return { kind: 'output', port: ofPort(pick([1, 2, 3, 4, 0xfff8, 0xfffe])), maxBytes: 0 };
    case 3:
      return { kind: 'output', port: ofPort(pick([0xfffa, 0xfffb, 0xfffc])), maxBytes: 0 };
    case 4:
      return { kind: 'output', port: ofPort(0xfffd), maxBytes: 128 };
    case 5:
    case 6: {
      const mask = next(2) ? fullMask(field(name)) : BigInt(1 + next(255)) & fullMask(field(name));
      return { kind: 'setField', field: field(name), value: BigInt(next(256)) & mask, mask };
    }
    case 7:
      return { kind: 'move', src: sub(name, 0, copied), dst: sub(other, 0, copied) };
    case 8:
      return { kind: 'load', dst: sub(name, 0, copied), value: BigInt(next(1 << copied)) };
    case 9:
      return { kind: 'push', src: sub(name) };
    case 10:
      return { kind: 'pop', dst: sub(name) };
    case 11:
      return { kind: 'pushVlan', ethType: pick([0x8100, 0x88a8]) };
    case 12:
      return { kind: 'stripVlan' };
    case 13:
      return { kind: 'setVlanVid', vid: pick([10, 20]), pushIfNeeded: next(2) === 0 };
    case 14:
      return { kind: 'decTtl', controllerIds: [0] };
    case 15:
      return { kind: 'pushMpls', ethType: 0x8847 };
    case 16:
      return { kind: 'popMpls', ethType: pick([0x0800, 0x8847]) };
    case 17:
      return pick<Action>([
        { kind: 'copyTtlIn' },
        { kind: 'copyTtlOut' },
        { kind: 'decMplsTtl' },
        { kind: 'pushPbb', ethType: 0x88e7 },
        { kind: 'popPbb' },
      ]);
    case 18:
      return {
        kind: 'multipath',
        fields: pick(HASHES),
        basis: next(9),
        algorithm: pick(['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const),
        links: 1 + next(5),
        arg: 4,
        dst: sub('reg0', 0, 16),
      };
    case 19:
      return {
        kind: 'bundle',
        fields: pick(HASHES),
        basis: 0,
        algorithm: pick(['hrw', 'active_backup'] as const),
        members: [ofPort(2), ofPort(3), ofPort(4)],
        dst: null,
      };
    case 20:
      return { kind: 'outputReg', src: sub('reg0', 0, 3), maxBytes: 0 };
    case 21:
      return pick<Action>([
        { kind: 'setTpDst', port: 81 },
        { kind: 'setIpv4Src', address: 0x0a000001 },
        { kind: 'setEthDst', mac: MACS[0] },
        { kind: 'setIpTos', tos: 0x20 },
        { kind: 'setQueue', queue: 3 },
      ]);
    case 22:
      return {
        kind: 'learn',
        idleTimeoutSeconds: 0,
        hardTimeoutSeconds: 0,
        finIdleTimeoutSeconds: 0,
        finHardTimeoutSeconds: 0,
        priority: 1,
        cookie: 7n,
        table: 9,
        sendFlowRemoved: false,
        deleteLearned: false,
        limit: 0,
        resultDst: null,
        specs: [
          {
            kind: 'match',
            bits: 48,
            src: { kind: 'field', src: sub('eth_src') },
            dst: sub('eth_dst'),
          },
        ],
      };
    case 23:
      return { kind: 'exit' };
    case 24:
    case 25:
      return { kind: 'resubmit', port: null, table: table + next(3), withCt: false };
    case 26:
      return { kind: 'resubmit', port: ofPort(2), table: table + 1, withCt: false };
    case 27:
      return { kind: 'clone', actions: nested() };
    case 28:
      return { kind: 'group', groupId: 1 + next(4) };
    case 29:
      return { kind: 'checkPktLarger', bytes: 200, dst: sub('reg1', 0, 1) };
    case 30:
      return {
        kind: 'writeActions',
        actions: [
          { kind: 'output', port: ofPort(3), maxBytes: 0 },
          { kind: 'setField', field: field('eth_src'), value: 5n, mask: 0xffn },
        ],
      };
    default:
      return { kind: 'gotoTable', table: table + 1 };
  }
}

const mod = (
  table: number,
  priority: number,
  match: Match,
  actions: readonly Action[],
): FlowMod => ({
  command: 'add',
  tableId: table,
  priority,
  match,
  actions,
  newCookie: 0n,
  cookie: 0n,
  cookieMask: 0n,
  idleTimeoutSeconds: 0,
  hardTimeoutSeconds: 0,
  importance: 0,
  bufferId: 0xffffffff,
  outPort: null,
  outGroup: null,
  flags: NO_FLAGS,
  version: OfVersion.OF10,
});

function fill(bridge: Bridge): void {
  bridge.flushFlows();
  const bucket = (bucketId: number, actions: readonly Action[]) => ({
    bucketId,
    weight: 1 + next(3),
    watchPort: ofPort(2),
    watchGroup: null,
    actions,
  });
  const types = ['all', 'indirect', 'fastFailover', 'select'] as const;
  types.forEach((type, i) => {
    const buckets = [
      bucket(0, [randomAction(5, 9), { kind: 'output', port: ofPort(2), maxBytes: 0 }]),
    ];
    if (type !== 'indirect')
      buckets.push(bucket(1, [{ kind: 'output', port: ofPort(3), maxBytes: 0 }]));
    const selection =
      next(2) === 0
        ? null
        : {
            method: 'hash' as const,
            param: 0n,
            named: [],
            fields: new MatchBuilder().set(K.IPV4_SRC, 0).set(K.TP, 0, 0xffff).build(),
          };
    expect(
      applyGroupMod(bridge, {
        command: 'add',
        type,
        groupId: i + 1,
        buckets,
        commandBucketId: 0,
        selection: type === 'select' ? selection : null,
        version: OfVersion.OF13,
      }),
    ).toBeNull();
  });
  for (let table = 0; table < 4; table++) {
    for (let i = 0; i < 5; i++) {
      const actions = Array.from({ length: 1 + next(5) }, () => randomAction(table, table));
      // goto_table ends a list.
      const end = actions.findIndex((a) => a.kind === 'gotoTable');
      const list = end < 0 ? actions : actions.slice(0, end + 1);
      applyFlowMod(bridge, mod(table, i < 2 ? 5 : 10 + i, randomMatch(table === 0), list));
    }
    if (next(3) === 0) {
      for (let clause = 0; clause < 2; clause++) {
        applyFlowMod(
          bridge,
          mod(table, 40, randomMatch(false), [{ kind: 'conjunction', id: 1, clause, clauses: 2 }]),
        );
      }
      const found = new MatchBuilder().set(K.CONJ_ID, 1).build();
      applyFlowMod(
        bridge,
        mod(table, 1, found, [{ kind: 'output', port: ofPort(4), maxBytes: 0 }]),
      );
    }
  }
}

describe('translation through tables', () => {
  test(`bits outside the mask do not change the program, in ${PAIRS} pairs of tables and packets`, async () => {
    const lab = new Lab();
    const bridge = lab.bridge('br0');
    for (let p = 1; p <= 4; p++) await lab.port(bridge, `p${p}`, p);
    const scratch = new XlateScratch();
    const again = new XlateScratch();
    const programs = new Set<string>();
    let recirculated = 0;
    for (let pair = 0; pair < PAIRS; pair++) {
      if (pair % FLOWS_PER_TABLE === 0) {
        lab.switch.configure({ ...DEFAULT_SWITCH, vlanLimit: 1 + next(2) });
        fill(bridge);
      }
      const { flow, own } = randomFlow();
      const { program, mask, recircIds } = translate(lab.switch, flow, null, scratch);
      if (recircIds.length > 0) recirculated++;
      if (pair % 50 === 0) programs.add(program.join());
      for (let round = 0; round < 2; round++) {
        const other = flow.slice();
        for (const w of own) {
          // All bits that do not count at once, or a few of them.
          const noise = round === 0 ? words() : 1 << next(32);
          other[w] = (flow[w] ^ (noise & ~mask[w])) >>> 0;
        }
        const { program: same } = translate(lab.switch, other, null, again);
        if (sameWords(program, same)) continue;
        const changed = own.filter((w) => other[w] !== flow[w]);
        const details = changed.map(
          (w) => `${w}:${flow[w].toString(16)}>${other[w].toString(16)}/${mask[w].toString(16)}`,
        );
        expect.fail(
          `pair ${pair}, type ${flow[K.ETH_TYPE_PROTO].toString(16)}: ${formatProgram(program, flow)}\nbecame ${formatProgram(same, other)}\n${details}`,
        );
      }
    }
    // The pairs would prove little if most frames were dropped.
    expect(programs.size).toBeGreaterThan(300);
    expect(recirculated).toBeGreaterThan(1000);
    lab.switch.close();
  }, 7_200_000);
});
