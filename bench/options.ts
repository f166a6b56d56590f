/** Options of the benchmarks: `--runs 5 --seconds 3`, each bounded, so that no run can occupy a machine for long. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Repetitions of each measurement; medians are reported. */
  readonly runs: number;
  /** Length of one throughput measurement. */
  readonly seconds: number;
  /** Which contestants run, by name; empty for all. */
  readonly only: readonly string[];
  /** Processor list for taskset, such as `0,1`; empty leaves placement to the kernel. */
  readonly pin: string;
  /** Text in the names of the measurements to make; empty for all. */
  readonly rows: string;
}

/** Reads the command line; ends the process with a usage line when it makes no sense. */
export const readOptions = (contestants: readonly string[]): Options => {
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        only: { type: 'string', default: '' },
        pin: { type: 'string', default: '' },
        rows: { type: 'string', default: '' },
      },
    });
    const only = values.only === '' ? [] : values.only.split(',');
    const unknown = only.filter((name) => !contestants.includes(name));
    if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}`);
    return {
      runs: bounded('runs', values.runs, 1, 21),
      seconds: bounded('seconds', values.seconds, 1, 30),
      only,
      pin: values.pin,
      rows: values.rows,
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(
      `usage: npm run bench:... -- [--runs 1..21] [--seconds 1..30] [--pin CPUS] [--rows TEXT] [--only ${contestants.join(',')}]`,
    );
    process.exit(2);
  }
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
