/**
 * The network devices of our namespace: a table kept true by rtnetlink events (rtnetlink(7), RTM_NEWLINK). Events lost by the
 * kernel lead to a new dump.
 */
import type { Logger } from '../util/logger.ts';
import {
  type Attribute,
  attributesOf,
  messagesIn,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_DUMP,
  textOf,
} from './netlink.ts';
import { NetlinkEvents } from './netlink-events.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTMGRP_LINK = 1;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_CARRIER = 33;
const IFLA_CARRIER_CHANGES = 35;
const IFLA_INFO_KIND = 1;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFINFO_BYTES = 16;
const EVENT_BUFFER_BYTES = 4 << 20;

/** One network device. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  readonly carrier: boolean;
  /** Times that the carrier went up or down. */
  readonly carrierChanges: number;
  /** Bytes. */
  readonly mtu: number;
  /** 48 bits; 0 for a device without an Ethernet address. */
  readonly mac: bigint;
  /** veth, tun, bridge, ...; empty for a physical device. */
  readonly kind: string;
}

/** struct rtnl_link_stats64 in its order, as far as it is used. */
export interface LinkStats {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
  readonly multicast: number;
  readonly collisions: number;
  readonly rxLengthErrors: number;
  readonly rxOverErrors: number;
  readonly rxCrcErrors: number;
  readonly rxFrameErrors: number;
  readonly rxFifoErrors: number;
  readonly rxMissedErrors: number;
}

export class Links {
  private readonly requests = new NetlinkSocket();
  private readonly events: NetlinkEvents;
  private closed = false;
  private readonly byIndex = new Map<number, Link>();
  private readonly indexOf = new Map<string, number>();
  private readonly listeners = new Set<() => void>();
  /** How often events were lost and all devices listed anew. */
  resyncs = 0;

  /** `eventBytes`: what the kernel may hold for us before it drops events. Throws SystemError. */
  constructor(log: Logger, eventBytes = EVENT_BUFFER_BYTES) {
    this.events = new NetlinkEvents(RTMGRP_LINK, eventBytes, {
      take: (datagram) => this.take(datagram),
      lost: () => {
        log.info('rtnetlink events were lost; listing all network devices anew');
        this.resyncs++;
        this.dump();
      },
      changed: () => this.tell(),
    });
    this.dump();
  }

  get(name: string): Link | undefined {
    const index = this.indexOf.get(name);
    return index === undefined ? undefined : this.byIndex.get(index);
  }

  at(ifindex: number): Link | undefined {
    return this.byIndex.get(ifindex);
  }

  all(): IterableIterator<Link> {
    return this.byIndex.values();
  }

  /** Calls `listener` after each burst of changes; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Follows events; resolves when close() has ended that. It keeps no process alive. */
  follow(): Promise<void> {
    return this.events.follow();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  /** Reads what waits now; for a caller who has just changed a device and must see it. */
  refresh(): void {
    if (this.events.read()) this.tell();
  }

  /** Ends follow(). */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.events.close();
    this.requests.close();
  }

  /** Statistics of all devices, fresh, by ifindex: one dump. */
  statistics(): Map<number, LinkStats> {
    const found = new Map<number, LinkStats>();
    const each = ({ type, body }: { type: number; body: DataView }): void => {
      if (type !== RTM_NEWLINK) return;
      const stats = attributesOf(body, IFINFO_BYTES).get(IFLA_STATS64);
      if (stats !== undefined) found.set(body.getInt32(4, true), parseStats(stats));
    };
    const fixed = new Uint8Array(IFINFO_BYTES);
    this.requests.request(RTM_GETLINK, NLM_F_DUMP, fixed, [], 'link statistics', each);
    return found;
  }

  /** Throws SystemError. */
  setUp(link: Link, up: boolean): void {
    this.change(link, [], up ? IFF_UP : 0, IFF_UP);
  }

