/**
 * The text of an action program as Open vSwitch writes datapath actions: `push_vlan(vid=10,pcp=0),2`.
 *
 * SET names key words; neighbouring ones are gathered into one set(...) per header, as the original has it.
 */
import { hex } from '../packet/flow-fields-text.ts';
import { tunnelText } from '../packet/flow-metadata-text.ts';
import { formatFlowParts, vlanFields } from '../packet/flow-text.ts';
import {
  DP_WORDS,
  ETH_TYPE_PROTO,
  MPLS_LSE,
  ND_OPTIONS,
  ND_RESERVED,
  PBB_ISID,
  PKT_MARK,
  SKB_PRIORITY,
  TP,
  VLAN0,
  VLAN1,
} from '../packet/key.ts';
import {
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MULTICAST,
  ETH_TYPE_PBB,
  ETH_TYPE_VLAN,
  IP_PROTO_ICMP,
  IP_PROTO_ICMPV6,
} from '../packet/protocol.ts';
import { CookieKind, HashKind, Op, PacketInFlag } from './program.ts';
import { tunnelPushText } from './tunnel-push-text.ts';

export interface ProgramTextOptions {
  /** Name of a datapath port, for `--names`; numbers are written without it. */
  portName?: (port: number) => string | undefined;
}

/** `key` (DP_WORDS words) of a frame that the program is for: SET of a word means ipv4() or ipv6() by its type. */
export function formatProgram(
  program: ArrayLike<number>,
  key: ArrayLike<number>,
  options: ProgramTextOptions = {},
): string {
  const parts = steps(program, 0, program.length, key, options);
  return parts.length === 0 ? 'drop' : parts.join(',');
}

function steps(
  program: ArrayLike<number>,
  from: number,
  end: number,
  original: ArrayLike<number>,
  options: ProgramTextOptions,
): string[] {
  // Follows the program, so that SET behind a change of headers is written by what the frame then is.
  const key = Uint32Array.from(original);
  const parts: string[] = [];
  let at = from;
  while (at < end) {
    const words = program[at] >>> 8;
    if (words === 0) break;
    const a = program[at + 1];
    switch (program[at] & 255) {
      case Op.OUTPUT:
        parts.push(options.portName?.(a) ?? String(a));
        break;
      case Op.PUSH_VLAN: {
        const tpid = a >>> 16 === ETH_TYPE_VLAN ? '' : `tpid=0x${(a >>> 16).toString(16)},`;
        parts.push(`push_vlan(${tpid}${pushFields(a & 0xffff)})`);
        break;
      }
      case Op.POP_VLAN:
        parts.push('pop_vlan');
        break;
      case Op.SET: {
        const next = setsUntil(program, at, end);
        parts.push(...sets(program, at, next, key));
        at = next;
        continue;
      }
      case Op.USERSPACE:
        parts.push(`userspace(pid=0,${cookieText(program, at + 1, words - 1)})`);
        break;
      case Op.TRUNC:
        parts.push(`trunc(${a})`);
        break;
      case Op.RECIRC:
        parts.push(`recirc(${a === 0 ? '0' : `0x${(a >>> 0).toString(16)}`})`);
        break;
      case Op.CLONE:
        parts.push(`clone(${nested(program, at + 1, at + words, key, options)})`);
        break;
      case Op.SAMPLE: {
        const percent = ((a >>> 0) / 0xffffffff) * 100;
        const inside = nested(program, at + 2, at + words, key, options);
        parts.push(`sample(sample=${percent.toFixed(1)}%,actions(${inside}))`);
        break;
      }
      case Op.CHECK_PKT_LEN: {
        const middle = at + 3 + program[at + 2];
        const longer = nested(program, at + 3, middle, key, options);
        const others = nested(program, middle, at + words, key, options);
        parts.push(`check_pkt_len(size=${a},gt(${longer}),le(${others}))`);
        break;
      }
      case Op.PUSH_MPLS:
        parts.push(`push_mpls(${lseText(program[at + 2])},eth_type=0x${a.toString(16)})`);
        if (!isMpls(key)) key.fill(0, MPLS_LSE, MPLS_LSE + 3);
        key.copyWithin(MPLS_LSE + 1, MPLS_LSE, MPLS_LSE + 2);
        key[MPLS_LSE] = program[at + 2];
        key[ETH_TYPE_PROTO] = a << 16;
        break;
      case Op.POP_MPLS:
        parts.push(`pop_mpls(eth_type=0x${a.toString(16)})`);
        key.copyWithin(MPLS_LSE, MPLS_LSE + 1, MPLS_LSE + 3);
        key[ETH_TYPE_PROTO] = a << 16;
        break;
      case Op.SET_TUNNEL: {
        const tunnel = new Uint32Array(DP_WORDS);
        for (let i = at + 1; i + 1 < at + words; i += 2) tunnel[program[i]] = program[i + 1];
        parts.push(`set(${tunnelText(tunnel)})`);
        break;
      }
      case Op.TNL_PUSH:
        parts.push(tunnelPushText(program, at, options.portName));
        break;
      case Op.TNL_POP:
        parts.push(`tnl_pop(${options.portName?.(a) ?? a})`);
        break;
      case Op.METER:
        parts.push(`meter(${a >>> 0})`);
        break;
      case Op.HASH:
        parts.push(`hash(${a === HashKind.L4 ? 'l4' : 'sym_l4'}(${program[at + 2] >>> 0}))`);
        break;
      // The original has none of these four.
      case Op.PUSH_PBB:
        parts.push(`push_pbb(isid=0x${a.toString(16)})`);
        key[ETH_TYPE_PROTO] = ETH_TYPE_PBB << 16;
        break;
      case Op.POP_PBB:
        parts.push('pop_pbb');
        break;
      case Op.COPY_TTL_OUT:
        parts.push('copy_ttl_out');
        break;
      case Op.COPY_TTL_IN:
        parts.push('copy_ttl_in');
        break;
      // DROP: a program that does nothing is written "drop", and one that does something has no need of it.
    }
    at += words;
  }
  return parts;
}

