/**
 * Transmit queues of a dummy device, counted: `options:n_txq` of type dummy-pmd, and other_config:tx-steering, which sends all by
 * one queue (`thread`, we have one) or spreads connections over them (`hash`); ovs-vswitchd.conf.db(5), Interface.
 */
import type { PortStats } from '../../datapath/datapath.ts';
import { keyOf } from '../../packet/extract.ts';
import { flowHash } from '../../packet/flow-hash.ts';
import { clamp, integer, text } from '../config-value.ts';
import type { WantedInterface } from '../wanted.ts';

const MAX_QUEUES = 1024;

export class DummyQueues {
  private readonly packets: Float64Array;
  private readonly bytes: Float64Array;
  private readonly isHashed: boolean;

  constructor({ type, options, otherConfig }: WantedInterface) {
    const wanted = type === 'dummy-pmd' ? (integer(options, 'n_txq') ?? 1) : 1;
    const count = clamp(wanted, 1, MAX_QUEUES);
    this.packets = new Float64Array(count);
    this.bytes = new Float64Array(count);
    this.isHashed = count > 1 && text(otherConfig, 'tx-steering') === 'hash';
  }

  /** A frame leaves. */
  count(frame: Uint8Array): void {
    const hash = this.isHashed ? flowHash(keyOf(frame, 0), 0, 0, false) : 0;
    const queue = hash % this.packets.length;
    this.packets[queue]++;
    this.bytes[queue] += frame.length;
  }

  /** The counters that only dummy devices have, by the original's names and in its order. */
  counters({ rxPackets, rxBytes }: PortStats): Record<string, number> {
    const counters: Record<string, number> = {
      rx_custom_packets_1: rxPackets,
      rx_custom_packets_2: rxPackets,
      rx_q0_bytes: rxBytes,
      rx_q0_packets: rxPackets,
    };
    this.packets.forEach((packets, i) => {
      counters[`tx_q${i}_bytes`] = this.bytes[i];
      counters[`tx_q${i}_packets`] = packets;
    });
    return counters;
  }
}
