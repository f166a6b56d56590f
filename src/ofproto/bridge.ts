/**
 * A bridge: ports, bundles, a MAC table and OpenFlow tables. It is plain state that translation reads;
 * whatever changes the way frames go is told to the Switch, which then revalidates its megaflows.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PortNo } from '../datapath/datapath.ts';
import { type Action, NORMAL } from '../flowtable/action.ts';
import { MATCH_ALL } from '../flowtable/match.ts';
import { OFPP_LOCAL, type OfPort } from '../flowtable/of-port.ts';
import { Rule } from '../flowtable/rule.ts';
import { TlvTable } from '../packet/tlv-table.ts';
import type { TunnelConfig } from '../tunnels/tunnel-config.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import { type BridgePort, NO_LINK, NO_QUEUE_DSCP, type PortLink } from './bridge-port.ts';
import { Bundle, type BundleSettings, DEFAULT_BUNDLE, sameBundleSettings } from './bundle.ts';
import { type BridgeListener, NO_LISTENER, type Origin } from './events.ts';
import { FlapWatch } from './flap-watch.ts';
import { hashOrder } from './flood-order.ts';
import {
  DEFAULT_MAC_AGING_MS,
  DEFAULT_MAC_ENTRIES,
  type MacEntry,
  MacTable,
} from './mac-learning.ts';
import { type MirrorSettings, Mirrors } from './mirrors.ts';
import { type FlowMod, type FlowRemovedReason, OFPM_CONTROLLER, OFPM_SLOWPATH } from './model.ts';
import { OFPPC_PORT_DOWN } from './port-flags.ts';
import { PortNumbers } from './port-numbers.ts';
import type { RuleChange } from './rule-changes.ts';
import { Change } from './tables/change.ts';
import { evictExcess } from './tables/eviction.ts';
import { expiryMs } from './tables/eviction-index.ts';
import { flowRemoved } from './tables/flow-stats.ts';
import {
  FlowTable,
  type FlowTableSettings,
  TABLE_COUNT,
  TABLE_INTERNAL,
} from './tables/flow-table.ts';
import { Groups } from './tables/groups.ts';
import { learnFlow, mayLearn } from './tables/learned.ts';
import { type MeterHost, Meters } from './tables/meters.ts';
import { describePort } from './tables/ports.ts';
import { VlanSet } from './vlan.ts';

export interface BridgeSettings {
  readonly macAgingMs: number;
  readonly macTableSize: number;
  readonly forwardBpdu: boolean;
  readonly floodVlans: readonly number[];
  /** A collector set wants what the sample action takes. */
  readonly samplesFlows: boolean;
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
  samplesFlows: false,
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
  /** For a tunnel port, whose portNo is the one that its kind shares. */
  readonly tunnel?: TunnelConfig | null;
  /** 48 bits. */
  readonly hwAddr?: bigint;
  readonly link?: PortLink;
  /** Default true. */
  readonly isUp?: boolean;
  /** Default true. */
  readonly isAdminUp?: boolean;
  /** Sets the device up or down; false when it refuses, which is the default. */
  readonly setAdminUp?: (up: boolean) => boolean;
}

export type BundlePorts = { readonly ports: readonly OfPort[] } & Partial<BundleSettings>;

/** What happens to IP fragments (OFPC_FRAG_*): ports as 0, none at all, or ports of the first one. */
export type FragmentHandling = 'normal' | 'drop' | 'nx-match';

/** Priority of the rule that makes a bridge switch by itself when its controllers are gone. */
const FAIL_OPEN_PRIORITY = 0xf0f0f0;
const MISS_ACTION: Action = {
  kind: 'controller',
  maxBytes: 0xffff,
  controllerId: 0,
  reason: 'no_match',
  userdata: null,
  meterId: null,
  pause: false,
};

/** What a bridge needs of the switch that it belongs to. */
export interface BridgeHost {
  readonly log: Logger;
  readonly meters: MeterHost;
  /** VLAN tags that are looked at: 1 or 2. */
  vlanLimit(): number;
  /**
   * Called after each change that may alter how frames are forwarded; with `tables` when ports and settings are what
   * they were, and then with `rules` when nothing but these changed.
   */
  changed(what?: 'tables', rules?: readonly RuleChange[]): void;
  /** Counts a coverage event. */
  count(event: string): void;
  /** The port that a learned address was behind is gone from a bridge. */
  macGone(from: Bridge, mac: number, vlan: number): void;
}

