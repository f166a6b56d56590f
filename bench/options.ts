/** Options of the comparisons: `--runs 5 --seconds 1 --rows ping,setup`, each bounded, so that no run can occupy a machine for long. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Repetitions of each measurement; medians are reported. */
  readonly runs: number;
  /** Length of one throughput measurement. */
  readonly seconds: number;
  /** Which contestants run, by name. */
  readonly only: readonly string[];
  /** Which rows are measured, by name. */
  readonly rows: readonly string[];
  /** Processor list for taskset, such as `0,1`; empty leaves placement to the kernel. */
  readonly pin: string;
  /** Whether bench/results is written: rows that were measured take the place of what was there. */
  readonly save: boolean;
}

/** Reads the command line; ends the process with a usage line when it makes no sense. */
export const readOptions = (contestants: readonly string[], rows: readonly string[]): Options => {
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        rows: { type: 'string', default: '' },
        pin: { type: 'string', default: '' },
        save: { type: 'boolean', default: false },
      },
    });
    const isAll = values.only === '' && values.rows === '';
    return {
      runs: bounded('runs', values.runs, 1, 21),
      seconds: bounded('seconds', values.seconds, 1, 30),
      only: chosen(values.only, contestants),
      rows: chosen(values.rows, rows),
      pin: values.pin,
      save: values.save || isAll,
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(
      `usage: npm run bench:... -- [--runs 1..21] [--seconds 1..30] [--pin CPUS] [--save]\n  [--only ${contestants.join(',')}]\n  [--rows ${rows.join(',')}]\nResults are kept when all rows are measured, or with --save.`,
    );
    process.exit(2);
  }
};

/** A list behind commas; none means all. */
const chosen = (text: string, all: readonly string[]): readonly string[] => {
  if (text === '') return all;
  const names = text.split(',');
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}`);
  return names;
};

const bounded = (name: string, text: string, low: number, high: number): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high)
    throw new Error(`--${name} takes a whole number from ${low} to ${high}`);
  return value;
};

/** The middle value; of an even count the lower of the two. NaN when there is none. */
export const median = (values: readonly number[]): number =>
  values.length === 0
    ? Number.NaN
    : ([...values].sort((a, b) => a - b)[(values.length - 1) >> 1] as number);
