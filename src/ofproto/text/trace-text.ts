/**
 * The text of a trace: what was done in which order, the flow at the beginning and at the end, and the megaflow. The indentation
 * is Open vSwitch's, which its tests compare letter by letter: what follows the last entry of a list is not indented further.
 */
import { type Match, matchOf } from '../../flowtable/match.ts';
import * as K from '../../packet/key.ts';
import * as P from '../../packet/protocol.ts';
import type { FlowMod } from '../model.ts';
import type { TraceNode } from '../xlate/trace.ts';
import { formatActions } from './actions-text.ts';
import { formatSubfield, formatValue, hexadecimal } from './field-text.ts';
import { formatMatch, type MatchTextOptions } from './match-text.ts';

const INDENT = 4;

/** What stands behind these stays beside them; the others contain what follows. */
const TERMINAL: ReadonlySet<TraceNode['kind']> = new Set([
  'action',
  'detail',
  'learned',
  'subfield',
  'warn',
  'error',
  'bucket',
] as const);

/** Lines for `nodes`, each with its line end. */
export function formatTrace(nodes: readonly TraceNode[], names: MatchTextOptions = {}): string {
  return lines(nodes, 0, names);
}

/** What happens within an action is told behind it, in the same list. */
const flattened = (nodes: readonly TraceNode[]): TraceNode[] =>
  nodes.flatMap((node) => (node.kind === 'action' ? [node, ...flattened(node.children)] : [node]));

function lines(nested: readonly TraceNode[], level: number, names: MatchTextOptions): string {
  const nodes = flattened(nested);
  let out = '';
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    const more = i + 1 < nodes.length || TERMINAL.has(node.kind) ? 1 : 0;
    const margin = ' '.repeat((level + more) * INDENT);
    const text = nodeText(node, names);
    if (node.kind === 'bridge') out += `\n${margin}${text}\n${margin}${'-'.repeat(text.length)}\n`;
    else out += `${margin}${framed(node, text)}\n`;
    if (node.kind !== 'action') out += lines(node.children, level + 2 * more, names);
  }
  return out;
}

function framed(node: TraceNode, text: string): string {
  switch (node.kind) {
    case 'detail':
    case 'learned':
    case 'subfield':
      return ` -> ${text}`;
    case 'warn':
      return ` >> ${text}`;
    case 'error':
      return ` >>>> ${text} <<<<`;
    default:
      return text;
  }
}

function nodeText(node: TraceNode, names: MatchTextOptions): string {
  const { text, action, actions, mod, written, rule } = node;
  if (text !== '') {
    if (actions === null) return text;
    const separator = node.kind === 'thaw' ? ' ' : ': ';
    return `${text}${separator}${formatActions(actions)}`;
  }
  if (action !== null) return formatActions([action], names);
  if (mod !== null) return learnedText(mod, names);
  if (written !== null) {
    const { sub, value } = written;
    const isWhole = sub.offset === 0 && sub.bits >= sub.field.bits;
    const shown = isWhole ? formatValue(sub.field, value, null) : hexadecimal(value);
    return `${formatSubfield(sub)} is now ${shown}`;
  }
  if (rule === null) return '';
  const match = formatMatch(rule.match, names);
  const cookie = rule.cookie === 0n ? '' : `, cookie 0x${rule.cookie.toString(16)}`;
  const table = String(rule.tableId).padStart(2);
  return `${table}. ${match}${match === '' ? '' : ', '}priority ${rule.priority}${cookie}`;
}

function learnedText(mod: FlowMod, { tunMetadata }: MatchTextOptions): string {
  const match = formatMatch(mod.match, tunMetadata === undefined ? {} : { tunMetadata });
  let text = `table=${mod.tableId} ${match} priority=${mod.priority}`;
  if (mod.newCookie !== null && mod.newCookie !== 0n)
    text += ` cookie=0x${mod.newCookie.toString(16)}`;
  if (mod.idleTimeoutSeconds !== 0) text += ` idle=${mod.idleTimeoutSeconds}`;
  if (mod.hardTimeoutSeconds !== 0) text += ` hard=${mod.hardTimeoutSeconds}`;
  if (mod.flags.sendFlowRemoved) text += ' send_flow_rem';
  return `${text} actions=${formatActions(mod.actions)}`;
}

