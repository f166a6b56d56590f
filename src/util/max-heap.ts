/**
 * A binary heap of distinct items by priority: the greatest at hand at once, any item's priority changed in O(log n).
 *
 * Array order: the children of index i are 2i+1 and 2i+2. Of equal priorities none passes another, so that a seeded run repeats.
 */
export class MaxHeap<T> {
  private readonly items: T[] = [];
  private readonly priorities: number[] = [];
  private readonly index = new Map<T, number>();

  get size(): number {
    return this.items.length;
  }

  /** An item of the greatest priority, null when empty. */
  get max(): T | null {
    return this.items.length > 0 ? this.items[0] : null;
  }

  /** 0 for an item that is not there. */
  priority(item: T): number {
    const at = this.index.get(item);
    return at === undefined ? 0 : this.priorities[at];
  }

  /** Adds an item or changes its priority; 0 takes it out. */
  set(item: T, priority: number): void {
    let at = this.index.get(item);
    if (priority === 0) {
      if (at !== undefined) this.remove(item, at);
      return;
    }
    if (at === undefined) {
      at = this.items.length;
      this.put(at, item, priority);
    } else this.priorities[at] = priority;
    this.settle(at);
  }

  private remove(item: T, at: number): void {
    this.index.delete(item);
    const last = this.items.length - 1;
    const moved = this.items[last];
    const priority = this.priorities[last];
    this.items.length = this.priorities.length = last;
    if (at === last) return;
    this.put(at, moved, priority);
    this.settle(at);
  }

  private put(at: number, item: T, priority: number): void {
    this.items[at] = item;
    this.priorities[at] = priority;
    this.index.set(item, at);
  }

  private swap(a: number, b: number): void {
    const item = this.items[a];
    const priority = this.priorities[a];
    this.put(a, this.items[b], this.priorities[b]);
    this.put(b, item, priority);
  }

  /** Up while greater than the parent, down while less than a child. */
  private settle(start: number): void {
    const { priorities } = this;
    let at = start;
    for (let up = (at - 1) >> 1; at > 0 && priorities[at] > priorities[up]; up = (at - 1) >> 1) {
      this.swap(at, up);
      at = up;
    }
    for (;;) {
      const left = 2 * at + 1;
      if (left >= priorities.length) return;
      const right = left + 1;
      const hasRight = right < priorities.length && priorities[right] > priorities[left];
      const child = hasRight ? right : left;
      if (priorities[child] <= priorities[at]) return;
      this.swap(at, child);
      at = child;
    }
  }
}
