/**
 * What a bridge with controllers does when none of them acts: in fail_mode standalone it switches by itself from three probe intervals on until one
 * of them acts again (ovs-vswitchd.conf.db(5), Bridge, `fail_mode`); in secure mode it goes on with the flows it has.
 *
 * To be connected is not enough: a controller acts when it changes something, so that one that accepts connections and then only sits there does
 * not leave the switch without flows. Since NORMAL takes all packets meanwhile, a packet-in made up for the purpose tells it of its chance.
 */
import { type Match, matchOf } from '../../flowtable/match.ts';
import { OFPP_LOCAL } from '../../flowtable/of-port.ts';
import { FLOW_WORDS, OF_IN_PORT } from '../../packet/key.ts';
import type { Clock, Timer } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { Bridge } from '../bridge.ts';
import type { PacketIn } from '../model.ts';
import type { OpenflowReconnect } from './reconnect.ts';

interface Watched {
  readonly rconn: OpenflowReconnect;
  readonly probeMs: number;
}

const PROBES = 3;
const NUDGE_MS = 2000;
const NO_COOKIE = 0xffff_ffff_ffff_ffffn;

export class FailOpen {
  private readonly bridge: Bridge;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly controllers: () => readonly Watched[];
  private isEnabled = false;
  private nudges = 0;
  private timer: Timer | null = null;

  constructor(bridge: Bridge, clock: Clock, log: Logger, controllers: () => readonly Watched[]) {
    this.bridge = bridge;
    this.clock = clock;
    this.log = log;
    this.controllers = controllers;
  }

  configure(enabled: boolean): void {
    this.isEnabled = enabled;
    this.check();
  }

  /** Call when a controller came or went, or began to act. */
  check(): void {
    this.timer?.cancel();
    this.timer = null;
    const controllers = this.isEnabled ? this.controllers() : [];
    if (controllers.length === 0 || controllers.some(({ rconn }) => rconn.isActing)) {
      if (this.bridge.isFailOpen) {
        this.bridge.setFailOpen(false);
        if (this.isEnabled) this.log.warn('No longer in fail-open mode');
      }
      // Who acts may cease to: that ends with its connection, which calls here.
      return;
    }
    const now = this.clock.now();
    const actedMs = Math.max(...controllers.map(({ rconn }) => rconn.actedMs));
    const patienceMs = PROBES * Math.max(...controllers.map(({ probeMs }) => probeMs));
    const leftMs = actedMs + patienceMs - now;
    if (!this.bridge.isFailOpen && leftMs > 0) {
      this.timer = this.clock.after(leftMs, () => this.check());
      return;
    }
    if (!this.bridge.isFailOpen) {
      this.log.warn(
        `Could not connect to controller (or switch failed controller's post-connection admission control policy) for ${Math.floor((now - actedMs) / 1000)} seconds, failing open`,
      );
      this.bridge.setFailOpen(true);
    }
    if (!controllers.some(({ rconn }) => rconn.isConnected)) return;
    this.bridge.listener.packetIn(nudge(this.nudges++));
    this.timer = this.clock.after(NUDGE_MS, () => this.check());
  }

  close(): void {
    this.timer?.cancel();
    this.timer = null;
  }
}

/** A RARP request from the switch itself, of an address of Nicira's that nobody has. */
function nudge(number: number): PacketIn {
  const frame = Buffer.from(
    `ffffffffffff${NOBODY}8035${RARP}${NOBODY}00000000${NOBODY}00000000`,
    'hex',
  );
  for (const at of [9, 25, 35]) frame.writeUIntBE((number & 0xffff) | 0xe0_0000, at, 3);
  return {
    reason: 'noMatch',
    tableId: 0,
    cookie: NO_COOKIE,
    match: fromSwitch(),
    frame,
    maxBytes: 0xffff,
    controllerId: 0,
    userdata: null,
    continuation: null,
  };
}

const NOBODY = '002320000000';
const RARP = '0001080006040003';

function fromSwitch(): Match {
  const [values, mask] = [new Uint32Array(FLOW_WORDS), new Uint32Array(FLOW_WORDS)];
  values[OF_IN_PORT] = OFPP_LOCAL;
  mask[OF_IN_PORT] = 0xffff_ffff;
  return matchOf(values, mask, FLOW_WORDS);
}
