/**
 * The portable TunnelTransport, datapath's side: encapsulated packets go to and come from the main thread, whose event loop moves
 * them through Node's sockets (portable-sockets.ts). It cuts nothing and takes no offload, and each packet is copied into an array
 * of its own: a sixth to an eighth of the kernel transport's rate, for machines that have nothing better.
 *
 * A relayed packet is RELAY_BYTES of words, the key's TUN_SRC to TUN_TP and the place of the flow's source port, and then the
 * packet from its encapsulation header on.
 */
import { flowHash } from '../packet/flow-hash.ts';
import { DIRTY_COLD } from '../packet/frames.ts';
import {
  DP_WORDS,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
  TUN_SRC,
  TUN_TP,
} from '../packet/key.ts';
import type { Region } from '../sys/region.ts';
import {
  clearTunnel,
  copyTunnel,
  TUNNEL_STRIDE,
  TunnelFlag,
  TunnelRefusal,
} from '../tunnels/tunnel-words.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo } from './datapath.ts';
import { DUMMY_MEMORY_BYTES } from './dummy-port.ts';
import { OUTER_HEADER_BYTES } from './outer-sender.ts';
import { markPartialChecksum } from './partial-checksum.ts';
import {
  counterIndex,
  RX_BYTES,
  RX_DROPPED,
  RX_MULTICAST,
  RX_PACKETS,
  type Shared,
  TX_BYTES,
  TX_DROPPED,
  TX_PACKETS,
} from './shared.ts';
import { refusalCounter, TunnelCodec } from './tunnel-codec.ts';
import { SOURCE_PORTS, type TunnelSpec, type TunnelTransport } from './tunnel-transport.ts';

const OUTER_WORDS = TUN_TP + 1 - TUN_SRC;
/** Where the words of a relayed packet are. */
export const RELAY = {
  SRC: 0,
  DST: TUN_DST - TUN_SRC,
  IPV6_SRC: 2,
  IPV6_DST: TUN_IPV6_DST - TUN_SRC,
  FLAGS: OUTER_WORDS - 2,
  TP: OUTER_WORDS - 1,
  PLACE: OUTER_WORDS,
  WORDS: OUTER_WORDS + 1,
} as const;
export const RELAY_BYTES = 4 * RELAY.WORDS;

/** Packets that may wait to be received. */
const MAX_WAITING = 512;
/** In front of a received packet: the inner network header is word-aligned behind 8 bytes of header. */
const ROOM = 126;

const PUSH_ERROR = counterIndex('datapath_drop_tunnel_push_error');
const QUEUE_FULL = counterIndex('drop_tx_queue_full');
const OVERSIZED = counterIndex('drop_rx_oversized');
const COMPLETED = counterIndex('tunnel_inner_checksum_completed');

/** Layer 3 is the fast transport's only. */
const isBare = (words: Uint32Array, base: number): boolean =>
  ((words[base + TUN_FLAGS] >>> 16) & TunnelFlag.BARE) !== 0;

export class RelayTunnelPort implements TunnelTransport {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd = -1;
  mtu: number;
  readonly takesOffload = false;
  private readonly isUdp: boolean;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly shared: Shared;
  private readonly memory: number;
  private readonly base: number;
  private readonly deliver: (packet: Uint8Array) => boolean;
  private readonly codec: TunnelCodec;
  private readonly decode: ReturnType<TunnelCodec['decoder']>;
  private readonly header: number;
  private readonly words = new Uint32Array(BATCH_FRAMES * TUNNEL_STRIDE);
  private waiting: Uint8Array[] = [];
  private sent: Uint8Array[] = [];

  /**
   * `memory`: offset in the region of DUMMY_MEMORY_BYTES. `deliver`: takes a relayed packet to the main thread; false when there is
   * no room.
   */
  constructor(
    portNo: PortNo,
    name: string,
    spec: TunnelSpec,
    region: Region,
    shared: Shared,
    memory: number,
    deliver: (packet: Uint8Array) => boolean,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.mtu = spec.mtu;
    this.isUdp = spec.udpPort !== 0;
    this.region = region;
    this.view = region.view;
    this.shared = shared;
    this.memory = memory;
    this.base = shared.portBase(portNo);
    this.deliver = deliver;
    this.codec = new TunnelCodec(spec, region.view);
    this.decode = this.codec.decoder();
    this.header = region.allocate(OUTER_HEADER_BYTES);
  }

