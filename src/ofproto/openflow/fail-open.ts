/**
 * What a bridge with controllers does when all of them are gone: in fail_mode standalone it switches by itself from three probe intervals on
 * until one of them is back (ovs-vswitchd.conf.db(5), Bridge, `fail_mode`); in secure mode it goes on with the flows it has.
 */
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Bridge } from '../bridge.ts';
import type { OpenflowReconnect } from './reconnect.ts';

interface Watched {
  readonly rconn: OpenflowReconnect;
  readonly probeMs: number;
}

const PROBES = 3;

export class FailOpen {
  private readonly bridge: Bridge;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly controllers: () => readonly Watched[];
  private isEnabled = false;
  /** Since when no controller has been connected. */
  private lostMs = 0;
  private timer: Timer | null = null;

  constructor(bridge: Bridge, clock: Clock, log: Logger, controllers: () => readonly Watched[]) {
    this.bridge = bridge;
    this.clock = clock;
    this.log = log;
    this.controllers = controllers;
  }

  configure(enabled: boolean): void {
    if (enabled && !this.isEnabled) this.lostMs = this.clock.now();
    this.isEnabled = enabled;
    this.check();
  }

  /** Call when a controller came or went. */
  check(): void {
    this.timer?.cancel();
    this.timer = null;
    const controllers = this.isEnabled ? this.controllers() : [];
    const isLost = controllers.length > 0 && !controllers.some(({ rconn }) => rconn.isConnected);
    const now = this.clock.now();
    if (!isLost) {
      this.lostMs = now;
      if (this.bridge.isFailOpen) {
        this.bridge.setFailOpen(false);
        if (this.isEnabled) this.log.warn('No longer in fail-open mode');
      }
      return;
    }
    for (const { rconn } of controllers) {
      if (rconn.disconnectedMs !== null) this.lostMs = Math.max(this.lostMs, rconn.disconnectedMs);
    }
    const patienceMs = PROBES * Math.max(...controllers.map(({ probeMs }) => probeMs));
    const leftMs = this.lostMs + patienceMs - now;
    if (leftMs > 0) {
      this.timer = this.clock.after(leftMs, () => this.check());
    } else if (!this.bridge.isFailOpen) {
      this.log.warn(
        `Could not connect to controller (or switch failed controller's post-connection admission control policy) for ${Math.floor((now - this.lostMs) / 1000)} seconds, failing open`,
      );
      this.bridge.setFailOpen(true);
    }
  }

  close(): void {
    this.timer?.cancel();
    this.timer = null;
  }
}
