/**
 * The port of all tunnels of a kind (PortSpec kind `tunnel`): frames leave and arrive inside packets of kernel sockets, and
 * the tunnel words of their keys say which tunnel.
 *
 * - What a frame needs on the wire it gets as late as possible: a super-frame is cut here, into headers with the payloads left
 *   in place, and the whole row goes to the kernel as one message that is cut into packets by the device (UDP_SEGMENT), or
 *   arrives whole at a neighbour on the same machine.
 * - UDP source ports tell flows apart (RFC 7348, 5): one socket for each of SOURCE_PORTS ports, opened when it is first
 *   needed (doc/adr/0010).
 * - A packet too long for its path is answered towards the sender of the frame (too-big.ts), since nobody else would.
 */
import { flowHash } from '../packet/flow-hash.ts';
import { DIRTY_COLD, GSO_NONE } from '../packet/frames.ts';
import {
  DP_WORDS,
  ETH_TYPE_PROTO,
  TUN_DST,
  TUN_FLAGS,
  TUN_ID,
  TUN_IPV6_DST,
} from '../packet/key.ts';
import {
  ETH_HEADER_BYTES,
  ETH_TYPE_IPV4,
  ETH_TYPE_IPV6,
  IP_PROTO_TCP,
} from '../packet/protocol.ts';
import { MAX_SEGMENTS, Segmenter } from '../packet/segment.ts';
import { Doorbell, openEventfd } from '../sys/eventfd.ts';
import type { Region } from '../sys/region.ts';
import {
  type Family,
  openTunnelReceiver,
  openTunnelSender,
  takeError,
} from '../sys/tunnel-socket.ts';
import { copyTunnel, TUNNEL_STRIDE, TunnelFlag } from '../tunnels/tunnel-words.ts';
import { BATCH_FRAMES, type Batch } from './batch.ts';
import type { PortNo } from './datapath.ts';
import type { DevicePort } from './device-port.ts';
import { IOVEC_BYTES } from './frame-buffers.ts';
import { OuterReceiver } from './outer-receiver.ts';
import { OuterSender, type TooLong } from './outer-sender.ts';
import { markPartialChecksum } from './partial-checksum.ts';
import { Scratch } from './scratch.ts';
import {
  counterIndex,
  RX_BYTES,
  RX_DROPPED,
  RX_ERRORS,
  RX_MULTICAST,
  RX_PACKETS,
  type Shared,
  TX_DROPPED,
} from './shared.ts';
import { TooBigAnswers } from './too-big-answers.ts';
import { TrainWatch } from './train-watch.ts';
import { refusalCounter, TunnelCodec } from './tunnel-codec.ts';
import { SOURCE_PORTS, type TunnelSpec, type TunnelTransport } from './tunnel-transport.ts';

const SEGMENT_BYTES = 1 << 20;
/** Packets of one message: the kernel's UDP_MAX_SEGMENTS, and the longest datagram less its headers. */
const MAX_TRAIN = 64;
const MAX_TRAIN_BYTES = 65_000;

const PUSH_ERROR = counterIndex('datapath_drop_tunnel_push_error');
const BAD_OFFLOAD = counterIndex('drop_bad_checksum_offload');
const TOO_MANY_SEGMENTS = counterIndex('drop_too_many_segments');
const OVERSIZED = counterIndex('drop_rx_oversized');
const SEGMENTED = counterIndex('offload_segmented_frames');
const SEGMENTS = counterIndex('offload_segments_made');
const COMPLETED = counterIndex('tunnel_inner_checksum_completed');
const REPLIES = counterIndex('tunnel_too_big_replies');
const TRAINS_REFUSED = counterIndex('tunnel_trains_refused');
const UDP_BYTES = 8;
const TCP_BYTES = 20;

export class TunnelPort implements DevicePort, TunnelTransport {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd: number;
  readonly moreFds: readonly number[];
  mtu: number;
  readonly takesOffload = false;
  readonly cutsSegments = true;