  /** Puts a relayed packet into the receive queue. False, and counted, when the queue is full or the packet too long. */
  inject(packet: Uint8Array): boolean {
    const isTooLong = packet.length > DUMMY_MEMORY_BYTES / 2;
    if (isTooLong || packet.length < RELAY_BYTES || this.waiting.length >= MAX_WAITING) {
      if (isTooLong) this.shared.counters[OVERSIZED]++;
      this.shared.ports[this.base + RX_DROPPED]++;
      return false;
    }
    this.waiting.push(packet.slice());
    return true;
  }

  receive(batch: Batch): number {
    const { ports } = this.shared;
    const before = batch.count;
    let at = this.memory;
    let taken = 0;
    for (; taken < this.waiting.length && batch.count < BATCH_FRAMES; taken++) {
      const packet = this.waiting[taken];
      const length = packet.length - RELAY_BYTES;
      const next = at + ((ROOM + length + 63) & ~63);
      if (next > this.memory + DUMMY_MEMORY_BYTES) break;
      const start = at + ROOM;
      this.region.bytes.set(packet.subarray(RELAY_BYTES), start);
      const base = batch.count * TUNNEL_STRIDE - TUN_ID;
      clearTunnel(this.words, base);
      const outer = new Uint32Array(packet.buffer, 0, OUTER_WORDS);
      for (let i = 0; i < OUTER_WORDS; i++) this.words[base + TUN_SRC + i] = outer[i];
      const decoded = this.decode(start, length, this.words, base);
      const header = decoded > 0 && isBare(this.words, base) ? TunnelRefusal.PROTOCOL : decoded;
      if (header < 0) {
        this.shared.counters[refusalCounter(header)]++;
        ports[this.base + RX_DROPPED]++;
        continue;
      }
      const bytes = length - header;
      batch.append(this.portNo, start + header, bytes, ROOM + header);
      at = next;
      ports[this.base + RX_PACKETS]++;
      ports[this.base + RX_BYTES] += bytes;
      if (bytes > 0) ports[this.base + RX_MULTICAST] += this.view.getUint8(start + header) & 1;
    }
    this.waiting = this.waiting.slice(taken);
    return batch.count - before;
  }

  describe(batch: Batch, p: number): void {
    copyTunnel(this.words, p * TUNNEL_STRIDE - TUN_ID, batch.keys, p * DP_WORDS);
    batch.keyDirty[p] |= DIRTY_COLD;
    if (markPartialChecksum(this.view, batch, p)) this.shared.counters[COMPLETED]++;
  }

  send(batch: Batch, p: number): void {
    const { keys } = batch;
    const key = p * DP_WORDS;
    let address = keys[key + TUN_DST];
    for (let w = 0; w < 4; w++) address |= keys[key + TUN_IPV6_DST + w];
    if (address === 0 || isBare(keys, key)) {
      this.shared.counters[PUSH_ERROR]++;
      this.shared.ports[this.base + TX_DROPPED]++;
      return;
    }
    const start = batch.start[p];
    const length = batch.length[p];
    const header = this.codec.encode(this.header, keys, key, start, length);
    const packet = new Uint8Array(RELAY_BYTES + header + length);
    const words = new Uint32Array(packet.buffer, 0, RELAY.WORDS);
    for (let i = 0; i < OUTER_WORDS; i++) words[i] = keys[key + TUN_SRC + i];
    words[RELAY.PLACE] = this.isUdp ? flowHash(keys, key, 0, false) % SOURCE_PORTS : 0;
    packet.set(this.region.bytes.subarray(this.header, this.header + header), RELAY_BYTES);
    packet.set(this.region.bytes.subarray(start, start + length), RELAY_BYTES + header);
    this.sent.push(packet);
    this.shared.ports[this.base + TX_PACKETS]++;
    this.shared.ports[this.base + TX_BYTES] += length;
  }

  flush(): void {
    const { sent } = this;
    this.sent = [];
    for (const packet of sent) {
      if (this.deliver(packet)) continue;
      this.shared.counters[QUEUE_FULL]++;
      this.shared.ports[this.base + TX_DROPPED]++;
    }
  }

  release(): void {}

  close(): void {
    this.waiting = [];
    this.sent = [];
    this.region.free(this.header);
  }
}
