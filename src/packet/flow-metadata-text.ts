/**
 * The part of flow text in front of eth(): tunnel, marks, connection tracking, recirculation, ports.
 *
 * Verbose text has everything but the tunnel of frames that came through none, and the addresses of connections that
 * were not looked at.
 */
import type { FlowText } from './flow-fields-text.ts';
import {
  CT_STATE_NAMES,
  decimal,
  Fields,
  FULL,
  flagNames,
  hex,
  maskedFlags,
  TUNNEL_FLAG_NAMES,
  wide,
} from './flow-fields-text.ts';
import * as K from './key.ts';
import { ETH_TYPE_IPV6 } from './protocol.ts';
import { formatOptions } from './tunnel-options-text.ts';

const TUNNEL_FLAGS = 0xf;

/** Appends the items to `parts`. `portName` gives names instead of numbers. */
export function metadataText(
  parts: string[],
  text: FlowText,
  portName: ((port: number) => string | undefined) | undefined,
): void {
  const { key, mask, verbose } = text;
  const unmasked = mask === FULL;
  const scalar = (name: string, word: number, shift = 0, full = 0xffffffff) => {
    const value = ((key[word] >>> shift) & full) >>> 0;
    const bits = ((mask[word] >>> shift) & full) >>> 0;
    if (!verbose && (bits === 0 || (unmasked && value === 0))) return;
    parts.push(`${name}(${hex(value)}${bits === full ? '' : `/${hex(bits)}`})`);
  };
  // A megaflow never has the priority of a socket buffer: the datapath does not keep it.
  if (verbose) parts.push(unmasked ? 'skb_priority(0)' : 'skb_priority(0/0)');
  tunnel(parts, text);
  scalar('skb_mark', K.PKT_MARK);
  ctState(parts, text);
  scalar('ct_zone', K.CT_ZONE, 16, 0xffff);
  scalar('ct_mark', K.CT_MARK);
  const label = wide(key, K.CT_LABEL, 4);
  const labelMask = wide(mask, K.CT_LABEL, 4);
  if (verbose || (labelMask !== 0n && !(unmasked && label === 0n))) {
    const tail = labelMask === (1n << 128n) - 1n ? '' : `/${hexWide(labelMask)}`;
    parts.push(`ct_label(${hexWide(label)}${tail})`);
  }
  ctTuple(parts, text);
  if (verbose || mask[K.RECIRC_ID] !== 0) {
    parts.push(`recirc_id(${hex(key[K.RECIRC_ID])}${mask[K.RECIRC_ID] === 0 ? '/0' : ''})`);
  }
  scalar('dp_hash', K.DP_HASH);
  if (verbose || mask[K.IN_PORT] !== 0) {
    const port = key[K.IN_PORT];
    parts.push(`in_port(${portName?.(port) ?? port}${mask[K.IN_PORT] === 0 ? '/0' : ''})`);
  }
  const type = new Fields(text);
  type.add('ns', K.PACKET_TYPE, 16, 0xffff, decimal);
  type.add('id', K.PACKET_TYPE, 0, 0xffff, hex);
  type.appendTo(parts, 'packet_type');
}

const hexWide = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

/** Numbers in verbose text, names elsewhere. */
function ctState(parts: string[], { key, mask, verbose }: FlowText): void {
  const unmasked = mask === FULL;
  const value = key[K.CT_STATE];
  const bits = mask[K.CT_STATE] & 0xff;
  if (verbose) {
    parts.push(
      `ct_state(${hex(unmasked ? value : value & bits)}${unmasked ? '' : `/${hex(bits)}`})`,
    );
  } else if (unmasked) {
    if (value !== 0) parts.push(`ct_state(${flagNames(value, CT_STATE_NAMES)})`);
  } else if (bits !== 0) parts.push(`ct_state(${maskedFlags(value, bits, CT_STATE_NAMES)})`);
}

function ctTuple(parts: string[], text: FlowText): void {
  const { key, mask } = text;
  const proto = (words: ArrayLike<number>) => (words[K.CT_ZONE] >>> 8) & 255;
  if (mask === FULL) {
    if (proto(key) === 0) return;
  } else {
    let bits = proto(mask);
    for (let i = K.CT_NW_SRC; i < K.TUN_ID; i++) bits |= mask[i];
    if (bits === 0) return;
  }
  const isIpv6 = key[K.ETH_TYPE_PROTO] >>> 16 === ETH_TYPE_IPV6;
  const f = new Fields(text);
  if (isIpv6) {
    f.ipv6('src', K.CT_IPV6_SRC);
    f.ipv6('dst', K.CT_IPV6_DST);
  } else {
    f.ipv4('src', K.CT_NW_SRC);
    f.ipv4('dst', K.CT_NW_DST);
  }
  f.add('proto', K.CT_ZONE, 8, 255, decimal);
  f.add(isIpv6 ? 'src_port' : 'tp_src', K.CT_TP, 16, 0xffff, decimal);
  f.add(isIpv6 ? 'dst_port' : 'tp_dst', K.CT_TP, 0, 0xffff, decimal);
  f.appendTo(parts, isIpv6 ? 'ct_tuple6' : 'ct_tuple4');
}

