/**
 * The revalidator: keeps installed megaflows true. One pass visits each ukey: it pushes what the datapath
 * counted since (rules, patch ports, refreshed MAC entries), evicts what is idle, and, when the
 * configuration generation has moved on, translates the flow again and compares program and mask word for
 * word.
 *
 * Passes run every `maxRevalidatorMs`, soon after each change, and on demand. They work in slices and give
 * the event loop back in between; at most one runs and one waits, so a storm of changes costs passes one
 * after another and no queue.
 */
import type { Datapath } from '../datapath/datapath.ts';
import { FLOW_SLOTS } from '../datapath/datapath.ts';
import { CT_NW_SRC, CT_STATE, FLOW_WORDS } from '../packet/key.ts';
import type { Clock, Timer } from '../util/clock.ts';
import type { FlowCache } from './flow-cache.ts';
import type { FlowLog } from './flow-log.ts';
import { ChangeLog, type RuleChange } from './rule-changes.ts';
import type { Ukey } from './ukey.ts';
import { XlateScratch, type XlateSource } from './xlate/context.ts';
import { applyEffects, type Effect } from './xlate/effect.ts';
import { type Translation, translate } from './xlate/translate.ts';

/** Longest time that a slice keeps the event loop, and ukeys between two looks at the clock. */
const SLICE_MS = 4;
const UKEYS_PER_LOOK = 64;
/** Ukeys in a slice when time stands still. */
const UKEYS_PER_SLICE = 1024;
/** Idle limit while there are more flows than allowed. */
const CROWDED_IDLE_MS = 100;
/** Flows whose statistics are read at once. */
const MAX_PULLED = 20_000;

export interface RevalidatorDeps {
  readonly datapath: Datapath;
  readonly cache: FlowCache;
  readonly source: XlateSource;
  readonly clock: Clock;
  readonly count: (event: string) => void;
  /** Resolves in a later turn of the event loop. */
  readonly yieldTurn: () => Promise<void>;
  readonly log: FlowLog;
  /** A pass has ended: all statistics were pushed. */
  readonly passed: () => void;
}

export interface RevalidatorSettings {
  /** other_config:flow-limit */
  readonly flowLimit: number;
  /** other_config:max-idle */
  readonly maxIdleMs: number;
  /** other_config:max-revalidator */
  readonly maxRevalidatorMs: number;
}

export const DEFAULT_REVALIDATOR: RevalidatorSettings = {
  flowLimit: 200_000,
  maxIdleMs: 10_000,
  maxRevalidatorMs: 500,
};

export class Revalidator {
  /** Counts up with every change of anything that translation reads. */
  generation = 1;
  /** Flows allowed now: adapts below the configured limit when passes take long. */
  flowLimit: number;
  dumpDurationMs = 1;
  /** Off, a megaflow matches everything about its first frame (upcall/disable-megaflows). */
  wildcards = true;
  /** Shown only: dumps here need no keys (upcall/disable-ufid). */
  dumpsByUfid = true;
  private isPaused = false;
  private readonly exact = new Uint32Array(FLOW_WORDS);
  private averageFlows = 0;
  private maxFlowsSeen = 0;
  private settings = DEFAULT_REVALIDATOR;
  private readonly deps: RevalidatorDeps;
  private readonly log = new ChangeLog();
  private readonly flow = new Uint32Array(FLOW_WORDS);
  private readonly scratch = new XlateScratch();
  private running: Promise<void> | null = null;
  private queued: Promise<void> | null = null;
  private soon: Timer | null = null;
  private periodic: Timer;
  private isClosed = false;

  constructor(deps: RevalidatorDeps) {
    this.deps = deps;
    this.flowLimit = 10_000;
    this.periodic = this.startPeriodic();
  }

  configure(settings: RevalidatorSettings): void {
    this.settings = { ...settings, flowLimit: Math.min(settings.flowLimit, FLOW_SLOTS) };
    this.flowLimit = Math.min(this.flowLimit, this.settings.flowLimit);
    this.periodic.cancel();
    this.periodic = this.startPeriodic();
  }

