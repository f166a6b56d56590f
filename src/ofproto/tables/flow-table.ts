/**
 * One OpenFlow table of a bridge: its classifier, its limits and what it counts. Table 254 is the switch's own
 * and table 255 means all.
 */
import type { Subfield } from '../../flowtable/action.ts';
import type { Classifier } from '../../flowtable/classifier.ts';
import type { Match } from '../../flowtable/match.ts';
import type { Rule } from '../../flowtable/rule.ts';
import { type PrefixField, TupleSpaceClassifier } from '../../flowtable/tuple-space.ts';
import { EvictionIndex } from './eviction-index.ts';

/** Tables that users see. */
export const TABLE_COUNT = 254;
export const TABLE_INTERNAL = 254;

/** What a miss does (OFPTC11_TABLE_MISS_*); `default` is up to the version of the controllers. */
export type TableMiss = 'default' | 'controller' | 'continue' | 'drop';

export interface FlowTableSettings {
  /** Null for none. */
  readonly name: string | null;
  /** Null for no limit. */
  readonly flowLimit: number | null;
  /** What happens at the limit. */
  readonly overflow: 'refuse' | 'evict';
  /** Fields that make eviction fair: flows equal in all of them are a group, and the largest group loses one. */
  readonly groups: readonly Subfield[];
  readonly prefixes: readonly PrefixField[] | null;
}

export const DEFAULT_TABLE: FlowTableSettings = {
  name: null,
  flowLimit: null,
  overflow: 'refuse',
  groups: [],
  prefixes: null,
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export class FlowTable {
  readonly id: number;
  settings: FlowTableSettings = DEFAULT_TABLE;
  miss: TableMiss = 'default';
  /** By table features; the database's name goes first. */
  nameByController: string | null = null;
  /** OFPTC14_EVICTION and OFPTC14_VACANCY_EVENTS as a table-mod asked for. */
  evictionByController = false;
  vacancy: { readonly downPercent: number; readonly upPercent: number } | null = null;
  /** Lookups that found a rule, and that did not. */
  matched = 0;
  missed = 0;
  /** Flows of the switch itself among `size`. */
  hiddenCount = 0;
  private classifier: Classifier<Rule>;
  /** Made when the first flow is to go. */
  private eviction: EvictionIndex | null = null;

  constructor(id: number) {
    this.id = id;
    this.classifier = new TupleSpaceClassifier<Rule>();
  }

  configure(settings: FlowTableSettings): void {
    const before = this.settings;
    this.settings = settings;
    if (!same(before.groups, settings.groups)) this.eviction = null;
    if (same(before.prefixes, settings.prefixes)) return;
    const rules = this.classifier.entries();
    this.classifier = new TupleSpaceClassifier<Rule>(settings.prefixes ?? undefined);
    for (const rule of rules) this.classifier.insert(rule);
  }

  /** Flows, hidden ones as well. */
  get size(): number {
    return this.classifier.size;
  }
  get name(): string | null {
    return this.settings.name ?? this.nameByController;
  }
  get isEvicting(): boolean {
    return this.settings.overflow === 'evict' || this.evictionByController;
  }

  /** The flow that is evicted next; null when none may be. */
  nextVictim(): Rule | null {
    this.eviction ??= new EvictionIndex(this.settings.groups, this.entries());
    return this.eviction.next();
  }

  lookup(flow: Uint32Array, mask: Uint32Array | null): Rule | null {
    return this.classifier.size === 0 ? null : this.classifier.lookup(flow, mask);
  }
  find(match: Match, priority: number): Rule | null {
    return this.classifier.find(match, priority);
  }
  /** The same match, in memory that it shares with rules of the same mask. */
  sharing(match: Match): Match {
    return this.classifier.sharing(match);
  }
  overlaps(match: Match, priority: number): boolean {
    return this.classifier.overlaps(match, priority);
  }
  /** By priority, highest first. */
  entries(): Rule[] {
    return this.classifier.entries();
  }
  /** Loose match; hidden ones too. */
  within(match: Match): Rule[] {
    return this.classifier.within(match);
  }
  /** Returns the rule that it displaces. */
  insert(rule: Rule): Rule | null {
    const old = this.classifier.insert(rule);
    if (old !== null) old.isRemoved = true;
    else if (rule.isHidden) this.hiddenCount++;
    if (this.eviction !== null) {
      if (old !== null) this.eviction.remove(old);
      this.eviction.add(rule);
    }
    rule.isRemoved = false;
    return old;
  }
  remove(rule: Rule): boolean {
    rule.isRemoved = true;
    if (!this.classifier.remove(rule)) return false;
    if (rule.isHidden) this.hiddenCount--;
    this.eviction?.remove(rule);
    return true;
  }

  /**
   * Removes all flows at once, which are `rules`, none of them hidden. Returns what puts them back, provided that everything done
   * to the table afterwards has been undone.
   */
  clear(rules: readonly Rule[]): () => void {
    const { classifier } = this;
    this.classifier = new TupleSpaceClassifier<Rule>(this.settings.prefixes ?? undefined);
    this.eviction = null;
    for (const rule of rules) rule.isRemoved = true;
    return () => {
      this.classifier = classifier;
      this.eviction = null;
      for (const rule of rules) rule.isRemoved = false;
    };
  }
}