/** `tunnel(...)` of a key, whole. */
export function tunnelText(key: ArrayLike<number>): string {
  const parts: string[] = [];
  tunnel(parts, { key, mask: FULL, verbose: false });
  return parts[0] ?? 'tunnel()';
}

/** Fields that are 0 in the frame and not consulted are left out, as the original's netlink form has no attribute for them. */
function tunnel(parts: string[], text: FlowText): void {
  const { key, mask, verbose } = text;
  const unmasked = mask === FULL;
  const source: FlowText = unmasked || verbose ? { ...text, verbose: true } : text;
  let isThere = false;
  const words = unmasked || verbose ? key : mask;
  for (let i = K.TUN_ID; i < K.NSH && !isThere; i++) isThere = words[i] !== 0;
  if (!isThere) return;
  const f = new Fields(source);
  const shown = (word: number, full = 0xffffffff): boolean =>
    (key[word] & full) !== 0 || (!unmasked && (mask[word] & full) !== 0);
  const flags = (key[K.TUN_FLAGS] >>> 16) & TUNNEL_FLAGS;
  const flagsMask = (mask[K.TUN_FLAGS] >>> 16) & TUNNEL_FLAGS;
  const id = wide(key, K.TUN_ID, 2);
  const idMask = wide(mask, K.TUN_ID, 2);
  // The id is there when its flag is, even if it is 0.
  if (unmasked || verbose ? id !== 0n || (flags & 8) !== 0 : idMask !== 0n) {
    const tail = idMask === (1n << 64n) - 1n ? '' : `/${hexWide(idMask)}`;
    f.parts.push(`tun_id=0x${id.toString(16)}${tail}`);
  }
  if (shown(K.TUN_SRC)) f.ipv4('src', K.TUN_SRC);
  if (shown(K.TUN_DST)) f.ipv4('dst', K.TUN_DST);
  for (const [name, at] of [
    ['ipv6_src', K.TUN_IPV6_SRC],
    ['ipv6_dst', K.TUN_IPV6_DST],
  ] as const) {
    if ([0, 1, 2, 3].some((i) => shown(at + i))) f.ipv6(name, at);
  }
  if (shown(K.TUN_FLAGS, 0xff00)) f.add('tos', K.TUN_FLAGS, 8, 255, hex);
  if (shown(K.TUN_FLAGS, 0xff)) f.add('ttl', K.TUN_FLAGS, 0, 255, decimal);
  if (shown(K.TUN_TP, 0xffff0000)) f.add('tp_src', K.TUN_TP, 16, 0xffff, decimal);
  if (shown(K.TUN_TP, 0xffff)) f.add('tp_dst', K.TUN_TP, 0, 0xffff, decimal);
  options(f, source, shown);
  if (flagsMask === TUNNEL_FLAGS) {
    f.parts.push(`flags(${flags === 0 ? '' : flagNames(flags, TUNNEL_FLAG_NAMES)})`);
  } else if (flagsMask !== 0) {
    f.parts.push(`flags(${maskedFlags(flags, flagsMask, TUNNEL_FLAG_NAMES)})`);
  }
  f.appendTo(parts, 'tunnel');
}

/** What single encapsulations have: VXLAN group policy, ERSPAN, GTP-U. */
function options(f: Fields, text: FlowText, shown: (word: number, full?: number) => boolean): void {
  if (shown(K.TUN_GBP)) {
    const gbp = new Fields(text);
    gbp.add('id', K.TUN_GBP, 16, 0xffff, decimal);
    gbp.add('flags', K.TUN_GBP, 8, 255, hex);
    f.parts.push(`vxlan(gbp(${gbp.parts.join(',')}))`);
  }
  if (shown(K.TUN_OPTIONS_LENGTH)) f.parts.push(`geneve(${formatOptions(text)})`);
  if (shown(K.TUN_ERSPAN_GTPU, 0xf0000000)) {
    const erspan = new Fields(text);
    erspan.add('ver', K.TUN_ERSPAN_GTPU, 28, 15, decimal);
    if (text.key[K.TUN_ERSPAN_GTPU] >>> 28 === 2) {
      erspan.add('dir', K.TUN_ERSPAN_GTPU, 24, 1, decimal);
      erspan.add('hwid', K.TUN_ERSPAN_GTPU, 16, 63, hex);
    } else erspan.add('idx', K.TUN_ERSPAN_IDX, 0, 0xfffff, hex);
    erspan.appendTo(f.parts, 'erspan');
  }
  if (shown(K.TUN_ERSPAN_GTPU, 0xffff)) {
    const gtpu = new Fields(text);
    gtpu.add('flags', K.TUN_ERSPAN_GTPU, 8, 255, hex);
    gtpu.add('msgtype', K.TUN_ERSPAN_GTPU, 0, 255, decimal);
    gtpu.appendTo(f.parts, 'gtpu');
  }
}
