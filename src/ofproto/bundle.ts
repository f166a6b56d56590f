/**
 * A bundle: a Port row of the database, that is one interface or a bond of several, with its VLAN
 * configuration. MAC addresses are learned per bundle, and NORMAL never sends a frame back into the bundle
 * that it came from.
 *
 * A bond delivers on its first enabled member and drops flooded frames that come in on any other (active
 * backup without its events); balancing and LACP come with the bonding issue.
 */
import type { BridgePort } from './bridge-port.ts';
import {
  type PriorityTags,
  TPID_8021AD,
  type VlanMode,
  VlanSet,
  type VlanSettings,
} from './vlan.ts';

export interface BundleSettings {
  readonly vlanMode: VlanMode;
  /** Null for a trunk. */
  readonly tag: number | null;
  /** Null for all VLANs. An empty list in the database means all, too. */
  readonly trunks: readonly number[] | null;
  readonly cvlans: readonly number[] | null;
  readonly priorityTags: PriorityTags;
  readonly qinqEthtype: number;
  readonly protected: boolean;
}

/** A trunk of everything: what a port row without any setting means. */
export const DEFAULT_BUNDLE: BundleSettings = {
  vlanMode: 'trunk',
  tag: null,
  trunks: null,
  cvlans: null,
  priorityTags: 'no',
  qinqEthtype: TPID_8021AD,
  protected: false,
};

export class Bundle {
  readonly name: string;
  settings: BundleSettings;
  vlan: VlanSettings;
  members: readonly BridgePort[] = [];

  constructor(name: string, settings: BundleSettings) {
    this.name = name;
    this.settings = settings;
    this.vlan = vlanSettings(settings);
  }

  configure(settings: BundleSettings): void {
    this.settings = settings;
    this.vlan = vlanSettings(settings);
  }

  get isBond(): boolean {
    return this.members.length > 1;
  }

  /** The member that frames leave through: the first one that is up. */
  activeMember(): BridgePort | null {
    for (const port of this.members) if (port.isUp) return port;
    return this.isBond ? null : (this.members[0] ?? null);
  }
}

function vlanSettings(s: BundleSettings): VlanSettings {
  return {
    mode: s.vlanMode,
    tag: s.vlanMode === 'trunk' ? 0 : (s.tag ?? 0),
    trunks: s.vlanMode === 'access' || !s.trunks?.length ? null : VlanSet.of(s.trunks),
    cvlans: s.vlanMode !== 'dot1q-tunnel' || !s.cvlans?.length ? null : VlanSet.of(s.cvlans),
    priorityTags: s.priorityTags,
    qinqEthtype: s.qinqEthtype,
  };
}

/** True when nothing that forwarding depends on differs. */
export function sameBundleSettings(a: BundleSettings, b: BundleSettings): boolean {
  const sameList = (x: readonly number[] | null, y: readonly number[] | null): boolean =>
    (x ?? []).join() === (y ?? []).join();
  return (
    a.vlanMode === b.vlanMode &&
    a.tag === b.tag &&
    sameList(a.trunks, b.trunks) &&
    sameList(a.cvlans, b.cvlans) &&
    a.priorityTags === b.priorityTags &&
    a.qinqEthtype === b.qinqEthtype &&
    a.protected === b.protected
  );
}
