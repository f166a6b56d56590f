/**
 * Contestants that stand ready side by side, idle, and take turns row by row and run by run: whatever else the
 * machine does then hits all of them alike. Medians count; the first contestant is compared with each of the others.
 *
 * What is kept (bench/results/NAME.json, .md and .svg) is a row's last measurement: rows measured in another run stay as they were.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import type { Machine } from '../test/labs/support/machine.ts';
import { inRepository } from '../test/labs/support/repository.ts';
import { chart, type Panel, shortNumber } from './chart.ts';
import { median, type Options } from './options.ts';

export interface Contestant {
  readonly name: string;
  readonly title: string;
  /** Where the measurement is made. */
  readonly machine: Machine;
  /** Processor time that its daemons have used so far, milliseconds; none for the kernel. */
  readonly cpuMs?: () => Promise<number>;
}

/** One number of a run. */
export interface Figure {
  readonly label: string;
  readonly unit: string;
  readonly moreIsBetter: boolean;
}

/** What is prepared once on each contestant and then measured in turns. */
export interface Row<C extends Contestant> {
  /** For --rows. */
  readonly name: string;
  readonly figures: readonly Figure[];
  /** Names of those who take part; all without it. */
  readonly for?: readonly string[];
  /** Once is enough, whatever --runs says. */
  readonly isOnce?: true;
  prepare?(contestant: C): Promise<void>;
  /** A number for each figure, NaN where there is nothing of the kind. */
  run(contestant: C, seconds: number): Promise<readonly number[]>;
  /** Takes back what prepare() changed for this row alone. */
  finish?(contestant: C): Promise<void>;
}

/** What one contestant had in one row. */
interface Result {
  readonly row: string;
  readonly contestant: string;
  /** When its last run ended. */
  date: string;
  /** A list for each run: the row's figures. Null where there was nothing to measure. */
  readonly values: (number | null)[][];
  /** Processor time of the daemons, per cent of one core, one value a run; empty for the kernel. */
  readonly cpuPercent: number[];
}

/** What the outcome is called, in bench/results and above its table, and what its reader must know. */
export interface Report {
  readonly name: string;
  readonly title: string;
  readonly notes: readonly string[];
}

export class Contest<C extends Contestant> {
  private readonly contestants: readonly C[];
  private readonly options: Options;
  private readonly rows: readonly Row<C>[];
  private results: Result[] = [];

  /** `rows`: all that there are, in the order of the table. */
  constructor(contestants: readonly C[], rows: readonly Row<C>[], options: Options) {
    this.contestants = contestants;
    this.rows = rows;
    this.options = options;
  }

  /** Measures the rows that the options ask for, keeps each one (if the options say so), and prints the table. */
  async run(report: Report): Promise<void> {
    const about = await this.about();
    for (const row of this.rows) {
      if (!this.options.rows.includes(row.name)) continue;
      await this.take(row);
      // After each: a run that is cut short has not been for nothing.
      if (this.options.save) this.keep(report, about);
    }
    console.log(`\n\n${this.text(report, about)}`);
  }

  private async take(row: Row<C>): Promise<void> {
    process.stderr.write(`\n${row.name} `);
    const taking = this.contestants.filter(({ name }) => row.for?.includes(name) ?? true);
    for (const one of taking) await row.prepare?.(one);
    const results = taking.map(
      ({ name }): Result => ({
        row: row.name,
        contestant: name,
        date: '',
        values: [],
        cpuPercent: [],
      }),
    );
    for (let run = 0; run < (row.isOnce ? 1 : this.options.runs); run++)
      for (const [index, one] of taking.entries()) {
        const result = results[index];
        // What passes nothing once, or has no value, is not tried twice: each try costs a timeout.
        if (result.values[0]?.every((value) => value === 0 || value === null)) continue;
        const cpuBefore = await one.cpuMs?.();
        const began = performance.now();
        const values = await row.run(one, this.options.seconds);
        const tookMs = performance.now() - began;
        result.values.push(values.map((value) => (Number.isFinite(value) ? value : null)));
        if (cpuBefore !== undefined && one.cpuMs !== undefined) {
          const percent = (100 * ((await one.cpuMs()) - cpuBefore)) / tookMs;
          result.cpuPercent.push(Math.round(10 * percent) / 10);
        }
        result.date = new Date().toISOString();
        process.stderr.write('.');
      }
    for (const one of taking) await row.finish?.(one);
    const isBefore = ({ row, contestant }: Result) =>
      results.some((one) => one.row === row && one.contestant === contestant);
    this.results = [...this.results.filter((one) => !isBefore(one)), ...results];
  }

