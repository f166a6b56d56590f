/**
 * The table of interface types: how the device of each is opened. A type that is not here is refused by `desired`.
 */

import type { Links } from '../../sys/links.ts';
import { describeMissingDevice } from '../../sys/netns-hint.ts';
import { TUNNEL_TYPES } from '../../tunnels/tunnel-types.ts';
import { addressFromUuid } from '../local-address.ts';
import type { WantedInterface } from '../wanted.ts';
import type { DummyNetdevs, FrameGate } from './dummy-netdev.ts';
import { type Netdev, NetdevError } from './netdev.ts';
import { openPatch } from './patch-netdev.ts';
import { openSystem } from './system-netdev.ts';
import { openTapNetdev } from './tap-netdev.ts';
import { type EgressStatus, openTunnel } from './tunnel-netdev.ts';
import { openVhostUser, type VhostDeps } from './vhost-user/vhost-netdev.ts';

export interface NetdevDeps {
  /** Null where nothing real is ever opened (--enable-dummy=override). */
  readonly links: Links;
  readonly dummies: DummyNetdevs;
  readonly egress: EgressStatus;
  readonly vhost: VhostDeps;
}

type Opener = (want: WantedInterface, deps: NetdevDeps, gate: FrameGate) => Promise<Netdev>;

/** An address that an interface keeps over restarts; made up from its name where it has no row. */
const ownAddress = (want: WantedInterface): bigint =>
  want.mac ?? addressFromUuid(want.uuid ?? Buffer.from(want.name.padEnd(6)).toString('hex'));

const openTap: Opener = (want, { links }) => openTapNetdev(want, links, ownAddress(want));

const openDummy: Opener = (want, { dummies }, gate) => dummies.open(want, want.type, gate);

const openTunnelNetdev: Opener = (want, { egress }) => openTunnel(want, ownAddress(want), egress);

const openVhost: Opener = (want, { vhost }) => openVhostUser(want, ownAddress(want), vhost);

const OPENERS: Readonly<Record<string, Opener>> = {
  system: (want, { links }) =>
    openSystem(want, links, async (name) =>
      describeMissingDevice(name, { existing: [...links.all()].map((link) => link.name) }),
    ),
  internal: openTap,
  tap: openTap,
  patch: async (want) => openPatch(want, ownAddress(want)),
  'vhost-user': openVhost,
  dummy: openDummy,
  'dummy-internal': openDummy,
  'dummy-pmd': openDummy,
  ...Object.fromEntries(Object.keys(TUNNEL_TYPES).map((type) => [type, openTunnelNetdev])),
};

/** Interface types for everybody, in the order of `iface_types`; dummies are extra. */
export const INTERFACE_TYPES = [
  ...['internal', 'patch', 'system', 'tap', 'vhost-user'],
  ...Object.entries(TUNNEL_TYPES).flatMap(([type, { isReal }]) => (isReal ? [type] : [])),
].sort();
export const DUMMY_INTERFACE_TYPES = ['dummy', 'dummy-internal', 'dummy-pmd'] as const;

/** Opens the device of an interface. Rejects with a NetdevError. */
export async function openNetdev(
  want: WantedInterface,
  deps: NetdevDeps,
  gate: FrameGate,
): Promise<Netdev> {
  const open = OPENERS[want.type];
  if (open === undefined) {
    throw new NetdevError(`could not open network device ${want.name} (unknown type ${want.type})`);
  }
  return open(want, deps, gate);
}
