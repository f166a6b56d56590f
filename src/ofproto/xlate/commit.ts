/**
 * Committing: the program is extended until the frame has the headers that the pipeline wants.
 *
 * A header is rewritten when one of its fields differs, and then only in the fields that differ, under the bits that
 * actions wrote: writing counts as consulting, so that it is known what differs. The order
 * is Open vSwitch's: Ethernet, MPLS that goes away, IP or ARP, transport, MPLS, metadata; VLAN tags follow
 * (vlan-stack.ts). What is equal is left alone, since megaflows are exact in consulted bits.
 */
import * as K from '../../packet/key.ts';
import type { XlateContext } from './context.ts';
import { isMpls, lseCount, popLse, pushLse } from './mpls-flow.ts';

/** A field by its words and the bits of each. */
type Bits = readonly (readonly [word: number, mask: number])[];

const ALL = 0xffffffff;
const run = (word: number, count: number): Bits =>
  Array.from({ length: count }, (_, i) => [word + i, ALL] as const);

const ETHERNET: readonly Bits[] = [
  [
    [K.ETH_DST_SRC, 0xffff],
    [K.ETH_SRC, ALL],
  ],
  [
    [K.ETH_DST, ALL],
    [K.ETH_DST_SRC, 0xffff0000],
  ],
];
const TOS: Bits = [[K.TOS_TTL, 0xff000000]];
const TTL: Bits = [[K.TOS_TTL, 0x00ff0000]];
const IPV4: readonly Bits[] = [run(K.IPV4_SRC, 1), run(K.IPV4_DST, 1), TOS, TTL];
const IPV6: readonly Bits[] = [
  run(K.IPV6_SRC, 4),
  run(K.IPV6_DST, 4),
  [[K.IPV6_FLABEL, 0xfffff]],
  TOS,
  TTL,
];
const ARP: readonly Bits[] = [
  run(K.IPV4_SRC, 1),
  run(K.IPV4_DST, 1),
  [[K.ETH_TYPE_PROTO, 0xff00]],
  [
    [K.ARP_SHA, ALL],
    [K.ARP_SHA_THA, 0xffff0000],
  ],
  [
    [K.ARP_SHA_THA, 0xffff],
    [K.ARP_THA, ALL],
  ],
];
const TRANSPORT: readonly Bits[] = [[[K.TP, 0xffff0000]], [[K.TP, 0xffff]]];
const NEIGHBOR: readonly Bits[] = [
  run(K.ND_TARGET, 4),
  [
    [K.ARP_SHA, ALL],
    [K.ARP_SHA_THA, 0xffff0000],
  ],
  [
    [K.ARP_SHA_THA, 0xffff],
    [K.ARP_THA, ALL],
  ],
  run(K.ND_RESERVED, 1),
  [[K.ND_OPTIONS, 0xff000000]],
];
const PBB: readonly Bits[] = [[[K.PBB_ISID, 0xffffff]]];
const METADATA: readonly Bits[] = [run(K.SKB_PRIORITY, 1), run(K.PKT_MARK, 1)];

const ETH_TYPE_PBB = 0x88e7;
const IP_PROTO_ICMPV6 = 58;

export function commit(ctx: XlateContext): void {
  const { flow, base } = ctx;
  setFields(ctx, ETHERNET);
  const wasMpls = isMpls(base);
  if (wasMpls && !isMpls(flow)) commitMpls(ctx);
  // Headers behind a popped label are not known: nothing of them can have been set.
  switch (ctx.reparse === 'none' ? base[K.ETH_TYPE_PROTO] >>> 16 : 0) {
    case 0x0800:
      // A header that was not read has no protocol and no fields.
      if (!isMpls(flow)) setIp(ctx, IPV4);
      break;
    case 0x86dd:
      if (!isMpls(flow)) {
        setIp(ctx, IPV6);
        if (((base[K.ETH_TYPE_PROTO] >>> 8) & 0xff) === IP_PROTO_ICMPV6) setFields(ctx, NEIGHBOR);
      }
      break;
    case 0x0806:
    case 0x8035:
      if (!isMpls(flow) && !isNoHeader(ctx)) setFields(ctx, ARP);
      break;
    case ETH_TYPE_PBB:
      setFields(ctx, PBB);
      break;
  }
  if (isMpls(base) || isMpls(flow)) commitMpls(ctx);
  setFields(ctx, METADATA);
}

