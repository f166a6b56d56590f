/**
 * The one subscriber and the one writer of the database: runs desired -> plan -> apply -> report whenever something changed, one run
 * at a time.
 *
 * A change that comes in the middle of a run starts another one after it; `cur_cfg` is written by the run that has carried out that
 * configuration, in the same transaction as its results. While the database is away the switch goes on as it is.
 */
import type { OvsdbClient } from '../ovsdb/client.ts';
import type { LinkStats } from '../sys/links.ts';
import type { Clock, Timer } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Applier } from './apply.ts';
import { type Abilities, changesConfiguration, desired } from './desired.ts';
import { openflowSettings } from './openflow-settings.ts';
import { plan } from './plan.ts';
import { runningState } from './report.ts';
import { type RunningRoot, reportOperations } from './report-ops.ts';
import type { WantedBridge, WantedSettings, WantedState, WantedTls } from './wanted.ts';

export interface ConfiguratorDeps {
  readonly client: OvsdbClient;
  readonly applier: Applier;
  readonly abilities: Abilities;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the root row says of this daemon, besides cur_cfg. */
  readonly identity: () => Omit<RunningRoot, 'curCfg'>;
  readonly linkStatistics: () => ReadonlyMap<number, LinkStats>;
  /** Hands global settings to the switches. */
  readonly configureSwitches: (settings: WantedSettings) => Promise<void> | void;
  /** Says where keys and certificates are. */
  readonly configureTls: (tls: WantedTls | null) => void;
  /** Where sockets lie. */
  readonly runDir: string;
  /** Resolves when all megaflows reflect what was configured. */
  readonly revalidateAll: () => Promise<void>;
  /** Called after each run. */
  readonly onRun: () => void;
}

/** A report that lost a race reads the database again; this many times, then it waits for the next change. */
const MAX_REPORT_TRIES = 5;
const DEFAULT_STATISTICS_MS = 5000;
/** A new device is mostly told by several events within a moment. */
const LINK_DELAY_MS = 5;

export class Configurator {
  private readonly deps: ConfiguratorDeps;
  private running: Promise<void> | null = null;
  private again = false;
  private reportStatistics = true;
  private stopped = false;
  private statisticsPeriodMs = 0;
  private statisticsTimer: Timer | null = null;
  /** Problems already logged, so that each is said once. */
  private saidProblems = new Set<string>();
  private readonly refusedTargets = new Set<string>();
  private wanted: WantedState | null = null;
  private soon: Timer | null = null;
  private lastRunMs = 0;

  constructor(deps: ConfiguratorDeps) {
    this.deps = deps;
    deps.client.on('changed', (change) => {
      if (changesConfiguration(change)) this.schedule();
    });
    deps.client.on('locked', () => this.schedule());
    this.followStatistics(DEFAULT_STATISTICS_MS);
  }

  /** The last state that was put in force; null before the first. */
  get inForce(): WantedState | null {
    return this.wanted;
  }

  /** Asks for a run: something changed in the database or among the devices. */
  schedule(): void {
    if (this.stopped) return;
    this.again = true;
    this.running ??= this.runUntilQuiet();
  }

  /**
   * Asks for a run because devices changed. Such changes come in storms (a script makes a thousand interfaces), so runs for them
   * take at most a third of the main thread.
   */
  scheduleForLinks(): void {
    if (this.stopped || this.soon !== null) return;
    const delayMs = Math.max(LINK_DELAY_MS, 2 * this.lastRunMs);
    this.soon = this.deps.clock.after(delayMs, () => {
      this.soon = null;
      this.schedule();
    });
  }

  /** Lets a run that is under way end, and starts no more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.again = false;
    this.statisticsTimer?.cancel();
    this.soon?.cancel();
    await this.running;
  }

  /** Removes everything: `exit --cleanup`. After stop(). */
  async cleanUp(): Promise<void> {
    await this.deps.applier.apply(plan([], this.deps.applier.running));
    await this.deps.applier.closed();
  }

  private async runUntilQuiet(): Promise<void> {
    // Everything that one read of the socket brings is one run.
    await Promise.resolve();
    while (this.again) {
      this.again = false;
      const startedMs = this.deps.clock.now();
      try {
        await this.run();
      } catch (failure) {
        // A bug: the switch goes on as it is, and the next change tries again.
        this.deps.log.err(`reconfiguration failed: ${(failure as Error).stack ?? failure}`);
      }
      this.lastRunMs = this.deps.clock.now() - startedMs;
    }
    this.running = null;
    this.deps.onRun();
  }

  private async run(): Promise<void> {
    const { client, applier, abilities } = this.deps;
    if (!client.mayAct) return;
    const wanted = desired(client.db, abilities);
    if (!wanted.initialized) return;
    this.sayProblems(wanted);
    await this.deps.configureSwitches(wanted.settings);
    this.followStatistics(wanted.settings.statsUpdateIntervalMs);
    await applier.apply(plan(wanted.bridges, applier.running));
    this.deps.configureTls(wanted.tls);
    applier.settle(wanted.bridges, (want) => this.openflowSettings(want, wanted.settings));
    await this.deps.revalidateAll();
    this.wanted = wanted;
    await this.report(wanted);
  }

  private openflowSettings(want: WantedBridge, settings: WantedSettings) {
    const { runDir, log } = this.deps;
    return openflowSettings(want, settings.bundleIdleTimeoutSeconds, runDir, (why) => {
      if (!this.refusedTargets.has(why)) log.err(why);
      this.refusedTargets.add(why);
    });
  }

  private async report(wanted: WantedState): Promise<void> {
    const { client, applier, log } = this.deps;
    const links = this.reportStatistics ? this.deps.linkStatistics() : null;
    this.reportStatistics = false;
    for (let tries = 0; tries < MAX_REPORT_TRIES && client.mayAct; tries++) {
      const root = { ...this.deps.identity(), curCfg: wanted.nextCfg };
      const state = runningState(wanted, applier, root, links);
      const transaction = reportOperations(client.db, state);
      if (transaction.isEmpty) return;
      const result = await client.transact(transaction.operations);
      if (result.ok || result.reason === 'refused') return;
      if (result.reason === 'failed') {
        log.warn(`cannot report to the database: ${result.error}`);
        return;
      }
    }
  }

  private sayProblems({ errors }: WantedState): void {
    const now = new Set<string>();
    for (const { level, message } of errors) {
      now.add(message);
      if (!this.saidProblems.has(message)) this.deps.log[level](message);
    }
    this.saidProblems = now;
  }

  private followStatistics(periodMs: number): void {
    if (periodMs === this.statisticsPeriodMs) return;
    this.statisticsPeriodMs = periodMs;
    this.statisticsTimer?.cancel();
    this.statisticsTimer = this.deps.clock.every(periodMs, () => {
      this.reportStatistics = true;
      this.schedule();
    });
  }
}
