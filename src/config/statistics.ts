/**
 * The `statistics` column of an Interface: what the switch moved, and the errors that only the kernel knows of.
 *
 * Packets and bytes are those that passed the switch, so they agree with flows; error kinds that a packet socket cannot see come from
 * the device (rtnl_link_stats64).
 */
import type { PortStats } from '../datapath/datapath.ts';
import type { PatchStats } from '../ofproto/bridge-port.ts';
import type { LinkStats } from '../sys/links.ts';

export type Counters = Readonly<Record<string, number>>;

/** `device`: the kernel's counters where there are such. The keys are those of ovs-vswitchd.conf.db(5). */
export function interfaceStatistics(port: PortStats, device: LinkStats | undefined): Counters {
  return {
    collisions: device?.collisions ?? 0,
    rx_bytes: port.rxBytes,
    rx_crc_err: device?.rxCrcErrors ?? 0,
    rx_dropped: port.rxDropped,
    rx_errors: port.rxErrors + (device?.rxErrors ?? 0),
    rx_frame_err: device?.rxFrameErrors ?? 0,
    rx_over_err: device?.rxOverErrors ?? 0,
    rx_packets: port.rxPackets,
    tx_bytes: port.txBytes,
    tx_dropped: port.txDropped,
    tx_errors: port.txErrors + (device?.txErrors ?? 0),
    tx_packets: port.txPackets,
  };
}

/** Of a device with counters of its own, `custom`. */
export function customStatistics(port: PortStats, custom: Counters): Counters {
  const { rxBytes, rxPackets, txBytes, txPackets } = port;
  return {
    rx_bytes: rxBytes,
    rx_packets: rxPackets,
    tx_bytes: txBytes,
    tx_packets: txPackets,
    ...custom,
  };
}

export function patchStatistics(stats: PatchStats): Counters {
  const { rxPackets, rxBytes, txPackets, txBytes } = stats;
  return { rx_bytes: rxBytes, rx_packets: rxPackets, tx_bytes: txBytes, tx_packets: txPackets };
}
