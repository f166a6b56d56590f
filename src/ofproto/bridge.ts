/**
 * A bridge: ports, bundles, a MAC table and OpenFlow tables. It is plain state that translation reads;
 * whatever changes the way frames go is told to the Switch, which then revalidates its megaflows.
 */
import type { PortNo } from '../datapath/datapath.ts';
import { NORMAL } from '../flowtable/action.ts';
import type { Classifier } from '../flowtable/classifier.ts';
import { MATCH_ALL } from '../flowtable/match.ts';
import { OFPP_LOCAL, type OfPort } from '../flowtable/of-port.ts';
import { Rule } from '../flowtable/rule.ts';
import { TupleSpaceClassifier } from '../flowtable/tuple-space.ts';
import type { Clock } from '../util/clock.ts';
import type { BridgePort } from './bridge-port.ts';
import { Bundle, type BundleSettings, DEFAULT_BUNDLE, sameBundleSettings } from './bundle.ts';
import { DEFAULT_MAC_AGING_MS, DEFAULT_MAC_ENTRIES, MacTable } from './mac-learning.ts';
import { PortNumbers } from './port-numbers.ts';
import { VlanSet } from './vlan.ts';

export interface BridgeSettings {
  readonly macAgingMs: number;
  readonly macTableSize: number;
  readonly forwardBpdu: boolean;
  readonly floodVlans: readonly number[];
  /** What a bridge without controllers does: switch by itself, or nothing. */
  readonly failMode: 'standalone' | 'secure';
  /** 16 hexadecimal digits. */
  readonly datapathId: string;
}

const DEFAULT_BRIDGE: BridgeSettings = {
  macAgingMs: DEFAULT_MAC_AGING_MS,
  macTableSize: DEFAULT_MAC_ENTRIES,
  forwardBpdu: false,
  floodVlans: [],
  failMode: 'standalone',
  datapathId: '0000000000000000',
};

/** datapath_type of a Bridge row. */
export type DatapathType = 'system' | 'netdev' | 'dummy';

export interface PortSettings {
  readonly name: string;
  readonly type: string;
  /** Null for a patch port. */
  readonly portNo: PortNo | null;
  readonly requestedOfPort?: number | null;
  readonly patchPeer?: string | null;
}

export type BundlePorts = { readonly ports: readonly OfPort[] } & Partial<BundleSettings>;

const TABLE_COUNT = 254;

export class Bridge {
  readonly name: string;
  /** Which name dumps show the bridge under; system and netdev are one datapath. */
  datapathType: DatapathType;
  readonly macs: MacTable<Bundle>;
  /** tables[0] is where frames start. Table 254 is hidden and table 255 does not exist. */
  readonly tables: Classifier<Rule>[] = [];
  settings: BridgeSettings = DEFAULT_BRIDGE;
  private floodVlans = VlanSet.of([]);
  private readonly clock: Clock;
  private readonly changed: () => void;
  private readonly numbers: PortNumbers;
  private readonly portMap = new Map<number, BridgePort>();
  private readonly portNames = new Map<string, BridgePort>();
  private readonly bundleMap = new Map<string, Bundle>();
  private standaloneRule: Rule | null = null;

  /** `changed` is called after each change that may alter how frames are forwarded. */
  constructor(name: string, datapathType: DatapathType, clock: Clock, changed: () => void) {
    this.name = name;
    this.datapathType = datapathType;
    this.clock = clock;
    this.changed = changed;
    this.macs = new MacTable<Bundle>(clock);
    this.numbers = new PortNumbers(clock);
    for (let t = 0; t < TABLE_COUNT; t++) this.tables.push(new TupleSpaceClassifier<Rule>());
    this.applyFailMode();
  }

  configure(settings: Partial<BridgeSettings>): void {
    const before = this.settings;
    this.settings = { ...before, ...settings };
    this.macs.agingMs = this.settings.macAgingMs;
    this.macs.maxEntries = this.settings.macTableSize;
    if (this.settings.floodVlans.join() !== before.floodVlans.join()) {
      this.floodVlans = VlanSet.of(this.settings.floodVlans);
      for (const vlan of this.settings.floodVlans) this.macs.flushVlan(vlan);
    }
    this.applyFailMode();
    this.changed();
  }

  /** A standalone bridge without controllers has one rule: NORMAL. A secure one waits for a controller. */
  private applyFailMode(): void {
    const standalone = this.settings.failMode === 'standalone';
    if (standalone && this.standaloneRule === null) {
      const rule = new Rule({ priority: 0, match: MATCH_ALL, actions: [NORMAL] }, this.clock.now());
      this.standaloneRule = rule;
      this.tables[0].insert(rule);
    } else if (!standalone && this.standaloneRule !== null) {
      this.tables[0].remove(this.standaloneRule);
      this.standaloneRule = null;
    }
  }

  isFloodVlan(vlan: number): boolean {
    return this.floodVlans.has(vlan);
  }