  private readonly spec: TunnelSpec;
  private readonly region: Region;
  private readonly view: DataView;
  private readonly shared: Shared;
  private readonly base: number;
  private readonly receivers: OuterReceiver[] = [];
  /** By family, DF and source port, and at i ^ 1 the same with or without checksum. */
  private readonly senders: (OuterSender | null | undefined)[] = new Array(8 * SOURCE_PORTS);
  private readonly touched: OuterSender[] = [];
  private touchedCount = 0;
  private readonly trains = new TrainWatch();
  private readonly segmenter: Segmenter;
  private readonly segments: Scratch;
  private readonly words = new Uint32Array(BATCH_FRAMES * TUNNEL_STRIDE);
  /** Wakes the loop for frames that this port makes itself. */
  private readonly doorbell: Doorbell;
  private readonly codec: TunnelCodec;
  private readonly answers: TooBigAnswers;
  private readonly answer: TooLong;

  /**
   * Opens the sockets. Throws SystemError. `receives`: packets that arrive are for this worker; a machine's address and port belong
   * to one socket, and other workers send by sockets of their own.
   */
  constructor(
    portNo: PortNo,
    name: string,
    spec: TunnelSpec,
    region: Region,
    shared: Shared,
    receives = true,
  ) {
    this.portNo = portNo;
    this.name = name;
    this.spec = spec;
    this.mtu = spec.mtu;
    this.region = region;
    this.view = region.view;
    this.shared = shared;
    this.base = shared.portBase(portNo);
    this.segmenter = new Segmenter(region);
    this.codec = new TunnelCodec(spec, region.view);
    const { counters, ports } = shared;
    const hooks = {
      decode: this.codec.decoder(),
      refused: (reason: number) => {
        counters[refusalCounter(reason)]++;
        ports[this.base + RX_DROPPED]++;
      },
      oversized: () => {
        counters[OVERSIZED]++;
        ports[this.base + RX_DROPPED]++;
      },
      failed: () => {
        ports[this.base + RX_ERRORS]++;
      },
    };
    const { udpPort } = spec;
    for (const family of receives ? spec.families : []) {
      try {
        const fd = openTunnelReceiver({ udpPort, family });
        this.receivers.push(new OuterReceiver(fd, family, udpPort !== 0, region, hooks));
      } catch (failure) {
        // A machine without IPv6 has tunnels over IPv4 all the same.
        if (family === 6 && this.receivers.length > 0) continue;
        for (const receiver of this.receivers) receiver.close();
        throw failure;
      }
    }
    this.doorbell = new Doorbell(openEventfd());
    this.segments = new Scratch(region, SEGMENT_BYTES);
    const isUdp = udpPort !== 0;
    this.answers = new TooBigAnswers(region, isUdp ? UDP_BYTES : 0, this.doorbell);
    this.answer = (sender, slot) => {
      if (!spec.answersTooBig) return;
      const header = this.codec.bytes(sender.words, slot * TUNNEL_STRIDE - TUN_ID);
      if (this.answers.answer(sender, slot, header)) counters[REPLIES]++;
    };
    this.fd = this.doorbell.fd;
    this.moreFds = this.receivers.map(({ fd }) => fd);
  }

  receive(batch: Batch): number {
    const before = batch.count;
    this.answers.receive(batch, this.portNo, this.words);
    for (let i = 0; i < this.receivers.length && batch.count < BATCH_FRAMES; i++) {
      this.receivers[i].receive(batch, this.portNo, this.words);
    }
    const { ports } = this.shared;
    let bytes = 0;
    let multicast = 0;
    for (let p = before; p < batch.count; p++) {
      bytes += batch.length[p];
      if (batch.length[p] > 0) multicast += this.view.getUint8(batch.start[p]) & 1;
    }
    ports[this.base + RX_PACKETS] += batch.count - before;
    ports[this.base + RX_BYTES] += bytes;
    ports[this.base + RX_MULTICAST] += multicast;
    return batch.count - before;
  }

