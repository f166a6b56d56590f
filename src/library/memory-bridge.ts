/** A bridge of an embedded switch: the real bridge and its OpenFlow side, spoken to in ovs-ofctl's language. */

import { flowStatsText } from '../cli/ofctl/flow-text.ts';
import { parseGroup } from '../cli/ofctl/group-syntax.ts';
import { parseMeter } from '../cli/ofctl/meter-syntax.ts';
import type { PortNo } from '../datapath/datapath.ts';
import type { InlineDatapath } from '../datapath/inline-datapath.ts';
import { MATCH_ALL, wordOf } from '../flowtable/match.ts';
import { OFPP_NONE, ofPort } from '../flowtable/of-port.ts';
import type { Bridge } from '../ofproto/bridge.ts';
import { OF10, OF13, OF15, type OfVersion } from '../ofproto/codec/versions.ts';
import {
  type FlowMod,
  type FlowModCommand,
  type GroupMod,
  type PacketIn as ModelPacketIn,
  NO_BUFFER,
} from '../ofproto/model.ts';
import type { OpenflowBridge, OpenflowSettings } from '../ofproto/openflow/openflow-bridge.ts';
import { packetOut } from '../ofproto/packet-out.ts';
import type { Switch } from '../ofproto/switch.ts';
import { Change } from '../ofproto/tables/change.ts';
import { beginFlowMod } from '../ofproto/tables/flow-mods.ts';
import { flowStats } from '../ofproto/tables/flow-stats.ts';
import { applyGroupMod } from '../ofproto/tables/groups.ts';
import { applyMeterMod } from '../ofproto/tables/meters.ts';
import { parseActions } from '../ofproto/text/actions-syntax.ts';
import { formatsOf, usableFormats } from '../ofproto/text/flow-protocols.ts';
import { parseFlow } from '../ofproto/text/flow-syntax.ts';
import { normalizeMatch } from '../ofproto/text/normalize-match.ts';
import { type NameLookup, parsed } from '../ofproto/text/syntax.ts';
import { OF_IN_PORT } from '../packet/key.ts';
import {
  type EmbeddedBridge,
  type EmbeddedPort,
  type OpenflowConnection,
  type PacketIn,
  type PortOptions,
  SwitchError,
} from './api.ts';
import { bundleSettings, MemoryPort } from './memory-port.ts';
import { MemoryStream } from './memory-stream.ts';
import { accepted, demand } from './refused.ts';

const DEFAULT_MTU = 1500;
/** Tried in this order: 1.0 with Nicira's extensions, as by ovs-ofctl, says most. */
const VERSIONS: readonly OfVersion[] = [OF10, OF13, OF15];
const CONTROLLER = {
  maxBackoffMs: 8000,
  probeMs: 5000,
  rateLimit: 0,
  burstLimit: 0,
  enableAsync: true,
};

interface MemoryBridgeDeps {
  readonly bridge: Bridge;
  readonly switch: Switch;
  readonly datapath: InlineDatapath;
  readonly openflow: OpenflowBridge;
  readonly allocatePortNo: () => PortNo;
  /** Makes megaflows true before a frame comes in. */
  readonly settle: () => void;
  readonly trace: (bridge: string, flow: string) => string;
  readonly removed: () => void;
}

export class MemoryBridge implements EmbeddedBridge {
  readonly name: string;
  private readonly deps: MemoryBridgeDeps;
  private readonly ports = new Map<string, MemoryPort>();
  private readonly listeners = new Set<(packetIn: PacketIn) => void>();
  private readonly names: NameLookup;
  private connections = 0;

  constructor(deps: MemoryBridgeDeps) {
    const { bridge } = deps;
    this.deps = deps;
    this.name = bridge.name;
    this.names = { portByName: (name) => bridge.portNamed(name)?.ofPort ?? null };
    const { listener } = bridge;
    bridge.listener = {
      packetIn: (packetIn) => {
        listener.packetIn(packetIn);
        this.tell(packetIn);
      },
      flowRemoved: (removed) => listener.flowRemoved(removed),
      flowChanged: (change) => listener.flowChanged(change),
      portStatus: (reason, port) => listener.portStatus(reason, port),
      wantsMissPacketIn: () => listener.wantsMissPacketIn(),
    };
    this.setControllers([]);
  }

  addPort(name: string, options: PortOptions = {}): EmbeddedPort {
    const { bridge, datapath, settle } = this.deps;
    this.refuseTaken(name);
    const settings = bundleSettings(options);
    const portNo = this.deps.allocatePortNo();
    void datapath.addPort(portNo, name, { kind: 'dummy', mtu: options.mtu ?? DEFAULT_MTU });
    const number = this.numberOf(name, 'dummy', portNo, null, options);
    bridge.setBundle(name, { ports: [number], ...settings });
    const removed = (): void => void this.ports.delete(name);
    const port = new MemoryPort({
      name,
      bridge,
      datapath,
      portNo,
      ofPort: number,
      settle,
      removed,
    });
    this.ports.set(name, port);
    return port;
  }

  addPatchPort(name: string, peer: string, options: PortOptions = {}): number {
    this.refuseTaken(name);
    const settings = bundleSettings(options);
    const number = this.numberOf(name, 'patch', null, peer, options);
    this.deps.bridge.setBundle(name, { ports: [number], ...settings });
    return number;
  }

