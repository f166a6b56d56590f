/** The plain classifier: a list by descending priority, tried one by one. The oracle of tuple-space.ts. */
import { CONJ_ID } from '../packet/key.ts';
import { type Classified, type Classifier, completeConjunctions } from './classifier.ts';
import { type Match, matches, matchesWithin, orMask, overlap, sameMatch } from './match.ts';

export class LinearClassifier<E extends Classified> implements Classifier<E> {
  /** By priority, highest first; equal ones in the order of insertion. */
  private list: E[] = [];

  get size(): number {
    return this.list.length;
  }

  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null {
    const { list } = this;
    for (let i = 0; i < list.length; ) {
      // All of one priority.
      const priority = list[i].priority;
      const clauses: E[] = [];
      for (; i < list.length && list[i].priority === priority; i++) {
        if (mask) orMask(list[i].match, mask);
        if (!matches(list[i].match, flow)) continue;
        if (!list[i].conjunctions) return list[i];
        clauses.push(list[i]);
      }
      for (const id of completeConjunctions(clauses)) {
        const found = this.lookupPlain(flow, mask, id);
        if (found !== null) return found;
      }
    }
    return null;
  }

  private lookupPlain(flow: Uint32Array, mask: Uint32Array | null, conjId: number): E | null {
    const saved = flow[CONJ_ID];
    flow[CONJ_ID] = conjId;
    let found: E | null = null;
    for (const entry of this.list) {
      if (entry.conjunctions) continue;
      if (mask) orMask(entry.match, mask);
      if (!matches(entry.match, flow)) continue;
      found = entry;
      break;
    }
    flow[CONJ_ID] = saved;
    return found;
  }

  sharing(match: Match): Match {
    return match;
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

  within(match: Match): E[] {
    return this.list.filter((e) => matchesWithin(e.match, match));
  }

  overlaps(match: Match, priority: number): boolean {
    return this.list.some((e) => e.priority === priority && overlap(e.match, match));
  }
}
