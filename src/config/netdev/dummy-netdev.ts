/**
 * Devices in memory (`--enable-dummy`): types dummy, dummy-internal and dummy-pmd. Frames come from
 * `netdev-dummy/receive` and go to capture files (`options:pcap`, `rxq_pcap`, `tx_pcap`); `options:stream` and `pstream` join devices.
 *
 * A receive counts and records the frame and hands it to the datapath; nothing else happens by itself, so that a test
 * decides about every packet.
 */
import type { PortNo, PortStats } from '../../datapath/datapath.ts';
import type { Address } from '../../tunnels/tunnel-config.ts';
import type { Clock } from '../../util/clock.ts';
import { PcapWriter } from '../../util/pcap.ts';
import type { RunningDevice } from '../report-ops.ts';
import type { WantedInterface } from '../wanted.ts';
import { DummyQueues } from './dummy-queues.ts';
import { DummyStreams, type StreamDeps } from './dummy-stream.ts';
import { type Netdev, NetdevError } from './netdev.ts';

/** The side of an in-memory datapath that a dummy device uses. */
export interface FrameGate {
  /** Puts a frame into a port, as if received. */
  injectFrame(port: PortNo, frame: Uint8Array): boolean;
  /** Sees every frame that leaves a port. */
  onTransmit(port: PortNo, receiver: (frame: Uint8Array) => void): void;
}

const DEFAULT_MTU = 1500;
/** aa:55:aa:55:00:NN: the address that Open vSwitch gives its dummies, in order of creation. */
const FIRST_MAC = 0xaa55aa550000n;

export class DummyNetdev implements Netdev {
  readonly name: string;
  readonly typeText: string;
  readonly ifindex = 0;
  adminUp = true;
  /** What netdev-dummy/ip4addr and ip6addr gave it; prefixes count of 128 bits. */
  readonly addresses: { address: Address; prefixBits: number }[] = [];
  private mac: bigint;
  private mtu: number;
  private port: PortNo | null = null;
  private readonly changed: () => void;
  private readonly gate: FrameGate;
  private readonly rxPcap: PcapWriter | null;
  private readonly txPcap: PcapWriter | null;
  private readonly streams: DummyStreams;
  private readonly queues: DummyQueues;

  constructor(
    want: WantedInterface,
    typeText: string,
    mac: bigint,
    gate: FrameGate,
    deps: StreamDeps,
    changed: () => void,
  ) {
    this.changed = changed;
    this.name = want.name;
    this.typeText = typeText;
    this.mac = mac;
    this.mtu = want.mtuRequest ?? DEFAULT_MTU;
    this.gate = gate;
    this.queues = new DummyQueues(want);
    const { pcap, rxq_pcap, tx_pcap } = want.options;
    const { clock } = deps;
    this.streams = new DummyStreams(want.name, want.options, deps, (frame) => this.receive(frame));
    const both = pcap === undefined ? null : openPcap(want.name, pcap, clock);
    this.rxPcap = both ?? (rxq_pcap === undefined ? null : openPcap(want.name, rxq_pcap, clock));
    this.txPcap = both ?? (tx_pcap === undefined ? null : openPcap(want.name, tx_pcap, clock));
  }

  get spec() {
    return { kind: 'dummy' as const, mtu: this.mtu };
  }

  current(): boolean {
    return true;
  }

  attached(port: PortNo): void {
    this.port = port;
    this.gate.onTransmit(port, (frame) => {
      this.queues.count(frame);
      this.txPcap?.write(frame);
      this.streams.send(frame);
    });
  }

  /** Joins the device with others; resolves when those can come. */
  openStreams(): Promise<void> {
    return this.streams.open();
  }

  /** As netdev-dummy/conn-state has it. */
  get connection(): string {
    return this.streams.state;
  }

  /** A frame from the outside (`netdev-dummy/receive`, a stream). A device that is down takes none. */
  receive(frame: Uint8Array): void {
    if (!this.adminUp || this.port === null) return;
    this.rxPcap?.write(frame);
    this.gate.injectFrame(this.port, frame);
  }

  setAdminUp(up: boolean): void {
    if (up === this.adminUp) return;
    this.adminUp = up;
    this.changed();
  }

  status(): RunningDevice {
    return {
      mac: this.mac,
      adminUp: this.adminUp,
      linkUp: this.adminUp,
      linkResets: 0,
      speedBps: null,
      fullDuplex: null,
      mtu: this.mtu,
      ifindex: 0,
      status: {},
    };
  }

  customCounters(stats: PortStats): Readonly<Record<string, number>> {
    return this.queues.counters(stats);
  }

  setMtu(mtu: number): void {
    this.mtu = mtu;
  }

  setMac(mac: bigint): void {
    this.mac = mac;
  }

  async close(): Promise<void> {
    this.port = null;
    this.streams.close();
    this.rxPcap?.close();
    if (this.txPcap !== this.rxPcap) this.txPcap?.close();
  }
}

function openPcap(name: string, path: string, clock: Clock): PcapWriter {
  try {
    return new PcapWriter(path, clock);
  } catch (error) {
    throw new NetdevError(`${name}: cannot write ${path} (${(error as Error).message})`);
  }
}

/** All dummy devices that exist, for the netdev-dummy commands, and the source of their addresses. */
export class DummyNetdevs {
  private readonly devices = new Map<string, DummyNetdev>();
  /** Of closed devices that had some, by name: a device that is opened anew with other options has them again. */
  private readonly addresses = new Map<string, DummyNetdev['addresses']>();
  private made = 0n;
  private readonly deps: StreamDeps;
  /** Called when a device changed its state. */
  changed: () => void = () => {};

  constructor(deps: StreamDeps) {
    this.deps = deps;
  }

  get(name: string): DummyNetdev | undefined {
    return this.devices.get(name);
  }

  all(): IterableIterator<DummyNetdev> {
    return this.devices.values();
  }

  async open(want: WantedInterface, typeText: string, gate: FrameGate): Promise<Netdev> {
    const mac = want.mac ?? FIRST_MAC + this.made++;
    const device = new DummyNetdev(want, typeText, mac, gate, this.deps, () => this.changed());
    device.addresses.push(...(this.addresses.get(want.name) ?? []));
    this.addresses.delete(want.name);
    this.devices.set(want.name, device);
    await device.openStreams();
    const close = device.close.bind(device);
    device.close = async () => {
      if (this.devices.get(want.name) === device) this.devices.delete(want.name);
      if (device.addresses.length > 0) this.addresses.set(want.name, [...device.addresses]);
      await close();
    };
    return device;
  }
}
