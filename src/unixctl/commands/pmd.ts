/**
 * `dpif-netdev/pmd-*`: the threads that forward, in the words that Open vSwitch has for its poll mode drivers (ovs-vswitchd(8), "DPIF
 * NETDEV COMMANDS"). A thread that is bound to no processor is shown with its own number as core. What the original measures in
 * cycles is nanoseconds here; a queue has the share of its thread's time that it has of its packets.
 */
import type { DatapathThread } from '../../datapath/datapath.ts';
import type { Switch } from '../../ofproto/switch.ts';
import type { Clock } from '../../util/clock.ts';
import { type Command, CommandError } from '../command.ts';

const SAMPLE_PERIOD_MS = 5000;
const WINDOW_SECONDS = 60;
const SAMPLES = (WINDOW_SECONDS * 1000) / SAMPLE_PERIOD_MS;

interface Counts {
  readonly received: number;
  readonly hit: number;
  readonly missed: number;
  readonly lost: number;
  readonly maskHit: number;
}

const NOTHING: Counts = { received: 0, hit: 0, missed: 0, lost: 0, maskHit: 0 };

const countsOf = ({ received, lookups }: DatapathThread): Counts => ({ received, ...lookups });

/** A thread that ended and came again counts anew. */
const isLater = (thread: DatapathThread, { ageMs }: DatapathThread): boolean =>
  thread.ageMs >= ageMs;

export function pmdCommands(switches: () => readonly Switch[], clock: Clock): Command[] {
  const threads = (): DatapathThread[] =>
    switches().flatMap(({ datapath }) => [...datapath.threads()]);
  /** What threads had counted when they were cleared, by index. */
  const cleared = new Map<number, DatapathThread>();
  /** The threads at the last ends of a period, the oldest first. */
  const samples: DatapathThread[][] = [];
  clock.every(SAMPLE_PERIOD_MS, () => {
    samples.push(threads());
    if (samples.length > SAMPLES) samples.shift();
  });

  const chosen = (args: readonly string[]): { list: DatapathThread[]; isAll: boolean } => {
    const at = args.indexOf('-pmd');
    if (at < 0) return { list: threads(), isAll: true };
    const core = args[at + 1];
    if (core === undefined || !/^\d+$/.test(core)) throw new CommandError('invalid pmd id');
    return { list: threads().filter((thread) => coreOf(thread) === Number(core)), isAll: false };
  };
  const secondsOf = (args: readonly string[]): number => {
    const at = args.indexOf('-secs');
    const asked = at < 0 ? WINDOW_SECONDS : Number(args[at + 1]);
    // Whole periods, as many as are remembered.
    const periods = Math.ceil((asked * 1000) / SAMPLE_PERIOD_MS);
    return (Math.min(Math.max(periods, 1), SAMPLES) * SAMPLE_PERIOD_MS) / 1000;
  };

  return [
    {
      name: 'dpif-netdev/pmd-rxq-show',
      usage: '[-pmd core] [-secs secs] [dp]',
      minArgs: 0,
      maxArgs: 5,
      run: (args) => {
        const seconds = secondsOf(args);
        const since = samples.at(-Math.min(samples.length, (seconds * 1000) / SAMPLE_PERIOD_MS));
        const blocks = chosen(args).list.map((thread) =>
          rxqText(
            thread,
            since?.find(({ index }) => index === thread.index),
          ),
        );
        return `Displaying last ${seconds} seconds pmd usage %\n${blocks.join('')}`;
      },
    },
    {
      name: 'dpif-netdev/pmd-stats-show',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => {
        const { list, isAll } = chosen(args);
        const blocks = list.map((thread) => statsText(thread, cleared.get(thread.index)));
        // The main thread takes packets of datapaths in memory only.
        if (isAll) blocks.push(`main thread:\n${countsText(NOTHING)}`);
        return blocks.join('');
      },
    },
    {
      name: 'dpif-netdev/pmd-stats-clear',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => {
        for (const thread of chosen(args).list) cleared.set(thread.index, thread);
        return '';
      },
    },
  ];
}

