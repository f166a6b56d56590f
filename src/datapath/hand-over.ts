/**
 * Frames that one worker hands to another, since some ports have one owner for what leaves: those whose frames wait for their
 * turn (held-ports.ts). All other ports are sent to by every worker itself.
 *
 * Per worker: its ends of two rings for each other worker. A record is port, frame bytes, 3 offload words, priority, what cutting
 * it into segments needs (the key's word with the Ethernet type, where headers are), and the frame. The owner sends it as if it had made it itself, so what counts and what is
 * refused is there; only a full ring is counted here.
 */
import { DP_WORDS, ETH_TYPE_PROTO } from '../packet/key.ts';
import type { Doorbell } from '../sys/eventfd.ts';
import type { Region } from '../sys/region.ts';
import { BATCH_FRAMES, Batch } from './batch.ts';
import { Control, OFFLOAD_WORDS, type Peer, wordsOf } from './commands.ts';
import type { PortNo } from './datapath.ts';
import { type Egress, HEADROOM } from './egress.ts';
import type { Port } from './port.ts';
import { RingReader, RingWriter } from './ring.ts';
import { counterIndex, type Shared, TX_DROPPED } from './shared.ts';

const HEAD = 5 + OFFLOAD_WORDS;
/** Frames of a peer that are sent before packets of this worker's own ports get their turn. */
const FRAMES_PER_TURN = 64;

const QUEUE_FULL = counterIndex('drop_tx_queue_full');

class Link {
  readonly index: number;
  readonly to: RingWriter;
  readonly from: RingReader;
  readonly control: Int32Array;
  readonly doorbell: Pick<Doorbell, 'ring'>;

  constructor(peer: Peer, doorbell: Pick<Doorbell, 'ring'>) {
    this.index = peer.index;
    this.to = new RingWriter(peer.to);
    this.from = new RingReader(peer.from);
    this.control = new Int32Array(peer.control);
    this.doorbell = doorbell;
  }

  /** Shows the owner what was written. */
  flush(): void {
    this.to.publish();
    if (Atomics.exchange(this.control, Control.SLEEPING, 0) === 1) this.doorbell.ring();
  }
}

/** Stands in front of a port that another worker owns. */
class HandOverPort implements Port {
  readonly portNo: PortNo;
  readonly name: string;
  readonly fd = -1;
  readonly takesOffload = true;
  /** The port to be sent to directly once that is allowed again. */
  readonly inner: Port;
  private readonly link: Link;
  private readonly region: Region;
  private readonly shared: Shared;

  constructor(inner: Port, link: Link, region: Region, shared: Shared) {
    this.portNo = inner.portNo;
    this.name = inner.name;
    this.inner = inner;
    this.link = link;
    this.region = region;
    this.shared = shared;
  }

  get mtu(): number {
    return this.inner.mtu;
  }
  set mtu(bytes: number) {
    this.inner.mtu = bytes;
  }

  receive(batch: Batch): number {
    return this.inner.receive(batch);
  }

  send(batch: Batch, p: number): void {
    const length = batch.length[p];
    const ring = this.link.to;
    let at = ring.reserve(HEAD + wordsOf(length));
    if (at < 0) {
      this.shared.counters[QUEUE_FULL]++;
      this.shared.ports[this.shared.portBase(this.portNo) + TX_DROPPED]++;
      return;
    }
    const { words } = ring;
    words[at++] = this.portNo;
    words[at++] = length;
    words[at++] = batch.offloadFlags[p] | (batch.gsoType[p] << 8) | (batch.gsoSize[p] << 16);
    words[at++] = batch.headerBytes[p] | (batch.csumStart[p] << 16);
    words[at++] = batch.csumOffset[p];
    words[at++] = batch.priority[p];
    words[at++] = batch.keys[p * DP_WORDS + ETH_TYPE_PROTO];
    words[at++] = batch.l3[p] | (batch.l4[p] << 16);
    const start = batch.start[p];
    ring.bytes.set(this.region.bytes.subarray(start, start + length), at * 4);
  }

  flush(): void {
    this.link.flush();
  }

  release(): void {
    this.inner.release();
  }

  close(): void {
    this.inner.close();
  }
}

export class HandOver {
  private readonly region: Region;
  private readonly shared: Shared;
  private readonly egress: Egress;
  private links: Link[] = [];
  private readonly batch = new Batch();

  constructor(region: Region, shared: Shared, egress: Egress) {
    this.region = region;
    this.shared = shared;
    this.egress = egress;
    egress.register(this.batch);
  }

  /**
   * The other workers from now on. Those that were there before keep their rings. `doorbellOf` makes an end of a doorbell from its descriptor: the
   * datapath that has no other workers needs no native code for it.
   */
  configure(peers: readonly Peer[], doorbellOf: (fd: number) => Pick<Doorbell, 'ring'>): void {
    this.links = peers.map(
      (peer) =>
        this.links.find(({ index }) => index === peer.index) ??
        new Link(peer, doorbellOf(peer.doorbellFd)),
    );
  }

  /** True when others have handed something over. Cheap: asked in every round of the loop. */
  look(): boolean {
    const { links } = this;
    for (let i = 0; i < links.length; i++) if (links[i].from.look()) return true;
    return false;
  }

  /** Sends what was there when look() was called last. */
  take(): void {
    const { links, batch, egress } = this;
    for (let i = 0; i < links.length; i++) {
      const { from } = links[i];
      for (let n = 0; n < FRAMES_PER_TURN && from.hasSeen; n++) this.send(from);
      from.release();
    }
    egress.flush();
    batch.clear();
  }

  /** What to send to in place of `port`, which worker `owner` alone sends by. */
  wrap(port: Port, owner: number): Port {
    const link = this.links.find(({ index }) => index === owner);
    if (link === undefined) return port;
    return new HandOverPort(this.unwrap(port), link, this.region, this.shared);
  }

  /** The port behind, which is sent to directly again. */
  unwrap(port: Port): Port {
    return port instanceof HandOverPort ? port.inner : port;
  }

  private send(ring: RingReader): void {
    const { batch, egress } = this;
    let at = ring.next();
    const { words } = ring;
    const portNo = words[at++];
    const length = words[at++];
    let start = batch.count < BATCH_FRAMES ? egress.take(length) : -1;
    if (start < 0) {
      egress.flush();
      batch.clear();
      start = egress.take(length);
    }
    const p = batch.append(0, start, length, HEADROOM);
    batch.offloadFlags[p] = words[at] & 0xff;
    batch.gsoType[p] = (words[at] >>> 8) & 0xff;
    batch.gsoSize[p] = words[at++] >>> 16;
    batch.headerBytes[p] = words[at] & 0xffff;
    batch.csumStart[p] = words[at++] >>> 16;
    batch.csumOffset[p] = words[at++];
    batch.priority[p] = words[at++];
    batch.keys[p * DP_WORDS + ETH_TYPE_PROTO] = words[at++];
    batch.l3[p] = words[at] & 0xffff;
    batch.l4[p] = words[at++] >>> 16;
    this.region.bytes.set(ring.bytes.subarray(at * 4, at * 4 + length), start);
    egress.output(batch, p, portNo, Number.POSITIVE_INFINITY);
  }
}
