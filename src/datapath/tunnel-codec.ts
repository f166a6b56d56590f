/** The encapsulation header of one kind of tunnels, written and read as its port was configured. */
import { decodeGeneve, encodeGeneve, geneveBytes } from '../tunnels/geneve.ts';
import { decodeGre, encodeGre, greBytes } from '../tunnels/gre.ts';
import { decodeVxlan, encodeVxlan, VXLAN_BYTES } from '../tunnels/vxlan.ts';
import { counterIndex } from './shared.ts';
import type { TunnelSpec } from './tunnel-transport.ts';

/** Behind a TunnelRefusal, negated. */
const REFUSALS: readonly number[] = [
  counterIndex('datapath_drop_tunnel_pop_error'),
  counterIndex('drop_tunnel_truncated'),
  counterIndex('drop_tunnel_bad_flags'),
  counterIndex('drop_tunnel_bad_version'),
  counterIndex('drop_tunnel_bad_checksum'),
  counterIndex('drop_tunnel_bad_option'),
  counterIndex('drop_tunnel_protocol'),
];

/** The counter of packets refused with a TunnelRefusal. */
export const refusalCounter = (reason: number): number => REFUSALS[-reason] ?? REFUSALS[0];

export class TunnelCodec {
  private readonly spec: TunnelSpec;
  private readonly view: DataView;
  private sequence = 0;

  constructor(spec: TunnelSpec, view: DataView) {
    this.spec = spec;
    this.view = view;
  }

  /** Reads the header of `length` bytes at `at` into words; returns its length, or below 0 a TunnelRefusal. */
  decoder(): (at: number, length: number, words: Uint32Array, base: number) => number {
    const { view } = this;
    const { encapsulation, gbp } = this.spec;
    switch (encapsulation) {
      case 'vxlan':
        return (at, length, words, base) => decodeVxlan(view, at, length, words, base, gbp);
      case 'gre':
        return (at, length, words, base) => decodeGre(view, at, length, words, base);
      case 'geneve':
        return (at, length, words, base) => decodeGeneve(view, at, length, words, base);
    }
  }

  /** Writes the header at `to` for the frame of `frameBytes` at `frame` (GRE's checksum covers it); returns its length. */
  encode(to: number, keys: Uint32Array, key: number, frame: number, frameBytes: number): number {
    const { view } = this;
    switch (this.spec.encapsulation) {
      case 'vxlan':
        return encodeVxlan(view, to, keys, key, this.spec.gbp);
      case 'gre':
        return encodeGre(view, to, keys, key, this.nextSequence(), frame, frameBytes);
      case 'geneve':
        return encodeGeneve(view, to, keys, key);
    }
  }

  /** Bytes of the header that frames with these tunnel words get. */
  bytes(words: Uint32Array, base: number): number {
    if (this.spec.encapsulation === 'gre') return greBytes(words, base, this.spec.sequence);
    if (this.spec.encapsulation === 'vxlan') return VXLAN_BYTES;
    return geneveBytes(words, base);
  }

  private nextSequence(): number {
    if (!this.spec.sequence) return -1;
    this.sequence = (this.sequence + 1) >>> 0;
    return this.sequence;
  }
}