const coreOf = ({ processor, index }: DatapathThread): number => processor ?? index;

const percent = (part: number, whole: number): number => (whole > 0 ? (100 * part) / whole : 0);

function rxqText(thread: DatapathThread, since: DatapathThread | undefined): string {
  const from = since !== undefined && isLater(thread, since) ? since : undefined;
  const elapsedMs = thread.ageMs - (from?.ageMs ?? 0);
  const busy = percent(thread.busyMs - (from?.busyMs ?? 0), elapsedMs);
  const receivedOf = (port: number, queue: number): number =>
    from?.queues.find((one) => one.port === port && one.queue === queue)?.received ?? 0;
  const shares = thread.queues.map(({ port, queue, received }) =>
    Math.max(0, received - receivedOf(port, queue)),
  );
  const all = shares.reduce((sum, share) => sum + share, 0);
  const whole = (value: number): string => `${Math.round(value)}`.padStart(2);
  const queues = thread.queues.map(({ name, queue }, i) => {
    const usage = all > 0 ? (busy * shares[i]) / all : 0;
    return `  port: ${name.padEnd(16)}  queue-id: ${`${queue}`.padStart(2)} (enabled)   pmd usage: ${whole(usage)} %\n`;
  });
  const overhead = all > 0 ? 0 : busy;
  return `pmd thread numa_id 0 core_id ${coreOf(thread)}:\n  isolated : false\n${queues.join('')}  overhead: ${whole(overhead)} %\n`;
}

function statsText(thread: DatapathThread, since: DatapathThread | undefined): string {
  const from = since !== undefined && isLater(thread, since) ? since : undefined;
  const now = countsOf(thread);
  const before = from === undefined ? NOTHING : countsOf(from);
  const counts: Counts = {
    received: now.received - before.received,
    hit: now.hit - before.hit,
    missed: now.missed - before.missed,
    lost: now.lost - before.lost,
    maskHit: now.maskHit - before.maskHit,
  };
  const busy = Math.round((thread.busyMs - (from?.busyMs ?? 0)) * 1e6);
  const all = Math.round((thread.ageMs - (from?.ageMs ?? 0)) * 1e6);
  const share = (part: number): string => `${part} (${percent(part, all).toFixed(2)}%)`;
  let text = `pmd thread numa_id 0 core_id ${coreOf(thread)}:\n${countsText(counts)}`;
  text += `  idle cycles: ${share(all - busy)}\n  processing cycles: ${share(busy)}\n`;
  const { received } = counts;
  if (received === 0) return text;
  const each = (cycles: number): string =>
    `${(cycles / received).toFixed(2)} (${cycles}/${received})`;
  return `${text}  avg cycles per packet: ${each(all)}\n  avg processing cycles per packet: ${each(busy)}\n`;
}

/** What this datapath has no such stage for stays 0. */
function countsText({ received, hit, missed, lost, maskHit }: Counts): string {
  const recirculated = Math.max(0, hit + missed - received);
  const ratio = (part: number, whole: number): string => (whole > 0 ? part / whole : 0).toFixed(2);
  return [
    `  packets received: ${received}`,
    `  packet recirculations: ${recirculated}`,
    `  avg. datapath passes per packet: ${ratio(received + recirculated, received)}`,
    '  phwol hits: 0',
    '  mfex opt hits: 0',
    '  simple match hits: 0',
    '  emc hits: 0',
    '  smc hits: 0',
    `  megaflow hits: ${hit}`,
    `  avg. subtable lookups per megaflow hit: ${ratio(maskHit, hit)}`,
    `  miss with success upcall: ${missed - lost}`,
    `  miss with failed upcall: ${lost}`,
    '  avg. packets per output batch: 0.00',
    '',
  ].join('\n');
}
