/**
 * What `import { createSwitch } from 'ts-vswitch'` gives: a switch within a program, with ports in memory and time that stands still. Plain
 * data and interfaces, without a word of the code behind them, so that this file alone is the library's promise.
 */
import type { Duplex } from 'node:stream';

/** A text that was not understood, or a change that the switch refused. */
export class SwitchError extends Error {
  override readonly name = 'SwitchError';
}

export interface LogEntry {
  /** Open vSwitch's name of the part that speaks: bridge, ofproto_dpif, rconn, ... */
  readonly module: string;
  readonly level: 'emer' | 'err' | 'warn' | 'info' | 'dbg';
  readonly text: string;
}

export interface SwitchOptions {
  /** `virtual`, the default: time passes in advance() only. `real`: with the machine's clock. */
  readonly clock?: 'virtual' | 'real';
  /** Of all that is random. The default is always the same. */
  readonly seed?: number;
  /** Hears what the daemon would log, but for `dbg`. */
  readonly log?: (entry: LogEntry) => void;
  /** VLAN tags that flows can see, 1 (the default) or 2: other_config:vlan-limit. */
  readonly vlanLimit?: 1 | 2;
}

export interface BridgeOptions {
  /** `standalone`, the default: forwards as a learning switch until flows say otherwise. `secure`: only as flows say. */
  readonly failMode?: 'standalone' | 'secure';
  /** 16 hexadecimal digits. */
  readonly datapathId?: string;
  readonly macAgingMs?: number;
}

/** Columns of the Port table of ovs-vswitchd.conf.db(5). Without any of them a port is a trunk of all VLANs. */
export interface VlanOptions {
  /** Default: `access` where there is a tag, else `trunk`. */
  readonly vlanMode?: 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel';
  readonly tag?: number;
  readonly trunks?: readonly number[];
  readonly cvlans?: readonly number[];
  /** No frames between protected ports. */
  readonly protected?: boolean;
}

export interface PortOptions extends VlanOptions {
  /** OpenFlow port number, if it is free; else the next free one. */
  readonly number?: number;
  /** Longest payload, default 1500 bytes. */
  readonly mtu?: number;
}

export interface PortCounters {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
}

/** A port in memory: what a cable's end is to a host. */
export interface EmbeddedPort {
  readonly name: string;
  /** OpenFlow port number. */
  readonly number: number;
  /** A frame comes in. What follows from it has happened on return. Frames are whole, from the destination address on, without FCS. */
  send(frame: Uint8Array): void;
  /** Frames that came out since the last call. Those that onFrame() gets are not among them. */
  take(): Uint8Array[];
  /** Hears of frames that come out; null to gather them for take() again. */
  onFrame(listener: ((frame: Uint8Array) => void) | null): void;
  /** Replaces the VLAN settings. */
  configure(settings: VlanOptions): void;
  /** Plugs the cable in or out. */
  setUp(isUp: boolean): void;
  counters(): PortCounters;
  remove(): void;
}

/** A frame that an action `controller` sent up. */
export interface PacketIn {
  readonly reason: string;
  readonly tableId: number;
  readonly cookie: bigint;
  /** OpenFlow port number. */
  readonly inPort: number;
  readonly frame: Uint8Array;
  /** Bytes that the action asked for. */
  readonly maxBytes: number;
}

/** One end of a connection in memory. */
export type OpenflowConnection = Duplex;

/** Flows, groups and meters are written as for ovs-ofctl(8). A text that is wrong, or refused, throws SwitchError. */
export interface EmbeddedBridge {
  readonly name: string;
  addPort(name: string, options?: PortOptions): EmbeddedPort;
  /** A patch port; the peer is a patch port of another bridge that names this one. Returns its OpenFlow port number. */
  addPatchPort(name: string, peer: string, options?: PortOptions): number;
  port(name: string): EmbeddedPort | null;
  addFlow(flow: string): void;
  /** One flow a line; empty lines and what follows `#` are passed over. All or none. */
  addFlows(lines: string): void;
  modifyFlows(flow: string): void;
  /** Without an argument, all. */
  deleteFlows(match?: string): void;
  addGroup(group: string): void;
  modifyGroup(group: string): void;
  deleteGroups(group?: string): void;
  addMeter(meter: string): void;
  deleteMeters(meter?: string): void;
  /** Lines as of `ovs-ofctl dump-flows --no-stats`, or with counters; sorted by table and priority. */
  dumpFlows(options?: { readonly match?: string; readonly stats?: boolean }): string[];
  /** Returns a function that ends it. */
  onPacketIn(listener: (packetIn: PacketIn) => void): () => void;
  /** Sends a frame through actions, as a controller would. */
  packetOut(frame: Uint8Array, actions: string, inPort?: number): void;
  /** What would become of a frame, step by step: `ovs-appctl ofproto/trace`. */
  trace(flow: string): string;
  /** A connection of OpenFlow 1.0 to 1.5, of which the caller is the controller. */
  connect(): OpenflowConnection;
  /** Connects to controllers (`tcp:127.0.0.1:6653`, `unix:/path`) or listens for them (`ptcp:6653:127.0.0.1`, `punix:/path`). Replaces those of before. */
  setControllers(targets: readonly string[]): void;
  remove(): void;
}

export interface EmbeddedSwitch {
  addBridge(name: string, options?: BridgeOptions): EmbeddedBridge;
  bridge(name: string): EmbeddedBridge | null;
  /** Lets time pass, and everything that is due happen: ageing, timeouts, queues. Rejects with a real clock. */
  advance(ms: number): Promise<void>;
  /** Milliseconds of the switch's clock. */
  now(): number;
  /** A command of ovs-appctl(8), such as `command('fdb/show', 'br0')`. Rejects with SwitchError. */
  command(name: string, ...args: string[]): Promise<string>;
  /** Ends timers and connections. */
  close(): Promise<void>;
}

/** A switch without bridges, in this process. (Made in create-switch.ts; declared here, so that this file is all that the types need.) */
export declare const createSwitch: (options?: SwitchOptions) => EmbeddedSwitch;
