/**
 * What OpenFlow messages mean, free of versions: the only thing that leaves `codec/`, and what tables, groups, meters and connections
 * exchange. Names follow the OpenFlow 1.3.5 specification; durations are in the units of their names.
 *
 * Instructions of OpenFlow 1.1+ are kinds of Action in the same list (flowtable/action.ts): apply_actions' content stands plain, in
 * front of clearActions, writeActions, writeMetadata, meter and gotoTable.
 */
import type { Action } from '../flowtable/action.ts';
import type { Match } from '../flowtable/match.ts';
import type { OfPort } from '../flowtable/of-port.ts';
import type { Field } from '../packet/fields.ts';

/** Protocol versions by their wire number. */
export const OfVersion = {
  OF10: 0x01,
  OF11: 0x02,
  OF12: 0x03,
  OF13: 0x04,
  OF14: 0x05,
  OF15: 0x06,
} as const;
export type OfVersion = (typeof OfVersion)[keyof typeof OfVersion];

/** An OpenFlow error by its symbolic name (codec/errors.ts knows type and code per version), such as OFPFMFC_OVERLAP. */
export interface OfError {
  readonly error: string;
}

export const OFPTT_ALL = 255;
/** No restriction of out_port and out_group in requests. */
export const OFPG_ANY = 0xffff_ffff;
export const OFPG_ALL = 0xffff_fffc;
export const OFPM_ALL = 0xffff_ffff;
export const OFPM_CONTROLLER = 0xffff_fffe;
export const OFPM_SLOWPATH = 0xffff_fffd;
export const NO_BUFFER = 0xffff_ffff;

export type FlowModCommand = 'add' | 'modify' | 'modifyStrict' | 'delete' | 'deleteStrict';

export interface FlowFlags {
  readonly sendFlowRemoved: boolean;
  readonly checkOverlap: boolean;
  readonly resetCounts: boolean;
  readonly noPacketCounts: boolean;
  readonly noByteCounts: boolean;
  readonly hiddenFields: boolean;
  readonly noReadonly: boolean;
}

export const NO_FLAGS: FlowFlags = {
  sendFlowRemoved: false,
  checkOverlap: false,
  resetCounts: false,
  noPacketCounts: false,
  noByteCounts: false,
  hiddenFields: false,
  noReadonly: false,
};

export interface FlowMod {
  readonly command: FlowModCommand;
  /** 0..254; 255 for all tables of a delete, or "the switch chooses" of OpenFlow 1.0 without the table-id extension. */
  readonly tableId: number;
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly Action[];
  /** For add: the new cookie. For modify: the new cookie, or null to leave it. For delete: unused. */
  readonly newCookie: bigint | null;
  /** Filter of modify and delete. */
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  readonly importance: number;
  readonly bufferId: number;
  /** Filter of deletes; null for any. */
  readonly outPort: OfPort | null;
  readonly outGroup: number | null;
  readonly flags: FlowFlags;
  /** The version that asked: some defaults differ (modify of a missing flow adds it in 1.0 only). */
  readonly version: OfVersion;
}

export type GroupType = 'all' | 'select' | 'indirect' | 'fastFailover';

export interface Bucket {
  readonly bucketId: number;
  readonly weight: number;
  /** Null for none (OFPP_ANY, OFPG_ANY). */
  readonly watchPort: OfPort | null;
  readonly watchGroup: number | null;
  readonly actions: readonly Action[];
}

/** A field that a select group hashes, and which of its bits. */
export interface HashedField {
  readonly field: Field;
  readonly mask: bigint;
}

/** Selection of select groups (NTR selection method). */
export interface SelectionMethod {
  readonly method: '' | 'hash' | 'dp_hash';
  readonly param: bigint;
  /** Fields that are hashed, with masks as in a match; null for the method's own choice. */
  readonly fields: Match | null;
  /** The same by name, in the order given: in `fields` those of one place in the key (ip_src, arp_spa) cannot be told apart. */
  readonly named: readonly HashedField[];
}

