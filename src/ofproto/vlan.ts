/**
 * VLANs of a port: which frames it admits, in which VLAN they are, and how they leave. Pure functions.
 *
 * A tag is the word that VLAN0 and VLAN1 of the flow key hold: TPID << 16 | TCI with the CFI bit; 0 is no
 * tag. The switch works on an *inner form* (Vlans): the VLAN that the frame is in, then what is inside of
 * it. VLAN configuration of ovs-vswitchd.conf.db(5), Port table, `vlan_mode`; where the page and the
 * program differ (priority tags), the program's behaviour is kept, since networks depend on it.
 */
import { VLAN_CFI } from '../packet/key.ts';

export const VLAN_MODES = [
  'access',
  'trunk',
  'native-tagged',
  'native-untagged',
  'dot1q-tunnel',
] as const;
export type VlanMode = (typeof VLAN_MODES)[number];

/** other_config:priority-tags; `no` is what the database calls never. */
export type PriorityTags = 'no' | 'if-nonzero' | 'always';

const TPID_8021Q = 0x8100;
export const TPID_8021AD = 0x88a8;
/** PCP bits of a TCI. */
export const PCP_MASK = 0xe000;
export const VID_MASK = 0x0fff;

/** 4096 bits, one per VLAN. */
export class VlanSet {
  private readonly bits = new Uint32Array(128);

  static of(vlans: Iterable<number>): VlanSet {
    const set = new VlanSet();
    for (const v of vlans) set.bits[v >>> 5] |= 1 << (v & 31);
    return set;
  }
  has(vlan: number): boolean {
    return ((this.bits[vlan >>> 5] >>> (vlan & 31)) & 1) !== 0;
  }
  /** Members, ascending. */
  list(): number[] {
    const all: number[] = [];
    for (let v = 0; v < 4096; v++) if (this.has(v)) all.push(v);
    return all;
  }
}

export interface VlanSettings {
  readonly mode: VlanMode;
  /** VLAN of an access port, native VLAN, or service VLAN of a tunnel; 0 for a trunk. */
  readonly tag: number;
  /** Null trunks every VLAN. */
  readonly trunks: VlanSet | null;
  /** Customer VLANs of a dot1q-tunnel; null admits all. */
  readonly cvlans: VlanSet | null;
  readonly priorityTags: PriorityTags;
  /** TPID of the service tag of a dot1q-tunnel. */
  readonly qinqEthtype: number;
}

/**
 * Tags of a frame inside the switch: the VLAN that it is in, and what is within. Tag words without CFI bit
 * here: TPID << 16 | PCP | VID. Three, because a dot1q-tunnel pushes one on the two that a flow key has.
 */
export interface Vlans {
  outer: number;
  inner: number;
  deeper: number;
}

export const vidOf = (tag: number): number => tag & VID_MASK;
const tpidOf = (tag: number): number => tag >>> 16;
const pcpOf = (tag: number): number => tag & PCP_MASK;
const withoutCfi = (tag: number): number => (tag & ~VLAN_CFI) >>> 0;
const join = (tpid: number, pcp: number, vid: number): number => ((tpid << 16) | pcp | vid) >>> 0;

function trunks(s: VlanSettings, vid: number): boolean {
  if (s.mode !== 'trunk') {
    // A native port always trunks its native VLAN, and never VLAN 0 besides: that is the native one.
    if (vid === s.tag) return true;
    if (vid === 0) return false;
  }
  return s.trunks === null || s.trunks.has(vid);
}

/** Null when a frame with this outer tag word may enter; else why not, in the words of traces and logs. */
export function refusal(s: VlanSettings, portName: string, tag: number): string | null {
  const vid = vidOf(tag);
  switch (s.mode) {
    case 'access':
      if (vid === 0) return null;
      return `dropping VLAN ${vid} tagged packet received on port ${portName} configured as VLAN ${s.tag} access port`;
    case 'native-tagged':
    case 'native-untagged':
      if (vid === 0 || trunks(s, vid)) return null;
      return `dropping VLAN ${vid} packet received on port ${portName} not configured for trunking VLAN ${vid}`;
    case 'trunk':
      if (trunks(s, vid)) return null;
      return `dropping VLAN ${vid} packet received on port ${portName} not configured for trunking VLAN ${vid}`;
    case 'dot1q-tunnel':
      if (s.cvlans === null || s.cvlans.has(vid)) return null;
      return `dropping VLAN ${vid} packet received on dot1q-tunnel port ${portName} that excludes this VLAN`;
  }
}

/** The VLANs of an admitted frame with these tag words (VLAN0, VLAN1; 0 for a tag beyond the VLAN limit). */
export function inputVlans(s: VlanSettings, tag0: number, tag1: number): Vlans {
  const outer = withoutCfi(tag0);
  // The inner tag keeps its CFI bit: nobody looked at it, so it stays as it is even if all else in it is 0.
  const inner = tag1;
  const tpid = tpidOf(outer) || TPID_8021Q;
  switch (s.mode) {
    case 'access':
      return { outer: join(tpid, pcpOf(outer), s.tag), inner, deeper: 0 };
    case 'trunk':
      return { outer, inner, deeper: 0 };
    case 'native-tagged':
    case 'native-untagged':
      if (vidOf(outer) !== 0) return { outer, inner, deeper: 0 };
      return { outer: join(tpid, pcpOf(outer), s.tag), inner, deeper: 0 };
    case 'dot1q-tunnel':
      return { outer: join(s.qinqEthtype, 0, s.tag), inner: outer, deeper: inner };
  }
}

/** True when a port carries frames of these VLANs outwards. */
export function carries(s: VlanSettings, vlans: Vlans): boolean {
  const vid = vidOf(vlans.outer);
  switch (s.mode) {
    case 'access':
      return vid === s.tag && vidOf(vlans.inner) === 0;
    case 'trunk':
    case 'native-tagged':
    case 'native-untagged':
      return trunks(s, vid);
    case 'dot1q-tunnel':
      return vid === s.tag && (s.cvlans === null || s.cvlans.has(vidOf(vlans.inner)));
  }
}

/**
 * Tags that a frame in `vlans` leaves a port with: words as in VLAN0, outermost first. `pcp` is the priority
 * of the frame's outer tag as it came in (0 without one), which ports with priority tags put on theirs.
 */
export function outputTags(s: VlanSettings, vlans: Vlans, pcp: number): number[] {
  let { outer, inner, deeper } = vlans;
  if (s.mode === 'access') {
    outer = 0;
    // A priority tag says nothing there; a customer's tag must reach the other side.
    if (vidOf(inner) === 0) inner = 0;
  } else if (
    s.mode === 'dot1q-tunnel' ||
    (s.mode === 'native-untagged' && vidOf(outer) === s.tag)
  ) {
    outer = inner;
    inner = deeper;
    deeper = 0;
  }
  if (s.priorityTags !== 'no') outer = ((outer & ~PCP_MASK) | pcp) >>> 0;
  const tags: number[] = [];
  for (const tag of [outer, inner, deeper]) {
    // An all-zero TCI means no tag, unless such tags are kept.
    const kept = (tag & 0xffff) !== 0 || (s.priorityTags === 'always' && tpidOf(tag) !== 0);
    if (kept) tags.push((join(tpidOf(tag) || TPID_8021Q, pcpOf(tag), vidOf(tag)) | VLAN_CFI) >>> 0);
  }
  return tags;
}
