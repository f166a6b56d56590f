/**
 * Pushing and popping headers: VLAN tags, MPLS label stack entries, PBB I-TAGs; and copies of a TTL between them.
 *
 * A frame grows into the room in front of it. VLAN changes leave the key as it is (setWord finds tags in the bytes);
 * after the others the caller extracts the key again, since what the frame is has changed.
 */
import type { Region } from '../sys/region.ts';
import { update16 } from './checksum.ts';
import type { Frames } from './frames.ts';
import { GSO_NONE, NEEDS_CSUM } from './frames.ts';
import { DP_WORDS, ETH_TYPE_PROTO, VLAN_CFI } from './key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MULTICAST,
  ETH_TYPE_NONE,
  ETH_TYPE_PBB,
  ETH_TYPE_QINQ,
  ETH_TYPE_VLAN,
  MPLS_ENTRY_BYTES,
  PBB_HEADER_BYTES,
  VLAN_TAG_BYTES,
} from './protocol.ts';

/** Moves what counts from `start` when the start moves by `by` bytes to the front. */
function moveStart(frames: Frames, p: number, by: number): void {
  frames.start[p] -= by;
  frames.room[p] -= by;
  frames.length[p] += by;
  if (frames.l3[p] !== 0) frames.l3[p] += by;
  if (frames.l4[p] !== 0) frames.l4[p] += by;
  if ((frames.offloadFlags[p] & NEEDS_CSUM) !== 0) frames.csumStart[p] += by;
  if (frames.gsoType[p] !== GSO_NONE) frames.headerBytes[p] += by;
}

/** Pushes a tag (`word` = TPID << 16 | TCI; its CFI bit stands for "present" and is not sent). False without room. */
export function pushVlan(region: Region, frames: Frames, p: number, word: number): boolean {
  if (frames.room[p] < VLAN_TAG_BYTES) return false;
  const view = region.view;
  const from = frames.start[p];
  const to = from - VLAN_TAG_BYTES;
  view.setUint32(to, view.getUint32(from));
  view.setUint32(to + 4, view.getUint32(from + 4));
  view.setUint32(to + 8, view.getUint32(from + 8));
  view.setUint32(to + 12, word & ~VLAN_CFI);
  moveStart(frames, p, VLAN_TAG_BYTES);
  return true;
}

/** Pops the outer tag, if there is one. */
export function popVlan(region: Region, frames: Frames, p: number): void {
  if (frames.length[p] < 18) return;
  const view = region.view;
  const from = frames.start[p];
  const tpid = view.getUint16(from + 12);
  if (tpid !== ETH_TYPE_VLAN && tpid !== ETH_TYPE_QINQ) return;
  const to = from + VLAN_TAG_BYTES;
  view.setUint32(to + 8, view.getUint32(from + 8));
  view.setUint32(to + 4, view.getUint32(from + 4));
  view.setUint32(to, view.getUint32(from));
  moveStart(frames, p, -VLAN_TAG_BYTES);
}

const typeOf = (frames: Frames, p: number): number =>
  frames.keys[p * DP_WORDS + ETH_TYPE_PROTO] >>> 16;

const isMpls = (type: number): boolean =>
  type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MULTICAST;

/**
 * Pushes a label stack entry in front of the network header, behind any VLAN tags (OpenFlow 1.3.5 section 5.12.3), and
 * sets the type in front of it. False without room; nothing happens to a frame without EtherType.
 */
export function pushMpls(
  region: Region,
  frames: Frames,
  p: number,
  ethType: number,
  entry: number,
): boolean {
  const l3 = frames.l3[p];
  if (l3 === 0 || typeOf(frames, p) === ETH_TYPE_NONE) return true;
  if (frames.room[p] < MPLS_ENTRY_BYTES) return false;
  const from = frames.start[p];
  const to = from - MPLS_ENTRY_BYTES;
  region.bytes.copyWithin(to, from, from + l3);
  region.view.setUint16(to + l3 - 2, ethType);
  region.view.setUint32(to + l3, entry);
  moveStart(frames, p, MPLS_ENTRY_BYTES);
  return true;
}

