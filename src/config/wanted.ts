/**
 * What the database asks for, as plain data with every default filled in: the input of `plan`.
 *
 * desired.ts makes it. Names follow ovs-vswitchd.conf.db(5), where each setting is described. Rows that cannot
 * work as they stand are still here, with `error` saying why: plan opens nothing for them, and report writes
 * the text into the `error` column.
 */

import type { BundleSettings } from '../ofproto/bundle.ts';
import type { MirrorSettings } from '../ofproto/mirrors.ts';
import type { FlowTableSettings } from '../ofproto/tables/flow-table.ts';
import type { Row } from '../ovsdb/schema.ts';
import type { WantedQos } from './qos.ts';

/** A map of strings as the database holds it. */
export type StringMap = Readonly<Record<string, string>>;

export interface WantedInterface {
  /** UUID of the Interface row; null for a local port that no row asks for. */
  readonly uuid: string | null;
  readonly name: string;
  /** Normalised: '' is system, the port named like its bridge is internal, dummies under --enable-dummy. */
  readonly type: string;
  /** The bridge's local port (OFPP_LOCAL). */
  readonly isLocal: boolean;
  readonly options: StringMap;
  /** Bytes. */
  readonly mtuRequest: number | null;
  /** 48 bits; only for internal ports, the local port's comes from `WantedBridge.hwaddr`. */
  readonly mac: bigint | null;
  readonly ofportRequest: number | null;
  /** The number that the row had last: used again after a restart when nothing else is requested. */
  readonly previousOfport: number | null;
  readonly otherConfig: StringMap;
  readonly policing: {
    /** kbit/s, 0 for no limit. */
    readonly rateKbps: number;
    /** kbit. */
    readonly burstKb: number;
    /** Thousands of packets per second. */
    readonly rateKpps: number;
    readonly burstKpkts: number;
  };
  /** Why this interface cannot be, null when it can be tried. */
  readonly error: string | null;
}

interface WantedBond {
  readonly mode: string;
  readonly lacp: string;
  readonly updelayMs: number;
  readonly downdelayMs: number;
  readonly fakeIface: boolean;
}

export interface WantedPort {
  /** UUID of the Port row; null for a local port that no row asks for. */
  readonly uuid: string | null;
  readonly name: string;
  readonly settings: BundleSettings;
  readonly bond: WantedBond;
  readonly fakeBridge: boolean;
  /** Port.mac: the address that this port lends to its bridge. */
  readonly mac: bigint | null;
  readonly otherConfig: StringMap;
  readonly qos: WantedQos | null;
  /** In the order of their names, never empty. */
  readonly interfaces: readonly WantedInterface[];
}

export interface WantedBridge {
  readonly uuid: string;
  readonly name: string;
  /** Normalised: '' is system. */
  readonly datapathType: string;
  readonly failMode: 'standalone' | 'secure';
  /** other_config:datapath-id, null to derive it from the bridge's address. */
  readonly datapathId: bigint | null;
  /** other_config:hwaddr, 48 bits. */
  readonly hwaddr: bigint | null;
  readonly macAgingSeconds: number;
  readonly macTableSize: number;
  readonly forwardBpdu: boolean;
  /** VLANs without learning. */
  readonly floodVlans: readonly number[];
  /** A Flow_Sample_Collector_Set of the bridge has an IPFIX row. */
  readonly samplesFlows: boolean;
  readonly stpEnable: boolean;
  readonly rstpEnable: boolean;
  readonly mcastSnoopingEnable: boolean;
  readonly disableInBand: boolean;
  /** OpenFlow10..OpenFlow15; empty for the default, all of them. */
  readonly protocols: readonly string[];
  readonly controllers: readonly Row<'Controller'>[];
  /** By table number; others are as they are by default. */
  readonly flowTables: ReadonlyMap<number, FlowTableSettings>;
  readonly mirrors: readonly MirrorSettings[];
  readonly otherConfig: StringMap;
  /** In the order of their names, the local port among them. */
  readonly ports: readonly WantedPort[];
}

/** Open_vSwitch.other_config, numbers checked. */
export interface WantedSettings {
  readonly flowLimit: number;
  readonly maxIdleMs: number;
  readonly maxRevalidatorMs: number;
  readonly minRevalidatePps: number;
  /** 0 leaves the number to the datapath. */
  readonly handlerThreads: number;
  readonly revalidatorThreads: number;
  /** VLAN tags that are matched, 1 or 2. */
  readonly vlanLimit: number;
  readonly statsUpdateIntervalMs: number;
  readonly bundleIdleTimeoutSeconds: number;
  readonly enableStatistics: boolean;
  readonly flowRestoreWait: boolean;
  readonly userspaceTso: boolean;
  /** Frames too long for a tunnel's path are answered with ICMP. */
  readonly tunnelTooBigReplies: boolean;
  /** What moves tunnels' packets (datapath/tunnel-transport.ts). */
  readonly tunnelTransport: 'kernel' | 'portable';
  /** Datapath workers; null when what is asked for makes no sense, and those that run stay. */
  readonly workers: WantedWorkers | null;
}

export interface WantedWorkers {
  readonly count: number;
  /** One for each worker to be bound to, or none. */
  readonly processors: readonly number[];
}

/** Something to log: the default is used in its place. */
export interface ConfigProblem {
  /** Log level of the message. */
  readonly level: 'err' | 'warn' | 'info';
  /** UUID of the interface that fails because of it, null when none does. */
  readonly interfaceUuid: string | null;
  readonly message: string;
}

/** Paths of PEM files, from the SSL table. */
export interface WantedTls {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCertificate: string;
  /** The CA's certificate is what the first peer shows. */
  readonly bootstrap: boolean;
}

export interface WantedState {
  /** False while the database has no Open_vSwitch row: nothing is wanted and nothing can be reported. */
  readonly initialized: boolean;
  /** Reported as cur_cfg once all of this works. */
  readonly nextCfg: number;
  readonly settings: WantedSettings;
  /** Null without an SSL row. */
  readonly tls: WantedTls | null;
  /** In the order of their names. */
  readonly bridges: readonly WantedBridge[];
  /** In the order found; equal messages of two runs are equal texts, so that the logger can say each once. */
  readonly errors: readonly ConfigProblem[];
}
