/**
 * What every way of moving tunnels' packets is: a port that all tunnels of a kind share (PortSpec kind `tunnel`), whose frames have
 * their tunnel in the words TUN_* of their keys, both ways.
 *
 * Two implementations pass test/contract/tunnel-transport.ts (doc/adr/0010): `kernel` (tunnel-port.ts: sockets of the datapath's
 * thread and batched system calls) and `portable` (relay-tunnel-port.ts: Node's sockets on the main thread).
 */
import type { Batch } from './batch.ts';
import type { PortSpec } from './datapath.ts';
import type { Port } from './port.ts';

export type TunnelSpec = Extract<PortSpec, { kind: 'tunnel' }>;

/** UDP source ports that flows are spread over. */
export const SOURCE_PORTS = 32;

export interface TunnelTransport extends Port {
  /** Writes the tunnel of received frame p into its key, which was read from its headers. */
  describe(batch: Batch, p: number): void;
}