/** Pops the outermost label stack entry and sets the type in front of it; nothing happens to other frames. */
export function popMpls(region: Region, frames: Frames, p: number, ethType: number): void {
  const l3 = frames.l3[p];
  if (!isMpls(typeOf(frames, p)) || l3 + MPLS_ENTRY_BYTES > frames.length[p]) return;
  const from = frames.start[p];
  const to = from + MPLS_ENTRY_BYTES;
  region.bytes.copyWithin(to, from, from + l3);
  region.view.setUint16(to + l3 - 2, ethType);
  moveStart(frames, p, -MPLS_ENTRY_BYTES);
}

/**
 * Pushes a backbone header with the frame's own addresses and an I-TAG (IEEE 802.1Q section 9.5): I-SID `isid`, I-PCP
 * that of the outer VLAN tag, as OpenFlow 1.3.5 section 5.13.2 has it. The frame is then its payload. False without room.
 */
export function pushPbb(region: Region, frames: Frames, p: number, isid: number): boolean {
  if (frames.room[p] < PBB_HEADER_BYTES) return false;
  const view = region.view;
  const from = frames.start[p];
  const to = from - PBB_HEADER_BYTES;
  const tpid = view.getUint16(from + 12);
  const isTagged = (tpid === ETH_TYPE_VLAN || tpid === ETH_TYPE_QINQ) && frames.length[p] >= 18;
  const priority = isTagged ? view.getUint8(from + 14) & 0xe0 : 0;
  region.bytes.copyWithin(to, from, from + 12);
  view.setUint16(to + 12, ETH_TYPE_PBB);
  view.setUint32(to + 14, ((priority << 24) | (isid & 0xffffff)) >>> 0);
  moveStart(frames, p, PBB_HEADER_BYTES);
  return true;
}

/** Pops the backbone header, its VLAN tag included; nothing happens to other frames. */
export function popPbb(frames: Frames, p: number): void {
  const bytes = frames.l3[p] + 4;
  if (typeOf(frames, p) !== ETH_TYPE_PBB) return;
  if (bytes + ETH_HEADER_BYTES > frames.length[p]) return;
  moveStart(frames, p, -bytes);
}

/** Offset of the TTL behind the outermost label: of the next label or of the IP header; -1 when there is neither. */
function innerTtl(view: DataView, frames: Frames, p: number): number {
  const entry = frames.start[p] + frames.l3[p];
  const end = frames.start[p] + frames.length[p];
  if (!isMpls(typeOf(frames, p)) || entry + 8 > end) return -1;
  if ((view.getUint8(entry + 2) & 1) === 0) return entry + 7;
  const version = view.getUint8(entry + 4) >>> 4;
  if (version === 4 && entry + 24 <= end) return entry + 12;
  if (version === 6 && entry + 44 <= end) return entry + 11;
  return -1;
}

/** Copies the TTL of the second outermost header, MPLS or IP, to the outermost label. */
export function copyTtlOut(region: Region, frames: Frames, p: number): void {
  const view = region.view;
  const ttl = innerTtl(view, frames, p);
  if (ttl >= 0) view.setUint8(frames.start[p] + frames.l3[p] + 3, view.getUint8(ttl));
}

/** Copies the TTL of the outermost label to the header behind it, MPLS or IP. */
export function copyTtlIn(region: Region, frames: Frames, p: number): void {
  const view = region.view;
  const entry = frames.start[p] + frames.l3[p];
  const ttl = innerTtl(view, frames, p);
  if (ttl < 0) return;
  const isIpv4 = ttl === entry + 12;
  const before = isIpv4 ? view.getUint16(ttl) : 0;
  view.setUint8(ttl, view.getUint8(entry + 3));
  if (isIpv4) {
    view.setUint16(ttl + 2, update16(view.getUint16(ttl + 2), before, view.getUint16(ttl)));
  }
}
