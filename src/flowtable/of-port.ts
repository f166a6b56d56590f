/**
 * OpenFlow port numbers: how rules and bridges name ports. Never a datapath PortNo: mixing them does not
 * compile. It lies here, below ofproto, because actions of rules name ports.
 *
 * Kept in the 16-bit form of OpenFlow 1.0, as ovs-ofctl and the database show it; the codec widens the
 * reserved ones to 32 bits for later versions (OpenFlow 1.3, 7.2.1).
 */
declare const ofPortBrand: unique symbol;
export type OfPort = number & { readonly [ofPortBrand]: true };

export const ofPort = (number: number): OfPort => number as OfPort;

/** Ports that can be given to an interface: 1 .. OFPP_MAX - 1 (0xff00 starts the reserved range). */
export const FIRST_OF_PORT = 1;
export const LAST_OF_PORT = 0xfeff;

export const OFPP_IN_PORT = ofPort(0xfff8);
export const OFPP_TABLE = ofPort(0xfff9);
export const OFPP_NORMAL = ofPort(0xfffa);
export const OFPP_FLOOD = ofPort(0xfffb);
export const OFPP_ALL = ofPort(0xfffc);
export const OFPP_CONTROLLER = ofPort(0xfffd);
/** The bridge's own port, an internal interface of the bridge's name. */
export const OFPP_LOCAL = ofPort(0xfffe);
/** No port; "any" in filters. */
export const OFPP_NONE = ofPort(0xffff);
/** actset_output without an output in the action set. */
export const OFPP_UNSET = ofPort(0xfff7);

/** As fdb/show and flow text print it. */
export const formatOfPort = (port: OfPort): string =>
  port === OFPP_LOCAL ? 'LOCAL' : String(port as number);
