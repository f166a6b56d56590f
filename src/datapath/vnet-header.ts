/**
 * struct virtio_net_hdr in front of a frame, and putting a stripped VLAN tag back.
 *
 * Layout, little-endian: flags u8 @0, gso_type u8 @1, hdr_len u16 @2, gso_size u16 @4, csum_start u16 @6, csum_offset
 * u16 @8 (virtio 1.2, 5.1.6). The kernel counts csum_start and hdr_len from the start of the Ethernet header, and so
 * does a Batch.
 */
import type { Batch } from './batch.ts';

export const VNET_BYTES = 10;

/**
 * True when the header may be written right before frame p: the room there is free, and no queued transmission, clone
 * or cut-off copy (whose metadata differs) uses the same place. Otherwise it needs an iovec of its own.
 */
export const headerFitsInPlace = (batch: Batch, p: number): boolean =>
  batch.room[p] >= VNET_BYTES && batch.shared[p] === 0;

/** Fills frame p's offload metadata from the header at `at`. */
export function readVnetHeader(view: DataView, at: number, batch: Batch, p: number): void {
  batch.offloadFlags[p] = view.getUint8(at);
  batch.gsoType[p] = view.getUint8(at + 1);
  batch.headerBytes[p] = view.getUint16(at + 2, true);
  batch.gsoSize[p] = view.getUint16(at + 4, true);
  batch.csumStart[p] = view.getUint16(at + 6, true);
  batch.csumOffset[p] = view.getUint16(at + 8, true);
}

/** Writes frame p's header to the VNET_BYTES bytes at `at`. */
export function writeVnetHeader(view: DataView, at: number, batch: Batch, p: number): void {
  // DATA_VALID and the rest speak of reception only.
  view.setUint8(at, batch.offloadFlags[p] & 1);
  view.setUint8(at + 1, batch.gsoType[p]);
  view.setUint16(at + 2, batch.headerBytes[p], true);
  view.setUint16(at + 4, batch.gsoSize[p], true);
  view.setUint16(at + 6, batch.csumStart[p], true);
  view.setUint16(at + 8, batch.csumOffset[p], true);
}

/** Puts the tag that the kernel took out back behind the addresses. Needs 4 bytes of room and 12 bytes of frame. */
export function restoreVlan(
  view: DataView,
  batch: Batch,
  p: number,
  tpid: number,
  tci: number,
): void {
  const from = batch.start[p];
  const to = from - 4;
  view.setUint32(to, view.getUint32(from));
  view.setUint32(to + 4, view.getUint32(from + 4));
  view.setUint32(to + 8, view.getUint32(from + 8));
  view.setUint16(to + 12, tpid);
  view.setUint16(to + 14, tci);
  batch.start[p] = to;
  batch.length[p] += 4;
  batch.room[p] -= 4;
  if (batch.offloadFlags[p] & 1) batch.csumStart[p] += 4;
  if (batch.headerBytes[p] !== 0) batch.headerBytes[p] += 4;
}
