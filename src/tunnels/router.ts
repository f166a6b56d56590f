/**
 * Routes as `ovs/route/*` shows and changes them: the kernel's, and those that a user adds for devices that the kernel does not know.
 * The longest prefix wins, a user's route before the kernel's; a mark is matched exactly.
 */
import { type Address, formatAddress, isIpv4 } from './tunnel-config.ts';

export interface Route {
  readonly kind: 'Cached' | 'User';
  /** Bits behind the prefix are 0. */
  readonly destination: Address;
  /** Of 128: an IPv4 prefix is 96 longer than it is written. */
  readonly prefixBits: number;
  readonly mark: number;
  readonly device: string;
  /** All zero without one. */
  readonly gateway: Address;
  readonly source: Address;
  readonly isLocal: boolean;
}

/** An address of a device; bits of 128. */
export interface Prefix {
  readonly address: Address;
  readonly prefixBits: number;
}

/** What the router has to know of the machine. */
export interface RouteSource {
  /** The kernel's routes. */
  routes(): Route[];
  /** Addresses of a device with their prefixes; null for one that does not exist. */
  addressesOf(device: string): readonly Prefix[] | null;
}

export const NO_ADDRESS: Address = [0, 0, 0, 0];

/** The first `bits` bits of an address. */
function network(address: Address, bits: number): Address {
  const words = address.map((word, i) => {
    const kept = Math.min(32, Math.max(0, bits - 32 * i));
    return kept === 0 ? 0 : (word & (0xffffffff << (32 - kept))) >>> 0;
  });
  return [words[0], words[1], words[2], words[3]];
}

const same = (a: Address, b: Address): boolean => a.every((word, i) => word === b[i]);

/** The address that packets to `near` leave with: the one in its network, of the longest prefix; undefined without one. */
export function sourceTowards(addresses: readonly Prefix[], near: Address): Address | undefined {
  let best: Prefix | undefined;
  for (const own of addresses) {
    const bits = own.prefixBits;
    if (isIpv4(own.address) !== isIpv4(near)) continue;
    if (!same(network(own.address, bits), network(near, bits))) continue;
    if (best === undefined || bits > best.prefixBits) best = own;
  }
  return best?.address;
}

export class Router {
  private readonly source: RouteSource;
  private readonly user: Route[] = [];

  constructor(source: RouteSource) {
    this.source = source;
  }

  all(): Route[] {
    return [...this.source.routes(), ...this.user];
  }

  lookup(address: Address, mark: number): Route | null {
    let best: Route | null = null;
    const rank = (route: Route): number => 2 * route.prefixBits + (route.kind === 'User' ? 1 : 0);
    for (const route of this.all()) {
      if (route.mark !== mark) continue;
      if (!same(network(address, route.prefixBits), route.destination)) continue;
      if (best === null || rank(route) > rank(best)) best = route;
    }
    return best;
  }

  /** Adds or replaces a route; returns why that cannot be, null when it was done. */
  add(
    to: Address,
    prefixBits: number,
    device: string,
    gateway: Address,
    mark: number,
  ): string | null {
    const addresses = this.source.addressesOf(device);
    if (addresses === null) return `there is no device ${device}`;
    const family = addresses.filter(({ address }) => isIpv4(address) === isIpv4(to));
    if (family.length === 0) return `${device} has no address of that family`;
    const near = same(gateway, NO_ADDRESS) ? to : gateway;
    const source = sourceTowards(family, near);
    if (source === undefined) {
      return `no address of ${device} is in a network with ${formatAddress(near)}`;
    }
    const destination = network(to, prefixBits);
    this.remove(destination, prefixBits, mark);
    const rest = { destination, prefixBits, mark, device, gateway, source, isLocal: false };
    this.user.push({ kind: 'User', ...rest });
    return null;
  }

  /** False when there is no such route of a user's. */
  remove(to: Address, prefixBits: number, mark: number): boolean {
    const destination = network(to, prefixBits);
    const at = this.user.findIndex(
      (route) =>
        route.prefixBits === prefixBits &&
        route.mark === mark &&
        same(route.destination, destination),
    );
    if (at < 0) return false;
    this.user.splice(at, 1);
    return true;
  }
}

/** `User: 10.0.0.0/24 MARK 1 dev br0 GW 10.0.0.1 SRC 10.0.0.2 local` */
export function routeText(route: Route): string {
  const bits = isIpv4(route.destination) ? route.prefixBits - 96 : route.prefixBits;
  let text = `${route.kind}: ${formatAddress(route.destination)}/${bits}`;
  if (route.mark !== 0) text += ` MARK ${route.mark}`;
  text += ` dev ${route.device}`;
  if (!same(route.gateway, NO_ADDRESS)) text += ` GW ${formatAddress(route.gateway)}`;
  text += ` SRC ${formatAddress(route.source)}`;
  return route.isLocal ? `${text} local` : text;
}
