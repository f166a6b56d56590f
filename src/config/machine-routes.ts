/** What the machine and its dummy devices say of routes and addresses, in the form that the router and tunnels read. */
import type { Links } from '../sys/links.ts';
import { type KernelRoute, KernelRoutes } from '../sys/routes.ts';
import { NO_ADDRESS, type Route, type RouteSource } from '../tunnels/router.ts';
import { type Address, isIpv4, type TunnelConfig } from '../tunnels/tunnel-config.ts';
import type { DummyNetdevs } from './netdev/dummy-netdev.ts';

const IPV4_PREFIX_BITS = 96;

function addressOfBytes(bytes: Uint8Array): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return [0, 0, 0xffff, view.getUint32(0)];
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

function bytesOfAddress(address: Address): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  for (let i = 0; i < 4; i++) view.setUint32(4 * i, address[i]);
  return new Uint8Array(view.buffer).slice(isIpv4(address) ? 12 : 0);
}

export class MachineRoutes implements RouteSource {
  private readonly links: Links;
  private readonly dummies: DummyNetdevs;
  private readonly kernel: KernelRoutes;

  /** `changed` is called after each burst of changes of the kernel's routes or addresses, while followed. Throws SystemError. */
  constructor(links: Links, dummies: DummyNetdevs, changed: () => void) {
    this.links = links;
    this.dummies = dummies;
    this.kernel = new KernelRoutes(changed);
  }

  /** Follows changes; resolves when close() has ended that. */
  follow(): Promise<void> {
    return this.kernel.follow();
  }

  routes(): Route[] {
    const sources = new Map<number, Address>();
    for (const { ifindex, address } of this.kernel.addresses()) {
      if (address.length === 4 && !sources.has(ifindex))
        sources.set(ifindex, addressOfBytes(address));
    }
    return this.kernel.all().flatMap((route) => {
      const device = this.links.at(route.ifindex)?.name;
      return device === undefined ? [] : [this.routeOf(route, device, sources)];
    });
  }

  private routeOf(
    { destination, prefixBits, gateway, source, isLocal, ifindex }: KernelRoute,
    device: string,
    sources: ReadonlyMap<number, Address>,
  ): Route {
    const isFour = destination.length === 4;
    return {
      kind: 'Cached',
      destination: addressOfBytes(destination),
      prefixBits: prefixBits + (isFour ? IPV4_PREFIX_BITS : 0),
      mark: 0,
      device,
      gateway: gateway === null ? NO_ADDRESS : addressOfBytes(gateway),
      source:
        source !== null
          ? addressOfBytes(source)
          : ((isFour ? sources.get(ifindex) : undefined) ?? NO_ADDRESS),
      isLocal,
    };
  }

  addressesOf(device: string): readonly { address: Address; prefixBits: number }[] | null {
    const dummy = this.dummies.get(device);
    if (dummy !== undefined) return dummy.addresses;
    const link = this.links.get(device);
    if (link === undefined) return null;
    return this.kernel.addresses().flatMap(({ ifindex, address, prefixBits }) => {
      if (ifindex !== link.ifindex) return [];
      const bits = prefixBits + (address.length === 4 ? IPV4_PREFIX_BITS : 0);
      return [{ address: addressOfBytes(address), prefixBits: bits }];
    });
  }

  /** tunnel_egress_iface and its carrier, as the status column has them; nothing for a tunnel without one far end. */
  egressOf({ remote, egressPktMark }: TunnelConfig): Readonly<Record<string, string>> {
    if (remote === 'flow') return {};
    const route = this.kernel.lookup(bytesOfAddress(remote), egressPktMark ?? 0);
    const link = route === null ? undefined : this.links.at(route.ifindex);
    if (link === undefined) return {};
    const carrier = link.up && link.carrier ? 'up' : 'down';
    return { tunnel_egress_iface: link.name, tunnel_egress_iface_carrier: carrier };
  }

  close(): void {
    this.kernel.close();
  }
}
