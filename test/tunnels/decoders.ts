/** Every decapsulation behind one call, for tests that throw bytes at all of them. */
import { Batch } from '../../src/datapath/batch.ts';
import { NativeTunnels } from '../../src/datapath/native-tunnels.ts';
import { checksumOf, sumBytes } from '../../src/packet/checksum.ts';
import { TUN_ID } from '../../src/packet/key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_UDP,
} from '../../src/packet/protocol.ts';
import { heapRegion } from '../../src/sys/region.ts';
import { decodeErspan } from '../../src/tunnels/erspan.ts';
import { decodeGeneve } from '../../src/tunnels/geneve.ts';
import { decodeGre } from '../../src/tunnels/gre.ts';
import {
  Encapsulation,
  IP_PROTO_GRE,
  OUTER_IPV4_BYTES,
  OUTER_IPV6_BYTES,
  OUTER_UDP_BYTES,
} from '../../src/tunnels/outer-header.ts';
import { TUNNEL_STRIDE } from '../../src/tunnels/tunnel-words.ts';
import { decodeVxlan } from '../../src/tunnels/vxlan.ts';

type Decode = (view: DataView, length: number, words: Uint32Array, base: number) => number;

/** `start`: first bytes of a header that is good so far. */
export const DECODERS: readonly { name: string; start: readonly number[]; decode: Decode }[] = [
  {
    name: 'vxlan',
    start: [0x08],
    decode: (view, length, words, base) => decodeVxlan(view, 0, length, words, base, false),
  },
  {
    name: 'vxlan gbp',
    start: [0x88],
    decode: (view, length, words, base) => decodeVxlan(view, 0, length, words, base, true),
  },
  {
    name: 'gre',
    start: [0xb0, 0, 0x65, 0x58],
    decode: (view, length, words, base) => decodeGre(view, 0, length, words, base),
  },
  {
    name: 'geneve',
    start: [0x04, 0, 0x65, 0x58],
    decode: (view, length, words, base) => decodeGeneve(view, 0, length, words, base),
  },
  {
    name: 'erspan',
    start: [0x10, 0, 0x88, 0xbe],
    decode: (view, length, words, base) => decodeErspan(view, 0, length, words, base),
  },
];

/** Runs all decoders on exactly these bytes. Throws when one does, or answers with an impossible length. */
export function decodeAll(bytes: Uint8Array): void {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (const { name, decode } of DECODERS) {
    const words = new Uint32Array(TUNNEL_STRIDE);
    const got = decode(view, copy.length, words, -TUN_ID);
    if (got > copy.length || got === 0) throw new Error(`${name} answered ${got}`);
  }
}

/** Outer headers from Ethernet on around `payload`, with the right lengths and no UDP checksum; IPv4 or IPv6, UDP or GRE by `kind`'s bits. */
export function outerPacket(payload: Uint8Array, kind: number): Uint8Array {
  const isFour = (kind & 1) === 0;
  const isUdp = (kind & 2) === 0;
  const ip = isFour ? OUTER_IPV4_BYTES : OUTER_IPV6_BYTES;
  const udp = isUdp ? OUTER_UDP_BYTES : 0;
  const bytes = new Uint8Array(ETH_HEADER_BYTES + ip + udp + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, isFour ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
  const proto = isUdp ? IP_PROTO_UDP : IP_PROTO_GRE;
  if (isFour) {
    view.setUint16(14, 0x4500);
    view.setUint16(16, ip + udp + payload.length);
    view.setUint16(22, (64 << 8) | proto);
    view.setUint16(24, checksumOf(sumBytes(view, 14, ip)));
  } else {
    view.setUint16(14, 0x6000);
    view.setUint16(18, udp + payload.length);
    view.setUint16(20, (proto << 8) | 64);
  }
  if (isUdp) view.setUint16(ETH_HEADER_BYTES + ip + 4, udp + payload.length);
  bytes.set(payload, ETH_HEADER_BYTES + ip + udp);
  return bytes;
}

const POPPED = [Encapsulation.VXLAN, Encapsulation.GENEVE, Encapsulation.GRE, Encapsulation.ERSPAN];

/** Has the datapath take the outer headers off exactly these bytes, as each kind. Throws when it does, or finds an impossible frame. */
export function popAll(bytes: Uint8Array): number {
  const region = heapRegion(bytes.length);
  region.bytes.set(bytes);
  const tunnels = new NativeTunnels(region, {});
  let good = 0;
  for (const type of POPPED) {
    const batch = new Batch();
    batch.append(1, 0, bytes.length, 0);
    const got = tunnels.pop(batch, 0, Int32Array.of(0, 7, type, 1), 0);
    if (got < 0) continue;
    good++;
    if (tunnels.innerBytes < ETH_HEADER_BYTES || got + tunnels.innerBytes !== bytes.length) {
      throw new Error(`type ${type} found ${tunnels.innerBytes} bytes behind ${got}`);
    }
  }
  return good;
}
