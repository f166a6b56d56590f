/**
 * `npm run bench:gc`: what the garbage collector costs while packets pass: the built daemon under as many small frames as a sender
 * makes, for 20 seconds of one flow and 10 of 10,000, with Node's --trace-gc. Needs root. A pause counts as long as the clock
 * says, also where another process had the processor meanwhile.
 */
import { addHost } from '../test/labs/support/host.ts';
import { Machine } from '../test/labs/support/machine.ts';
import { inRepository } from '../test/labs/support/repository.ts';
import { Switch } from '../test/labs/support/switch.ts';
import { type Load, sendIfAsked } from './frame-sender.ts';
import { flood, H1, H2, warm } from './measure.ts';

/** `[pid:isolate] N ms: Scavenge A (B) -> C (D) MB, PAUSE / ...`, a Mark-Compact with the longest step of its marking. */
const COLLECTION =
  /^\[\d+:(0x[0-9a-f]+)\]\s+\d+ ms: (.*?) [\d.]+ \([\d.]+\) -> [\d.]+ \([\d.]+\) MB, ([\d.]+) \/ /;
const STEP = /biggest step ([\d.]+) ms/;

interface Collection {
  readonly isolate: string;
  readonly kind: string;
  readonly pauseMs: number;
}

const collections = (text: string): Collection[] =>
  text.split('\n').flatMap((line) => {
    const found = COLLECTION.exec(line);
    if (found === null) return [];
    const [, isolate, kind, pause] = found as unknown as [string, string, string, string];
    const step = Number(STEP.exec(line)?.[1] ?? 0);
    return [{ isolate, kind, pauseMs: Math.max(Number(pause), step) }];
  });

const report = (who: string, list: readonly Collection[]): void => {
  const longest = list.reduce((most, { pauseMs }) => Math.max(most, pauseMs), 0);
  const kinds = [...new Set(list.map(({ kind }) => kind))].join(', ');
  const what = list.length === 0 ? '' : `, the longest ${longest.toFixed(2)} ms (${kinds})`;
  console.log(`  ${who}: ${list.length} pauses${what}`);
};

sendIfAsked();
const machine = await Machine.boot();
try {
  const daemon = `${process.execPath} --trace-gc ${inRepository('bin/ts-vswitchd')}`;
  const vswitch = new Switch(machine, daemon);
  await vswitch.start();
  await vswitch.addBridge('br0');
  for (const host of [H1, H2]) {
    await addHost(machine, { ...host, ipv6: false });
    await machine.sh(`ip link set ${host.port} up; ovs-vsctl add-port br0 ${host.port}`);
  }
  await warm(machine);
  // The main thread has filled its heap first, when it read its program.
  const main = collections(vswitch.printed())[0]?.isolate;
  const loads: [string, number, Partial<Load>][] = [
    ['one flow', 20, {}],
    ['10,000 flows over rules by port', 10, { flows: 10_000 }],
  ];
  for (const [name, seconds, load] of loads) {
    if (load.flows !== undefined) {
      await machine.sh(
        'ovs-ofctl add-flow br0 "priority=10,udp,tp_src=1,actions=drop"; ovs-ofctl add-flow br0 "priority=9,udp,tp_src=1024/0xfc00,actions=normal"',
      );
    }
    const before = vswitch.printed().length;
    const rate = await flood(machine, seconds, load);
    const seen = collections(vswitch.printed().slice(before));
    console.log(`${name}, ${seconds} s, ${rate.toFixed(0)} k frames/s delivered:`);
    report(
      'datapath worker',
      seen.filter(({ isolate }) => isolate !== main),
    );
    report(
      'main thread',
      seen.filter(({ isolate }) => isolate === main),
    );
  }
} finally {
  await machine.shutdown();
}
