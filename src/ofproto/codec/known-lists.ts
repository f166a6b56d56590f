/** Lists by the bytes they were read from: controllers give few different ones to very many flows. */
import type { KnownLists } from './reader.ts';

/** Of at most 256 bytes each. */
const MAX_LISTS = 4096;

export class ListsByBytes<T> implements KnownLists<T> {
  private readonly lists = new Map<string, T>();

  find(bytes: string): T | undefined {
    return this.lists.get(bytes);
  }

  /** Begins anew when there are too many: what is still used comes again. */
  keep(bytes: string, list: T): void {
    if (this.lists.size >= MAX_LISTS) this.lists.clear();
    this.lists.set(bytes, list);
  }
}