export class Bridge {
  readonly name: string;
  /** Which name dumps show the bridge under; system and netdev are one datapath. */
  datapathType: DatapathType;
  readonly macs: MacTable<Bundle>;
  /** tables[0] is where frames start. Table 254 is hidden and table 255 does not exist. */
  readonly tables: FlowTable[] = [];
  readonly groups = new Groups();
  readonly meters: Meters;
  readonly mirrors: Mirrors;
  /** The rule of misses that go to the controller: never in a table. */
  readonly missRule: Rule;
  /** Which options of Geneve are which tun_metadata fields. */
  tlvTable = TlvTable.EMPTY;
  listener: BridgeListener = NO_LISTENER;
  fragments: FragmentHandling = 'normal';
  settings: BridgeSettings = DEFAULT_BRIDGE;
  private floodVlans = VlanSet.of([]);
  readonly clock: Clock;
  readonly log: Logger;
  private readonly host: BridgeHost;
  private hasControllers = false;
  private flooding: readonly BridgePort[] | null = null;
  private failOpenRule: Rule | null = null;
  /** Rules that may end by time. */
  private readonly mortal = new Set<Rule>();
  /** table:cookie -> how many rules learn with them and want them deleted in the end. */
  private readonly learning = new Map<string, number>();
  private readonly flaps: FlapWatch;
  private readonly numbers: PortNumbers;
  private readonly portMap = new Map<number, BridgePort>();
  private readonly portNames = new Map<string, BridgePort>();
  private readonly bundleMap = new Map<string, Bundle>();

  constructor(name: string, datapathType: DatapathType, clock: Clock, host: BridgeHost) {
    this.name = name;
    this.datapathType = datapathType;
    this.clock = clock;
    this.host = host;
    this.log = host.log;
    this.flaps = new FlapWatch(name, host.log, clock);
    this.macs = new MacTable<Bundle>(clock, (event) => host.count(event));
    this.numbers = new PortNumbers(clock);
    this.meters = new Meters(host.meters);
    this.mirrors = new Mirrors(name);
    for (let t = 0; t < TABLE_COUNT; t++) this.tables.push(new FlowTable(t));
    this.missRule = new Rule(
      {
        tableId: TABLE_INTERNAL,
        priority: FAIL_OPEN_PRIORITY + 1,
        match: MATCH_ALL,
        actions: [MISS_ACTION],
        cookie: 0n,
      },
      clock.now(),
    );
    this.addStandaloneRule();
  }

  /** VLAN tags that flows can look at; what is behind them is payload. */
  get vlanLimit(): number {
    return this.host.vlanLimit();
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
    if (this.settings.failMode !== before.failMode && !this.hasControllers) this.flushFlows();
    this.changed();
  }

  /** Whether Controller rows exist: the tables start anew when that changes, as in the original. */
  setHasControllers(has: boolean): void {
    if (has === this.hasControllers) return;
    this.hasControllers = has;
    if (!has) this.setFailOpen(false);
    this.flushFlows();
  }

  /** Standalone mode takes over (or gives back) while no controller is connected. */
  setFailOpen(active: boolean): void {
    if (active === (this.failOpenRule !== null)) return;
    if (active) {
      this.failOpenRule = new Rule(
        { priority: FAIL_OPEN_PRIORITY, match: MATCH_ALL, actions: [NORMAL] },
        this.clock.now(),
      );
      this.tables[0].insert(this.failOpenRule);
    } else if (this.failOpenRule !== null) {
      this.tables[0].remove(this.failOpenRule);
      this.failOpenRule = null;
    }
    this.changed();
  }

  get isFailOpen(): boolean {
    return this.failOpenRule !== null;
  }

  /** A standalone bridge without controllers has one rule: NORMAL. A secure one waits for a controller. */
  private addStandaloneRule(): void {
    if (this.settings.failMode !== 'standalone' || this.hasControllers) return;
    const rule = new Rule({ priority: 0, match: MATCH_ALL, actions: [NORMAL] }, this.clock.now());
    const change = new Change(this, null);
    change.insert(rule, 'added');
    change.commit();
  }

  /** Deletes all flows, groups and meters; a standalone bridge without controllers gets its rule again. */
  flushFlows(): void {
    const change = new Change(this, null);
    for (const table of this.tables) {
      for (const rule of table.size > 0 ? table.entries() : []) {
        if (!rule.isHidden) change.remove(rule, 'delete');
      }
    }
    change.commit();
    for (const group of this.groups.all()) this.groups.put(group.id, null);
    this.meters.close();
    this.addStandaloneRule();
    this.changed();
  }

  /** What a Flow_Table row says of a table: flows beyond a limit that has become lower are evicted. */
  configureTable(table: FlowTable, settings: FlowTableSettings): void {
    table.configure(settings);
    const change = new Change(this, null);
    evictExcess(change, table);
    change.commit();
  }

