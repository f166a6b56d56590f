/**
 * The narrow door between decision (ofproto) and repetition (datapath).
 *
 * Three implementations stand behind it and pass one contract suite: InlineDatapath (same thread, used by
 * dummy bridges and as the oracle), WorkerDatapath (a worker thread behind two shared rings) and DatapathWorkers (one or
 * more of these, among which the ports' receive queues are divided).
 * Commands are carried out in the order in which they were given; nothing here waits for the other
 * thread except what returns a promise.
 */

import type { DatapathEvent, DropReason } from './drop-reason.ts';
import type { PolicingConfig } from './policer.ts';
import type { QosConfig, QueueStats } from './qos.ts';

declare const portNoBrand: unique symbol;
/** Datapath port number, 0..65535. Never an OpenFlow port number: mixing them does not compile. */
export type PortNo = number & { readonly [portNoBrand]: true };

/**
 * How a port moves frames; made by the main thread, which opens devices (opening may block for a grace
 * period of the kernel, and packets must not wait for that). Plain data: it crosses the thread boundary.
 * A file descriptor is owned by the main thread; the datapath only uses it between addPort and removePort.
 */
export type PortSpec = PortKind & {
  /** Further receive queues of the same device, each with a descriptor of its own. */
  readonly queues?: readonly Extract<PortKind, { fd: number }>[];
};

type PortKind =
  /**
   * AF_PACKET socket, bound and promiscuous, with a TPACKET_V2 receive ring set up and not yet mapped. Frames leave by `sendFd`,
   * a second socket that receives nothing.
   */
  | {
      kind: 'packet';
      fd: number;
      sendFd: number;
      slotBytes: number;
      slotCount: number;
      mtu: number;
    }
  /** AF_PACKET socket without ring: recvmmsg with auxdata. The fallback. */
  | { kind: 'packet-plain'; fd: number; sendFd: number; mtu: number }
  /** TAP file descriptor with IFF_VNET_HDR, non-blocking. `vnetHeaderBytes` is 10 or 12. */
  | { kind: 'tap'; fd: number; vnetHeaderBytes: number; mtu: number }
  /** A guest's virtio-net device. `fd`: epoll descriptor of its doorbell; `control`: address of the page of vhost-control.ts. */
  | { kind: 'vhost-user'; fd: number; control: number; mtu: number }
  /**
   * Tunnels of a kind, over sockets that the datapath opens itself (they need no grace period). `families`: 4 and 6, the second one
   * as far as the machine has it. `udpPort` is 0 for GRE. `sequence`: GRE with sequence numbers.
   */
  | {
      kind: 'tunnel';
      /** Which TunnelTransport (tunnel-transport.ts) moves the packets. */
      io: 'kernel' | 'portable';
      encapsulation: 'vxlan' | 'gre' | 'geneve';
      families: (4 | 6)[];
      udpPort: number;
      gbp: boolean;
      sequence: boolean;
      firstSourcePort: number;
      lastSourcePort: number;
      /** Frames too long for their path are answered as a router would (too-big.ts). */
      answersTooBig: boolean;
      mtu: number;
    }
  /** In memory: `injectFrame` puts frames in, `onTransmit` sees frames out. */
  | {
      kind: 'dummy';
      mtu: number;
      /** Of an in-memory datapath: what is sent there is counted as sent to no port. */
      takesNothing?: true;
    };

/** Sparse masked words: only words whose mask is not 0 stand in it. Parallel arrays, ascending word index. */
export interface SparseMatch {
  /** Indices into the flow key. */
  readonly words: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  readonly masks: ArrayLike<number>;
}

/** Slot number of a megaflow: chosen by the caller, 0 <= id < FLOW_SLOTS, reusable after removeFlow. */
export type FlowId = number;

export const UpcallReason = {
  /** No megaflow matched. */
  MISS: 0,
  /** A USERSPACE action asked for it; its reason and cookie are in the upcall. */
  ACTION: 1,
} as const;

