/** Advisory locks of clients (RFC 7047 section 4.1.8): for each name a queue of sessions, whose first has the lock. */
export interface LockHolder {
  /** `locked` or `stolen`. */
  notify(method: string, params: string[]): void;
}

export class Locks {
  private readonly queues = new Map<string, LockHolder[]>();

  isOwner(holder: LockHolder, name: string): boolean {
    return this.queues.get(name)?.[0] === holder;
  }

  isWaiting(holder: LockHolder, name: string): boolean {
    return this.queues.get(name)?.includes(holder) ?? false;
  }

  /** Number of names that this session has or waits for. */
  countOf(holder: LockHolder): number {
    let count = 0;
    for (const queue of this.queues.values()) if (queue.includes(holder)) count++;
    return count;
  }

  /** Returns true when the lock is the caller's now. */
  lock(holder: LockHolder, name: string): boolean {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    queue.push(holder);
    return queue[0] === holder;
  }

  /** Takes the lock from whoever has it, who is told and goes on waiting behind. */
  steal(holder: LockHolder, name: string): void {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    const victim = queue[0];
    queue.unshift(holder);
    victim?.notify('stolen', [name]);
  }

  unlock(holder: LockHolder, name: string): void {
    const queue = this.queues.get(name);
    const at = queue?.indexOf(holder) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.queues.delete(name);
    else if (at === 0) queue[0].notify('locked', [name]);
  }

  unlockAll(holder: LockHolder): void {
    for (const name of [...this.queues.keys()]) this.unlock(holder, name);
  }
}