  /** Carries a learnMac effect out. True when forwarding may change. */
  learn(
    seen: { bundle: Bundle; mac: number; vlan: number; isGratuitousArp: boolean },
    seenMs: number,
  ): boolean {
    // The bundle may have gone since the megaflow was translated.
    if (this.bundleMap.get(seen.bundle.name) !== seen.bundle) return false;
    return this.macs.learn({
      mac: seen.mac,
      vlan: seen.vlan,
      owner: seen.bundle,
      isGratuitousArp: seen.isGratuitousArp,
      isBond: seen.bundle.isBond,
      seenMs,
    });
  }

  /**
   * Adds a port, not yet in any bundle. The port with the bridge's own name is the local port. Throws a
   * RangeError when no number is left.
   */
  addPort(settings: PortSettings): OfPort {
    const number =
      settings.name === this.name
        ? OFPP_LOCAL
        : this.numbers.allocate(settings.requestedOfPort ?? null);
    if (number === null)
      throw new RangeError(`no OpenFlow port number left in bridge ${this.name}`);
    const port: BridgePort = {
      bridge: this,
      name: settings.name,
      type: settings.type,
      ofPort: number,
      portNo: settings.portNo,
      patchPeer: settings.patchPeer ?? null,
      bundle: null,
      isUp: true,
      stats: { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 },
    };
    this.portMap.set(number, port);
    this.portNames.set(settings.name, port);
    this.changed();
    return number;
  }

  removePort(number: OfPort): void {
    const port = this.portMap.get(number);
    if (!port) return;
    const bundle = port.bundle;
    if (bundle) {
      bundle.members = bundle.members.filter((m) => m !== port);
      if (bundle.members.length === 0) this.macs.flushOwner(bundle, false);
    }
    this.portMap.delete(number);
    this.portNames.delete(port.name);
    this.numbers.free(number);
    this.changed();
  }

  setPortState(number: OfPort, up: boolean): void {
    const port = this.portMap.get(number);
    if (!port || port.isUp === up) return;
    port.isUp = up;
    this.changed();
  }

  /**
   * Makes or changes the bundle of a Port row. What is left out keeps its default. A change of VLAN
   * settings or members forgets the addresses learned behind it.
   */
  setBundle(name: string, wanted: BundlePorts): void {
    const { ports, ...given } = wanted;
    const settings: BundleSettings = { ...DEFAULT_BUNDLE, ...given };
    const members: BridgePort[] = [];
    for (const number of ports) {
      const port = this.portMap.get(number);
      if (port) members.push(port);
    }
    let bundle = this.bundleMap.get(name);
    if (!bundle) {
      bundle = new Bundle(name, settings);
      this.bundleMap.set(name, bundle);
    } else {
      const same =
        sameBundleSettings(bundle.settings, settings) &&
        bundle.members.length === members.length &&
        members.every((m, i) => m === bundle?.members[i]);
      if (same) return;
      this.macs.flushOwner(bundle, false);
      bundle.configure(settings);
    }
    for (const old of bundle.members) if (old.bundle === bundle) old.bundle = null;
    for (const port of members) {
      const other = port.bundle;
      if (other && other !== bundle) other.members = other.members.filter((m) => m !== port);
      port.bundle = bundle;
    }
    bundle.members = members;
    this.changed();
  }

  removeBundle(name: string): void {
    const bundle = this.bundleMap.get(name);
    if (!bundle) return;
    this.bundleMap.delete(name);
    this.macs.flushOwner(bundle, true);
    for (const port of bundle.members) port.bundle = null;
    bundle.members = [];
    this.changed();
  }

  /** fdb/flush: forgets what was learned; true when anything was. */
  flushMacs(): boolean {
    if (this.macs.flush(false) === 0) return false;
    this.changed();
    return true;
  }

  /** fdb/add: a static entry behind a port. False when the port does not exist or is in no bundle. */
  addStaticMac(portName: string, vlan: number, mac: number): boolean {
    const bundle = this.portNames.get(portName)?.bundle;
    if (!bundle) return false;
    this.macs.addStatic(mac, vlan, bundle);
    this.changed();
    return true;
  }

  /** fdb/del. False when there is no such static entry. */
  removeStaticMac(vlan: number, mac: number): boolean {
    if (!this.macs.removeStatic(mac, vlan)) return false;
    this.changed();
    return true;
  }

  /** Ages the MAC table; called once a second. */
  run(): void {
    if (this.macs.expire() > 0) this.changed();
  }

  port(number: OfPort): BridgePort | null {
    return this.portMap.get(number) ?? null;
  }
  portNamed(name: string): BridgePort | null {
    return this.portNames.get(name) ?? null;
  }
  /** In the order in which they were added. */
  ports(): IterableIterator<BridgePort> {
    return this.portMap.values();
  }
  bundle(name: string): Bundle | null {
    return this.bundleMap.get(name) ?? null;
  }
  /** In the order in which they were added: the order of floods. */
  bundles(): IterableIterator<Bundle> {
    return this.bundleMap.values();
  }
}