  /** Bytes. Throws SystemError (EINVAL for an MTU that the device cannot have). */
  setMtu(link: Link, mtu: number): void {
    this.change(link, [[IFLA_MTU, mtu]]);
  }

  /** 48 bits. Throws SystemError. */
  setMac(link: Link, mac: bigint): void {
    const bytes = new Uint8Array(6);
    for (let i = 0; i < 6; i++) bytes[i] = Number((mac >> BigInt(8 * (5 - i))) & 0xffn);
    this.change(link, [[IFLA_ADDRESS, bytes]]);
  }

  private change(link: Link, attributes: Attribute[], flags = 0, flagMask = 0): void {
    const fixed = ifinfo(link.ifindex, flags, flagMask);
    this.requests.request(RTM_SETLINK, NLM_F_ACK, fixed, attributes, link.name);
    this.events.read();
  }

  private dump(): void {
    this.byIndex.clear();
    this.indexOf.clear();
    const fixed = new Uint8Array(IFINFO_BYTES);
    this.requests.request(RTM_GETLINK, NLM_F_DUMP, fixed, [], 'list of links', (message) => {
      if (message.type === RTM_NEWLINK) this.put(parseLink(message.body));
    });
  }

  private take(datagram: Uint8Array): void {
    for (const { type, body } of messagesIn(datagram)) {
      if (body.byteLength < IFINFO_BYTES || body.getUint8(0) !== 0) continue;
      if (type === RTM_NEWLINK) this.put(parseLink(body));
      else if (type === RTM_DELLINK) this.drop(body.getInt32(4, true));
    }
  }

  private put(link: Link): void {
    this.drop(link.ifindex);
    this.byIndex.set(link.ifindex, link);
    this.indexOf.set(link.name, link.ifindex);
  }

  private drop(ifindex: number): void {
    const old = this.byIndex.get(ifindex);
    if (old === undefined) return;
    this.byIndex.delete(ifindex);
    if (this.indexOf.get(old.name) === ifindex) this.indexOf.delete(old.name);
  }
}

/** struct ifinfomsg. */
function ifinfo(ifindex: number, flags: number, flagMask: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(IFINFO_BYTES));
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flagMask, true);
  return new Uint8Array(view.buffer);
}

function parseLink(body: DataView): Link {
  const flags = body.getUint32(8, true);
  const attributes = attributesOf(body, IFINFO_BYTES);
  const name = attributes.get(IFLA_IFNAME);
  const address = attributes.get(IFLA_ADDRESS);
  const info = attributes.get(IFLA_LINKINFO);
  const kind = info === undefined ? undefined : attributesOf(info, 0).get(IFLA_INFO_KIND);
  let mac = 0n;
  if (address?.byteLength === 6) {
    for (let i = 0; i < 6; i++) mac = (mac << 8n) | BigInt(address.getUint8(i));
  }
  return {
    ifindex: body.getInt32(4, true),
    name: name === undefined ? '' : textOf(name),
    up: (flags & IFF_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    carrier: (attributes.get(IFLA_CARRIER)?.getUint8(0) ?? 0) !== 0,
    carrierChanges: attributes.get(IFLA_CARRIER_CHANGES)?.getUint32(0, true) ?? 0,
    mtu: attributes.get(IFLA_MTU)?.getUint32(0, true) ?? 0,
    mac,
    kind: kind === undefined ? '' : textOf(kind),
  };
}

function parseStats(stats: DataView): LinkStats {
  const at = (index: number): number =>
    index * 8 + 8 <= stats.byteLength ? Number(stats.getBigUint64(index * 8, true)) : 0;
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
    multicast: at(8),
    collisions: at(9),
    rxLengthErrors: at(10),
    rxOverErrors: at(11),
    rxCrcErrors: at(12),
    rxFrameErrors: at(13),
    rxFifoErrors: at(14),
    rxMissedErrors: at(15),
  };
}
