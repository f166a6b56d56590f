/** A frame made up as the key that the datapath would make of it. */
import * as K from '../../../src/packet/key.ts';
import { ADDRESSES, type Chance, MACS, PORTS } from './chance.ts';

export interface RandomFlow {
  /** FLOW_WORDS words. */
  readonly flow: Uint32Array;
  /** Words that a frame of this kind can have any bits in. */
  readonly own: readonly number[];
}

export function randomFlow({ next, pick }: Chance): RandomFlow {
  const flow = new Uint32Array(K.FLOW_WORDS);
  const own = [K.PKT_MARK, K.ETH_DST, K.ETH_DST_SRC, K.ETH_SRC, K.ETH_TYPE_PROTO];
  flow[K.IN_PORT] = pick([1, 2, 3, 11]);
  flow[K.PKT_MARK] = next(3);
  const [dst, src] = [pick(MACS), pick(MACS)];
  flow[K.ETH_DST] = Number(dst >> 16n);
  flow[K.ETH_DST_SRC] = Number(((dst & 0xffffn) << 16n) | (src >> 32n));
  flow[K.ETH_SRC] = Number(src & 0xffffffffn);
  const tags = next(3);
  const tag = (): number => (0x81001000 | pick([0, 10, 20]) | (pick([0, 3]) << 13)) >>> 0;
  if (tags > 0) flow[K.VLAN0] = tag();
  if (tags > 1) flow[K.VLAN1] = tag();
  if (tags > 0) own.push(K.VLAN0);
  if (tags > 1) own.push(K.VLAN1);
  if (next(5) === 0) throughTunnel();
  if (next(5) === 0) tracked();
  function throughTunnel(): void {
    flow[K.TUN_ID + 1] = next(3);
    flow[K.TUN_SRC] = pick(ADDRESSES);
    flow[K.TUN_DST] = pick(ADDRESSES);
    flow[K.TUN_FLAGS] = (next(2) << 16) | 64;
    flow[K.TUN_GBP] = next(3) << 16;
    own.push(K.TUN_ID, K.TUN_ID + 1, K.TUN_SRC, K.TUN_DST, K.TUN_FLAGS, K.TUN_GBP, K.TUN_TP);
    own.push(K.TUN_ERSPAN_GTPU, K.TUN_ERSPAN_IDX, K.TUN_IPV6_SRC, K.TUN_IPV6_DST + 3);
  }
  function tracked(): void {
    flow[K.CT_STATE] = 0x20 | next(0x20);
    flow[K.CT_ZONE] = next(3) << 16;
    flow[K.CT_MARK] = next(3);
    flow[K.CT_LABEL + 3] = next(3);
    flow[K.CT_NW_SRC] = pick(ADDRESSES);
    own.push(K.CT_STATE, K.CT_ZONE, K.CT_MARK, K.CT_LABEL, K.CT_LABEL + 3);
    own.push(K.CT_NW_SRC, K.CT_NW_DST, K.CT_TP, K.CT_IPV6_SRC, K.CT_IPV6_DST + 3);
  }
  const ip = (type: number): void => {
    const proto = type === 0x86dd ? pick([6, 17, 58, 132]) : pick([1, 2, 6, 17, 132]);
    const frag = next(6) === 0 ? pick([1, 3]) : 0;
    flow[K.ETH_TYPE_PROTO] = ((type << 16) | (proto << 8) | frag) >>> 0;
    flow[K.TOS_TTL] = ((pick([0, 4, 0xb9]) << 24) | (pick([0, 1, 2, 64]) << 16)) >>> 0;
    own.push(K.TOS_TTL);
    if (frag === 3) return;
    flow[K.TP] = ((pick(PORTS) << 16) | pick(PORTS)) >>> 0;
    if (proto === 58) flow[K.TP] = (pick([128, 135, 136]) << 16) >>> 0;
    own.push(K.TP);
    if (proto === 1) flow[K.TP] = ((pick([0, 8, 3]) << 16) | next(2)) >>> 0;
    if (proto === 2) {
      flow[K.IGMP_GROUP] = pick(ADDRESSES);
      own.push(K.IGMP_GROUP);
    }
    if (proto === 6) {
      flow[K.TCP_FLAGS] = pick([2, 16, 17]) << 16;
      own.push(K.TCP_FLAGS);
    }
    if (proto === 58 && flow[K.TP] !== 128 << 16) {
      for (let i = 0; i < 4; i++) {
        flow[K.ND_TARGET + i] = next(2);
        own.push(K.ND_TARGET + i);
      }
      flow[K.ND_RESERVED] = next(3);
      flow[K.ND_OPTIONS] = next(3) << 24;
      own.push(K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA, K.ND_RESERVED, K.ND_OPTIONS);
    }
  };
  switch (next(6)) {
    case 5:
      flow[K.ETH_TYPE_PROTO] = 0x88e70000;
      flow[K.PBB_ISID] = (K.PBB_PRESENT | next(3)) >>> 0;
      own.push(K.PBB_ISID);
      break;
    case 0:
    case 1:
      ip(0x0800);
      flow[K.IPV4_SRC] = pick(ADDRESSES);
      flow[K.IPV4_DST] = pick(ADDRESSES);
      own.push(K.IPV4_SRC, K.IPV4_DST);
      break;
    case 2:
      ip(0x86dd);
      for (let i = 0; i < 8; i++) {
        flow[K.IPV6_SRC + i] = pick([0, 1, 0xfe800000]);
        own.push(K.IPV6_SRC + i);
      }
      flow[K.IPV6_FLABEL] = next(3);
      flow[K.ND_OPTIONS] |= pick([0, 1, 0x28]);
      own.push(K.IPV6_FLABEL, K.ND_OPTIONS);
      break;
    case 3: {
      flow[K.ETH_TYPE_PROTO] = ((pick([0x0806, 0x0806, 0x8035]) << 16) | (pick([1, 2]) << 8)) >>> 0;
      const words = [K.IPV4_SRC, K.IPV4_DST, K.ARP_SHA, K.ARP_SHA_THA, K.ARP_THA];
      for (const w of words) flow[w] = pick(ADDRESSES);
      own.push(...words);
      break;
    }
    case 4: {
      flow[K.ETH_TYPE_PROTO] = pick([0x88470000, 0x88480000]);
      const labels = 1 + next(4);
      for (let i = 0; i < Math.min(3, labels); i++) {
        flow[K.MPLS_LSE + i] =
          ((pick([16, 17]) << 12) | pick([1, 2, 64]) | (i === labels - 1 ? 0x100 : 0)) >>> 0;
        own.push(K.MPLS_LSE + i);
      }
      break;
    }
  }
  return { flow, own };
}