/** One frame that needs a decision. Arrays are valid only during the handler call. */
export interface Upcall {
  readonly reason: number;
  /** CookieKind (program.ts) of the USERSPACE action; 0 for a miss. */
  readonly cookieKind: number;
  /** COOKIE_WORDS words: those of the USERSPACE action, then zeros. */
  readonly cookie: Uint32Array;
  /** DP_WORDS words, read from `frame` as it is; metadata as the program left them. */
  readonly key: Uint32Array;
  /**
   * The frame, VLAN tags in place: as received for a miss, as rewritten so far by the program for an ACTION. Whole up
   * to 64 KiB, unless a TRUNC stood before the USERSPACE action.
   */
  readonly frame: Uint8Array;
  /** Length of the frame in bytes. */
  readonly frameBytes: number;
  /** Offload metadata, to be given back to execute() as is. */
  readonly offload: FrameOffload;
}

/** What a virtio-net header says of a frame; all zero for a complete, single frame. */
export interface FrameOffload {
  /** Bit 0 NEEDS_CSUM, bit 1 DATA_VALID (VIRTIO_NET_HDR_F_*). */
  readonly flags: number;
  /** VIRTIO_NET_HDR_GSO_*: 0 none, 1 TCPv4, 4 TCPv6, 5 UDP_L4; 0x80 ECN. */
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly headerBytes: number;
  readonly csumStart: number;
  readonly csumOffset: number;
}

export const NO_OFFLOAD: FrameOffload = {
  flags: 0,
  gsoType: 0,
  gsoSize: 0,
  headerBytes: 0,
  csumStart: 0,
  csumOffset: 0,
};

/** Statistics of one megaflow, cumulative since putFlow. A plain snapshot. */
export interface FlowStats {
  packets: number;
  bytes: number;
  /** Time of the last packet in clock milliseconds; 0 when never used. */
  usedMs: number;
  /** OR of all TCP flags seen. */
  tcpFlags: number;
}

export const newFlowStats = (): FlowStats => ({ packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 });

/** Statistics of one datapath port, cumulative since addPort. */
export interface PortStats {
  rxPackets: number;
  rxBytes: number;
  rxDropped: number;
  rxErrors: number;
  txPackets: number;
  txBytes: number;
  txDropped: number;
  txErrors: number;
  rxMulticast: number;
}

/** Rates of a meter: of all exceeded bands the one with the highest rate is applied (OpenFlow 1.3.5, 5.7). */
export interface MeterConfig {
  /** What rates and bursts count: kbit (per second) or packets (per second). */
  readonly unit: 'kbps' | 'pktps';
  /** At most MAX_BANDS. */
  readonly bands: readonly MeterBandConfig[];
}

export interface MeterBandConfig {
  readonly type: 'drop' | 'dscpRemark';
  readonly rate: number;
  /** kbit or packets; 0 takes the rate (one second's worth). */
  readonly burst: number;
  /** dscpRemark: steps of drop precedence to add. */
  readonly precLevel: number;
}

/** Cumulative since setMeter; a plain snapshot. */
export interface MeterStats {
  packets: number;
  bytes: number;
  /** What each band was applied to. MAX_BANDS entries. */
  bandPackets: number[];
  bandBytes: number[];
}

export const newMeterStats = (): MeterStats => ({
  packets: 0,
  bytes: 0,
  bandPackets: new Array<number>(MAX_BANDS).fill(0),
  bandBytes: new Array<number>(MAX_BANDS).fill(0),
});

/** Lookup totals, as `dpctl/show` prints them. */
export interface LookupStats {
  hit: number;
  missed: number;
  lost: number;
  /** Subtables probed in all lookups, and subtables that exist. */
  maskHit: number;
  masks: number;
  flows: number;
}

export type PutFlow = (id: FlowId, match: SparseMatch, program: Int32Array) => void;

/** A thread that forwards, as `dpif-netdev/pmd-stats-show` and `pmd-rxq-show` print it. Cumulative since it started. */
export interface DatapathThread {
  readonly index: number;
  /** Processor that it is bound to, null for none. */
  readonly processor: number | null;
  readonly lookups: LookupStats;
  /** Frames taken from ports. */
  readonly received: number;
  /** Its age, and how much of it was spent on something else than waiting, milliseconds. */
  readonly ageMs: number;
  readonly busyMs: number;
  /** Receive queues that it serves, in the order of port numbers. */
  readonly queues: readonly ThreadQueue[];
}

