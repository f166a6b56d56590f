/**
 * Reading and writing fields and parts of fields in the flow of a translation, with what that consults.
 *
 * Where a value comes from counts as consulted, and so does what is overwritten: whether the frame has to be rewritten
 * depends on what it has. A field whose header the flow does not have is neither read nor written.
 */
import type { Subfield } from '../../flowtable/action.ts';
import { type Field, fullMask, readField, tunMetadataIndex } from '../../packet/fields.ts';
import {
  ETH_TYPE_PROTO,
  FRAG_LATER,
  MPLS_LSE,
  OF_IN_PORT,
  PBB_ISID,
  TP,
  VLAN_CFI,
  VLAN0,
} from '../../packet/key.ts';
import { presentBit, presentWord } from '../../packet/tlv-table.ts';
import type { XlateContext } from './context.ts';
import { isMpls, MAX_LABELS } from './mpls-flow.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;

export const ethTypeOf = (flow: Uint32Array): number => flow[ETH_TYPE_PROTO] >>> 16;

export function isIp(flow: Uint32Array): boolean {
  const type = ethTypeOf(flow);
  return type === IPV4 || type === IPV6;
}

/** Adds bits of a word to what was consulted. */
export function consult(ctx: XlateContext, word: number, bits: number): void {
  if (word === VLAN0) ctx.vlans.consult(0, bits);
  else ctx.mask[word] |= bits;
}

/** Notes that the transport protocol was looked at, and tells it; -1 where there is no transport header. */
function consultProtocol(ctx: XlateContext): number {
  const { flow } = ctx;
  // Fragment bits are always exact.
  if (!isIp(flow) || (flow[ETH_TYPE_PROTO] & FRAG_LATER) !== 0) return -1;
  ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
  return (flow[ETH_TYPE_PROTO] >>> 8) & 0xff;
}

/** True when the flow has the header that the field is in; what was looked at to know is consulted. */
export function hasField(ctx: XlateContext, field: Field): boolean {
  const { flow } = ctx;
  if (field.at < 0) return false;
  switch (field.prerequisite) {
    case 'none':
    case 'in port':
    case 'ethernet':
    case 'ct':
      return true;
    case 'vlan':
      ctx.vlans.consult(0, VLAN_CFI);
      return (flow[VLAN0] & VLAN_CFI) !== 0;
    case 'mpls':
      return isMpls(flow);
    case 'pbb':
      return ethTypeOf(flow) === 0x88e7;
    case 'ipv4':
      return ethTypeOf(flow) === IPV4;
    case 'ipv6':
      return ethTypeOf(flow) === IPV6;
    case 'ip':
      return isIp(flow);
    case 'arp':
      return ethTypeOf(flow) === 0x0806 || ethTypeOf(flow) === 0x8035;
    case 'nsh':
      return false;
    case 'tcp':
      return consultProtocol(ctx) === 6;
    case 'udp':
      return consultProtocol(ctx) === 17;
    case 'sctp':
      return consultProtocol(ctx) === 132;
    case 'icmpv4':
      return ethTypeOf(flow) === IPV4 && consultProtocol(ctx) === 1;
    case 'icmpv6':
      return ethTypeOf(flow) === IPV6 && consultProtocol(ctx) === 58;
    case 'nd':
    case 'nd solicit':
    case 'nd advert': {
      if (ethTypeOf(flow) !== IPV6 || consultProtocol(ctx) !== 58) return false;
      ctx.mask[TP] = 0xffffffff;
      // Types and codes have eight bits, which is all that megaflows match of them.
      const type = (flow[TP] >>> 16) & 0xff;
      if ((flow[TP] & 0xff) !== 0) return false;
      if (field.prerequisite === 'nd solicit') return type === 135;
      if (field.prerequisite === 'nd advert') return type === 136;
      return type === 135 || type === 136;
    }
  }
}

/** Words, values and bits of a value in a field. */
export interface FieldWrite {
  readonly words: readonly number[];
  readonly values: readonly number[];
  readonly masks: readonly number[];
}

