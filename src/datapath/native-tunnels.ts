/**
 * Outer headers that the datapath itself writes and takes off (TNL_PUSH, TNL_POP of program.ts): tunnels whose address is that of a
 * bridge, where no socket of the kernel stands in between (doc/adr/0010).
 *
 * The header comes ready with the program; what differs from packet to packet is filled in here. A super-frame has no place
 * in a packet that is one packet: it is dropped and counted.
 */
import { checksumOf, pseudoHeader4, pseudoHeader6, sumBytes } from '../packet/checksum.ts';
import { flowHash } from '../packet/flow-hash.ts';
import { GSO_NONE } from '../packet/frames.ts';
import {
  CT_STATE,
  DP_WORDS,
  IN_PORT,
  RECIRC_ID,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_IPV6_SRC,
  TUN_SRC,
  TUN_TP,
} from '../packet/key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_UDP,
} from '../packet/protocol.ts';
import type { Region } from '../sys/region.ts';
import { decodeErspan } from '../tunnels/erspan.ts';
import { decodeGeneve } from '../tunnels/geneve.ts';
import { decodeGre } from '../tunnels/gre.ts';
import {
  Encapsulation,
  IP_PROTO_GRE,
  OUTER_IPV4_BYTES,
  OUTER_IPV6_BYTES,
  OUTER_UDP_BYTES,
} from '../tunnels/outer-header.ts';
import { clearTunnel, TunnelFlag, TunnelRefusal } from '../tunnels/tunnel-words.ts';
import { decodeVxlan } from '../tunnels/vxlan.ts';
import type { Batch } from './batch.ts';
import { counterIndex } from './shared.ts';

const PUSH_ERROR = counterIndex('datapath_drop_tunnel_push_error');
const POP_ERROR = counterIndex('datapath_drop_tunnel_pop_error');
const MAX_IP_BYTES = 65_535;
const GRE_C = 0x8000;
const GRE_S = 0x1000;
/** Counters of sequence numbers: tunnels whose port and key fall together share one, and still count upwards. */
const SEQUENCES = 1024;

export class NativeTunnels {
  /** Of what pop() last found. */
  innerBytes = 0;
  private readonly view: DataView;
  private readonly counters: { [index: number]: number };
  private readonly sequences = new Uint32Array(SEQUENCES);

  constructor(region: Region, counters: { [index: number]: number }) {
    this.view = region.view;
    this.counters = counters;
  }

  /** Puts the header of program[at], a TNL_PUSH, in front of frame p, whose bytes are its own. False: counted, and to be dropped. */
  push(batch: Batch, p: number, program: Int32Array, at: number): boolean {
    const bytes = program[at + 5];
    const total = batch.length[p] + bytes - ETH_HEADER_BYTES;
    if (batch.room[p] < bytes || total > MAX_IP_BYTES || batch.gsoType[p] !== GSO_NONE) {
      this.counters[PUSH_ERROR]++;
      return false;
    }
    const { view } = this;
    const base = p * DP_WORDS;
    const to = batch.start[p] - bytes;
    const whole = bytes >>> 2;
    for (let i = 0; i < whole; i++) view.setUint32(to + 4 * i, program[at + 6 + i]);
    for (let i = 4 * whole; i < bytes; i++) {
      view.setUint8(to + i, program[at + 6 + whole] >>> (24 - 8 * (i & 3)));
    }
    const hash = flowHash(batch.keys, base, 0, false);
    batch.start[p] = to;
    batch.room[p] -= bytes;
    batch.length[p] += bytes;
    const ip = to + ETH_HEADER_BYTES;
    const isFour = view.getUint16(to + 12) === ETH_TYPE_IPV4;
    const transport = ip + (isFour ? OUTER_IPV4_BYTES : OUTER_IPV6_BYTES);
    const transportBytes = total - (transport - ip);
    const proto = view.getUint8(ip + (isFour ? 9 : 6));
    if (isFour) {
      view.setUint16(ip + 2, total);
      view.setUint16(ip + 10, 0);
      view.setUint16(ip + 10, checksumOf(sumBytes(view, ip, OUTER_IPV4_BYTES)));
    } else view.setUint16(ip + 4, transportBytes);
    if (proto === IP_PROTO_UDP) {
      const first = program[at + 4] >>> 16;
      const count = (program[at + 4] & 0xffff) - first + 1;
      this.finishUdp(ip, transport, transportBytes, first + (hash % count), isFour);
    } else this.finishGre(transport, transportBytes, program[at + 1]);
    return true;
  }

  private finishUdp(ip: number, udp: number, bytes: number, port: number, isFour: boolean): void {
    const { view } = this;
    view.setUint16(udp, port);
    view.setUint16(udp + 4, bytes);
    if (view.getUint16(udp + 6) === 0) return;
    view.setUint16(udp + 6, 0);
    const sum = isFour
      ? pseudoHeader4(view, ip, IP_PROTO_UDP, bytes)
      : pseudoHeader6(view, ip, IP_PROTO_UDP, bytes);
    view.setUint16(udp + 6, checksumOf(sumBytes(view, udp, bytes, sum)) || 0xffff);
  }

  private finishGre(gre: number, bytes: number, port: number): void {
    const { view } = this;
    const flags = view.getUint16(gre);
    if ((flags & GRE_S) !== 0) {
      const isErspan = flags === GRE_S && view.getUint16(gre + 2) !== 0x6558;
      let at = gre + 4;
      if ((flags & GRE_C) !== 0) at += 4;
      if ((flags & 0x2000) !== 0) at += 4;
      const key = isErspan ? view.getUint16(gre + 10) & 0x3ff : view.getUint32(at - 4);
      const slot = (Math.imul(port, 31) ^ key) & (SEQUENCES - 1);
      view.setUint32(at, ++this.sequences[slot]);
    }
    if ((flags & GRE_C) === 0) return;
    view.setUint16(gre + 4, 0);
    view.setUint16(gre + 4, checksumOf(sumBytes(view, gre, bytes)));
  }

