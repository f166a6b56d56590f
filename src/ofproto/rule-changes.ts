/**
 * Which megaflows a change of rules can concern: so that one flow-mod in a switch with many megaflows costs a look at each instead of
 * a translation of each.
 *
 * A megaflow stays as it is when no packet of it can match the changed rule where the rule's table was asked about it. A translation tells
 * which tables it asked and whether the packet still had the headers it came with (`pristine`): then rule and megaflow have nothing in
 * common if some bit that both ask about differs. What a pipeline writes for itself (registers, metadata) is left out of the
 * comparison, and in case of doubt the answer is yes. Flows that learn are always concerned: they count what is in a table.
 */
import type { Match } from '../flowtable/match.ts';
import { DP_WORDS, OF_IN_PORT } from '../packet/key.ts';
import type { FlowTable } from './tables/flow-table.ts';
import type { Effect } from './xlate/effect.ts';

/** A rule that came, went or was replaced by one of the same match. */
export interface RuleChange {
  readonly table: FlowTable;
  readonly match: Match;
}

/** True unless `change` leaves a translation as it is, whose effects these are and which holds for `match`. */
export function concerns(change: RuleChange, effects: readonly Effect[], match: Match): boolean {
  for (let i = 0; i < effects.length; i++) {
    const effect = effects[i];
    if (effect.kind === 'learnFlow') return true;
    if (effect.kind !== 'creditTable' || effect.table !== change.table) continue;
    if (!effect.pristine || !areDisjoint(change.match, match, effect.inPort)) return true;
  }
  return false;
}

/** True when no packet that `megaflow` covers matches `rule`, which sees them come in from OpenFlow port `inPort`. */
function areDisjoint(rule: Match, megaflow: Match, inPort: number): boolean {
  let m = 0;
  for (let i = 0; i < rule.words.length; i++) {
    const word = rule.words[i];
    if (word === OF_IN_PORT && ((rule.values[i] ^ inPort) & rule.masks[i]) !== 0) return true;
    if (word >= DP_WORDS) continue;
    while (m < megaflow.words.length && megaflow.words[m] < word) m++;
    if (m === megaflow.words.length || megaflow.words[m] !== word) continue;
    const both = rule.masks[i] & megaflow.masks[m];
    if (((rule.values[i] ^ megaflow.values[m]) & both) !== 0) return true;
  }
  return false;
}

/** Changes behind this many are forgotten: looking at many costs more than translating once. */
const MOST_CHANGES = 128;

/** The changes that led from each of the last generations to the next, as far back as nothing but rules changed. */
export class ChangeLog {
  private readonly changes: RuleChange[] = [];
  /** The generation that changes[0] ended. */
  private from = 1;

  /** `generation` has ended by this change; null for anything but a change of a rule. */
  note(generation: number, change: RuleChange | null): void {
    if (change === null || this.changes.length === MOST_CHANGES) this.changes.length = 0;
    if (this.changes.length === 0) this.from = change === null ? generation + 1 : generation;
    if (change !== null) this.changes.push(change);
  }

  /** True when what was translated at `generation` may be different now. */
  concerns(
    generation: number,
    effects: readonly Effect[],
    megaflow: { readonly match: Match },
  ): boolean {
    if (generation < this.from) return true;
    const { match } = megaflow;
    for (let i = generation - this.from; i < this.changes.length; i++) {
      if (concerns(this.changes[i], effects, match)) return true;
    }
    return false;
  }
}
