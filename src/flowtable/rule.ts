/**
 * A rule: one OpenFlow flow entry. Match, priority and cookie say when it applies, actions say what
 * happens, and counters say what has happened. Times are clock milliseconds.
 */
import type { Action } from './action.ts';
import type { Match } from './match.ts';

export interface RuleSettings {
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly Action[];
  readonly cookie?: bigint;
  readonly idleTimeoutMs?: number;
  readonly hardTimeoutMs?: number;
  /** True for rules that the switch itself made, which dumps and deletions of users pass over. */
  readonly hidden?: boolean;
}

export class Rule {
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly Action[];
  readonly cookie: bigint;
  readonly idleTimeoutMs: number;
  readonly hardTimeoutMs: number;
  readonly hidden: boolean;
  readonly createdMs: number;
  usedMs: number;
  packets = 0;
  bytes = 0;

  constructor(settings: RuleSettings, nowMs: number) {
    this.priority = settings.priority;
    this.match = settings.match;
    this.actions = settings.actions;
    this.cookie = settings.cookie ?? 0n;
    this.idleTimeoutMs = settings.idleTimeoutMs ?? 0;
    this.hardTimeoutMs = settings.hardTimeoutMs ?? 0;
    this.hidden = settings.hidden ?? false;
    this.createdMs = nowMs;
    this.usedMs = nowMs;
  }

  /** Adds traffic that this rule decided. `usedMs` never goes back. */
  credit(packets: number, bytes: number, usedMs: number): void {
    this.packets += packets;
    this.bytes += bytes;
    if (usedMs > this.usedMs) this.usedMs = usedMs;
  }
}
