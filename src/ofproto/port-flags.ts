/** OFPPC_* and OFPPS_* bits. Those that several versions of OpenFlow have are the same in all; others are 1.0's. */
export const OFPPC_PORT_DOWN = 1 << 0;
export const OFPPC_NO_RECV = 1 << 2;
export const OFPPC_NO_FLOOD = 1 << 4;
export const OFPPC_NO_FWD = 1 << 5;
export const OFPPC_NO_PACKET_IN = 1 << 6;

export const OFPPS_LINK_DOWN = 1 << 0;
export const OFPPS_LIVE = 1 << 2;