/** What writing `value` under `mask` into `field` means for the words of a flow. */
export function fieldWrite(field: Field, value: bigint, mask: bigint): FieldWrite {
  const words: number[] = [];
  const values: number[] = [];
  const masks: number[] = [];
  for (let bit = field.at, left = field.at < 0 ? 0 : field.bits; left > 0; ) {
    const take = Math.min(32 - (bit & 31), left);
    left -= take;
    const shift = 32 - (bit & 31) - take;
    const ones = 0xffffffff >>> (32 - take);
    const low = BigInt(left);
    const m = ((Number((mask >> low) & 0xffffffffn) & ones) << shift) >>> 0;
    if (m !== 0) {
      words.push(bit >>> 5);
      values.push(((Number((value >> low) & 0xffffffffn) << shift) & m) >>> 0);
      masks.push(m);
    }
    bit += take;
  }
  const index = tunMetadataIndex(field);
  if (index !== undefined) {
    words.push(presentWord(index));
    values.push(presentBit(index));
    masks.push(presentBit(index));
  }
  return { words, values, masks };
}

/** Names of VLAN fields whose writing makes a frame without a tag have one. */
const MAKES_TAG: ReadonlySet<string> = new Set(['vlan_vid', 'dl_vlan', 'dl_vlan_pcp']);

/** Writes into the flow; what is overwritten is consulted. */
export function applyWrite(ctx: XlateContext, field: Field, write: FieldWrite): void {
  const { flow } = ctx;
  for (let i = 0; i < write.words.length; i++) {
    const w = write.words[i];
    const m = write.masks[i];
    if (w === VLAN0) {
      const present = MAKES_TAG.has(field.name) ? VLAN_CFI : 0;
      ctx.vlans.consult(0, m | VLAN_CFI);
      flow[w] = ((flow[w] & ~m) | write.values[i] | present) >>> 0;
      ctx.vlans.adoptOuter();
      continue;
    }
    if (w === ETH_TYPE_PROTO && field.prerequisite !== 'arp') {
      changeType(ctx, write.values[i], m);
      continue;
    }
    if (field.name === 'mpls_bos') {
      changeBottom(ctx, write.values[i], m);
      continue;
    }
    ctx.willWrite(w, m);
    flow[w] = ((flow[w] & ~m) | write.values[i]) >>> 0;
    // Ports are kept in their 16-bit form.
    if (w === OF_IN_PORT) flow[w] &= 0xffff;
  }
}

/**
 * Writes the bottom of stack bit: at once, since it tells whether a label or another header follows, and the entries of
 * flow and frame would not be compared rightly later.
 */
function changeBottom(ctx: XlateContext, value: number, mask: number): void {
  const { flow, base } = ctx;
  ctx.commit();
  ctx.willWrite(MPLS_LSE, mask);
  if (((flow[MPLS_LSE] ^ value) & mask) === 0) return;
  ctx.program.set(MPLS_LSE, value, mask);
  ctx.isLossy = true;
  flow[MPLS_LSE] = ((flow[MPLS_LSE] & ~mask) | value) >>> 0;
  flow.fill(0, MPLS_LSE + 1, MPLS_LSE + MAX_LABELS);
  base.set(flow.subarray(MPLS_LSE, MPLS_LSE + MAX_LABELS), MPLS_LSE);
  ctx.reparse = 'behind mpls';
}

/**
 * Writes the Ethernet type or the IP protocol: at once, since what follows in the frame is another header from now on
 * and must be read again.
 */
function changeType(ctx: XlateContext, value: number, mask: number): void {
  const { flow, base } = ctx;
  ctx.commit();
  ctx.willWrite(ETH_TYPE_PROTO, mask);
  if (((flow[ETH_TYPE_PROTO] ^ value) & mask) === 0) return;
  ctx.program.set(ETH_TYPE_PROTO, value, mask);
  ctx.isLossy = true;
  flow[ETH_TYPE_PROTO] = ((flow[ETH_TYPE_PROTO] & ~mask) | value) >>> 0;
  if (mask >>> 16 !== 0) flow.fill(0, MPLS_LSE, PBB_ISID + 1);
  base[ETH_TYPE_PROTO] = flow[ETH_TYPE_PROTO];
  base.set(flow.subarray(MPLS_LSE, PBB_ISID + 1), MPLS_LSE);
  ctx.reparse = 'behind mpls';
}