  /** Flows, groups or meters changed, or flows alone; called by what changes them. */
  tablesChanged(rules?: readonly RuleChange[]): void {
    this.host.changed('tables', rules);
  }

  setFragments(handling: FragmentHandling): void {
    if (handling === this.fragments) return;
    this.fragments = handling;
    this.changed('tables');
  }

  private changed(what?: 'tables'): void {
    this.host.changed(what);
  }

  /** Book-keeping for a rule that comes into its table; for Change only. */
  ruleIn(rule: Rule): void {
    const mayEnd =
      rule.idleTimeoutSeconds > 0 ||
      rule.hardTimeoutSeconds > 0 ||
      rule.actions.some((a) => a.kind === 'finTimeout');
    if (mayEnd) this.mortal.add(rule);
    this.countLearn(rule, 1);
  }
  ruleOut(rule: Rule): void {
    this.mortal.delete(rule);
    this.countLearn(rule, -1);
  }
  private countLearn(rule: Rule, change: 1 | -1): void {
    for (const action of rule.actions) {
      if (action.kind !== 'learn' || !action.deleteLearned) continue;
      const key = `${action.table}:${action.cookie}`;
      const count = (this.learning.get(key) ?? 0) + change;
      if (count > 0) this.learning.set(key, count);
      else this.learning.delete(key);
    }
  }
  learnCount(table: number, cookie: bigint): number {
    return this.learning.get(`${table}:${cookie}`) ?? 0;
  }

  /** A rule has gone: monitors hear of it, and whoever asked for flow-removed messages. */
  tellRemoved(rule: Rule, reason: FlowRemovedReason, origin: Origin): void {
    this.listener.flowChanged({ event: 'deleted', rule, reason, oldActions: null, origin });
    if (rule.flags.sendFlowRemoved) {
      this.listener.flowRemoved(flowRemoved(rule, reason, this.clock.now()));
    }
  }

  /** Deletes flows whose time is over; called after statistics were pushed. */
  expireFlows(): void {
    if (this.mortal.size === 0) return;
    const now = this.clock.now();
    const change = new Change(this, null);
    for (const rule of [...this.mortal]) {
      if (now <= expiryMs(rule)) continue;
      const hard = rule.hardTimeoutSeconds;
      const isHard = hard > 0 && now > rule.modifiedMs + hard * 1000;
      change.remove(rule, isHard ? 'hardTimeout' : 'idleTimeout');
    }
    change.commit();
  }

  /** True when table misses go to a controller of OpenFlow 1.0 to 1.2. */
  get wantsMissPacketIn(): boolean {
    return this.listener.wantsMissPacketIn();
  }

  /** The datapath's number of the meter for packet-ins: the action's own, or the one for all controllers. */
  controllerMeter(meterId: number | null): number | null {
    return this.meters.datapathId(meterId ?? OFPM_CONTROLLER);
  }

  /** The datapath's number of the meter for frames that it cannot handle alone. */
  slowPathMeter(): number | null {
    return this.meters.datapathId(OFPM_SLOWPATH);
  }

  mayLearn(mod: FlowMod, limit: number): boolean {
    return mayLearn(this, mod, limit);
  }
  /** Carries a learnFlow effect out. True when forwarding may change. */
  learnFlow(mod: FlowMod, limit: number, usedMs: number): boolean {
    return learnFlow(this, mod, limit, usedMs);
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
    const before = this.macs.lookup(seen.mac, seen.vlan)?.owner;
    const changed = this.macs.learn({
      mac: seen.mac,
      vlan: seen.vlan,
      owner: seen.bundle,
      isGratuitousArp: seen.isGratuitousArp,
      isBond: seen.bundle.isBond,
      seenMs,
    });
    if (changed && before !== undefined && before !== seen.bundle) {
      this.flaps.moved(seen.mac, before, seen.bundle, seenMs);
    }
    return changed;
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
    const { portNo } = settings;
    const tunnel = settings.tunnel ?? null;
    const kind = tunnel !== null && portNo !== null ? { portNo, tunnel } : { portNo, tunnel: null };
    const port: BridgePort = {
      ...kind,
      bridge: this,
      name: settings.name,
      type: settings.type,
      ofPort: number,
      patchPeer: settings.patchPeer ?? null,
      bundle: null,
      isUp: settings.isUp ?? true,
      setAdminUp: settings.setAdminUp ?? (() => false),
      config: settings.isAdminUp === false ? OFPPC_PORT_DOWN : 0,
      hwAddr: settings.hwAddr ?? 0n,
      link: settings.link ?? NO_LINK,
      queueDscp: NO_QUEUE_DSCP,
      stats: { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 },
    };
    this.flooding = null;
    this.portMap.set(number, port);
    this.portNames.set(settings.name, port);
    this.changed();
    this.listener.portStatus('add', describePort(port));
    return number;
  }

