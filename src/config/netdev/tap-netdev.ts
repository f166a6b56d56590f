/**
 * A TAP device of ours: types internal and tap. It may be moved into another network namespace and keeps working there: frames
 * go through its descriptor, which does not care. What the kernel says of it there cannot be seen from here, so its last
 * known state is reported.
 */
import type { PortSpec } from '../../datapath/datapath.ts';
import { driverInfo } from '../../sys/ethtool.ts';
import type { Link, Links } from '../../sys/links.ts';
import { closeDescriptor } from '../../sys/packet-socket.ts';
import { isTapAlive, openTap, setTapPersistent } from '../../sys/tap.ts';
import type { WantedInterface } from '../wanted.ts';
import { type Netdev, NetdevError, type NetdevStatus } from './netdev.ts';
import { linkStatus } from './system-netdev.ts';

const DEFAULT_MTU = 1500;
/** Nobody here knows the MTU that a device has in another namespace: its own stack enforces it. */
const UNKNOWN_MTU = 65_535;

/** `mac`: the address that the device gets, 48 bits. */
export async function openTapNetdev(
  want: WantedInterface,
  links: Links,
  mac: bigint,
): Promise<Netdev> {
  const mtu = want.mtuRequest ?? DEFAULT_MTU;
  try {
    const device = await openTap({ name: want.name, mtu, adopt: true });
    setTapPersistent(device.fd, true);
    links.refresh();
    const link = links.get(want.name);
    if (link === undefined) throw new Error(`${want.name}: the new TAP device is not there`);
    links.setMac(link, mac);
    if (mtu !== link.mtu) links.setMtu(link, mtu);
    return new TapNetdev(device, links.at(link.ifindex) ?? link, links);
  } catch (failure) {
    throw new NetdevError(`could not open network device ${(failure as Error).message}`);
  }
}

class TapNetdev implements Netdev {
  readonly name: string;
  readonly typeText = 'tap';
  readonly spec: PortSpec & { fd: number };
  readonly ifindex: number;
  private readonly links: Links;
  private last: Link;

  constructor(spec: PortSpec & { fd: number }, link: Link, links: Links) {
    this.name = link.name;
    this.ifindex = link.ifindex;
    this.spec = spec;
    this.links = links;
    this.last = link;
  }

  /** The device in our namespace; undefined when it was moved away. */
  private here(): Link | undefined {
    const link = this.links.at(this.ifindex);
    if (link?.kind !== 'tun') return undefined;
    this.last = link;
    return link;
  }

  current(): boolean {
    return this.here() !== undefined || isTapAlive(this.spec.fd);
  }

  status(): NetdevStatus {
    const link = this.here();
    if (link === undefined) {
      return {
        mac: this.last.mac,
        adminUp: true,
        linkUp: true,
        linkResets: 0,
        speedBps: null,
        fullDuplex: null,
        mtu: UNKNOWN_MTU,
        ifindex: this.ifindex,
        status: {},
        statistics: {},
      };
    }
    return { ...linkStatus(link), linkResets: 0, status: { ...driverInfo(link.name) } };
  }

  setMtu(mtu: number): void {
    const link = this.here();
    if (link !== undefined) this.links.setMtu(link, mtu);
  }

  setMac(mac: bigint): void {
    const link = this.here();
    if (link !== undefined) this.links.setMac(link, mac);
  }

  async close(remove: boolean): Promise<void> {
    if (remove) setTapPersistent(this.spec.fd, false);
    await closeDescriptor(this.spec.fd);
  }
}