export const onesOf = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Reads a subfield, consulting it. */
export function readSubfield(ctx: XlateContext, sub: Subfield): bigint {
  const { field } = sub;
  if (field.at < 0) return 0n;
  consultSubfield(ctx, sub);
  return (seenValue(ctx.flow, field) >> BigInt(sub.offset)) & onesOf(sub.bits);
}

/** As actions see it: reserved ports are at the upper end of 32-bit numbers, too. */
function seenValue(flow: Uint32Array, field: Field): bigint {
  const value = readField(flow, field);
  return field.format === 'port32' && value >= 0xff00n ? value | 0xffff0000n : value;
}

/** Words and masks of subfields: the same ones are consulted again and again. */
const compiled = new WeakMap<Subfield, FieldWrite>();

function consultSubfield(ctx: XlateContext, sub: Subfield): void {
  let bits = compiled.get(sub);
  if (bits === undefined) {
    bits = fieldWrite(
      sub.field,
      0n,
      (onesOf(sub.bits) << BigInt(sub.offset)) & fullMask(sub.field),
    );
    compiled.set(sub, bits);
  }
  const { words, masks } = bits;
  for (let i = 0; i < words.length; i++) consult(ctx, words[i], masks[i]);
}

/** A subfield that is bits of one word, and means nothing but these. */
interface Narrow {
  readonly word: number;
  readonly mask: number;
  readonly shift: number;
}

/** Null for what is not. */
const narrowed = new WeakMap<Subfield, Narrow | null>();

function narrow(sub: Subfield): Narrow | null {
  const known = narrowed.get(sub);
  if (known !== undefined) return known;
  const { field } = sub;
  const { words, masks } = fieldWrite(
    field,
    0n,
    (onesOf(sub.bits) << BigInt(sub.offset)) & fullMask(field),
  );
  const isPlain =
    words.length === 1 &&
    !SPECIAL_WORDS.has(words[0]) &&
    field.format !== 'port32' &&
    field.name !== 'mpls_bos';
  const mask = masks[0];
  const one = isPlain ? { word: words[0], mask, shift: 31 - Math.clz32(mask & -mask) } : null;
  narrowed.set(sub, one);
  return one;
}

/** Words that take more than a store: tags, types and ports are looked after when they change. */
const SPECIAL_WORDS: ReadonlySet<number> = new Set([VLAN0, ETH_TYPE_PROTO, OF_IN_PORT]);

/** Copies a subfield that the flow has to one of as many bits that it has. */
export function copySubfield(ctx: XlateContext, src: Subfield, dst: Subfield): void {
  const from = narrow(src);
  const to = narrow(dst);
  if (from === null || to === null) {
    writeSubfield(ctx, dst, readSubfield(ctx, src));
    return;
  }
  const { flow } = ctx;
  ctx.mask[from.word] |= from.mask;
  const value = (flow[from.word] & from.mask) >>> from.shift;
  ctx.willWrite(to.word, to.mask);
  flow[to.word] = ((flow[to.word] & ~to.mask) | ((value << to.shift) & to.mask)) >>> 0;
}

/** Tells a trace what a subfield holds now. */
export function noteSubfield(ctx: XlateContext, sub: Subfield): void {
  if (ctx.trace === null || sub.field.at < 0) return;
  const value = (seenValue(ctx.flow, sub.field) >> BigInt(sub.offset)) & onesOf(sub.bits);
  ctx.trace.addSubfield(sub, value);
}

/** Writes a subfield if the flow has the field. */
export function writeSubfield(ctx: XlateContext, sub: Subfield, value: bigint): void {
  if (!hasField(ctx, sub.field)) return;
  const shift = BigInt(sub.offset);
  const mask = (onesOf(sub.bits) << shift) & fullMask(sub.field);
  applyWrite(ctx, sub.field, fieldWrite(sub.field, value << shift, mask));
}
