/**
 * A TAP device of ours: types internal and tap. It may be moved into another network namespace and keeps working there: frames
 * go through its descriptor, which does not care. What the kernel says of it there cannot be seen from here, so it counts
 * as up, with the address that its descriptor tells.
 *
 * Devices are persistent: one that a killed daemon left, here or in a named namespace, is attached to again with all its
 * addresses and routes.
 */
import { driverInfo } from '../../sys/ethtool.ts';
import type { Link, Links } from '../../sys/links.ts';
import { inNamespace, NETNS_DIRECTORY, namespaceOf } from '../../sys/netns.ts';
import { closeDevice } from '../../sys/packet-socket.ts';
import {
  isTapAlive,
  openTap,
  setTapPersistent,
  type TapDevice,
  tapAddress,
} from '../../sys/tap.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';
import { chosenIo, type Netdev, NetdevError, receiveQueues } from './netdev.ts';
import { linkStatus } from './system-netdev.ts';

const DEFAULT_MTU = 1500;
/** Nobody here knows the MTU that a device has in another namespace: its own stack enforces it. */
const UNKNOWN_MTU = 65_535;

/** `mac`: the address that a new device gets, 48 bits. */
export async function openTapNetdev(
  want: WantedInterface,
  links: Links,
  mac: bigint,
): Promise<Netdev> {
  chosenIo(want, ['tap']);
  const { count: queues, warnings } = receiveQueues(want);
  const away = await attachElsewhere(want, links);
  if (away !== null) return new TapNetdev(want.name, { ...away, mtu: UNKNOWN_MTU }, null, links);
  const mtu = want.mtuRequest ?? DEFAULT_MTU;
  try {
    const isNew = links.get(want.name) === undefined;
    const device = await openTap({ name: want.name, mtu, adopt: true, queues });
    setTapPersistent(device.fd, true);
    links.refresh();
    const link = links.get(want.name);
    if (link === undefined) throw new Error(`${want.name}: the TAP device is not there`);
    if (isNew || want.mac !== null) links.setMac(link, mac);
    if (mtu !== link.mtu && (isNew || want.mtuRequest !== null)) links.setMtu(link, mtu);
    return new TapNetdev(want.name, device, links.at(link.ifindex) ?? link, links, warnings);
  } catch (failure) {
    throw new NetdevError(`could not open network device ${(failure as Error).message}`);
  }
}

/** Attaches to the device where a former daemon's user had moved it; null when there is none to be had. */
async function attachElsewhere(want: WantedInterface, links: Links): Promise<TapDevice | null> {
  if (want.previousOfport === null || links.get(want.name) !== undefined) return null;
  const namespace = namespaceOf(want.name);
  if (namespace === undefined) return null;
  const path = `${NETNS_DIRECTORY}/${namespace}`;
  try {
    const within = (open: () => number): number => inNamespace(path, open);
    const device = await openTap({ name: want.name, mtu: UNKNOWN_MTU, adopt: true, within });
    setTapPersistent(device.fd, true);
    return device;
  } catch {
    // Somebody else's device of the same name: ours is made here.
    return null;
  }
}

class TapNetdev implements Netdev {
  readonly name: string;
  readonly typeText = 'tap';
  readonly spec: TapDevice;
  readonly ifindex: number;
  readonly warnings: readonly string[];
  private readonly links: Links;
  private readonly driver: Readonly<Record<string, string>>;

  constructor(
    name: string,
    spec: TapDevice,
    link: Link | null,
    links: Links,
    warnings: readonly string[] = [],
  ) {
    this.name = name;
    this.ifindex = link?.ifindex ?? 0;
    this.spec = spec;
    this.warnings = warnings;
    this.links = links;
    this.driver = { ...(link === null ? {} : driverInfo(name)), io: 'tap' };
  }

  /** The device in our namespace; undefined when it was moved away. */
  private here(): Link | undefined {
    const link = this.links.at(this.ifindex);
    return link?.kind === 'tun' ? link : undefined;
  }

  current(): boolean {
    return this.here() !== undefined || isTapAlive(this.spec.fd);
  }

  status(): RunningDevice {
    const link = this.here();
    if (link !== undefined) {
      return { ...linkStatus(link), linkResets: 0, status: this.driver };
    }
    return {
      mac: tapAddress(this.spec.fd),
      adminUp: true,
      linkUp: true,
      linkResets: 0,
      speedBps: null,
      fullDuplex: null,
      mtu: UNKNOWN_MTU,
      ifindex: this.ifindex,
      status: { io: 'tap' },
    };
  }

  setMtu(mtu: number): void {
    const link = this.here();
    if (link !== undefined) this.links.setMtu(link, mtu);
  }

  setMac(mac: bigint): void {
    const link = this.here();
    if (link !== undefined) this.links.setMac(link, mac);
  }

  setAdminUp(up: boolean): void {
    const link = this.here();
    if (link === undefined) {
      throw new NetdevError(`${this.name}: the device is in another network namespace`);
    }
    this.links.setUp(link, up);
  }

  async close(remove: boolean): Promise<void> {
    if (remove) setTapPersistent(this.spec.fd, false);
    await closeDevice(this.spec);
  }
}
