/**
 * The door of a classifier: entries with priorities and matches, and the question which of those that
 * match a flow has the highest priority.
 *
 * `mask` collects the bits that the answer depends on (un-wildcarding): any flow equal under the mask gets
 * the same answer. Between entries of the same priority that overlap, either may win, as OpenFlow leaves
 * it, but always the same one for the same contents.
 *
 * Entries with conjunctions are clauses and never the answer themselves: when a flow matches, at one priority,
 * an entry for each clause of a conjunction, it is looked up again with conj_id set to the conjunction's id
 * (ovs-fields(7), "Conjunctive Match Fields"). Of several complete ones the lowest id is tried first.
 *
 * tuple-space.ts is the fast one, linear.ts the oracle; test/flowtable runs one suite on both.
 */
import type { Match } from './match.ts';

export interface Conjunction {
  readonly id: number;
  /** From 0 on. */
  readonly clause: number;
  readonly clauses: number;
}

export interface Classified {
  readonly priority: number;
  readonly match: Match;
  /** Null or missing for an ordinary entry. */
  readonly conjunctions?: readonly Conjunction[] | null;
}

export interface Classifier<E extends Classified> {
  readonly size: number;
  /** Best entry for a dense flow of FLOW_WORDS; ORs the consulted bits into `mask` when given. */
  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null;
  /** The same match, in memory that it shares with entries of the same mask. */
  sharing(match: Match): Match;
  /** The entry with exactly this match and priority. */
  find(match: Match, priority: number): E | null;
  /** Adds an entry and returns the one of the same match and priority that it displaces. */
  insert(entry: E): E | null;
  /** Returns whether this very entry was in it. */
  remove(entry: E): boolean;
  /** A snapshot: safe against insert and remove while it is walked. Order: priority, highest first. */
  entries(): E[];
  /** All that match at least what `match` matches on, with its values (OpenFlow's loose match). A snapshot. */
  within(match: Match): E[];
  /** True when some other match of the same priority has flows in common with `match`. */
  overlaps(match: Match, priority: number): boolean;
}

/** Ids of the conjunctions of which `entries`, all of one priority, have every clause; ascending. */
export function completeConjunctions(entries: readonly Classified[]): number[] {
  // id -> bits of the clauses seen, and how many there are.
  const seen = new Map<number, { bits: bigint; clauses: number }>();
  for (const entry of entries) {
    for (const c of entry.conjunctions ?? []) {
      const s = seen.get(c.id);
      if (s === undefined) seen.set(c.id, { bits: 1n << BigInt(c.clause), clauses: c.clauses });
      // Entries that disagree about the number of clauses do not go together.
      else if (s.clauses === c.clauses) s.bits |= 1n << BigInt(c.clause);
    }
  }
  const complete: number[] = [];
  for (const [id, s] of seen) {
    if (s.bits === (1n << BigInt(s.clauses)) - 1n) complete.push(id);
  }
  return complete.sort((a, b) => a - b);
}
