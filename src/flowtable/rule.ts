/**
 * A rule: one OpenFlow flow entry. Match, priority and cookie say when it applies, actions say what
 * happens, and counters say what has happened. Times are clock milliseconds.
 *
 * A rule that is changed is replaced by a new one that shares its counters: megaflows credit whichever of the
 * two they were translated from.
 */
import type { Action } from './action.ts';
import type { Conjunction } from './classifier.ts';
import type { Match } from './match.ts';

/** OFPFF_* as they were given. */
export interface RuleFlags {
  readonly sendFlowRemoved: boolean;
  readonly checkOverlap: boolean;
  readonly resetCounts: boolean;
  readonly noPacketCounts: boolean;
  readonly noByteCounts: boolean;
  readonly hiddenFields: boolean;
  readonly noReadonly: boolean;
}

const NO_FLAGS: RuleFlags = {
  sendFlowRemoved: false,
  checkOverlap: false,
  resetCounts: false,
  noPacketCounts: false,
  noByteCounts: false,
  hiddenFields: false,
  noReadonly: false,
};

export interface RuleStats {
  packets: number;
  bytes: number;
  /** When traffic was last seen, or the rule was made. */
  usedMs: number;
}

export interface RuleSettings {
  readonly tableId?: number;
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly Action[];
  readonly cookie?: bigint;
  readonly idleTimeoutSeconds?: number;
  readonly hardTimeoutSeconds?: number;
  readonly importance?: number;
  readonly flags?: RuleFlags;
  /** When the flow was first added; now unless it is changed only. */
  readonly createdMs?: number;
  /** Counters to go on with. */
  readonly stats?: RuleStats | undefined;
}

export class Rule {
  readonly tableId: number;
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly Action[];
  readonly cookie: bigint;
  /** fin_timeout shortens both. */
  idleTimeoutSeconds: number;
  hardTimeoutSeconds: number;
  readonly importance: number;
  readonly flags: RuleFlags;
  readonly createdMs: number;
  /** When the rule was last changed or refreshed: the start of the hard timeout. */
  modifiedMs: number;
  readonly stats: RuleStats;
  /** The clauses that the rule is; null for an ordinary rule. */
  readonly conjunctions: readonly Conjunction[] | null;
  isRemoved = false;

  constructor(settings: RuleSettings, nowMs: number) {
    this.tableId = settings.tableId ?? 0;
    this.priority = settings.priority;
    this.match = settings.match;
    this.actions = settings.actions;
    this.cookie = settings.cookie ?? 0n;
    this.idleTimeoutSeconds = settings.idleTimeoutSeconds ?? 0;
    this.hardTimeoutSeconds = settings.hardTimeoutSeconds ?? 0;
    this.importance = settings.importance ?? 0;
    this.flags = settings.flags ?? NO_FLAGS;
    this.createdMs = settings.createdMs ?? nowMs;
    this.modifiedMs = nowMs;
    this.stats = settings.stats ?? { packets: 0, bytes: 0, usedMs: nowMs };
    this.conjunctions = settings.actions.some((a) => a.kind === 'conjunction')
      ? settings.actions.filter((a) => a.kind === 'conjunction')
      : null;
  }

  get packets(): number {
    return this.stats.packets;
  }
  get bytes(): number {
    return this.stats.bytes;
  }
  get usedMs(): number {
    return this.stats.usedMs;
  }

  /** Rules that the switch itself made, which dumps and deletions of users pass over. */
  get isHidden(): boolean {
    return this.priority > 65535;
  }

  /** A rule that takes what nothing else in its table matches (OpenFlow 1.3.5, 5.4). */
  get isTableMiss(): boolean {
    return this.priority === 0 && this.match.words.length === 0;
  }

  /** Adds traffic that this rule decided. `usedMs` never goes back. */
  credit(packets: number, bytes: number, usedMs: number): void {
    const { stats } = this;
    stats.packets += packets;
    stats.bytes += bytes;
    if (usedMs > stats.usedMs) stats.usedMs = usedMs;
  }
}