/** A frame's flow (FLOW_WORDS words) with every field that its headers have, and metadata other than 0. */
export const formatPacketFlow = (flow: Uint32Array, names: MatchTextOptions = {}): string =>
  formatMatch(packetMatch(flow), names);

const METADATA_WORDS: readonly number[] = [
  K.SKB_PRIORITY,
  K.PKT_MARK,
  K.RECIRC_ID,
  K.DP_HASH,
  K.CT_MARK,
  K.OF_IN_PORT,
  K.METADATA,
  K.METADATA + 1,
  ...Array.from({ length: 16 }, (_, i) => K.REG + i),
];

function packetMatch(flow: Uint32Array): Match {
  const mask = new Uint32Array(K.FLOW_WORDS);
  const whole = (...words: readonly number[]): void => {
    for (const word of words) mask[word] = 0xffffffff;
  };
  const span = (at: number, count: number): void => void mask.fill(0xffffffff, at, at + count);
  for (const word of METADATA_WORDS) if (flow[word] !== 0) whole(word);
  if (flow[K.METADATA] !== 0 || flow[K.METADATA + 1] !== 0) span(K.METADATA, 2);
  if (flow[K.CT_STATE] !== 0) mask[K.CT_STATE] = 0xff;
  if (flow[K.CT_ZONE] >>> 16 !== 0) mask[K.CT_ZONE] = 0xffff0000;
  if (flow.subarray(K.CT_LABEL, K.CT_LABEL + 4).some((word) => word !== 0)) span(K.CT_LABEL, 4);
  tunnelMask(flow, mask);
  whole(K.PACKET_TYPE);
  let type = flow[K.PACKET_TYPE] & 0xffff;
  if (flow[K.PACKET_TYPE] === 0) {
    whole(K.ETH_DST, K.ETH_DST_SRC, K.ETH_SRC);
    mask[K.ETH_TYPE_PROTO] = 0xffff0000;
    // The first VLAN is shown even when there is none.
    mask[K.VLAN0] = 0xffff;
    if ((flow[K.VLAN0] & 0xffff) !== 0) mask[K.VLAN1] = 0xffff;
    type = flow[K.ETH_TYPE_PROTO] >>> 16;
  }
  const proto = (flow[K.ETH_TYPE_PROTO] >>> 8) & 0xff;
  switch (type) {
    case P.ETH_TYPE_IPV4:
      whole(K.IPV4_SRC, K.IPV4_DST);
      break;
    case P.ETH_TYPE_IPV6:
      span(K.IPV6_SRC, 8);
      mask[K.IPV6_FLABEL] = 0xfffff;
      if (isNeighbour(flow, proto)) {
        span(K.ND_TARGET, 4);
        whole(K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA);
      }
      break;
    case P.ETH_TYPE_ARP:
    case P.ETH_TYPE_RARP:
      whole(K.IPV4_SRC, K.IPV4_DST, K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA);
      mask[K.ETH_TYPE_PROTO] |= 0xff00;
      return matchOf(flow, mask, K.FLOW_WORDS);
    case P.ETH_TYPE_MPLS:
    case P.ETH_TYPE_MPLS_MULTICAST:
      for (let i = 0; i < 3; i++) {
        whole(K.MPLS_LSE + i);
        if ((flow[K.MPLS_LSE + i] & 0x100) !== 0) break;
      }
      return matchOf(flow, mask, K.FLOW_WORDS);
    default:
      return matchOf(flow, mask, K.FLOW_WORDS);
  }
  mask[K.ETH_TYPE_PROTO] |= 0xff00 | K.FRAG_ANY | K.FRAG_LATER;
  mask[K.TOS_TTL] = 0xffff0000;
  if ((flow[K.ETH_TYPE_PROTO] & K.FRAG_LATER) === 0 && PROTOCOLS_WITH_PORTS.has(proto)) {
    whole(K.TP);
    if (proto === P.IP_PROTO_TCP) mask[K.TCP_FLAGS] = 0x0fff0000;
  }
  return matchOf(flow, mask, K.FLOW_WORDS);
}

