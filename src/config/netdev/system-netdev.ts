/**
 * A device that somebody else owns: veth, physical NIC, the TAP that qemu opened. Reached through a packet socket, never taken
 * over.
 *
 * The socket has a ring where the kernel grants one and the datapath has room to map it, and none else: `status:io` says which, and
 * `options:io` asks for one or the other (ADR 14). `options:n_rxq_desc`, as Open vSwitch's DPDK ports have it, is the number of slots.
 */
import { driverInfo, joinsSegments, linkSettings, setJoinsSegments } from '../../sys/ethtool.ts';
import type { Link, Links } from '../../sys/links.ts';
import { openPacketQueues } from '../../sys/packet-queues.ts';
import { closeDevice, type PacketSocket } from '../../sys/packet-socket.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';
import { chosenIo, type Netdev, NetdevError, receiveQueues } from './netdev.ts';

/** The whole error text for a device that is not there, with where it may be. */
export type MissingDeviceText = (name: string) => Promise<string>;

export async function openSystem(
  want: WantedInterface,
  links: Links,
  missing: MissingDeviceText,
): Promise<Netdev> {
  const link = links.get(want.name);
  if (link === undefined) {
    throw new NetdevError(await missing(want.name));
  }
  if (link.loopback) {
    throw new NetdevError(
      `could not open network device ${want.name} (Invalid argument): a loopback device carries no Ethernet frames`,
    );
  }
  const io = chosenIo(want, IO_METHODS);
  const { count: queues, warnings } = receiveQueues(want);
  const slots = io === 'packet-plain' ? 0 : wantedSlots(want);
  const socket = await open(link, slots, queues);
  if (io === 'packet-ring' && socket.kind !== 'packet') {
    await closeDevice(socket);
    throw new NetdevError(
      `could not open network device ${want.name}: options:io=packet-ring: the kernel grants no receive ring`,
    );
  }
  return new SystemNetdev(link, socket, links, io, queues, warnings);
}

const IO_METHODS = ['packet-ring', 'packet-plain'] as const;
const FEWEST_SLOTS = 32;
const MOST_SLOTS = 16_384;

/** Slots for frames of the usual MTU; undefined for as many as there are by default. */
function wantedSlots({ name, options }: WantedInterface): number | undefined {
  const text = options.n_rxq_desc;
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < FEWEST_SLOTS || count > MOST_SLOTS) {
    throw new NetdevError(
      `could not open network device ${name}: options:n_rxq_desc=${text}: not a number from ${FEWEST_SLOTS} to ${MOST_SLOTS}`,
    );
  }
  return count;
}

async function open(
  link: Link,
  slotCount: number | undefined,
  queues: number,
): Promise<PacketSocket> {
  const { name, ifindex, mtu } = link;
  const options = { name, ifindex, mtu, ...(slotCount === undefined ? {} : { slotCount }) };
  try {
    return await openPacketQueues(options, queues);
  } catch (failure) {
    throw new NetdevError(`could not open network device ${(failure as Error).message}`);
  }
}

class SystemNetdev implements Netdev {
  readonly name: string;
  readonly typeText = 'system';
  spec: PacketSocket;
  readonly ifindex: number;
  readonly warnings: readonly string[];
  private readonly links: Links;
  private readonly initialCarrierChanges: number;
  private last: Link;
  private readonly driver: Readonly<Record<string, string>>;
  private readonly io: string | null;
  private readonly queues: number;
  /** True when the kernel joins segments because we asked it to. */
  private isJoining = false;

  /** `io`: the method that the user insists on. */
  constructor(
    link: Link,
    spec: PacketSocket,
    links: Links,
    io: string | null,
    queues: number,
    warnings: readonly string[],
  ) {
    this.name = link.name;
    this.ifindex = link.ifindex;
    this.spec = spec;
    this.links = links;
    this.initialCarrierChanges = link.carrierChanges;
    this.last = link;
    this.driver = { ...driverInfo(link.name) };
    this.io = io;
    this.queues = queues;
    this.warnings = warnings;
  }

  current(): boolean {
    return this.links.get(this.name)?.ifindex === this.ifindex;
  }

  status(): RunningDevice {
    const link = this.links.at(this.ifindex) ?? this.last;
    this.last = link;
    const { carrierChanges } = link;
    return {
      ...linkStatus(link),
      linkResets: Math.max(0, carrierChanges - this.initialCarrierChanges),
      status: {
        ...this.driver,
        io: this.spec.kind === 'packet' ? 'packet-ring' : 'packet-plain',
      },
    };
  }

  setMtu(mtu: number): void {
    this.links.setMtu(this.last, mtu);
  }

  setMac(mac: bigint): void {
    this.links.setMac(this.last, mac);
  }

  setAdminUp(up: boolean): void {
    this.links.setUp(this.last, up);
  }

  async fallBack(): Promise<boolean> {
    if (this.io !== null || this.spec.kind === 'packet-plain') return false;
    const plain = await open(this.last, 0, this.queues);
    await closeDevice(this.spec);
    this.spec = plain;
    return true;
  }

  setGro(on: boolean): boolean {
    const { name } = this.links.at(this.ifindex) ?? this.last;
    if (on && joinsSegments(name) === true) return true;
    if (on === this.isJoining) return on;
    this.isJoining = setJoinsSegments(name, on) && on;
    return this.isJoining;
  }

  async close(): Promise<void> {
    this.setGro(false);
    await closeDevice(this.spec);
  }
}

/** What a link in our namespace says by itself. */
export function linkStatus(link: Link): Omit<RunningDevice, 'linkResets' | 'status'> {
  const settings = linkSettings(link.name);
  return {
    mac: link.mac,
    adminUp: link.up,
    linkUp: link.up && link.carrier,
    speedBps: settings?.speedBps ?? null,
    fullDuplex: settings?.fullDuplex ?? null,
    mtu: link.mtu,
    ifindex: link.ifindex,
  };
}
