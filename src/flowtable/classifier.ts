/**
 * The door of a classifier: entries with priorities and matches, and the question which of those that
 * match a flow has the highest priority.
 *
 * `mask` collects the bits that the answer depends on (un-wildcarding): any flow equal under the mask gets
 * the same answer. Between entries of the same priority that overlap, either may win, as OpenFlow leaves
 * it, but always the same one for the same contents.
 *
 * tuple-space.ts is the fast one, linear.ts the oracle; test/flowtable runs one suite on both.
 */
import type { Match } from './match.ts';

export interface Classified {
  readonly priority: number;
  readonly match: Match;
}

export interface Classifier<E extends Classified> {
  readonly size: number;
  /** Best entry for a dense flow of FLOW_WORDS; ORs the consulted bits into `mask` when given. */
  lookup(flow: Uint32Array, mask: Uint32Array | null): E | null;
  /** The entry with exactly this match and priority. */
  find(match: Match, priority: number): E | null;
  /** Adds an entry and returns the one of the same match and priority that it displaces. */
  insert(entry: E): E | null;
  /** Returns whether this very entry was in it. */
  remove(entry: E): boolean;
  /** A snapshot: safe against insert and remove while it is walked. Order: priority, highest first. */
  entries(): E[];
}