  removePort(number: OfPort): void {
    const port = this.portMap.get(number);
    if (!port) return;
    const bundle = port.bundle;
    if (bundle) {
      bundle.members = bundle.members.filter((m) => m !== port);
      if (bundle.members.length === 0) this.forgetBehind(bundle, false);
    }
    this.flooding = null;
    this.portMap.delete(number);
    this.portNames.delete(port.name);
    this.numbers.free(number);
    this.changed();
    this.listener.portStatus('delete', describePort(port));
  }

  /** `isAdminUp` null leaves that as it is. */
  setPortState(number: OfPort, isUp: boolean, isAdminUp: boolean | null = null): void {
    const port = this.portMap.get(number);
    if (!port) return;
    const isDown = isAdminUp === null ? (port.config & OFPPC_PORT_DOWN) !== 0 : !isAdminUp;
    const config = isDown ? port.config | OFPPC_PORT_DOWN : port.config & ~OFPPC_PORT_DOWN;
    if (port.isUp === isUp && port.config === config) return;
    const before = describePort(port);
    port.isUp = isUp;
    port.config = config;
    this.changed();
    const now = describePort(port);
    // A device that a port-mod took down was told of already.
    if (now.state !== before.state || now.config !== before.config) {
      this.listener.portStatus('modify', now);
    }
  }

  /** OFPPC_* bits of a port, as a port-mod wants them. */
  setPortConfig(port: BridgePort, config: number): void {
    if (port.config === config) return;
    port.config = config;
    this.changed();
    this.listener.portStatus('modify', describePort(port));
  }

  /** Address and link of a port's device. */
  setPortDevice(number: OfPort, hwAddr: bigint, link: PortLink): void {
    const port = this.portMap.get(number);
    if (!port) return;
    const same =
      port.hwAddr === hwAddr &&
      port.link.current === link.current &&
      port.link.currentSpeedKbps === link.currentSpeedKbps;
    port.hwAddr = hwAddr;
    port.link = link;
    if (!same) this.listener.portStatus('modify', describePort(port));
  }

  /** The DSCP that frames leaving by each queue of a port are marked with. */
  setQueueDscp(number: OfPort, dscp: ReadonlyMap<number, number>): void {
    const port = this.portMap.get(number);
    if (!port || isDeepStrictEqual(port.queueDscp, dscp)) return;
    port.queueDscp = dscp;
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
    this.mirrors.forget(name);
    this.forgetBehind(bundle, true);
    for (const port of bundle.members) port.bundle = null;
    bundle.members = [];
    this.changed();
  }

  /** The mirrors wanted from now on. What was learned while others were there may be wrong, so it goes. */
  setMirrors(wanted: readonly MirrorSettings[]): void {
    if (!this.mirrors.configure(wanted)) return;
    this.macs.flush(false);
    this.changed();
  }

  /** fdb/flush: forgets what was learned; true when anything was. */
  flushMacs(): boolean {
    if (this.macs.flush(false) === 0) return false;
    this.changed();
    return true;
  }

  /** Forgets what is behind a bundle that goes. A machine may have moved to another bridge: that forgets it, too. */
  private forgetBehind(bundle: Bundle, withStatic: boolean): void {
    for (const { mac, vlan } of this.macs.behind(bundle)) this.host.macGone(this, mac, vlan);
    this.macs.flushOwner(bundle, withStatic);
  }

  /** Another bridge lost the port of this address. */
  forgetMac(mac: number, vlan: number): void {
    if (this.macs.remove(mac, vlan)) this.changed();
  }

  /**
   * fdb/add: a static entry behind a port. Answers with what it took the place of, null for nothing, and false when the port
   * does not exist or is in no bundle.
   */
  addStaticMac(portName: string, vlan: number, mac: number): MacEntry<Bundle> | null | false {
    const bundle = this.portNames.get(portName)?.bundle;
    if (!bundle) return false;
    const before = this.macs.lookup(mac, vlan);
    if (before?.isStatic && before.owner === bundle) return null;
    this.macs.addStatic(mac, vlan, bundle);
    this.changed();
    return before;
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
  /** The order in which FLOOD and ALL go through the ports. */
  floodOrder(): readonly BridgePort[] {
    this.flooding ??= hashOrder([...this.portMap.values()]);
    return this.flooding;
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
