/**
 * Upcalls: frames that no megaflow matched. Each is translated, its effects applied once, a megaflow
 * installed, and the frame executed with its own program, in the order of arrival.
 *
 * Frames of a new flow often miss several times before the datapath has the megaflow. They are therefore looked for among
 * the installed megaflows that have one of the masks last used: a frame that one of them covers is only executed and credited.
 */
import type { Datapath, Upcall } from '../datapath/datapath.ts';
import { UpcallReason } from '../datapath/datapath.ts';
import { CookieKind } from '../datapath/program.ts';
import { DP_WORDS, FLOW_WORDS, TCP_FLAGS } from '../packet/key.ts';
import type { Clock } from '../util/clock.ts';
import type { FlowCache } from './flow-cache.ts';
import type { FlowLog } from './flow-log.ts';
import type { Ukey, UkeyMask } from './ukey.ts';
import { XlateScratch, type XlateSource } from './xlate/context.ts';
import { applyEffects } from './xlate/effect.ts';
import { type Translation, translate } from './xlate/translate.ts';

/** Masks remembered against repeated misses. */
const RECENT = 4;

export interface UpcallDeps {
  readonly datapath: Datapath;
  readonly cache: FlowCache;
  readonly source: XlateSource;
  readonly clock: Clock;
  readonly count: (event: string) => void;
  /** Generation of the configuration that is in force. */
  readonly generation: () => number;
  readonly flowLimit: () => number;
  /** What the megaflow of a translation is to match. */
  readonly maskOf: (translation: Translation) => Uint32Array;
  readonly log: FlowLog;
  /** A USERSPACE action handed up a frame for the controllers; false when its state is gone. */
  readonly packetIn: (upcall: Upcall) => boolean;
  /** A MAC table changed: other megaflows may be stale. */
  readonly learned: () => void;
  /** The tables lead round and round, for this flow (FLOW_WORDS words). */
  readonly exceeded: (flow: Uint32Array) => void;
}

export class UpcallHandler {
  private readonly deps: UpcallDeps;
  private readonly flow = new Uint32Array(FLOW_WORDS);
  private readonly scratch = new XlateScratch();
  /** Masks, the last used first. */
  private readonly recent: UkeyMask[] = [];
  private hasLearned = false;

  constructor(deps: UpcallDeps) {
    this.deps = deps;
    deps.datapath.onUpcall(
      (upcall) => this.handle(upcall),
      () => this.flush(),
    );
  }

  private handle(upcall: Upcall): void {
    const { deps } = this;
    if (upcall.reason !== UpcallReason.MISS) {
      if (upcall.cookieKind === CookieKind.SLOW_PATH) this.runSlowly(upcall);
      // A late one, after a change of what it stood for, is not an error.
      else if (upcall.cookieKind !== CookieKind.CONTROLLER || !deps.packetIn(upcall)) {
        deps.count('upcall_ignored');
      }
      return;
    }
    deps.log.missed(upcall);
    const now = deps.clock.now();
    const generation = deps.generation();
    const known = this.findRecent(upcall.key, generation);
    if (known !== null) {
      applyEffects(known.effects, 1, upcall.frameBytes, now, upcall.key[TCP_FLAGS] >>> 16);
      deps.datapath.execute(upcall.frame, upcall.offload, upcall.key, known.program);
      return;
    }
    const translation = this.translate(upcall);
    const { flow } = this;
    const { dropReason } = translation;
    if (
      dropReason === 'drop_action_recursion_too_deep' ||
      dropReason === 'drop_action_too_many_resubmit'
    ) {
      deps.exceeded(flow);
    }
    const tcpFlags = flow[TCP_FLAGS] >>> 16;
    if (applyEffects(translation.effects, 1, upcall.frameBytes, now, tcpFlags)) {
      this.hasLearned = true;
    }
    const mask = deps.cache.maskOf(deps.maskOf(translation));
    const installed = deps.cache.find(mask, upcall.key);
    if (installed !== null) {
      deps.cache.update(installed, translation, generation, now);
      this.remember(mask);
    } else if (deps.cache.size >= deps.flowLimit()) {
      deps.count('upcall_flow_limit_hit');
    } else {
      const ukey = deps.cache.install(mask, translation, upcall.key, now, generation);
      if (ukey !== null) {
        this.remember(mask);
        deps.log.added(ukey);
      } else deps.count('upcall_flow_limit_hit');
    }
    deps.datapath.execute(upcall.frame, upcall.offload, upcall.key, translation.program);
  }

  /** The flow is left in this.flow. */
  private translate({ key }: Upcall): Translation {
    const { flow } = this;
    flow.fill(0, DP_WORDS);
    for (let w = 0; w < DP_WORDS; w++) flow[w] = key[w];
    return translate(this.deps.source, flow, null, this.scratch);
  }

  /** The frame is credited already, to the megaflow that sent it here. */
  private runSlowly(upcall: Upcall): void {
    const { program } = this.translate(upcall);
    this.deps.datapath.execute(upcall.frame, upcall.offload, upcall.key, program);
  }

  /** End of a batch of upcalls: what they taught may make other megaflows stale, asked for once. */
  private flush(): void {
    if (!this.hasLearned) return;
    this.hasLearned = false;
    this.deps.learned();
  }

  private findRecent(key: Uint32Array, generation: number): Ukey | null {
    for (let i = 0; i < this.recent.length; i++) {
      const ukey = this.deps.cache.find(this.recent[i], key);
      if (ukey?.generation === generation) return ukey;
    }
    return null;
  }

  private remember(mask: UkeyMask): void {
    const { recent } = this;
    if (recent[0] === mask) return;
    const at = recent.indexOf(mask);
    if (at >= 0) recent.splice(at, 1);
    recent.unshift(mask);
    if (recent.length > RECENT) recent.pop();
  }
}
