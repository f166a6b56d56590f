/**
 * A conversation with one front-end (qemu): takes its messages one after the other, and keeps what the datapath needs to know in the
 * port's control page.
 *
 * Whatever the datapath may be using is taken away in two steps: its rings are disabled, and `settled` (a barrier of the datapath)
 * has passed. So messages that stop something are answered later than they came, and those behind wait.
 */
import {
  AVAILABLE,
  CALL_FD,
  DESCRIPTORS,
  ENABLED,
  HEADER_BYTES as FRAME_HEADER_BYTES,
  GENERATION,
  GUEST_ADDRESS,
  GUEST_TRANSMITS,
  HOST_ADDRESS,
  IS_MERGEABLE,
  KICK_FD,
  MEMORY_PIECES,
  NEXT_AVAILABLE,
  PIECE_BYTES,
  pieceNumber,
  RING_COUNT,
  ringNumber,
  ringWord,
  SIZE,
  TAKES_OFFLOAD,
  USED,
  type VhostControl,
} from '../../../datapath/vhost-control.ts';
import type { Epoll } from '../../../sys/epoll.ts';
import { close } from '../../../sys/libc.ts';
import { type Mapping, mapShared, unmap } from '../../../sys/shared-memory.ts';
import {
  Feature,
  type Head,
  type MemoryPiece,
  memoryTableOf,
  PROTOCOL_F_REPLY_ACK,
  Request,
  type RingAddresses,
  ringAddressesOf,
  ringFdOf,
  stateOf,
  statePayload,
  u64Of,
  u64Payload,
} from './messages.ts';

const { GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, MRG_RXBUF, PROTOCOL_FEATURES, VERSION_1 } = Feature;
const OFFERED = Object.values(Feature).reduce((sum, bit) => sum | bit, 0n);
const FOR_OFFLOAD = GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6;
const MAX_RING_ENTRIES = 32_768;

interface Ring {
  size: number;
  /** Where the front-end has it. */
  addresses: RingAddresses | null;
  kickFd: number;
  callFd: number;
  isStarted: boolean;
  isEnabled: boolean;
}

interface Piece extends MemoryPiece {
  readonly mapping: Mapping;
}

export interface SessionDeps {
  readonly control: VhostControl;
  /** What the datapath waits on. */
  readonly epoll: Epoll;
  /** Resolves when the datapath has seen all that was written before. */
  readonly settled: () => Promise<void>;
}

/** What a front-end did wrong: the connection ends with these words in the log. */
class ProtocolError extends Error {}

