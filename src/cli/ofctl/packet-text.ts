/** Packets to and from controllers, and what a flow monitor tells. */
import { matchOf } from '../../flowtable/match.ts';
import { MatchFields, namedField } from '../../ofproto/codec/match-fields.ts';
import type { MessageOf } from '../../ofproto/codec/messages.ts';
import type { PacketInReason, PacketOut } from '../../ofproto/model.ts';
import { NO_BUFFER } from '../../ofproto/model.ts';
import { formatActions } from '../../ofproto/text/actions-text.ts';
import { formatPort } from '../../ofproto/text/field-text.ts';
import { formatMatch } from '../../ofproto/text/match-text.ts';
import { keyOf } from '../../packet/extract.ts';
import { FLOW_WORDS, OF_IN_PORT, PACKET_TYPE, VLAN0, VLAN1 } from '../../packet/key.ts';
import { type FlowTextOptions, hex } from './flow-text.ts';

const REASONS: Readonly<Record<PacketInReason, string>> = {
  noMatch: 'no_match',
  action: 'action',
  invalidTtl: 'invalid_ttl',
  actionSet: 'action_set',
  group: 'group',
  packetOut: 'packet_out',
  explicitMiss: 'no_match',
  implicitMiss: 'no_match',
};

const SHOWN =
  'eth_type eth_src eth_dst nw_src nw_dst ipv6_src ipv6_dst ipv6_label nw_proto nw_tos nw_ecn nw_ttl ip_frag arp_op arp_spa arp_tpa arp_sha arp_tha tcp_src tcp_dst udp_src udp_dst sctp_src sctp_dst icmp_type icmp_code icmpv6_type icmpv6_code tcp_flags nd_target nd_sll nd_tll'.split(
    ' ',
  );

const VLAN_MASK = 0xffff;

/** The headers of a frame, all of them exact. */
function frameText(frame: Uint8Array): string {
  const key = keyOf(frame, 0);
  const all = MatchFields.of(
    matchOf(key, new Uint32Array(FLOW_WORDS).fill(0xffffffff), key.length),
  );
  const fields = new MatchFields();
  fields.setWord(PACKET_TYPE, 0, 0xffffffff);
  const isTagged = (all.word(VLAN0) & VLAN_MASK) !== 0;
  for (const word of isTagged ? [VLAN0, VLAN1] : [VLAN0]) {
    fields.setWord(word, all.word(word) & VLAN_MASK, VLAN_MASK);
  }
  for (const name of SHOWN) {
    const field = namedField(name);
    if (fields.allows(field.prerequisite)) fields.set(field, all.value(field));
  }
  return `${formatMatch(fields.build())}${checksumText(frame, fields)}`;
}

const TAG_TYPES = [0x8100, 0x88a8];
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** By protocol: the name, and where in the header the checksum lies. */
const CHECKSUMS: Readonly<Record<number, readonly [name: string, offset: number]>> = {
  1: ['icmp_csum', 2],
  6: ['tcp_csum', 16],
  17: ['udp_csum', 6],
  58: ['icmp6_csum', 2],
};

/** ` tcp_csum:1f`, as it is in the frame; empty where there is none. */
function checksumText(frame: Uint8Array, fields: MatchFields): string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let at = 12;
  while (at + 2 <= frame.length && TAG_TYPES.includes(view.getUint16(at))) at += 4;
  const known = CHECKSUMS[fields.ipProto];
  const hasPorts = ['tcp', 'udp', 'icmpv4', 'icmpv6'].some((name) =>
    fields.allows(name as Parameters<MatchFields['allows']>[0]),
  );
  if (known === undefined || !hasPorts || at + 3 > frame.length) return '';
  const type = view.getUint16(at);
  const header = type === IPV4 ? (frame[at + 2] & 15) * 4 : type === IPV6 ? 40 : 0;
  const sum = at + 2 + header + known[1];
  if (header === 0 || sum + 2 > frame.length) return '';
  return ` ${known[0]}:${view.getUint16(sum).toString(16)}`;
}

export function packetInText(m: MessageOf<'packetIn'>): string {
  const { packetIn: p, totalLength, bufferId } = m;
  const table = p.tableId === 255 || p.tableId === 0 ? '' : ` table_id=${p.tableId}`;
  const known = p.cookie !== 0xffff_ffff_ffff_ffffn;
  const cookie = known ? ` cookie=${hex(p.cookie)}` : '';
  const metadata = formatMatch(p.match);
  const buffer = bufferId === NO_BUFFER ? '(unbuffered)' : `buffer=0x${hex8(bufferId)}`;
  const userdata =
    p.userdata === null
      ? ''
      : ` userdata=${Array.from(p.userdata, (b) => b.toString(16).padStart(2, '0')).join('.')}\n`;
  return (
    `${table}${cookie} total_len=${totalLength} ${metadata} (via ${REASONS[p.reason]}) ` +
    `data_len=${p.frame.length} ${buffer}\n${userdata}${frameText(p.frame)}\n`
  );
}

const hex8 = (n: number): string => n.toString(16).padStart(8, '0');

export function packetOutText(out: PacketOut, names: FlowTextOptions): string {
  const fields = MatchFields.of(out.match);
  const port =
    fields.maskWord(OF_IN_PORT) === 0
      ? `in_port=${formatPort(out.inPort, names)}`
      : formatMatch(out.match, names);
  const data =
    out.bufferId === NO_BUFFER
      ? ` data_len=${out.data.length}\n${frameText(out.data)}\n`
      : ` buffer=0x${hex8(out.bufferId)}\n`;
  return ` ${port} actions=${formatActions(out.actions, names)}${data}`;
}

type Update = MessageOf<'flowMonitorReply'>['entries'][number];

const EVENTS = { initial: 'INITIAL', added: 'ADDED', modified: 'MODIFIED' } as const;
const REMOVED = {
  idleTimeout: 'idle',
  hardTimeout: 'hard',
  delete: 'delete',
  groupDelete: 'group_delete',
  meterDelete: 'meter_delete',
  eviction: 'eviction',
} as const;

export function updateText(update: Update, names: FlowTextOptions): string {
  if (update.event === 'abbreviated') return ` event=ABBREV xid=${hex(update.xid)}\n`;
  if (update.event === 'paused' || update.event === 'resumed') {
    return ` event=${update.event.toUpperCase()}\n`;
  }
  const event =
    update.event === 'removed'
      ? `DELETED reason=${REMOVED[update.reason ?? 'delete']}`
      : EVENTS[update.event];
  const idle = update.idleTimeoutSeconds === 0 ? '' : ` idle_timeout=${update.idleTimeoutSeconds}`;
  const hard = update.hardTimeoutSeconds === 0 ? '' : ` hard_timeout=${update.hardTimeoutSeconds}`;
  const cookie = update.cookie === 0n ? '0' : hex(update.cookie);
  const match = formatMatch(update.match, names);
  const actions =
    update.actions.length === 0 ? '' : ` actions=${formatActions(update.actions, names)}`;
  return ` event=${event} table=${update.tableId}${idle}${hard} cookie=${cookie}${match === '' ? '' : ` ${match}`}${actions}\n`;
}
