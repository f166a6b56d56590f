/**
 * The last transactions of a database, so that a client that comes back soon is told what it missed (monitor_cond_since) and not
 * everything. Bounded by the number of row changes held.
 */
import type { RowChange } from './database.ts';

interface Entry {
  readonly id: string;
  readonly changes: readonly RowChange[];
}

const MAX_CHANGES = 10_000;

export class History {
  private readonly newUuid: () => string;
  private entries: Entry[] = [];
  private held = 0;
  /** The state before the oldest entry. */
  private base: string;

  constructor(newUuid: () => string) {
    this.newUuid = newUuid;
    this.base = newUuid();
  }

  /** Id of the present state. */
  get lastId(): string {
    return this.entries.at(-1)?.id ?? this.base;
  }

  add(changes: readonly RowChange[]): void {
    this.entries.push({ id: this.newUuid(), changes });
    this.held += changes.length;
    while (this.held > MAX_CHANGES && this.entries.length > 0) {
      const oldest = this.entries.shift() as Entry;
      this.held -= oldest.changes.length;
      this.base = oldest.id;
    }
  }

  /** Everything since the state `id`, one change a row; null when that is not known any more. */
  since(id: string): RowChange[] | null {
    const from = id === this.base ? 0 : this.entries.findIndex((entry) => entry.id === id) + 1;
    if (from === 0 && id !== this.base) return null;
    const net = new Map<string, RowChange>();
    for (const { changes } of this.entries.slice(from)) {
      for (const change of changes) {
        const key = `${change.table.schema.name} ${change.uuid}`;
        const earlier = net.get(key);
        net.set(key, earlier === undefined ? change : { ...change, before: earlier.before });
      }
    }
    return [...net.values()].filter(({ before, after }) => before !== after);
  }
}
