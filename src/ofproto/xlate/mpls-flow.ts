/**
 * MPLS label stacks in a flow: the entries that the key has (three), and how pushing and popping moves them. Where
 * Open vSwitch consults bits to do so, the same are added to the mask.
 */
import {
  CT_STATE,
  DP_HASH,
  ETH_TYPE_PROTO,
  MPLS_LSE,
  PBB_ISID,
  TOS_TTL,
} from '../../packet/key.ts';

export const MAX_LABELS = 3;
const BOTTOM = 0x100;

const isMplsType = (ethType: number): boolean => ethType === 0x8847 || ethType === 0x8848;

export const isMpls = (flow: Uint32Array): boolean => isMplsType(flow[ETH_TYPE_PROTO] >>> 16);
export const isMplsEthType = isMplsType;

/** How many of the flow's entries are in use. */
export function lseCount(flow: Uint32Array, mask: Uint32Array | null): number {
  if (!isMpls(flow)) return 0;
  for (let i = 0; i < MAX_LABELS; i++) {
    if (mask !== null) mask[MPLS_LSE + i] |= BOTTOM;
    if ((flow[MPLS_LSE + i] & BOTTOM) !== 0) return i + 1;
  }
  // No bottom among them: the ones that are not there are 0, which takes all bits to know.
  let count = 0;
  for (let i = 0; i < MAX_LABELS; i++) {
    if (mask !== null) mask[MPLS_LSE + i] = 0xffffffff;
    if (flow[MPLS_LSE + i] !== 0) count++;
  }
  return count;
}

/** `count` entries become one fewer; the frame's type becomes `ethType`. */
export function popLse(flow: Uint32Array, count: number, ethType: number): void {
  for (let i = 1; i < count; i++) flow[MPLS_LSE + i - 1] = flow[MPLS_LSE + i];
  flow[MPLS_LSE + count - 1] = 0;
  flow[ETH_TYPE_PROTO] = ((ethType << 16) | (flow[ETH_TYPE_PROTO] & 0xffff)) >>> 0;
}

export function pushLse(flow: Uint32Array, count: number, ethType: number, lse: number): void {
  for (let i = Math.min(count, MAX_LABELS - 1); i >= 1; i--) {
    flow[MPLS_LSE + i] = flow[MPLS_LSE + i - 1];
  }
  flow[MPLS_LSE] = lse;
  flow[ETH_TYPE_PROTO] = ((ethType << 16) | (flow[ETH_TYPE_PROTO] & 0xffff)) >>> 0;
}

/** Forgets what is behind the Ethernet header: it is behind a label now. */
export function clearL3(flow: Uint32Array): void {
  flow[ETH_TYPE_PROTO] = (flow[ETH_TYPE_PROTO] & 0xffff0000) >>> 0;
  for (let w = TOS_TTL; w < CT_STATE; w++) {
    if (w < MPLS_LSE || w > PBB_ISID) flow[w] = 0;
  }
  flow[DP_HASH] = 0;
}
