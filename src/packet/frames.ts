/**
 * What packet code needs of a batch: frames as columns, frame p being `length[p]` bytes at `start[p]` of a region.
 *
 * The datapath's Batch has this shape. It is named here because packet code lies below the datapath and
 * cannot import it.
 */
import { DP_WORDS } from './key.ts';

export interface Frames {
  /** Offset in the region of the first byte of the Ethernet header. */
  readonly start: Int32Array;
  /** Bytes of the frame, without FCS. */
  readonly length: Int32Array;
  /** Free bytes in front of `start`. */
  readonly room: Int32Array;
  readonly inPort: Int32Array;
  /** virtio-net header fields; csumStart and headerBytes count from `start`. */
  readonly offloadFlags: Uint8Array;
  readonly gsoType: Uint8Array;
  readonly gsoSize: Uint16Array;
  readonly headerBytes: Uint16Array;
  readonly csumStart: Uint16Array;
  readonly csumOffset: Uint16Array;
  /** Offsets of the network and transport headers from `start`; 0 where there is none that can be read. */
  readonly l3: Uint16Array;
  readonly l4: Uint16Array;
  /** Frame p's key is keys[p * DP_WORDS .. + DP_WORDS). */
  readonly keys: Uint32Array;
  /** What of the key may differ from 0 without being rewritten for every frame: DIRTY_* bits. */
  readonly keyDirty: Uint8Array;
}

/** Frames.keyDirty: words from HOT_WORDS on. */
export const DIRTY_COLD = 1;
/** Frames.keyDirty: the words of neighbor discovery and ARP hardware addresses. */
export const DIRTY_HOT = 2;
/** Frames.keyDirty: the words of IPv6. */
export const DIRTY_IPV6 = 4;
/** For whoever writes keys word by word. */
export const DIRTY_ALL = 7;

/** Frames of the control plane: no worker, no batch, `count` slots. */
export function newFrames(count: number): Frames {
  return {
    start: new Int32Array(count),
    length: new Int32Array(count),
    room: new Int32Array(count),
    inPort: new Int32Array(count),
    offloadFlags: new Uint8Array(count),
    gsoType: new Uint8Array(count),
    gsoSize: new Uint16Array(count),
    headerBytes: new Uint16Array(count),
    csumStart: new Uint16Array(count),
    csumOffset: new Uint16Array(count),
    l3: new Uint16Array(count),
    l4: new Uint16Array(count),
    keys: new Uint32Array(count * DP_WORDS),
    keyDirty: new Uint8Array(count),
  };
}

/** virtio-net header flag VIRTIO_NET_HDR_F_NEEDS_CSUM (linux/virtio_net.h). */
export const NEEDS_CSUM = 1;

/** virtio-net gso_type. */
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
export const GSO_ECN = 0x80;