  private async about(): Promise<string> {
    const { runs, seconds, pin } = this.options;
    const ovs = await this.contestants[0]?.machine.run('ovs-vswitchd --version');
    return [
      `medians of ${runs}, ${seconds} s each, in turn`,
      ovs?.stdout.split('\n')[0] ?? '',
      `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
      `Node ${process.versions.node}`,
      ...(pin === '' ? [] : [`daemons pinned to ${pin}`]),
    ].join('; ');
  }

  private text({ notes }: Report, about: string): string {
    return `${this.table()}\n\n${notes.join(' ')} ${about}.\n`;
  }

  private keep(report: Report, about: string): void {
    const { name, title } = report;
    mkdirSync(inRepository('bench/results'), { recursive: true });
    const file = (ending: string) => inRepository(`bench/results/${name}.${ending}`);
    this.results = [...this.results, ...this.kept(file('json'))];
    writeFileSync(file('svg'), chart(title, about, this.panels()));
    const table = `${this.text(report, about)}\n![The same as bars](${name}.svg)\n`;
    writeFileSync(file('md'), `# ${title}\n\n${table}`);
    const json = { date: new Date().toISOString(), about, results: this.results };
    writeFileSync(file('json'), `${JSON.stringify(json, null, 1)}\n`);
  }

  /** What is there of rows that were not measured now. */
  private kept(file: string): Result[] {
    if (!existsSync(file)) return [];
    const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results?: Result[] };
    const isOld = ({ row, contestant }: Result) =>
      this.rows.some(({ name }) => name === row) && this.find(row, contestant) === undefined;
    return (results ?? []).filter(isOld);
  }

  private find(row: string, contestant: string): Result | undefined {
    return this.results.find((one) => one.row === row && one.contestant === contestant);
  }

  /** Median of a figure; NaN when it was not measured. */
  private median(row: Row<C>, figure: number, { name }: C): number {
    const values = this.find(row.name, name)?.values.map((run) => run[figure]) ?? [];
    return median(values.filter((value) => typeof value === 'number'));
  }

  private cell(row: Row<C>, figure: number, contestant: C): string {
    const value = this.median(row, figure, contestant);
    if (Number.isNaN(value)) return '';
    const percents = this.find(row.name, contestant.name)?.cpuPercent ?? [];
    const hasCpu = percents.length > 0 && !row.isOnce;
    return `${shortNumber(value)}${hasCpu ? ` (${median(percents).toFixed(0)} %)` : ''}`;
  }

  /** A line for each figure: medians, processor time in brackets, ratios of the first to the others. */
  private table(): string {
    const [first, ...others] = this.contestants;
    const titles = this.contestants.map(({ title }) => title);
    const head = ['', 'unit', ...titles, ...others.map(({ title }) => `to ${title}`)];
    const lines: string[][] = [];
    for (const row of this.rows)
      for (const [i, { label, unit, moreIsBetter }] of row.figures.entries()) {
        const cells = this.contestants.map((one) => this.cell(row, i, one));
        if (cells.every((text) => text === '')) continue;
        const own = this.median(row, i, first);
        const ratios = others.map((one) => ratio(own, this.median(row, i, one), moreIsBetter));
        const better = `${label} (${moreIsBetter ? 'more' : 'less'} is better)`;
        lines.push([better, unit, ...cells, ...ratios]);
      }
    const widths = head.map((_, column) =>
      Math.max(...[head, ...lines].map((line) => line[column].length)),
    );
    const line = (texts: readonly string[]): string =>
      `| ${texts.map((text, column) => text.padEnd(widths[column])).join(' | ')} |`;
    const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
    return [line(head), rule, ...lines.map(line)].join('\n');
  }

  private panels(): Panel[] {
    return this.rows.flatMap((row) =>
      row.figures.map(({ label, unit, moreIsBetter }, i) => ({
        title: label,
        unit,
        moreIsBetter,
        bars: this.contestants.map((one) => ({
          label: one.title,
          value: this.median(row, i, one),
        })),
      })),
    );
  }
}

const ratio = (ours: number, theirs: number, moreIsBetter: boolean): string => {
  if (Number.isNaN(ours) || Number.isNaN(theirs)) return '';
  if (theirs === 0) return moreIsBetter ? 'they pass none' : '';
  return `${(ours / theirs).toFixed(2)} x`;
};
