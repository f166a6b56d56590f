/**
 * What a rule does, as data: one union, `kind` tells the form. Translation has one function per kind, the
 * codec one row per kind and wire form.
 *
 * As in Open vSwitch, the instructions of OpenFlow 1.1+ are kinds of the same list, so that there is one thing
 * to translate: the content of apply_actions stands plain, in front of clearActions, writeActions,
 * writeMetadata, meter (which comes first) and gotoTable. Kinds that say the same with other words (`load`
 * and `setField`, `setIpv4Src` and a set field) are kept apart only because dumps show the form that was given.
 * Names follow ovs-actions(7).
 */
import type { Field } from '../packet/fields.ts';
import type { OfPort } from './of-port.ts';

/** `bits` bits of a field, from bit `offset` on (0 is the least significant). */
export interface Subfield {
  readonly field: Field;
  readonly offset: number;
  readonly bits: number;
}

/** Which fields a multipath, bundle or select hash covers; ovs-actions(7), "multipath". */
export type HashFields =
  | 'eth_src'
  | 'symmetric_l4'
  | 'symmetric_l3l4'
  | 'symmetric_l3l4+udp'
  | 'nw_src'
  | 'nw_dst'
  | 'symmetric_l3';

export type MultipathAlgorithm = 'modulo_n' | 'hash_threshold' | 'hrw' | 'iter_hash';

export type ControllerReason =
  | 'no_match'
  | 'action'
  | 'invalid_ttl'
  | 'action_set'
  | 'group'
  | 'packet_out';

/** Where a learn spec takes its bits from: the packet, or a constant (as many bits as the spec has). */
export type LearnSource =
  | { readonly kind: 'field'; readonly src: Subfield }
  | { readonly kind: 'value'; readonly value: bigint };

/** Part of what learn makes: a match on a field, a load into one, or an output to the port read from a field. */
export type LearnSpec =
  | {
      readonly kind: 'match';
      readonly bits: number;
      readonly src: LearnSource;
      readonly dst: Subfield;
    }
  | {
      readonly kind: 'load';
      readonly bits: number;
      readonly src: LearnSource;
      readonly dst: Subfield;
    }
  | { readonly kind: 'output'; readonly bits: number; readonly src: LearnSource };

export interface LearnAction {
  readonly kind: 'learn';
  readonly idleTimeoutSeconds: number;
  readonly hardTimeoutSeconds: number;
  readonly finIdleTimeoutSeconds: number;
  readonly finHardTimeoutSeconds: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly table: number;
  readonly sendFlowRemoved: boolean;
  readonly deleteLearned: boolean;
  /** Flows that this action may have made at one time; 0 for no limit. */
  readonly limit: number;
  /** One bit that tells whether the limit let the flow be made; null when nobody asks. */
  readonly resultDst: Subfield | null;
  readonly specs: readonly LearnSpec[];
}

/** nat(...) inside ct(...): what is committed. Without src and dst, addresses of the connection are only applied. */
export interface NatAction {
  readonly kind: 'nat';
  readonly direction: 'src' | 'dst' | null;
  readonly persistent: boolean;
  readonly hash: boolean;
  readonly random: boolean;
  /** IPv4 addresses are 32 bits, IPv6 ones 128. Null for none; without a range, max is null. */
  readonly family: 'ipv4' | 'ipv6' | null;
  readonly minAddress: bigint | null;
  readonly maxAddress: bigint | null;
  readonly minPort: number | null;
  readonly maxPort: number | null;
}

export interface CtAction {
  readonly kind: 'ct';
  readonly commit: boolean;
  readonly force: boolean;
  /** A number, or where the number is read from. */
  readonly zone: number | Subfield;
  /** Null for no recirculation. */
  readonly table: number | null;
  /** 0, or the port of the helper: 21 ftp, 69 tftp. */
  readonly alg: number;
  /** nat, and loads, moves and set fields of ct_mark and ct_label. */
  readonly actions: readonly Action[];
}

export interface ControllerAction {
  readonly kind: 'controller';
  readonly maxBytes: number;
  readonly controllerId: number;
  readonly reason: ControllerReason;
  readonly userdata: Uint8Array | null;
  /** Null for none. */
  readonly meterId: number | null;
  readonly pause: boolean;
}

export interface MultipathAction {
  readonly kind: 'multipath';
  readonly fields: HashFields;
  readonly basis: number;
  readonly algorithm: MultipathAlgorithm;
  /** Number of links, 1..65536. */
  readonly links: number;
  readonly arg: number;
  readonly dst: Subfield;
}

export interface BundleAction {
  readonly kind: 'bundle';
  readonly fields: HashFields;
  readonly basis: number;
  readonly algorithm: 'active_backup' | 'hrw';
  readonly members: readonly OfPort[];
  /** For bundle_load; null for bundle. */
  readonly dst: Subfield | null;
}

export interface SampleAction {
  readonly kind: 'sample';
  /** Of 65535. */
  readonly probability: number;
  readonly collectorSet: number;
  readonly obsDomain: number;
  readonly obsPoint: number;
  /** Null for none. */
  readonly samplingPort: OfPort | null;
  readonly direction: 'default' | 'ingress' | 'egress';
}

