/**
 * How many datapath workers there are to be (other_config of Open_vSwitch; doc/adr/0015): `pmd-cpu-mask`, as Open vSwitch names it, one
 * worker bound to each processor of the mask; else `n-datapath-workers`, not bound; else one.
 */
import { MAX_WORKERS } from '../datapath/datapath.ts';
import { integer, text } from './config-value.ts';
import type { StringMap, WantedWorkers } from './wanted.ts';

const MASK = 'pmd-cpu-mask';
const COUNT = 'n-datapath-workers';

/** `workers` is null, and the problem says why, when nothing sensible is asked for. */
export interface WorkersReading {
  readonly workers: WantedWorkers | null;
  readonly problem: string | null;
}

/** `processorCount`: those of this machine, numbered from 0. */
export function wantedWorkers(config: StringMap, processorCount: number): WorkersReading {
  const mask = text(config, MASK);
  if (mask !== null) return fromMask(mask, processorCount);
  const asked = text(config, COUNT);
  if (asked === null) return { workers: { count: 1, processors: [] }, problem: null };
  const count = integer(config, COUNT);
  if (count === null || count < 1 || count > MAX_WORKERS) {
    return refused(COUNT, asked, `a number from 1 to ${MAX_WORKERS} is wanted`);
  }
  return { workers: { count, processors: [] }, problem: null };
}

function fromMask(mask: string, processorCount: number): WorkersReading {
  if (!/^(0x)?[0-9a-f]{1,64}$/i.test(mask)) {
    return refused(MASK, mask, 'hexadecimal digits are wanted');
  }
  const bits = BigInt(`0x${mask.replace(/^0x/i, '')}`);
  const asked: number[] = [];
  for (let i = 0; bits >> BigInt(i) !== 0n; i++) if ((bits >> BigInt(i)) & 1n) asked.push(i);
  const processors = asked.filter((i) => i < processorCount).slice(0, MAX_WORKERS);
  if (processors.length === 0) {
    return refused(
      MASK,
      mask,
      `it has none of this machine's processors, 0 to ${processorCount - 1}`,
    );
  }
  const problem =
    processors.length < asked.length
      ? `other_config:${MASK} "${mask}": only processors ${processors.join(', ')} are used`
      : null;
  return { workers: { count: processors.length, processors }, problem };
}

const refused = (key: string, value: string, why: string): WorkersReading => ({
  workers: null,
  problem: `ignoring invalid other_config:${key} "${value}": ${why}`,
});