/** Takes the bits that are not set from the frame, and remembers what it has from now on. */
function fill(word: number, values: Uint32Array, masks: Uint32Array, key: Uint32Array): void {
  values[word] = (key[word] & ~masks[word]) | (values[word] & masks[word]);
  masks[word] = 0xffffffff;
  key[word] = values[word];
}

const isMpls = (key: Uint32Array): boolean => {
  const type = key[ETH_TYPE_PROTO] >>> 16;
  return type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MULTICAST;
};

const nested = (
  program: ArrayLike<number>,
  from: number,
  end: number,
  key: ArrayLike<number>,
  options: ProgramTextOptions,
): string => steps(program, from, end, key, options).join(',') || 'drop';

const lseText = (lse: number): string =>
  `label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1}`;

const SLOW_PATH_NAMES = ['cfm', 'bfd', 'lacp', 'stp', 'lldp', 'action', 'match'];

/** What stands behind "pid=0,": the cookie by its kind (program.ts). */
function cookieText(program: ArrayLike<number>, at: number, words: number): string {
  const cookie = (i: number): number => (i + 1 < words ? program[at + 1 + i] >>> 0 : 0);
  switch (program[at]) {
    case CookieKind.SLOW_PATH:
      return `slow_path(${SLOW_PATH_NAMES.filter((_, bit) => cookie(0) & (1 << bit)).join(',')})`;
    case CookieKind.CONTROLLER: {
      const flags = cookie(0);
      const ruleCookie = (BigInt(cookie(3)) << 32n) | BigInt(cookie(4));
      return (
        `controller(reason=${cookie(1)},dont_send=${flags & PacketInFlag.DONT_SEND ? 1 : 0}` +
        `,continuation=${flags & PacketInFlag.CONTINUATION ? 1 : 0},recirc_id=${cookie(2)}` +
        `,rule_cookie=${ruleCookie === 0n ? '0' : `0x${ruleCookie.toString(16)}`},controller_id=${cookie(5)},max_len=${cookie(6)})`
      );
    }
    case CookieKind.SFLOW: {
      const tci = cookie(0);
      return `sFlow(vid=${tci & 0xfff},pcp=${(tci >>> 13) & 7},output=${cookie(1)})`;
    }
    case CookieKind.FLOW_SAMPLE:
      return (
        `flow_sample(probability=${cookie(0)},collector_set_id=${cookie(1)}` +
        `,obs_domain_id=${cookie(2)},obs_point_id=${cookie(3)},output_port=${cookie(4)}` +
        `${['', ',ingress', ',egress'][cookie(5)] ?? ''})`
      );
    case CookieKind.IPFIX:
      return `ipfix(output_port=${cookie(0)})`;
    default: {
      let digits = '';
      for (let i = 0; i < words - 1; i++) digits += cookie(i).toString(16).padStart(8, '0');
      return `userdata(${digits})`;
    }
  }
}