const PROTOCOLS_WITH_PORTS: ReadonlySet<number> = new Set([1, 2, 6, 17, 58, 132]);

/** Neighbour solicitation and advertisement. */
function isNeighbour(flow: Uint32Array, proto: number): boolean {
  const icmpType = flow[K.TP] >>> 16;
  return proto === P.IP_PROTO_ICMPV6 && (icmpType === 135 || icmpType === 136);
}

const hasFields = (flow: Uint32Array): boolean =>
  (flow[K.TUN_METADATA_PRESENT] | flow[K.TUN_METADATA_PRESENT + 1]) !== 0;

/** Whether the frame came through a tunnel. */
const hasTunnel = (flow: Uint32Array): boolean =>
  flow[K.TUN_DST] !== 0 ||
  flow.subarray(K.TUN_IPV6_DST, K.TUN_IPV6_DST + 4).some((word) => word !== 0);

function tunnelMask(flow: Uint32Array, mask: Uint32Array): void {
  if (hasTunnel(flow)) {
    mask.fill(0xffffffff, K.TUN_ID, K.TUN_IPV6_SRC);
    mask.fill(0xffffffff, K.TUN_FLAGS, K.TUN_ERSPAN_IDX + 1);
    if (flow[K.TUN_DST] === 0) mask.fill(0xffffffff, K.TUN_IPV6_SRC, K.TUN_FLAGS);
    if (!hasFields(flow)) return;
    for (let i = 0; i < 2; i++) mask[K.TUN_METADATA_PRESENT + i] = flow[K.TUN_METADATA_PRESENT + i];
    mask.fill(0xffffffff, K.TUN_METADATA, K.FLOW_WORDS);
  } else if (flow[K.TUN_ID] !== 0 || flow[K.TUN_ID + 1] !== 0) {
    mask.fill(0xffffffff, K.TUN_ID, K.TUN_ID + 2);
  }
}

/** A tag that is not there was not looked at, for who reads this. */
const hasTag = (flow: Uint32Array, word: number): boolean =>
  [P.ETH_TYPE_VLAN, P.ETH_TYPE_QINQ].includes(flow[word] >>> 16);

/**
 * The megaflow of a translation. `mask` is the translation's, `tagBits` the bits of the outer tag that were looked at; the datapath's
 * port is shown as the bridge's.
 */
export function formatMegaflow(
  flow: Uint32Array,
  mask: Uint32Array,
  tagBits: number,
  names: MatchTextOptions = {},
): string {
  const shown = new Uint32Array(K.FLOW_WORDS);
  shown.set(mask.subarray(0, K.DP_WORDS));
  // What a frame without a tunnel does not have is not shown, whatever looked at it.
  if (!hasTunnel(flow)) shown.fill(0, K.TUN_ID, K.NSH);
  // Fields of options are shown if the flow was given with such, not with options as they come.
  else if (hasFields(flow))
    shown.set(mask.subarray(K.TUN_METADATA_PRESENT), K.TUN_METADATA_PRESENT);
  shown[K.IN_PORT] = 0;
  shown[K.OF_IN_PORT] = 0xffffffff;
  shown[K.SKB_PRIORITY] = mask[K.SKB_PRIORITY];
  const tci = tagBits & 0xffff;
  shown[K.VLAN0] = tci === 0 || !hasTag(flow, K.VLAN0) ? 0 : tci | K.VLAN_CFI;
  if (!hasTag(flow, K.VLAN1)) shown[K.VLAN1] = 0;
  return formatMatch(matchOf(flow, shown, K.FLOW_WORDS), names);
}
