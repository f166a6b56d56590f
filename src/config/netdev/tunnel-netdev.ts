/**
 * A tunnel interface. It has no device: the datapath port that moves its packets belongs to all tunnels of its kind
 * (tunnel-ports.ts), so `spec` is null and `tunnel` says what is wanted.
 */
import { parseTunnel, type TunnelConfig } from '../../tunnels/tunnel-config.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';
import { type Netdev, NetdevError } from './netdev.ts';

/** What the routes say of a tunnel's way out: the keys of the status column; empty without a route. */
export type EgressStatus = (tunnel: TunnelConfig) => Readonly<Record<string, string>>;

/** `mac`: the made-up address to report, 48 bits. */
export async function openTunnel(
  want: WantedInterface,
  mac: bigint,
  egress: EgressStatus,
): Promise<Netdev> {
  const parsed = parseTunnel(want.name, want.type, want.options);
  if (!parsed.ok) throw new NetdevError(parsed.error);
  const { config, warnings } = parsed;
  const status = (): RunningDevice => ({
    mac,
    adminUp: true,
    linkUp: true,
    linkResets: 0,
    speedBps: null,
    fullDuplex: null,
    mtu: null,
    ifindex: 0,
    status: egress(config),
  });
  return {
    name: want.name,
    typeText: want.type,
    spec: null,
    tunnel: config,
    warnings,
    ifindex: 0,
    current: () => true,
    status,
    setMtu: () => {},
    setMac: () => {},
    close: async () => {},
  };
}