/** push_vlan always writes both numbers. */
const pushFields = (tci: number): string =>
  `vid=${tci & 0xfff},pcp=${(tci >>> 13) & 7}${tci & 0x1000 ? '' : ',cfi=0'}`;

function setsUntil(program: ArrayLike<number>, from: number, end: number): number {
  let at = from;
  while (at < end && (program[at] & 255) === Op.SET) at += program[at] >>> 8;
  return at;
}

function sets(program: ArrayLike<number>, from: number, end: number, key: Uint32Array): string[] {
  const values = Uint32Array.from(key).slice(0, DP_WORDS);
  const masks = new Uint32Array(DP_WORDS);
  let priority: number | undefined;
  const written: number[] = [];
  for (let at = from; at < end; at += program[at] >>> 8) {
    const word = program[at + 1];
    const mask = program[at + 3];
    if (word === SKB_PRIORITY) {
      priority = program[at + 2];
      continue;
    }
    // What an earlier SET of this run wrote stays where this one does not write.
    // The Ethernet type beside ARP's operation tells what header it is.
    const before = masks[word] === 0 && word !== ETH_TYPE_PROTO ? 0 : values[word];
    values[word] = (before & ~mask) | (program[at + 2] & mask);
    masks[word] |= mask;
    if (!written.includes(word)) written.push(word);
  }
  const parts: string[] = [];
  for (const word of [VLAN0, VLAN1]) {
    if (masks[word] === 0) continue;
    parts.push(`set(vlan(${vlanFields(values[word] | 0x1000, masks[word])}))`);
  }
  values[VLAN0] = values[VLAN1] = 0;
  // Of a label stack entry, and of ICMP's type and code, always all fields are written.
  for (let word = MPLS_LSE; word < MPLS_LSE + 3; word++) {
    if (masks[word] === 0) values[word] = key[word];
    else fill(word, values, masks, key);
  }
  const proto = (key[ETH_TYPE_PROTO] >>> 8) & 255;
  const isIcmp = proto === IP_PROTO_ICMP || proto === IP_PROTO_ICMPV6;
  if (isIcmp && masks[TP] !== 0) fill(TP, values, masks, key);
  const mark = masks[PKT_MARK];
  masks[PKT_MARK] = 0;
  // formatFlow writes only what the masks cover.
  for (const part of formatFlowParts(values, masks)) parts.push(`set(${part})`);
  if (masks[PBB_ISID] !== 0) parts.push(`set(pbb(isid=${hex(values[PBB_ISID] & 0xffffff)}))`);
  const nd: string[] = [];
  if (masks[ND_RESERVED] !== 0) nd.push(`nd_reserved=${hex(values[ND_RESERVED])}`);
  if (masks[ND_OPTIONS] !== 0) nd.push(`nd_options_type=${values[ND_OPTIONS] >>> 24}`);
  if (nd.length > 0) parts.push(`set(nd_ext(${nd.join(',')}))`);
  if (priority !== undefined) parts.push(`set(skb_priority(${hex(priority)}))`);
  if (mark !== 0) {
    masks.fill(0);
    masks[PKT_MARK] = mark;
    for (const part of formatFlowParts(values, masks)) parts.push(`set(${part})`);
  }
  return parts;
}
