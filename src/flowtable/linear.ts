/** The plain classifier: a list by descending priority, tried one by one. The oracle of tuple-space.ts. */
import type { Classified, Classifier } from './classifier.ts';
import { type Match, matches, orMask, sameMatch } from './match.ts';

export class LinearClassifier<E extends Classified> implements Classifier<E> {
  /** By priority, highest first; equal ones in the order of insertion. */
  private list: E[] = [];

  get size(): number {
    return this.list.length;
  }

  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null {
    for (const entry of this.list) {
      if (mask) orMask(entry.match, mask);
      if (matches(entry.match, flow)) return entry;
    }
    return null;
  }

  find(match: Match, priority: number): E | null {
    return this.list.find((e) => e.priority === priority && sameMatch(e.match, match)) ?? null;
  }

  insert(entry: E): E | null {
    const old = this.find(entry.match, entry.priority);
    if (old) this.remove(old);
    let i = 0;
    while (i < this.list.length && this.list[i].priority >= entry.priority) i++;
    this.list.splice(i, 0, entry);
    return old;
  }

  remove(entry: E): boolean {
    const i = this.list.indexOf(entry);
    if (i < 0) return false;
    this.list.splice(i, 1);
    return true;
  }

  entries(): E[] {
    return this.list.slice();
  }
}
