/**
 * Action programs, equal ones kept once and counted: thousands of megaflows that go out by one port cost the memory of one
 * program, and its words are in the processor's cache.
 */
import { sameWords } from './program.ts';

interface Kept {
  readonly program: Int32Array;
  users: number;
}

export class ProgramPool {
  /** By hash; the few of one hash side by side. */
  private readonly byHash = new Map<number, Kept[]>();

  /** The kept program that is equal to `program`, which becomes the kept one if there is none. One drop() is owed. */
  keep(program: Int32Array): Int32Array {
    const hash = hashOf(program);
    const alike = this.byHash.get(hash);
    const kept = alike?.find((other) => sameWords(other.program, program));
    if (kept !== undefined) {
      kept.users++;
      return kept.program;
    }
    const first = { program, users: 1 };
    if (alike === undefined) this.byHash.set(hash, [first]);
    else alike.push(first);
    return program;
  }

  /** Gives back what keep() returned. */
  drop(program: Int32Array): void {
    const hash = hashOf(program);
    const alike = this.byHash.get(hash) ?? [];
    const at = alike.findIndex((other) => other.program === program);
    if (at < 0 || --alike[at].users > 0) return;
    alike.splice(at, 1);
    if (alike.length === 0) this.byHash.delete(hash);
  }

  /** Different programs at hand. */
  get size(): number {
    let size = 0;
    for (const alike of this.byHash.values()) size += alike.length;
    return size;
  }
}

function hashOf(program: Int32Array): number {
  let h = program.length;
  for (let i = 0; i < program.length; i++)
    h = Math.imul((h << 5) ^ (h >>> 27) ^ program[i], 0x9e3779b1);
  return h;
}
