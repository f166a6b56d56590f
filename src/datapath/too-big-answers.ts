/**
 * Answers to frames that were too long for a tunnel's path, as frames that the tunnel's port receives: as if the far end had
 * sent them. They so find their way back through the tables, with the tags and the tunnel that belong to the sender.
 *
 * Their number a second has a limit (as the kernel's own, icmp_msgs_per_sec), and the queue has one.
 */
import { TUN_DST, TUN_FLAGS, TUN_ID, TUN_IPV6_DST, TUN_IPV6_SRC, TUN_SRC } from '../packet/key.ts';
import { ETH_HEADER_BYTES } from '../packet/protocol.ts';
import type { Doorbell } from '../sys/eventfd.ts';
import type { Region } from '../sys/region.ts';
import { pathMtu } from '../sys/tunnel-socket.ts';
import { clearTunnel, copyTunnel, TUNNEL_STRIDE, TunnelFlag } from '../tunnels/tunnel-words.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { OuterSender } from './outer-sender.ts';
import { TOO_BIG_BYTES, tooBig } from './too-big.ts';

/** Of a tunnel: what goes back comes through the same. */
const KEPT_FLAGS = TunnelFlag.KEY | TunnelFlag.CSUM | TunnelFlag.BARE;
const SLOTS = 16;
const SLOT_BYTES = 256;
const PER_SECOND = 100;
/** Room for a tag in front of an answer. */
const ROOM = SLOT_BYTES - TOO_BIG_BYTES;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;

export class TooBigAnswers {
  waiting = 0;
  private readonly region: Region;
  private readonly udpBytes: number;
  private readonly doorbell: Doorbell;
  private readonly memory: number;
  private readonly lengths = new Int32Array(SLOTS);
  private readonly words = new Uint32Array(SLOTS * TUNNEL_STRIDE);
  private secondStartMs = 0;
  private inSecond = 0;

  /** `udpBytes`: of the UDP header, 0 without. The doorbell makes the loop ask the port for frames. */
  constructor(region: Region, udpBytes: number, doorbell: Doorbell) {
    this.region = region;
    this.udpBytes = udpBytes;
    this.doorbell = doorbell;
    this.memory = region.allocate(SLOTS * SLOT_BYTES);
  }

  /** Answers the frame of a message that was refused, whose encapsulation header has `header` bytes. False for one that is not answered. */
  answer(sender: OuterSender, slot: number, header: number): boolean {
    if (this.waiting === SLOTS || !this.mayAnswer()) return false;
    const words = sender.words;
    const base = slot * TUNNEL_STRIDE - TUN_ID;
    const path = pathMtu(sender.family, destination(words, base, sender.family));
    if (path === 0) return false;
    const outer = (sender.family === 4 ? IPV4_BYTES : IPV6_BYTES) + this.udpBytes + header;
    const to = this.memory + this.waiting * SLOT_BYTES + ROOM;
    const start = sender.origins[slot];
    const bytes = sender.originBytes[slot];
    const mtu = path - outer - this.linkBytes(start, bytes);
    const length = tooBig(this.region, start, bytes, mtu, to);
    if (length <= 0) return false;
    this.lengths[this.waiting] = length;
    this.turnAround(words, base, this.waiting * TUNNEL_STRIDE - TUN_ID);
    if (this.waiting++ === 0) this.doorbell.ring();
    return true;
  }

  /** Appends what waits to the batch, with the tunnel of frame p in `words` at p * TUNNEL_STRIDE. */
  receive(batch: Batch, inPort: number, words: Uint32Array): void {
    if (this.waiting === 0) return;
    this.doorbell.clear();
    for (let i = 0; i < this.waiting && batch.count < BATCH_FRAMES; i++) {
      const at = this.memory + i * SLOT_BYTES + ROOM;
      const p = batch.append(inPort, at, this.lengths[i], ROOM);
      copyTunnel(this.words, i * TUNNEL_STRIDE - TUN_ID, words, p * TUNNEL_STRIDE - TUN_ID);
    }
    this.waiting = 0;
  }

  free(): void {
    this.region.free(this.memory);
  }

  private mayAnswer(): boolean {
    const now = performance.now();
    if (now - this.secondStartMs >= 1000) {
      this.secondStartMs = now;
      this.inSecond = 0;
    }
    return this.inSecond++ < PER_SECOND;
  }

  /** Bytes of the inner Ethernet header with its tags. */
  private linkBytes(start: number, length: number): number {
    const view = this.region.view;
    let bytes = ETH_HEADER_BYTES;
    for (let i = 0; i < 2 && bytes + 4 <= length; i++) {
      const type = view.getUint16(start + bytes - 2);
      if (type !== 0x8100 && type !== 0x88a8) break;
      bytes += 4;
    }
    return bytes;
  }

  /** The tunnel of a frame that went out as that of one that comes back. */
  private turnAround(from: Uint32Array, fromBase: number, base: number): void {
    const to = this.words;
    clearTunnel(to, base);
    to[base + TUN_ID] = from[fromBase + TUN_ID];
    to[base + TUN_ID + 1] = from[fromBase + TUN_ID + 1];
    to[base + TUN_SRC] = from[fromBase + TUN_DST];
    to[base + TUN_DST] = from[fromBase + TUN_SRC];
    for (let w = 0; w < 4; w++) {
      to[base + TUN_IPV6_SRC + w] = from[fromBase + TUN_IPV6_DST + w];
      to[base + TUN_IPV6_DST + w] = from[fromBase + TUN_IPV6_SRC + w];
    }
    const flags = from[fromBase + TUN_FLAGS] & (KEPT_FLAGS << 16);
    to[base + TUN_FLAGS] = flags;
  }
}

function destination(words: Uint32Array, base: number, family: 4 | 6): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (family === 4) view.setUint32(0, words[base + TUN_DST]);
  else for (let w = 0; w < 4; w++) view.setUint32(4 * w, words[base + TUN_IPV6_DST + w]);
  return bytes;
}
