/**
 * What a switch that builds tunnels' packets itself has to know of the machine: routes, the addresses of devices, neighbours. One
 * without sends frames through the datapath's tunnel ports, which are sockets of the kernel.
 */
import type { Address } from '../tunnels/tunnel-config.ts';
import type { BridgePort } from './bridge-port.ts';
import type { TunnelDatapathPort } from './tunnel-ports.ts';

export interface Underlay {
  /** Null without a route. `gateway` is all zero where the address is on the link. */
  route(to: Address, mark: number): UnderlayRoute | null;
  /** Of the device of this name; empty without one. */
  addressesOf(device: string): readonly { readonly address: Address }[];
  /** aa:bb:cc:dd:ee:ff; null for one that is not known. */
  neighbor(bridge: string, address: Address): string | null;
  /** True when that is news. */
  learnNeighbor(bridge: string, address: Address, mac: string): boolean;
  /** Range of UDP source ports. */
  readonly sourcePorts: { readonly first: number; readonly last: number };
}

interface UnderlayRoute {
  readonly device: string;
  readonly gateway: Address;
  readonly source: Address;
}

/** The same, with what the switch itself adds. */
export interface BridgedUnderlay extends Underlay {
  /** The port of a bridge that is the device of this name; null for other devices. */
  portOf(device: string): BridgePort | null;
  /** The datapath ports that tunnels share, by number. */
  readonly tunnelPorts: ReadonlyMap<number, TunnelDatapathPort>;
  /** Sends out, through the tables of the port's bridge, a question for the link address of `target`. */
  ask(port: BridgePort, source: Address, target: Address): void;
}
