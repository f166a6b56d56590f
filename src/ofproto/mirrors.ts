/**
 * The mirrors of a bridge (SPAN and RSPAN): which frames are copied, and where to (ovs-vswitchd.conf.db(5), Mirror table).
 *
 * Ports are named here, not referred to: a mirror of all ports follows ports that come and go, and one whose output port is away copies
 * nothing until that is back. What a bundle has to do with mirrors is worked out once, when they change.
 */
import type { Bundle } from './bundle.ts';
import { VlanSet } from './vlan.ts';

export interface MirrorSettings {
  /** Tells mirrors apart: counters live as long as it is there. */
  readonly id: string;
  readonly name: string;
  readonly selectAll: boolean;
  /** Names of bundles whose arriving frames are copied. */
  readonly sources: readonly string[];
  /** Names of bundles whose departing frames are copied. */
  readonly destinations: readonly string[];
  /** Frames of these VLANs only; empty for all. */
  readonly vlans: readonly number[];
  readonly output: { readonly port: string } | { readonly vlan: number };
  /** Bytes of a frame that are copied, null for all. */
  readonly snaplen: number | null;
}

/** A snaplen that no frame exceeds. */
const WHOLE_FRAMES = 65_535;

export class Mirror {
  settings: MirrorSettings;
  vlans: VlanSet | null = null;
  /** Bytes, 0 for whole frames. */
  snaplen = 0;
  /** Equal for mirrors with the same output: a frame goes there once. */
  destination = '';
  readonly stats = { packets: 0, bytes: 0 };

  constructor(bridge: string, settings: MirrorSettings) {
    this.settings = settings;
    this.configure(bridge, settings);
  }

  configure(bridge: string, settings: MirrorSettings): void {
    const { output, snaplen, vlans } = settings;
    this.settings = settings;
    this.vlans = vlans.length > 0 ? VlanSet.of(vlans) : null;
    this.snaplen = snaplen === null || snaplen >= WHOLE_FRAMES ? 0 : snaplen;
    this.destination = `${bridge}\n${'port' in output ? `port ${output.port}` : output.vlan}`;
  }

  copies(way: 'sources' | 'destinations', bundle: string): boolean {
    return this.settings.selectAll || this.settings[way].includes(bundle);
  }
}

interface BundleMirrors {
  readonly sources: readonly Mirror[];
  readonly destinations: readonly Mirror[];
  readonly isOutput: boolean;
}

const NONE: readonly Mirror[] = [];

export class Mirrors {
  private readonly bridge: string;
  private readonly byId = new Map<string, Mirror>();
  /** By name of the bundle; filled on demand. */
  private readonly ofBundle = new Map<string, BundleMirrors>();

  constructor(bridge: string) {
    this.bridge = bridge;
  }

  get isEmpty(): boolean {
    return this.byId.size === 0;
  }

  get(id: string): Mirror | null {
    return this.byId.get(id) ?? null;
  }

  /** The mirrors wanted from now on; true when anything differs. */
  configure(wanted: readonly MirrorSettings[]): boolean {
    let changed = false;
    const ids = new Set(wanted.map(({ id }) => id));
    for (const id of this.byId.keys()) if (!ids.has(id) && this.byId.delete(id)) changed = true;
    for (const settings of wanted) {
      const mirror = this.byId.get(settings.id);
      if (mirror === undefined) {
        this.byId.set(settings.id, new Mirror(this.bridge, settings));
        changed = true;
      } else if (JSON.stringify(mirror.settings) !== JSON.stringify(settings)) {
        mirror.configure(this.bridge, settings);
        changed = true;
      }
    }
    if (changed) this.ofBundle.clear();
    return changed;
  }

  /** Mirrors of the frames that come in through a bundle. */
  ofSource(bundle: Bundle): readonly Mirror[] {
    return this.isEmpty ? NONE : this.of(bundle.name).sources;
  }
  /** Mirrors of the frames that go out through a bundle. */
  ofDestination(bundle: Bundle): readonly Mirror[] {
    return this.isEmpty ? NONE : this.of(bundle.name).destinations;
  }
  /** The bundle is kept for what mirrors send: nothing else leaves there, and nothing that comes in there is looked at. */
  isOutput(bundle: Bundle | null): boolean {
    return bundle !== null && !this.isEmpty && this.of(bundle.name).isOutput;
  }

  /** Forgets what was worked out for a bundle that is gone. */
  forget(bundle: string): void {
    this.ofBundle.delete(bundle);
  }

  private of(bundle: string): BundleMirrors {
    const known = this.ofBundle.get(bundle);
    if (known !== undefined) return known;
    const all = [...this.byId.values()];
    const of = {
      sources: all.filter((m) => m.copies('sources', bundle)),
      destinations: all.filter((m) => m.copies('destinations', bundle)),
      isOutput: all.some(({ settings: { output } }) => 'port' in output && output.port === bundle),
    };
    this.ofBundle.set(bundle, of);
    return of;
  }
}
