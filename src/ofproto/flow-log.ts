/**
 * The debug log of megaflows: which frame missed, what was installed for it, what a dump found. The lines are Open vSwitch's, whose
 * tests look for them; whoever wants them sets `dpif` and `dpif_netdev` to dbg. Strangers provoke them, so their rate is limited.
 */
import type { FlowStats, Upcall } from '../datapath/datapath.ts';
import { formatProgram } from '../datapath/program-text.ts';
import { formatFlow } from '../packet/flow-text.ts';
import { DP_WORDS, FLOW_WORDS } from '../packet/key.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger, LogSource } from '../util/logger.ts';
import { rateLimited } from '../util/rate-limit.ts';
import type { Ukey } from './ukey.ts';

const LINES_PER_MINUTE = 600;

export class FlowLog {
  private readonly netdev: Logger;
  private readonly dpif: Logger;
  private readonly clock: Clock;
  /** `dummy@ovs-dummy` */
  private readonly name: () => string;

  constructor(logs: LogSource, clock: Clock, name: () => string) {
    this.netdev = rateLimited(logs.module('dpif_netdev'), clock, LINES_PER_MINUTE);
    this.dpif = rateLimited(logs.module('dpif'), clock, LINES_PER_MINUTE);
    this.clock = clock;
    this.name = name;
  }

  missed(upcall: Upcall): void {
    if (!this.netdev.enabled('dbg')) return;
    const flow = formatFlow(upcall.key, undefined, { verbose: true });
    this.netdev.dbg(`${this.name()}: miss upcall:\n${flow}`);
  }

  added(ukey: Ukey): void {
    if (!this.netdev.enabled('dbg')) return;
    const { key, mask } = keyAndMask(ukey);
    const ids = `ufid:${ukey.ufid} mega_ufid:${ukey.ufid}`;
    const actions = formatProgram(ukey.program, key);
    this.netdev.dbg(`flow_add: ${ids} ${formatFlow(key, mask)}, actions:${actions}`);
  }

  dumped(ukey: Ukey, { packets, bytes, usedMs }: FlowStats): void {
    if (!this.dpif.enabled('dbg')) return;
    const { key, mask } = keyAndMask(ukey);
    const flow = formatFlow(key, mask, { verbose: true });
    const idleMs = Math.max(0, this.clock.now() - usedMs);
    const used = packets > 0 ? `${(idleMs / 1000).toFixed(3)}s` : 'never';
    const counts = `packets:${packets}, bytes:${bytes}, used:${used}`;
    const actions = formatProgram(ukey.program, key);
    this.dpif.dbg(
      `${this.name()}: flow_dump ufid:${ukey.ufid} ${flow}, ${counts}, actions:${actions}`,
    );
  }
}

function keyAndMask(ukey: Ukey): { key: Uint32Array; mask: Uint32Array } {
  const key = new Uint32Array(FLOW_WORDS);
  ukey.fill(key);
  const mask = new Uint32Array(DP_WORDS);
  const { words, masks } = ukey.mask;
  for (let i = 0; i < words.length; i++) mask[words[i]] = masks[i];
  return { key, mask };
}