  private startPeriodic(): Timer {
    const { maxIdleMs, maxRevalidatorMs } = this.settings;
    return this.deps.clock.every(Math.min(maxIdleMs, maxRevalidatorMs), () => {
      if (this.running === null) void this.pass();
    });
  }

  /** No passes until resume(), for tests; what changes meanwhile is looked at then. */
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
    this.changed();
  }

  /** What a megaflow of this translation is to match. Valid until the next call. */
  maskOf(translation: Translation): Uint32Array {
    if (this.wildcards) return translation.mask;
    this.exact.set(translation.mask);
    this.exact.fill(0xffffffff, 0, CT_NW_SRC);
    this.exact[CT_STATE] = 0xff;
    return this.exact;
  }

  get averageFlowCount(): number {
    return Math.round(this.averageFlows);
  }
  get maxFlowCount(): number {
    return this.maxFlowsSeen;
  }

  /** Something that translation reads has changed, or only `rules`: megaflows must be looked at again, soon. */
  changed(rules?: readonly RuleChange[]): void {
    if (rules === undefined) this.log.note(this.generation++, null);
    else for (let i = 0; i < rules.length; i++) this.log.note(this.generation++, rules[i]);
    if (this.soon !== null || this.isClosed) return;
    // Passes for changes take at most about half of the main thread. A short one comes in the next turn, also while time is held: what
    // the changes of this turn were is one pass.
    const delayMs = this.dumpDurationMs <= 1 ? 0 : Math.min(this.dumpDurationMs, 1000);
    this.soon = this.deps.clock.after(delayMs, () => {
      this.soon = null;
      void this.pass();
    });
  }

  /** A whole pass that starts after this call; resolves at its end. */
  pass(): Promise<void> {
    if (this.isClosed || this.isPaused) return Promise.resolve();
    if (this.running === null) {
      this.running = this.run().finally(() => {
        this.running = null;
      });
      return this.running;
    }
    this.queued ??= this.running.then(() => {
      this.queued = null;
      return this.pass();
    });
    return this.queued;
  }

  /** Resolves when no megaflow from before this call is stale any more, in the datapath as well. */
  async revalidateAll(): Promise<void> {
    await this.pass();
    await this.deps.datapath.barrier();
  }

  /**
   * Pushes what the datapath counted until now, in the order in which the flows were last used, for who asks for counters. With very
   * many flows the last pass has to do: asking must not be a way to stop the switch.
   */
  pushAllStats(): void {
    const { cache, clock } = this.deps;
    if (cache.size > MAX_PULLED) return;
    const now = clock.now();
    const used: { ukey: Ukey; usedMs: number }[] = [];
    for (const ukey of cache.all()) {
      if (!ukey.settled) continue;
      const { packets, usedMs } = cache.stats(ukey);
      if (packets > ukey.packets) used.push({ ukey, usedMs });
    }
    used.sort((a, b) => a.usedMs - b.usedMs);
    for (const { ukey } of used) {
      if (ukey.installed) this.pushStats(ukey, now, ukey.generation === this.generation);
    }
  }

  /** Deletes every megaflow. */
  async purge(): Promise<void> {
    const now = this.deps.clock.now();
    for (const ukey of this.deps.cache.all()) {
      this.pushStats(ukey, now, ukey.generation === this.generation);
      this.deps.cache.remove(ukey, now);
    }
    await this.deps.datapath.barrier();
  }

  close(): void {
    this.isClosed = true;
    this.periodic.cancel();
    this.soon?.cancel();
  }

  private async run(): Promise<void> {
    const { cache, clock } = this.deps;
    const startMs = clock.now();
    const flows = cache.size;
    this.averageFlows = (this.averageFlows + flows) / 2;
    this.maxFlowsSeen = Math.max(this.maxFlowsSeen, flows);
    const isCrowded = flows > this.flowLimit;
    if (isCrowded) this.deps.count('revalidate_crowded');
    const idleMs = isCrowded
      ? Math.min(CROWDED_IDLE_MS, this.settings.maxIdleMs)
      : this.settings.maxIdleMs;
    const removeAll = flows > 2 * this.flowLimit;

    let sliceStartMs = startMs;
    let inSlice = 0;
    for (const ukey of cache.all()) {
      if (this.isClosed) return;
      if (ukey.installed) this.visit(ukey, clock.now(), idleMs, removeAll);
      if (++inSlice % UKEYS_PER_LOOK !== 0) continue;
      if (inSlice < UKEYS_PER_SLICE && clock.now() - sliceStartMs < SLICE_MS) continue;
      await this.deps.yieldTurn();
      sliceStartMs = clock.now();
      inSlice = 0;
    }
    this.deps.passed();
    this.adapt(flows, Math.max(1, clock.now() - startMs));
  }

  /** Fewer flows when passes take long, slowly more when they are quick. */
  private adapt(flows: number, durationMs: number): void {
    this.dumpDurationMs = durationMs;
    let limit = this.flowLimit;
    if (durationMs > 2000) limit = Math.floor((limit * 1000) / durationMs);
    else if (durationMs > 1300) limit = Math.floor((limit * 3) / 4);
    else if (durationMs < 1000 && flows > 2000 && limit < (flows * 1000) / durationMs)
      limit += 1000;
    const most = this.settings.flowLimit;
    this.flowLimit = Math.min(most, Math.max(limit, Math.min(1000, most)));
  }

  private visit(ukey: Ukey, now: number, idleMs: number, remove: boolean): void {
    if (ukey.generation !== this.generation) {
      if (!this.log.concerns(ukey.generation, ukey.effects, ukey))
        ukey.generation = this.generation;
    }
    const isFresh = ukey.generation === this.generation;
    const hasTraffic = this.pushStats(ukey, now, isFresh);
    if (remove || now - Math.max(ukey.usedMs, ukey.createdMs) > idleMs) {
      this.deps.cache.remove(ukey, now);
      return;
    }
    if (isFresh) return;
    this.retranslate(ukey, now);
    if (!hasTraffic || !ukey.installed) return;
    // Where the source is under the new configuration, without waiting for the next visit.
    const learning = ukey.effects.filter(isLearning);
    if (applyEffects(learning, 0, 0, ukey.usedMs)) this.changed();
  }

  /**
   * Gives what the datapath counted since the last visit to rules and ports. Addresses are refreshed only by
   * a megaflow that is up to date: a stale one may name the wrong VLAN or port. True when there was traffic.
   */
  private pushStats(ukey: Ukey, now: number, isFresh: boolean): boolean {
    if (!ukey.settled) return false;
    const stats = this.deps.cache.stats(ukey);
    this.deps.log.dumped(ukey, stats);
    const packets = stats.packets - ukey.packets;
    const bytes = stats.bytes - ukey.bytes;
    ukey.packets = stats.packets;
    ukey.bytes = stats.bytes;
    ukey.tcpFlags = stats.tcpFlags;
    if (packets <= 0) return false;
    ukey.usedMs = stats.usedMs > 0 ? Math.min(stats.usedMs, now) : now;
    const effects = isFresh ? ukey.effects : ukey.effects.filter((e) => !isLearning(e));
    if (applyEffects(effects, packets, bytes, ukey.usedMs, stats.tcpFlags)) this.changed();
    return true;
  }

  /** Keeps the megaflow when nothing differs, replaces its program, or deletes it when other bits count. */
  private retranslate(ukey: Ukey, now: number): void {
    const { cache, source } = this.deps;
    const { flow } = this;
    const generation = this.generation;
    ukey.fill(flow);
    const translation = translate(source, flow, null, this.scratch);
    if (cache.maskOf(this.maskOf(translation)) !== ukey.mask) {
      this.deps.count('revalidate_mask_changed');
      cache.remove(ukey, now);
      return;
    }
    cache.update(ukey, translation, generation, now);
  }
}

/** Effects that only a megaflow that is up to date may have again. */
const isLearning = (effect: Effect): boolean =>
  effect.kind === 'learnMac' || effect.kind === 'learnFlow';
