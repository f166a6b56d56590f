/**
 * The device's side of a split virtqueue in a guest's memory (virtio 1.2, 2.7): descriptors that the guest offers, and what was done
 * with them.
 *
 * The guest is not trusted: every address is looked up in the pieces of memory that were shared, every chain has an end. What
 * does not fit marks the queue broken, and it rests until it is set up anew.
 *
 * Copies are made by memcpy(3): descriptors point anywhere in gigabytes, which no view reaches, and a call costs some 50 ns.
 */
import { memcpy, viewOf } from '../sys/libc.ts';
import {
  AVAILABLE,
  DESCRIPTORS,
  GUEST_ADDRESS,
  HOST_ADDRESS,
  MEMORY_PIECES,
  NEXT_AVAILABLE,
  PIECE_BYTES,
  pieceNumber,
  ringNumber,
  ringWord,
  SIZE,
  USED,
  type VhostControl,
} from './vhost-control.ts';

/** A descriptor: address (2 words), length, flags and next. */
const DESC_WORDS = 4;
const F_NEXT = 1;
const F_WRITE = 2;
const F_INDIRECT = 4;

/** Available ring, 16-bit: flags, index, entries. */
const AVAIL_NO_INTERRUPT = 1;
/** Used ring: flags and index, 16-bit, then pairs of words. */
const USED_NO_NOTIFY = 1;

export class Virtqueue {
  /** The guest broke the rules. */
  isBroken = false;
  private readonly control: VhostControl;
  private readonly next: number;
  private readonly size: number;
  private readonly descriptors: Uint32Array;
  private readonly available: Uint16Array;
  private readonly used: Uint16Array;
  private readonly usedPairs: Uint32Array;
  /** The entries from here on are not yet told. */
  private usedIndex: number;
  /** Walking: index of the descriptor, bytes gone of it, descriptors that may follow. */
  private at = 0;
  private gone = 0;
  private left = 0;
  private piece = 0;

  /** `ring` is set up in `control`. */
  constructor(control: VhostControl, ring: number) {
    const { words, numbers } = control;
    this.control = control;
    this.next = ringWord(ring, NEXT_AVAILABLE);
    this.size = words[ringWord(ring, SIZE)];
    const { size } = this;
    const table = viewOf(numbers[ringNumber(ring, DESCRIPTORS)], size * DESC_WORDS * 4);
    const available = viewOf(numbers[ringNumber(ring, AVAILABLE)], 4 + size * 2);
    const used = viewOf(numbers[ringNumber(ring, USED)], 4 + size * 8);
    this.descriptors = new Uint32Array(table);
    this.available = new Uint16Array(available);
    this.used = new Uint16Array(used, 0, 2);
    this.usedPairs = new Uint32Array(used, 4);
    this.usedIndex = this.used[1];
  }

  /** Chains that wait. A guest that claims more than there is room for has broken the queue. */
  get waiting(): number {
    if (this.isBroken) return 0;
    const count = (Atomics.load(this.available, 1) - this.control.words[this.next]) & 0xffff;
    if (count > this.size) this.isBroken = true;
    return this.isBroken ? 0 : count;
  }

  /** Goes on where another thread left the queue. */
  catchUp(): void {
    this.usedIndex = this.used[1];
  }

  /** Whether the guest is to tell us of new chains. It may not have seen it yet when this returns: look again. */
  setNotify(on: boolean): void {
    Atomics.store(this.used, 0, on ? 0 : USED_NO_NOTIFY);
  }

  /** Tells the guest of all chains given back. True when it wants to be interrupted for it. */
  publish(): boolean {
    Atomics.store(this.used, 1, this.usedIndex & 0xffff);
    return (Atomics.load(this.available, 0) & AVAIL_NO_INTERRUPT) === 0;
  }

  /** Bytes of chain `ahead` of those that wait, or of its first descriptors until `enough`; -1 when it is none. */
  chainBytes(ahead: number, isWritable: boolean, enough: number): number {
    let at = this.headOf(ahead);
    let bytes = 0;
    for (let left = this.size; left > 0; left--) {
      if (at >= this.size) break;
      const word = at * DESC_WORDS;
      const flags = this.descriptors[word + 3] & 0xffff;
      if ((flags & F_INDIRECT) !== 0 || ((flags & F_WRITE) !== 0) !== isWritable) break;
      bytes += this.descriptors[word + 2];
      if ((flags & F_NEXT) === 0 || bytes >= enough) return bytes;
      at = this.descriptors[word + 3] >>> 16;
    }
    this.isBroken = true;
    return -1;
  }

  /** Begins with the first chain that waits. */
  begin(): void {
    this.at = this.headOf(0);
    this.gone = 0;
    this.left = this.size;
  }

  /** Copies `bytes` of the chain on to `to`. False when the memory is not the guest's. The caller knows that so many are there. */
  read(to: number, bytes: number): boolean {
    return this.copy(to, bytes, false);
  }

  /** Copies `bytes` from `from` on into the chain; false as in read(). */
  write(from: number, bytes: number): boolean {
    return this.copy(from, bytes, true);
  }

  /** Gives the first chain that waits back, with `written` bytes in it; heard by the guest at publish(). */
  giveBack(written: number): void {
    const entry = (this.usedIndex & (this.size - 1)) * 2;
    this.usedPairs[entry] = this.headOf(0);
    this.usedPairs[entry + 1] = written;
    this.usedIndex = (this.usedIndex + 1) & 0xffff;
    const { words } = this.control;
    words[this.next] = (words[this.next] + 1) & 0xffff;
  }

  private headOf(ahead: number): number {
    const at = (this.control.words[this.next] + ahead) & (this.size - 1);
    return this.available[2 + at];
  }

  private copy(ours: number, bytes: number, isWrite: boolean): boolean {
    let done = 0;
    while (done < bytes) {
      const word = this.at * DESC_WORDS;
      const length = this.descriptors[word + 2];
      const some = Math.min(bytes - done, length - this.gone);
      if (some > 0) {
        const guest = this.descriptors[word] + this.descriptors[word + 1] * 2 ** 32 + this.gone;
        const host = this.hostAddress(guest, some);
        if (host < 0) {
          this.isBroken = true;
          return false;
        }
        if (isWrite) memcpy(host, ours + done, some);
        else memcpy(ours + done, host, some);
        done += some;
        this.gone += some;
      }
      if (this.gone >= length && done < bytes) {
        const next = this.descriptors[word + 3] >>> 16;
        // The guest may have changed the chain since it was measured.
        if ((this.descriptors[word + 3] & F_NEXT) === 0 || next >= this.size || --this.left <= 0) {
          this.isBroken = true;
          return false;
        }
        this.at = next;
        this.gone = 0;
      }
    }
    return true;
  }

  /** Where the guest's address is in this process; -1 when not all of it is shared. */
  private hostAddress(guest: number, bytes: number): number {
    const { words, numbers } = this.control;
    const count = words[MEMORY_PIECES];
    for (let i = 0; i < count; i++) {
      const piece = (this.piece + i) % count;
      const offset = guest - numbers[pieceNumber(piece, GUEST_ADDRESS)];
      if (offset >= 0 && offset + bytes <= numbers[pieceNumber(piece, PIECE_BYTES)]) {
        this.piece = piece;
        return numbers[pieceNumber(piece, HOST_ADDRESS)] + offset;
      }
    }
    return -1;
  }
}