export interface ThreadQueue {
  readonly port: PortNo;
  readonly name: string;
  readonly queue: number;
  /** Frames taken; of several queues of a port that one thread serves, each has an equal part. */
  readonly received: number;
}

export interface Datapath {
  /** What is given is carried out before the call returns. */
  readonly isImmediate: boolean;
  /** Starts receiving and sending on a port. Rejects with a DatapathError that says what failed. */
  addPort(port: PortNo, name: string, spec: PortSpec): Promise<void>;
  /** Resolves when the datapath no longer touches the port's descriptor or memory. */
  removePort(port: PortNo): Promise<void>;
  /** Frames longer than mtu + Ethernet header + VLAN tags, and not segmentable, are dropped and counted. */
  setPortMtu(port: PortNo, mtu: number): void;
  /** Drops what the port receives beyond the rates, until the port is removed; buckets start full. */
  setPolicing(port: PortNo, config: PolicingConfig): void;
  /** Whether TCP segments that the port receives are joined (gro.ts), until it is removed; not at first. */
  setGro(port: PortNo, on: boolean): void;
  /**
   * Makes frames wait for their turn on their way out, until the port is removed; null sends at once again. Not for tunnels. Queues
   * that stay keep their frames and statistics.
   */
  setQos(port: PortNo, config: QosConfig | null): void;
  /** Of a queue in setQos; null when there is none. */
  queueStats(port: PortNo, queue: number): QueueStats | null;

  /**
   * Installs or replaces (same id) a megaflow. With the same id and match only the program changes, and
   * statistics go on; otherwise they start at zero. Masks of two installed megaflows never overlap with
   * different programs: the caller guarantees it.
   */
  putFlow(id: FlowId, match: SparseMatch, program: Int32Array): void;
  removeFlow(id: FlowId): void;
  /** `source` gives all installed megaflows to a function like putFlow: for threads that start later. */
  flowsFrom(source: (put: PutFlow) => void): void;
  /** Runs a program on a frame once, without lookup (the miss's own frame, packet-out). Copies the frame before it returns. */
  execute(frame: Uint8Array, offload: FrameOffload, key: Uint32Array, program: Int32Array): void;

  /**
   * Installs or replaces a meter, 0 <= id < METER_SLOTS, with full buckets and zero statistics; null removes it.
   * A METER action of a meter that does not exist lets frames pass.
   */
  setMeter(id: number, config: MeterConfig | null): void;
  /** Statistics since setMeter. Its arrays have MAX_BANDS entries, zero where unused. */
  meterStats(id: number, into: MeterStats): MeterStats;

  flowStats(id: FlowId, into: FlowStats): FlowStats;
  portStats(port: PortNo): PortStats;
  lookupStats(): LookupStats;
  /** Cumulative count of a drop reason or event. */
  counter(name: DropReason | DatapathEvent): number;

  /** The one receiver of upcalls. Called on the caller's thread, a batch at a time: once per frame, then `flush`. */
  onUpcall(handler: (upcall: Upcall) => void, flush: () => void): void;

  /** The threads that forward; none where the caller's own does. */
  threads(): readonly DatapathThread[];

  /** Resolves when all commands given before are carried out. */
  barrier(): Promise<void>;
  close(): Promise<void>;
}

/** Meters that a datapath can hold, and bands of one. */
export const METER_SLOTS = 1 << 16;
export const MAX_BANDS = 8;
/** Threads that one may forward with. Each takes some 40 MB. */
export const MAX_WORKERS = 8;
/** The number of megaflows that a datapath can hold; flow-limit is capped to it. */
export const FLOW_SLOTS = 1 << 18;
/** Largest frame: a GSO super-frame and its headers. */
export const MAX_FRAME_BYTES = 65_535 + 18;
