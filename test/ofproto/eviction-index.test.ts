import { describe, expect, it } from 'vitest';
import type { Subfield } from '../../src/flowtable/action.ts';
import { MatchBuilder } from '../../src/flowtable/match.ts';
import { Rule } from '../../src/flowtable/rule.ts';
import { namedField } from '../../src/ofproto/codec/match-fields.ts';
import { EvictionIndex, expiryMs } from '../../src/ofproto/tables/eviction-index.ts';
import { REG } from '../../src/packet/key.ts';
import { random32 } from './lab.ts';

const field = namedField('reg0');
const GROUPS: readonly Subfield[] = [{ field, offset: 0, bits: 32 }];

const groupOf = (rule: Rule): number => rule.match.values[0];

/** Sizes of the largest groups, and what the first to go of any of them is like. */
function expected(rules: readonly Rule[]): { size: number; worth: readonly string[] } {
  const groups = new Map<number, Rule[]>();
  for (const rule of rules) {
    if (expiryMs(rule) === Number.POSITIVE_INFINITY) continue;
    groups.set(groupOf(rule), [...(groups.get(groupOf(rule)) ?? []), rule]);
  }
  const size = Math.max(0, ...[...groups.values()].map((group) => group.length));
  const largest = [...groups.values()].filter((group) => group.length === size);
  const least = largest.map((group) =>
    group.reduce((a, b) =>
      a.importance - b.importance || expiryMs(a) - expiryMs(b) ? (before(b, a) ? b : a) : a,
    ),
  );
  return { size, worth: least.map((rule) => `${groupOf(rule)} ${worthOf(rule)}`) };
}
const before = (a: Rule, b: Rule): boolean =>
  a.importance === b.importance ? expiryMs(a) < expiryMs(b) : a.importance < b.importance;
const worthOf = (rule: Rule): string => `${rule.importance} ${expiryMs(rule)}`;

describe('the index of eviction', () => {
  it('names what a look at all flows names, also while traffic puts their ends off', () => {
    const next = random32(7);
    const index = new EvictionIndex(GROUPS, []);
    let rules: Rule[] = [];
    for (let step = 0; step < 6000; step++) {
      const kind = next() % 8;
      if (kind < 4) {
        const rule = new Rule(
          {
            priority: 1,
            match: new MatchBuilder().set(REG, next() % 5).build(),
            actions: [],
            idleTimeoutSeconds: next() % 3 === 0 ? 0 : 1 + (next() % 50),
            hardTimeoutSeconds: next() % 4 === 0 ? 1 + (next() % 90) : 0,
            importance: next() % 3,
          },
          step,
        );
        rules.push(rule);
        index.add(rule);
      } else if (kind < 6 && rules.length > 0) {
        rules[next() % rules.length].credit(1, 60, step * 10);
      } else if (kind === 6 && rules.length > 0) {
        const [gone] = rules.splice(next() % rules.length, 1);
        index.remove(gone);
      } else {
        const victim = index.next();
        const { size, worth } = expected(rules);
        if (victim === null) expect(size).toBe(0);
        else {
          expect(worth).toContain(`${groupOf(victim)} ${worthOf(victim)}`);
          index.remove(victim);
          rules = rules.filter((rule) => rule !== victim);
        }
      }
    }
    expect(rules.length).toBeGreaterThan(100);
  });
});