export interface GroupMod {
  readonly command: 'add' | 'modify' | 'addOrModify' | 'delete' | 'insertBucket' | 'removeBucket';
  readonly type: GroupType;
  readonly groupId: number;
  readonly buckets: readonly Bucket[];
  /** For insertBucket and removeBucket: a bucket id, or OFPG_BUCKET_FIRST, LAST, ALL. */
  readonly commandBucketId: number;
  readonly selection: SelectionMethod | null;
  readonly version: OfVersion;
}

export interface MeterBand {
  readonly type: 'drop' | 'dscpRemark';
  /** kbit/s or packets/s. */
  readonly rate: number;
  /** kbit or packets. */
  readonly burst: number;
  /** Only of dscpRemark. */
  readonly precLevel: number;
}

export interface MeterMod {
  readonly command: 'add' | 'modify' | 'delete';
  readonly meterId: number;
  readonly flags: {
    readonly kbps: boolean;
    readonly pktps: boolean;
    readonly burst: boolean;
    readonly stats: boolean;
  };
  readonly bands: readonly MeterBand[];
}

export interface PortMod {
  readonly port: OfPort;
  /** 48 bits. */
  readonly hwAddr: bigint;
  readonly config: number;
  readonly mask: number;
  readonly advertise: number;
}

export interface PacketOut {
  readonly bufferId: number;
  /** Metadata to start with: in_port at least. */
  readonly match: Match;
  readonly inPort: OfPort;
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
}

export type PacketInReason =
  | 'noMatch'
  | 'action'
  | 'invalidTtl'
  | 'actionSet'
  | 'group'
  | 'packetOut'
  | 'explicitMiss'
  | 'implicitMiss';

export interface PacketIn {
  readonly reason: PacketInReason;
  readonly tableId: number;
  readonly cookie: bigint;
  /** Metadata of the packet: in_port, tunnel, registers, metadata, pkt_mark, ct. */
  readonly match: Match;
  readonly frame: Uint8Array;
  /** Bytes that the controller asked for; 0xffff for all. */
  readonly maxBytes: number;
  readonly controllerId: number;
  readonly userdata: Uint8Array | null;
  /** Set for a continuation (controller(pause)); opaque to connections. */
  readonly continuation: Uint8Array | null;
}

export type FlowRemovedReason =
  | 'idleTimeout'
  | 'hardTimeout'
  | 'delete'
  | 'groupDelete'
  | 'meterDelete'
  | 'eviction';

export interface FlowRemoved {
  readonly match: Match;
  readonly priority: number;
  readonly cookie: bigint;
  readonly reason: FlowRemovedReason;
  readonly tableId: number;
  readonly durationMs: number;
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  /** null when the flow does not count. */
  readonly packets: bigint | null;
  readonly bytes: bigint | null;
}

/** Filter of flow and aggregate statistics requests. */
export interface FlowFilter {
  readonly tableId: number;
  readonly match: Match;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  readonly outPort: OfPort | null;
  readonly outGroup: number | null;
}

export interface FlowStatsEntry {
  readonly tableId: number;
  readonly priority: number;
  readonly match: Match;
  readonly cookie: bigint;
  readonly durationMs: number;
  /** Since the last packet and the last change; null where unknown. */
  readonly idleAgeMs: number | null;
  readonly hardAgeMs: number | null;
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  readonly importance: number;
  readonly flags: FlowFlags;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly actions: readonly Action[];
}

/** A port as features replies, port descriptions and port status tell it. Flags are OpenFlow 1.3's bits. */
export interface PortDescription {
  readonly port: OfPort;
  readonly name: string;
  readonly hwAddr: bigint;
  /** OFPPC_* */
  readonly config: number;
  /** OFPPS_*: link down 1, blocked 2, live 4. */
  readonly state: number;
  readonly current: number;
  readonly advertised: number;
  readonly supported: number;
  readonly peer: number;
  readonly currentSpeedKbps: number;
  readonly maxSpeedKbps: number;
}
