/**
 * Carries the steps of a plan out, and knows what runs.
 *
 * Devices are opened at the same time, and given to their bridges in the order of the plan, so that port numbers do not depend
 * on which device was quicker. A device that cannot be had leaves its reason in `failures`, and nothing else is disturbed.
 */

import type { Datapath, PortNo } from '../datapath/datapath.ts';
import { NO_POLICING, type PolicingConfig } from '../datapath/policer.ts';
import { OFPP_LOCAL, type OfPort } from '../flowtable/of-port.ts';
import type { Bridge, DatapathType } from '../ofproto/bridge.ts';
import type { BridgePort } from '../ofproto/bridge-port.ts';
import type { BundleSettings } from '../ofproto/bundle.ts';
import type { OpenflowBridge, OpenflowSettings } from '../ofproto/openflow/openflow-bridge.ts';
import type { Switch } from '../ofproto/switch.ts';
import { DEFAULT_TABLE, TABLE_COUNT } from '../ofproto/tables/flow-table.ts';
import type { Logger } from '../util/logger.ts';
import { addressFromUuid, datapathIdText, localAddress } from './local-address.ts';
import type { FrameGate } from './netdev/dummy-netdev.ts';
import { addToDatapath, type Netdev, NetdevError } from './netdev/netdev.ts';
import { portLink } from './openflow-settings.ts';
import {
  bridgeIdentity,
  interfaceIdentity,
  type RunningBridgeView,
  type RunningInterfaceView,
  type Step,
} from './plan.ts';
import type { PortAllocator } from './port-allocator.ts';
import { settleQos } from './port-queues.ts';
import { queueDscp, type RunningQos } from './qos.ts';
import type { RunningDevice } from './report-ops.ts';
import type { SharedTunnelPorts } from './tunnel-ports.ts';
import type { WantedBridge, WantedInterface, WantedPort } from './wanted.ts';

/** A datapath with the switch over it: one for real devices, one for dummies. */
export interface Fabric {
  readonly datapath: Datapath;
  readonly switch: Switch;
  readonly portNumbers: PortAllocator;
  /** Where dummy devices exchange frames. */
  readonly gate: FrameGate;
  /** Datapath ports of tunnels. */
  readonly tunnelPorts: SharedTunnelPorts;
}

export interface ApplyDeps {
  readonly fabricOf: (datapathType: string) => Fabric;
  /** Opens the device of an interface; rejects with a NetdevError. */
  readonly open: (want: WantedInterface, fabric: Fabric) => Promise<Netdev>;
  /** Makes the OpenFlow side of a bridge, which listens at once. */
  readonly openflow: (bridge: Bridge, fabric: Fabric) => OpenflowBridge;
  /** Clock milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
  /** For trouble with devices that are open (module netdev). */
  readonly deviceLog: Logger;
}

/** An interface that runs. */
export class InterfaceEntry {
  want: WantedInterface;
  readonly netdev: Netdev;
  readonly portNo: PortNo | null;
  readonly ofPort: OfPort;
  /** What the device last said. */
  status: RunningDevice;
  /** The MTU was asked for by mtu_request: without one, it follows the others again. */
  wasRequested = false;
  /** Why the last change of the device was refused; empty when it was not. */
  complaint = '';
  /** What the datapath drops beyond. */
  policing: PolicingConfig = NO_POLICING;
  /** How the datapath schedules what it sends. */
  qos: RunningQos | null = null;
  /** Since when each queue has been there, clock milliseconds. */
  queuesSinceMs: ReadonlyMap<number, number> = new Map();
  /** TCP segments that it receives are joined. */
  joins = false;
  /** MTU that the datapath enforces. */
  datapathMtu: number;

  constructor(want: WantedInterface, netdev: Netdev, portNo: PortNo | null, ofPort: OfPort) {
    this.want = want;
    this.netdev = netdev;
    this.portNo = portNo;
    this.ofPort = ofPort;
    this.status = netdev.status();
    this.datapathMtu = netdev.spec?.mtu ?? 0;
  }
}

