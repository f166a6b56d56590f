/**
 * Installed megaflows by hash and in the order of installation, as lists over slot numbers: nothing is allocated for a
 * megaflow that comes, and nothing is left of one that goes.
 */
import { FLOW_SLOTS } from '../datapath/datapath.ts';
import { hashKey, type Ukey, type UkeyMask } from './ukey.ts';

const BUCKETS = FLOW_SLOTS / 2;
const NONE = -1;

export class UkeyIndex {
  /** By slot. */
  private readonly ukeys: (Ukey | undefined)[] = [];
  private readonly hashes = new Int32Array(FLOW_SLOTS);
  /** First slot + 1 of each bucket, 0 for none; then the slot + 1 behind each. */
  private readonly buckets = new Int32Array(BUCKETS);
  private readonly chained = new Int32Array(FLOW_SLOTS);
  /** Neighbours in the order of installation; read only for slots in use. */
  private readonly before = new Int32Array(FLOW_SLOTS);
  private readonly behind = new Int32Array(FLOW_SLOTS);
  private first = NONE;
  private last = NONE;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The megaflow with this mask that covers a dense key. */
  find(mask: UkeyMask, key: Uint32Array): Ukey | null {
    const hash = hashKey(mask, key);
    for (let at = this.buckets[hash & (BUCKETS - 1)]; at !== 0; at = this.chained[at - 1]) {
      if (this.hashes[at - 1] !== hash) continue;
      const ukey = this.ukeys[at - 1] as Ukey;
      if (ukey.mask === mask && ukey.covers(key)) return ukey;
    }
    return null;
  }

  /** `key`: the dense key that the megaflow was made from. */
  add(ukey: Ukey, key: Uint32Array): void {
    const { id } = ukey;
    const hash = hashKey(ukey.mask, key);
    const bucket = hash & (BUCKETS - 1);
    this.ukeys[id] = ukey;
    this.hashes[id] = hash;
    this.chained[id] = this.buckets[bucket];
    this.buckets[bucket] = id + 1;
    this.before[id] = this.last;
    this.behind[id] = NONE;
    if (this.last === NONE) this.first = id;
    else this.behind[this.last] = id;
    this.last = id;
    this.count++;
  }

  delete({ id }: Ukey): void {
    const bucket = this.hashes[id] & (BUCKETS - 1);
    if (this.buckets[bucket] === id + 1) this.buckets[bucket] = this.chained[id];
    else {
      let at = this.buckets[bucket];
      while (this.chained[at - 1] !== id + 1) at = this.chained[at - 1];
      this.chained[at - 1] = this.chained[id];
    }
    const before = this.before[id];
    const behind = this.behind[id];
    if (before === NONE) this.first = behind;
    else this.behind[before] = behind;
    if (behind === NONE) this.last = before;
    else this.before[behind] = before;
    this.ukeys[id] = undefined;
    this.count--;
  }

  /** In the order of installation, as they are now. */
  list(): Ukey[] {
    const all: Ukey[] = [];
    for (let id = this.first; id !== NONE; id = this.behind[id]) all.push(this.ukeys[id] as Ukey);
    return all;
  }
}
