/**
 * Lists of effects that many megaflows have in common: flows of one rule mostly do the same, and are kept by the
 * hundred thousand.
 */
import type { Rule } from '../../flowtable/rule.ts';
import type { Effect } from './effect.ts';

export class SharedEffects {
  private last: readonly Effect[] = [];
  /** The list that flows ending in a rule had last. */
  private readonly byRule = new WeakMap<Rule, readonly Effect[]>();

  /** A list that says the same, if there is one, or the one given. */
  share(effects: readonly Effect[]): readonly Effect[] {
    if (sameEffects(effects, this.last)) return this.last;
    this.last = this.known(effects);
    return this.last;
  }

  private known(effects: readonly Effect[]): readonly Effect[] {
    for (let i = effects.length - 1; i >= 0; i--) {
      const effect = effects[i];
      if (effect.kind !== 'creditRule') continue;
      const before = this.byRule.get(effect.rule);
      if (before !== undefined && sameEffects(effects, before)) return before;
      this.byRule.set(effect.rule, effects);
      break;
    }
    return effects;
  }
}

function sameEffects(a: readonly Effect[], b: readonly Effect[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameEffect(a[i], b[i])) return false;
  return true;
}

/** False in case of doubt: of the frequent kinds alone it is worth knowing. */
function sameEffect(a: Effect, b: Effect): boolean {
  switch (a.kind) {
    case 'creditRule':
      return b.kind === 'creditRule' && a.rule === b.rule;
    case 'creditTable':
      return (
        b.kind === 'creditTable' &&
        a.table === b.table &&
        a.matched === b.matched &&
        a.inPort === b.inPort &&
        a.pristine === b.pristine
      );
    case 'learnMac':
      return (
        b.kind === 'learnMac' &&
        a.mac === b.mac &&
        a.vlan === b.vlan &&
        a.bundle === b.bundle &&
        a.bridge === b.bridge &&
        a.isGratuitousArp === b.isGratuitousArp
      );
    case 'creditPatch':
      return b.kind === 'creditPatch' && a.from === b.from && a.to === b.to;
    default:
      return false;
  }
}
