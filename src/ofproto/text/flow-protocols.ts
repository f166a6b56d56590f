/**
 * In which flow formats a flow can be said, as ovs-ofctl(8) counts them ("Flow Format", -F): a bit for each. What a match or an action cannot be
 * said in is known here; that actions fit the match is checked with the switch's own check.
 */
import type { Action } from '../../flowtable/action.ts';
import { type Match, wordOf } from '../../flowtable/match.ts';
import type { Field } from '../../packet/fields.ts';
import * as K from '../../packet/key.ts';
import { type FlowFilter, type FlowMod, OFPTT_ALL, OfVersion } from '../model.ts';
import { type ActionHost, checkActions } from '../tables/check-actions.ts';
import { fault } from './syntax.ts';

/** Bits, in the order in which they are tried. 1.0 and Nicira's extensions of it have two: without and with the table's id. */
const FORMATS = [
  'OpenFlow10-table_id',
  'OpenFlow10+table_id',
  'NXM-table_id',
  'NXM+table_id',
  'OpenFlow11',
  'OXM-OpenFlow12',
  'OXM-OpenFlow13',
  'OXM-OpenFlow14',
  'OXM-OpenFlow15',
] as const;

const OPENFLOW10 = 0x003;
export const NXM = 0x00c;
const OXM = 0x1e0;
export const ANY_FORMAT = 0x1ff;
const WITH_TABLE_ID = ANY_FORMAT & ~0x005;
const OF10_ANY = OPENFLOW10 | NXM;
const OF11_UP = 0x1f0;
const OF13_UP = 0x1c0;
const OF15_UP = 0x100;
const NXM_OXM = NXM | OXM;
const NXM_OF11_UP = NXM | OF11_UP;

const ABBREVIATIONS = [
  ['any', ANY_FORMAT],
  ['OpenFlow10', OPENFLOW10],
  ['NXM', NXM],
  ['OXM', OXM],
] as const;

/** Formats of a version. */
export const formatsOf = (version: OfVersion): number =>
  version === OfVersion.OF10 ? OF10_ANY : 1 << (version + 2);

/** As an error lists them. */
export function formatsText(formats: number): string {
  const names: string[] = [];
  let left = formats;
  for (const [name, bits] of ABBREVIATIONS) {
    if ((left & bits) !== bits) continue;
    names.push(name);
    left &= ~bits;
  }
  for (const [i, name] of FORMATS.entries()) if ((left >>> i) & 1) names.push(name);
  return names.length === 0 ? 'none' : names.join(',');
}

/** The formats that -F names. Throws a SyntaxFault. */
export const formatsFrom = (text: string): number =>
  text
    .split(',')
    .filter((name) => name !== '')
    .reduce((bits, name) => bits | formatNamed(name), 0);

function formatNamed(name: string): number {
  const short = ABBREVIATIONS.find(([one]) => one.toLowerCase() === name.toLowerCase());
  if (short !== undefined) return short[1];
  const at = FORMATS.findIndex((one) => one.toLowerCase() === name.toLowerCase());
  return at >= 0 ? 1 << at : fault(`${name}: unknown flow protocol`);
}

const isPrefix = (mask: number): boolean => ((~mask >>> 0) & ((~mask >>> 0) + 1)) === 0;
const wholeOrNone = (mask: number): boolean => mask === 0 || mask === 0xffff;

/** How version 1.0 matches VLANs: by the id, the priority, both, or the absence of a tag. */
const VLAN_MASKS = new Set([0xffff, 0x1fff, 0xf000]);

/** Formats in which the bits of a word that `mask` has can be matched. */
function formatsOfWord(match: Match, word: number, value: number, mask: number): number {
  const ethType = wordOf(match, K.ETH_TYPE_PROTO).value >>> 16;
  const ofIp = ethType === 0x86dd ? NXM_OXM : ANY_FORMAT;
  switch (word) {
    case K.OF_IN_PORT:
      return ANY_FORMAT;
    case K.PACKET_TYPE:
      return value === 0 ? ANY_FORMAT : NXM_OXM;
    case K.ETH_DST:
    case K.ETH_SRC:
      return mask === 0xffffffff ? ANY_FORMAT : NXM_OF11_UP;
    case K.ETH_DST_SRC:
      return wholeOrNone(mask >>> 16) && wholeOrNone(mask & 0xffff) ? ANY_FORMAT : NXM_OF11_UP;
    case K.VLAN0:
      return VLAN_MASKS.has(mask) ? ANY_FORMAT : NXM_OXM;
    case K.ETH_TYPE_PROTO:
      if ((mask & 0xff) !== 0) return NXM_OXM;
      return (mask & 0xff00) === 0 ? ANY_FORMAT : ofIp;
    case K.TOS_TTL:
      if ((mask & 0x00ffffff) !== 0) return NXM_OXM;
      return (mask & 0x03000000) === 0 ? ofIp : ofIp & NXM_OF11_UP;
    case K.IPV4_SRC:
    case K.IPV4_DST:
      return isPrefix(mask) ? ANY_FORMAT : NXM_OF11_UP;
    case K.TP: {
      if (!wholeOrNone(mask >>> 16) || !wholeOrNone(mask & 0xffff)) return NXM_OXM;
      const isSctp = ((wordOf(match, K.ETH_TYPE_PROTO).value >>> 8) & 0xff) === 132;
      return isSctp ? ofIp & NXM_OF11_UP : ofIp;
    }
    case K.METADATA:
    case K.METADATA + 1:
      return NXM_OF11_UP;
    case K.MPLS_LSE:
      return (mask & 0x1ff) === 0 ? NXM_OF11_UP : NXM_OXM;
    default:
      return NXM_OXM;
  }
}

