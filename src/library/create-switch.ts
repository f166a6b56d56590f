/**
 * The library's entry: an embedded switch made of the daemon's own parts, the inline datapath among them, and nothing that needs root,
 * devices or native code.
 */
import type { PortNo } from '../datapath/datapath.ts';
import { InlineDatapath } from '../datapath/inline-datapath.ts';
import { OpenflowBridge } from '../ofproto/openflow/openflow-bridge.ts';
import { Switch } from '../ofproto/switch.ts';
import { CommandError, CommandTable } from '../unixctl/command.ts';
import { dpctlCommands } from '../unixctl/commands/dpctl.ts';
import { dpifCommands } from '../unixctl/commands/dpif.ts';
import { fdbCommands } from '../unixctl/commands/fdb.ts';
import { revalidatorCommands } from '../unixctl/commands/revalidator.ts';
import { traceCommands, traceOf } from '../unixctl/commands/trace.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger, LogLevel, LogSource } from '../util/logger.ts';
import { RealClock } from '../util/real-clock.ts';
import { OVS_VERSION } from '../util/version.ts';
import { VirtualClock } from '../util/virtual-clock.ts';
import {
  type BridgeOptions,
  type EmbeddedBridge,
  type EmbeddedSwitch,
  type createSwitch as promised,
  SwitchError,
  type SwitchOptions,
} from './api.ts';
import { MemoryBridge } from './memory-bridge.ts';

export { SwitchError } from './api.ts';

/** Nothing in the switch happens more often than this by itself (max-revalidator). */
const STEP_MS = 500;
/** A clock that has run for a while, since 0 means "never" here and there. */
const START_MS = 1_000_000;
const DEFAULT_SEED = 1;

/** xorshift32. */
function randomWords(seed: number): () => number {
  let x = seed >>> 0 || DEFAULT_SEED;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function logsTo(log: NonNullable<SwitchOptions['log']> | undefined): LogSource {
  const module = (name: string): Logger => {
    const say =
      (level: LogLevel) =>
      (text: string): void =>
        log?.({ module: name, level, text });
    return {
      emer: say('emer'),
      err: say('err'),
      warn: say('warn'),
      info: say('info'),
      dbg: () => {},
      enabled: (level) => log !== undefined && level !== 'dbg',
    };
  };
  return { module };
}

class MemorySwitch implements EmbeddedSwitch {
  private readonly virtual: VirtualClock | null;
  private readonly clock: Clock;
  private readonly datapath: InlineDatapath;
  private readonly switch: Switch;
  private readonly logs: LogSource;
  private readonly commands: CommandTable;
  private readonly bridges = new Map<string, MemoryBridge>();
  private settledGeneration = 0;
  private lastPortNo = 0;

  constructor({ clock = 'virtual', seed = DEFAULT_SEED, log, vlanLimit = 1 }: SwitchOptions) {
    this.virtual = clock === 'virtual' ? new VirtualClock(START_MS) : null;
    this.clock = this.virtual ?? new RealClock();
    this.logs = logsTo(log);
    this.datapath = new InlineDatapath(this.clock);
    this.switch = new Switch({
      datapath: this.datapath,
      clock: this.clock,
      logs: this.logs,
      random32: randomWords(seed),
      yieldTurn,
      count: () => {},
    });
    this.switch.vlanLimit = vlanLimit;
    const switches = (): Switch[] => [this.switch];
    this.commands = new CommandTable([
      ...fdbCommands(switches, () => this.clock.now()),
      ...dpifCommands(switches),
      ...dpctlCommands(switches),
      ...traceCommands(switches),
      ...revalidatorCommands(switches),
    ]);
  }

  addBridge(name: string, options: BridgeOptions = {}): EmbeddedBridge {
    if (this.bridges.has(name)) throw new SwitchError(`bridge ${name} exists`);
    const { failMode = 'standalone', datapathId, macAgingMs } = options;
    const bridge = this.switch.addBridge({
      name,
      datapathType: 'dummy',
      failMode,
      datapathId: datapathId ?? (this.bridges.size + 1).toString(16).padStart(16, '0'),
      ...(macAgingMs === undefined ? {} : { macAgingMs }),
    });
    const openflow = new OpenflowBridge({
      bridge,
      switch: this.switch,
      clock: this.clock,
      logs: this.logs,
      runDir: '/nonexistent',
      takesTools: false,
      tls: () => null,
      softwareVersion: OVS_VERSION,
      deviceErrors: () => null,
      customCounters: () => null,
      queues: () => [],
      describe: () => '',
      statusChanged: () => {},
    });
    const made = new MemoryBridge({
      bridge,
      switch: this.switch,
      datapath: this.datapath,
      openflow,
      allocatePortNo: () => ++this.lastPortNo as PortNo,
      settle: () => this.settle(),
      trace: (from, flow) => this.refusing(() => traceOf([from, flow], [this.switch])),
      removed: () => void this.bridges.delete(name),
    });
    this.bridges.set(name, made);
    return made;
  }

  bridge(name: string): EmbeddedBridge | null {
    return this.bridges.get(name) ?? null;
  }

  now(): number {
    return this.clock.now();
  }

  async advance(ms: number): Promise<void> {
    const { virtual } = this;
    if (virtual === null) throw new SwitchError('a real clock cannot be advanced');
    for (let left = ms; left > 0; left -= STEP_MS) {
      virtual.advance(Math.min(left, STEP_MS));
      // What the timers began goes on in the next turn.
      await yieldTurn();
    }
    await yieldTurn();
  }

  async command(name: string, ...args: string[]): Promise<string> {
    this.settle();
    try {
      return await this.commands.run(name, args);
    } catch (error) {
      throw error instanceof CommandError ? new SwitchError(error.message) : error;
    }
  }

  async close(): Promise<void> {
    for (const bridge of [...this.bridges.values()]) bridge.remove();
    this.switch.close();
    await this.datapath.close();
  }

  /** The daemon looks at megaflows a moment after a change; here the next frame may come in the same breath. */
  private settle(): void {
    const { revalidator } = this.switch;
    if (revalidator.generation === this.settledGeneration) return;
    void revalidator.purge();
    this.settledGeneration = revalidator.generation;
  }

  private refusing(run: () => string): string {
    try {
      return run();
    } catch (error) {
      throw error instanceof CommandError ? new SwitchError(error.message) : error;
    }
  }
}

/** As api.ts promises it. */
export const createSwitch: typeof promised = (options = {}) => new MemorySwitch(options);