  port(name: string): EmbeddedPort | null {
    return this.ports.get(name) ?? null;
  }

  addFlow(flow: string): void {
    this.apply([this.flowOf(flow, 'add')]);
  }

  addFlows(lines: string): void {
    const mods = lines.split('\n').flatMap((line, i) => {
      const text = line.replace(/#.*/, '').trim();
      return text === '' ? [] : [this.flowOf(text, 'add', `line ${i + 1}: `)];
    });
    this.apply(mods);
  }

  modifyFlows(flow: string): void {
    this.apply([this.flowOf(flow, 'modify')]);
  }

  deleteFlows(match = ''): void {
    this.apply([this.flowOf(match, 'delete')]);
  }

  addGroup(group: string): void {
    this.changeGroup(group, 'add');
  }
  modifyGroup(group: string): void {
    this.changeGroup(group, 'modify');
  }
  deleteGroups(group = ''): void {
    this.changeGroup(group, 'delete');
  }

  addMeter(meter: string): void {
    demand(applyMeterMod(this.deps.bridge, accepted(parseMeter(meter, 'add'))), meter);
  }
  deleteMeters(meter = 'meter=all'): void {
    demand(applyMeterMod(this.deps.bridge, accepted(parseMeter(meter, 'delete'))), meter);
  }

  dumpFlows(options: { readonly match?: string; readonly stats?: boolean } = {}): string[] {
    const { match = '', stats = false } = options;
    const mod = this.flowOf(match, 'delete');
    this.deps.switch.revalidator.pushAllStats();
    const flows = [
      ...flowStats(this.deps.bridge, {
        tableId: mod.tableId,
        match: mod.match,
        cookie: mod.cookie,
        cookieMask: mod.cookieMask,
        outPort: mod.outPort,
        outGroup: mod.outGroup,
      }),
    ];
    flows.sort((a, b) => a.tableId - b.tableId || b.priority - a.priority);
    return flows.map((flow) => flowStatsText(flow, {}, { stats, ages: false }).trimStart());
  }

  onPacketIn(listener: (packetIn: PacketIn) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  packetOut(frame: Uint8Array, actions: string, inPort: number = OFPP_NONE): void {
    const { bridge, switch: on, settle } = this.deps;
    settle();
    const out = {
      bufferId: NO_BUFFER,
      inPort: ofPort(inPort),
      actions: accepted(parsed(() => parseActions(actions, this.names))),
      data: frame,
      match: MATCH_ALL,
    };
    demand(packetOut(on, bridge, out), actions);
  }

  trace(flow: string): string {
    return this.deps.trace(this.name, flow);
  }

  connect(): OpenflowConnection {
    const [ours, theirs] = MemoryStream.pair();
    this.deps.openflow.serve(ours, `memory#${this.connections++}`);
    return theirs;
  }

  setControllers(targets: readonly string[]): void {
    const { bridge, openflow } = this.deps;
    const settings: OpenflowSettings = {
      controllers: targets.map((target) => ({ ...CONTROLLER, uuid: target, target })),
      versions: [],
      failMode: bridge.settings.failMode,
      description: null,
      serial: null,
      bundleIdleMs: 10_000,
    };
    openflow.configure(settings);
  }

  remove(): void {
    for (const port of [...this.ports.values()]) port.remove();
    this.deps.openflow.close();
    this.deps.switch.removeBridge(this.name);
    this.deps.removed();
  }

  private refuseTaken(name: string): void {
    const taken = this.deps.switch.bridges().some((bridge) => bridge.portNamed(name) !== null);
    if (taken) throw new SwitchError(`port ${name} exists`);
  }

  private numberOf(
    name: string,
    type: string,
    portNo: PortNo | null,
    patchPeer: string | null,
    { number }: PortOptions,
  ) {
    const requestedOfPort = number ?? null;
    return this.deps.bridge.addPort({ name, type, portNo, patchPeer, requestedOfPort });
  }

  /** A flow-mod of the first version that can say it. */
  private flowOf(text: string, command: FlowModCommand, where = ''): FlowMod {
    const lookup = {
      ...this.names,
      tunMetadata: (i: number) => this.deps.bridge.tlvTable.place(i),
    };
    const read = (version: OfVersion): FlowMod =>
      accepted(parseFlow(text, command, version, lookup), where);
    const usable = accepted(
      parsed(() => usableFormats(read(OF10))),
      where,
    );
    const version = VERSIONS.find((one) => (usable & formatsOf(one)) !== 0) ?? OF15;
    const mod = read(version);
    return { ...mod, match: normalizeMatch(mod.match) };
  }

  private apply(mods: readonly FlowMod[]): void {
    const change = new Change(this.deps.bridge, null);
    for (const mod of mods) {
      const error = beginFlowMod(change, mod);
      if (error === null) continue;
      change.revert();
      demand(error, 'the flow was refused');
    }
    change.commit();
  }

  private changeGroup(text: string, command: GroupMod['command']): void {
    const mod = accepted(parseGroup(text, command, OF15, this.names));
    demand(applyGroupMod(this.deps.bridge, mod), text);
  }

  private tell({ reason, tableId, cookie, match, frame, maxBytes }: ModelPacketIn): void {
    const inPort = wordOf(match, OF_IN_PORT).value;
    const packetIn: PacketIn = { reason, tableId, cookie, inPort, frame, maxBytes };
    for (const listener of this.listeners) listener(packetIn);
  }
}