type Handler = (
  payload: DataView,
  fds: number[],
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

export class VhostSession {
  /** What was agreed on. */
  features = 0n;
  private readonly deps: SessionDeps;
  private readonly rings: Ring[] = Array.from({ length: RING_COUNT }, () => ({
    size: 0,
    addresses: null,
    kickFd: -1,
    callFd: -1,
    isStarted: false,
    isEnabled: false,
  }));
  private pieces: Piece[] = [];
  private readonly handlers: Readonly<Record<number, Handler>> = {
    [Request.GET_FEATURES]: () => u64Payload(OFFERED),
    [Request.SET_FEATURES]: (payload) => this.setFeatures(payload),
    [Request.SET_OWNER]: () => undefined,
    [Request.RESET_OWNER]: () => this.quiesce(),
    [Request.SET_MEM_TABLE]: (payload, fds) => this.setMemory(payload, fds),
    [Request.SET_VRING_NUM]: (payload) => {
      const { ring, value } = this.stateIn(payload);
      const isPower = value > 0 && (value & (value - 1)) === 0;
      if (!isPower || value > MAX_RING_ENTRIES)
        throw new ProtocolError(`a ring of ${value} entries`);
      return this.change(ring, (it) => {
        it.size = value;
      });
    },
    [Request.SET_VRING_ADDR]: (payload) => {
      const addresses = ringAddressesOf(payload);
      if (addresses === null) throw new ProtocolError('ring addresses cut short');
      return this.change(addresses.ring, (it) => {
        it.addresses = addresses;
      });
    },
    [Request.SET_VRING_BASE]: (payload) => {
      const { ring, value } = this.stateIn(payload);
      return this.change(ring, () => {
        this.deps.control.words[ringWord(ring, NEXT_AVAILABLE)] = value & 0xffff;
      });
    },
    [Request.GET_VRING_BASE]: async (payload) => {
      const { ring } = this.stateIn(payload);
      await this.change(ring, (it) => {
        it.isStarted = false;
        it.kickFd = closed(it.kickFd);
        it.callFd = closed(it.callFd);
      });
      return statePayload(ring, this.deps.control.words[ringWord(ring, NEXT_AVAILABLE)]);
    },
    [Request.SET_VRING_KICK]: (payload, fds) =>
      this.setFd(payload, fds, (ring, fd) => {
        closed(ring.kickFd);
        ring.kickFd = fd;
        ring.isStarted = true;
      }),
    [Request.SET_VRING_CALL]: (payload, fds) =>
      this.setFd(payload, fds, (ring, fd) => {
        closed(ring.callFd);
        ring.callFd = fd;
      }),
    [Request.SET_VRING_ERR]: () => undefined,
    [Request.GET_PROTOCOL_FEATURES]: () => u64Payload(PROTOCOL_F_REPLY_ACK),
    [Request.SET_PROTOCOL_FEATURES]: () => undefined,
    [Request.GET_QUEUE_NUM]: () => u64Payload(1n),
    [Request.SET_VRING_ENABLE]: (payload) => {
      const { ring, value } = this.stateIn(payload);
      return this.change(ring, (it) => {
        it.isEnabled = value === 1;
      });
    },
  };

  constructor(deps: SessionDeps) {
    this.deps = deps;
  }

  /** True when frames move both ways. */
  get isUp(): boolean {
    return this.rings.every((ring) => this.isUsable(ring));
  }

  /**
   * Carries a message out and resolves to the payload of its answer, undefined for none. Descriptors that it does not keep are
   * closed. Rejects with ProtocolError or SystemError: the connection cannot go on.
   */
  async take(
    { request, needsReply }: Head,
    payload: DataView,
    fds: number[],
  ): Promise<Uint8Array | undefined> {
    try {
      const handler = this.handlers[request];
      if (handler === undefined) {
        // Nothing else was offered; a front-end that asks all the same hears that it failed.
        if (needsReply) return u64Payload(1n);
        throw new ProtocolError(`unknown request ${request}`);
      }
      const answer = await handler(payload, fds);
      return answer ?? (needsReply ? u64Payload(0n) : undefined);
    } finally {
      for (const fd of fds) close(fd);
    }
  }

  /** The front-end is gone: nothing of it is used any more once this resolves. */
  async close(): Promise<void> {
    await this.quiesce();
    for (const ring of this.rings) {
      ring.kickFd = closed(ring.kickFd);
      ring.callFd = closed(ring.callFd);
    }
    this.forgetMemory();
  }

  private setFeatures(payload: DataView): undefined | Promise<undefined> {
    const features = u64Of(payload);
    if (features === null || (features & ~OFFERED) !== 0n)
      throw new ProtocolError(`features 0x${(features ?? 0n).toString(16)} were not offered`);
    this.features = features;
    return this.changeAll(() => {});
  }

  private setFd(
    payload: DataView,
    fds: number[],
    put: (ring: Ring, fd: number) => void,
  ): Promise<undefined> {
    const about = ringFdOf(payload);
    if (about === null) throw new ProtocolError('a descriptor of no ring');
    return this.change(about.ring, (ring) => {
      const fd = about.hasFd ? fds.shift() : undefined;
      put(ring, fd ?? -1);
    });
  }

  private setMemory(payload: DataView, fds: number[]): Promise<undefined> {
    const table = memoryTableOf(payload);
    if (table === null || fds.length < table.length)
      throw new ProtocolError('a memory table without its memory');
    return this.changeAll(() => {
      this.forgetMemory();
      table.forEach((piece, i) => {
        const mapping = mapShared(fds[i], piece.offset + piece.bytes, "a guest's memory");
        this.pieces.push({ ...piece, mapping });
      });
    });
  }

  private forgetMemory(): void {
    for (const { mapping } of this.pieces) unmap(mapping);
    this.pieces = [];
  }

  private stateIn(payload: DataView): { ring: number; value: number } {
    const state = stateOf(payload);
    if (state === null || state.ring >= RING_COUNT)
      throw new ProtocolError('a ring that there is not');
    return state;
  }

  /** Changes a ring, which rests meanwhile if it is in use. */
  private async change(index: number, edit: (ring: Ring) => void): Promise<undefined> {
    const ring = this.rings[index];
    if (ring === undefined) throw new ProtocolError(`ring ${index}, of ${RING_COUNT}`);
    const { words } = this.deps.control;
    if (words[ringWord(index, ENABLED)] === 1) {
      this.disable(index);
      await this.settle();
    }
    edit(ring);
    this.publish();
  }

  private async changeAll(edit: () => void): Promise<undefined> {
    await this.quiesce();
    edit();
    this.publish();
  }

  /** Takes all rings out of use. */
  private async quiesce(): Promise<undefined> {
    for (let ring = 0; ring < RING_COUNT; ring++) this.disable(ring);
    await this.settle();
  }

  private disable(index: number): void {
    const { control, epoll } = this.deps;
    if (index === GUEST_TRANSMITS && this.rings[index].kickFd >= 0)
      epoll.remove(this.rings[index].kickFd);
    control.words[ringWord(index, ENABLED)] = 0;
  }

  private settle(): Promise<void> {
    Atomics.add(this.deps.control.words, GENERATION, 1);
    return this.deps.settled();
  }

  private isUsable(ring: Ring): boolean {
    const isEnabled = ring.isEnabled || (this.features & PROTOCOL_FEATURES) === 0n;
    return ring.isStarted && isEnabled && ring.size > 0 && this.ringAt(ring) !== null;
  }

  /** The three addresses of a ring in this process; null when not all of it lies in shared memory. */
  private ringAt({
    size,
    addresses,
  }: Ring): Record<'descriptors' | 'available' | 'used', number> | null {
    if (addresses === null) return null;
    const descriptors = this.hostAddress(addresses.descriptors, 16 * size);
    const available = this.hostAddress(addresses.available, 6 + 2 * size);
    const used = this.hostAddress(addresses.used, 6 + 8 * size);
    const isAligned = descriptors % 16 === 0 && available % 2 === 0 && used % 4 === 0;
    return descriptors < 0 || available < 0 || used < 0 || !isAligned
      ? null
      : { descriptors, available, used };
  }

  private hostAddress(userAddress: number, bytes: number): number {
    for (const { userAddress: from, bytes: size, offset, mapping } of this.pieces)
      if (userAddress >= from && userAddress + bytes <= from + size)
        return mapping.address + offset + (userAddress - from);
    return -1;
  }

  /** Writes what is in force into the control page. */
  private publish(): void {
    const { control, epoll } = this.deps;
    const { words, numbers } = control;
    const has = (feature: bigint): boolean => (this.features & feature) === feature;
    words[FRAME_HEADER_BYTES] = has(VERSION_1) || has(MRG_RXBUF) ? 12 : 10;
    words[TAKES_OFFLOAD] = has(FOR_OFFLOAD) ? 1 : 0;
    words[IS_MERGEABLE] = has(MRG_RXBUF) ? 1 : 0;
    words[MEMORY_PIECES] = this.pieces.length;
    this.pieces.forEach(({ guestAddress, bytes, offset, mapping }, i) => {
      numbers[pieceNumber(i, GUEST_ADDRESS)] = guestAddress;
      numbers[pieceNumber(i, PIECE_BYTES)] = bytes;
      numbers[pieceNumber(i, HOST_ADDRESS)] = mapping.address + offset;
    });
    this.rings.forEach((ring, i) => {
      words[ringWord(i, SIZE)] = ring.size;
      words[ringWord(i, KICK_FD)] = ring.kickFd;
      words[ringWord(i, CALL_FD)] = ring.callFd;
      const at = this.ringAt(ring);
      if (at === null || !this.isUsable(ring)) return;
      numbers[ringNumber(i, DESCRIPTORS)] = at.descriptors;
      numbers[ringNumber(i, AVAILABLE)] = at.available;
      numbers[ringNumber(i, USED)] = at.used;
      const isNew = words[ringWord(i, ENABLED)] === 0;
      words[ringWord(i, ENABLED)] = 1;
      if (isNew && i === GUEST_TRANSMITS && ring.kickFd >= 0) epoll.add(ring.kickFd, 0);
    });
    Atomics.add(words, GENERATION, 1);
  }
}

/** Closes a descriptor that is one; -1. */
function closed(fd: number): number {
  if (fd >= 0) close(fd);
  return -1;
}