/** A bridge that runs. */
export class BridgeEntry implements RunningBridgeView {
  want: WantedBridge;
  readonly bridge: Bridge;
  readonly openflow: OpenflowBridge;
  readonly fabric: Fabric;
  settings: string;
  readonly entries = new Map<string, InterfaceEntry>();
  readonly bundles = new Map<string, { settings: BundleSettings; members: string[] }>();
  /** Numbers of interfaces whose devices went away: they come back under them. */
  readonly formerNumbers = new Map<string, OfPort>();
  datapathId = '';
  /** The MTU that internal ports follow, bytes. */
  commonMtu = 1500;

  constructor(want: WantedBridge, bridge: Bridge, openflow: OpenflowBridge, fabric: Fabric) {
    this.want = want;
    this.bridge = bridge;
    this.openflow = openflow;
    this.fabric = fabric;
    this.settings = bridgeIdentity(want);
  }

  get datapathType(): string {
    return this.bridge.datapathType;
  }

  get interfaces(): ReadonlyMap<string, RunningInterfaceView> {
    const views = new Map<string, RunningInterfaceView>();
    for (const [name, entry] of this.entries) {
      views.set(name, {
        identity: interfaceIdentity(entry.want),
        current: entry.netdev.current(),
        ofPort: entry.ofPort,
      });
    }
    return views;
  }
}

export class Applier {
  readonly running = new Map<string, BridgeEntry>();
  /** Why an interface has no device, by interface name. */
  readonly failures = new Map<string, string>();
  private readonly deps: ApplyDeps;
  /** Devices being closed, by name: a new one of that name waits. */
  private readonly closing = new Map<string, Promise<void>>();

  constructor(deps: ApplyDeps) {
    this.deps = deps;
  }

