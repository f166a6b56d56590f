/**
 * A ring of records between two threads: one writes, one reads, nobody locks.
 *
 * Layout over a SharedArrayBuffer, in Int32 words: word 0 the reader's position, word 16 the writer's (each on a cache
 * line of its own), records from word 32 on. Positions count words and run on through 2^32; the capacity is a power
 * of two. A record is one word (payload words + 1) and its payload, never wrapped around the end: a 0 in the place
 * of a length says that the rest up to the end is unused. So a record is read and written in place.
 */
const READ = 0;
const WRITE = 16;
const FIRST = 32;

/** A ring for records of up to capacityWords / 2 - 1 words. `capacityWords` is a power of two. */
export function ringBuffer(capacityWords: number): SharedArrayBuffer {
  if (!(capacityWords >= 4) || (capacityWords & (capacityWords - 1)) !== 0) {
    throw new RangeError(`ring capacity ${capacityWords} is no power of two`);
  }
  return new SharedArrayBuffer((FIRST + capacityWords) * 4);
}

export class RingWriter {
  /** The whole buffer; reserve() returns indices into it. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Words. */
  readonly capacity: number;
  /** End of what is published, and of what is reserved. */
  private published: number;
  private reserved: number;
  /** The reader's position when last looked at: it only ever gets better. */
  private readerAt: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.capacity = this.words.length - FIRST;
    this.published = Atomics.load(this.words, WRITE);
    this.reserved = this.published;
    this.readerAt = Atomics.load(this.words, READ);
  }

  /** Longest payload that will fit once the reader has caught up, in words. */
  get longest(): number {
    return this.capacity / 2 - 1;
  }

  /** Index of `count` payload words to fill before publish(), or -1 while there is no room. */
  reserve(count: number): number {
    const at = this.reserved & (this.capacity - 1);
    const tail = this.capacity - at;
    const skip = count + 1 > tail ? tail : 0;
    const total = skip + count + 1;
    if (total > this.free() && total > this.freeNow()) return -1;
    let head = FIRST + at;
    if (skip > 0) {
      this.words[head] = 0;
      head = FIRST;
    }
    this.words[head] = count + 1;
    this.reserved = (this.reserved + total) | 0;
    return head + 1;
  }

  /** Shows the reader all that was reserved. */
  publish(): void {
    this.published = this.reserved;
    Atomics.store(this.words, WRITE, this.published);
  }

  /** Words behind the last record reserved, and what the reader has given back, as positions that run on through 2^32. */
  get position(): number {
    return this.reserved;
  }
  readPosition(): number {
    return Atomics.load(this.words, READ);
  }

  /** Words that no record occupies, by the reader's position when last looked at or, if that is few, now. */
  freeWords(): number {
    const free = this.free();
    return free > this.capacity >>> 1 ? free : this.freeNow();
  }

  private free(): number {
    return this.capacity - ((this.reserved - this.readerAt) | 0);
  }

  private freeNow(): number {
    this.readerAt = Atomics.load(this.words, READ);
    return this.free();
  }
}

export class RingReader {
  /** The whole buffer; next() returns indices into it. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Payload words of the record that next() returned last. */
  count = 0;
  private readonly capacity: number;
  private position: number;
  private end: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.capacity = this.words.length - FIRST;
    this.position = Atomics.load(this.words, READ);
    this.end = this.position;
  }

  /** True when no record is published that next() has not returned. */
  isEmpty(): boolean {
    return Atomics.load(this.words, WRITE) === this.position;
  }

  /** Looks how far the writer is. True when there is a record that next() has not returned. */
  look(): boolean {
    if (this.position === this.end) this.end = Atomics.load(this.words, WRITE);
    return this.position !== this.end;
  }

  /** True when next() has a record without another look at the writer. */
  get hasSeen(): boolean {
    return this.position !== this.end;
  }

  /** Index of the next record's payload, or -1. Its words stay as they are until release(). */
  next(): number {
    if (this.position === this.end) {
      this.end = Atomics.load(this.words, WRITE);
      if (this.position === this.end) return -1;
    }
    let at = this.position & (this.capacity - 1);
    if (this.words[FIRST + at] === 0) {
      this.position = (this.position + this.capacity - at) | 0;
      at = 0;
    }
    const size = this.words[FIRST + at];
    this.count = size - 1;
    this.position = (this.position + size) | 0;
    return FIRST + at + 1;
  }

  /** Gives the room of all records returned so far back to the writer. */
  release(): void {
    Atomics.store(this.words, READ, this.position);
  }
}
