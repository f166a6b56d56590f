/**
 * The MAC address and the datapath id of a bridge (ovs-vswitchd.conf.db(5): Bridge other_config:hwaddr, datapath_id).
 * Pure functions; addresses are 48-bit bigints.
 */

const MULTICAST = 0x0100_0000_0000n;
const LOCALLY_ADMINISTERED = 0x0200_0000_0000n;
/** 01:80:c2:00:00:0X, which no device may have. */
const RESERVED = 0x0180c2000000n;

/**
 * The address of a bridge's local port: `hwaddr` if configured, else the lowest burned-in address of its ports, else
 * `fallback`. Made-up (locally administered) addresses do not count: veth and TAP devices have such, and a bridge must
 * not change its address when one comes or goes.
 */
export function localAddress(
  hwaddr: bigint | null,
  portAddresses: readonly bigint[],
  fallback: bigint,
): bigint {
  if (hwaddr !== null) return hwaddr;
  let lowest: bigint | null = null;
  for (const mac of portAddresses) {
    if (mac === 0n || (mac & (MULTICAST | LOCALLY_ADMINISTERED)) !== 0n) continue;
    if ((mac & ~0xfn) === RESERVED) continue;
    if (lowest === null || mac < lowest) lowest = mac;
  }
  return lowest ?? fallback;
}

/** A made-up address that is the same after every restart: the last 46 bits that matter come from a row's UUID. */
export function addressFromUuid(uuid: string): bigint {
  const bits = BigInt(`0x${uuid.replaceAll('-', '').slice(-12)}`);
  return (bits & ~MULTICAST) | LOCALLY_ADMINISTERED;
}

/** 16 hexadecimal digits: the configured id, or 0000 and the bridge's address. */
export function datapathIdText(configured: bigint | null, mac: bigint): string {
  return (configured ?? mac).toString(16).padStart(16, '0');
}
