/**
 * Private frame memory for what does not lie in a receive ring: TAP reads, super-frames fetched from a socket's
 * queue, sockets without a ring. One set per worker, shared by all its ports, because a batch is done with
 * before the next port receives.
 *
 * Per buffer i: BUFFER_BYTES, the frame at FRAME_AT so that its network header is word-aligned, the vnet header
 * right before it. A recvmmsg array (struct mmsghdr, struct iovec, room for one control message) stands
 * ready made over the buffers.
 */
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES } from './batch.ts';
import { VNET_BYTES } from './vnet-header.ts';

const BUFFER_BYTES = 66 * 1024;
const FRAME_AT = 254;

// struct mmsghdr { struct msghdr { name, namelen, iov@16, iovlen@24, control@32, controllen@40, flags@48 }, len@56 }
export const MMSGHDR_BYTES = 64;
export const MSG_IOV_AT = 16;
export const MSG_IOVLEN_AT = 24;
export const MSG_CONTROL_AT = 32;
export const MSG_CONTROLLEN_AT = 40;
export const MSG_FLAGS_AT = 48;
export const MSG_LEN_AT = 56;
export const IOVEC_BYTES = 16;
/** CMSG_SPACE(sizeof(struct tpacket_auxdata)). */
export const CONTROL_BYTES = 40;

/** Writes an address as two words; it may be anything below 2^53. */
export function setAddress(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
}

export class FrameBuffers {
  /** Bytes in front of a frame that its users may take. */
  readonly room = FRAME_AT;
  /** Longest frame that fits. */
  readonly frameBytes = BUFFER_BYTES - FRAME_AT;
  /** Offset of the struct mmsghdr array in the region. */
  readonly messages: number;
  readonly controls: number;
  private readonly buffers: number;

  /** `region` has an address: the buffers are for system calls. */
  constructor(region: Region) {
    this.buffers = region.allocate(BATCH_FRAMES * BUFFER_BYTES, 4096);
    this.messages = region.allocate(BATCH_FRAMES * MMSGHDR_BYTES);
    this.controls = region.allocate(BATCH_FRAMES * CONTROL_BYTES);
    const iovecs = region.allocate(BATCH_FRAMES * IOVEC_BYTES);
    const { view, address } = region;
    for (let i = 0; i < BATCH_FRAMES; i++) {
      const message = this.messages + i * MMSGHDR_BYTES;
      const iovec = iovecs + i * IOVEC_BYTES;
      setAddress(view, message + MSG_IOV_AT, address + iovec);
      view.setUint32(message + MSG_IOVLEN_AT, 1, true);
      setAddress(view, message + MSG_CONTROL_AT, address + this.controls + i * CONTROL_BYTES);
      setAddress(view, iovec, address + this.frameAt(i) - VNET_BYTES);
      view.setUint32(iovec + 8, VNET_BYTES + this.frameBytes, true);
    }
  }

  /** Offset of the frame in buffer i. */
  frameAt(i: number): number {
    return this.buffers + i * BUFFER_BYTES + FRAME_AT;
  }
}
