/**
 * The kernel's routes and addresses (rtnetlink(7)): asked for when somebody wants to know, since tunnels follow them without us.
 * Events say only that they changed: a router may have a million routes, of which we want those to a few tunnels' far ends.
 */
import { type Attribute, attributesOf, NetlinkSocket, NLM_F_DUMP } from './netlink.ts';
import { NetlinkEvents } from './netlink-events.ts';
import { SystemError } from './system-error.ts';

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const AF_INET = 2;
const AF_INET6 = 10;
const RTMSG_BYTES = 12;
const IFADDRMSG_BYTES = 8;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDMSG_BYTES = 12;
/** Neighbours that have an address of the link: reachable, stale, delay, probe and permanent. */
const NUD_KNOWN = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
/** default, main and local: routes of other tables are for policies, which only the kernel knows. */
const TABLES: ReadonlySet<number> = new Set([253, 254, 255]);
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV4_ROUTE = 0x40;
const RTMGRP_IPV4_RULE = 0x80;
const RTMGRP_IPV6_IFADDR = 0x100;
const RTMGRP_IPV6_ROUTE = 0x400;
/** RTNLGRP_IPV6_RULE is group 19. */
const RTMGRP_IPV6_RULE = 1 << 18;
const GROUPS =
  RTMGRP_IPV4_IFADDR |
  RTMGRP_IPV4_ROUTE |
  RTMGRP_IPV4_RULE |
  RTMGRP_IPV6_IFADDR |
  RTMGRP_IPV6_ROUTE |
  RTMGRP_IPV6_RULE;
const EVENT_BUFFER_BYTES = 256 << 10;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;

/** Addresses are 4 or 16 bytes. */
export interface KernelRoute {
  readonly destination: Uint8Array;
  readonly prefixBits: number;
  readonly ifindex: number;
  readonly gateway: Uint8Array | null;
  readonly source: Uint8Array | null;
  /** A route to an address of our own. */
  readonly isLocal: boolean;
}

export interface KernelNeighbor {
  readonly ifindex: number;
  readonly address: Uint8Array;
  /** 6 bytes. */
  readonly mac: Uint8Array;
}

export interface KernelAddress {
  readonly ifindex: number;
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

const bytesOf = (attribute: DataView | undefined): Uint8Array | null =>
  attribute === undefined
    ? null
    : new Uint8Array(attribute.buffer, attribute.byteOffset, attribute.byteLength).slice();

function routeOf(body: DataView): KernelRoute {
  const attributes = attributesOf(body, RTMSG_BYTES);
  const bytes = body.getUint8(0) === AF_INET ? 4 : 16;
  return {
    destination: bytesOf(attributes.get(RTA_DST)) ?? new Uint8Array(bytes),
    prefixBits: body.getUint8(1),
    ifindex: attributes.get(RTA_OIF)?.getInt32(0, true) ?? 0,
    gateway: bytesOf(attributes.get(RTA_GATEWAY)),
    source: bytesOf(attributes.get(RTA_PREFSRC)),
    isLocal: body.getUint8(7) === RTN_LOCAL,
  };
}

export class KernelRoutes {
  private readonly socket = new NetlinkSocket();
  private readonly events: NetlinkEvents;

  /** `changed` is called after each burst of changes of routes or addresses, while followed. Throws SystemError. */
  constructor(changed: () => void) {
    this.events = new NetlinkEvents(GROUPS, EVENT_BUFFER_BYTES, {
      take: () => {},
      lost: () => {},
      changed,
    });
  }

  /** Follows changes; resolves when close() has ended that. */
  follow(): Promise<void> {
    return this.events.follow();
  }

  /** How the kernel would send to an address; null when it has no way. */
  lookup(address: Uint8Array, mark = 0): KernelRoute | null {
    const fixed = new Uint8Array(RTMSG_BYTES);
    fixed[0] = address.length === 4 ? AF_INET : AF_INET6;
    fixed[1] = address.length * 8;
    const attributes: Attribute[] = [[RTA_DST, address]];
    if (mark !== 0) attributes.push([RTA_MARK, mark]);
    let found: KernelRoute | null = null;
    try {
      this.socket.request(RTM_GETROUTE, 0, fixed, attributes, 'route', ({ type, body }) => {
        if (type === RTM_NEWROUTE) found = routeOf(body);
      });
    } catch (failure) {
      if (!(failure instanceof SystemError)) throw failure;
    }
    return found;
  }

  /** All routes to hosts and networks, as they stand in the tables. */
  all(): KernelRoute[] {
    const found: KernelRoute[] = [];
    for (const family of [AF_INET, AF_INET6]) {
      const fixed = new Uint8Array(RTMSG_BYTES);
      fixed[0] = family;
      this.socket.request(RTM_GETROUTE, NLM_F_DUMP, fixed, [], 'routes', ({ type, body }) => {
        if (type !== RTM_NEWROUTE) return;
        const kind = body.getUint8(7);
        const table = attributesOf(body, RTMSG_BYTES).get(RTA_TABLE)?.getUint32(0, true);
        if (!TABLES.has(table ?? body.getUint8(4))) return;
        if (kind === RTN_UNICAST || kind === RTN_LOCAL) found.push(routeOf(body));
      });
    }
    return found;
  }

  addresses(): KernelAddress[] {
    const found: KernelAddress[] = [];
    const fixed = new Uint8Array(IFADDRMSG_BYTES);
    this.socket.request(RTM_GETADDR, NLM_F_DUMP, fixed, [], 'addresses', ({ type, body }) => {
      if (type !== RTM_NEWADDR) return;
      const attributes = attributesOf(body, IFADDRMSG_BYTES);
      const address = bytesOf(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
      if (address === null) return;
      const prefixBits = body.getUint8(1);
      found.push({ ifindex: body.getInt32(4, true), address, prefixBits });
    });
    return found;
  }

  /** Whom the kernel knows on its links. */
  neighbors(): KernelNeighbor[] {
    const found: KernelNeighbor[] = [];
    const fixed = new Uint8Array(NDMSG_BYTES);
    this.socket.request(RTM_GETNEIGH, NLM_F_DUMP, fixed, [], 'neighbours', ({ type, body }) => {
      if (type !== RTM_NEWNEIGH || (body.getUint16(8, true) & NUD_KNOWN) === 0) return;
      const attributes = attributesOf(body, NDMSG_BYTES);
      const address = bytesOf(attributes.get(NDA_DST));
      const mac = bytesOf(attributes.get(NDA_LLADDR));
      if (address === null || mac?.length !== 6) return;
      found.push({ ifindex: body.getInt32(4, true), address, mac });
    });
    return found;
  }

  close(): void {
    this.events.close();
    this.socket.close();
  }
}