  /** Writes the tunnel of received frame p into its key, which was read from its headers. */
  describe(batch: Batch, p: number): void {
    copyTunnel(this.words, p * TUNNEL_STRIDE - TUN_ID, batch.keys, p * DP_WORDS);
    batch.keyDirty[p] |= DIRTY_COLD;
    if (markPartialChecksum(this.view, batch, p)) this.shared.counters[COMPLETED]++;
  }

  send(batch: Batch, p: number): void {
    const isTrain = this.sendsTrain(batch, p);
    const sender = this.senderFor(batch, p, isTrain);
    if (sender === null) {
      this.shared.counters[PUSH_ERROR]++;
      this.shared.ports[this.base + TX_DROPPED]++;
      return;
    }
    if (((batch.keys[p * DP_WORDS + TUN_FLAGS] >>> 16) & TunnelFlag.BARE) !== 0) {
      this.sendBare(sender, batch, p);
      return;
    }
    if (batch.gsoType[p] !== GSO_NONE) {
      this.sendSegments(sender, batch, p, isTrain);
      return;
    }
    if (sender.isFull) this.flush();
    const key = p * DP_WORDS;
    const start = batch.start[p];
    const length = batch.length[p];
    const header = this.codec.encode(sender.nextHeader, batch.keys, key, start, length);
    this.touch(sender);
    sender.push(batch.keys, key, header, start, length);
  }

  flush(): void {
    for (let i = 0; i < this.touchedCount; i++) this.touched[i].flush();
    this.touchedCount = 0;
    this.segments.reset();
  }

  release(): void {}

  close(): void {
    for (const receiver of this.receivers) receiver.close();
    for (const sender of this.senders) sender?.close();
    this.doorbell.close();
    this.segments.free(this.region);
    this.answers.free();
  }

  hasFrame(): boolean {
    return this.answers.waiting > 0 || this.receivers.some((receiver) => receiver.hasLeft);
  }

  onDeviceError(): boolean {
    for (const { fd } of this.receivers) takeError(fd);
    return true;
  }

  collectDrops(): void {}

  /** True when frame p is a super-frame that leaves as trains. */
  private sendsTrain(batch: Batch, p: number): boolean {
    const isSuper = batch.gsoType[p] !== GSO_NONE;
    if (this.spec.udpPort === 0 || (!isSuper && !this.trains.isWatching)) return false;
    const { keys } = batch;
    const key = p * DP_WORDS;
    const start = batch.start[p];
    const l4 = batch.l4[p];
    const isTcp = ((keys[key + ETH_TYPE_PROTO] >>> 8) & 255) === IP_PROTO_TCP;
    if (!isTcp || l4 === 0 || l4 + TCP_BYTES > batch.length[p]) {
      return isSuper && this.trains.allows(keys, key, 0, 0, 0);
    }
    const flow = flowHash(keys, key, 0, false);
    const sequence = this.view.getUint32(start + l4 + 4);
    const payload = batch.length[p] - l4 - (this.view.getUint8(start + l4 + 12) >>> 4) * 4;
    if (isSuper) {
      const allowed = this.trains.allows(keys, key, flow, sequence, payload);
      if (!allowed) this.shared.counters[TRAINS_REFUSED]++;
      return allowed;
    }
    if (payload > 0) this.trains.seen(keys, key, flow, sequence, payload);
    return false;
  }