  /** Carries all steps out; resolves when the datapath has the ports. Failures of devices are in `failures`. */
  async apply(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (step.kind === 'remove-interface')
        this.removeInterface(step.bridge, step.name, step.forget);
      else if (step.kind === 'remove-bundle') this.removeBundle(step.bridge, step.name);
      else if (step.kind === 'remove-bridge') this.removeBridge(step.name);
      else if (step.kind === 'add-bridge') this.addBridge(step.want);
      else if (step.kind === 'configure-bridge') this.configureBridge(step.want);
    }
    const additions = steps.filter((step) => step.kind === 'add-interface');
    const devices = await Promise.all(
      additions.map((step) => this.openDevice(step.bridge, step.want)),
    );
    additions.forEach((step, i) => {
      const device = devices[i];
      if (device !== null) this.addInterface(step.bridge, step.want, device);
    });
    for (const step of steps)
      if (step.kind === 'set-bundle') this.setBundle(step.bridge, step.want);
  }

  /** Ends all OpenFlow connections. */
  closeOpenflow(): void {
    for (const { openflow } of this.running.values()) openflow.close();
  }

  /** Resolves when every device given up is closed: its name is free again. */
  async closed(): Promise<void> {
    await Promise.all(this.closing.values());
  }

  private entry(bridge: string): BridgeEntry {
    const entry = this.running.get(bridge);
    if (entry === undefined) throw new Error(`plan names bridge ${bridge}, which does not run`);
    return entry;
  }

  private removeInterface(bridgeName: string, name: string, forget: boolean): void {
    const { entries, bridge, fabric, formerNumbers } = this.entry(bridgeName);
    const entry = entries.get(name);
    if (entry === undefined) return;
    entries.delete(name);
    bridge.removePort(entry.ofPort);
    if (forget) formerNumbers.delete(name);
    else formerNumbers.set(name, entry.ofPort);
    const { portNo, netdev } = entry;
    const closing = this.release(fabric, name, portNo, netdev, forget).then(() => {
      if (this.closing.get(name) === closing) this.closing.delete(name);
    });
    this.closing.set(name, closing);
    this.deps.log.info(`bridge ${bridgeName}: deleted interface ${name} on port ${entry.ofPort}`);
  }

  private async release(
    fabric: Fabric,
    name: string,
    portNo: PortNo | null,
    netdev: Netdev,
    remove: boolean,
  ): Promise<void> {
    try {
      if (netdev.tunnel !== undefined) await fabric.tunnelPorts.release(name, netdev.tunnel);
      else if (portNo !== null) {
        await fabric.datapath.removePort(portNo);
        fabric.portNumbers.release(portNo);
      }
      await netdev.close(remove);
    } catch (failure) {
      this.deps.deviceLog.warn(`${netdev.name}: ${(failure as Error).message}`);
    }
  }

  private removeBundle(bridgeName: string, name: string): void {
    const { bridge, bundles } = this.entry(bridgeName);
    bridge.removeBundle(name);
    bundles.delete(name);
  }

  private removeBridge(name: string): void {
    const { fabric, openflow } = this.entry(name);
    openflow.close();
    fabric.switch.removeBridge(name);
    this.running.delete(name);
  }

  private addBridge(want: WantedBridge): void {
    const fabric = this.deps.fabricOf(want.datapathType);
    const bridge = fabric.switch.addBridge({
      name: want.name,
      datapathType: want.datapathType as DatapathType,
      ...bridgeSettings(want),
    });
    const openflow = this.deps.openflow(bridge, fabric);
    this.running.set(want.name, new BridgeEntry(want, bridge, openflow, fabric));
  }

  private configureBridge(want: WantedBridge): void {
    const entry = this.entry(want.name);
    entry.bridge.datapathType = want.datapathType as DatapathType;
    entry.bridge.configure(bridgeSettings(want));
    entry.settings = bridgeIdentity(want);
  }

  /** Opens the device and gives it to the datapath. Null when that failed. */
  private async openDevice(
    bridgeName: string,
    want: WantedInterface,
  ): Promise<{ netdev: Netdev; portNo: PortNo | null } | null> {
    const { fabric } = this.entry(bridgeName);
    let netdev: Netdev | null = null;
    let portNo: PortNo | null = null;
    try {
      await this.closing.get(want.name);
      netdev = await this.deps.open(want, fabric);
      for (const warning of netdev.warnings ?? []) this.deps.deviceLog.warn(warning);
      if (netdev.tunnel !== undefined) {
        const shared = await fabric.tunnelPorts.acquire(want.name, netdev.tunnel);
        this.failures.delete(want.name);
        return { netdev, portNo: shared };
      }
      if (netdev.spec !== null) {
        portNo = fabric.portNumbers.allocate(want.name);
        await addToDatapath(fabric.datapath, portNo, netdev);
        netdev.attached?.(portNo);
      }
      this.failures.delete(want.name);
      return { netdev, portNo };
    } catch (failure) {
      const isNews = this.failures.get(want.name) !== (failure as Error).message;
      if (isNews && failure instanceof NetdevError && failure.logLine !== null) {
        this.deps.deviceLog.warn(failure.logLine);
      }
      this.fail(want, (failure as Error).message);
      if (portNo !== null) fabric.portNumbers.release(portNo);
      await netdev?.close(true);
      return null;
    }
  }

  /** Notes a failure; logs it when it is news. */
  private fail(want: WantedInterface, message: string): void {
    if (this.failures.get(want.name) !== message) this.deps.log.warn(message);
    this.failures.set(want.name, message);
  }

  private addInterface(
    bridgeName: string,
    want: WantedInterface,
    device: { netdev: Netdev; portNo: PortNo | null },
  ): void {
    const { bridge, entries, formerNumbers, fabric } = this.entry(bridgeName);
    const { netdev, portNo } = device;
    const requested =
      want.ofportRequest ?? formerNumbers.get(want.name) ?? want.previousOfport ?? null;
    const status = netdev.status();
    let ofPort: OfPort;
    try {
      if (netdev.tunnel !== undefined && portNo !== null) {
        refuseSame(fabric.switch.sameTunnel(netdev.tunnel, portNo), want.name);
      }
      ofPort = bridge.addPort({
        name: want.name,
        type: netdev.typeText,
        portNo,
        requestedOfPort: requested,
        tunnel: netdev.tunnel ?? null,
        patchPeer: want.type === 'patch' ? (want.options.peer ?? null) : null,
        hwAddr: status.mac ?? 0n,
        link: portLink(status),
        isUp: isUp(status),
        isAdminUp: status.adminUp !== false,
        setAdminUp: (up) => this.setAdminUp(netdev, up),
      });
    } catch (failure) {
      this.fail(want, (failure as Error).message);
      void this.release(fabric, want.name, portNo, netdev, true);
      return;
    }
    formerNumbers.delete(want.name);
    entries.set(want.name, new InterfaceEntry(want, netdev, portNo, ofPort));
    this.deps.log.info(`bridge ${bridgeName}: added interface ${want.name} on port ${ofPort}`);
  }

  /** For port-mods: false when the device refuses. */
  private setAdminUp(netdev: Netdev, up: boolean): boolean {
    if (netdev.setAdminUp === undefined) return false;
    try {
      netdev.setAdminUp(up);
      return true;
    } catch (failure) {
      this.deps.deviceLog.warn((failure as Error).message);
      return false;
    }
  }

  private setBundle(bridgeName: string, want: WantedPort): void {
    const { bridge, bundles, entries } = this.entry(bridgeName);
    const ports = want.interfaces
      .map((iface) => entries.get(iface.name)?.ofPort)
      .filter((port) => port !== undefined);
    bridge.setBundle(want.name, { ports, ...want.settings });
    const members = want.interfaces.filter((iface) => iface.error === null).map((i) => i.name);
    bundles.set(want.name, { settings: want.settings, members });
  }

  /**
   * Brings what follows from several rows and devices in line: addresses, datapath ids, MTUs, port states. Idempotent, run after
   * every change of the database or of a link.
   */
  settle(
    wanted: readonly WantedBridge[],
    openflowSettings: (want: WantedBridge) => OpenflowSettings,
  ): void {
    this.forgetUnwanted(wanted);
    for (const want of wanted) {
      const entry = this.running.get(want.name);
      if (entry === undefined) continue;
      entry.want = want;
      for (const iface of want.ports.flatMap((port) => port.interfaces)) {
        const running = entry.entries.get(iface.name);
        if (running !== undefined) running.want = iface;
      }
      for (const running of entry.entries.values()) running.status = running.netdev.status();
      this.settleAddresses(entry);
      this.settleMtu(entry);
      for (const running of entry.entries.values()) {
        settlePolicing(entry.fabric, running);
        settleGro(entry.fabric, running);
      }
      for (const running of entry.entries.values()) {
        const { adminUp, mac } = running.status;
        entry.bridge.setPortDevice(running.ofPort, mac ?? 0n, portLink(running.status));
        entry.bridge.setPortState(running.ofPort, isUp(running.status), adminUp);
      }
      this.settleQueues(entry);
      entry.bridge.setMirrors(want.mirrors);
      for (const table of entry.bridge.tables.slice(0, TABLE_COUNT)) {
        entry.bridge.configureTable(table, want.flowTables.get(table.id) ?? DEFAULT_TABLE);
      }
      entry.openflow.configure(openflowSettings(want));
    }
  }

  private settleQueues({ want, entries, bridge, fabric }: BridgeEntry): void {
    for (const { qos, interfaces } of want.ports) {
      for (const { name } of interfaces) {
        const running = entries.get(name);
        if (running === undefined) continue;
        settleQos(fabric, running, qos, this.deps.now());
        bridge.setQueueDscp(running.ofPort, queueDscp(qos));
      }
    }
  }

  /** Failures and numbers of interfaces that nobody wants any more. */
  private forgetUnwanted(wanted: readonly WantedBridge[]): void {
    const names = new Set<string>();
    for (const { ports } of wanted) {
      for (const { interfaces } of ports) for (const { name } of interfaces) names.add(name);
    }
    for (const name of this.failures.keys()) if (!names.has(name)) this.failures.delete(name);
    for (const { formerNumbers } of this.running.values()) {
      for (const name of formerNumbers.keys()) if (!names.has(name)) formerNumbers.delete(name);
    }
  }

  private settleAddresses(entry: BridgeEntry): void {
    const { want, entries, bridge } = entry;
    const lent: bigint[] = [];
    for (const { netdev, status } of entries.values()) {
      if (netdev.typeText === 'system' && status.mac !== null) lent.push(status.mac);
    }
    const local = [...entries.values()].find((running) => running.ofPort === OFPP_LOCAL);
    const fallback = local?.status.mac ?? addressFromUuid(want.uuid);
    const mac = localAddress(want.hwaddr, lent, fallback);
    for (const running of entries.values()) {
      const address = running === local ? mac : running.want.mac;
      if (address === null || running.status.mac === address || running.netdev.ifindex < 0)
        continue;
      if (running !== local && running.netdev.typeText === 'system') continue;
      this.change(running, () => running.netdev.setMac(address));
    }
    const id = datapathIdText(want.datapathId, mac);
    if (id === entry.datapathId) return;
    entry.datapathId = id;
    bridge.configure({ datapathId: id });
    this.deps.log.info(`bridge ${want.name}: using datapath ID ${id}`);
  }

  /**
   * `mtu_request` where there is one; other internal ports follow the smallest MTU among the bridge's devices, unless somebody
   * gave them one of their own.
   */
  private settleMtu(entry: BridgeEntry): void {
    const devices = [...entry.entries.values()];
    const mtus = devices
      .filter(({ netdev, status }) => isOutside(netdev) && status.mtu !== null)
      .map(({ want, status }) => want.mtuRequest ?? (status.mtu as number));
    const common = mtus.length > 0 ? Math.min(...mtus) : 1500;
    for (const running of devices) {
      const { want, status, netdev } = running;
      const follows =
        (want.type === 'internal' || want.type === 'dummy-internal') &&
        (status.mtu === entry.commonMtu || running.wasRequested);
      running.wasRequested = want.mtuRequest !== null;
      const mtu = want.mtuRequest ?? (follows ? common : null);
      if (mtu !== null && status.mtu !== null && status.mtu !== mtu) {
        this.change(running, () => netdev.setMtu(mtu));
      }
      const now = running.status.mtu;
      if (
        running.netdev.spec !== null &&
        running.portNo !== null &&
        now !== null &&
        now !== running.datapathMtu
      ) {
        running.datapathMtu = now;
        entry.fabric.datapath.setPortMtu(running.portNo, now);
      }
    }
    entry.commonMtu = common;
  }

  /** Changes a device; a refusal is logged once for as long as it stays the same. */
  private change(running: InterfaceEntry, act: () => void): void {
    let complaint = '';
    try {
      act();
      running.status = running.netdev.status();
    } catch (failure) {
      complaint = `${running.want.name}: ${(failure as Error).message}`;
    }
    if (complaint !== '' && complaint !== running.complaint) this.deps.deviceLog.warn(complaint);
    running.complaint = complaint;
  }
}

