/** The field actions of OpenFlow 1.0: each sets one field, if the frame has it, and consults what it overwrites. */
import {
  ETH_DST,
  ETH_DST_SRC,
  ETH_SRC,
  ETH_TYPE_PROTO,
  FRAG_LATER,
  IPV4_DST,
  IPV4_SRC,
  TOS_TTL,
  TP,
} from '../../packet/key.ts';
import type { XlateContext } from './context.ts';
import { ethTypeOf, isIp } from './subfields.ts';

/** A changed IP header changes checksums behind it: which, the protocol tells. */
function consultIp(ctx: XlateContext): void {
  ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
}

function put(ctx: XlateContext, word: number, value: number, mask: number): void {
  ctx.willWrite(word, mask);
  ctx.flow[word] = ((ctx.flow[word] & ~mask) | (value & mask)) >>> 0;
}

/** `mac` is a 48-bit number. */
export const setWord = {
  ethSrc(ctx: XlateContext, mac: bigint): void {
    put(ctx, ETH_DST_SRC, Number(mac >> 32n), 0xffff);
    put(ctx, ETH_SRC, Number(mac & 0xffffffffn), 0xffffffff);
  },
  ethDst(ctx: XlateContext, mac: bigint): void {
    put(ctx, ETH_DST, Number(mac >> 16n), 0xffffffff);
    put(ctx, ETH_DST_SRC, Number(mac & 0xffffn) << 16, 0xffff0000);
  },
};

export const setIpWord = {
  source(ctx: XlateContext, address: number): void {
    if (ethTypeOf(ctx.flow) !== 0x0800) return;
    consultIp(ctx);
    put(ctx, IPV4_SRC, address, 0xffffffff);
  },
  destination(ctx: XlateContext, address: number): void {
    if (ethTypeOf(ctx.flow) !== 0x0800) return;
    consultIp(ctx);
    put(ctx, IPV4_DST, address, 0xffffffff);
  },
  /** `bits` of the TOS byte. */
  tos(ctx: XlateContext, tos: number, bits: number): void {
    if (!isIp(ctx.flow)) return;
    consultIp(ctx);
    put(ctx, TOS_TTL, tos << 24, bits << 24);
  },
};

/** Ports of TCP, UDP or SCTP (or type and code of ICMP, as the original does). */
export function setTpWords(ctx: XlateContext, value: number, mask: number): void {
  const { flow } = ctx;
  if (!isIp(flow) || (flow[ETH_TYPE_PROTO] & FRAG_LATER) !== 0) return;
  ctx.mask[ETH_TYPE_PROTO] |= 0xff00;
  put(ctx, TP, value, mask);
}
