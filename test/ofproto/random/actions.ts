/** Actions of every kind that translation carries out, made up. */
import type { Action, HashFields, Subfield } from '../../../src/flowtable/action.ts';
import { ofPort } from '../../../src/flowtable/of-port.ts';
import { fieldByName, fullMask } from '../../../src/packet/fields.ts';
import { type Chance, MACS } from './chance.ts';

const field = (name: string) => fieldByName(name)!;
const sub = (name: string, offset = 0, bits = field(name).bits): Subfield => ({
  field: field(name),
  offset,
  bits,
});

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
  ['tun_src', 32],
  ['tun_dst', 32],
  ['nw_ecn', 2],
  ['nw_tos', 8],
  ['ipv6_dst', 128],
  ['ipv6_label', 20],
  ['arp_tpa', 32],
  ['arp_sha', 48],
  ['arp_tha', 48],
  ['tcp_dst', 16],
  ['udp_src', 16],
  ['sctp_src', 16],
  ['sctp_dst', 16],
  ['icmp_code', 8],
  ['icmpv6_type', 8],
  ['nd_sll', 48],
  ['nd_tll', 48],
  ['mpls_tc', 3],
  ['mpls_bos', 1],
  ['xreg1', 64],
  ['xxreg1', 128],
] as const;

const TO_CONTROLLER = {
  maxBytes: 128,
  controllerId: 0,
  reason: 'action',
  userdata: null,
} as const;

export function randomAction(chance: Chance, table: number, depth: number): Action {
  const { next, pick } = chance;
  const [name, bits] = pick(FIELDS);
  const [other, otherBits] = pick(FIELDS);
  const copied = Math.min(1 + next(16), bits, otherBits);
  const nested = (): Action[] =>
    Array.from({ length: 1 + next(2) }, () => randomAction(chance, table, 9));
  switch (next(depth > 2 ? 27 : 36)) {
    case 0:
    case 1:
    case 2:
      return {
        kind: 'output',
        port: ofPort(pick([1, 2, 3, 4, 5, 5, 11, 0xfff8, 0xfffe])),
        maxBytes: 0,
      };
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
      return pick<Action>([
        { kind: 'outputTrunc', port: ofPort(pick([2, 3, 5, 0xfff8])), maxBytes: 100 },
        { kind: 'enqueue', port: ofPort(pick([2, 5])), queue: 1 },
        { kind: 'controller', ...TO_CONTROLLER, meterId: pick([null, 1]), pause: next(4) === 0 },
        { kind: 'meter', meterId: 1 + next(2) },
        { kind: 'clearActions' },
        {
          kind: 'writeMetadata',
          value: BigInt(next(3)),
          mask: pick([3n, fullMask(sub('metadata').field)]),
        },
        { kind: 'finTimeout', idleSeconds: 1, hardSeconds: 2 },
        {
          kind: 'sample',
          probability: 0xffff,
          collectorSet: 1,
          obsDomain: 0,
          obsPoint: 0,
          samplingPort: null,
          direction: 'default',
        },
        { kind: 'note', data: new Uint8Array(6) },
        { kind: 'ctClear' },
        { kind: 'debugRecirc' },
        { kind: 'popQueue' },
        { kind: 'deleteField', field: field('tun_metadata0') },
        { kind: 'drop' },
      ]);
    case 25:
      return pick<Action>([
        { kind: 'setVlanPcp', pcp: 2, pushIfNeeded: next(2) === 0 },
        { kind: 'setEthSrc', mac: MACS[1] },
        { kind: 'setIpv4Dst', address: 0x0a000002 },
        { kind: 'setIpEcn', ecn: next(4) },
        { kind: 'setIpTtl', ttl: next(3) },
        { kind: 'setTpSrc', port: 53 },
        { kind: 'setMplsLabel', label: 16 },
        { kind: 'setMplsTc', tc: 1 },
        { kind: 'setMplsTtl', ttl: next(3) },
        { kind: 'setTunnel', id: 2n, is64: true },
        { kind: 'copyTtlIn' },
        { kind: 'decMplsTtl' },
        {
          kind: 'bundle',
          fields: pick(HASHES),
          basis: 0,
          algorithm: 'hrw',
          members: [ofPort(2), ofPort(3), ofPort(99)],
          dst: sub('reg1', 0, 16),
        },
      ]);
    case 26: {
      const to = pick(['eth_dst', 'reg0', 'arp_spa', 'ip_src', 'tun_id', 'vlan_vid'] as const);
      return {
        kind: 'learn',
        idleTimeoutSeconds: 1,
        hardTimeoutSeconds: 0,
        finIdleTimeoutSeconds: next(2),
        finHardTimeoutSeconds: 0,
        priority: 1 + next(3),
        cookie: 8n,
        table: 9,
        sendFlowRemoved: false,
        deleteLearned: false,
        limit: pick([0, 3]),
        resultDst: pick([null, sub('reg1', 0, 1)]),
        specs: [
          {
            kind: 'match',
            bits: 12,
            src: { kind: 'field', src: sub('vlan_vid') },
            dst: sub('vlan_vid'),
          },
          {
            kind: 'load',
            bits: Math.min(12, field(to).bits),
            src: pick([
              { kind: 'field', src: sub(name, 0, Math.min(12, bits)) },
              { kind: 'value', value: 5n },
            ]),
            dst: sub(to, 0, Math.min(12, field(to).bits)),
          },
          { kind: 'output', bits: 16, src: { kind: 'field', src: sub('in_port', 0, 16) } },
        ],
      };
    }
    case 27:
    case 28:
      return { kind: 'resubmit', port: null, table: pick([table + next(3), 9]), withCt: false };
    case 29:
      return { kind: 'resubmit', port: ofPort(2), table: table + 1, withCt: false };
    case 30:
      return { kind: 'clone', actions: nested() };
    case 31:
      return { kind: 'group', groupId: 1 + next(4) };
    case 32:
      return { kind: 'checkPktLarger', bytes: 200, dst: sub('reg1', 0, 1) };
    case 33:
      return {
        kind: 'writeActions',
        actions: [
          { kind: 'output', port: ofPort(3), maxBytes: 0 },
          { kind: 'setField', field: field('eth_src'), value: 5n, mask: 0xffn },
        ],
      };
    case 34:
      return { kind: 'resubmit', port: null, table: null, withCt: false };
    case 35:
      return { kind: 'checkPktLarger', bytes: 1500, dst: sub('reg0', 3, 1) };
    default:
      return { kind: 'gotoTable', table: table + 1 };
  }
}