/** Bursts that Open vSwitch takes where none is given: kbit, and thousands of packets. */
const DEFAULT_BURST_KB = 8000;
const DEFAULT_BURST_KPKTS = 16;

function settlePolicing({ datapath }: Fabric, running: InterfaceEntry): void {
  const { rateKbps, burstKb, rateKpps, burstKpkts } = running.want.policing;
  const wanted = {
    rateKbps,
    burstKb: burstKb || DEFAULT_BURST_KB,
    ratePps: rateKpps * 1000,
    burstPackets: (burstKpkts || DEFAULT_BURST_KPKTS) * 1000,
  };
  const policing = rateKbps > 0 || rateKpps > 0 ? wanted : NO_POLICING;
  if (running.netdev.spec === null || running.portNo === null) return;
  if (JSON.stringify(policing) === JSON.stringify(running.policing)) return;
  running.policing = policing;
  datapath.setPolicing(running.portNo, policing);
}

/** other_config:gro of an Interface row: an extension of this switch. */
function settleGro({ datapath }: Fabric, running: InterfaceEntry): void {
  const isOn = running.want.otherConfig.gro === 'true';
  if (running.netdev.spec === null || running.portNo === null || isOn === running.joins) return;
  running.joins = isOn;
  // The kernel joins before it copies, and verifies checksums as it goes: a third of the work.
  const isKernels = running.netdev.setGro?.(isOn) ?? false;
  datapath.setGro(running.portNo, isOn && !isKernels);
}

/** Two tunnels that the same packets belong to cannot be told apart. */
function refuseSame(other: BridgePort | null, name: string): void {
  if (other === null) return;
  throw new NetdevError(
    `could not add network device ${name} to ofproto (File exists): port ${other.name} of bridge ` +
      `${other.bridge.name} has the same type, addresses and key; give each its own options:key=N`,
  );
}

/** A device that leads out of the switch: its MTU binds the internal ports. */
const isOutside = ({ typeText }: Netdev): boolean => typeText === 'system' || typeText === 'dummy';

const isUp = ({ linkUp, adminUp }: RunningDevice): boolean => linkUp !== false && adminUp !== false;

function bridgeSettings(want: WantedBridge) {
  return {
    macAgingMs: want.macAgingSeconds * 1000,
    macTableSize: want.macTableSize,
    forwardBpdu: want.forwardBpdu,
    floodVlans: want.floodVlans,
    samplesFlows: want.samplesFlows,
    failMode: want.failMode,
  };
}
