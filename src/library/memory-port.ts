/** A port of an embedded switch: a dummy port of the inline datapath, and what came out of it. */
import type { PortNo } from '../datapath/datapath.ts';
import type { InlineDatapath } from '../datapath/inline-datapath.ts';
import type { OfPort } from '../flowtable/of-port.ts';
import type { Bridge } from '../ofproto/bridge.ts';
import type { BundleSettings } from '../ofproto/bundle.ts';
import type { EmbeddedPort, PortCounters, VlanOptions } from './api.ts';
import { SwitchError } from './api.ts';

/** Frames that wait for take(); older ones go. */
const MAX_KEPT = 100_000;
const ETH_HEADER_BYTES = 14;

/** Settings of a bundle as the database's defaults have them. */
export function bundleSettings(wanted: VlanOptions): Partial<BundleSettings> {
  const { tag, trunks, cvlans } = wanted;
  const mode = wanted.vlanMode ?? (tag === undefined ? 'trunk' : 'access');
  const vlans = [...(tag === undefined ? [] : [tag]), ...(trunks ?? []), ...(cvlans ?? [])];
  const wrong = vlans.find((vlan) => !Number.isInteger(vlan) || vlan < 0 || vlan > 4095);
  if (wrong !== undefined) throw new SwitchError(`VLAN ${wrong} is not in 0 to 4095`);
  return {
    vlanMode: mode,
    tag: tag ?? null,
    trunks: trunks ?? null,
    cvlans: cvlans ?? null,
    protected: wanted.protected ?? false,
  };
}

interface MemoryPortDeps {
  readonly name: string;
  readonly bridge: Bridge;
  readonly datapath: InlineDatapath;
  readonly portNo: PortNo;
  readonly ofPort: OfPort;
  /** Called before a frame comes in. */
  readonly settle: () => void;
  readonly removed: () => void;
}

export class MemoryPort implements EmbeddedPort {
  readonly name: string;
  readonly number: number;
  private readonly deps: MemoryPortDeps;
  private frames: Uint8Array[] = [];
  private listener: ((frame: Uint8Array) => void) | null = null;
  private isRemoved = false;
  private isUp = true;

  constructor(deps: MemoryPortDeps) {
    this.deps = deps;
    this.name = deps.name;
    this.number = deps.ofPort;
    deps.datapath.onTransmit(deps.portNo, (frame) => this.transmitted(frame));
  }

  send(frame: Uint8Array): void {
    if (this.isRemoved) throw new SwitchError(`${this.name}: the port was removed`);
    if (frame.length < ETH_HEADER_BYTES) {
      throw new SwitchError(
        `${this.name}: a frame of ${frame.length} bytes has no Ethernet header`,
      );
    }
    if (!this.isUp) return;
    this.deps.settle();
    this.deps.datapath.injectFrame(this.deps.portNo, frame);
  }

  take(): Uint8Array[] {
    const { frames } = this;
    this.frames = [];
    return frames;
  }

  onFrame(listener: ((frame: Uint8Array) => void) | null): void {
    this.listener = listener;
  }

  configure(settings: VlanOptions): void {
    const { bridge, ofPort } = this.deps;
    bridge.setBundle(this.name, { ports: [ofPort], ...bundleSettings(settings) });
  }

  setUp(isUp: boolean): void {
    this.isUp = isUp;
    this.deps.bridge.setPortState(this.deps.ofPort, isUp);
  }

  counters(): PortCounters {
    const { rxPackets, rxBytes, txPackets, txBytes } = this.deps.datapath.portStats(
      this.deps.portNo,
    );
    return { rxPackets, rxBytes, txPackets, txBytes };
  }

  remove(): void {
    if (this.isRemoved) return;
    this.isRemoved = true;
    const { bridge, datapath, ofPort, portNo } = this.deps;
    bridge.removeBundle(this.name);
    bridge.removePort(ofPort);
    void datapath.removePort(portNo);
    this.deps.removed();
  }

  private transmitted(frame: Uint8Array): void {
    if (!this.isUp) return;
    if (this.listener !== null) this.listener(frame);
    else {
      if (this.frames.length >= MAX_KEPT) this.frames.shift();
      this.frames.push(frame);
    }
  }
}
