/**
 * `npm run bench:openflow`: how fast flows are loaded, changed, shown and deleted by ovs-ofctl, how fast first packets of
 * new connections get through, and what packets notice of it, against Open vSwitch's userspace datapath.
 *
 * Both stand ready side by side and take turns run by run; medians count. A benchmark, not a test: it always
 * succeeds, and the reader judges. Results go to bench/results/openflow.md and .json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { inRepository } from '../test/labs/support/repository.ts';
import { boot, OURS, OVS } from './contestant.ts';
import { sendIfAsked } from './frame-sender.ts';
import { type Contestant, type Figure, measurements } from './openflow-measure.ts';
import { median } from './options.ts';

sendIfAsked();
const { values: given } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    flows: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' },
    /** Only this switch, for profiles. */
    alone: { type: 'boolean', default: false },
  },
});
const runs = Math.min(9, Math.max(1, Number(given.runs) || 1));
const flows = Math.min(200_000, Math.max(100, Number(given.flows) || 100));

const contestants: Contestant[] = [];
/** Per contestant and run. */
const rows: { name: string; values: Figure[][][] }[] = [];

const shutdown = async (): Promise<void> => {
  await Promise.all(contestants.map(({ machine }) => machine.shutdown()));
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    shutdown().then(() => process.exit(130));
  });

const text = (value: number): string =>
  Number.isNaN(value) ? '-' : value >= 100 ? value.toFixed(0) : value.toFixed(2);

/** A line a figure: the medians of both, and what they are to each other. */
const table = (): string => {
  const lines: string[][] = [];
  for (const { name, values } of rows) {
    const [ours, theirs] = values;
    for (const [i, { label, unit }] of (ours[0] ?? []).entries()) {
      const a = median(ours.map((run) => run[i].value));
      const b = theirs === undefined ? Number.NaN : median(theirs.map((run) => run[i].value));
      lines.push([`${name}: ${label}`, unit, text(a), text(b), `${(a / b).toFixed(2)} x`]);
    }
  }
  const head = ['', 'unit', 'ts-vswitch', 'Open vSwitch', 'ratio'];
  const widths = head.map((_, c) => Math.max(...[head, ...lines].map((line) => line[c].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...lines.map(line)].join('\n');
};

try {
  for (const kind of given.alone ? [OURS] : [OURS, OVS]) {
    const { machine, vswitch } = await boot(kind);
    if (vswitch !== undefined) contestants.push({ machine, vswitch });
  }
  const wanted = given.only === '' ? [] : given.only.split(',');
  for (const { name, prepare, run } of measurements(flows)) {
    if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
    process.stderr.write(`\n${name} `);
    const values: Figure[][][] = contestants.map(() => []);
    for (const one of contestants) await prepare(one);
    for (let i = 0; i < runs; i++)
      for (const [c, one] of contestants.entries()) {
        values[c].push(await run(one));
        process.stderr.write('.');
      }
    rows.push({ name, values });
  }
  const about = [
    `medians of ${runs}, in turn, ${flows} flows`,
    (await contestants[0].machine.run('ovs-vswitchd --version')).stdout.split('\n')[0],
    `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    `Node ${process.versions.node}`,
  ].join('; ');
  const report = `${table()}\n\n${about}.\n`;
  console.log(`\n\n${report}`);
  if (wanted.length === 0 && !given.alone) {
    mkdirSync(inRepository('bench/results'), { recursive: true });
    writeFileSync(
      inRepository('bench/results/openflow.md'),
      `# OpenFlow: ts-vswitch and Open vSwitch\n\n${report}`,
    );
    const json = { date: new Date().toISOString(), about, rows };
    writeFileSync(
      inRepository('bench/results/openflow.json'),
      `${JSON.stringify(json, null, 1)}\n`,
    );
  }
} finally {
  // An orderly end, at which Node writes a profile if it was asked for one.
  if (given.alone) await contestants[0]?.vswitch.kill('TERM').catch(() => undefined);
  await shutdown();
}
