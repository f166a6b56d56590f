/** What the machine and its dummy devices say of routes and addresses, in the form that the router and tunnels read. */
import type { Links } from '../sys/links.ts';
import { type KernelRoute, KernelRoutes } from '../sys/routes.ts';
import {
  NO_ADDRESS,
  type Prefix,
  type Route,
  type RouteSource,
  sourceTowards,
} from '../tunnels/router.ts';
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

  /** Of several routes to one network, the one that the kernel prefers. */
  routes(): Route[] {
    const addresses = this.addressesByIndex();
    const found = new Map<string, Route>();
    for (const route of this.kernel.all()) {
      const device = this.links.at(route.ifindex)?.name;
      if (device === undefined) continue;
      const made = this.routeOf(route, device, addresses.get(route.ifindex) ?? []);
      const key = `${made.destination}/${made.prefixBits}`;
      if (!found.has(key)) found.set(key, made);
    }
    return [...found.values()];
  }

  private addressesByIndex(): Map<number, Prefix[]> {
    const found = new Map<number, Prefix[]>();
    for (const { ifindex, address, prefixBits } of this.kernel.addresses()) {
      const bits = prefixBits + (address.length === 4 ? IPV4_PREFIX_BITS : 0);
      const list = found.get(ifindex) ?? [];
      list.push({ address: addressOfBytes(address), prefixBits: bits });
      found.set(ifindex, list);
    }
    return found;
  }

  private routeOf(
    { destination, prefixBits, gateway, source, isLocal }: KernelRoute,
    device: string,
    addresses: readonly Prefix[],
  ): Route {
    const isFour = destination.length === 4;
    const to = addressOfBytes(destination);
    const via = gateway === null ? NO_ADDRESS : addressOfBytes(gateway);
    return {
      kind: 'Cached',
      destination: to,
      prefixBits: prefixBits + (isFour ? IPV4_PREFIX_BITS : 0),
      mark: 0,
      device,
      gateway: via,
      source:
        source !== null
          ? addressOfBytes(source)
          : isLocal
            ? to
            : (sourceTowards(addresses, gateway === null ? to : via) ?? NO_ADDRESS),
      isLocal,
    };
  }

  /** Whom the kernel knows on its links: packets of tunnels go by these. `mac`: 48 bits. */
  neighbors(): { readonly device: string; readonly address: Address; readonly mac: bigint }[] {
    return this.kernel.neighbors().flatMap(({ ifindex, address, mac }) => {
      const device = this.links.at(ifindex)?.name;
      if (device === undefined) return [];
      const bits = mac.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      return [{ device, address: addressOfBytes(address), mac: bits }];
    });
  }

  /** All addresses that tunnels' packets may come to, with those of their links (48 bits). */
  ownAddresses(): { readonly mac: bigint; readonly address: Address }[] {
    const dummies = [...this.dummies.all()].flatMap((device) => {
      const mac = device.status().mac ?? 0n;
      return device.addresses.map(({ address }) => ({ mac, address }));
    });
    const real = [...this.addressesByIndex()].flatMap(([ifindex, addresses]) => {
      const link = this.links.at(ifindex);
      if (link === undefined || link.loopback) return [];
      return addresses.map(({ address }) => ({ mac: link.mac, address }));
    });
    return [...dummies, ...real];
  }

  addressesOf(device: string): readonly Prefix[] | null {
    const dummy = this.dummies.get(device);
    if (dummy !== undefined) return dummy.addresses;
    const link = this.links.get(device);
    if (link === undefined) return null;
    return this.addressesByIndex().get(link.ifindex) ?? [];
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
