/**
 * A device that somebody else owns: veth, physical NIC, the TAP that qemu opened. Reached through a packet socket, never taken
 * over.
 */
import { driverInfo, linkSettings } from '../../sys/ethtool.ts';
import type { Link, Links } from '../../sys/links.ts';
import { closeDevice, openPacketSocket, type PacketSocket } from '../../sys/packet-socket.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';
import { type Netdev, NetdevError } from './netdev.ts';

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
  const { name, ifindex, mtu } = link;
  try {
    return new SystemNetdev(link, await openPacketSocket({ name, ifindex, mtu }), links);
  } catch (failure) {
    throw new NetdevError(`could not open network device ${(failure as Error).message}`);
  }
}

class SystemNetdev implements Netdev {
  readonly name: string;
  readonly typeText = 'system';
  readonly spec: PacketSocket;
  readonly ifindex: number;
  private readonly links: Links;
  private readonly initialCarrierChanges: number;
  private last: Link;
  private readonly driver: Readonly<Record<string, string>>;

  constructor(link: Link, spec: PacketSocket, links: Links) {
    this.name = link.name;
    this.ifindex = link.ifindex;
    this.spec = spec;
    this.links = links;
    this.initialCarrierChanges = link.carrierChanges;
    this.last = link;
    this.driver = { ...driverInfo(link.name) };
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
      status: this.driver,
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

  async close(): Promise<void> {
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