  /** The socket for frame p; null when the frame has no tunnel or the socket cannot be had. */
  private senderFor(batch: Batch, p: number, isTrain: boolean): OuterSender | null {
    const keys = batch.keys;
    const key = p * DP_WORDS;
    const isFour = keys[key + TUN_DST] !== 0;
    if (!isFour && !hasAddress(keys, key + TUN_IPV6_DST)) return null;
    const isUdp = this.spec.udpPort !== 0;
    const df = ((keys[key + TUN_FLAGS] >>> 16) & TunnelFlag.DF) !== 0;
    const port = isUdp ? flowHash(keys, key, 0, false) % SOURCE_PORTS : 0;
    // The kernel cuts no train into packets without checksum, nor sends UDP over IPv6 without.
    const csum = ((keys[key + TUN_FLAGS] >>> 16) & TunnelFlag.CSUM) !== 0;
    const checked = isUdp && (csum || !isFour || isTrain);
    const group = (isFour ? 0 : 2 * SOURCE_PORTS) + (df ? SOURCE_PORTS : 0) + port;
    const at = 2 * group + (checked ? 1 : 0);
    // Frames of a flow stay in order, whichever way each takes.
    const other = this.senders[at ^ 1];
    if (other !== null && other !== undefined && !other.isEmpty) this.flush();
    const known = this.senders[at];
    if (known !== undefined) return known;
    const sender = this.open(isFour ? 4 : 6, df, checked, port);
    this.senders[at] = sender;
    return sender;
  }

  private open(family: Family, df: boolean, checked: boolean, place: number): OuterSender | null {
    const { firstSourcePort, lastSourcePort, udpPort } = this.spec;
    const each = Math.max(1, Math.floor((lastSourcePort - firstSourcePort) / SOURCE_PORTS));
    const first = firstSourcePort + place * each;
    try {
      const last = Math.min(first + each - 1, lastSourcePort);
      const fd = openTunnelSender(family, udpPort !== 0, df, checked, first, last);
      return new OuterSender(fd, family, this.region, this.shared, this.base, this.answer);
    } catch {
      // Out of descriptors, or no such family: frames are dropped and counted.
      return null;
    }
  }

  private touch(sender: OuterSender): void {
    if (sender.isEmpty) this.touched[this.touchedCount++] = sender;
  }

  /**
   * Cuts super-frame p into packets. Headers are written, payloads stay where they are, and iovecs make packets of them. GRE's
   * checksum alone covers a packet as a whole.
   */
  private sendSegments(sender: OuterSender, batch: Batch, p: number, isTrain: boolean): void {
    const { segmenter, shared } = this;
    const count = segmenter.begin(batch, p);
    if (count === 0 || count > MAX_SEGMENTS) {
      shared.counters[count === 0 ? BAD_OFFLOAD : TOO_MANY_SEGMENTS]++;
      shared.ports[this.base + TX_DROPPED]++;
      return;
    }
    const isUdp = this.spec.udpPort !== 0;
    const flags = batch.keys[p * DP_WORDS + TUN_FLAGS] >>> 16;
    if (!isUdp && (flags & TunnelFlag.CSUM) !== 0) this.sendCopies(sender, batch, p, count);
    else {
      const packet = this.codec.bytes(batch.keys, p * DP_WORDS) + segmenter.segmentBytes;
      const train = isTrain ? Math.min(MAX_TRAIN, Math.floor(MAX_TRAIN_BYTES / packet) || 1) : 1;
      for (let i = 0; i < count; i += train) {
        this.sendTrain(sender, batch, p, i, Math.min(train, count - i), packet);
      }
    }
    shared.counters[SEGMENTED]++;
    shared.counters[SEGMENTS] += count;
  }

