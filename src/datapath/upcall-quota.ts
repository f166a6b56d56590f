/**
 * Who may write upcalls into the record ring: no port may take the room that others need.
 *
 * A port may have at most as many words waiting as are free for everybody (a dynamic threshold, Choudhury and Hahne 1998):
 * alone it fills half of the ring, two ports a third each, and there is always room for one that comes late. What a port
 * has waiting is known without asking the reader: records are remembered in a queue, by where they end, and forgotten
 * once the reader's position has passed them.
 */
import type { RingWriter } from './ring.ts';

const PORTS = 65_536;

export class UpcallQuota {
  private readonly ring: RingWriter;
  /** Words waiting, by port. */
  private readonly waiting = new Int32Array(PORTS);
  /** Records in the order of the ring: the writer's position behind each, its port, its words. */
  private readonly ends: Int32Array;
  private readonly owners: Uint16Array;
  private readonly sizes: Int32Array;
  private first = 0;
  private count = 0;

  /** `smallest`: words of the shortest record that will be taken for. */
  constructor(ring: RingWriter, smallest: number) {
    this.ring = ring;
    const most = Math.ceil(ring.capacity / smallest) + 1;
    this.ends = new Int32Array(most);
    this.owners = new Uint16Array(most);
    this.sizes = new Int32Array(most);
  }

  /** True when the port may write a record of `words` words. */
  admits(port: number, words: number): boolean {
    const free = this.ring.freeWords();
    const waiting = this.waiting[port & 0xffff];
    if (waiting + words <= free - words) return true;
    // Only when it looks full is it worth finding out what was read meanwhile.
    this.forget();
    return this.waiting[port & 0xffff] + words <= this.ring.freeWords() - words;
  }

  /** The port has published a record of `words` words. */
  took(port: number, words: number): void {
    if (this.count === this.ends.length) this.forget();
    if (this.count === this.ends.length) return;
    let at = this.first + this.count;
    if (at >= this.ends.length) at -= this.ends.length;
    this.ends[at] = this.ring.position;
    this.owners[at] = port & 0xffff;
    this.sizes[at] = words;
    this.count++;
    this.waiting[port & 0xffff] += words;
  }

  private forget(): void {
    const read = this.ring.readPosition();
    while (this.count > 0 && ((read - this.ends[this.first]) | 0) >= 0) {
      this.waiting[this.owners[this.first]] -= this.sizes[this.first];
      this.count--;
      if (++this.first === this.ends.length) this.first = 0;
    }
  }
}