/** A property of encap(): class, type and its bytes. */
export interface EncapProperty {
  readonly class: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export type Action =
  // Output
  /** Learning switch: VLANs, MAC table, flooding. */
  | { readonly kind: 'normal' }
  /** To one port, reserved numbers included. `maxBytes` counts for CONTROLLER only: bytes of the frame to send. */
  | { readonly kind: 'output'; readonly port: OfPort; readonly maxBytes: number }
  /** output(port=,max_len=): the frame cut to `maxBytes`. */
  | { readonly kind: 'outputTrunc'; readonly port: OfPort; readonly maxBytes: number }
  | { readonly kind: 'outputReg'; readonly src: Subfield; readonly maxBytes: number }
  | { readonly kind: 'enqueue'; readonly port: OfPort; readonly queue: number }
  | ControllerAction
  | BundleAction
  | { readonly kind: 'group'; readonly groupId: number }
  // VLAN
  /** `pushIfNeeded`: a frame without a tag gets one (OpenFlow 1.0); else it stays as it is. */
  | { readonly kind: 'setVlanVid'; readonly vid: number; readonly pushIfNeeded: boolean }
  | { readonly kind: 'setVlanPcp'; readonly pcp: number; readonly pushIfNeeded: boolean }
  /** `pop`: said as pop_vlan, as OpenFlow 1.1+ does; it only changes how the action is shown. */
  | { readonly kind: 'stripVlan'; readonly pop?: boolean }
  | { readonly kind: 'pushVlan'; readonly ethType: number }
  // Fields by their own actions
  | { readonly kind: 'setEthSrc'; readonly mac: bigint }
  | { readonly kind: 'setEthDst'; readonly mac: bigint }
  | { readonly kind: 'setIpv4Src'; readonly address: number }
  | { readonly kind: 'setIpv4Dst'; readonly address: number }
  /** The whole TOS byte; only its DSCP bits are set. */
  | { readonly kind: 'setIpTos'; readonly tos: number }
  | { readonly kind: 'setIpEcn'; readonly ecn: number }
  | { readonly kind: 'setIpTtl'; readonly ttl: number }
  | { readonly kind: 'setTpSrc'; readonly port: number }
  | { readonly kind: 'setTpDst'; readonly port: number }
  // Fields in general
  /** Value and mask as wide as the field. */
  | {
      readonly kind: 'setField';
      readonly field: Field;
      readonly value: bigint;
      readonly mask: bigint;
    }
  | { readonly kind: 'load'; readonly dst: Subfield; readonly value: bigint }
  | { readonly kind: 'move'; readonly src: Subfield; readonly dst: Subfield }
  | { readonly kind: 'push'; readonly src: Subfield }
  | { readonly kind: 'pop'; readonly dst: Subfield }
  | { readonly kind: 'deleteField'; readonly field: Field }
  | MultipathAction
  | { readonly kind: 'checkPktLarger'; readonly bytes: number; readonly dst: Subfield }
  // Headers
  /** `controllerIds`: who hears of an invalid TTL. */
  | { readonly kind: 'decTtl'; readonly controllerIds: readonly number[] }
  | { readonly kind: 'copyTtlOut' }
  | { readonly kind: 'copyTtlIn' }
  | { readonly kind: 'setMplsLabel'; readonly label: number }
  | { readonly kind: 'setMplsTc'; readonly tc: number }
  | { readonly kind: 'setMplsTtl'; readonly ttl: number }
  | { readonly kind: 'decMplsTtl' }
  | { readonly kind: 'pushMpls'; readonly ethType: number }
  | { readonly kind: 'popMpls'; readonly ethType: number }
  | { readonly kind: 'pushPbb'; readonly ethType: number }
  | { readonly kind: 'popPbb' }
  | { readonly kind: 'decNshTtl' }
  | {
      readonly kind: 'encap';
      readonly packetType: number;
      readonly properties: readonly EncapProperty[];
    }
  | { readonly kind: 'decap'; readonly newPacketType: number | null }
  // Metadata
  | { readonly kind: 'setTunnel'; readonly id: bigint; readonly is64: boolean }
  | { readonly kind: 'setQueue'; readonly queue: number }
  | { readonly kind: 'popQueue' }
  | { readonly kind: 'finTimeout'; readonly idleSeconds: number; readonly hardSeconds: number }
  // Flow of control
  /**
   * Looks the flow up again in a table of the same bridge, as if it came in on `port` (null: stays as it is).
   * Table null is the one at hand. `withCt`: by the addresses before connection tracking.
   */
  | {
      readonly kind: 'resubmit';
      readonly port: OfPort | null;
      readonly table: number | null;
      readonly withCt: boolean;
    }
  | LearnAction
  /** `clause` counts from 0. */
  | {
      readonly kind: 'conjunction';
      readonly id: number;
      readonly clause: number;
      readonly clauses: number;
    }
  | { readonly kind: 'clone'; readonly actions: readonly Action[] }
  | CtAction
  | { readonly kind: 'ctClear' }
  | NatAction
  | SampleAction
  | { readonly kind: 'note'; readonly data: Uint8Array }
  | { readonly kind: 'exit' }
  /** Comes back by a recirculation, for tests. */
  | { readonly kind: 'debugRecirc' }
  /** Marks the flow as one that a datapath cannot do alone, for tests. */
  | { readonly kind: 'debugSlow' }
  /** Ends translation: nothing after it happens. */
  | { readonly kind: 'drop' }
  // Instructions
  | { readonly kind: 'meter'; readonly meterId: number }
  | { readonly kind: 'clearActions' }
  | { readonly kind: 'writeActions'; readonly actions: readonly Action[] }
  | { readonly kind: 'writeMetadata'; readonly value: bigint; readonly mask: bigint }
  | { readonly kind: 'gotoTable'; readonly table: number };

export type ActionKind = Action['kind'];

export type ActionOf<K extends ActionKind> = Extract<Action, { kind: K }>;

export const NORMAL: Action = { kind: 'normal' };
