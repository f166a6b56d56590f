/**
 * The guest's side of a vhost-user port, for tests: a virtio-net driver with its rings and buffers in a file, and the front-end that
 * tells a session of them as qemu would.
 *
 * Memory: descriptor tables, available and used rings of both queues, then receive buffers, then room for what is transmitted.
 */
import { closeSync, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Feature, Request } from '../../src/config/netdev/vhost-user/messages.ts';
import type { VhostSession } from '../../src/config/netdev/vhost-user/session.ts';
import type { FrameOffload } from '../../src/datapath/datapath.ts';
import { Doorbell, openEventfd } from '../../src/sys/eventfd.ts';
import { fcntl, viewOf } from '../../src/sys/libc.ts';
import { type Mapping, mapShared, unmap } from '../../src/sys/shared-memory.ts';

const GUEST_BASE = 0x4000_0000;
const USER_BASE = 0x7f00_0000_0000;
const MEMORY_BYTES = 8 << 20;
export const RING_ENTRIES = 256;
const TABLE_BYTES = RING_ENTRIES * 16;
/** Of a ring: table, available, used. */
const RING_AREA = 3 * TABLE_BYTES;
const BUFFERS_AT = 2 * RING_AREA;
const BUFFER_BYTES = 2048;
const SENT_AT = BUFFERS_AT + RING_ENTRIES * BUFFER_BYTES;
const F_NEXT = 1;
const F_WRITE = 2;
const F_DUPFD_CLOEXEC = 1030;

export const ALL_FEATURES = Object.values(Feature).reduce((sum, bit) => sum | bit, 0n);

let serial = 0;

export interface Collected {
  readonly frame: Uint8Array;
  readonly offload: FrameOffload;
}

export class VirtioDriver {
  readonly memory: Mapping;
  readonly view: DataView;
  /** Rung by the guest when it transmits. */
  readonly kick = new Doorbell(openEventfd());
  /** Rung by the port, a ring each. */
  readonly calls = [new Doorbell(openEventfd()), new Doorbell(openEventfd())];
  private readonly fd: number;
  private readonly bytes: Uint8Array;
  private readonly headerBytes: number;
  private readonly features: bigint;
  private sentAt = SENT_AT;
  private nextDescriptor = 0;
  private readonly usedSeen = [0, 0];

  constructor(features = ALL_FEATURES) {
    const path = join(tmpdir(), `virtio-driver-${process.pid}-${serial++}`);
    this.fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    ftruncateSync(this.fd, MEMORY_BYTES);
    this.memory = mapShared(this.fd, MEMORY_BYTES, path);
    const buffer = viewOf(this.memory.address, MEMORY_BYTES);
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
    this.features = features;
    this.headerBytes = (features & (Feature.VERSION_1 | Feature.MRG_RXBUF)) !== 0n ? 12 : 10;
    const size = this.isMergeable ? BUFFER_BYTES : 8 * BUFFER_BYTES;
    for (let i = 0; i < (RING_ENTRIES * BUFFER_BYTES) / size; i++) {
      this.describe(0, i, BUFFERS_AT + i * size, size, F_WRITE, 0);
      this.offer(0, i);
    }
  }

  private get isMergeable(): boolean {
    return (this.features & Feature.MRG_RXBUF) !== 0n;
  }

  /** Says to a session all that qemu says when a driver is ready. */
  async handshake(session: VhostSession): Promise<void> {
    await this.tell(session, Request.SET_FEATURES, this.numbers(this.features));
    await this.shareMemory(session);
    for (const ring of [0, 1]) {
      await this.tell(session, Request.SET_VRING_NUM, this.state(ring, RING_ENTRIES));
      await this.tell(session, Request.SET_VRING_BASE, this.state(ring, 0));
      await this.tell(session, Request.SET_VRING_ADDR, this.ringAddresses(ring));
      await this.tell(session, Request.SET_VRING_CALL, this.numbers(BigInt(ring)), [
        this.calls[ring].fd,
      ]);
      const kick = ring === 1 ? this.kick.fd : this.calls[0].fd;
      await this.tell(session, Request.SET_VRING_KICK, this.numbers(BigInt(ring)), [kick]);
      await this.tell(session, Request.SET_VRING_ENABLE, this.state(ring, 1));
    }
  }

  async shareMemory(session: VhostSession, bytes = MEMORY_BYTES): Promise<void> {
    const table = this.numbers(1n, BigInt(GUEST_BASE), BigInt(bytes), BigInt(USER_BASE), 0n);
    await this.tell(session, Request.SET_MEM_TABLE, table, [this.fd]);
  }

  /** Sends a message, with copies of descriptors as they would come over a socket. Resolves to the payload of the answer. */
  tell(
    session: VhostSession,
    request: number,
    payload: DataView,
    fds: readonly number[] = [],
  ): Promise<Uint8Array | undefined> {
    const head = { request, needsReply: false, payloadBytes: payload.byteLength };
    const copies = fds.map((fd) => fcntl(fd, F_DUPFD_CLOEXEC, 0));
    return session.take(head, payload, copies);
  }