function formatsOfMatch(match: Match): number {
  let formats = ANY_FORMAT;
  for (let i = 0; i < match.words.length; i++) {
    formats &= formatsOfWord(match, match.words[i], match.values[i], match.masks[i]);
  }
  return formats;
}

/** Fields that each version can set with a word of its own. */
const SETTABLE_ANYHOW = new Set([
  ...[
    'eth_src',
    'eth_dst',
    'vlan_vid',
    'vlan_pcp',
    'vlan_tci',
    'dl_vlan',
    'dl_vlan_pcp',
    'in_port',
  ],
  ...['ip_src', 'ip_dst', 'nw_tos', 'ip_dscp', 'tcp_src', 'tcp_dst', 'udp_src', 'udp_dst'],
  ...['icmp_type', 'icmp_code', 'arp_op', 'arp_spa', 'arp_tpa', 'eth_type', 'nw_proto'],
]);
const SETTABLE_SINCE11 = new Set([
  ...['metadata', 'in_port_oxm', 'mpls_label', 'mpls_tc', 'nw_ecn', 'sctp_src', 'sctp_dst'],
]);

function formatsToSet(field: Field): number {
  if (SETTABLE_ANYHOW.has(field.name)) return ANY_FORMAT;
  return SETTABLE_SINCE11.has(field.name) ? NXM_OF11_UP : NXM_OXM;
}

function formatsOfAction(action: Action, isInstruction: boolean): number {
  switch (action.kind) {
    case 'setField':
      return formatsToSet(action.field);
    case 'pushVlan':
    case 'decap':
    case 'decNshTtl':
    case 'copyTtlIn':
    case 'copyTtlOut':
    case 'pushPbb':
    case 'popPbb':
      return OF11_UP;
    case 'encap':
      return OF13_UP;
    case 'meter':
      return isInstruction ? OF13_UP : OF15_UP;
    case 'writeMetadata':
      return NXM_OF11_UP;
    case 'clone':
    case 'ct':
    case 'writeActions':
      return formatsOfActions(action.actions);
    default:
      return ANY_FORMAT;
  }
}

/** Formats of a list of actions; a flow's own list holds its instructions, too. */
export const formatsOfActions = (actions: readonly Action[], areInstructions = false): number =>
  actions.reduce((bits, one) => bits & formatsOfAction(one, areInstructions), ANY_FORMAT);

/** A switch that has all groups and meters: what the real one has is for it to say. */
const ANY_SWITCH: ActionHost = {
  groups: { find: () => true },
  meters: { find: () => true },
  vlanLimit: 2,
  tableCount: 256,
};

/** Throws a SyntaxFault for actions that no switch takes in a flow of this match. */
function formatsOfConsistency(flow: FlowMod): number {
  const { actions, match } = flow;
  const tableId = flow.tableId === OFPTT_ALL ? null : flow.tableId;
  const refused = (version: OfVersion): string | undefined =>
    checkActions(ANY_SWITCH, actions, match, tableId, version)?.error;
  const error = refused(OfVersion.OF10);
  if (error !== undefined) fault(`actions are invalid with specified match (${error})`);
  return refused(OfVersion.OF13) === undefined ? ANY_FORMAT : OF10_ANY;
}

/** Formats in which a flow can be given to a switch. Throws a SyntaxFault where there is none. */
export function usableFormats(flow: FlowMod): number {
  const { flags, outGroup, cookieMask, tableId, command } = flow;
  let formats = formatsOfMatch(flow.match) & formatsOfActions(flow.actions, true);
  if (flags.resetCounts) formats &= OXM;
  if (flags.noPacketCounts || flags.noByteCounts) formats &= OF13_UP;
  if (outGroup !== null) formats &= OF11_UP;
  if (cookieMask !== 0n) formats &= NXM_OF11_UP;
  if (tableId !== OFPTT_ALL && (tableId !== 0 || command !== 'add')) formats &= WITH_TABLE_ID;
  if (flow.actions.length > 0) formats &= formatsOfConsistency(flow);
  return formats !== 0
    ? formats
    : fault('actions are invalid with specified match (OFPBAC_MATCH_INCONSISTENT)');
}

/** Formats in which flows can be asked for; without a table's id where 1.0 is spoken. */
export function usableToAsk({ match, outGroup, cookieMask }: FlowFilter): number {
  let formats = formatsOfMatch(match);
  if (outGroup !== null) formats &= OF11_UP;
  if (cookieMask !== 0n) formats &= NXM_OF11_UP;
  return formats;
}
