/** The learn action as ovs-actions(7) writes it: options of the flow to be made, and specifications of its match and actions. */
import type { Action, LearnSpec } from '../../flowtable/action.ts';
import { fieldByAnyName } from './field-names.ts';
import { parseSubfield, parseValue } from './match-syntax.ts';
import {
  bigNumber,
  fault,
  type NameLookup,
  number32,
  smallNumber,
  tableOf,
  type Word,
  words,
} from './syntax.ts';

const ALL_TABLES = 255;
const DEFAULT_PRIORITY = 32768;

/** A number that a field of so many bits can have; `all` is shown when it cannot. */
function fitting(text: string, all: string, bits: number): bigint {
  const value = bigNumber(text, 'value', 128);
  return value >> BigInt(bits) === 0n
    ? value
    : fault(`${all}: value does not fit into ${bits} bits`);
}

function learnSpec(w: Word, names: NameLookup): LearnSpec {
  const text = w.value ?? '';
  if (w.key === 'load') {
    const dst = parseSubfield(w.target ?? fault(`${text}: missing \`->'`));
    const { bits } = dst;
    if (!text.includes('[')) {
      return {
        kind: 'load',
        bits,
        src: { kind: 'value', value: fitting(text, `${text}->${w.target}`, bits) },
        dst,
      };
    }
    return { kind: 'load', bits, src: { kind: 'field', src: parseSubfield(text) }, dst };
  }
  if (w.key === 'output') {
    const src = parseSubfield(text);
    return { kind: 'output', bits: src.bits, src: { kind: 'field', src } };
  }
  const dst = parseSubfield(w.key);
  const { bits } = dst;
  if (w.value === null) return { kind: 'match', bits, src: { kind: 'field', src: dst }, dst };
  if (fieldByAnyName(text.replace(/\[.*/, '')) !== undefined) {
    return { kind: 'match', bits, src: { kind: 'field', src: parseSubfield(text) }, dst };
  }
  const whole = bits >= dst.field.bits;
  const value = whole ? parseValue(dst.field, text, names).value : bigNumber(text, 'value', bits);
  return { kind: 'match', bits, src: { kind: 'value', value }, dst };
}

const isLearnSpec = (key: string): boolean =>
  key === 'load' || key === 'output' || fieldByAnyName(key.replace(/\[.*/, '')) !== undefined;

const LEARN_OPTIONS = new Set([
  'table',
  'idle_timeout',
  'hard_timeout',
  'fin_idle_timeout',
  'fin_hard_timeout',
  'priority',
  'cookie',
  'send_flow_rem',
  'delete_learned',
  'limit',
  'result_dst',
]);

export function learn(w: Word, names: NameLookup): Action {
  const list = words(w.value ?? '');
  const args = new Map(list.map(({ key, value }) => [key, value ?? '']));
  const unknown = list.find(({ key }) => !LEARN_OPTIONS.has(key) && !isLearnSpec(key));
  if (unknown !== undefined) fault(`${w.value}: unknown keyword ${unknown.key}`);
  const table = tableOf(args.get('table') ?? '1', names);
  if (table === ALL_TABLES) fault(`${w.value}: table id 255 not valid for \`learn' action`);
  const seconds = (key: string): number => smallNumber(args.get(key) ?? '0', key);
  const result = args.get('result_dst');
  return {
    kind: 'learn',
    idleTimeoutSeconds: seconds('idle_timeout'),
    hardTimeoutSeconds: seconds('hard_timeout'),
    finIdleTimeoutSeconds: seconds('fin_idle_timeout'),
    finHardTimeoutSeconds: seconds('fin_hard_timeout'),
    // Cut to its bits, as in the original.
    priority: number32(args.get('priority') ?? String(DEFAULT_PRIORITY), 'priority') & 0xffff,
    cookie: bigNumber(args.get('cookie') ?? '0', 'cookie'),
    table,
    sendFlowRemoved: args.has('send_flow_rem'),
    deleteLearned: args.has('delete_learned'),
    limit: number32(args.get('limit') ?? '0', 'limit'),
    resultDst: result === undefined ? null : parseSubfield(result),
    specs: list.filter(({ key }) => !LEARN_OPTIONS.has(key)).map((spec) => learnSpec(spec, names)),
  };
}