  /**
   * Bytes of the outer headers of packet p, whose tunnel stands in its key then, as what arrived by the port of program[at], a
   * TNL_POP. A TunnelRefusal, counted, for a packet that is to be dropped.
   */
  pop(batch: Batch, p: number, program: Int32Array, at: number): number {
    const base = p * DP_WORDS;
    const { keys } = batch;
    clearTunnel(keys, base);
    const bytes = this.decode(batch.start[p], batch.length[p], keys, base, program, at);
    if (bytes < 0) {
      this.counters[POP_ERROR]++;
      return bytes;
    }
    for (let i = CT_STATE; i < TUN_ID; i++) keys[base + i] = 0;
    keys[base + IN_PORT] = program[at + 1];
    keys[base + RECIRC_ID] = 0;
    return bytes;
  }

  private decode(
    start: number,
    length: number,
    keys: Uint32Array,
    base: number,
    program: Int32Array,
    at: number,
  ): number {
    const { view } = this;
    const ip = start + ETH_HEADER_BYTES;
    let left = length - ETH_HEADER_BYTES;
    if (left < OUTER_IPV4_BYTES) return TunnelRefusal.TRUNCATED;
    const type = view.getUint16(start + 12);
    let header: number;
    let proto: number;
    let total: number;
    if (type === ETH_TYPE_IPV4) {
      header = (view.getUint8(ip) & 15) << 2;
      total = view.getUint16(ip + 2);
      if (header < OUTER_IPV4_BYTES || total < header) return TunnelRefusal.TRUNCATED;
      if (total > left) return TunnelRefusal.TRUNCATED;
      if (checksumOf(sumBytes(view, ip, header)) !== 0) return TunnelRefusal.BAD_CHECKSUM;
      proto = view.getUint8(ip + 9);
      keys[base + TUN_SRC] = view.getUint32(ip + 12);
      keys[base + TUN_DST] = view.getUint32(ip + 16);
      keys[base + TUN_FLAGS] = (view.getUint8(ip + 1) << 8) | view.getUint8(ip + 8);
    } else if (type === ETH_TYPE_IPV6) {
      header = OUTER_IPV6_BYTES;
      if (left < header) return TunnelRefusal.TRUNCATED;
      total = header + view.getUint16(ip + 4);
      if (total > left) return TunnelRefusal.TRUNCATED;
      proto = view.getUint8(ip + 6);
      for (let i = 0; i < 4; i++) {
        keys[base + TUN_IPV6_SRC + i] = view.getUint32(ip + 8 + 4 * i);
        keys[base + TUN_IPV6_DST + i] = view.getUint32(ip + 24 + 4 * i);
      }
      keys[base + TUN_FLAGS] = (((view.getUint32(ip) >>> 20) & 255) << 8) | view.getUint8(ip + 7);
    } else return TunnelRefusal.PROTOCOL;
    const transport = ip + header;
    left = total - header;
    let inner: number;
    if (proto === IP_PROTO_UDP) {
      if (left < OUTER_UDP_BYTES) return TunnelRefusal.TRUNCATED;
      if (view.getUint16(transport + 6) !== 0) {
        const sum =
          type === ETH_TYPE_IPV4
            ? pseudoHeader4(view, ip, IP_PROTO_UDP, left)
            : pseudoHeader6(view, ip, IP_PROTO_UDP, left);
        if (checksumOf(sumBytes(view, transport, left, sum)) !== 0) {
          return TunnelRefusal.BAD_CHECKSUM;
        }
        keys[base + TUN_FLAGS] |= TunnelFlag.CSUM << 16;
      }
      keys[base + TUN_TP] = view.getUint32(transport);
      inner = transport + OUTER_UDP_BYTES;
      left -= OUTER_UDP_BYTES;
    } else if (proto === IP_PROTO_GRE) inner = transport;
    else return TunnelRefusal.PROTOCOL;
    const bytes = this.decapsulate(inner, left, keys, base, program[at + 2], program[at + 3]);
    if (bytes < 0) return bytes;
    // As in the original, what Ethernet may have padded the packet with stays.
    this.innerBytes = start + length - inner - bytes;
    if (this.innerBytes < ETH_HEADER_BYTES) return TunnelRefusal.TRUNCATED;
    return inner + bytes - start;
  }

  private decapsulate(
    at: number,
    length: number,
    keys: Uint32Array,
    base: number,
    type: number,
    gbp: number,
  ): number {
    const { view } = this;
    switch (type) {
      case Encapsulation.VXLAN:
        return decodeVxlan(view, at, length, keys, base, gbp !== 0);
      case Encapsulation.GENEVE:
        return decodeGeneve(view, at, length, keys, base);
      case Encapsulation.GRE: {
        const bytes = decodeGre(view, at, length, keys, base);
        const isBare = ((keys[base + TUN_FLAGS] >>> 16) & TunnelFlag.BARE) !== 0;
        return bytes > 0 && isBare ? TunnelRefusal.PROTOCOL : bytes;
      }
      case Encapsulation.ERSPAN:
        return decodeErspan(view, at, length, keys, base);
      default:
        return TunnelRefusal.PROTOCOL;
    }
  }
}