  /** Queues segments [first, first + n) of frame p as one message of packets of `packetBytes`. */
  private sendTrain(
    sender: OuterSender,
    batch: Batch,
    p: number,
    first: number,
    n: number,
    packetBytes: number,
  ): void {
    const { segmenter } = this;
    const key = p * DP_WORDS;
    const header = packetBytes - segmenter.segmentBytes + segmenter.headerBytes;
    const iovecBytes = 2 * n * IOVEC_BYTES;
    const iovecs = this.take(sender, iovecBytes + n * header);
    let iovec = iovecs;
    let to = iovecs + iovecBytes;
    let bytes = 0;
    for (let i = first; i < first + n; i++) {
      const outer = this.codec.encode(to, batch.keys, key, 0, 0);
      const payload = segmenter.writeHeader(i, to + outer);
      sender.writeIovec(iovec, to, header);
      sender.writeIovec(iovec + IOVEC_BYTES, segmenter.payloadAt(i), payload);
      iovec += 2 * IOVEC_BYTES;
      to += header;
      bytes += header + payload;
    }
    this.touch(sender);
    const { start, length } = batch;
    const count = 2 * n;
    sender.pushTrain(batch.keys, key, iovecs, count, bytes, start[p], length[p], packetBytes, n);
  }

  /** Queues the `count` segments of frame p as messages of their own, each in one piece. */
  private sendCopies(sender: OuterSender, batch: Batch, p: number, count: number): void {
    const { segmenter } = this;
    const key = p * DP_WORDS;
    const header = this.codec.bytes(batch.keys, key);
    for (let i = 0; i < count; i++) {
      const iovec = this.take(sender, IOVEC_BYTES + header + segmenter.segmentBytes);
      const to = iovec + IOVEC_BYTES;
      const bytes = segmenter.write(i, to + header);
      this.codec.encode(to, batch.keys, key, to + header, bytes);
      sender.writeIovec(iovec, to, header + bytes);
      this.touch(sender);
      const { start, length } = batch;
      sender.pushTrain(batch.keys, key, iovec, 1, header + bytes, start[p], length[p], 0, 1);
    }
  }

  /** Queues frame p, an IP packet or many, without its Ethernet header. What is no IP packet is dropped and counted. */
  private sendBare(sender: OuterSender, batch: Batch, p: number): void {
    const { segmenter, shared, view } = this;
    const start = batch.start[p];
    const length = batch.length[p];
    const type = view.getUint16(start + ETH_HEADER_BYTES - 2);
    const isSuper = batch.gsoType[p] !== GSO_NONE;
    const count = isSuper ? segmenter.begin(batch, p) : 1;
    if ((type !== ETH_TYPE_IPV4 && type !== ETH_TYPE_IPV6) || count === 0 || count > MAX_SEGMENTS) {
      shared.counters[PUSH_ERROR]++;
      shared.ports[this.base + TX_DROPPED]++;
      return;
    }
    const key = p * DP_WORDS;
    const header = this.codec.bytes(batch.keys, key);
    for (let i = 0; i < count; i++) {
      const room = IOVEC_BYTES + header + (isSuper ? segmenter.segmentBytes : length);
      const iovec = this.take(sender, room);
      const frame = iovec + IOVEC_BYTES + header;
      const bytes = isSuper ? segmenter.write(i, frame) : length;
      if (!isSuper) this.region.bytes.copyWithin(frame, start, start + length);
      const ip = frame + ETH_HEADER_BYTES;
      this.codec.encode(ip - header, batch.keys, key, frame, bytes);
      const total = header + bytes - ETH_HEADER_BYTES;
      sender.writeIovec(iovec, ip - header, total);
      this.touch(sender);
      sender.pushTrain(batch.keys, key, iovec, 1, total, start, length, 0, 1);
    }
    if (!isSuper) return;
    shared.counters[SEGMENTED]++;
    shared.counters[SEGMENTS] += count;
  }

  /** Memory until the next flush, with room in the queue of `sender` for what it is for. */
  private take(sender: OuterSender, bytes: number): number {
    const at = sender.isFull ? -1 : this.segments.take(bytes);
    if (at >= 0) return at;
    this.flush();
    return this.segments.take(bytes);
  }
}

const hasAddress = (keys: Uint32Array, at: number): boolean =>
  (keys[at] | keys[at + 1] | keys[at + 2] | keys[at + 3]) !== 0;
