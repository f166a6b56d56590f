/**
 * Outer headers of packets that the switch builds itself, from Ethernet on: what a tunnel action of a program carries. Lengths,
 * checksums, sequence numbers and the UDP source port are 0 here; the datapath writes them for each packet.
 */
import { TUN_DST, TUN_FLAGS, TUN_IPV6_DST } from '../packet/key.ts';
import { ETH_TYPE_IPV4, ETH_TYPE_IPV6, IP_PROTO_UDP } from '../packet/protocol.ts';
import { encodeErspan } from './erspan.ts';
import { encodeGeneve } from './geneve.ts';
import { encodeGre } from './gre.ts';
import type { Address, TunnelConfig } from './tunnel-config.ts';
import { TunnelFlag } from './tunnel-words.ts';
import { encodeVxlan, VXLAN_BYTES } from './vxlan.ts';

/** Kinds of encapsulation, by the numbers that dumps show. */
export const Encapsulation = {
  GRE: 3,
  VXLAN: 4,
  GENEVE: 5,
  ERSPAN: 107,
  IP6ERSPAN: 108,
  IP6GRE: 109,
  GTPU: 110,
} as const;

export const IP_PROTO_GRE = 47;
export const OUTER_IPV4_BYTES = 20;
export const OUTER_IPV6_BYTES = 40;
export const OUTER_UDP_BYTES = 8;
const ETHERNET_BYTES = 14;
/** I, P and Ethernet as next protocol (draft-ietf-nvo3-vxlan-gpe). */
const GPE_ETHERNET = 0x0c000003;
const MAX_BYTES = 512;

/** 48 bits as 32 and 16. */
export type Mac = readonly [high: number, low: number];

export interface OuterHeader {
  /** An Encapsulation. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** The header for a frame with these tunnel words; null for a tunnel that has none. */
export function buildOuterHeader(
  words: Uint32Array,
  config: TunnelConfig,
  source: Address,
  fromMac: Mac,
  toMac: Mac,
): OuterHeader | null {
  const view = new DataView(new ArrayBuffer(MAX_BYTES));
  const isFour = words[TUN_DST] !== 0;
  const isUdp = config.type === 'vxlan' || config.type === 'geneve';
  view.setUint32(0, toMac[0]);
  view.setUint16(4, toMac[1]);
  view.setUint32(6, fromMac[0]);
  view.setUint16(10, fromMac[1]);
  view.setUint16(12, isFour ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
  let at = ETHERNET_BYTES;
  const proto = isUdp ? IP_PROTO_UDP : IP_PROTO_GRE;
  const flags = words[TUN_FLAGS] >>> 16;
  const tos = (words[TUN_FLAGS] >>> 8) & 255;
  const ttl = words[TUN_FLAGS] & 255;
  if (isFour) {
    view.setUint16(at, 0x4500 | tos);
    view.setUint16(at + 6, (flags & TunnelFlag.DF) !== 0 ? 0x4000 : 0);
    view.setUint16(at + 8, (ttl << 8) | proto);
    view.setUint32(at + 12, source[3]);
    view.setUint32(at + 16, words[TUN_DST]);
    at += OUTER_IPV4_BYTES;
  } else {
    view.setUint32(at, (6 << 28) | (tos << 20));
    view.setUint16(at + 6, (proto << 8) | ttl);
    for (let i = 0; i < 4; i++) {
      view.setUint32(at + 8 + 4 * i, source[i]);
      view.setUint32(at + 24 + 4 * i, words[TUN_IPV6_DST + i]);
    }
    at += OUTER_IPV6_BYTES;
  }
  if (isUdp) {
    view.setUint16(at + 2, config.dstPort);
    // A checksum that is there to be filled in; IPv6 always has one.
    const isChecked = (flags & TunnelFlag.CSUM) !== 0 || !isFour;
    view.setUint16(at + 6, isChecked ? 0xffff : 0);
    at += OUTER_UDP_BYTES;
  }
  const inner = encapsulate(view, at, words, config, isFour);
  if (inner === null) return null;
  return { type: inner.type, bytes: new Uint8Array(view.buffer, 0, at + inner.bytes) };
}

function encapsulate(
  view: DataView,
  at: number,
  words: Uint32Array,
  config: TunnelConfig,
  isFour: boolean,
): { type: number; bytes: number } | null {
  switch (config.type) {
    case 'vxlan': {
      encodeVxlan(view, at, words, 0, config.gbp);
      if (config.gpe) view.setUint32(at, GPE_ETHERNET);
      return { type: Encapsulation.VXLAN, bytes: VXLAN_BYTES };
    }
    case 'geneve':
      return { type: Encapsulation.GENEVE, bytes: encodeGeneve(view, at, words, 0) };
    case 'gre':
    case 'ip6gre': {
      const bytes = encodeGre(view, at, words, 0, config.seq ? 0 : -1, 0, 0);
      if (((words[TUN_FLAGS] >>> 16) & TunnelFlag.CSUM) !== 0) view.setUint16(at + 4, 0);
      return { type: isFour ? Encapsulation.GRE : Encapsulation.IP6GRE, bytes };
    }
    case 'erspan':
    case 'ip6erspan': {
      const bytes = encodeErspan(view, at, words, 0);
      const type = isFour ? Encapsulation.ERSPAN : Encapsulation.IP6ERSPAN;
      return bytes === 0 ? null : { type, bytes };
    }
    default:
      return null;
  }
}
