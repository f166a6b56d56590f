/**
 * Destination addresses that a bridge keeps to itself unless other_config:forward-bpdu says otherwise: the
 * table under `forward-bpdu` in ovs-vswitchd.conf.db(5).
 */
const SINGLE = new Set([
  0x00e02b000000, // Extreme Discovery Protocol
  0x00e02b000004, // Ethernet Automatic Protection Switching
  0x00e02b000006,
  0x01000c000000, // Cisco Inter Switch Link
  0x01000ccccccc, // CDP, VTP, DTP, PAgP
  0x01000ccccccd, // PVST+
  0x01000ccdcdcd, // STP Uplink Fast
]);
/** 16 addresses each: 802.1D/802.1Q reserved, Cisco CFM. */
const BLOCKS = new Set([0x0180c2000000, 0x01000cccccc0]);

export const isReservedAddress = (mac: number): boolean =>
  SINGLE.has(mac) || BLOCKS.has(mac - (mac % 16));
