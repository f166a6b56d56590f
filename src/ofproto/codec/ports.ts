/**
 * OpenFlow port numbers on the wire: 16 bits in 1.0, 32 bits since 1.1 with the reserved ones at the top
 * (OpenFlow 1.3.5, 7.2.1). The model keeps the 16-bit form; what lies between cannot be a port of this switch.
 */
import { type OfPort, ofPort } from '../../flowtable/of-port.ts';
import type { Reader } from './reader.ts';
import { OF10 } from './versions.ts';
import type { Codec } from './wire.ts';
import type { Writer } from './writer.ts';

/** First reserved number with 16 bits, OFPP_IN_PORT - 8 as Open vSwitch has it. */
const FIRST_RESERVED = 0xff00;
const WIDEN = 0xffff_0000;

/** Null for a number that has no 16-bit form. */
export function portFromWide(wide: number): OfPort | null {
  if (wide < FIRST_RESERVED) return ofPort(wide);
  return wide >= WIDEN + FIRST_RESERVED ? ofPort(wide - WIDEN) : null;
}

export const portToWide = (port: OfPort): number =>
  (port as number) < FIRST_RESERVED ? port : (port as number) + WIDEN;

/** A port as the version has it: u16 in 1.0, u32 later. Throws OFPBAC_BAD_OUT_PORT for numbers that cannot be. */
export const portNumber: Codec<OfPort> = {
  decode(r: Reader) {
    if (r.version === OF10) return ofPort(r.u16());
    return portFromWide(r.u32()) ?? r.fail('OFPBAC_BAD_OUT_PORT');
  },
  encode(w: Writer, port) {
    if (w.version === OF10) w.u16(port);
    else w.u32(portToWide(port));
  },
};
