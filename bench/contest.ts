/**
 * Contestants that stand ready side by side, idle, and take turns measurement by measurement and run by run: whatever else the
 * machine does then hits all of them alike. Medians count; the first contestant is compared with each of the others.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import type { Machine } from '../test/labs/support/machine.ts';
import { inRepository } from '../test/labs/support/repository.ts';
import type { Measurement } from './measure.ts';
import { median, type Options } from './options.ts';

export interface Contestant {
  readonly name: string;
  readonly title: string;
  /** Where the measurement is made. */
  readonly machine: Machine;
  /** Processor time that its daemons have used so far, milliseconds; none for the kernel. */
  readonly cpuMs?: () => Promise<number>;
}

interface Result {
  readonly measurement: Measurement;
  readonly contestant: Contestant;
  readonly values: number[];
  /** Processor time of the daemons, per cent of one core, one value a run. */
  readonly cpuPercent: number[];
}

const digits = (value: number): string =>
  Number.isNaN(value) ? '-' : value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);

export class Contest {
  private readonly contestants: readonly Contestant[];
  private readonly options: Options;
  private readonly rows: Result[][] = [];

  constructor(contestants: readonly Contestant[], options: Options) {
    this.contestants = contestants;
    this.options = options;
  }

  async measure(measurement: Measurement): Promise<void> {
    process.stderr.write(`\n${measurement.name} `);
    const row = this.contestants.map(
      (contestant): Result => ({ measurement, contestant, values: [], cpuPercent: [] }),
    );
    this.rows.push(row);
    for (const { machine } of this.contestants) await measurement.prepare(machine);
    for (let run = 0; run < this.options.runs; run++)
      for (const { contestant, values, cpuPercent } of row) {
        // What passes nothing once, or has no value, is not tried twice: each try costs a timeout.
        if (values[0] === 0 || Number.isNaN(values[0])) continue;
        const cpuBefore = (await contestant.cpuMs?.()) ?? 0;
        const began = performance.now();
        values.push(await measurement.run(contestant.machine, this.options.seconds));
        const tookMs = performance.now() - began;
        cpuPercent.push((100 * (((await contestant.cpuMs?.()) ?? 0) - cpuBefore)) / tookMs);
        process.stderr.write('.');
      }
  }

  /** A row for each measurement: medians, processor time in brackets, ratios to the first contestant. */
  table(): string {
    const others = this.contestants.slice(1);
    const versus = others.map(({ title }) => `to ${title}`);
    const head = ['', 'unit', ...this.contestants.map(({ title }) => title), ...versus];
    const rows = this.rows.map((row) => {
      const { name, unit, moreIsBetter } = (row[0] as Result).measurement;
      const first = median(row[0]?.values ?? []);
      return [
        `${name} (${moreIsBetter ? 'more' : 'less'} is better)`,
        unit,
        ...row.map(cell),
        ...row.slice(1).map(({ values }) => ratio(first, median(values))),
      ];
    });
    const widths = head.map((_, column) =>
      Math.max(...[head, ...rows].map((row) => (row[column] as string).length)),
    );
    const line = (row: readonly string[]): string =>
      `| ${row.map((text, column) => text.padEnd(widths[column] as number)).join(' | ')} |`;
    const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
    return [line(head), rule, ...rows.map(line)].join('\n');
  }

  /** Prints the table and writes it to bench/results/NAME.md, all values to NAME.json. `notes`: what a reader must know. */
  async report(name: string, title: string, notes: readonly string[]): Promise<void> {
    const { runs, seconds, pin } = this.options;
    const ovs = await this.contestants[0]?.machine.run('ovs-vswitchd --version');
    const about = [
      `medians of ${runs}, ${seconds} s each, in turn`,
      ovs?.stdout.split('\n')[0] ?? '',
      `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
      `Node ${process.versions.node}`,
      pin === '' ? 'nothing pinned' : `daemons pinned to ${pin}`,
    ];
    const text = `${this.table()}\n\n${notes.join(' ')} ${about.join('; ')}.\n`;
    console.log(`\n\n${text}`);
    mkdirSync(inRepository('bench/results'), { recursive: true });
    writeFileSync(inRepository(`bench/results/${name}.md`), `# ${title}\n\n${text}`);
    const results = this.rows.flat().map(({ measurement, contestant, values, cpuPercent }) => ({
      measurement: measurement.name,
      unit: measurement.unit,
      contestant: contestant.name,
      values,
      cpuPercent,
    }));
    const json = { date: new Date().toISOString(), about, options: this.options, results };
    writeFileSync(inRepository(`bench/results/${name}.json`), `${JSON.stringify(json, null, 2)}\n`);
  }
}

const cell = ({ contestant, values, cpuPercent }: Result): string => {
  const cpu = contestant.cpuMs === undefined ? '' : ` (${median(cpuPercent).toFixed(0)} %)`;
  return `${digits(median(values))}${cpu}`;
};

const ratio = (ours: number, theirs: number): string => {
  if (theirs === 0) return 'they pass none';
  const value = ours / theirs;
  return Number.isNaN(value) ? '-' : `${value.toFixed(2)} x`;
};
