/**
 * Tells the log how many flows a connection has changed: ten seconds after the first change, or when the connection ends, and then at most
 * once a minute, however many there are.
 */
import type { Clock, Timer } from '../../util/clock.ts';
import type { FlowMod } from '../model.ts';

const DELAY_MS = 10_000;
const PAUSE_MS = 60_000;

type Count = 'adds' | 'deletes' | 'modifications';

const COUNTED: Readonly<Record<FlowMod['command'], Count>> = {
  add: 'adds',
  modify: 'modifications',
  modifyStrict: 'modifications',
  delete: 'deletes',
  deleteStrict: 'deletes',
};

export class FlowModReport {
  private readonly clock: Clock;
  private readonly say: (text: string) => void;
  private counts = { adds: 0, deletes: 0, modifications: 0 };
  private firstMs = 0;
  private lastMs = 0;
  private notBeforeMs = 0;
  private timer: Timer | null = null;

  constructor(clock: Clock, say: (text: string) => void) {
    this.clock = clock;
    this.say = say;
  }

  count(command: FlowMod['command']): void {
    const now = this.clock.now();
    this.counts[COUNTED[command]]++;
    this.lastMs = now;
    if (this.timer !== null) return;
    this.firstMs = now;
    const at = Math.max(now + DELAY_MS, this.notBeforeMs);
    this.notBeforeMs = at + PAUSE_MS;
    this.timer = this.clock.after(at - now, () => this.flush());
  }

  flush(): void {
    if (this.timer === null) return;
    this.timer.cancel();
    this.timer = null;
    const { adds, deletes, modifications } = this.counts;
    const seconds = (ms: number): number => Math.floor(ms / 1000);
    const ago = seconds(this.clock.now() - this.firstMs);
    const took = seconds(this.lastMs - this.firstMs);
    const when = took > 0 ? `in the ${took} s starting ${ago} s ago` : `in the last ${ago} s`;
    const kinds = Object.entries(this.counts).filter(([, n]) => n > 0);
    const list = kinds.map(([kind, n]) => `${n} ${kind}`).join(', ');
    this.say(`${adds + deletes + modifications} flow_mods ${when} (${list})`);
    this.counts = { adds: 0, deletes: 0, modifications: 0 };
  }
}