  state(ring: number, value: number): DataView {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, ring, true);
    view.setUint32(4, value, true);
    return view;
  }

  numbers(...values: bigint[]): DataView {
    const view = new DataView(new ArrayBuffer(values.length * 8));
    values.forEach((value, i) => {
      view.setBigUint64(i * 8, value, true);
    });
    return view;
  }

  /** Transmits: header and frame in descriptors of their own, long frames in several. */
  transmit(frame: Uint8Array, offload: FrameOffload): void {
    const total = this.headerBytes + frame.length;
    if (this.sentAt + total > MEMORY_BYTES) this.sentAt = SENT_AT;
    const at = this.sentAt;
    this.sentAt += total;
    const { view } = this;
    this.bytes.fill(0, at, at + this.headerBytes);
    view.setUint8(at, offload.flags);
    view.setUint8(at + 1, offload.gsoType);
    view.setUint16(at + 2, offload.headerBytes, true);
    view.setUint16(at + 4, offload.gsoSize, true);
    view.setUint16(at + 6, offload.csumStart, true);
    view.setUint16(at + 8, offload.csumOffset, true);
    this.bytes.set(frame, at + this.headerBytes);
    const cuts = [0, this.headerBytes];
    for (let cut = this.headerBytes + 4096; cut < total; cut += 4096) cuts.push(cut);
    const head = this.nextDescriptor;
    cuts.forEach((cut, i) => {
      const isLast = i === cuts.length - 1;
      const index = this.nextDescriptor;
      this.nextDescriptor = (index + 1) % RING_ENTRIES;
      const bytes = (isLast ? total : cuts[i + 1]) - cut;
      this.describe(1, index, at + cut, bytes, isLast ? 0 : F_NEXT, this.nextDescriptor);
    });
    this.offer(1, head);
    this.kick.ring();
  }

  /** What the port has put into the receive buffers, which are offered again. */
  collect(): Collected[] {
    const frames: Collected[] = [];
    let waiting = (this.usedIndex(0) - this.usedSeen[0]) & 0xffff;
    const take = (): { at: number; bytes: number } => {
      const entry = 2 * TABLE_BYTES + 4 + (this.usedSeen[0] % RING_ENTRIES) * 8;
      const id = this.view.getUint32(entry, true);
      this.usedSeen[0] = (this.usedSeen[0] + 1) & 0xffff;
      waiting--;
      const at = Number(this.view.getBigUint64(id * 16, true)) - GUEST_BASE;
      const bytes = this.view.getUint32(entry + 4, true);
      this.offer(0, id);
      return { at, bytes };
    };
    while (waiting > 0) {
      const first = take();
      const header = this.view;
      const offload = {
        flags: header.getUint8(first.at),
        gsoType: header.getUint8(first.at + 1),
        headerBytes: header.getUint16(first.at + 2, true),
        gsoSize: header.getUint16(first.at + 4, true),
        csumStart: header.getUint16(first.at + 6, true),
        csumOffset: header.getUint16(first.at + 8, true),
      };
      const count = this.isMergeable ? header.getUint16(first.at + 10, true) : 1;
      const parts = [this.bytes.slice(first.at + this.headerBytes, first.at + first.bytes)];
      for (let i = 1; i < count; i++) {
        const { at, bytes } = take();
        parts.push(this.bytes.slice(at, at + bytes));
      }
      frames.push({ frame: Uint8Array.from(Buffer.concat(parts)), offload });
    }
    return frames;
  }

  /** How far the port has gone in giving a ring's chains back. */
  usedIndex(ring: number): number {
    return this.view.getUint16(ring * RING_AREA + 2 * TABLE_BYTES + 2, true);
  }

  /** Writes descriptor `index` of a ring; `at` counts from the beginning of the guest's memory. */
  describe(
    ring: number,
    index: number,
    at: number,
    bytes: number,
    flags: number,
    next: number,
  ): void {
    const place = ring * RING_AREA + index * 16;
    this.view.setBigUint64(place, BigInt(GUEST_BASE + at), true);
    this.view.setUint32(place + 8, bytes, true);
    this.view.setUint16(place + 12, flags, true);
    this.view.setUint16(place + 14, next, true);
  }

  /** Makes a chain available. */
  offer(ring: number, head: number): void {
    const available = ring * RING_AREA + TABLE_BYTES;
    const index = this.view.getUint16(available + 2, true);
    this.view.setUint16(available + 4 + (index % RING_ENTRIES) * 2, head, true);
    this.view.setUint16(available + 2, (index + 1) & 0xffff, true);
  }

  /** Says that so many chains are available, whatever there is. */
  claim(ring: number, index: number): void {
    this.view.setUint16(ring * RING_AREA + TABLE_BYTES + 2, index & 0xffff, true);
  }

  close(): void {
    this.kick.close();
    for (const call of this.calls) call.close();
    unmap(this.memory);
    closeSync(this.fd);
  }

  private ringAddresses(ring: number): DataView {
    const at = BigInt(USER_BASE + ring * RING_AREA);
    return this.numbers(
      BigInt(ring),
      at,
      at + BigInt(2 * TABLE_BYTES),
      at + BigInt(TABLE_BYTES),
      0n,
    );
  }
}