/**
 * A header of protocol (or, ARP's, operation) 0 is taken for one that is not there, as the original does; where nobody asked
 * for the protocol, it can make no difference.
 */
const isNoHeader = ({ base, mask }: XlateContext): boolean =>
  (base[K.ETH_TYPE_PROTO] & 0xff00) === 0 && (mask[K.ETH_TYPE_PROTO] & 0xff00) === 0xff00;

function setIp(ctx: XlateContext, fields: readonly Bits[]): void {
  if (isNoHeader(ctx)) return;
  setFields(ctx, fields);
  setFields(ctx, TRANSPORT);
}

function setFields(ctx: XlateContext, fields: readonly Bits[]): void {
  const { flow, base, written, program } = ctx;
  // Fields of one header may share words: gathered first, so that each word is written once.
  let words: number[] | null = null;
  let bits: number[] | null = null;
  for (const field of fields) {
    let differs = false;
    for (let i = 0; i < field.length; i++) {
      const w = field[i][0];
      if (((flow[w] ^ base[w]) & field[i][1]) !== 0) differs = true;
    }
    if (!differs) continue;
    words ??= [];
    bits ??= [];
    for (const [w, m] of field) {
      // What was written, not what was consulted: that may be more, for reasons that another frame has not.
      const set = ((written[w] | (flow[w] ^ base[w])) & m) >>> 0;
      if (set === 0) continue;
      const at = words.indexOf(w);
      if (at < 0) {
        words.push(w);
        bits.push(set);
      } else bits[at] |= set;
    }
  }
  if (words === null || bits === null) return;
  for (let i = 0; i < words.length; i++) {
    const w = words[i];
    program.set(w, flow[w] & bits[i], bits[i]);
    base[w] = ((base[w] & ~bits[i]) | (flow[w] & bits[i])) >>> 0;
  }
}

/** True when all entries but the outermost are the same. */
const sameBelow = (flow: Uint32Array, base: Uint32Array): boolean =>
  flow[K.MPLS_LSE + 1] === base[K.MPLS_LSE + 1] && flow[K.MPLS_LSE + 2] === base[K.MPLS_LSE + 2];

/** Entries are compared from the bottom of the stack, as far as they are equal they stay. */
function commitMpls(ctx: XlateContext): void {
  const { flow, base, program, mask } = ctx;
  if (isMpls(base) && isMpls(flow) && sameBelow(flow, base)) {
    // Nothing pushed, nothing popped: how many there are, which takes bits of them to know, does not matter.
    if (flow[K.MPLS_LSE] === base[K.MPLS_LSE]) return;
    mask[K.MPLS_LSE] = ALL;
    program.set(K.MPLS_LSE, flow[K.MPLS_LSE], ALL);
    base[K.MPLS_LSE] = flow[K.MPLS_LSE];
    return;
  }
  let inBase = lseCount(base, null);
  const inFlow = lseCount(flow, null);
  let common = 0;
  while (common < inBase && common < inFlow) {
    const a = flow[K.MPLS_LSE + inFlow - 1 - common];
    const b = base[K.MPLS_LSE + inBase - 1 - common];
    if (a !== b) break;
    common++;
  }
  const flowType = flow[K.ETH_TYPE_PROTO] >>> 16;
  while (inBase > common) {
    if (inBase - 1 === common && inFlow > common) {
      const lse = flow[K.MPLS_LSE + inFlow - inBase];
      mask[K.MPLS_LSE] = ALL;
      program.set(K.MPLS_LSE, lse, ALL);
      base[K.MPLS_LSE] = lse;
      common++;
      continue;
    }
    const ethType = !isMpls(flow) && inBase > 1 ? 0x8847 : flowType;
    program.popMpls(ethType);
    popLse(base, inBase, flowType);
    inBase--;
  }
  // Entries that the frame came with and lost are written anew with all their bits.
  if (inBase < inFlow) mask.fill(ALL, K.MPLS_LSE, K.MPLS_LSE + inFlow);
  while (inBase < inFlow) {
    const lse = flow[K.MPLS_LSE + inFlow - inBase - 1];
    program.pushMpls(flowType, lse);
    pushLse(base, inBase, flowType, lse);
    inBase++;
  }
}
